"""Datasets: where their numbers are stored (IV.A.2.i)."""

from __future__ import annotations

import math
import struct

from minitorch_np.base.hdf5 import chunks, headers, heaps
from minitorch_np.base.hdf5.headers import Message
from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)
VARIABLE = 9  # the class of datatypes whose values are in a heap


def claim(storage: Storage, found: list[Message], nodes: int) -> tuple[int, int]:
    """Claim everything that stores a dataset. Returns how many of its parts are stored, and how many it has."""
    by_kind = {message.kind: message for message in found}
    external, filtered = headers.EXTERNAL in by_kind, headers.FILTERS in by_kind
    if external:
        heaps.local_heap(storage, struct.unpack_from("<8xQ", by_kind[headers.EXTERNAL].own())[0])
    if headers.LAYOUT not in by_kind:
        return 0, 0
    layout = by_kind[headers.LAYOUT].own()
    shapes = dimensions(by_kind[headers.DATASPACE].own())
    datatype = by_kind[headers.DATATYPE].own()
    (size,) = struct.unpack_from("<I", datatype, 4)
    version, kind = layout[:2]
    if version not in (3, 4, 5):  # 5 allows larger chunks
        raise NotKnown(f"a dataset has a layout of version {version}")
    stored = due = 1
    pieces: list[tuple[int, int]] = []  # of numbers outside the header
    if kind == _CONTIGUOUS:
        address, length = struct.unpack_from("<QQ", layout, 2)
        nbytes = math.prod(shapes[0]) * size
        if address == UNDEFINED:
            stored = int(external or not nbytes)
        elif length:
            if length != nbytes and not external:
                raise Damaged(f"a dataset of {nbytes} bytes is stored in {length}")
            storage.claim(address, length)
            pieces = [(address, length)]
    elif kind == _CHUNKED:
        starts, sizes, due = chunks.locate(storage, layout, shapes, size, filtered, nodes)
        storage.claim_chunks(starts, sizes)
        stored = len(starts)
        pieces = list(zip(starts.tolist(), sizes.tolist(), strict=True)) if _is_variable(datatype) else []
    elif kind == _VIRTUAL:
        heaps.global_heap(storage, struct.unpack_from("<Q", layout, 2)[0])
    elif kind != _COMPACT:
        raise Damaged(f"a dataset has a layout of kind {kind}")
    if _is_variable(datatype) and kind != _VIRTUAL:
        if kind == _CHUNKED and filtered:
            raise NotKnown("a dataset of strings is compressed")
        in_header = layout[4 : 4 + struct.unpack_from("<H", layout, 2)[0]] if kind == _COMPACT else b""
        parts = [in_header, *(storage.read(*piece) for piece in pieces)]
        for _ in heaps.texts(storage, b"".join(parts), storage.size):
            pass
    return stored, due


def dimensions(dataspace: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lengths of the axes, and the largest lengths that they may have."""
    version, rank, flags = dataspace[:3]
    if version not in (1, 2) or rank > 32:
        raise Damaged("the shape of a dataset is damaged")
    start = 8 if version == 1 else 4
    shape = struct.unpack_from(f"<{rank}Q", dataspace, start)
    return shape, struct.unpack_from(f"<{rank}Q", dataspace, start + 8 * rank) if flags & 1 else shape


def _is_variable(datatype: bytes) -> bool:
    return datatype[0] & 15 == VARIABLE
