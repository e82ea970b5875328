"""Arrays and strings of HDF5 files, read without trust: they are in the file itself, and as large as what is stored of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from minitorch_np.base.hdf5 import SIGNATURE, Storage, check_structure, strings
from minitorch_np.base.shapes import NDArray
from minitorch_np.saving.archive import LARGEST_DESCRIPTION
from minitorch_np.saving.errors import DISTRUST, OTHER_MODEL, FileProblem

_MOST_PIECES = 60_000  # about three for each array; the check of so many takes less than 2 s


def is_hdf5(file: BinaryIO) -> bool:
    """Whether the file begins as HDF5 does, or as HDF5 after this package's own block."""
    file.seek(0)
    head = file.read(520)
    return SIGNATURE in (head[:8], head[512:])


@contextmanager
def reading(file: BinaryIO, *, allow_nan: bool = False) -> Iterator[Reader]:
    """Open the file with HDF5's library once its structure has been checked."""
    import h5py

    check_structure(file, most=_MOST_PIECES)
    with h5py.File(file, "r") as root:
        yield Reader(root, file, allow_nan)


class Reader:
    """Reads from an HDF5 file.

    Args:
        root: the file as HDF5's library opened it. file: its bytes.
        allow_nan: accept numbers that are not finite.
    """

    root: Any
    storage: Storage
    allow_nan: bool

    def __init__(self, root: Any, file: BinaryIO, allow_nan: bool) -> None:
        self.root, self.storage, self.allow_nan = root, Storage(file), allow_nan

    def item(self, place: str) -> Any:
        """The group or dataset at a place, or None if there is none. Links are refused."""
        import h5py

        found = self.root
        for part in place.split("/"):
            if not isinstance(found, h5py.Group) or part not in found:
                return None
            if not isinstance(found.get(part, getlink=True), h5py.HardLink):
                raise FileProblem(f"{place} is a link to elsewhere", DISTRUST)
            found = found[part]
        return found

    def names(self, place: str) -> list[str]:
        """What is in the group at a place; nothing if there is no group."""
        import h5py

        found = self.item(place)
        return list(found) if isinstance(found, h5py.Group) else []

    def dataset(self, place: str) -> Any:
        """The dataset at a place, or None if there is none.

        It is stored in this file in one piece, uncompressed, and it is not larger than what is stored. It has no Python
        objects, which would be unpickled.
        """
        import h5py

        found = self.item(place)
        if not isinstance(found, h5py.Dataset):
            return None
        if found.external or found.is_virtual or found.dtype.hasobject:
            raise FileProblem(f"{place} is not stored in the file itself", DISTRUST)
        if found.chunks is not None:
            raise FileProblem(f"{place} is stored in chunks or compressed", "Save it as Keras does, in one piece")
        if found.shape is None or found.nbytes > min(found.id.get_storage_size(), self.root.id.get_filesize()):
            raise FileProblem(f"{place} declares more than is stored", DISTRUST)
        return found

    def numbers(self, place: str, who: str, like: NDArray, *, any_shape: bool = False) -> NDArray:
        """The values at a place in the dtype and of the shape of `like`.

        Raises:
            FileProblem: they are missing, have another shape, or are not finite floating-point numbers; it names `who`.
        """
        found = self.dataset(place)
        if found is None:
            raise FileProblem(f"{who} is missing (expected at {place})", OTHER_MODEL)
        kinds = "f" if like.shape else "fiu"  # Keras counts in whole numbers
        if (found.shape != like.shape and not any_shape) or found.dtype.kind not in kinds:
            what = f"{who} has shape {like.shape} here, {found.shape} of {found.dtype} in the file"
            raise FileProblem(what, OTHER_MODEL)
        with np.errstate(over="ignore", invalid="ignore"):
            values = found[()].astype(like.dtype, copy=False)
        if not self.allow_nan and not np.isfinite(values).all():
            raise FileProblem(f"{who} holds values that are not finite", "Train or save the model again")
        return values

    def datasets(self, place: str, most: int) -> Iterator[str]:
        """The places of all datasets at or below a place, in at most so many groups. Links are not followed."""
        import h5py

        pending = [(place, self.item(place))]
        seen = set()
        while pending:
            place, found = pending.pop()
            if isinstance(found, h5py.Dataset):
                yield place
            if not isinstance(found, h5py.Group) or found.id in seen:
                continue
            seen.add(found.id)
            if len(seen) + len(found) > most:
                raise FileProblem(f"{place} holds more than a model has", DISTRUST)
            hard = [name for name in found if isinstance(found.get(name, getlink=True), h5py.HardLink)]
            pending += [(f"{place}/{name}", found[name]) for name in hard]

    def strings(self, group: Any, name: str) -> list[bytes] | None:
        """The string or strings of a group's attribute; None if there is no such attribute."""
        import h5py

        self.storage.claimed.clear()  # the same header may be read for another name
        return strings(self.storage, h5py.h5o.get_info(group.id).addr, name, LARGEST_DESCRIPTION)
