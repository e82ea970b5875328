"""Datasets: where their numbers are stored (IV.A.2.i, III.A.1, VII)."""

from __future__ import annotations

import itertools
import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minitorch_np.base.hdf5 import arrays, headers, trees
from minitorch_np.base.hdf5.headers import Message
from minitorch_np.base.hdf5.heaps import global_heap, local_heap
from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)
_VARIABLE = 9  # the class of datatypes whose values lie in a heap
_BY_CHUNK, _BY_CHUNK_FILTERED = 10, 11
_MOST_CHUNKS = 100_000_000
_WITHOUT_END = (1 << 64) - 1


class Chunks(NamedTuple):
    """The shape of one chunk, how many there are along each axis, how many there may be at most, and the bytes of one as they are
    in memory.
    """

    shape: tuple[int, ...]
    counts: tuple[int, ...]
    most: tuple[int, ...]
    nbytes: int
    filtered: bool


def claim(storage: Storage, found: list[Message], nodes: int) -> tuple[int, int]:
    """Walk the storage of a dataset and claim all of it; how many of its parts are stored, and how many there are."""
    by_kind = {message.kind: message for message in found}
    if headers.EXTERNAL in by_kind:
        local_heap(storage, struct.unpack_from("<8xQ", by_kind[headers.EXTERNAL].own())[0])
    if headers.LAYOUT not in by_kind:
        return 0, 0
    stored = parts_due = 1
    layout = by_kind[headers.LAYOUT].own()
    dims, most_dims = _dims(by_kind[headers.DATASPACE].own())
    datatype = by_kind[headers.DATATYPE].own()
    (size,) = struct.unpack_from("<I", datatype, 4)
    version, kind = layout[:2]
    if version not in (3, 4, 5):  # 5 has room for larger chunks
        raise NotKnown(f"a dataset has a layout of version {version}")
    if kind == _COMPACT:
        (length,) = struct.unpack_from("<H", layout, 2)
        parts = [layout[4 : 4 + length]]
    elif kind == _CONTIGUOUS:
        address, length = struct.unpack_from("<QQ", layout, 2)
        external = headers.EXTERNAL in by_kind
        stored = int(address != UNDEFINED or external or not math.prod(dims))
        if address != UNDEFINED and length:
            if length != math.prod(dims) * size and not external:
                raise Damaged(f"a dataset of {math.prod(dims) * size} bytes has room for {length}")
            storage.claim(address, length)
        parts = [] if address == UNDEFINED or datatype[0] & 15 != _VARIABLE else [storage.read(address, length)]
    elif kind == _CHUNKED:
        starts, sizes, parts_due = _chunks(storage, layout, (dims, most_dims), size, headers.FILTERS in by_kind, nodes)
        starts, sizes = starts[starts != UNDEFINED], sizes[starts != UNDEFINED]
        storage.claim_all(starts, sizes)
        stored = len(starts)
        parts = []
        if datatype[0] & 15 == _VARIABLE:
            if headers.FILTERS in by_kind:
                raise NotKnown("a dataset of texts of any length is compressed")
            parts = [storage.read(int(start), int(length)) for start, length in zip(starts, sizes, strict=True)]
    elif kind == _VIRTUAL:
        global_heap(storage, struct.unpack_from("<Q", layout, 2)[0])
        return 1, 1
    else:
        raise Damaged(f"a dataset has a layout of kind {kind}")
    if datatype[0] & 15 == _VARIABLE:
        _texts(storage, parts)
    return stored, parts_due


