"""Several: the arrays of a model with several inputs or outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class Several:
    """Several arrays, each with one row per example. Rows are taken from all of them: `several[:32]` is a batch.

    Args:
        arrays: the arrays, in the order of the model's inputs or outputs.
    """

    __slots__ = ("arrays",)

    def __init__(self, arrays: Iterable[NDArray]) -> None:
        self.arrays: tuple[NDArray, ...] = tuple(arrays)

    def __len__(self) -> int:
        """The number of examples."""
        return len(self.arrays[0])

    def __iter__(self) -> Iterator[NDArray]:
        return iter(self.arrays)

    def __getitem__(self, rows: slice | NDArray) -> Several:
        return Several(array[rows] for array in self.arrays)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The number of examples, and then the shape of one example in each array."""
        return (len(self), *(array.shape[1:] for array in self.arrays))

    def __repr__(self) -> str:
        return f"Several({', '.join(str(array.shape) for array in self.arrays)})"


def each(change: Callable[[NDArray], Any], x: Any) -> Any:
    """change(x), or for several arrays Several of change(array) for each."""
    return Several(change(array) for array in x) if isinstance(x, Several) else change(x)


def spread(x: Any, count: int) -> list[Any]:
    """The arrays of several, or `count` times the one array, or None, that is for all."""
    return list(x) if isinstance(x, Several) else [x] * count


def listed(x: Any) -> list[NDArray]:
    """The arrays of several or of a tuple, or the one array, in a list."""
    return list(x) if isinstance(x, (Several, tuple)) else [x]


def joined(parts: list[Any]) -> Any:
    """The batches one after the other."""
    if isinstance(parts[0], Several):
        return Several(np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return np.concatenate(parts)


def of_each(given: Any, names: Sequence[str], what: str, who: str, missing: Any = None) -> list[Any]:
    """One item for each output, from a list in their order or from a dictionary by name.

    Args:
        what: the argument, for messages. missing: the item of an output that a dictionary leaves out; None refuses that.
    """
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in names]
        left_out = [name for name in names if name not in given] if missing is None else []
        if not unknown and not left_out:
            return [given.get(name, missing) for name in names]
        problem = f"there is no output {unknown[0]!r}" if unknown else f"there is none for {left_out[0]!r}"
        raise ValueError(f"{who}: {what}: {problem}. The outputs are {', '.join(map(repr, names))}.")
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        example = ", ".join(f"{name!r}: …" for name in names)
        got = f"a list of {len(given)}" if isinstance(given, (list, tuple)) else f"{given!r:.100}"
        raise ValueError(
            f"{who}: expected {what} as a list of {len(names)}, one for each output, or as a dictionary {{{example}}}, got {got}."
        )
    return list(given)
