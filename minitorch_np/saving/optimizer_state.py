"""The optimiser's state in a model file: as Keras keeps it, and under this package's names where Keras's form is not the same to the bit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.configurable import is_built_in
from minitorch_np.optimizers import SGD, Adagrad, Adam, AdamW, Lion, Nadam, Optimizer, RMSprop
from minitorch_np.saving.errors import FileProblem, warn
from minitorch_np.saving.hdf5 import Reader
from minitorch_np.saving.limits import check_iteration
from minitorch_np.saving.weights import Place

if TYPE_CHECKING:
    from pathlib import Path

    from minitorch_np.base.shapes import NDArray

    State = dict[str, dict[str, NDArray]]

OURS = "minitorch_np"
KERAS = "optimizer/vars"


def write(optimizer: Optimizer, kept: Sequence[Place], memory: io.BytesIO) -> None:
    """Add the optimiser's state to the weights of a file in memory."""
    import h5py

    slots = _slots(optimizer)
    in_our_names = slots is None or _scale(optimizer) != 1
    learning = {place.name for place in kept if place.parameter.trainable}
    with h5py.File(memory, "r+") as file:
        for name, state in optimizer.state.items():
            # Keras keeps nothing of frozen parameters; here they may learn again.
            for key, array in state.items() if in_our_names or name not in learning else ():
                file[f"{OURS}/{name}/{key}"] = array
        if slots is None:
            return
        values: list[Any] = [np.int32(optimizer.iteration)]
        if not callable(optimizer.learning_rate):
            values.append(np.float32(optimizer.learning_rate))
        for (_, name, parameter), slot in _in_order(kept, slots):
            array = optimizer.state.get(name, {}).get(slot, np.full_like(parameter.value, _initial(optimizer)))
            values.append(array * _scale(optimizer))
        if isinstance(optimizer, Nadam):
            values.append(np.float32(optimizer.product(optimizer.iteration)))
        for number, array in enumerate(values):
            file[f"{KERAS}/{number}"] = array


def read(optimizer: Optimizer, kept: Sequence[Place], reader: Reader) -> State:
    """The state by the parameters' names, as this package wrote it. Only a user-defined optimiser may keep other shapes."""
    any_shape = not is_built_in(type(optimizer))
    state: State = {}
    for _, name, parameter in kept:
        for key in reader.names(f"{OURS}/{name}"):
            who = f"the optimizer's {key} of {name}"
            values = reader.numbers(f"{OURS}/{name}/{key}", who, parameter.value, any_shape=any_shape)
            state.setdefault(name, {})[key] = values
    if optimizer.iteration and _slots(optimizer) is not None and _scale(optimizer) == 1:
        state |= _of_keras(optimizer, kept, reader, keras_paths(_count(optimizer, kept)))
    return state


def read_keras(optimizer: Optimizer, kept: Sequence[Place], reader: Reader, file: Path) -> None:
    """Give the optimiser the iteration and the state that a Keras 3 file holds, if it does."""
    count = len(reader.names(KERAS))
    complete = reader.item(f"{KERAS}/{count}") is None  # the arrays are numbered from 0
    read_listed(optimizer, kept, reader, keras_paths(count if complete else _count(optimizer, kept)), file)


def keras_paths(count: int) -> list[str]:
    return [f"{KERAS}/{number}" for number in range(count)]


def read_listed(optimizer: Optimizer, kept: Sequence[Place], reader: Reader, paths: Sequence[str], file: Path) -> None:
    """Give the optimiser the iteration and the state that Keras kept in these datasets, in its order.

    If they are not those that Keras 3 keeps for this optimiser, warn and let it begin anew.
    """
    iteration = reader.dataset(paths[0]) if paths else None
    if iteration is None:
        return
    if iteration.shape != () or iteration.dtype.kind not in "iu" or iteration[()] < 0:
        raise FileProblem("the optimizer's iteration is not a whole number")
    steps, due = check_iteration(int(iteration[()])), _count(optimizer, kept)
    if steps and (_slots(optimizer) is None or len(paths) != due):
        warn(
            file,
            f"the optimizer's state does not match the parameters that learn ({len(paths)} arrays, expected {due}): layers were "
            "frozen or freed after training, or an older Keras wrote it. The optimizer begins anew.",
        )
    elif steps:
        optimizer.iteration = steps
        optimizer.state = _of_keras(optimizer, kept, reader, paths)


def _count(optimizer: Optimizer, kept: Sequence[Place]) -> int:
    """How many arrays Keras keeps: iteration, learning rate, the slots, and Nadam's product, which follows from the iteration."""
    scalars = 1 + (not callable(optimizer.learning_rate)) + isinstance(optimizer, Nadam)
    return scalars + len(_in_order(kept, _slots(optimizer) or []))


def _of_keras(optimizer: Optimizer, kept: Sequence[Place], reader: Reader, paths: Sequence[str]) -> State:
    """The state that is in Keras's places, in this package's form."""
    state: State = {}
    first = 1 if callable(optimizer.learning_rate) else 2
    for path, ((_, name, parameter), slot) in zip(
        paths[first:], _in_order(kept, _slots(optimizer) or []), strict=False
    ):
        array = reader.numbers(path, f"the optimizer's {slot} of {name}", parameter.value)
        state.setdefault(name, {})[slot] = array / _scale(optimizer)
    return state


# What Keras keeps: groups, each of which goes through all parameters, and the argument without which there is no such group.
_SLOTS: dict[type, list[tuple[tuple[str, ...], str | None]]] = {
    SGD: [(("velocity",), "momentum")],
    Adam: [(("momentum", "velocity"), None), (("velocity_hat",), "amsgrad")],
    Nadam: [(("momentum", "velocity"), None)],
    RMSprop: [(("velocity",), None), (("momentum",), "momentum"), (("average_gradient",), "centered")],
    Adagrad: [(("accumulator",), None)],
    Lion: [(("momentum",), None)],
}
_SLOTS[AdamW] = _SLOTS[Adam]


def _slots(optimizer: Optimizer) -> list[tuple[str, ...]] | None:
    """The groups of an optimiser, or None if Keras's state is different."""
    if type(optimizer) not in _SLOTS:
        return None
    slots = [group for group, needed in _SLOTS[type(optimizer)] if needed is None or getattr(optimizer, needed)]
    return None if isinstance(optimizer, SGD) and slots and callable(optimizer.learning_rate) else slots


def _scale(optimizer: Optimizer) -> float:
    """Keras's state divided by ours: its SGD multiplies the learning rate into the velocity, v = momentum v - rate g."""
    return -optimizer.current_rate() if isinstance(optimizer, SGD) and optimizer.momentum else 1.0


def _initial(optimizer: Optimizer) -> float:
    return float(getattr(optimizer, "initial_accumulator_value", 0.0))


def _in_order(kept: Sequence[Place], slots: list[tuple[str, ...]]) -> list[tuple[Place, str]]:
    return [(place, slot) for group in slots for place in kept if place.parameter.trainable for slot in group]
