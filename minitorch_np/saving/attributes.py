"""The strings that are attributes of an HDF5 group, read without HDF5.

HDF5's own reader (2.0) reserves what a damaged length says, up to 4 GiB, and goes round for ever in a damaged heap. Here
every step goes forward inside the file, and their number is bounded.

Source: HDF5 File Format Specification 3.0, sections IV.A.1.a (object header), IV.A.2 (messages) and III.E (global heap), in
the versions that HDF5 writes unless told otherwise, as Keras does. Numbers are little-endian; addresses and lengths have 8 bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10  # kinds of messages
_FIXED, _VARIABLE = 3, 9  # classes of datatypes: a string of known length, a reference into a heap
_MOST_STEPS = 100_000
_MOST_BYTES = 1 << 20


class Attributes:
    """The attributes of groups in one file.

    Args:
        file: whose HDF5 begins at its first byte.
        longest: a list of strings may have so many bytes in all.
    """

    def __init__(self, file: BinaryIO, longest: int) -> None:
        self.file, self.longest = file, longest
        self.steps = 0
        self.heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def strings(self, group: Any, name: str) -> list[bytes] | None:
        """An attribute's string or strings; None if there is no attribute of that name.

        Raises:
            ValueError: it is no string, or damaged, or too large.
        """
        import h5py

        for message in self._messages(h5py.h5o.get_info(group.id).addr):
            version, _, *sizes = struct.unpack_from("<BBHHH", message)
            if version not in (1, 3):
                raise ValueError(f"an attribute is of version {version}")
            parts, place = [], 8 + (version == 3)
            for size in sizes:
                parts.append(message[place : place + size])
                place += size + (-size % 8 if version == 1 else 0)
            found, datatype, dataspace = parts
            if found.rstrip(b"\0") == name.encode():
                return self._values(name, datatype, dataspace, message[place:])
        return None

    def _messages(self, address: int) -> Iterator[bytes]:
        """The attribute messages in the object header at an address, which may go on elsewhere."""
        version, size = self._numbers("<B7xI4x", address)
        if version != 1:
            raise ValueError("a group is written in a newer form of HDF5")
        blocks = [(address + 16, size)]
        while blocks:
            place, length = blocks.pop(0)
            end = place + min(length, _MOST_BYTES)
            while place + 8 <= end:
                kind, size = self._numbers("<HH4x", place)
                if kind == _CONTINUATION:
                    blocks.append(self._numbers("<QQ", place + 8))
                elif kind == _ATTRIBUTE:
                    yield self._bytes(place + 8, size)
                place += 8 + size

    def _values(self, name: str, datatype: bytes, dataspace: bytes, data: bytes) -> list[bytes]:
        kind, width = datatype[0] & 15, struct.unpack_from("<I", datatype, 4)[0]
        version, rank = dataspace[:2]
        count = math.prod(struct.unpack_from(f"<{rank}Q", dataspace, 8 if version == 1 else 4))
        if not count:
            return []
        if kind not in (_FIXED, _VARIABLE) or count * width > len(data):
            raise ValueError(f"{name} is damaged, or holds no names")
        items = [data[start : start + width] for start in range(0, count * width, width)]
        if kind == _VARIABLE:
            references = [struct.unpack("<IQI", item) for item in items]
            if sum(length for length, _, _ in references) > self.longest:
                raise ValueError(f"{name} is longer than any description")
            items = [self._from_heap(*reference) for reference in references]
        return [item.rstrip(b"\0") for item in items]

    def _from_heap(self, length: int, address: int, index: int) -> bytes:
        if address not in self.heaps:
            self.heaps[address] = dict(self._heap(address))
        place, stored = self.heaps[address].get(index, (0, -1))
        if length > stored:
            raise ValueError("a string is damaged")
        return self._bytes(place, length)

    def _heap(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """The objects of the heap at an address: index, place and length of each."""
        signature, size = self._numbers("<8sQ", address)
        if signature != b"GCOL\1\0\0\0":
            raise ValueError("its strings are damaged")
        place, end = address + 16, address + size
        while place + 16 <= end:
            index, length = self._numbers("<H6xQ", place)
            if index == 0:  # the rest is free
                return
            yield index, (place + 16, length)
            place += 16 + length + -length % 8

    def _numbers(self, form: str, place: int) -> Any:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise ValueError("its strings are damaged, or there are more than a model has")
        return struct.unpack(form, self._bytes(place, struct.calcsize(form)))

    def _bytes(self, place: int, length: int) -> bytes:
        self.file.seek(place)
        return self.file.read(length)
