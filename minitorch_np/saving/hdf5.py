"""HDF5, guarded: groups and numbers that lie in the very file, as large as what is stored of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from minitorch_np.base.hdf5 import check_structure
from minitorch_np.saving.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Path = str | os.PathLike[str]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MOST_PIECES = 60_000  # about three for each array; they are walked in less than 2 s
_DISTRUST = "Do not trust this file"


def is_hdf5(file: BinaryIO) -> bool:
    """Whether the file begins as HDF5 does, after a block of this package's own or without one."""
    file.seek(0)
    head = file.read(520)
    return SIGNATURE in (head[:8], head[512:])


def open_hdf5(file: BinaryIO) -> Any:
    """The file, opened by HDF5 after its structure was found to be sound."""
    import h5py

    check_structure(file, most=_MOST_PIECES)
    return h5py.File(file, "r")


def item(parent: Any, place: str, path: Path) -> Any:
    """The group or dataset at a place below a group, or None if there is none; no link leads there."""
    import h5py

    for part in place.split("/"):
        if not isinstance(parent, h5py.Group) or part not in parent:
            return None
        if not isinstance(parent.get(part, getlink=True), h5py.HardLink):
            raise ModelFileError(path, f"{place} is a link to elsewhere", _DISTRUST)
        parent = parent[part]
    return parent


def dataset(parent: Any, place: str, path: Path) -> Any:
    """The dataset at a place, or None if there is none.

    It lies in the file in one piece: neither in another file nor in others of this one, not compressed, no object that would
    have to be unpickled, and no larger than what is stored.
    """
    import h5py

    found = item(parent, place, path)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.external or found.is_virtual or found.dtype.hasobject:
        raise ModelFileError(path, f"{place} is not stored in the file itself", _DISTRUST)
    if found.chunks is not None:
        raise ModelFileError(path, f"{place} is stored in chunks or compressed", "Save it as Keras does, in one piece")
    if found.shape is None or found.nbytes > min(found.id.get_storage_size(), parent.file.id.get_filesize()):
        raise ModelFileError(path, f"{place} declares more than is stored", _DISTRUST)
    return found


def numbers(
    parent: Any, place: str, who: str, like: NDArray, path: Path, *, allow_nan: bool = False, any_shape: bool = False
) -> NDArray | None:
    """The values at a place in the dtype of an array, and of its shape; None if there are none.

    Raises:
        ModelFileError: they are of another shape, no floating-point numbers, or not finite; it says of whom.
    """
    found = dataset(parent, place, path)
    if found is None:
        return None
    kinds = "f" if like.shape else "fiu"  # Keras counts in whole numbers
    if (found.shape != like.shape and not any_shape) or found.dtype.kind not in kinds:
        got = f"{found.shape} of {found.dtype}"
        what = f"{who} has shape {like.shape} here, {got} in the file"
        raise ModelFileError(path, what, "The file is of another model")
    with np.errstate(over="ignore", invalid="ignore"):
        values = found[()].astype(like.dtype, copy=False)
    if not allow_nan and not np.isfinite(values).all():
        raise ModelFileError(path, f"{who} holds values that are not finite", "Train or save the model again")
    return values


def datasets(parent: Any, place: str, path: Path, most: int) -> Iterator[str]:
    """The places of all datasets at or below a place, links not followed; in most groups at most."""
    import h5py

    pending = [(place, item(parent, place, path))]
    seen = set()
    while pending:
        place, found = pending.pop()
        if isinstance(found, h5py.Dataset):
            yield place
        if not isinstance(found, h5py.Group) or found.id in seen:
            continue
        seen.add(found.id)
        if len(seen) + len(found) > most:
            raise ModelFileError(path, f"{place} holds more than a model has", _DISTRUST)
        hard = [name for name in found if isinstance(found.get(name, getlink=True), h5py.HardLink)]
        pending += [(f"{place}/{name}", found[name]) for name in hard]
