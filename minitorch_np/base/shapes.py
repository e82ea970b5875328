"""Shapes, and how messages write them."""

from __future__ import annotations

Shape = tuple[int, ...]


def batch_of(shape: Shape) -> str:
    """The shape of a batch of examples of this shape.

    >>> batch_of((64, 64, 3))
    '(batch, 64, 64, 3)'
    """
    return f"({', '.join(['batch', *map(str, shape)])})"
