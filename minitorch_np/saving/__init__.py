"""Saving: models as files."""
