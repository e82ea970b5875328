"""Limits: which sizes a description may contain, checked before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

_LARGEST_COUNT = 2**31 - 1  # Keras counts steps in int32
_LARGEST_SHAPE = 20_000_000
_MOST_DIMENSIONS = 32
_MOST_LAYERS = 2_000
_MOST_ITEMS = 300_000
_NO_SIZES = ("shared_object_id", "seed", "seen")  # large numbers from which nothing is allocated


def check_layers(described: Any, stored: int) -> Any:
    """The description of a model, unless it contains sizes that the stored bytes cannot fill.

    Raises:
        ValueError: a number or shape is too large, it contains NaN, or there are too many layers.
    """
    layers = 0
    for item in _checked_items(described, max(1_000_000, stored), "more than the weights inside can fill"):
        if isinstance(item, list):
            if _is_shape(item) and math.prod(size or 1 for size in item) > _LARGEST_SHAPE:
                raise ValueError(f"it contains a shape {item}, which is too large")
            layers += sum(isinstance(member, dict) for member in item)
    if layers > _MOST_LAYERS:
        raise ValueError(f"it contains {layers} layers, more than a model has")
    return described


def check_counts(described: Any) -> Any:
    """The description of something beside the layers, such as the training, unless a number exceeds any count of steps.

    Raises:
        ValueError: there is such a number, NaN, or too many items.
    """
    for _ in _checked_items(described, _LARGEST_COUNT, "more than any count of steps"):
        pass
    return described


def check_iteration(value: Any) -> int:
    """A number of steps."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_COUNT:
        raise ValueError(f"its iteration is {value!r:.40}, expected a number of steps (0 to {_LARGEST_COUNT})")
    return value


def _checked_items(described: Any, largest: int, why: str) -> Iterator[Any]:
    """Every value in nested dictionaries and lists, none of them NaN or an int beyond `largest`."""
    pending, count = [described], 0
    while pending:
        item = pending.pop()
        count += 1
        if count > _MOST_ITEMS:
            raise ValueError(f"the description has over {_MOST_ITEMS:,} items")
        if isinstance(item, float) and math.isnan(item):
            raise ValueError("it contains NaN")
        if isinstance(item, int) and abs(item) > largest:
            raise ValueError(f"it contains {item if item.bit_length() < 100 else 'a huge number'}, {why}")
        yield item
        if isinstance(item, dict):
            pending += [value for key, value in item.items() if key not in _NO_SIZES]
        elif isinstance(item, list):
            pending += item


def _is_shape(item: list[Any]) -> bool:
    return len(item) <= _MOST_DIMENSIONS and all(isinstance(size, int) or size is None for size in item)
