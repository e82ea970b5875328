"""Shapes, as messages write them."""

from __future__ import annotations

Shape = tuple[int, ...]


def batch_of(shape: Shape) -> str:
    """The shape of a batch of examples of this shape.

    >>> batch_of((64, 64, 3))
    '(batch, 64, 64, 3)'
    """
    return f"({', '.join(['batch', *map(str, shape)])})"


def check_axis(who: str, axis: int) -> None:
    """Refuse what is no axis of an example; that there is such an axis is seen when the shape is known."""
    if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0:
        raise ValueError(f"{who}: axis is an int other than 0, which is the batch, got {axis!r}.")
