"""Keras's older `.h5` files: the description as an attribute, the weights by layer in the order of the layers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.saving import archive, keras_config, keras_training, weights
from minitorch_np.saving.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def load(path: str | os.PathLike[str], checked: Callable[[Any, int], Any], *, allow_nan: bool) -> Any:
    """The model that Keras 2 or `save("m.h5")` wrote, compiled if its training configuration has words here."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        described = _description(file, "model_config", path)
        if described is None:
            raise ModelFileError(
                path, "it holds no model, only data or weights", "Give a .keras file, or use load_weights"
            )
        model = keras_config.from_keras(checked(described, Path(path).stat().st_size))
        model.require_built("load_model")
        values = list(_values(file, path))
        training = _description(file, "training_config", path)
    for (name, parameter), value in zip(model.parameters().items(), values, strict=False):
        if value.shape != parameter.shape:
            what = f"{name} has shape {parameter.shape} here, {value.shape} in the file"
            raise ModelFileError(path, what, "Save the model again")
        if not allow_nan and not np.isfinite(value).all():
            raise ModelFileError(path, f"{name} holds values that are not finite", "Train or save the model again")
    model.set_weights(values)
    if training is not None:
        keras_training.compiled(model, training, path)
    return model


def _description(file: Any, name: str, path: str | os.PathLike[str]) -> Any:
    if name not in file.attrs:
        return None
    text = file.attrs[name]
    return archive.parse(text if isinstance(text, bytes) else str(text).encode(), path)


def _values(file: Any, path: str | os.PathLike[str]) -> list[NDArray]:
    """Every weight in the order of layer_names and weight_names."""
    import h5py

    found = []
    group = file.get("model_weights") if isinstance(file.get("model_weights", getlink=True), h5py.HardLink) else None
    if not isinstance(group, h5py.Group):
        raise ModelFileError(path, "it holds no model_weights", "Save the model again")
    for layer in _names(group, "layer_names"):
        for weight in _names(group[layer], "weight_names"):
            dataset = weights.plain_dataset(file, f"model_weights/{layer}/{weight}", path)
            if dataset is None or dataset.dtype.kind != "f":
                raise ModelFileError(path, f"{layer}/{weight} is missing or holds no numbers", "Save the model again")
            found.append(dataset[()])
    return found


def _names(group: Any, name: str) -> list[str]:
    """A list of names; a long one is split into name0, name1, …"""
    parts = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{name}{len(parts)}"])
    return [item.decode() if isinstance(item, bytes) else str(item) for part in parts for item in part]
