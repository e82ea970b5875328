"""Arrays of chunk addresses: fixed arrays (VII.C) and extensible arrays (VII.D)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage
from minitorch_np.base.shapes import NDArray

_HEAD = 14  # bytes before the elements of a block


class Run(NamedTuple):
    """Elements one after the other: the number of the first, and the elements as rows of bytes."""

    first: int
    rows: NDArray


def fixed(storage: Storage, address: int) -> list[Run]:
    """The elements of a fixed array."""
    width, page_bits, count, place = struct.unpack_from("<6xBBQQ", storage.take(address, 28, b"FAHD\0"))
    array = _Array(storage, address, width, page_bits)
    return [] if place == UNDEFINED else array.elements(b"FADB\0", place, _HEAD, count, 0)


def extensible(storage: Storage, address: int) -> list[Run]:
    """The elements of an extensible array: in its index block, in the data blocks that this names, or in those of super blocks."""
    head = storage.take(address, 72, b"EAHD\0")
    width, bits, in_index, least, pointers, page_bits = head[6:12]
    (place,) = struct.unpack_from("<Q", head, 60)
    array = _Array(storage, address, width, page_bits)
    if bits > 64 or any(not one or one & (one - 1) for one in (least, pointers)):
        raise Damaged(f"the array at {address} is damaged")
    if place == UNDEFINED:
        return []
    direct = 2 * (pointers.bit_length() - 1)  # the index block names the data blocks of so many levels
    named, above = 2 * (pointers - 1), max(0, 2 + bits - least.bit_length() - direct)
    end = _HEAD + in_index * width
    index = array.take(place, end + 8 * (named + above) + 4, b"EAIB\0")
    places: Sequence[int] = struct.unpack_from(f"<{named + above}Q", index, end)
    found = [Run(0, array.rows(index[_HEAD:end]))]
    start, at = _HEAD + (bits + 7) // 8, in_index
    for level in range(direct + above):
        blocks, count = 1 << level // 2, least << (level + 1) // 2  # data blocks in this level, elements in each
        pages, begun = 0, None
        if level < direct:
            below, places = places[:blocks], places[blocks:]
        elif places[level - direct] == UNDEFINED:
            below = ()
        else:
            pages = count // array.page if count > array.page else 0
            bitmap = blocks * ((pages + 7) // 8)
            data = array.take(places[level - direct], start + bitmap + 8 * blocks + 4, b"EASB\0")
            begun, below = data[start : start + bitmap], struct.unpack_from(f"<{blocks}Q", data, start + bitmap)
        for number, block in enumerate(below):
            if block != UNDEFINED:
                if begun is None and count > array.page:
                    raise NotKnown("an array has pages in its first blocks")
                found += array.elements(b"EADB\0", block, start, count, at + number * count, begun, number * pages)
        at += blocks * count
    return found


class _Array:
    def __init__(self, storage: Storage, address: int, width: int, page_bits: int) -> None:
        if not 8 <= width <= 32 or page_bits > 32:
            raise Damaged(f"the array at {address} is damaged")
        self.storage, self.address, self.width, self.page = storage, address, width, 1 << page_bits

    def take(self, place: int, length: int, signature: bytes) -> bytes:
        """Claim and read a block, which names the array that it belongs to."""
        block = self.storage.take(place, length, signature)
        if int.from_bytes(block[6:14], "little") != self.address:
            raise Damaged(f"a block of the array at {self.address} belongs to another array")
        return block

    def rows(self, data: bytes) -> NDArray:
        return np.frombuffer(data, np.uint8).reshape(-1, self.width)

    def elements(
        self, signature: bytes, place: int, start: int, count: int, first: int, begun: bytes | None = None, bit: int = 0
    ) -> list[Run]:
        """The elements of a data block, of which a large one is split into pages.

        Args:
            start: bytes before the elements or the pages. first: the number of the first element.
            begun: has a bit for each page that was written, from `bit` on; None if it is in the block itself.
        """
        pages = -(-count // self.page)
        if pages <= 1:
            return [Run(first, self.rows(self.take(place, start + count * self.width + 4, signature)[start:-4]))]
        bitmap = (pages + 7) // 8 if begun is None else 0
        block = self.take(place, start + bitmap + 4 + count * self.width + 4 * pages, signature)
        begun = block[start : start + bitmap] if begun is None else begun
        found, at = [], start + bitmap + 4
        for number in range(pages):
            length = min(self.page, count - number * self.page) * self.width
            if begun[(bit + number) // 8] & (0x80 >> (bit + number) % 8):
                found.append(Run(first + number * self.page, self.rows(block[at : at + length])))
            at += length + 4
        return found
