"""ImageFolder: picture files in one folder for each class."""

from __future__ import annotations

import hashlib
import itertools
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.files import AnyPath, as_path
from minitorch_np.base.shapes import NDArray
from minitorch_np.datasets.images import check_shape, load_image
from minitorch_np.source.background import begun
from minitorch_np.source.source import Source

_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_AHEAD = 8  # pictures


class ImageFolder(Source):
    """The pictures `path/class_name/*.jpg` (or .png, …), for fit, evaluate and predict in place of arrays.

    Args:
        path: the folder. Its subfolders are the classes, numbered from 0 in the order of their names. Pictures may lie in folders
            below these too. A subfolder without pictures is no class, and there is a warning.
        shape: (height, width, channels) into which every picture is brought, as load_image does it.
        class_names: the subfolders to take, in the order of their numbers, where it is another one: of data to validate with it
            is that of training, `class_names=train.class_names`. These may be empty.

    Pictures are read when their batch is due, several at a time. x is uint8 from 0 to 255, y the number of the class.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: shape is none of a picture; no subfolder holds a picture; class_names repeat, or one has no folder; while
            reading, a file that is no picture, by name.
    """

    shape: tuple[int, int, int]
    read_ahead = True

    def __init__(self, path: AnyPath, shape: tuple[int, int, int], *, class_names: Sequence[str] | None = None) -> None:
        check_shape("ImageFolder", shape)
        self.path = folder = as_path(path, "ImageFolder")
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no such folder. Give one that holds a folder for each class.")
        found = {
            place.name: _pictures(place) for place in sorted(folder.iterdir()) if place.is_dir() and _is_shown(place)
        }
        if not any(found.values()):
            raise ValueError(
                f"{folder}: expected pictures as class_name/*.jpg, found none. Make a folder for each class."
            )
        self.shape, self.class_names = shape, _classes(folder, found, class_names)
        self.files = [file for name in self.class_names for file in found[name]]
        self.y = np.repeat(np.arange(len(self.class_names)), [len(found[name]) for name in self.class_names])
        self.count = len(self.files)
        if not self.files:
            raise ValueError(f"{folder}: none of the classes {', '.join(self.class_names)} has a picture.")

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"ImageFolder({str(self.path)!r}, {len(self)} pictures of {len(self.class_names or ())} classes)"

    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        size = batch_size or len(self)
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        with ThreadPoolExecutor(thread_name_prefix="pictures") as readers:
            pictures = self._read(order[skip * size :], readers)
            for start in range(skip * size, len(self), size):
                rows = order[start : start + size]
                yield np.stack(list(itertools.islice(pictures, len(rows)))), self.y[rows]

    def _read(self, rows: NDArray, readers: Executor) -> Iterator[NDArray]:
        """The pictures in order, a few of them read ahead: so few that a program which ends need not wait."""
        coming: deque[Callable[[], NDArray]] = deque()
        for row in rows:
            coming.append(begun(readers, partial(load_image, self.files[row], self.shape)))
            if len(coming) > _AHEAD:
                yield coming.popleft()()
        while coming:
            yield coming.popleft()()

    def fingerprint(self) -> str:
        """Names and sizes of the files, and the shape; of at most 64 files what is in them."""
        found = hashlib.sha256(repr(self.shape).encode())
        for file in self.files:
            found.update(f"{file.relative_to(self.path)} {file.stat().st_size}\n".encode())
        for file in self.files[:: -(-len(self.files) // 64)]:
            found.update(file.read_bytes())
        return found.hexdigest()


def _classes(folder: Path, found: dict[str, list[Path]], given: Sequence[str] | None) -> list[str]:
    """The names of the classes in the order of their numbers."""
    if given is None:
        empty = [name for name, files in found.items() if not files]
        if empty:
            warnings.warn(
                f"{folder}: no pictures in {', '.join(empty)}, so that is no class, and the classes after it have lower numbers. "
                "Remove the folder, or give class_names=, which may name it.",
                stacklevel=caller(),
            )
        return [name for name in found if name not in empty]
    if isinstance(given, str) or len(set(given)) != len(given):
        raise ValueError(f"ImageFolder: class_names is a list of names, each once, got {given!r}.")
    missing = [name for name in given if name not in found]
    if missing:
        raise ValueError(
            f"{folder}: class_names has {', '.join(map(repr, missing))}, and there is no such folder; found "
            f"{', '.join(found)}. Make an empty one for a class without pictures."
        )
    return list(given)


def _pictures(folder: Path) -> list[Path]:
    """The picture files in a folder and in those below it."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _is_shown(Path(name))]
        found += [Path(place, name) for name in names]
    return sorted(file for file in found if _is_shown(file) and file.suffix.lower() in _ENDINGS and file.is_file())


def _is_shown(place: Path) -> bool:
    """Whether it is not hidden: systems and editors leave hidden files that are no pictures, with their endings."""
    return not place.name.startswith(".")
