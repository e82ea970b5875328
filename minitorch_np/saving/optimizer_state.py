"""The optimiser's state in a model file: under its own names to the bit, and once more as Keras keeps it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.configurable import is_built_in
from minitorch_np.optimizers import SGD
from minitorch_np.saving import hdf5
from minitorch_np.saving.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OWN = "minitorch_np"
_THEIRS = "optimizer/vars"
_AGAIN = "Save the model again"


def write(model: Any, memory: io.BytesIO) -> None:
    """Add the state to the weights of a file in memory."""
    import h5py

    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return
    with h5py.File(memory, "r+") as file:
        for name, state in optimizer.state.items():
            for key, array in state.items():
                file[f"{_OWN}/{name}/{key}"] = array
        if not isinstance(optimizer, SGD) or callable(optimizer.learning_rate):
            return
        file[f"{_THEIRS}/0"] = np.int32(optimizer.iteration)
        file[f"{_THEIRS}/1"] = np.float32(optimizer.learning_rate)
        if optimizer.momentum:
            # Keras folds the rate into the velocity: v = momentum v - rate g.
            for number, (name, parameter) in enumerate(_learning(model), start=2):
                velocity = optimizer.state.get(name, {}).get("velocity", np.zeros_like(parameter.value))
                file[f"{_THEIRS}/{number}"] = -float(optimizer.learning_rate) * velocity


def read(
    model: Any, content: bytes, path: str | os.PathLike[str], *, allow_nan: bool = False
) -> dict[str, dict[str, NDArray]]:
    """The state by the parameters' names, as this package wrote it. Only a user's own optimiser may keep other shapes."""
    import h5py

    any_shape = not is_built_in(type(model.optimizer))
    state: dict[str, dict[str, NDArray]] = {}
    with hdf5.open_hdf5(io.BytesIO(content)) as file:
        for name, parameter in model.parameters().items():
            group = hdf5.item(file, f"{_OWN}/{name}", path)
            for key in group if isinstance(group, h5py.Group) else ():
                who = f"the optimizer's {key} of {name}"
                values = hdf5.numbers(group, key, who, parameter.value, path, allow_nan=allow_nan, any_shape=any_shape)
                if values is None:
                    raise ModelFileError(path, f"{who} is no array", _AGAIN)
                state.setdefault(name, {})[key] = values
    return state


def read_keras(model: Any, content: bytes, path: str | os.PathLike[str], *, allow_nan: bool = False) -> None:
    """Give the model's SGD the iteration and the velocities that Keras kept, if it did."""
    optimizer = model.optimizer
    with hdf5.open_hdf5(io.BytesIO(content)) as file:
        iteration = hdf5.dataset(file, f"{_THEIRS}/0", path)
        if iteration is None:
            return
        if iteration.shape != () or iteration.dtype.kind not in "iu" or iteration[()] < 0:
            raise ModelFileError(path, "the optimizer's iteration is no whole number", _AGAIN)
        optimizer.iteration = int(iteration[()])
        if not optimizer.momentum or not optimizer.iteration:
            return
        for number, (name, parameter) in enumerate(_learning(model), start=2):
            who = f"the optimizer's momentum of {name}"
            slot = hdf5.numbers(file, f"{_THEIRS}/{number}", who, parameter.value, path, allow_nan=allow_nan)
            if slot is None:
                raise ModelFileError(path, f"{who} is missing", _AGAIN)
            optimizer.state[name] = {"velocity": slot / -float(optimizer.learning_rate)}


def _learning(model: Any) -> list[tuple[str, Any]]:
    return [(name, parameter) for name, parameter in model.parameters().items() if parameter.trainable]
