"""Defaults of fit, evaluate and predict."""

from __future__ import annotations


class Default(int):
    """The default of an argument. Its class shows that the caller did not give this number."""


BATCH_SIZE = Default(32)  # of fit
LARGE_BATCH_SIZE = Default(256)  # of evaluate and predict, which keep no activations
