"""Shapes, as messages write them."""

from __future__ import annotations

import numbers

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


def checked_count(value: int, who: str, name: str, meaning: str) -> int:
    """The value of a constructor's argument that counts something.

    Raises:
        ValueError: it is no int of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise ValueError(f"{who}: {name} is {meaning}, an int of at least 1, got {value!r}.")
    return value
