"""The bytes of an HDF5 file: read inside its bounds, and each claimed by one thing alone."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNDEFINED = (1 << 64) - 1  # the address of what is not there
SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Damaged(ValueError):
    """The structure of an HDF5 file is damaged or forged."""


class NotKnown(ValueError):
    """A form of HDF5 that is not read here."""


class Storage:
    """An HDF5 file that is open for reading.

    Args:
        file: the file.
        base: where HDF5's part begins in it; addresses count from there.
        most: how many pieces may be claimed one by one, before the file is refused.
    """

    def __init__(self, file: BinaryIO, base: int = 0, most: float = float("inf")) -> None:
        self.file, self.base, self.most = file, base, most
        self.size = file.seek(0, 2) - base
        self.claimed: dict[int, int] = {}  # start -> end
        self.chunks: list[tuple[NDArray, NDArray]] = []  # many starts and ends at a time

    def read(self, address: int, length: int) -> bytes:
        """So many bytes from an address on."""
        if length < 0 or address + length > self.size:
            raise Damaged(f"an address, {address}, leads out of the file")
        self.file.seek(self.base + address)
        found = self.file.read(length)
        if len(found) != length:
            raise Damaged("the file ends early")
        return found

    def numbers(self, form: str, address: int) -> tuple[Any, ...]:
        return struct.unpack(form, self.read(address, struct.calcsize(form)))

    def claim(self, address: int, length: int) -> None:
        """Say that a piece belongs to one thing; a second one that begins there is a circle, or stored in the same place."""
        if address in self.claimed:
            raise Damaged(f"two things lead to the same place, {address}, or a circle leads back to it")
        if address + length > self.size:
            raise Damaged(f"an address, {address}, leads out of the file")
        if len(self.claimed) >= self.most:
            raise Damaged(f"it has more than {self.most} pieces")
        self.claimed[address] = address + length

    def take(self, address: int, length: int, signature: bytes = b"") -> bytes:
        """Claim a piece and read it.

        Raises:
            Damaged: it does not begin with the signature.
        """
        self.claim(address, length)
        found = self.read(address, length)
        if not found.startswith(signature):
            raise Damaged(f"there is no {signature.decode()} at {address}")
        return found

    def claim_all(self, starts: NDArray, sizes: NDArray) -> None:
        """Claim many pieces, chunks of a dataset, at once; undefined addresses are none."""
        there = (starts != UNDEFINED) & (sizes > 0)
        starts, sizes = starts[there].astype(np.uint64), sizes[there].astype(np.uint64)
        if len(starts) and (int(starts.max()) > self.size or int(sizes.max()) > self.size):
            raise Damaged("a chunk leads out of the file")
        ends = starts + sizes
        if len(ends) and int(ends.max()) > self.size:
            raise Damaged("a chunk leads out of the file")
        self.chunks.append((starts, ends))

    def check_overlaps(self) -> None:
        """Refuse the file if any two claimed pieces share a byte."""
        pieces = [(start, end) for start, end in self.claimed.items() if end > start]
        one_by_one = np.array(pieces, np.uint64).reshape(-1, 2)
        starts = np.concatenate([one_by_one[:, 0], *(starts for starts, _ in self.chunks)])
        ends = np.concatenate([one_by_one[:, 1], *(ends for _, ends in self.chunks)])
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
        shared = np.flatnonzero(ends[:-1] > starts[1:])
        if len(shared):
            raise Damaged(f"two things lie in the same place, at {starts[shared[0] + 1]}")
