"""Groups: the names and addresses of what is inside (III.B, III.C, IV.A.2.c, IV.A.2.g)."""

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
_TABLE, _SOFT = 1, 2  # what an entry of a symbol table repeats: the address of a table, or of a soft link's path


class Link(NamedTuple):
    """A link: its name, the object's address (undefined for soft and external links), and the address of the object's B-tree and
    heap if the link repeats them.
    """

    name: bytes
    address: int = UNDEFINED
    table: tuple[int, int] | None = None


class Sizes(NamedTuple):
    """The largest numbers of entries: in a symbol-table node, and in a B-tree node of a group and of chunks."""

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
            yield _link(message.own())
        elif message.kind == headers.LINK_INFO:
            yield from _dense(storage, message.own())


def table(found: list[Message]) -> tuple[int, int] | None:
    """The addresses of the B-tree and the heap of a group of the older form."""
    tables = [struct.unpack_from("<QQ", message.own()) for message in found if message.kind == headers.SYMBOL_TABLE]
    return tables[0] if tables else None


def link_at(data: bytes, at: int) -> Link:
    """The link to an object in an entry of a symbol table, without its name."""
    address, repeated, tree, heap = struct.unpack_from("<QI4xQQ", data, at)
    return Link(b"", address, (tree, heap) if repeated == _TABLE else None)


def _symbols(storage: Storage, tree: int, heap: bytes, sizes: Sizes) -> Iterator[Link]:
    """The links in a symbol table."""
    before, size = b"", 8 + 40 * sizes.symbols
    nodes = trees.leaves(storage, tree, trees.GROUP, np.dtype("<u8"), sizes.group, lambda key: name_at(heap, int(key)))
    for keys, children in nodes:
        bounds = [name_at(heap, int(key)) for key in keys]
        for number, address in enumerate(children.tolist()):
            node = storage.take(address, size, b"SNOD\1")
            (count,) = struct.unpack_from("<H", node, 6)
            if count > sizes.symbols:
                raise Damaged(f"the symbols at {address} are too many")
            for entry in range(8, 8 + 40 * count, 40):
                name = name_at(heap, *struct.unpack_from("<Q", node, entry))
                if not before < name or not bounds[number] <= name <= bounds[number + 1]:
                    raise Damaged("the names of a group are not in their order")
                before = name
                repeated, path = struct.unpack_from("<I4xI", node, entry + 16)
                if repeated == _SOFT:
                    name_at(heap, path)
                yield Link(name) if repeated == _SOFT else link_at(node, entry + 8)._replace(name=name)


def _link(data: bytes) -> Link:
    version, flags = data[:2]
    kind = data[2] if flags & 8 else 0
    place = 2 + (flags & 8 != 0) + (8 if flags & 4 else 0) + (flags & 16 != 0)
    start = place + (1 << (flags & 3))
    end = start + int.from_bytes(data[place:start], "little")
    if version != 1 or end > len(data):
        raise Damaged("a link is damaged")
    return Link(data[start:end], struct.unpack_from("<Q", data, end)[0] if kind == 0 else UNDEFINED)


def _dense(storage: Storage, data: bytes) -> Iterator[Link]:
    """The links in a fractal heap, which one or two B-trees list."""
    version, flags = data[:2]
    heap_place, tree, *more = struct.unpack_from("<QQQ" if flags & 2 else "<QQ", data, 10 if flags & 1 else 2)
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
                raise Damaged("the two lists of a group's names differ")
    listed = [_link(link) for link in found]
    if len({link.name for link in listed}) < len(listed):
        raise Damaged("a group has a name twice")
    yield from listed
