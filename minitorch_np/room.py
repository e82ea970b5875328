"""Room: how much a file that is being read may make this package allocate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SLACK = 100_000
_room: ContextVar[float] = ContextVar("room", default=math.inf)


@contextmanager
def room_for(elements: float) -> Iterator[None]:
    """Inside the `with` block parameters of about so many elements in all may be made: those of a file that is read."""
    token = _room.set(elements + _SLACK)
    try:
        yield
    finally:
        _room.reset(token)


def take_room(shape: tuple[int, ...]) -> None:
    """Called before a parameter of this shape is drawn.

    Raises:
        ValueError: there is no room for it.
    """
    left = _room.get() - math.prod(shape)
    if left < 0:
        raise ValueError(f"a parameter of shape {shape} is more than the file can fill")
    _room.set(left)
