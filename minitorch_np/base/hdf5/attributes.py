"""Attributes that are strings, read without HDF5's library (IV.A.2.m).

The library (2.0) reserves the memory that a damaged length asks for, up to 4 GiB. Here nothing is read that is not stored.
"""

from __future__ import annotations

import math
import struct

from minitorch_np.base.hdf5 import datasets, headers
from minitorch_np.base.hdf5.heaps import texts
from minitorch_np.base.hdf5.storage import UNDEFINED, Damaged, NotKnown, Storage

_FIXED = 3  # the class of datatypes for strings of one length


def strings(storage: Storage, address: int, name: str, most: int) -> list[bytes] | None:
    """The string or strings of an attribute of the object at an address; None if the object has no such attribute.

    Args:
        most: how many bytes they may have in all.

    Raises:
        ValueError: the attribute does not hold strings, is damaged, or is too large.
    """
    for kind, _, message in headers.messages(storage, address)[0]:
        if kind == headers.ATTRIBUTES_ELSEWHERE:
            if struct.unpack_from("<Q", message, 2 + 2 * (message[1] & 1))[0] != UNDEFINED:
                raise NotKnown("attributes are written in a newer form of HDF5")
        elif kind == headers.ATTRIBUTE:
            found, datatype, dataspace, data = _parts(message)
            if found.rstrip(b"\0") == name.encode():
                return _values(storage, name, datatype, dataspace, data, most)
    return None


def _parts(message: bytes) -> list[bytes]:
    """The name, datatype, dataspace and data."""
    version, _, *sizes = struct.unpack_from("<BBHHH", message)
    if version not in (1, 3):
        raise NotKnown(f"an attribute is of version {version}")
    parts, place = [], 8 + (version == 3)
    for size in sizes:
        parts.append(message[place : place + size])
        place += size + (-size % 8 if version == 1 else 0)
    return [*parts, message[place:]]


def _values(storage: Storage, name: str, datatype: bytes, dataspace: bytes, data: bytes, most: int) -> list[bytes]:
    kind, (width,) = datatype[0] & 15, struct.unpack_from("<I", datatype, 4)
    count = math.prod(datasets.dimensions(dataspace)[0])
    if not count:
        return []
    if kind not in (_FIXED, datasets.VARIABLE) or count * width > len(data):
        raise Damaged(f"the attribute {name} does not hold strings, or is damaged")
    data = data[: count * width]
    if kind == datasets.VARIABLE:
        items = [storage.read(*piece) for piece in texts(storage, data, most)]
    else:
        items = [data[start : start + width] for start in range(0, len(data), width)]
    return [item.rstrip(b"\0") for item in items]
