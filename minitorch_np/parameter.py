"""Parameter: a value that training changes, and the gradient of the loss with respect to it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


class Parameter:
    """An array of weights with the gradient dL/dvalue beside it.

    Attributes:
        value: the array. The optimiser changes it in place, everything else only reads it.
        grad: dL/dvalue, of the same shape, or None until a `backward` has set it. Each backward replaces it.
        trainable: False for values that are kept and saved but not learnt, such as running statistics.
    """

    def __init__(self, value: NDArray, trainable: bool = True) -> None:
        self.value = value
        self.grad: Any = None
        self.trainable = trainable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def size(self) -> int:
        return self.value.size

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Parameter(shape={self.shape}, dtype={self.value.dtype}{frozen})"
