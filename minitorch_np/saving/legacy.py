"""Keras's older `.h5` files: the description is an attribute, and the weights are listed layer by layer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from minitorch_np.layer import Layer
from minitorch_np.saving import archive, hdf5, keras_layers, keras_training, limits, optimizer_state
from minitorch_np.saving.errors import FileProblem
from minitorch_np.saving.keras_functional import IN_FILE, forget_file
from minitorch_np.saving.objects import Functions
from minitorch_np.saving.weights import Place, fill

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.model import Model

_WEIGHTS, _OPTIMIZER = "model_weights", "optimizer_weights"


def load(file: BinaryIO, path: Path, functions: Functions, *, allow_nan: bool) -> Model:
    """The model that Keras 2 or `save("m.h5")` wrote, compiled if its training configuration exists here."""
    size = file.seek(0, os.SEEK_END)
    with hdf5.reading(file, allow_nan=allow_nan) as reader:
        described = None if reader.root.userblock_size else reader.strings(reader.root, "model_config")
        if described is None:
            raise FileProblem("it holds no model, only data or weights", "Give a .keras file, or use load_weights")
        config = limits.check_layers(archive.parse(b"".join(described)), size)
        model = keras_layers.from_keras(config)
        model.require_built("load_model")
        keras_layers.freeze(model)
        kept = _places(model, reader)
        fill(model, kept, reader)
        forget_file(model)
        keras_training.warn_of_precision(model, config, path)
        training = reader.strings(reader.root, "training_config")
        if training and keras_training.compiled(
            model, limits.check_counts(archive.parse(b"".join(training))), path, functions
        ):
            optimizer = reader.item(_OPTIMIZER)
            names = [] if optimizer is None else _names(reader, optimizer, "weight_names")
            paths = [f"{_OPTIMIZER}/{name}" for name in names]
            optimizer_state.read_listed(model.optimizer, kept, reader, paths, path)
    return model


def _places(model: Model, reader: hdf5.Reader) -> list[Place]:
    """Where the file holds each parameter: in the order of layer_names and weight_names."""
    group = reader.item(_WEIGHTS)
    if group is None:
        raise FileProblem(f"it holds no {_WEIGHTS}")
    paths = []
    for layer in _names(reader, group, "layer_names"):
        below = reader.item(f"{_WEIGHTS}/{layer}")
        if below is None:
            raise FileProblem(f"the layer {layer} is missing")
        paths += [f"{_WEIGHTS}/{layer}/{weight}" for weight in _names(reader, below, "weight_names")]
    parameters = []  # in each of the outermost layers, those that learn come first
    for outer in _in_order(model):
        parameters += sorted(outer, key=lambda pair: not pair[1].trainable)
    if len(paths) != len(parameters):
        raise FileProblem(f"it holds {len(paths)} weights, and its layers have {len(parameters)}")
    return [Place(path, *pair) for path, pair in zip(paths, parameters, strict=True)]


def _in_order(model: Layer, place: str = "") -> list[list[tuple[str, Parameter]]]:
    """The parameters of each layer right below a model, with their names, in the file's order of layers."""
    places = {id(layer): f"{place}{name}" for name, layer in model.sublayers().items()}

    def of(layer: Any) -> list[tuple[str, Parameter]]:
        if isinstance(layer, list):  # a model whose layers are among these
            return [pair for _, inner in layer for pair in of(inner)]
        if id(layer) not in places:
            return []
        if IN_FILE in vars(layer):
            return [pair for listed in _in_order(layer, f"{places[id(layer)]}.") for pair in listed]
        return [(f"{places[id(layer)]}.{name}", parameter) for name, parameter in layer.parameters().items()]

    in_file = [layer for _, layer in vars(model).get(IN_FILE, ())]
    return [of(layer) for layer in in_file or model.sublayers().values()]


def _names(reader: hdf5.Reader, group: Any, name: str) -> list[str]:
    """A list of names; a long one is split into name0, name1, …"""
    found = reader.strings(group, name) or []
    number = 0
    while (part := reader.strings(group, f"{name}{number}")) is not None:
        found, number = found + part, number + 1
    return [item.decode() for item in found]
