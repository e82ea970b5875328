"""Object headers: the messages that describe a group or a dataset (IV.A.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from minitorch_np.base.hdf5.storage import Damaged, NotKnown, Storage

DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTES_ELSEWHERE, REFERENCES = 0x0B, 0x0C, 0x10, 0x11, 0x15, 0x16
_SHARED = 2  # flag of a message that lies elsewhere
_MOST_BYTES = 1 << 24


class Message(NamedTuple):
    """One message of a header."""

    kind: int
    flags: int
    data: bytes

    def own(self) -> bytes:
        """The data, unless they lie elsewhere."""
        if self.flags & _SHARED:
            raise NotKnown("a header shares its description with others")
        return self.data


def messages(storage: Storage, address: int) -> tuple[list[Message], int]:
    """All messages of the object at an address, and how many links lead to it."""
    new = storage.read(address, 4) == b"OHDR"
    found: list[Message] = []
    blocks = [_first_new(storage, address) if new else _first(storage, address)]
    tracked = new and storage.read(address + 5, 1)[0] & 4
    while blocks:
        block = blocks.pop(0)
        for message in _messages(block, bool(new), bool(tracked)):
            if message.kind == CONTINUATION:
                place, length = struct.unpack_from("<QQ", message.data)
                _check_length(length)
                block = storage.take(place, length, b"OCHK" if new else b"")
                blocks.append(block[4:-4] if new else block)
            else:
                found.append(message)
    if not new:
        (links,) = storage.numbers("<4xI", address)
    else:
        counts = [struct.unpack_from("<xI", message.data)[0] for message in found if message.kind == REFERENCES]
        links = counts[0] if counts else 1
    return found, links


def _first(storage: Storage, address: int) -> bytes:
    version, size = storage.numbers("<B7xI4x", address)
    if version != 1:
        raise Damaged(f"there is no object at {address}")
    _check_length(size)
    return storage.take(address, 16 + size)[16:]


def _first_new(storage: Storage, address: int) -> bytes:
    version, flags = storage.numbers("<4xBB", address)
    if version != 2:
        raise NotKnown(f"an object header is of version {version}")
    place = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    size = int.from_bytes(storage.read(address + place, width), "little")
    _check_length(size)
    start = place + width
    return storage.take(address, start + size + 4)[start:-4]


def _check_length(length: int) -> None:
    if length > _MOST_BYTES:
        raise Damaged(f"a header has {length} bytes")


def _messages(block: bytes, new: bool, tracked: bool) -> Iterator[Message]:
    place, head = 0, 4 + 2 * tracked if new else 8
    while place + head <= len(block):
        kind, size, flags = struct.unpack_from("<BHB" if new else "<HHB", block, place)
        place += head
        if place + size > len(block):
            raise Damaged("a message is longer than its header")
        yield Message(kind, flags, block[place : place + size])
        place += size
