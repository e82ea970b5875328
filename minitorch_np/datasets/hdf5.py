"""HDF5 files in the layout of the cat images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minitorch_np.base.files import AnyPath, as_path
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.text import printable
from minitorch_np.datasets.stored import check_complete, class_names, find, opened, text


class Dataset(NamedTuple):
    """Images and labels, for training and for the test."""

    x_train: NDArray
    y_train: NDArray
    x_test: NDArray
    y_test: NDArray
    class_names: list[str]

    def describe(self) -> str:
        """Sizes, shapes and the share of each class, in three lines."""
        *size, channels = self.x_train.shape[1:]
        lines = [
            f"{len(self.x_train)} training and {len(self.x_test)} test images of {' x '.join(map(str, size))} pixels "
            f"with {channels} channel{'s' * (channels > 1)}"
        ]
        for split, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            names = enumerate(self.class_names if len(y) else [])
            shares = (f"{printable(name)} {np.mean(y == number):.1%}" for number, name in names)
            lines.append(f"  {split:5}  x {x.shape}  y {y.shape}  {', '.join(shares)}")
        return "\n".join(lines)


def load_hdf5(*paths: AnyPath) -> Dataset:
    """Read a data set from one file or several, such as one for training and one for the test.

    The layout: `train_set_x` (n, height, width, channels) and `train_set_y` (n,); `test_set_x` and `test_set_y`
    likewise; `list_classes`, the names of the classes as bytes, in the order of the labels 0, 1, …. A set that is in
    no file is returned with no examples. Without `list_classes` the names of the classes are their numbers.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a file is not HDF5, or has none of the keys (the message lists those present), or x and y do not fit.
    """
    if not paths:
        raise ValueError("load_hdf5: expected the path of at least one file.")
    found: dict[str, Any] = {}
    places = [as_path(path, "load_hdf5") for path in paths]
    for path in places:
        found.update(_read(path))
    names = [f"{split}_set_{axis}" for split in ("train", "test") for axis in "xy"]
    for x_name, y_name in (names[:2], names[2:]):
        if (x_name in found) != (y_name in found):
            present, missing = (x_name, y_name) if x_name in found else (y_name, x_name)
            raise ValueError(f"{_listed(places)}: {present} is there without {missing}.")
        if x_name in found and len(found[x_name]) != len(found[y_name]):
            raise ValueError(
                f"{_listed(places)}: {x_name} has {len(found[x_name])} examples, {y_name} has {len(found[y_name])}."
            )
    shape = next(found[name].shape[1:] for name in names[::2] if name in found)
    x_train, y_train, x_test, y_test = (
        found.get(name, np.empty((0, *shape), np.uint8) if name.endswith("x") else np.empty(0, np.int64))
        for name in names
    )
    classes = found.get("list_classes") or [text(label) for label in np.unique([*y_train, *y_test])]
    return Dataset(x_train, y_train, x_test, y_test, classes)


KEYS = ("train_set_x", "train_set_y", "test_set_x", "test_set_y", "list_classes")


def _read(path: Path) -> dict[str, Any]:
    with opened(path, *KEYS) as file:
        present = list(file)
        found: dict[str, Any] = {key: _values(file, key, path) for key in KEYS[:4] if key in present}
        names = class_names(file, path)
    if not found:
        raise ValueError(
            f"{path}: expected train_set_x and train_set_y, or test_set_x and test_set_y; keys present: "
            f"{printable(', '.join(present)) or 'none'}."
        )
    return found if names is None else {**found, KEYS[4]: names}


def _values(file: Any, key: str, path: Path) -> NDArray:
    dataset = find(file, key, path)
    check_complete(dataset, path)
    return dataset[()]


def _listed(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
