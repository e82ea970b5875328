"""Items: an object with `__len__` and `__getitem__` whose items are single examples, as those of a PyTorch Dataset, as a Source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from minitorch_np.base.code import outer_values
from minitorch_np.base.shapes import Shape
from minitorch_np.base.state import as_state, put_back
from minitorch_np.source.source import Batch, Source, fingerprint


class Items(Source):
    """The examples x[0], x[1], …, each (x,), (x, y) or (x, y, weight), stacked into batches.

    Args:
        given: an object with `__len__` and `__getitem__`.
    """

    count: int

    def __init__(self, given: Any) -> None:
        self.given = given
        self.count = len(given)
        x = as_batch(given[0])[0] if self.count else None
        several = isinstance(x, (list, tuple, dict)) and any(np.ndim(part) for part in arrays_in(x))
        self.shape: Shape | None = None if x is None or several else tuple(np.shape(x))

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        size = batch_size or self.count
        order = range(self.count) if rng is None else rng.permutation(self.count).tolist()
        moves = bool(_moving(self.given))  # generators and counters must go on over the batches that are left out
        for start in range(0 if moves else skip * size, self.count, size):
            examples = [as_batch(self.given[number]) for number in order[start : start + size]]
            if start >= skip * size:
                yield tuple(_stacked(parts, self.given) for parts in zip(*examples, strict=True))

    def fingerprint(self) -> str:
        """SHA-256 of about 64 examples and of their number."""
        if any(isinstance(value, np.random.Generator) for value in _moving(self.given).values()):
            return super().fingerprint()  # reading an example would change the next ones
        some = range(0, self.count, -(-self.count // 64))
        parts = [
            array
            for number in some
            for part in as_batch(self.given[number])
            for array in arrays_in(part)
            if array is not None
        ]
        return f"{self.count} examples, {fingerprint(*parts)}"

    def get_state(self) -> dict[str, Any]:
        """The state of the generators and counters among the attributes of the data."""
        return state_of(self.given)

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back a state of get_state. Raises ValueError for names that the data do not have."""
        set_state_of(self.given, state)


def arrays_in(part: Any) -> list[Any]:
    """The arrays of several inputs or outputs, in a list or a dictionary; or the one array in a list."""
    return list(part.values()) if isinstance(part, dict) else list(part) if isinstance(part, (list, tuple)) else [part]


def _stacked(parts: tuple[Any, ...], given: Any) -> Any:
    """The examples as one array; of several inputs or outputs a dictionary or a list of arrays."""
    first = parts[0]
    if isinstance(first, dict):
        return {name: _stacked(tuple(part[name] for part in parts), given) for name in first}
    if isinstance(first, (list, tuple)) and any(hasattr(part, "shape") for part in first):
        return [_stacked(tuple(column), given) for column in zip(*parts, strict=True)]
    arrays = [np.asarray(part) for part in parts]
    other = next((array.shape for array in arrays if array.shape != arrays[0].shape), None)
    if other is not None:
        raise ValueError(
            f"{given!r}: examples of one batch have shapes {arrays[0].shape} and {other}. Return examples of one shape from __getitem__."
        )
    return np.stack(arrays)


def state_of(given: Any) -> dict[str, Any]:
    """The state of what changes while the data are read, by name."""
    return {name: as_state(value) for name, value in _moving(given).items()}


def set_state_of(given: Any, state: Mapping[str, Any]) -> None:
    """Put back what state_of returned. Raises ValueError for names that the data do not have."""
    moving = _moving(given)
    if not set(state) <= set(moving):
        raise ValueError(
            f"the data have {', '.join(moving) or 'no generator'}, and the state has {', '.join(map(str, state))}"
        )
    for name, value in state.items():
        now = put_back(moving[name], value)
        if now is not moving[name] and now != moving[name]:
            setattr(given, name, now)


def _moving(given: Any) -> dict[str, Any]:
    """What changes while the data are read, by name: the NumPy generators of a function's closure and globals, or the generators
    and numbers among an object's attributes.
    """
    if isinstance(given, FunctionType):
        return {name: value for name, value in outer_values(given).items() if isinstance(value, np.random.Generator)}
    kinds = (np.random.Generator, bool, int, float)
    return {name: value for name, value in getattr(given, "__dict__", {}).items() if isinstance(value, kinds)}


def is_sequence(x: Any) -> bool:
    """Whether it has a length and items by number."""
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not isinstance(x, Mapping)


def as_batch(item: Any) -> Batch:
    """An item of an iterable as (x,), (x, y) or (x, y, weights)."""
    batch = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    if isinstance(item, dict):
        raise ValueError(
            f"expected batches (x, y) or (x, y, weights), got a dictionary of {', '.join(map(repr, item))}. Give its arrays as a tuple: (batch['x'], batch['y'])."
        )
    if not 1 <= len(batch) <= 3:
        raise ValueError(f"expected batches (x, y) or (x, y, weights), got {len(batch)} items.")
    return batch
