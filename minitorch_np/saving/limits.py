"""Limits: what a description may speak of, judged before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

_LARGEST_INPUT = 20_000_000
_MOST_DIMENSIONS = 32
_MOST_LAYERS = 2_000
_MOST_ITEMS = 300_000
_LARGEST_COUNT = 2**31 - 1  # Keras counts steps in int32
_NO_SIZES = ("shared_object_id", "seed", "seen")  # large numbers that nothing is made of


def checked(described: Any, stored: int) -> Any:
    """The description, unless it speaks of sizes that the stored bytes cannot fill.

    Raises:
        ValueError: a number is too large or is none, a shape is too large, or there are too many layers.
    """
    layers = 0
    for count, item in enumerate(_walk(described)):
        if count > _MOST_ITEMS:
            raise ValueError("it says more than there is to say of a model")
        if isinstance(item, float) and math.isnan(item):
            raise ValueError(f"it speaks of {item}")
        if isinstance(item, int) and abs(item) > max(1_000_000, stored):
            raise ValueError(f"it speaks of {item}, which the weights inside cannot fill")
        if isinstance(item, list) and _is_shape(item) and math.prod(size or 1 for size in item) > _LARGEST_INPUT:
            raise ValueError(f"it speaks of a shape {item}, which is too large")
        layers += isinstance(item, list) and sum(isinstance(member, dict) for member in item)
    if layers > _MOST_LAYERS:
        raise ValueError(f"it speaks of {layers} layers, more than a model has")
    return described


def counted(described: Any) -> Any:
    """What a file says beside the layers, such as how they were trained, unless a number in it is beyond any count of steps.

    Raises:
        ValueError: such a number, or more than there is to say.
    """
    for count, item in enumerate(_walk(described)):
        if count > _MOST_ITEMS:
            raise ValueError("it says more than there is to say of a model")
        if isinstance(item, float) and math.isnan(item):
            raise ValueError(f"it speaks of {item}")
        if isinstance(item, int) and abs(item) > _LARGEST_COUNT:
            raise ValueError(
                f"it speaks of {item:.3g}, more than there are steps"
                if abs(item) < 1e300
                else "it speaks of a number without end"
            )
    return described


def iteration(value: Any) -> int:
    """A number of steps."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        raise ValueError(f"its iteration is {value!r:.40}, no number of steps (0 to {_LARGEST_COUNT})")
    return value


def _is_shape(item: list[Any]) -> bool:
    return len(item) <= _MOST_DIMENSIONS and all(isinstance(size, int) or size is None for size in item)


def _walk(data: Any) -> Iterator[Any]:
    pending = [data]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, dict):
            pending += [value for key, value in item.items() if key not in _NO_SIZES]
        elif isinstance(item, list):
            pending += item
