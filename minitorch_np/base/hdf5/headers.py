"""Object headers: the messages that describe a group or a dataset (IV.A.1)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from minitorch_np.base.hdf5.storage import Damaged, NotKnown, Storage

DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08
FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTES_ELSEWHERE, REFERENCES = 0x0B, 0x0C, 0x10, 0x11, 0x15, 0x16
_SHARED = 2  # flag of a message whose data are elsewhere
_MOST_BYTES = 1 << 24


class Message(NamedTuple):
    """One message of a header."""

    kind: int
    flags: int
    data: bytes

    def own(self) -> bytes:
        """The data, which must not be elsewhere."""
        if self.flags & _SHARED:
            raise NotKnown("a header shares its description with others")
        return self.data


def messages(storage: Storage, address: int) -> tuple[list[Message], int]:
    """All messages of the object at an address, and how many links lead to the object."""
    new = storage.read(address, 4) == b"OHDR"
    if new:
        version, flags = storage.numbers("<4xBB", address)
        start, width = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0), 1 << (flags & 3)
        size = int.from_bytes(storage.read(address + start, width), "little")
        start, end, links = start + width, 4, 1  # the checksum is at the end
    else:
        version, links, size = storage.numbers("<B3xII4x", address)
        start, end, flags = 16, 0, 0
    if version != 1 + new:
        raise Damaged(f"there is no object header of a known version at {address}")
    blocks = [_block(storage, address, start + size + end)[start : start + size]]
    found: list[Message] = []
    while blocks:
        for message in _messages(blocks.pop(0), new, bool(flags & 4)):
            if message.kind == CONTINUATION:
                place, length = struct.unpack_from("<QQ", message.data)
                block = _block(storage, place, length, b"OCHK" if new else b"")
                blocks.append(block[4:-4] if new else block)
            else:
                found.append(message)
            if message.kind == REFERENCES:
                (links,) = struct.unpack_from("<xI", message.data)
    return found, links


def _block(storage: Storage, address: int, length: int, signature: bytes = b"") -> bytes:
    if length > _MOST_BYTES:
        raise Damaged(f"a header has {length} bytes")
    return storage.take(address, length, signature)


def _messages(block: bytes, new: bool, tracked: bool) -> Iterator[Message]:
    place, head = 0, 4 + 2 * tracked if new else 8
    while place + head <= len(block):
        kind, size, flags = struct.unpack_from("<BHB" if new else "<HHB", block, place)
        place += head
        if place + size > len(block):
            raise Damaged("a message is longer than its header")
        yield Message(kind, flags, block[place : place + size])
        place += size
