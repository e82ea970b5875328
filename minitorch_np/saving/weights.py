"""Weights as HDF5, in the layout of Keras 3's `.weights.h5`.

Each layer has a group, named after its class and its count among those beside it (`layers/dense`, `layers/dense_1`) or
after the attribute that holds it; its values are the datasets `vars/0`, `vars/1`, … in the order of `parameters()`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.layer import Layer
from minitorch_np.parameter import Parameter
from minitorch_np.saving import atomic
from minitorch_np.saving.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 512
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAD = b"minitorch_np weights, format 1. SHA-256 of what follows these 512 bytes: "
_OTHER_MODEL = "The file is of another model"


def save_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Write every value; an earlier file is only replaced by a whole one."""
    memory = io.BytesIO()
    write_values(model, memory, userblock_size=_BLOCK)
    content = memory.getvalue()[_BLOCK:]
    atomic.write(path, (_HEAD + hashlib.sha256(content).hexdigest().encode()).ljust(_BLOCK, b"\n") + content)


def load_weights(model: Any, path: str | os.PathLike[str]) -> None:
    """Read every value; nothing is changed unless each one is there, of the right shape, and finite.

    Raises:
        ModelFileError: whatever is wrong with the file; it names the parameter.
    """
    if not Path(path).is_file():
        what = "it is a folder" if Path(path).is_dir() else "there is no such file"
        raise ModelFileError(path, what, "Give the path of a .weights.h5 file")
    _verify(path)
    model.set_weights(read_values(model, path, path))


def _verify(path: str | os.PathLike[str]) -> None:
    """A file of this package begins with a block of its own, which HDF5 skips, with the sum of the rest; Keras's has none."""
    with open(path, "rb") as file:
        head = file.read(_BLOCK)
        if head.startswith(_SIGNATURE):
            return
        found = hashlib.sha256()
        while part := file.read(1 << 20):
            found.update(part)
    if head != (_HEAD + found.hexdigest().encode()).ljust(_BLOCK, b"\n"):
        raise ModelFileError(
            path, "it is no HDF5 file, or not what was saved (its SHA-256 differs)", "Copy or save it again"
        )


def write_values(model: Any, target: Any, userblock_size: int = 0) -> None:
    """Write the values into an HDF5 file, open for writing or to be made."""
    import h5py

    with h5py.File(target, "w", userblock_size=userblock_size) as file:
        for place, _, parameter in places(model):
            file[place] = parameter.value


def read_values(model: Any, source: Any, path: str | os.PathLike[str], *, allow_nan: bool = False) -> list[NDArray]:
    """The values of a model's parameters in their order, from a path or a file in memory."""
    import h5py

    try:
        with h5py.File(source, "r", locking=False) as file:
            expected = {place: (name, parameter) for place, name, parameter in places(model)}
            values = [_read(file, place, *known, path, allow_nan=allow_nan) for place, known in expected.items()]
            if extra := _more(file, "layers", set(expected)):
                raise ModelFileError(path, f"the model has nothing for {extra}", _OTHER_MODEL)
            return values
    except ModelFileError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise ModelFileError(path, f"not a readable HDF5 file ({error})", "Save the model again") from None


def _read(
    file: Any, place: str, name: str, parameter: Parameter, path: str | os.PathLike[str], *, allow_nan: bool
) -> NDArray:
    dataset = plain_dataset(file, place, path)
    if dataset is None:
        raise ModelFileError(path, f"{name} is missing (expected at {place})", _OTHER_MODEL)
    if dataset.shape != parameter.shape or dataset.dtype.kind != "f":
        got = f"{dataset.shape} of {dataset.dtype}"
        raise ModelFileError(path, f"{name} has shape {parameter.shape} here, {got} in the file", _OTHER_MODEL)
    value = dataset[()]
    if not allow_nan and not np.isfinite(value).all():
        raise ModelFileError(path, f"{name} holds values that are not finite", "Train or save the model again")
    return value


def _more(file: Any, place: str, expected: set[str]) -> str | None:
    """The place of a value that nobody expects, or None. Only groups and datasets of this file are looked into."""
    import h5py

    pending = [
        (place, file.get(place) if place in file and isinstance(file.get(place, getlink=True), h5py.HardLink) else None)
    ]
    seen = set()
    while pending:
        place, item = pending.pop()
        if isinstance(item, h5py.Dataset) and place not in expected and "seed_generator" not in place:
            return place
        if not isinstance(item, h5py.Group) or item.id in seen:
            continue
        seen.add(item.id)
        if len(item) > 10_000:
            return place
        hard = [name for name in item if isinstance(item.get(name, getlink=True), h5py.HardLink)]
        pending += [(f"{place}/{name}", item[name]) for name in hard]
    return None


def plain_dataset(file: Any, place: str, path: str | os.PathLike[str]) -> Any:
    """The dataset at a place, or None if there is none.

    Only data in this very file count: no link to another place or file on the way, no external or virtual storage,
    no object that would have to be unpickled, and no more elements than the bytes that are stored can hold.
    """
    import h5py

    item = file
    for part in place.split("/"):
        if not isinstance(item, h5py.Group) or part not in item:
            return None
        link = item.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ModelFileError(path, f"{place} is a link to elsewhere", "Do not trust this file")
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        return None
    if item.external or item.is_virtual or item.dtype.hasobject:
        raise ModelFileError(path, f"{place} is not stored in the file itself", "Do not trust this file")
    if item.nbytes > 1100 * max(item.id.get_storage_size(), 1):  # deflate packs no closer than 1 in 1032
        raise ModelFileError(path, f"{place} declares more than is stored", "Do not trust this file")
    return item


def places(model: Any) -> Iterator[tuple[str, str, Parameter]]:
    """Where each parameter lies in the file, its dotted name, and the parameter."""
    groups: dict[int, str] = {}
    for place, layer in model.walk():
        prefix = groups.get(id(layer), "")
        for child, group in _groups(layer):
            groups[id(child)] = f"{prefix}{group}/"
        for index, (name, parameter) in enumerate(layer.own_parameters().items()):
            yield prefix + layer.keras_places.get(name, f"vars/{index}"), f"{place}.{name}".lstrip("."), parameter


def _groups(layer: Layer) -> Iterator[tuple[Layer, str]]:
    counts: Counter[str] = Counter()
    for name, child in layer.sublayers().items():
        if name in vars(layer):
            yield child, name
        elif type(child).__name__ != "Input":  # Keras does not count it among the layers
            word = keras_name(type(child).__name__)
            counts[word] += 1
            yield child, f"layers/{word}" + (f"_{counts[word] - 1}" if counts[word] > 1 else "")


def keras_name(name: str) -> str:
    """Keras's own way from a class to a group.

    >>> keras_name("ReLU"), keras_name("MaxPooling2D"), keras_name("Dense")
    ('re_lu', 'max_pooling2d', 'dense')
    """
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
