"""Weights as HDF5, in the layout of Keras 3's `.weights.h5`.

Each layer has a group, named after its class and its count among those beside it (`layers/dense`, `layers/dense_1`) or
after the attribute that holds it; its values are the datasets `vars/0`, `vars/1`, … in the order of `parameters()`.

Our files carry the SHA-256 of their content. Keras's carry no sum of any kind: what is damaged in their structure is refused,
a number that is damaged cannot be told from one that was saved.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from minitorch_np.base.files import AnyPath, as_path, write_whole
from minitorch_np.base.parameter import Parameter
from minitorch_np.layer import Layer
from minitorch_np.saving import hdf5, keras_graph
from minitorch_np.saving.errors import ModelFileError, refusing, warn_unsummed
from minitorch_np.saving.keras_config import keras_name
from minitorch_np.saving.opening import opened
from minitorch_np.saving.own_state import warn_of_own_state

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 512
_FORMAT = b"minitorch_np weights, format "
_HEAD = _FORMAT + b"1. SHA-256 of what follows these 512 bytes: "
_OTHER_MODEL = "The file is of another model"


def save_weights(model: Any, path: AnyPath) -> None:
    """Write every value; an earlier file is only replaced by a whole one.

    Raises:
        ValueError: the file's name says that it is something other than HDF5.
    """
    path = as_path(path, f"{type(model).__name__}.save_weights")
    if not str(path).endswith((".h5", ".hdf5")):
        raise ValueError(
            f"{type(model).__name__}.save_weights: weights are HDF5, in name.weights.h5, got {str(path)!r}. "
            "model.save writes the whole model, in name.keras."
        )
    warn_of_own_state(model, path)
    memory = io.BytesIO()
    write_values(model, memory, userblock_size=_BLOCK)
    content = memory.getvalue()[_BLOCK:]
    write_whole(path, (_HEAD + hashlib.sha256(content).hexdigest().encode()).ljust(_BLOCK, b"\n") + content)


def load_weights(model: Any, path: AnyPath) -> None:
    """Read every value; nothing is changed unless each one is there, of the right shape, and finite.

    Raises:
        ModelFileError: whatever is wrong with the file; it names the parameter.
    """
    path = as_path(path, f"{type(model).__name__}.load_weights")
    with opened(path) as file:
        summed = _verify(file, path)
        values = read_values(model, file, path)
    model.set_weights(values)
    if not summed:
        warn_unsummed(path, "a number that was damaged would go unseen")


def _verify(file: BinaryIO, path: str | os.PathLike[str]) -> bool:
    """Whether there is a sum, which is then right.

    A file of this package begins with a block of its own, which HDF5 skips, with the sum of the rest; Keras's has none.
    """
    head = file.read(_BLOCK)
    if head.startswith(hdf5.SIGNATURE):
        return False
    if head.startswith(_FORMAT) and not head.startswith(_HEAD):
        what = f"its format is {head[len(_FORMAT) :].split(b'.')[0].decode(errors='replace')}, this version reads 1"
        raise ModelFileError(path, what, "Install a newer minitorch-np")
    found = hashlib.sha256()
    while head.startswith(_HEAD) and (part := file.read(1 << 20)):
        found.update(part)
    if head != (_HEAD + found.hexdigest().encode()).ljust(_BLOCK, b"\n"):
        raise ModelFileError(
            path, "it is no HDF5 file, or not what was saved (its SHA-256 differs)", "Copy or save it again"
        )
    return True


def write_values(model: Any, target: Any, userblock_size: int = 0) -> None:
    """Write the values into an HDF5 file, open for writing or to be made."""
    import h5py

    with h5py.File(target, "w", userblock_size=userblock_size) as file:
        for place, _, parameter in places(model):
            file[place] = parameter.value


def read_values(
    model: Any, content: BinaryIO, path: str | os.PathLike[str], *, allow_nan: bool = False
) -> list[NDArray]:
    """The values of a model's parameters in their order, from HDF5.

    Raises:
        ModelFileError: one is missing, does not fit, is not finite, or one is there that the model has nothing for.
    """
    with refusing(path), hdf5.open_hdf5(content) as file:
        expected = {place: (name, parameter) for place, name, parameter in places(model)}
        values = []
        for place, (name, parameter) in expected.items():
            value = hdf5.numbers(file, place, name, parameter.value, path, allow_nan=allow_nan)
            if value is None:
                raise ModelFileError(path, f"{name} is missing (expected at {place})", _OTHER_MODEL)
            values.append(value)
        for place in hdf5.datasets(file, "layers", path, most=1000 + 10 * len(expected)):
            if place not in expected and "seed_generator" not in place:
                raise ModelFileError(path, f"the model has nothing for {place}", _OTHER_MODEL)
        return values


def places(model: Any) -> Iterator[tuple[str, str, Parameter]]:
    """Where each parameter lies in the file, its dotted name, and the parameter."""
    groups = keras_graph.groups(model)
    for place, layer in model.walk():
        prefix = groups.get(id(layer), "")
        for child, group in _groups(layer):
            groups.setdefault(id(child), f"{prefix}{group}/")
        for index, (name, parameter) in enumerate(layer.own_parameters().items()):
            yield prefix + layer.keras_places.get(name, f"vars/{index}"), f"{place}.{name}".lstrip("."), parameter


def keras_parameters(model: Any) -> list[tuple[str, Parameter]]:
    """Names and parameters in the order in which Keras keeps them."""
    groups = list(keras_graph.groups(model).values())
    found = list(places(model))
    if groups:
        found.sort(key=lambda known: next(n for n, group in enumerate(groups) if known[0].startswith(group)))
    return [(name, parameter) for _, name, parameter in found]


def _groups(layer: Layer) -> Iterator[tuple[Layer, str]]:
    counts: Counter[str] = Counter()
    for name, child in layer.sublayers().items():
        if name in vars(layer):
            yield child, name
        elif type(child).__name__ != "Input":  # Keras does not count it among the layers
            word = keras_name(type(child).__name__)
            counts[word] += 1
            yield child, f"layers/{word}" + (f"_{counts[word] - 1}" if counts[word] > 1 else "")
