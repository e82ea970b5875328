"""Shapes and arrays as types, and how messages write a shape."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int, ...]
# What numpy.typing.NDArray[Any] is, without the time to import numpy.typing.
NDArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]


def batch_of(shape: Shape) -> str:
    """The shape of a batch of examples of this shape.

    >>> batch_of((64, 64, 3))
    '(batch, 64, 64, 3)'
    """
    return f"({', '.join(['batch', *map(str, shape)])})"
