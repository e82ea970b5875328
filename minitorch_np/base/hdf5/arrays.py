"""Arrays of the addresses of chunks: of a fixed length, and of one that grows (VII.C, VII.D)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage

if TYPE_CHECKING:
    from numpy.typing import NDArray


Run = tuple[int, list[bytes]]  # the number of the first element, and the elements


def addresses(elements: list[bytes], filtered: bool, nbytes: int) -> tuple[NDArray, NDArray]:
    """Addresses and sizes of chunks; of a compressed one an element is an address, a size and a mask of 4 bytes."""
    starts = np.array([int.from_bytes(element[:8], "little") for element in elements], np.uint64)
    if not filtered:
        return starts, np.full(len(starts), nbytes, np.uint64)
    return starts, np.array([int.from_bytes(element[8:-4], "little") for element in elements], np.uint64)


def placed(runs: list[Run], filtered: bool, nbytes: int, due: NDArray) -> tuple[NDArray, NDArray]:
    """Addresses and sizes of the chunks whose numbers are due, as they are in an array; nothing else may be in it."""
    numbers = np.concatenate(
        [np.arange(first, first + len(elements)) for first, elements in runs] or [np.empty(0, int)]
    )
    starts, sizes = addresses([element for _, elements in runs for element in elements], filtered, nbytes)
    there = starts != UNDEFINED
    if not np.isin(numbers[there], due).all():
        raise Damaged("a chunk lies outside its dataset")
    return starts[there], sizes[there]


def fixed(storage: Storage, address: int) -> list[Run]:
    """The elements of a fixed array."""
    width, bits, count, place = struct.unpack_from("<6xBBQQ", storage.take(address, 28, b"FAHD\0"))
    if not 8 <= width <= 32 or bits > 32:
        raise Damaged(f"the array at {address} is damaged")
    if place == UNDEFINED:
        return []
    page, head = 1 << bits, 14
    if count <= page:
        block = storage.take(place, head + count * width + 4, b"FADB\0")
        _check_owner(block, address)
        return [(0, _cut(block[head:-4], width))]
    pages = -(-count // page)
    if pages > storage.size:
        raise Damaged(f"the array at {address} is larger than the file")
    prefix = head + (pages + 7) // 8 + 4
    block = storage.take(place, prefix + count * width + 4 * pages, b"FADB\0")
    _check_owner(block, address)
    return _pages(block, prefix, block[head : prefix - 4], 0, page, count, width, 0)


def _pages(block: bytes, start: int, begun: bytes, first: int, page: int, count: int, width: int, at: int) -> list[Run]:
    """The elements of the pages that are in use, by the bits from the first on; `at` is the number of the first element."""
    found = []
    for number in range(-(-count // page)):
        length = min(page, count - number * page) * width
        bit = first + number
        if begun[bit // 8] & (0x80 >> bit % 8):
            found.append((at + number * page, _cut(block[start : start + length], width)))
        start += length + 4
    return found


def extensible(storage: Storage, address: int) -> list[Run]:
    """The elements of an extensible array, which are in its index, in blocks that this names, or in blocks below these."""
    head = storage.take(address, 72, b"EAHD\0")
    width, bits, in_index, least, pointers, page_bits = head[6:12]
    (place,) = struct.unpack_from("<Q", head, 60)
    powers = (least, pointers)
    if not 8 <= width <= 32 or bits > 64 or page_bits > 32 or any(not one or one & (one - 1) for one in powers):
        raise Damaged(f"the array at {address} is damaged")
    if place == UNDEFINED:
        return []
    levels = 1 + bits - (least.bit_length() - 1)
    in_blocks = 2 * (pointers.bit_length() - 1)  # so many levels have their blocks named in the index
    named, above = 2 * (pointers - 1), max(0, levels - in_blocks)
    index = storage.take(place, 14 + in_index * width + 8 * (named + above) + 4, b"EAIB\0")
    _check_owner(index, address)
    found = [(0, _cut(index[14 : 14 + in_index * width], width))]
    places = struct.unpack_from(f"<{named + above}Q", index, 14 + in_index * width)
    offset_bytes, page = (bits + 7) // 8, 1 << page_bits

    def block(place: int, count: int, begun: bytes, first: int, at: int) -> list[Run]:
        start = 14 + offset_bytes
        if count <= page:
            data = storage.take(place, start + count * width + 4, b"EADB\0")
            _check_owner(data, address)
            return [(at, _cut(data[start:-4], width))]
        if not begun:
            raise NotKnown("an array has pages in its first blocks")
        data = storage.take(place, start + 4 + count * width + 4 * (count // page), b"EADB\0")
        _check_owner(data, address)
        return _pages(data, start + 4, begun, first, page, count, width, at)

    number, at = 0, in_index
    for level in range(in_blocks):
        count = least << (level + 1) // 2
        for _ in range(1 << level // 2):
            if number < named and places[number] != UNDEFINED:
                found += block(places[number], count, b"", 0, at)
            number, at = number + 1, at + count
    for level, place in enumerate(places[named:], start=in_blocks):
        blocks, count = 1 << level // 2, least << (level + 1) // 2
        first, at = at, at + blocks * count
        if place == UNDEFINED:
            continue
        pages = count // page if count > page else 0
        bitmap = blocks * ((pages + 7) // 8)
        start = 14 + offset_bytes
        if max(blocks, bitmap) > storage.size:
            raise Damaged(f"the array at {address} is larger than the file")
        data = storage.take(place, start + bitmap + 8 * blocks + 4, b"EASB\0")
        _check_owner(data, address)
        for number, below in enumerate(struct.unpack_from(f"<{blocks}Q", data, start + bitmap)):
            if below != UNDEFINED:
                found += block(below, count, data[start : start + bitmap], number * pages, first + number * count)
    return found


def _check_owner(block: bytes, address: int) -> None:
    if int.from_bytes(block[6:14], "little") != address:
        raise Damaged(f"a block of the array at {address} is of another one")


def _cut(data: bytes, width: int) -> list[bytes]:
    return [data[start : start + width] for start in range(0, len(data), width)]
