"""Defaults of fit, evaluate and predict."""

from __future__ import annotations


class Default(int):
    """A default. Its class tells it from the same number given by the caller."""


BATCH_SIZE = Default(32)  # of fit
LARGE_BATCH_SIZE = Default(256)  # of evaluate and predict, which keep no activations
