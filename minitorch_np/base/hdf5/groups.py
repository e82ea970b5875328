"""Groups: the names of what is inside, and where it lies (III.B, III.C, IV.A.2.c, IV.A.2.g)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minitorch_np.base.hdf5 import headers, trees
from minitorch_np.base.hdf5.headers import Message
from minitorch_np.base.hdf5.heaps import FractalHeap, local_heap, name_at
from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, Storage

_BY_NAME, _BY_ORDER = 5, 6  # kinds of B-trees of version 2


class Link(NamedTuple):
    """A link: its name, the object's address, which is undefined of soft and external links, and where the object's table lies
    as the link itself says, if it does.
    """

    name: bytes
    address: int = UNDEFINED
    table: tuple[int, int] | None = None


class Sizes(NamedTuple):
    """What the superblock says of the nodes: how many entries a symbol-table node, a group's and a chunk's B-tree node have."""

    symbols: int
    group: int
    chunks: int


def links(storage: Storage, found: list[Message], sizes: Sizes) -> Iterator[Link]:
    """The links of a group."""
    for message in found:
        if message.kind == headers.SYMBOL_TABLE:
            tree, heap = struct.unpack_from("<QQ", message.own())
            yield from _symbols(storage, tree, local_heap(storage, heap), sizes)
        elif message.kind == headers.LINK:
            yield from _link(message.own())
        elif message.kind == headers.LINK_INFO:
            yield from _dense(storage, message.own())


def table(found: list[Message]) -> tuple[int, int] | None:
    """Where a group of the older form has its B-tree and its heap."""
    for message in found:
        if message.kind == headers.SYMBOL_TABLE:
            return struct.unpack_from("<QQ", message.own())
    return None


def _symbols(storage: Storage, tree: int, heap: bytes, sizes: Sizes) -> Iterator[Link]:
    before = b""
    key, size = np.dtype("<u8"), 8 + 40 * sizes.symbols
    for keys, children in trees.leaves(
        storage, tree, trees.GROUP, key, sizes.group, lambda one: name_at(heap, int(one))
    ):
        bounds = [name_at(heap, int(one)) for one in keys]
        for number, address in enumerate(children.tolist()):
            node = storage.take(address, size, b"SNOD\1")
            (count,) = struct.unpack_from("<H", node, 6)
            if count > sizes.symbols:
                raise Damaged(f"the symbols at {address} are too many")
            for entry in range(count):
                place, header, cached, one, two = struct.unpack_from("<QQI4xQQ", node, 8 + 40 * entry)
                name = name_at(heap, place)
                if not before < name or not bounds[number] <= name <= bounds[number + 1]:
                    raise Damaged("the names of a group are not in their order")
                before = name
                if cached == 2:  # a soft link, whose path lies in the heap
                    name_at(heap, one & 0xFFFFFFFF)
                    yield Link(name)
                else:
                    yield Link(name, header, (one, two) if cached == 1 else None)


def _link(data: bytes) -> Iterator[Link]:
    version, flags = data[:2]
    place = 2
    kind = data[place] if flags & 8 else 0
    place += (flags & 8 != 0) + (8 if flags & 4 else 0) + (flags & 16 != 0)
    width = 1 << (flags & 3)
    length = int.from_bytes(data[place : place + width], "little")
    place += width
    if version != 1 or place + length > len(data):
        raise Damaged("a link is damaged")
    name = data[place : place + length]
    yield Link(name, struct.unpack_from("<Q", data, place + length)[0]) if kind == 0 else Link(name)


def _dense(storage: Storage, data: bytes) -> Iterator[Link]:
    version, flags = data[:2]
    ordered = bool(flags & 2)
    heap_place, tree, *more = struct.unpack_from("<QQQ" if ordered else "<QQ", data, 10 if flags & 1 else 2)
    if version != 0:
        raise Damaged("a group is damaged")
    if heap_place == UNDEFINED:
        return
    heap = FractalHeap(storage, heap_place)
    found = [heap.get(record[4:]) for record in trees.records(storage, tree, (_BY_NAME,))[1]]
    for other in more:
        if other != UNDEFINED:
            again = [heap.get(record[8:]) for record in trees.records(storage, other, (_BY_ORDER,))[1]]
            if sorted(again) != sorted(found):
                raise Damaged("a group has other names by their order than by themselves")
    names = set()
    for data in found:
        for link in _link(data):
            if link.name in names:
                raise Damaged("a group has a name twice")
            names.add(link.name)
            yield link
