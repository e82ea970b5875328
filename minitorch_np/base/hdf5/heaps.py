"""Heaps, which hold names, links and strings of any length (III.D, III.E, III.G)."""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterator

from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage, bytes_for

_END_OF_FREE = 1  # HDF5 writes this in place of an address


def local_heap(storage: Storage, address: int) -> bytes:
    """The names in a group of the older form, one after the other. Its list of free places must end."""
    version, size, free, place = struct.unpack_from("<4xB3xQQQ", storage.take(address, 32, b"HEAP"))
    if version != 0:
        raise Damaged(f"the heap at {address} is of version {version}")
    data = storage.take(place, size)
    seen = set()
    while free != _END_OF_FREE:
        if free in seen or free + 16 > size:
            raise Damaged(f"the free places of the heap at {address} form a circle")
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
    """Address and length of each object of a collection, by its index."""
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

    storage: Storage
    address: int
    offset_bytes: int
    length_bytes: int

    def __init__(self, storage: Storage, address: int) -> None:
        self.storage, self.address = storage, address
        head = storage.take(address, 146, b"FRHP\0")
        filters, largest, huge = struct.unpack_from("<7xHxI8xQ", head)
        width, start, most, bits, root, rows = struct.unpack_from("<HQQH2xQH", head, 110)
        if filters or huge != UNDEFINED:
            raise NotKnown("a heap is compressed, or holds very long names")
        if any(size < 1 or size & (size - 1) for size in (width, start, most)) or bits > 64 or most < start:
            raise Damaged(f"the heap at {address} has impossible block sizes")
        self.offset_bytes = (bits + 7) // 8
        self.length_bytes = min(bytes_for(most), bytes_for(largest))
        direct_rows = most.bit_length() - start.bit_length() + 2
        self.blocks: list[tuple[int, int, int]] = []  # offset in the heap, size, address
        pending = [] if root == UNDEFINED else [(root, 0, rows, start)]
        while pending:
            place, offset, rows, size = pending.pop()
            if not rows:
                self._take(place, size, b"FHDB\0", offset)
                self.blocks.append((offset, size, place))
                continue
            if rows > 64 + direct_rows:
                raise Damaged(f"the heap at {address} has {rows} rows")
            begin = 13 + self.offset_bytes
            block = self._take(place, begin + 8 * rows * width + 4, b"FHIB\0", offset)
            for number, child in enumerate(struct.unpack_from(f"<{rows * width}Q", block, begin)):
                row, size = number // width, start << max(0, number // width - 1)
                inner = max(1, size.bit_length() - (start * width).bit_length() + 1) if row >= direct_rows else 0
                if child != UNDEFINED:
                    pending.append((child, offset, inner, size))
                offset += size
        self.blocks.sort()

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
        first, size, place = self.blocks[number] if number >= 0 else (0, -1, 0)
        if offset + length > first + size:
            raise Damaged(f"a name is outside the heap at {self.address}")
        return self.storage.read(place + offset - first, length)

    def _take(self, place: int, length: int, signature: bytes, offset: int) -> bytes:
        """Claim and read a block, which names its heap and its offset in the heap."""
        block = self.storage.take(place, length, signature)
        found = int.from_bytes(block[13 : 13 + self.offset_bytes], "little")
        if (int.from_bytes(block[5:13], "little"), found) != (self.address, offset):
            raise Damaged(f"a block of the heap at {self.address} belongs to another place")
        return block