def _dims(dataspace: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lengths of the axes, and the largest that they may have."""
    version, rank, flags = dataspace[:3]
    if version not in (1, 2) or rank > 32:
        raise Damaged("the shape of a dataset is damaged")
    start = 8 if version == 1 else 4
    dims = struct.unpack_from(f"<{rank}Q", dataspace, start)
    return dims, struct.unpack_from(f"<{rank}Q", dataspace, start + 8 * rank) if flags & 1 else dims


def _texts(storage: Storage, parts: list[bytes]) -> None:
    """The heaps in which the values of variable length lie, each of them as long as it says."""
    known: dict[int, dict[int, tuple[int, int]]] = {}
    total = 0
    for part in parts:
        for length, address, index in struct.iter_unpack("<IQI", part[: len(part) // 16 * 16]):
            if not address or address == UNDEFINED or not length:  # an empty text
                continue
            if address not in known:
                known[address] = global_heap(storage, address)
            _, stored = known[address].get(index, (0, -1))
            total += length
            if length > stored or total > storage.size:  # a heap of one text, which is read again and again
                raise Damaged("a text lies outside its heap, or the texts are more than the file holds")


def _chunks(
    storage: Storage,
    layout: bytes,
    lengths: tuple[tuple[int, ...], tuple[int, ...]],
    size: int,
    filtered: bool,
    nodes: int,
) -> tuple[NDArray, NDArray, int]:
    """Addresses and sizes of all chunks that are stored, and how many chunks there are."""
    dims, most_dims = lengths
    rank = len(dims) + 1  # the last axis is that of the bytes of one element
    if layout[0] == 3:
        found, root = struct.unpack_from("<BQ", layout, 2)
        shape = struct.unpack_from(f"<{rank}I", layout, 11) if found == rank else ()
        kind = place = 0
    else:
        found, width = layout[3:5]
        if found != rank or not 1 <= width <= 8:
            raise Damaged("the chunks of a dataset are damaged")
        shape = tuple(
            int.from_bytes(layout[5 + width * axis : 5 + width * (axis + 1)], "little") for axis in range(rank)
        )
        place = 5 + width * rank
        kind, root = layout[place], UNDEFINED
        place += 1
    if len(shape) != rank or not all(shape) or shape[-1] != size:
        raise Damaged("the chunks of a dataset are damaged")
    counts = tuple(-(-length // part) for length, part in zip(dims, shape, strict=False))
    if math.prod(counts) > _MOST_CHUNKS:
        raise NotKnown(f"a dataset has {math.prod(counts)} chunks")
    most = tuple(-(-length // part) for length, part in zip(most_dims, shape, strict=False))
    chunks = Chunks(shape[:-1], counts, most, math.prod(shape), filtered)
    if kind == 0:
        return *(_older(storage, root, chunks, nodes) if root != UNDEFINED else _nothing()), math.prod(counts)
    return *_newer(storage, layout, place, kind, chunks), 1 if kind in (1, 2) else math.prod(counts)


def _nothing() -> tuple[NDArray, NDArray]:
    return np.empty(0, np.uint64), np.empty(0, np.uint64)


def _older(storage: Storage, root: int, chunks: Chunks, nodes: int) -> tuple[NDArray, NDArray]:
    rank = len(chunks.shape)
    key = np.dtype([("size", "<u4"), ("mask", "<u4"), ("offsets", "<u8", (rank + 1,))])
    starts, sizes, last = [], [], -1
    shape, counts = np.array(chunks.shape, np.uint64), np.array(chunks.counts, np.uint64)
    for keys, children in trees.leaves(storage, root, trees.CHUNKS, key, nodes, lambda one: one["offsets"].tolist()):
        offsets = keys["offsets"][:-1]
        if not len(offsets):
            continue
        numbers = offsets[:, :-1] // shape
        if (numbers * shape != offsets[:, :-1]).any() or (numbers >= counts).any() or offsets[:, -1].any():
            raise Damaged("a chunk lies outside its dataset")
        order = np.ravel_multi_index(tuple(numbers.T.astype(np.intp)), chunks.counts)
        if order[0] <= last or (np.diff(order) <= 0).any() or not offsets[-1].tolist() < keys["offsets"][-1].tolist():
            raise Damaged("the chunks of a dataset are not in their order")
        last = int(order[-1])
        if not chunks.filtered and (keys["size"][:-1] != chunks.nbytes).any():
            raise Damaged("a chunk has another size than the others")
        starts.append(children)
        sizes.append(keys["size"][:-1].astype(np.uint64))
    if not starts:
        return _nothing()
    return np.concatenate(starts), np.concatenate(sizes)


def _newer(storage: Storage, layout: bytes, place: int, kind: int, chunks: Chunks) -> tuple[NDArray, NDArray]:
    """By the index of layout 4: 1 a single chunk, 2 all of them in a row, 3 and 4 arrays of addresses, 5 a B-tree."""
    before = {1: 12 if layout[2] & 2 else 0, 2: 0, 3: 1, 4: 5, 5: 6}[kind]  # bytes about the index
    (address,) = struct.unpack_from("<Q", layout, place + before)
    if address == UNDEFINED:
        return _nothing()
    if kind in (1, 2):
        size = chunks.nbytes * math.prod(chunks.most)
        if kind == 1 and layout[2] & 2:
            (size,) = struct.unpack_from("<Q", layout, place)
        return np.array([address], np.uint64), np.array([size], np.uint64)
    if kind in (3, 4):
        if 8 * math.prod(chunks.counts) > max(storage.size, 16_000_000):
            raise NotKnown("a dataset has more chunks than its file has room for")
        read = arrays.fixed if kind == 3 else arrays.extensible
        return arrays.placed(read(storage, address), chunks.filtered, chunks.nbytes, _numbers(chunks))
    kind, records = trees.records(storage, address, (_BY_CHUNK, _BY_CHUNK_FILTERED))
    if (kind == _BY_CHUNK_FILTERED) != chunks.filtered:
        raise Damaged("the index of a dataset is of another kind")
    tail = 8 * len(chunks.shape)
    where = [struct.unpack(f"<{len(chunks.shape)}Q", record[-tail:]) for record in records]
    if any(not one < two for one, two in itertools.pairwise(where)) or any(
        number >= count for one in where for number, count in zip(one, chunks.counts, strict=True)
    ):
        raise Damaged("the chunks of a dataset are not in their order")
    return arrays.addresses([record[:-tail] for record in records], chunks.filtered, chunks.nbytes)


def _numbers(chunks: Chunks) -> NDArray:
    """The numbers under which an array keeps the chunks: they count through what there may be at most, and the axis that may grow
    without end comes first.
    """
    axes = list(range(len(chunks.counts)))
    axes.sort(key=lambda axis: chunks.most[axis] < _WITHOUT_END // chunks.shape[axis])
    found, stride = np.zeros(1, np.int64), 1
    for axis in reversed(axes):
        found = np.add.outer(np.arange(chunks.counts[axis]) * stride, found).ravel()
        stride *= chunks.most[axis] if axis != axes[0] else 1
    return found
