"""Datasets in an HDF5 file: find one by name, check that it is complete, read its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.base.hdf5 import check_data_file
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.text import printable

_MOST_OF_ONE_BYTE, _SMALL = 1032, 1_000_000


@contextmanager
def opened(path: Path, *wanted: str, locking: bool | None = None, cache: int | None = None) -> Iterator[Any]:
    """The file, open for reading, once the structure around the `wanted` datasets has been checked.

    `cache` is the size in bytes of HDF5's cache for chunks.

    Any fault of the file, also while it is read, raises a ValueError that names the path.
    """
    import h5py

    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file. Give the path of an HDF5 file.")
    try:
        if wanted:
            check_data_file(path, *wanted)
        with h5py.File(path, "r", locking=locking, rdcc_nbytes=cache) as file:
            yield file
    except (OSError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: not a readable HDF5 file ({error}). Download or write it again.") from None


def find(file: Any, name: str, path: Path) -> Any:
    """The dataset with this name; links are followed.

    Raises:
        ValueError: there is none, its link has no target, or it has no rows.
    """
    import h5py

    link = _link(file, name)
    if link is not None and len(link) == 2 and (target := _existing(link[1], path)) is not None:
        check_data_file(target, link[0])
    try:
        found = file[name]
    except (KeyError, OSError, RuntimeError) as error:
        if link is None:
            raise ValueError(
                f"{path}: there is no dataset {name!r}; keys present: {printable(', '.join(file)) or 'none'}."
            ) from None
        raise ValueError(
            f"{path}: {name} is a link to {printable(' in '.join(link))}, which cannot be opened ({error.args[0]}). Put that file in its "
            "place, or copy the data into one file."
        ) from None
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{path}: expected a dataset as {name}, got a {type(found).__name__.lower()}.")
    if not found.shape:
        content = "nothing" if found.shape is None else "a single value"
        raise ValueError(f"{path}: expected one row per example in {name}, which has {content}.")
    if found.chunks:
        _check_compressed(found, name, path)
    return found


def _check_compressed(dataset: Any, name: str, path: Path) -> None:
    """Refuse a small file that would fill the memory: gzip turns one byte into at most 1032, and two gzip filters into a million."""
    from h5py import h5z

    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    stored = dataset.id.get_storage_size()
    if filters.count(h5z.FILTER_DEFLATE) > 1 or dataset.nbytes > _MOST_OF_ONE_BYTE * stored + _SMALL:
        raise ValueError(
            f"{path}: {name} would grow from {stored} stored bytes to {dataset.nbytes}, with the filters {filters}. "
            "Write it again with compression='gzip', or without."
        )


def check_complete(dataset: Any, path: Path) -> None:
    """Raise ValueError unless all values are there: HDF5 reads 0 where another file is missing, too short or not mapped."""
    lacks = None
    if dataset.is_virtual:
        lacks = _lacking_sources(dataset, path)
    elif dataset.external:
        lacks = _lacking_bytes(dataset, path)
    if lacks:
        raise ValueError(
            f"{path}: {dataset.name.strip('/')} is not complete: {printable(lacks)}. Put all its files in their places."
        )


def class_names(file: Any, path: Path) -> list[str] | None:
    """The names in `list_classes`, or None if the file has none."""
    if "list_classes" not in list(file):
        return None
    names = find(file, "list_classes", path)[()]
    if names.ndim != 1:
        raise ValueError(f"{path}: expected one name per class in list_classes, got shape {names.shape}.")
    return [text(name) for name in names]


def text(name: Any) -> str:
    """The name of a class, stored as bytes or as a string; bytes that are not UTF-8 become U+FFFD."""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


class Rows:
    """Reads rows of a dataset. If the values are stored plainly, they are read without HDF5, which takes ten times as long."""

    dataset: Any
    path: Path
    file: int | None
    state: Any
    offset: int | None
    row_bytes: int

    def __init__(self, dataset: Any, path: Path) -> None:
        self.dataset, self.path = dataset, path
        self.file = _handle(dataset.file)  # HDF5's own descriptor: the path may name another file by now
        self.state = self._now()
        self.offset = None if self.file is None else _offset(dataset)
        self.row_bytes = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:]))

    def read(self, rows: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """The rows, their values in the order of the file, and the position of each row among these values."""
        values = np.empty((len(rows), *self.dataset.shape[1:]), self.dataset.dtype)
        order = np.argsort(rows, kind="stable")
        places = np.empty(len(rows), np.intp)
        places[order] = np.arange(len(rows))
        in_file = rows[order]
        ends = [*(np.flatnonzero(np.diff(in_file) != 1) + 1).tolist(), len(rows)]
        read = self._through_hdf5 if self.offset is None else self._straight
        for first, end in zip([0, *ends], ends, strict=False):
            read(int(in_file[first]), values[first:end])
        self.check(self.state)
        return rows, values, places

    def check(self, state: Any) -> None:
        """Raise ValueError if the file was written to or replaced since it was in this state."""
        if self._now() != state:
            raise ValueError(
                f"{self.path}: the file was changed since it was opened, so its rows and targets may not belong together. Create the "
                "HDF5Dataset again when the file is complete."
            )

    def _now(self) -> Any:
        if self.file is None:
            return None
        now = os.fstat(self.file)
        return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns

    def _through_hdf5(self, start: int, into: NDArray) -> None:
        self.dataset.read_direct(into, np.s_[start : start + len(into)])

    def _straight(self, start: int, into: NDArray) -> None:
        due, done, file = into.reshape(-1).view(np.uint8), 0, self.file or 0
        offset = (self.offset or 0) + start * self.row_bytes
        while done < len(due):
            got = os.preadv(file, [due[done:].data], offset + done)
            if not got:
                raise ValueError(
                    f"{self.path}: the file ends before row {start + len(into)}. Download or write it again."
                )
            done += got


def _offset(dataset: Any) -> int | None:
    """The offset of the values in their file, or None unless they are stored contiguously with the bytes of a NumPy array."""
    from h5py import h5d, h5t

    plist = dataset.id.get_create_plist()
    plain = (
        hasattr(os, "preadv")
        and plist.get_layout() == h5d.CONTIGUOUS
        and not dataset.external
        and not plist.get_nfilters()
        and dataset.dtype.kind in "iuf"
        and h5t.py_create(dataset.dtype).equal(dataset.id.get_type())
        and dataset.id.get_storage_size() == dataset.size * dataset.dtype.itemsize
    )
    return dataset.id.get_offset() if plain else None


def _handle(file: Any) -> int | None:
    """The descriptor of the open file, or None for drivers that do not have one."""
    return file.id.get_vfd_handle() if file.driver == "sec2" else None


def _link(file: Any, name: str) -> tuple[str, ...] | None:
    """The target of a link, (path,) or (path, file); () for a dataset in this file, None if there is no such name."""
    from h5py import h5l

    try:
        kind = file.id.links.get_info(name.encode()).type
        value = () if kind == h5l.TYPE_HARD else file.id.links.get_val(name.encode())
    except (KeyError, OSError, RuntimeError, ValueError):
        return None
    if kind == h5l.TYPE_EXTERNAL:
        value = reversed(value)
    elif kind == h5l.TYPE_SOFT:
        value = (value,)
    return tuple(os.fsdecode(part) for part in value)


def _existing(name: str, path: Path, prefix: str | None = None) -> Path | None:
    """The file with this name, as a link in the file at `path` finds it: beside that file, or in the current folder."""
    places = [*([Path(prefix)] if prefix else []), path.parent, Path()]
    return next((place / name for place in places if (place / name).is_file()), None)


def _lacking_sources(dataset: Any, path: Path) -> str | None:
    """A description of what is missing of a virtual dataset's sources, or None."""
    mapped = 0
    for part in dataset.virtual_sources():
        if "%b" in part.file_name + part.dset_name:
            return None  # a series of files, of which HDF5 counts those that exist
        source = path if part.file_name == "." else _existing(part.file_name, path, os.environ.get("HDF5_VDS_PREFIX"))
        if source is None:
            return f"its part in {part.file_name} is missing"
        due = part.vspace.get_select_npoints()
        with opened(source, part.dset_name, locking=False) as file:
            found = find(file, part.dset_name, source)
            if found.size < due or not _holds(found, part.src_space):
                return f"its part in {part.file_name} has shape {found.shape}, which is too small"
            check_complete(found, source)
        mapped += due
    return f"{dataset.size - mapped} of its {dataset.size} numbers are in no file" if mapped < dataset.size else None


def _holds(dataset: Any, space: Any) -> bool:
    """Whether the selection is inside the dataset; a space without axes selects all."""
    last = space.get_select_bounds()[1] if space.get_simple_extent_ndims() else ()
    return all(place < size for place, size in zip(last, dataset.shape, strict=False))


def _lacking_bytes(dataset: Any, path: Path) -> str | None:
    """A description of what is missing of a dataset's raw files, or None."""
    prefix = dataset.id.get_access_plist().get_efile_prefix().decode().replace("${ORIGIN}", str(path.parent))
    due = dataset.size * dataset.id.get_type().get_size()
    for name, offset, size in dataset.external:
        place = Path(os.environ.get("HDF5_EXTFILE_PREFIX", prefix).replace("${ORIGIN}", str(path.parent))) / name
        if not place.is_file():
            return f"its file {name} is missing"
        size = min(size, due)
        if place.stat().st_size < offset + size:
            return f"its file {name} has {place.stat().st_size} bytes, expected {offset + size}"
        due -= size
    return None if due <= 0 else f"{due} of its bytes are in no file"
