"""ImageFolder: picture files in one folder for each class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from minitorch_np.base.files import AnyPath, as_path
from minitorch_np.datasets.images import load_image
from minitorch_np.source import Source

_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")


class ImageFolder(Source):
    """The pictures `path/class_name/*.jpg` (or .png, …), for fit, evaluate and predict in place of arrays.

    Args:
        path: the folder. Its subfolders are the classes, numbered from 0 in the order of their names.
        shape: (height, width, channels) into which every picture is brought, as load_image does it.

    Pictures are read when their batch is due, several at a time. x is uint8 from 0 to 255, y the number of the class.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: shape is none of a picture; no subfolder holds a picture; while reading, a file that is no picture, by name.
    """

    shape: tuple[int, int, int]
    read_ahead = True

    def __init__(self, path: AnyPath, shape: tuple[int, int, int]) -> None:
        sizes = shape if isinstance(shape, (tuple, list)) else ()
        whole = [size for size in sizes if isinstance(size, (int, np.integer)) and size >= 1]
        if len(whole) != 3 or len(sizes) != 3 or sizes[2] not in (1, 3):
            raise ValueError(
                f"ImageFolder: shape is (height, width, channels), ints of at least 1 with 1 or 3 channels, got {shape!r}."
            )
        path = folder = as_path(path, "ImageFolder")
        if not folder.is_dir():
            raise FileNotFoundError(f"{path}: there is no such folder. Give one that holds a folder for each class.")
        classes = sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))
        found = [sorted(filter(_is_picture, place.iterdir())) for place in classes]
        self.path, self.shape = path, shape
        self.class_names = [place.name for place in classes]
        self.files = [file for files in found for file in files]
        self.y = np.repeat(np.arange(len(classes)), [len(files) for files in found]) if classes else np.empty(0, int)
        self.count = len(self.files)
        if not self.files:
            raise ValueError(
                f"{path}: expected pictures as class_name/*.jpg, found none. Make a folder for each class."
            )

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"ImageFolder({str(self.path)!r}, {len(self)} pictures of {len(self.class_names or ())} classes)"

    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        size = batch_size or len(self)
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        with ThreadPoolExecutor() as readers:
            for start in range(skip * size, len(self), size):
                rows = order[start : start + size]
                pictures = readers.map(lambda row: load_image(self.files[row], self.shape), rows)
                yield np.stack(list(pictures)), self.y[rows]

    def fingerprint(self) -> str:
        """Names and sizes of the files, and the shape; of at most 64 files what is in them."""
        found = hashlib.sha256(repr(self.shape).encode())
        for file in self.files:
            found.update(f"{file.parent.name}/{file.name} {file.stat().st_size}\n".encode())
        for file in self.files[:: -(-len(self.files) // 64)]:
            found.update(file.read_bytes())
        return found.hexdigest()


def _is_picture(file: Path) -> bool:
    """Whether it looks like one: systems and editors leave hidden files with the same endings."""
    return file.suffix.lower() in _ENDINGS and not file.name.startswith(".") and file.is_file()
