"""HDF5Dataset: examples in a file larger than memory, read block by block during training."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.files import AnyPath, as_path
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.datasets.stored import Rows, check_complete, class_names, find, opened
from minitorch_np.source.background import in_background
from minitorch_np.source.source import Source

_BLOCK_BYTES = 32_000_000
_FEW = 16  # chunks that are shuffled together; fewer mix a sorted file badly


class HDF5Dataset(Source):
    """x and y in an HDF5 file, for fit, evaluate and predict in place of arrays.

    Args:
        path: the file.
        split: "train" or "test": the datasets `train_set_x` and `train_set_y`, or `test_set_…`, of the layout of load_hdf5.
        x, y: names of the datasets, if they are others. Without y the data are only for predict.
        block_bytes: the bytes that are read at a time (32 MB). About three blocks are in memory.

    **Order.** If single rows can be read, every epoch has a new random order of all examples; they are read in blocks, and each block
    in the order of the file. If the file is stored in chunks of several examples, reading one row reads its whole chunk. Then the
    chunks come in random order, as many at a time as fit into a block, and the examples of these chunks are shuffled together. The
    chunks of a block are chosen so that their first targets are distributed as in the whole file; this mixes the classes of a sorted
    file too. The cost, for ten digits sorted by class: a network reached 96.0% ± 0.5% from memory or from single rows, 95.5% ± 0.7%
    with 16 to 40 chunks at a time, 94.8% ± 1.6% with 5. With fewer than 16 there is a warning. chunks=(1, …) for create_dataset, or
    no chunks, costs nothing.

    The data may be in other files (links, external and virtual datasets). y is read into memory. Images stay as they are stored until
    their batch is needed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not HDF5 or does not have the dataset (the message lists those present), x and y differ in length, or
            a part of x or y is in another file that is missing or too short. While reading: the file was changed since it was opened.
    """

    read_ahead = True
    x_name: str
    y_name: str | None
    y: NDArray | None
    class_names: list[str] | None
    count: int
    shape: Shape
    dtype: Any
    rows_in_block: int

    def __init__(
        self,
        path: AnyPath,
        split: str = "train",
        *,
        x: str | None = None,
        y: str | None = None,
        block_bytes: int = _BLOCK_BYTES,
    ) -> None:
        path = as_path(path, "HDF5Dataset")
        self.path = path
        self.x_name = x or f"{split}_set_x"
        self.y_name = y or (None if x else f"{split}_set_y")
        wanted = [self.x_name, *([self.y_name] if self.y_name else []), "list_classes"]
        with opened(path, *wanted, locking=False) as file:
            x_set = find(file, self.x_name, path)
            self.y = None if self.y_name is None else self._targets(find(file, self.y_name, path))
            self.class_names = class_names(file, path)
            self.count, self.shape, self.dtype = len(x_set), x_set.shape[1:], x_set.dtype
            self.rows_in_chunk = x_set.chunks[0] if x_set.chunks else 1
            check_complete(x_set, path)
            self._state = Rows(x_set, path).state
        if self.dtype.kind not in "biuf" or not self.count:
            raise ValueError(f"{path}: expected numbers in {self.x_name}, got {self.count} examples of {self.dtype}.")
        if self.y is not None and len(self.y) != self.count:
            raise ValueError(f"{path}: {self.x_name} has {self.count} examples, {self.y_name} has {len(self.y)}.")
        row_bytes = max(1, self.dtype.itemsize * int(np.prod(self.shape)))
        self.rows_in_block = max(self.rows_in_chunk, block_bytes // row_bytes)

    def __len__(self) -> int:
        return self.count or 0

    def __repr__(self) -> str:
        return f"HDF5Dataset({str(self.path)!r}, {self.x_name}: {self.count} of shape {self.shape}, {self.dtype})"

    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        size = batch_size or len(self)
        blocks = in_background(self._read(_without(skip * size, self._blocks(rng))), ahead=1)
        with closing(blocks):
            yield from _cut(blocks, size, self.y)

    def _read(self, blocks: Iterator[NDArray]) -> Generator[tuple[NDArray, NDArray, NDArray]]:
        with opened(self.path, locking=False, cache=0) as file:
            rows = Rows(find(file, self.x_name, self.path), self.path)
            rows.check(self._state)
            yield from map(rows.read, blocks)

    def fingerprint(self) -> str:
        """SHA-256 of the sizes, of y, and of about 64 examples at equal distances."""
        found = hashlib.sha256(f"{self.count} {self.shape} {self.dtype}".encode())
        found.update(b"" if self.y is None else np.ascontiguousarray(self.y).data)
        with opened(self.path, locking=False) as file:
            x_set = find(file, self.x_name, self.path)
            for row in range(0, len(self), max(1, len(self) // 64)):
                found.update(np.ascontiguousarray(x_set[row]).data)
        return found.hexdigest()

    def _targets(self, dataset: Any) -> NDArray:
        check_complete(dataset, self.path)
        if dataset.dtype.kind not in "biuf":
            raise ValueError(
                f"{self.path}: expected numbers in {self.y_name}, got {dataset.dtype}. Write the numbers of the classes, "
                "np.unique(labels, return_inverse=True)[1], and their names as list_classes."
            )
        return dataset[()]

    def _blocks(self, rng: np.random.Generator | None) -> Iterator[NDArray]:
        """The rows of each block, in the order in which they are yielded; see the class."""
        count, together = len(self), max(1, self.rows_in_block // self.rows_in_chunk)
        if rng is None or self.rows_in_chunk == 1 or count <= self.rows_in_block:
            order = np.arange(count) if rng is None else rng.permutation(count)
            return (order[start : start + self.rows_in_block] for start in range(0, count, self.rows_in_block))
        if together < _FEW:
            warnings.warn(
                f"{self!r} is stored in chunks of {self.rows_in_chunk} examples, of which {together} at a time are shuffled "
                f"together: too few if the file is sorted. Write it again with chunks={(1, *(self.shape or ()))}, or give more block_bytes.",
                stacklevel=caller(),
            )
        chunks = rng.permutation(-(-count // self.rows_in_chunk))
        if self.y is not None:  # sort the chunks by target, and deal them to the blocks in turn, like cards
            targets = self.y[chunks * self.rows_in_chunk].reshape(len(chunks), -1)
            chunks = chunks[np.lexsort(targets.T)]
        parts = -(-len(chunks) // together)
        dealt = rng.permutation(parts)
        within = np.random.default_rng(rng.integers(2**63))  # so that rng is not used after this line

        def block(part: int) -> NDArray:
            rows = chunks[part::parts, None] * self.rows_in_chunk + np.arange(self.rows_in_chunk)
            return within.permutation(rows[rows < count])

        return map(block, dealt)


def _without(skip: int, blocks: Iterator[NDArray]) -> Iterator[NDArray]:
    """The blocks without the first `skip` rows."""
    for rows in blocks:
        if len(rows) > skip:
            yield rows[skip:]
        skip = max(0, skip - len(rows))


def _cut(blocks: Iterator[tuple[NDArray, NDArray, NDArray]], size: int, y: NDArray | None) -> Iterator[tuple[Any, ...]]:
    """Batches of one size, also across the ends of blocks; the last may be smaller."""
    rest: list[tuple[NDArray, ...]] = []
    for rows, values, places in blocks:
        first = size - sum(len(part[0]) for part in rest) if rest else 0
        for start, stop in itertools.pairwise([0, *range(first or size, len(rows), size), len(rows)]):
            x = values[places[start:stop]]
            rest.append((x,) if y is None else (x, y[rows[start:stop]]))
            if sum(len(part[0]) for part in rest) == size:
                yield rest[0] if len(rest) == 1 else tuple(map(np.concatenate, zip(*rest, strict=True)))
                rest = []
    if rest:
        yield tuple(map(np.concatenate, zip(*rest, strict=True)))
