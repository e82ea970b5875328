"""The strings that are attributes of an HDF5 group, read without HDF5.

HDF5's own reader (2.0) reserves what a damaged length says, up to 4 GiB. Here nothing is read that is not stored.

Source: HDF5 File Format Specification 3.0, sections IV.A.2.m (attributes) and III.E (global heap). Numbers are little-endian.
"""

from __future__ import annotations

import math
import struct
from typing import Any, BinaryIO

from minitorch_np.base.hdf5 import headers
from minitorch_np.base.hdf5.heaps import global_heap
from minitorch_np.base.hdf5.storage import UNDEFINED, Storage

_FIXED, _VARIABLE = 3, 9  # classes of datatypes: a string of known length, a reference into a heap


class Attributes:
    """The attributes of groups in one file.

    Args:
        file: whose HDF5 begins at its first byte, and whose structure was checked.
        longest: a list of strings may have so many bytes in all.
    """

    def __init__(self, file: BinaryIO, longest: int) -> None:
        self.file, self.longest = file, longest
        self.heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def strings(self, group: Any, name: str) -> list[bytes] | None:
        """An attribute's string or strings; None if there is no attribute of that name.

        Raises:
            ValueError: it is no string, or damaged, or too large.
        """
        import h5py

        for kind, _, message in headers.messages(Storage(self.file), h5py.h5o.get_info(group.id).addr)[0]:
            if (
                kind == headers.ATTRIBUTES_ELSEWHERE
                and struct.unpack_from("<Q", message, 2 + 2 * (message[1] & 1))[0] != UNDEFINED
            ):
                raise ValueError("attributes are written in a newer form of HDF5")
            if kind != headers.ATTRIBUTE:
                continue
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
            self.heaps[address] = global_heap(Storage(self.file), address)
        place, stored = self.heaps[address].get(index, (0, -1))
        if length > stored:
            raise ValueError("a string is damaged")
        return Storage(self.file).read(place, length)
