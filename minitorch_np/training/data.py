"""Examples: a data set, checked at the door and handed out batch by batch."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import as_array, in_dtype
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.source import Source, in_background, never_ends

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Rows = slice | NDArray
    Ready = tuple[NDArray, NDArray, NDArray | None]

# What the leading layers make of the data is kept while it takes at most this share of the machine's memory.
MEMORY_SHARE = 0.25
_CHUNK = 512


class Examples:
    """x and y in memory, ready for a model's body.

    Args:
        x: one row per example.
        y: the prepared targets.
        stem: the leading layers, evaluated once here when the result fits in memory, else for each batch anew.
        dtype: what the model computes in.
        reread: whether the examples are read more than once, so that keeping them ready pays.
        weights: what each example counts, or None if all count the same.
    """

    def __init__(
        self, x: NDArray, y: NDArray, stem: Any, dtype: np.dtype, *, reread: bool, weights: NDArray | None = None
    ) -> None:
        self.weights = None if weights is None else in_dtype(weights, dtype, "sample_weight or class_weight")
        self.x, self.y, self.stem, self.dtype = x, y, stem, dtype
        self.count: int | None = len(x)
        shape = (len(x), *(stem.output_shape if stem else x.shape[1:]))
        self.ready = not stem and x.dtype == dtype
        if reread and not self.ready and np.prod(shape, dtype=float) * dtype.itemsize <= MEMORY_SHARE * memory_size():
            self.x, self.ready = self._all_through_stem(shape), True

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Ready]:
        """(x, y, weights) of each batch, in a random order if a generator is given, without the first `skip` batches.

        The last batch is smaller when batch_size does not divide their number. The whole set at once is never shuffled:
        its order makes no difference.
        """
        for rows in batches(len(self.x), batch_size, rng, skip):
            yield self.take(rows)

    def take(self, rows: Rows) -> Ready:
        x = self.x[rows] if self.ready else self._through_stem(rows)
        return x, self.y[rows], None if self.weights is None else self.weights[rows]

    def _all_through_stem(self, shape: Shape) -> NDArray:
        if np.may_share_memory(self._through_stem(slice(1)), self.x):
            return self._through_stem(slice(None))  # another view of the same numbers, such as Flatten's
        ready = np.empty(shape, self.dtype)
        for start in range(0, len(ready), _CHUNK):
            rows = slice(start, start + _CHUNK)
            ready[rows] = self._through_stem(rows)
        return ready

    def _through_stem(self, rows: Rows) -> NDArray:
        x = in_dtype(self.x[rows], self.dtype, "x")
        return self.stem.forward(x) if self.stem else x


class Stream:
    """The examples of a Source, ready for a model's body: checked, prepared and brought through the stem.

    All this is done in another thread if the source allows that, and in the caller's otherwise. A batch that comes out shares
    no memory with what the source gave, which may fill the same arrays again.

    Args:
        source: where they come from.
        prepare: (x, y, weights) as they come -> checked x, prepared y, weights.
        stem, dtype: as for Examples.
        note: called with the x of each batch, before the stem and after it, when its turn has come.
    """

    def __init__(
        self,
        source: Source,
        prepare: Callable[..., Ready],
        stem: Any,
        dtype: np.dtype,
        note: Callable[[NDArray, NDArray], None] = lambda given, x: None,
    ) -> None:
        self.source, self.prepare, self.stem, self.dtype, self.note = source, prepare, stem, dtype, note
        self.count = source.count

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Ready]:
        """(x, y, weights) of each batch."""
        parts = self.source.batches(batch_size, rng, skip)
        if never_ends(parts):
            raise ValueError(f"{self.source!r}.batches never ends. Let it return where an epoch is over.")
        ready = self._ready(parts)
        with closing(in_background(ready) if self.source.read_ahead else ready) as coming:
            for given, batch in coming:
                self.note(given, batch[0])
                yield batch

    def _ready(self, batches: Iterator[tuple[Any, ...]]) -> Generator[tuple[NDArray, Ready]]:
        try:
            for batch in batches:
                given, y, weights = self.prepare(*batch)
                x = in_dtype(given, self.dtype, "x")
                x = self.stem.forward(x) if self.stem else x
                yield given, (_own(x, batch), _own(y, batch), None if weights is None else _own(weights, batch))
        finally:
            if isinstance(batches, Generator):
                batches.close()


def _own(array: NDArray, given: tuple[Any, ...]) -> NDArray:
    """The array, or a copy if it lies in the memory of one that was given."""
    arrays = (np.asarray(part) for part in given if hasattr(part, "__array__"))
    return array.copy() if any(np.may_share_memory(array, part) for part in arrays) else array


def batches(
    count: int, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
) -> Iterator[Rows]:
    """The rows of each batch; see Examples.batches."""
    if batch_size is None or batch_size >= count:
        if not skip:
            yield slice(None)
        return
    order = None if rng is None else rng.permutation(count)
    for start in range(skip * batch_size, count, batch_size):
        rows = slice(start, start + batch_size)
        yield rows if order is None else order[rows]


def memory_size() -> float:
    """Bytes of physical memory; 4 GiB where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return 4.0 * 2**30


# At the door: what people pass, and what they meant


def check_single(x: Any, y: Any, who: str) -> None:
    """Refuse lists of several inputs or outputs, [a, b], which as arrays would be two examples."""
    for name, values, other in (("x", x, y), ("y", y, x)):
        count = _length_of_members(values)
        if count is not None and len(values) != count and count in (_length(other), _length_of_members(other)):
            remedy = "Join them, np.concatenate([a, b], axis=-1); a Model of your own can cut them apart again."
            raise ValueError(
                f"{who}: {name} is a list of {len(values)} arrays. A model has one input and one output. {remedy}"
            )


