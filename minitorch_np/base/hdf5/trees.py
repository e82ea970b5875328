"""B-trees: every node is read once, and fits between its parent's keys and its neighbours (III.A)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, Storage, bytes_for
from minitorch_np.base.shapes import NDArray

GROUP, CHUNKS = 0, 1


def leaves(
    storage: Storage, root: int, kind: int, key: np.dtype, most: int, rank: Callable[[Any], Any]
) -> Iterator[tuple[NDArray, NDArray]]:
    """The entries of the leaves of a B-tree of version 1, from left to right: the addresses of the children, and the keys
    around them, one more than there are children.

    Args:
        kind: GROUP or CHUNKS. key: how a key is stored. most: the largest number of children of a node.
        rank: maps a key to the value by which keys are ordered. The keys of a node are between those around it in its parent;
            the caller checks the keys of a leaf.
    """
    pair = np.dtype([("key", key), ("child", "<u8")])
    size = 24 + most * pair.itemsize + key.itemsize
    row: list[int] = [root]
    bounds: list[tuple[Any, Any] | None] = [None]
    for level in range(storage.numbers("<5xB", root)[0], -1, -1):
        below: list[int] = []
        inside: list[tuple[Any, Any] | None] = []
        for number, address in enumerate(row):
            node = storage.take(address, size, b"TREE")
            found, found_level, count, *beside = struct.unpack_from("<4xBBHQQ", node)
            neighbours = [row[number - 1] if number else UNDEFINED, *row[number + 1 : number + 2], UNDEFINED][:2]
            if (found, found_level, beside) != (kind, level, neighbours) or count > most:
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
                below += children.tolist()
                inside += itertools.pairwise([rank(one) for one in keys])
        row, bounds = below, inside


def records(storage: Storage, header: int, kinds: tuple[int, ...]) -> tuple[int, list[bytes]]:
    """The kind and the records of a B-tree of version 2, in order."""
    kind, node_size, size, depth, root, count = struct.unpack_from("<5xBIHH2xQH", storage.take(header, 38, b"BTHD"))
    if kind not in kinds or not size or node_size < 10 + size or depth > 32:
        raise Damaged(f"the B-tree at {header} is of another kind")
    most = [(node_size - 10) // size]  # records in a node, by level
    total, width = most[0], bytes_for(most[0])  # the most records in a node and all below it
    pointers = [0]  # bytes of a pointer to a child, by level
    for level in range(1, depth + 1):
        pointers.append(8 + width + (bytes_for(total) if level > 1 else 0))
        most.append((node_size - 10 - pointers[-1]) // (size + pointers[-1]))
        total = (most[-1] + 1) * total + most[-1]
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
        for number in reversed(range(count + 1)):  # so that the first child is taken first
            place = 6 + count * size + number * pointers[level]
            child = int.from_bytes(node[place : place + 8], "little")
            below = int.from_bytes(node[place + 8 : place + 8 + width], "little")
            pending += [*own[number : number + 1], (child, below, level - 1)]
    return kind, found
