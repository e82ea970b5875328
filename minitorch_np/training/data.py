"""Data: checked examples, served batch by batch."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import in_dtype
from minitorch_np.base.several import Several, each, listed
from minitorch_np.base.shapes import Shape
from minitorch_np.source.background import in_background
from minitorch_np.source.batches import Batches, never_ends
from minitorch_np.source.source import Source, fingerprint

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer

    Rows = slice | NDArray
    Ready = tuple[NDArray, NDArray, NDArray | None]

# The output of the preprocessing layers is kept while it takes at most this share of the machine's memory.
MEMORY_SHARE = 0.25
_CHUNK = 512


class Examples:
    """x and y in memory, served in batches.

    Args:
        x: one row per example.
        y: the prepared targets.
        preprocessing: the leading layers that training does not change, or None. If their output fits in memory, they run once,
            in this constructor, else for each batch.
        dtype: the dtype of the model's computation.
        reread: whether the examples are read more than once. Only then is the output of the preprocessing kept.
        weights: the weight of each example in the loss, or None.
        given: the arrays whose bytes a resumed run compares; by default x and y, as the weights of training are compared by themselves.
    """

    x: NDArray
    y: NDArray
    preprocessing: Layer | None
    dtype: np.dtype

    source = None

    def __init__(
        self,
        x: NDArray,
        y: NDArray,
        preprocessing: Layer | None,
        dtype: np.dtype,
        *,
        reread: bool,
        weights: NDArray | None = None,
        given: tuple[Any, ...] | None = None,
    ) -> None:
        self.given: tuple[Any, ...] = (*listed(x), *listed(y)) if given is None else given
        self.given_weights = weights
        self.weights: NDArray | None = weights_in_dtype(weights, dtype)
        if isinstance(x, Several):  # has no preprocessing
            x = each(lambda array: in_dtype(array, dtype, "x"), x)
        self.x, self.y, self.preprocessing, self.dtype = x, y, preprocessing, dtype
        self.count: int | None = len(x)
        of_one = x.shape[1:] if preprocessing is None else preprocessing.compute_output_shape(x.shape[1:])
        shape = (len(x), *of_one)
        self.ready: bool = preprocessing is None and (isinstance(x, Several) or x.dtype == dtype)
        if reread and not self.ready and np.prod(shape, dtype=float) * dtype.itemsize <= MEMORY_SHARE * memory_size():
            self.x, self.ready = self._preprocess_all(shape), True

    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Generator[Ready]:
        """(x, y, weights) of each batch, without the first `skip` batches. With a generator the examples are shuffled.

        The last batch is smaller if batch_size does not divide the number of examples. One batch of all examples is not
        shuffled, because the order makes no difference.
        """
        for rows in batch_rows(len(self.x), batch_size, rng, skip):
            yield self.take(rows)

    def take(self, rows: Rows) -> Ready:
        x = self.x[rows] if self.ready else self._preprocess(rows)
        return x, self.y[rows], None if self.weights is None else self.weights[rows]

    def steps(self, batch_size: int | None) -> int | None:
        """The number of batches."""
        return math.ceil(len(self.x) / (batch_size or len(self.x)))

    def fingerprint(self) -> str:
        return fingerprint(*self.given)

    def _preprocess_all(self, shape: Shape) -> NDArray:
        if np.may_share_memory(self._preprocess(slice(1)), self.x):
            return self._preprocess(slice(None))  # a view of x, as from Flatten, which takes no memory
        ready = np.empty(shape, self.dtype)
        for start in range(0, len(ready), _CHUNK):
            rows = slice(start, start + _CHUNK)
            ready[rows] = self._preprocess(rows)
        return ready

    def _preprocess(self, rows: Rows) -> NDArray:
        x = in_dtype(self.x[rows], self.dtype, "x")
        return x if self.preprocessing is None else self.preprocessing.forward(x)


class Stream:
    """The examples of a Source, served in batches. Each batch is checked, prepared and preprocessed just before it is needed.

    This happens in another thread if the source has `read_ahead`. A served batch shares no memory with the arrays of the source, so
    the source may write into its arrays again.

    Args:
        source: gives the batches.
        prepare: (x, y, weights) of the source -> checked x, prepared y, weights.
        preprocessing, dtype: as for Examples.
        look: called with the x of each batch, before its preprocessing.
    """

    source: Source
    prepare: Callable[..., Ready]
    preprocessing: Layer | None
    dtype: np.dtype
    look: Callable[[NDArray], None]
    count: int | None

    given_weights = None

    def __init__(
        self,
        source: Source,
        prepare: Callable[..., Ready],
        preprocessing: Layer | None,
        dtype: np.dtype,
        look: Callable[[NDArray], None] = lambda x: None,
    ) -> None:
        self.source, self.prepare, self.preprocessing, self.dtype, self.look = (
            source,
            prepare,
            preprocessing,
            dtype,
            look,
        )
        self.count = source.count

    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Generator[Ready]:
        """(x, y, weights) of each batch."""
        parts = self.source.batches(batch_size, rng, skip)
        if never_ends(parts):
            raise ValueError(f"{self.source!r}.batches never ends. Let it return where an epoch is over.")
        ready = self._ready(parts)
        with closing(in_background(ready) if self.source.read_ahead else ready) as coming:
            for given, batch in coming:
                self.look(given)
                yield batch

    def steps(self, batch_size: int | None) -> int | None:
        """The number of batches in one epoch, or None if it is not known."""
        if isinstance(self.source, Batches):
            return self.source.length
        return None if self.count is None else math.ceil(self.count / (batch_size or self.count))

    def fingerprint(self) -> str:
        return self.source.fingerprint()

    def _ready(self, batches: Iterator[tuple[Any, ...]]) -> Generator[tuple[NDArray, Ready]]:
        try:
            for batch in batches:
                given, y, weights = self.prepare(*batch)
                x = each(lambda array: in_dtype(array, self.dtype, "x"), given)
                x = x if self.preprocessing is None else self.preprocessing.forward(x)
                arrays = [np.asarray(one) for part in batch for one in _parts(part) if hasattr(one, "__array__")]
                own = functools.partial(_own, given=arrays)
                yield given, (each(own, x), each(own, y), None if weights is None else each(own, weights))
        finally:
            if isinstance(batches, Generator):
                batches.close()


def weights_in_dtype(weights: Any, dtype: np.dtype) -> Any:
    """Weights in the model's dtype; None stays None."""
    return None if weights is None else each(lambda one: in_dtype(one, dtype, "sample_weight or class_weight"), weights)


def _parts(given: Any) -> Iterable[Any]:
    """The arrays in one part of a batch: several in a list or a dictionary, or one."""
    return given.values() if isinstance(given, Mapping) else given if isinstance(given, (list, tuple)) else (given,)


def _own(array: NDArray, given: list[NDArray]) -> NDArray:
    """The array, or a copy if it shares memory with one that was given."""
    return array.copy() if any(np.may_share_memory(array, part) for part in given) else array


def batch_rows(
    count: int, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
) -> Iterator[Rows]:
    """The rows of each batch: a slice, or an array of row numbers in random order if a generator is given. See Examples.batches."""
    if batch_size is None or batch_size >= count:
        if not skip:
            yield slice(None)
        return
    order = None if rng is None else rng.permutation(count)
    for start in range(skip * batch_size, count, batch_size):
        rows = slice(start, start + batch_size)
        yield rows if order is None else order[rows]


def memory_size() -> float:
    """Bytes of physical memory; 4 GiB if the system does not report it."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return 4.0 * 2**30
