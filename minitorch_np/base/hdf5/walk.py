"""check_structure: follow every address in an HDF5 file once."""

from __future__ import annotations

import os
import struct
from collections import Counter, deque
from collections.abc import Collection
from typing import BinaryIO

from minitorch_np.base.hdf5 import datasets, groups, headers
from minitorch_np.base.hdf5.groups import Link, Sizes
from minitorch_np.base.hdf5.headers import Message
from minitorch_np.base.hdf5.storage import SIGNATURE, UNDEFINED, Damaged, NotKnown, Storage
from minitorch_np.base.text import as_sentence

_MOST_OTHERS = 20_000  # objects that are checked although they will not be read
_TREE_SIZES, _SHARED_MESSAGES, _CACHE_IMAGE, _DRIVER = 0x13, 0x0F, 0x18, 0x14


def check_structure(file: BinaryIO, wanted: Collection[str] | None = None, most: float = float("inf")) -> None:
    """Raise unless HDF5 can follow the file: the addresses form a tree inside the file, and no two things share a byte.

    Takes about 1 s for 100,000 chunks or 20,000 objects. A file without the signature of HDF5 is not checked.

    Args:
        file: the file, open for reading.
        wanted: the paths of the datasets that will be read. They must be stored completely, and in a form that is known here;
            other things in an unknown form are skipped. None stands for everything.
        most: how many pieces the file may have, chunks not counted.

    Raises:
        Damaged: a circle, an address that leads elsewhere or out of the file, two things in the same place.
        NotKnown: a form that cannot be checked. Both are ValueErrors.
    """
    base = _signature(file)
    if base is None:
        return
    storage = Storage(file, base, most)
    try:
        _Walk(storage, wanted).run()
        storage.check_overlaps()
    except NotKnown as error:
        raise NotKnown(
            f"{error}: a form of HDF5 that is not read here. Write the file anew with h5py.File(path, 'w')"
        ) from None
    except Damaged as error:
        raise Damaged(f"its structure is damaged or forged: {error}") from None
    except (struct.error, IndexError, KeyError, OverflowError, MemoryError, ValueError) as error:
        raise Damaged(f"its structure is damaged or forged ({type(error).__name__})") from None


def check_data_file(path: str | os.PathLike[str], *wanted: str) -> None:
    """Check a data file by its path. These datasets will be read.

    Raises:
        ValueError: it names the path.
    """
    with open(path, "rb") as file:
        try:
            check_structure(file, wanted)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {as_sentence(error)} Fetch or write it again.") from None


def _signature(file: BinaryIO) -> int | None:
    """Where HDF5's part of the file begins: at 0, 512, 1024, 2048, …"""
    size, place = file.seek(0, 2), 0
    while place < size:
        file.seek(place)
        if file.read(8) == SIGNATURE:
            return place
        place = max(512, 2 * place)
    return None


class _Walk:
    def __init__(self, storage: Storage, wanted: Collection[str] | None) -> None:
        self.storage = storage
        self.wanted = None if wanted is None else {tuple(path.encode().strip(b"/").split(b"/")) for path in wanted}
        self.skipped = False  # something was not checked
        self.wants_path = False  # a wanted dataset is a link to a path

    def run(self) -> None:
        root, sizes = self._superblock()
        linked, counts, others = Counter([root.address]), {}, 0
        # What is wanted comes first, so that an object with two names is checked under the wanted one.
        pending: deque[tuple[tuple[bytes, ...], Link]] = deque([((), root)])
        while pending:
            path, link = pending.pop()
            is_wanted = self._is_wanted(path)
            others += not is_wanted
            if not is_wanted and others > _MOST_OTHERS:
                self.skipped = True
                continue
            if link.address == UNDEFINED:
                self.wants_path |= is_wanted
            if link.address in counts or link.address == UNDEFINED:
                continue
            found, counts[link.address] = headers.messages(self.storage, link.address)
            if link.table and groups.table(found) not in (None, link.table):  # None: rewritten in the newer form
                raise Damaged("a link gives another place for a group than the group itself")
            try:
                for inner in groups.links(self.storage, found, sizes):
                    linked[inner.address] += 1
                    below = (*path, inner.name)
                    (pending.append if self._is_wanted(below) else pending.appendleft)((below, inner))
                stored, due = datasets.claim(self.storage, found, sizes.chunks)
            except NotKnown:
                if is_wanted:
                    raise
                self.skipped = True
                continue
            if is_wanted and self.wanted is not None and stored < due:
                name = b"/".join(path).decode(errors="replace")
                raise Damaged(
                    f"of {name!r} {stored} of {due} parts are stored; the others were never written, or are lost"
                )
        if self.skipped and self.wants_path:
            raise NotKnown("a dataset is a link to another path, in a file with things that are not read here")
        for address, count in counts.items():
            if not self.skipped and linked[address] != count and address != root.address:
                raise Damaged(f"{linked[address]} names lead to the object at {address}, which counts {count}")

    def _is_wanted(self, path: tuple[bytes, ...]) -> bool:
        return self.wanted is None or any(one[: len(path)] == path for one in self.wanted)

    def _superblock(self) -> tuple[Link, Sizes]:
        """The root group, and the sizes of nodes."""
        version = self.storage.read(8, 1)[0]
        if version in (0, 1):
            more = 4 * version
            head = self.storage.take(0, 96 + more)
            widths, leaf, inner = struct.unpack_from("<13x2sxHH", head)
            (chunks,) = struct.unpack_from("<H", head, 24) if version else (32,)
            free, driver = struct.unpack_from("<8xQ8xQ", head, 24 + more)
            if free != UNDEFINED or driver != UNDEFINED:
                raise NotKnown("it has a list of free places, or is in several files")
            root, sizes = groups.link_at(head, 64 + more), Sizes(2 * leaf, 2 * inner, 2 * chunks)
        elif version in (2, 3):
            widths, extension, address = struct.unpack("<9x2sx8xQ8xQ4x", self.storage.take(0, 48))
            root, sizes = Link(b"", address), Sizes(8, 32, 64)
            if extension != UNDEFINED:
                sizes = _extended(headers.messages(self.storage, extension)[0], sizes)
        else:
            raise NotKnown(f"its superblock is of version {version}")
        if widths != b"\x08\x08":
            raise NotKnown("its addresses have other sizes than 8 bytes")
        return root, sizes


def _extended(found: list[Message], sizes: Sizes) -> Sizes:
    """The sizes of nodes by the extension of the superblock."""
    for message in found:
        if message.kind in (_SHARED_MESSAGES, _CACHE_IMAGE, _DRIVER):
            raise NotKnown("it has shared messages, a cache image or several files")
        if message.kind == _TREE_SIZES:
            chunks, inner, leaf = struct.unpack_from("<xHHH", message.own())
            sizes = Sizes(2 * leaf, 2 * inner, 2 * chunks)
    return sizes
