"""Layers and losses by users who know the contract of a layer and nothing else, right and with 90 bugs, each described in words."""
