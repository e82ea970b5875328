"""The optimiser's state in a model file: as Keras keeps it, and under its own names where that is not the same to the bit."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import is_built_in
from minitorch_np.optimizers import SGD, Nadam
from minitorch_np.saving import hdf5, limits, weights
from minitorch_np.saving.errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OWN = "minitorch_np"
_THEIRS = "optimizer/vars"
_AGAIN = "Save the model again"


def write(model: Any, optimizer: Any, memory: io.BytesIO) -> None:
    """Add the state of its optimiser, or of a copy with another rate, to the weights of a file in memory."""
    import h5py

    if optimizer is None:
        return
    slots = _slots(optimizer)
    otherwise = slots is None or _scale(optimizer) != 1
    learning = {name for name, parameter in model.parameters().items() if parameter.trainable}
    with h5py.File(memory, "r+") as file:
        for name, state in optimizer.state.items():
            # Keras keeps nothing of what is frozen; here it may learn again.
            for key, array in state.items() if otherwise or name not in learning else ():
                file[f"{_OWN}/{name}/{key}"] = array
        if slots is None:
            return
        scalars: list[Any] = [np.int32(optimizer.iteration)]
        if not callable(optimizer.learning_rate):
            scalars.append(np.float32(optimizer.learning_rate))
        arrays = [
            optimizer.state.get(name, {}).get(slot, np.full_like(parameter.value, _beginning(optimizer)))
            * _scale(optimizer)
            for name, parameter, slot in _in_order(model, slots)
        ]
        after = [np.float32(optimizer.product(optimizer.iteration))] if isinstance(optimizer, Nadam) else []
        for number, array in enumerate([*scalars, *arrays, *after]):
            file[f"{_THEIRS}/{number}"] = array


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
        if model.optimizer.iteration and _slots(model.optimizer) is not None and _scale(model.optimizer) == 1:
            places = [str(number) for number in range(_count(model))]
            state |= _of_keras(model, hdf5.item(file, _THEIRS, path), places, path, allow_nan)
    return state


def read_keras(model: Any, content: bytes, path: str | os.PathLike[str], *, allow_nan: bool = False) -> None:
    """Give the model's optimiser the iteration and the state that Keras kept, if it did."""
    import h5py

    with hdf5.open_hdf5(io.BytesIO(content)) as file:
        group = hdf5.item(file, _THEIRS, path)
        if isinstance(group, h5py.Group):
            # Whole, it is numbered from 0; what is missing is said when it is looked for.
            count = len(group) if str(len(group)) not in group else _count(model)
            read_listed(model, group, [str(number) for number in range(count)], path, allow_nan=allow_nan)


def read_listed(
    model: Any, group: Any, places: Sequence[str], path: str | os.PathLike[str], *, allow_nan: bool = False
) -> None:
    """Give the model's optimiser the iteration and the state that Keras kept at these places of a group, in its order.

    Where they are not those that Keras 3 keeps for this optimiser, warn, and let it begin anew.
    """
    iteration = hdf5.dataset(group, places[0], path) if places else None
    if iteration is None:
        return
    if iteration.shape != () or iteration.dtype.kind not in "iu" or iteration[()] < 0:
        raise ModelFileError(path, "the optimizer's iteration is no whole number", _AGAIN)
    steps, due = limits.iteration(int(iteration[()])), _count(model)
    if not steps:
        return
    if _slots(model.optimizer) is None or len(places) != due:
        warnings.warn(
            f"{os.fspath(path)}: the optimizer's state is of other parameters than those that learn ({len(places)} arrays, "
            f"expected {due}), as when layers were frozen or freed after training, or of an older Keras; it begins anew.",
            stacklevel=caller(),
        )
        return
    model.optimizer.iteration = steps
    model.optimizer.state = _of_keras(model, group, places, path, allow_nan)


def _count(model: Any) -> int:
    """How many arrays Keras keeps: iteration, learning rate, the slots, and Nadam's product, which follows from the iteration."""
    optimizer = model.optimizer
    scalars = 1 + (not callable(optimizer.learning_rate)) + isinstance(optimizer, Nadam)
    return scalars + len(_in_order(model, _slots(optimizer) or []))


def _of_keras(
    model: Any, group: Any, places: Sequence[str], path: str | os.PathLike[str], allow_nan: bool
) -> dict[str, dict[str, NDArray]]:
    """The state in Keras's places, in this package's terms."""
    state: dict[str, dict[str, NDArray]] = {}
    first = 1 if callable(model.optimizer.learning_rate) else 2
    in_order = _in_order(model, _slots(model.optimizer) or [])
    for place, (name, parameter, slot) in zip(places[first:], in_order, strict=False):
        who = f"the optimizer's {slot} of {name}"
        array = hdf5.numbers(group, place, who, parameter.value, path, allow_nan=allow_nan)
        if array is None:
            raise ModelFileError(path, f"{who} is missing", _AGAIN)
        state.setdefault(name, {})[slot] = array / _scale(model.optimizer)
    return state


# What Keras keeps, in groups that go through the parameters one after the other.
_SLOTS: dict[str, Callable[[Any], list[tuple[str, ...]]]] = {
    "SGD": lambda it: [("velocity",)] if it.momentum else [],
    "Adam": lambda it: [("momentum", "velocity"), *([("velocity_hat",)] if it.amsgrad else [])],
    "Nadam": lambda it: [("momentum", "velocity")],
    "RMSprop": lambda it: [
        ("velocity",),
        *([("momentum",)] if it.momentum else []),
        *([("average_gradient",)] if it.centered else []),
    ],
    "Adagrad": lambda it: [("accumulator",)],
    "Lion": lambda it: [("momentum",)],
}
_SLOTS["AdamW"] = _SLOTS["Adam"]


def _slots(optimizer: Any) -> list[tuple[str, ...]] | None:
    """The groups of an optimiser, or None where Keras's state is another one."""
    kind = type(optimizer).__name__
    if not is_built_in(type(optimizer)) or kind not in _SLOTS:
        return None
    slots = _SLOTS[kind](optimizer)
    return None if kind == "SGD" and slots and callable(optimizer.learning_rate) else slots


def _scale(optimizer: Any) -> float:
    """Keras's state over ours: its SGD folds the rate into the velocity, v = momentum v - rate g."""
    return -optimizer.current_rate() if isinstance(optimizer, SGD) and optimizer.momentum else 1.0


def _beginning(optimizer: Any) -> float:
    return float(getattr(optimizer, "initial_accumulator_value", 0.0))


def _in_order(model: Any, slots: list[tuple[str, ...]]) -> list[tuple[str, Any, str]]:
    learning = [(name, parameter) for name, parameter in weights.keras_parameters(model) if parameter.trainable]
    return [(name, parameter, slot) for group in slots for name, parameter in learning for slot in group]
