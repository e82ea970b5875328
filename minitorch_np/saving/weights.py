"""Weights as HDF5, in the layout of Keras 3's `.weights.h5`.

Each layer has a group, named after its class and its count among the layers beside it (`layers/dense`, `layers/dense_1`) or
after the attribute that holds it. Its values are the datasets `vars/0`, `vars/1`, … in the order of `parameters()`.

This package's files carry the SHA-256 of their content. Keras's have no checksum: damage to their structure is detected,
but a damaged number cannot be told from a saved one.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from minitorch_np.base.files import AnyPath, as_path, write_whole
from minitorch_np.base.hdf5 import SIGNATURE
from minitorch_np.base.parameter import Parameter
from minitorch_np.layer import Layer
from minitorch_np.layers import Input
from minitorch_np.saving import hdf5, keras_graph
from minitorch_np.saving.errors import OTHER_MODEL, FileProblem, warn
from minitorch_np.saving.keras_config import keras_name
from minitorch_np.saving.keras_functional import IN_FILE
from minitorch_np.saving.opening import opened
from minitorch_np.saving.own_state import warn_of_own_state

if TYPE_CHECKING:
    from minitorch_np.model import Model

NO_SUMS = "it has no SHA-256, like all files that Keras writes: {}. Save it again with this package to add one."
UNCHECKED = "a damaged number would not be noticed"
_BLOCK = 512
_FORMAT = b"minitorch_np weights, format "
_HEAD = _FORMAT + b"1. SHA-256 of what follows these 512 bytes: "


class Place(NamedTuple):
    """Where a file holds a parameter: the path of its dataset, the parameter's dotted name, and the parameter."""

    path: str
    name: str
    parameter: Parameter


def save_weights(model: Model, path: AnyPath) -> None:
    """Write every value. An earlier file is replaced only by a complete one.

    Raises:
        ValueError: the file's name does not end as that of an HDF5 file.
    """
    path = as_path(path, f"{type(model).__name__}.save_weights")
    if not str(path).endswith((".h5", ".hdf5")):
        raise ValueError(
            f"{type(model).__name__}.save_weights: weights are HDF5, in name.weights.h5, got {str(path)!r}. "
            "model.save writes the whole model, in name.keras."
        )
    warn_of_own_state(model, path)
    memory = io.BytesIO()
    write_values(places(model, keras_graph.steps(model)), memory, userblock_size=_BLOCK)
    content = memory.getvalue()[_BLOCK:]
    write_whole(path, _head(hashlib.sha256(content).hexdigest()) + content)


def load_weights(model: Model, path: AnyPath) -> None:
    """Read every value. Nothing is changed unless each value is in the file, has the right shape, and is finite.

    Raises:
        ModelFileError: something is wrong with the file; it names the parameter.
    """
    path = as_path(path, f"{type(model).__name__}.load_weights")
    with opened(path) as file:
        has_sum = _verify(file)
        with hdf5.reading(file) as reader:
            fill(model, places(model, keras_graph.steps(model)), reader)
    if not has_sum:
        warn(path, NO_SUMS.format(UNCHECKED))


def _head(sha256: str) -> bytes:
    """The block before HDF5's part of the file, which HDF5 skips."""
    return (_HEAD + sha256.encode()).ljust(_BLOCK, b"\n")


def _verify(file: BinaryIO) -> bool:
    """Whether the file has a sum. Raise if it is wrong."""
    head = file.read(_BLOCK)
    if head.startswith(SIGNATURE):
        return False
    if head.startswith(_FORMAT) and not head.startswith(_HEAD):
        number = head[len(_FORMAT) :].split(b".")[0].decode(errors="replace")
        raise FileProblem(f"its format is {number}, this version reads 1", "Install a newer minitorch-np")
    found = hashlib.sha256()
    while head.startswith(_HEAD) and (part := file.read(1 << 20)):
        found.update(part)
    if head != _head(found.hexdigest()):
        raise FileProblem(
            "it is not an HDF5 file, or not what was saved (its SHA-256 differs)", "Copy or save it again"
        )
    return True


def write_values(kept: Sequence[Place], target: io.BytesIO, userblock_size: int = 0) -> None:
    """Write the parameters' values as a new HDF5 file."""
    import h5py

    with h5py.File(target, "w", userblock_size=userblock_size) as file:
        for place in kept:
            file[place.path] = place.parameter.value


def fill(model: Model, kept: Sequence[Place], reader: hdf5.Reader) -> None:
    """Set the parameters to the values in a file. Nothing is changed unless all of them are right.

    Raises:
        FileProblem: a value is missing, does not fit, or is not finite, or the file has one that the model has not.
    """
    values = {place.name: reader.numbers(place.path, place.name, place.parameter.value) for place in kept}
    expected = {place.path for place in kept}
    for path in reader.datasets("layers", most=1000 + 10 * len(expected)):
        if path not in expected and "seed_generator" not in path:
            raise FileProblem(f"the model has no parameter for {path}", OTHER_MODEL)
    model.set_weights([values[name] for name in model.parameters()])


def places(model: Model, steps: Sequence[keras_graph.Step]) -> list[Place]:
    """Where a file holds each parameter, in the order in which Keras keeps them.

    Args:
        steps: the model as Keras's graph, as `keras_graph.steps` returns it.
    """
    of_steps = _in_file(model) or keras_graph.groups(steps)
    groups, found = dict(of_steps), []
    for place, layer in model.walk():
        prefix = groups.get(id(layer), "")
        for child, group in _groups(layer):
            groups.setdefault(id(child), f"{prefix}{group}/")
        for index, (name, parameter) in enumerate(layer.own_parameters().items()):
            path = prefix + layer.keras_places.get(name, f"vars/{index}")
            found.append(Place(path, f"{place}.{name}".lstrip("."), parameter))
    in_order = list(of_steps.values())
    return sorted(found, key=lambda one: next((n for n, group in enumerate(in_order) if one.path.startswith(group)), 0))


def _groups(layer: Layer) -> Iterator[tuple[Layer, str]]:
    """The layers right below a layer, and the name of each one's group."""
    in_graph = _in_file(layer)
    if not in_graph and keras_graph.is_graph(layer):
        in_graph = keras_graph.groups(keras_graph.steps(layer))
    counts: Counter[str] = Counter()
    for name, child in layer.sublayers().items():
        if id(child) in in_graph:
            yield child, in_graph[id(child)].rstrip("/")
        elif name in vars(layer):
            yield child, name
        elif not isinstance(child, Input):  # Keras does not count it among the layers
            yield child, keras_graph.numbered(keras_name(type(child).__name__), counts)


def _in_file(layer: Layer) -> dict[int, str]:
    """The groups of the layers of a Graph that was read from a file of Keras and has no weights yet; else nothing."""
    return keras_graph.numbered_groups(vars(layer).get(IN_FILE, ()))
