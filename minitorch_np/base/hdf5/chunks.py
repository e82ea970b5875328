"""The chunks of a dataset: where each is stored (III.A.1, IV.A.2.i, VII)."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minitorch_np.base.hdf5 import arrays, trees
from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

    Shapes = tuple[tuple[int, ...], tuple[int, ...]]
    Pieces = tuple[NDArray, NDArray]  # addresses and sizes

_TREE, _SINGLE, _IMPLICIT, _FIXED, _EXTENSIBLE, _TREE_2 = range(6)  # the kinds of index
_BY_CHUNK, _BY_CHUNK_FILTERED = 10, 11
_MOST_CHUNKS = 100_000_000
_WITHOUT_END = (1 << 64) - 1


class _Grid(NamedTuple):
    """How a dataset is cut into chunks.

    shape: of one chunk. counts: chunks along each axis. most: as many as there may become. nbytes: of one chunk in memory.
    """

    shape: tuple[int, ...]
    counts: tuple[int, ...]
    most: tuple[int, ...]
    nbytes: int
    filtered: bool


def locate(
    storage: Storage, layout: bytes, shapes: Shapes, size: int, filtered: bool, nodes: int
) -> tuple[NDArray, NDArray, int]:
    """Addresses and sizes of the chunks that are stored, and how many chunks there should be.

    Args:
        shapes: the dataset's shape, and the largest it may have. size: bytes of an element. nodes: children of a B-tree node.
    """
    shape, largest_shape = shapes
    older = layout[0] == 3
    rank, width, start = (layout[2], 4, 11) if older else (layout[3], layout[4], 5)
    end = start + rank * width  # the last axis is that of the bytes of one element
    cut = [int.from_bytes(layout[place : place + width], "little") for place in range(start, end, width or 1)]
    if rank != len(shape) + 1 or not 1 <= width <= 8 or not all(cut) or cut[-1] != size:
        raise Damaged("the chunks of a dataset are damaged")
    counts = tuple(-(-length // part) for length, part in zip(shape, cut, strict=False))
    most = tuple(-(-length // part) for length, part in zip(largest_shape, cut, strict=False))
    if math.prod(counts) > _MOST_CHUNKS:
        raise NotKnown(f"a dataset has {math.prod(counts)} chunks")
    grid = _Grid(tuple(cut[:-1]), counts, most, math.prod(cut), filtered)
    if older:
        kind, place = _TREE, 3
    else:
        kind = layout[end]
        has_size = kind == _SINGLE and layout[2] & 2  # of the one chunk, which is filtered
        before = {_SINGLE: 12 if has_size else 0, _IMPLICIT: 0, _FIXED: 1, _EXTENSIBLE: 5, _TREE_2: 6}
        place = end + 1 + before[kind]
    (address,) = struct.unpack_from("<Q", layout, place)
    due = 1 if kind in (_SINGLE, _IMPLICIT) else math.prod(counts)
    if address == UNDEFINED:
        return *_nothing(), due
    if kind in (_SINGLE, _IMPLICIT):
        nbytes = struct.unpack_from("<Q", layout, end + 1)[0] if has_size else grid.nbytes * math.prod(most)
        return np.array([address], np.uint64), np.array([nbytes], np.uint64), due
    if kind == _TREE:
        starts, sizes = _in_tree(storage, address, grid, nodes)
    elif kind == _TREE_2:
        starts, sizes = _in_tree_2(storage, address, grid)
    else:
        if 8 * due > max(storage.size, 16_000_000):
            raise NotKnown("a dataset has more chunks than its file can hold")
        starts, sizes = _in_array((arrays.fixed if kind == _FIXED else arrays.extensible)(storage, address), grid)
    stored = starts != UNDEFINED
    return starts[stored], sizes[stored], due


def _nothing() -> Pieces:
    return np.empty(0, np.uint64), np.empty(0, np.uint64)


def _in_tree(storage: Storage, root: int, grid: _Grid, nodes: int) -> Pieces:
    """The chunks in a B-tree of version 1."""
    key = np.dtype([("size", "<u4"), ("mask", "<u4"), ("offsets", "<u8", (len(grid.shape) + 1,))])
    found, last = [_nothing()], -1
    shape = np.array(grid.shape, np.uint64)
    for keys, children in trees.leaves(storage, root, trees.CHUNKS, key, nodes, lambda one: one["offsets"].tolist()):
        offsets, sizes = keys["offsets"][:-1], keys["size"][:-1].astype(np.uint64)
        if not len(offsets):
            continue
        numbers = offsets[:, :-1] // shape
        if (numbers * shape != offsets[:, :-1]).any() or offsets[:, -1].any():
            raise Damaged("a chunk does not begin where a chunk may")
        last = _check_order(numbers, grid, last)
        if not offsets[-1].tolist() < keys["offsets"][-1].tolist():
            raise Damaged("the chunks of a dataset are not in their order")
        if not grid.filtered and (sizes != grid.nbytes).any():
            raise Damaged("a chunk has another size than the others")
        found.append((children, sizes))
    starts, all_sizes = zip(*found, strict=True)
    return np.concatenate(starts), np.concatenate(all_sizes)


def _in_tree_2(storage: Storage, address: int, grid: _Grid) -> Pieces:
    """The chunks in a B-tree of version 2."""
    kind, records = trees.records(storage, address, (_BY_CHUNK, _BY_CHUNK_FILTERED))
    if (kind == _BY_CHUNK_FILTERED) != grid.filtered:
        raise Damaged("the index of a dataset is of another kind")
    if not records:
        return _nothing()
    rows = np.frombuffer(b"".join(records), np.uint8).reshape(len(records), -1)
    tail = 8 * len(grid.shape)
    _check_order(np.ascontiguousarray(rows[:, -tail:]).view("<u8"), grid)
    return _pieces(rows[:, :-tail], grid)


def _in_array(runs: list[arrays.Run], grid: _Grid) -> Pieces:
    """The chunks in an array of addresses."""
    if not runs:
        return _nothing()
    starts, sizes = _pieces(np.concatenate([run.rows for run in runs]), grid)
    numbers = np.concatenate([np.arange(run.first, run.first + len(run.rows)) for run in runs])
    if not np.isin(numbers[starts != UNDEFINED], _numbers(grid)).all():
        raise Damaged("a chunk is outside its dataset")
    return starts, sizes


def _pieces(rows: NDArray, grid: _Grid) -> Pieces:
    """Addresses and sizes in elements of bytes: an address, and for a filtered chunk its size and a mask of 4 bytes."""
    starts = _integers(rows[:, :8])
    return starts, _integers(rows[:, 8:-4]) if grid.filtered else np.full(len(rows), grid.nbytes, np.uint64)


def _integers(rows: NDArray) -> NDArray:
    """Rows of at most 8 bytes as integers."""
    padded = np.zeros((len(rows), 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded.view("<u8")[:, 0]


def _check_order(numbers: NDArray, grid: _Grid, before: int = -1) -> int:
    """Raise unless chunks, by their numbers along each axis, are in the dataset and in order after the chunk `before`. Return the last."""
    if (numbers >= np.array(grid.counts, np.uint64)).any():
        raise Damaged("a chunk is outside its dataset")
    order = np.ravel_multi_index(tuple(numbers.T.astype(np.intp)), grid.counts)
    if order[0] <= before or (np.diff(order) <= 0).any():
        raise Damaged("the chunks of a dataset are not in their order")
    return int(order[-1])


def _numbers(grid: _Grid) -> NDArray:
    """The numbers of the chunks in an array. They count through the most chunks there may become, and an axis without limit comes first."""
    axes = list(range(len(grid.counts)))
    axes.sort(key=lambda axis: grid.most[axis] < _WITHOUT_END // grid.shape[axis])
    found, stride = np.zeros(1, np.int64), 1
    for axis in reversed(axes):
        found = np.add.outer(np.arange(grid.counts[axis]) * stride, found).ravel()
        stride *= grid.most[axis] if axis != axes[0] else 1
    return found
