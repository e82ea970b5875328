"""Heaps: where names, links and strings of any length are kept (III.D, III.E, III.G)."""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator

from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage

_END_OF_FREE = 1  # HDF5 writes this in place of an address


def local_heap(storage: Storage, address: int) -> bytes:
    """The names of a group of the older form, one after the other; its list of free places must come to an end."""
    version, size, free, place = struct.unpack_from("<4xB3xQQQ", storage.take(address, 32, b"HEAP"))
    if version != 0:
        raise Damaged(f"the heap at {address} is of version {version}")
    data = storage.take(place, size)
    seen = set()
    while free != _END_OF_FREE:
        if free in seen or free + 16 > size:
            raise Damaged(f"the free places of the heap at {address} have no end")
        seen.add(free)
        following, length = struct.unpack_from("<QQ", data, free)
        if free + length > size:
            raise Damaged(f"a free place of the heap at {address} is too large")
        free = following
    return data


def name_at(heap: bytes, offset: int) -> bytes:
    """The name that begins at an offset."""
    end = heap.find(b"\0", offset)
    if offset >= len(heap) or end < 0:
        raise Damaged("a name is outside its heap")
    return heap[offset:end]


def global_heap(storage: Storage, address: int) -> dict[int, tuple[int, int]]:
    """The objects of a collection: index, place and length of each."""
    version, size = storage.numbers("<4xB3xQ", address)
    content = storage.take(address, size, b"GCOL")
    if version != 1:
        raise Damaged(f"the heap at {address} is of version {version}")
    found: dict[int, tuple[int, int]] = {}
    place = 16
    while place + 16 <= size:
        index, length = struct.unpack_from("<H6xQ", content, place)
        if index == 0:  # the rest is free
            if place + length != size:
                raise Damaged(f"the free place of the heap at {address} does not end with it")
            break
        if index in found or place + 16 + length > size:
            raise Damaged(f"an object of the heap at {address} is damaged")
        found[index] = address + place + 16, length
        place += 16 + length + -length % 8
    return found


def texts(storage: Storage, references: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Address and length of each text of variable length, by the references to global heaps.

    Raises:
        Damaged: a text is longer than its object in the heap, or all texts together are longer than `most`: many references
            may lead to one text.
    """
    total = 0
    for length, address, index in struct.iter_unpack("<IQI", references[: len(references) // 16 * 16]):
        if not address or address == UNDEFINED or not length:
            yield 0, 0
            continue
        if address not in storage.heaps:
            storage.heaps[address] = global_heap(storage, address)
        place, stored = storage.heaps[address].get(index, (0, -1))
        total += length
        if length > stored or total > most:
            raise Damaged(f"a text is outside its heap, or the texts are longer than {most} bytes in all")
        yield place, length


class FractalHeap:
    """The heap of a group of the newer form: blocks that double in size, row by row."""

    def __init__(self, storage: Storage, address: int) -> None:
        self.storage, self.address = storage, address
        head = storage.read(address, 146)
        if head[:5] != b"FRHP\0":
            raise Damaged(f"there is no FRHP at {address}")
        self.id_length, filters, self.flags, largest = struct.unpack_from("<HHBI", head, 5)
        huge = struct.unpack_from("<Q", head, 22)[0]
        (self.width, self.start, self.most, bits, _, root, rows) = struct.unpack_from("<HQQHHQH", head, 110)
        if filters or huge != UNDEFINED:
            raise NotKnown("a heap is compressed, or holds very long names")
        powers = (self.width, self.start, self.most)
        if any(size < 1 or size & (size - 1) for size in powers) or bits > 64 or self.most < self.start:
            raise Damaged(f"the heap at {address} has no such blocks")
        storage.claim(address, 146)
        self.offset_bytes = (bits + 7) // 8
        self.length_bytes = min((self.most.bit_length() - 1) // 8 + 1, (max(largest, 1).bit_length() - 1) // 8 + 1)
        self.direct_rows = self.most.bit_length() - self.start.bit_length() + 2
        self.blocks: list[tuple[int, int, int]] = []  # offset in the heap, size, address
        pending = [] if root == UNDEFINED else [(root, 0, rows, self.start)]
        while pending:
            place, offset, rows, size = pending.pop()
            if not rows:
                self._direct(place, offset, size)
            else:
                pending += self._indirect(place, offset, rows)
        self.blocks.sort()

    def _check(self, block: bytes, offset: int) -> None:
        owner = int.from_bytes(block[5:13], "little")
        found = int.from_bytes(block[13 : 13 + self.offset_bytes], "little")
        if (owner, found) != (self.address, offset):
            raise Damaged(f"a block of the heap at {self.address} is of another place")

    def _direct(self, place: int, offset: int, size: int) -> None:
        self._check(self.storage.take(place, size, b"FHDB\0"), offset)
        self.blocks.append((offset, size, place))

    def _indirect(self, place: int, offset: int, rows: int) -> list[tuple[int, int, int, int]]:
        if rows > 64 + self.direct_rows:
            raise Damaged(f"the heap at {self.address} has {rows} rows")
        head = 13 + self.offset_bytes
        block = self.storage.take(place, head + 8 * rows * self.width + 4, b"FHIB\0")
        self._check(block, offset)
        found = []
        for row in range(rows):
            size = self.start << max(0, row - 1)
            inner = 0
            if row >= self.direct_rows:
                inner = max(1, size.bit_length() - (self.start * self.width).bit_length() + 1)
            for column in range(self.width):
                (child,) = struct.unpack_from("<Q", block, head + 8 * (row * self.width + column))
                if child != UNDEFINED:
                    found.append((child, offset, inner, size))
                offset += size
        return found

    def get(self, key: bytes) -> bytes:
        """The object of an id."""
        kind = key[0] >> 4
        if kind == 2:  # so short that it is in the id
            return key[1 : 2 + (key[0] & 15)]
        if kind != 0:
            raise NotKnown("a heap holds very long names")
        end = 1 + self.offset_bytes
        offset = int.from_bytes(key[1:end], "little")
        length = int.from_bytes(key[end : end + self.length_bytes], "little")
        number = bisect.bisect_right(self.blocks, (offset, 1 << 64, 0)) - 1
        if number >= 0:
            first, size, place = self.blocks[number]
            if offset + length <= first + size:
                return self.storage.read(place + offset - first, length)
        raise Damaged(f"a name is outside the heap at {self.address}")
