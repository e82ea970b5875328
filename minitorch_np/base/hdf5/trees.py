"""B-trees: every node once, each below its parent and beside its neighbours (III.A)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, Storage

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

GROUP, CHUNKS = 0, 1


def leaves(
    storage: Storage, root: int, kind: int, key: np.dtype, most: int, rank: Callable[[Any], Any]
) -> Iterator[tuple[NDArray, NDArray]]:
    """The entries of the leaves of a B-tree of version 1, from left to right: the keys around the children, one more than
    these, and the children's addresses.

    Args:
        kind: GROUP or CHUNKS. key: how a key is stored. most: how many children a node has room for.
        rank: of a key, by which keys are ordered. The keys of a node lie between those around it in its parent; those of a
            leaf are for the caller to check.
    """
    level = None
    row: list[int] = [root]
    bounds: list[tuple[Any, Any] | None] = [None]
    pair = np.dtype([("key", key), ("child", "<u8")])
    size = 24 + most * pair.itemsize + key.itemsize
    while row:
        below: list[int] = []
        inside: list[tuple[Any, Any] | None] = []
        for number, address in enumerate(row):
            node = storage.take(address, size, b"TREE")
            found, depth, count, left, right = struct.unpack_from("<4xBBHQQ", node)
            level = depth if level is None else level
            beside = (row[number - 1] if number else UNDEFINED, row[number + 1] if number + 1 < len(row) else UNDEFINED)
            if found != kind or depth != level or count > most or (left, right) != beside:
                raise Damaged(f"the B-tree node at {address} does not fit its neighbours")
            entries = np.frombuffer(node, pair, count, 24)
            last = np.frombuffer(node, key, 1, 24 + count * pair.itemsize)
            keys, children = np.concatenate([entries["key"], last]), entries["child"]
            known = bounds[number]
            if known is not None and not known[0] <= rank(keys[0]) <= rank(keys[-1]) <= known[1]:
                raise Damaged(f"the B-tree node at {address} has other keys than its parent")
            if level == 0:
                yield keys, children
            else:
                ranks = [rank(one) for one in keys]
                below += children.tolist()
                inside += itertools.pairwise(ranks)
        row, bounds = below, inside
        level = None if level is None else level - 1


def records(storage: Storage, header: int, kinds: tuple[int, ...]) -> tuple[int, list[bytes]]:
    """The kind and the records of a B-tree of version 2, in order."""
    kind, node_size, size, depth, root, count = struct.unpack_from("<5xBIHH2xQH", storage.take(header, 38, b"BTHD"))
    if kind not in kinds or not size or node_size < 10 + size or depth > 32:
        raise Damaged(f"the B-tree at {header} is of another kind")
    most = [(node_size - 10) // size]
    everything, width = [most[0]], _bytes_for(most[0])
    pointers = [0]
    for level in range(1, depth + 1):
        pointers.append(8 + width + (_bytes_for(everything[-1]) if level > 1 else 0))
        most.append((node_size - 10 - pointers[-1]) // (size + pointers[-1]))
        everything.append((most[-1] + 1) * everything[-1] + most[-1])
    found: list[bytes] = []
    pending: list[tuple[int, int, int] | bytes] = [(root, count, depth)] if count else []
    while pending:
        item = pending.pop()
        if isinstance(item, bytes):
            found.append(item)
            continue
        address, count, level = item
        node = storage.take(address, node_size, b"BTIN" if level else b"BTLF")
        if node[5] != kind or count > most[level]:
            raise Damaged(f"the B-tree node at {address} does not fit its tree")
        own = [node[6 + number * size : 6 + (number + 1) * size] for number in range(count)]
        if not level:
            found += own
            continue
        start, inner = 6 + count * size, []
        for number in range(count + 1):
            place = start + number * pointers[level]
            below = int.from_bytes(node[place + 8 : place + 8 + width], "little")
            inner.append((int.from_bytes(node[place : place + 8], "little"), below, level - 1))
        for number in reversed(range(count + 1)):
            if number < count:
                pending.append(own[number])
            pending.append(inner[number])
    return kind, found


def _bytes_for(limit: int) -> int:
    """In how many bytes HDF5 keeps numbers up to a limit."""
    return (max(limit, 1).bit_length() - 1) // 8 + 1