def _length(values: Any) -> int | None:
    shape = getattr(values, "shape", None)
    return shape[0] if shape else len(values) if isinstance(values, (list, tuple)) else None


def _length_of_members(values: Any) -> int | None:
    """How many rows every array of a list has, if it is a list of several arrays of one length."""
    if not isinstance(values, (list, tuple)) or len(values) < 2 or not hasattr(values[0], "shape"):
        return None
    lengths = {_length(member) for member in values}
    return lengths.pop() if len(lengths) == 1 else None


def checked_inputs(x: ArrayLike, who: str, input_shape: Shape | None) -> NDArray:
    """x as an array of at least one example, finite and of the model's shape."""
    array = _numbers(x, "x", who)
    if input_shape is not None and array.shape[1:] != tuple(input_shape):
        raise ValueError(
            f"{who}: expected x of shape {batch_of(input_shape)}, got {array.shape}. {_remedy(array.shape, input_shape)}"
        )
    if array.ndim < 2:
        raise ValueError(
            f"{who}: expected x with one row per example, got shape {array.shape}. Use x.reshape(-1, 1) for examples of "
            "one feature, or x[None] for a single example."
        )
    return array


def checked_targets(y: ArrayLike, who: str, count: int) -> NDArray:
    """y as an array of one target per example."""
    array = _numbers(y, "y", who)
    if len(array) != count:
        raise ValueError(f"{who}: x has {count} examples and y has {len(array)}. Give one target per example.")
    return array


def checked_weights(sample_weight: ArrayLike | None, count: int, who: str) -> NDArray | None:
    """sample_weight as an array, one number of at least 0 for each example."""
    if sample_weight is None:
        return None
    weights = _numbers(sample_weight, "sample_weight", who)
    if weights.shape != (count,):
        raise ValueError(f"{who}: expected sample_weight of shape ({count},), got {weights.shape}.")
    if weights.min() < 0:
        raise ValueError(f"{who}: weights are at least 0 and not all 0, got {weights.min():g} to {weights.max():g}.")
    return weights


def weights_of_classes(
    class_weight: Mapping[Any, float], y: NDArray, output_shape: Shape, *, separate: bool, who: str
) -> NDArray:
    """The class_weight of each example, (n,), or of each step of it, (n, steps).

    Args:
        y: the prepared targets. separate: whether each output is a yes-or-no question of its own.

    Raises:
        ValueError: the targets are no classes, or one of them has no weight.
    """
    classes = _classes(y, tuple(output_shape), separate)
    if classes is None:
        several = separate and y.ndim > 1 and y.shape[-1] > 1
        reason = "each column of y is a question of its own to this loss" if several else f"y has {y[0].tolist()!s:.60}"
        raise ValueError(
            f"{who}: class_weight needs a class for each example, a class number or a one-hot row, and {reason}. "
            "Give sample_weight, one number for each example."
        )
    values, places = np.unique(classes, return_inverse=True)
    missing = sorted({float(value) for value in values} - {float(key) for key in class_weight})
    if missing:
        raise ValueError(
            f"{who}: class_weight has {list(class_weight)}, y also has {', '.join(f'{v:g}' for v in missing)}."
        )
    return np.array([float(class_weight[value]) for value in values.tolist()])[places.reshape(classes.shape)]


def _classes(y: NDArray, output_shape: Shape, separate: bool) -> NDArray | None:
    """The class of each example, or of each step of it; None where there is none."""
    shape = y.shape[1:]
    if shape == output_shape and output_shape[-1:] not in ((), (1,)):
        one_hot = not separate and ((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all()
        return y.argmax(axis=-1) if one_hot else None
    if shape == output_shape[:-1]:
        classes = y
    elif shape == output_shape:
        classes = y[..., 0]
    else:
        classes = y.reshape(len(y)) if y.size == len(y) else np.full(1, np.nan)
    return classes if (classes == np.rint(classes)).all() else None


def check_class_weight(class_weight: Any, who: str) -> None:
    """Refuse what is no dictionary from class numbers to finite weights of at least 0."""
    good = isinstance(class_weight, Mapping) and all(
        isinstance(key, numbers.Real) and isinstance(weight, numbers.Real) and 0 <= float(weight) < math.inf
        for key, weight in class_weight.items()
    )
    if class_weight is not None and not good:
        raise ValueError(
            f"{who}: class_weight has a finite number of at least 0 for each class number, as in {{0: 1.0, 1: 2.5}}, "
            f"got {class_weight!r}."
        )


def _numbers(values: ArrayLike, name: str, who: str) -> NDArray:
    array = as_array(values, name, who)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{who}: {name} holds no examples (shape {array.shape}).")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"{who}: {name}[{', '.join(map(str, place))}] is {array[place]}, the first of {np.count_nonzero(~finite)} values that "
            "are not finite. Remove or replace them first."
        )
    return array


def _remedy(got: Shape, expected: Shape) -> str:
    if got == tuple(expected):
        return "For a single example write x[None]."
    if np.prod(got[1:]) == np.prod(expected):
        return f"Use x.reshape({', '.join(map(str, (-1, *expected)))})."
    if len(got) == len(expected) + 1:
        return "Resize or select the features as in training, or change the model's Input."
    return "Bring each example into that shape."
