"""Shapes and arrays as types, and how messages write a shape."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int, ...]
# What numpy.typing.NDArray[Any] is, without the time to import numpy.typing.
NDArray: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]


def has_several(shape: Any) -> bool:
    """Whether this is not one shape, but the shapes of several arrays.

    >>> has_several((64, 3)), has_several(((64, 3), (10,)))
    (False, True)
    """
    return len(shape) > 0 and isinstance(shape[0], (tuple, list))


def batch_of(shape: Any) -> str:
    """The shape of a batch of examples of this shape; of several arrays the shape of each.

    >>> batch_of((64, 64, 3)), batch_of(((4,), (2,)))
    ('(batch, 64, 64, 3)', '(batch, 4) and (batch, 2)')
    """
    if has_several(shape):
        return " and ".join(map(batch_of, shape))
    return f"({', '.join(['batch', *map(str, shape)])})"


def transposition(got: Shape, wanted: Shape) -> str:
    """The line that brings the axes of a batch x into the order of the wanted examples; "" if their order is not the difference.

    >>> transposition((64, 3, 16, 16), (16, 16, 3))
    'x.transpose(0, 2, 3, 1)'
    """
    if sorted(got[1:]) != sorted(wanted):
        return ""
    left, order = list(range(1, len(got))), [0]
    for size in wanted:
        axis = next(axis for axis in left if got[axis] == size)
        left.remove(axis)
        order.append(axis)
    return f"x.transpose({', '.join(map(str, order))})"
