"""ImageFolder: image files in one folder per class."""

from __future__ import annotations

import copy
import hashlib
import itertools
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import current_thread
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.files import AnyPath, as_path
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import check_number
from minitorch_np.datasets.images import check_shape, load_image
from minitorch_np.source.background import begun
from minitorch_np.source.source import Source

if TYPE_CHECKING:
    from minitorch_np.base.randomness import Seed

_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_AHEAD = 8  # images


class ImageFolder(Source):
    """The images `path/class_name/*.jpg` (or .png, …), for fit, evaluate and predict in place of arrays.

    Args:
        path: the folder. Its subfolders are the classes, numbered from 0 in the order of their names. Folders inside them are
            searched too. A subfolder without images is left out, with a warning.
        shape: (height, width, channels); load_image resizes every image to it.
        class_names: the subfolders to use, in the order of their numbers. Give validation data those of the training data,
            `class_names=train.class_names`. A folder that is named here may be empty.
        validation_split: with a share such as 0.2 the call gives a pair, train, validation = ImageFolder(path, shape,
            validation_split=0.2): of each class this share of the images, chosen at random, is in the second.
        rng: an int or a numpy Generator, for this choice.

    Images are read when their batch is needed, several at a time. x is uint8 from 0 to 255, y is the number of the class.

    Raises:
        FileNotFoundError: the folder does not exist.
        ValueError: shape is not that of an image; no subfolder has an image; class_names has a name twice, or one without a folder.
            While reading: a file is not an image; the message names it.
    """

    shape: tuple[int, int, int]
    read_ahead = True
    path: Path
    class_names: list[str]
    files: list[Path]
    y: NDArray
    count: int

    def __new__(
        cls,
        path: AnyPath | None = None,  # without the two arguments for copies
        shape: tuple[int, int, int] | None = None,
        *,
        class_names: Sequence[str] | None = None,
        validation_split: float | None = None,
        rng: Seed = 0,
    ) -> Any:
        """The images of a folder, or with validation_split a pair of them."""
        if validation_split is None or path is None or shape is None:
            return super().__new__(cls)
        return cls(path, shape, class_names=class_names).split(validation_split, rng)

    def __init__(
        self,
        path: AnyPath,
        shape: tuple[int, int, int],
        *,
        class_names: Sequence[str] | None = None,
        validation_split: float | None = None,
        rng: Seed = 0,
    ) -> None:
        check_shape("ImageFolder", shape)
        self.path = folder = as_path(path, "ImageFolder")
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: there is no such folder. Give one that has a folder for each class.")
        found = {
            place.name: _images(place) for place in sorted(folder.iterdir()) if place.is_dir() and _is_shown(place)
        }
        if not any(found.values()):
            raise ValueError(
                f"{folder}: expected images as class_name/*.jpg, found none. Create a folder for each class."
            )
        self.shape, self.class_names = shape, _classes(folder, found, class_names)
        self.files = [file for name in self.class_names for file in found[name]]
        self.y = np.repeat(np.arange(len(self.class_names)), [len(found[name]) for name in self.class_names])
        self.count = len(self.files)
        if not self.files:
            raise ValueError(f"{folder}: none of the classes {', '.join(self.class_names)} has an image.")

    def split(self, share: float, rng: Seed = 0) -> tuple[ImageFolder, ImageFolder]:
        """The images in two parts: of each class this share, chosen at random and rounded, is in the second."""
        check_number("ImageFolder", "validation_split", share, "(0, 1)")
        generator = np.random.default_rng(rng)
        of_class = [generator.permutation(np.flatnonzero(self.y == number)) for number in range(len(self.class_names))]
        counts = [round(len(rows) * share) for rows in of_class]
        if not 0 < sum(counts) < len(self):
            part = "validation" if not sum(counts) else "training"
            raise ValueError(f"ImageFolder: validation_split={share} of {len(self)} images leaves none for {part}.")
        first = [rows[count:] for rows, count in zip(of_class, counts, strict=True)]
        second = [rows[:count] for rows, count in zip(of_class, counts, strict=True)]
        return self._of_rows(np.sort(np.concatenate(first))), self._of_rows(np.sort(np.concatenate(second)))

    def _of_rows(self, rows: NDArray) -> ImageFolder:
        part = copy.copy(self)
        part.files, part.y, part.count = [self.files[row] for row in rows], self.y[rows], len(rows)
        return part

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"ImageFolder({str(self.path)!r}, {len(self)} images of {len(self.class_names or ())} classes)"

    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        size = batch_size or len(self)
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        readers = ThreadPoolExecutor(thread_name_prefix="images")
        try:
            images = self._read(order[skip * size :], readers)
            for start in range(skip * size, len(self), size):
                rows = order[start : start + size]
                yield np.stack(list(itertools.islice(images, len(rows)))), self.y[rows]
        finally:  # the garbage collector may run this in one of these threads, which cannot wait for itself
            readers.shutdown(wait=not current_thread().name.startswith("images"))

    def _read(self, rows: NDArray, readers: Executor) -> Iterator[NDArray]:
        """The images in order. Only a few are read ahead, so that a program can end without waiting."""
        coming: deque[Callable[[], NDArray]] = deque()
        for row in rows:
            coming.append(begun(readers, partial(load_image, self.files[row], self.shape)))
            if len(coming) > _AHEAD:
                yield coming.popleft()()
        while coming:
            yield coming.popleft()()

    def fingerprint(self) -> str:
        """SHA-256 of the shape, the names and sizes of the files, and the content of about 64 of them."""
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
                f"{folder}: no images in {', '.join(empty)}. The folder is not counted as a class, and the classes after it have lower numbers. "
                "Remove the folder, or give class_names=, which may name it.",
                stacklevel=caller(),
            )
        return [name for name in found if name not in empty]
    if isinstance(given, str) or len(set(given)) != len(given):
        raise ValueError(f"ImageFolder: class_names is a list of different names, got {given!r}.")
    missing = [name for name in given if name not in found]
    if missing:
        raise ValueError(
            f"{folder}: class_names has {', '.join(map(repr, missing))}, which has no folder; found "
            f"{', '.join(found)}. Create an empty one for a class without images."
        )
    return list(given)


def _images(folder: Path) -> list[Path]:
    """The image files in a folder and in the folders inside it."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if _is_shown(Path(name))]
        found += [Path(place, name) for name in names]
    return sorted(file for file in found if _is_shown(file) and file.suffix.lower() in _ENDINGS and file.is_file())


def _is_shown(place: Path) -> bool:
    """False for hidden files: systems and editors leave some that have an image's ending and are not images."""
    return not place.name.startswith(".")
