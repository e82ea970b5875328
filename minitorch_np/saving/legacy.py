"""Keras's older `.h5` files: the description as an attribute, the weights by layer in the order of the layers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

from minitorch_np.base.parameter import Parameter
from minitorch_np.saving import archive, hdf5, keras_config, keras_training, limits, optimizer_state
from minitorch_np.saving.attributes import Attributes
from minitorch_np.saving.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AGAIN = "Save the model again"


def load(file: BinaryIO, path: str | os.PathLike[str], checked: Callable[[Any, int], Any], *, allow_nan: bool) -> Any:
    """The model that Keras 2 or `save("m.h5")` wrote, compiled if its training configuration has words here."""
    size = file.seek(0, os.SEEK_END)
    attributes = Attributes(file, archive.LARGEST_DESCRIPTION)
    with hdf5.open_hdf5(file) as content:
        described = None if content.userblock_size else attributes.strings(content, "model_config")
        if described is None:
            what = "it holds no model, only data or weights"
            raise ModelFileError(path, what, "Give a .keras file, or use load_weights")
        theirs = checked(archive.parse(b"".join(described), path), size)
        model = keras_config.from_keras(theirs)
        model.require_built("load_model")
        keras_config.freeze(model)
        group = hdf5.item(content, "model_weights", path)
        places = _places(attributes, group, path)
        parameters = _in_their_order(model)
        if len(places) != len(parameters):
            what = f"it holds {len(places)} weights, and its layers have {len(parameters)}"
            raise ModelFileError(path, what, _AGAIN)
        training = attributes.strings(content, "training_config")
        values: dict[str, NDArray] = {}
        for place, (name, parameter) in zip(places, parameters.items(), strict=True):
            value = hdf5.numbers(group, place, name, parameter.value, path, allow_nan=allow_nan)
            if value is None:
                raise ModelFileError(path, f"{name} is missing (expected at model_weights/{place})", _AGAIN)
            values[name] = value
        model.set_weights([values[name] for name in model.parameters()])
        keras_training.warn_of_precision(model, theirs, path)
        if training is not None and keras_training.compiled(
            model, limits.counted(archive.parse(b"".join(training), path)), path
        ):
            kept = hdf5.item(content, "optimizer_weights", path)
            names = _names(attributes, kept, "weight_names") if kept is not None else []
            optimizer_state.read_listed(model, kept, names, path, allow_nan=allow_nan)
    return model


def _in_their_order(model: Any) -> dict[str, Parameter]:
    """The parameters, in each of the outermost layers those first that learn."""
    found: dict[str, Parameter] = {}
    for place, layer in model.sublayers().items():
        known = {f"{place}.{name}": parameter for name, parameter in layer.parameters().items()}
        found |= dict(sorted(known.items(), key=lambda pair: not pair[1].trainable))
    return found


def _places(attributes: Attributes, group: Any, path: str | os.PathLike[str]) -> list[str]:
    """Where every weight lies, in the order of layer_names and weight_names."""
    if group is None:
        raise ModelFileError(path, "it holds no model_weights", _AGAIN)
    found = []
    for layer in _names(attributes, group, "layer_names"):
        below = hdf5.item(group, layer, path)
        if below is None:
            raise ModelFileError(path, f"the layer {layer} is missing", _AGAIN)
        found += [f"{layer}/{weight}" for weight in _names(attributes, below, "weight_names")]
    return found


def _names(attributes: Attributes, group: Any, name: str) -> list[str]:
    """A list of names; a long one is split into name0, name1, …"""
    found = attributes.strings(group, name) or []
    number = 0
    while (part := attributes.strings(group, f"{name}{number}")) is not None:
        found, number = found + part, number + 1
    return [item.decode() for item in found]
