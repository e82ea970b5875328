"""Allocation limit: how much memory a file that is being read may make this package allocate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SLACK = 100_000
_LARGEST_TRIAL = 20_000_000
_left: ContextVar[float] = ContextVar("allocation_limit", default=math.inf)


@contextmanager
def limit_allocation(elements: float) -> Iterator[None]:
    """Limit the parameters that are created in this block to about `elements` numbers."""
    token = _left.set(elements + _SLACK)
    try:
        yield
    finally:
        _left.reset(token)


def allocate_parameter(shape: tuple[int, ...]) -> None:
    """Count a parameter of this shape, before it is created.

    Raises:
        ValueError: the limit is exceeded, or a size is None: the model's Input has any length, and this layer needs a fixed one.
    """
    if None in shape:
        raise ValueError(
            f"a parameter would have the shape {shape}, so the layer needs sequences of one length. Give Input a number in place of "
            "None, or put a layer before this one that makes a vector of any sequence: GlobalAveragePooling1D() or LSTM(units)."
        )
    left = _left.get() - math.prod(shape)
    if left < 0:
        raise ValueError(f"a parameter of shape {shape} is more than the file can fill")
    _left.set(left)


def check_trial(shape: tuple[int, ...]) -> None:
    """Called before a layer's output shape is found with zeros of this input shape.

    Raises:
        ValueError: a file that is being read needs more than 20 million zeros, 80 MB in float32.
    """
    if _left.get() != math.inf and math.prod(shape) > _LARGEST_TRIAL:
        raise ValueError(
            f"it tries a layer on {math.prod(shape)} numbers of shape {shape}, more than {_LARGEST_TRIAL}; a layer with a "
            "compute_output_shape needs no trial"
        )
