"""Naming: the simplest change to the true backward that gives the gradients which were observed."""
