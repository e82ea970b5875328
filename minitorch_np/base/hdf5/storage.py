"""The bytes of an HDF5 file. Nothing is read outside the file, and each byte belongs to one thing."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np

from minitorch_np.base.shapes import NDArray

UNDEFINED = (1 << 64) - 1  # the address of what does not exist
SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Damaged(ValueError):
    """The structure of an HDF5 file is damaged or forged."""


class NotKnown(ValueError):
    """The file uses a form of HDF5 that is not read here."""


class Storage:
    """An HDF5 file that is open for reading.

    Args:
        file: the file.
        base: where HDF5's part begins in it; addresses count from there.
        most: how many pieces may be claimed one by one before the file is refused.
    """

    file: BinaryIO
    base: int
    most: float

    def __init__(self, file: BinaryIO, base: int = 0, most: float = float("inf")) -> None:
        self.file, self.base, self.most = file, base, most
        self.size: int = file.seek(0, 2) - base
        self.claimed: dict[int, int] = {}  # start -> end
        self.chunks: list[tuple[NDArray, NDArray]] = []  # starts and ends of the chunks of each dataset
        self.heaps: dict[
            int, dict[int, tuple[int, int]]
        ] = {}  # global heaps by address, as `heaps.global_heap` reads them

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
        """Note that a piece belongs to one thing. A second claim of the same address is a circle, or data in the same place."""
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

    def claim_chunks(self, starts: NDArray, sizes: NDArray) -> None:
        """Claim all chunks of a dataset at once."""
        starts, sizes = starts[sizes > 0], sizes[sizes > 0]
        ends = starts + sizes
        if len(ends) and max(int(starts.max()), int(sizes.max()), int(ends.max())) > self.size:
            raise Damaged("a chunk leads out of the file")
        self.chunks.append((starts, ends))

    def check_overlaps(self) -> None:
        """Refuse the file if two claimed pieces share a byte."""
        pieces = [(start, end) for start, end in self.claimed.items() if end > start]
        one_by_one = np.array(pieces, np.uint64).reshape(-1, 2)
        starts = np.concatenate([one_by_one[:, 0], *(starts for starts, _ in self.chunks)])
        ends = np.concatenate([one_by_one[:, 1], *(ends for _, ends in self.chunks)])
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
        shared = np.flatnonzero(ends[:-1] > starts[1:])
        if len(shared):
            raise Damaged(f"two things are in the same place, at {starts[shared[0] + 1]}")


def bytes_for(largest: int) -> int:
    """In how many bytes HDF5 keeps numbers up to `largest`."""
    return (max(largest, 1).bit_length() - 1) // 8 + 1
