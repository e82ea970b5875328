"""Room: how much a file that is being read may make this package allocate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SLACK = 100_000
LARGEST_TRIAL = 20_000_000
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


def limit_zeros(shape: tuple[int, ...]) -> None:
    """Called before a layer is tried on zeros of this shape, to see what shape comes out.

    Raises:
        ValueError: a file that is being read asks for more zeros than `LARGEST_TRIAL`, 80 MB in float32.
    """
    if _room.get() != math.inf and math.prod(shape) > LARGEST_TRIAL:
        raise ValueError(
            f"it tries a layer on {math.prod(shape)} numbers of shape {shape}, more than {LARGEST_TRIAL}; a layer that says its "
            "compute_output_shape needs no trial"
        )
