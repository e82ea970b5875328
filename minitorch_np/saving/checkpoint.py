"""Checkpoint: the file of a training run, from which the run continues to the bit."""

from __future__ import annotations

import re
import weakref
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.code import sum_of_code
from minitorch_np.base.configurable import is_built_in, without_address
from minitorch_np.base.files import AnyPath, as_path, check_writable, write_whole
from minitorch_np.base.parameter import Parameter
from minitorch_np.saving import archive
from minitorch_np.saving.environment import environment
from minitorch_np.saving.errors import FileProblem, refusing, warn
from minitorch_np.saving.opening import opened
from minitorch_np.saving.own_state import check_plain, own_state
from minitorch_np.saving.plain_data import Arrays, put_back, take_out

if TYPE_CHECKING:
    from minitorch_np.callbacks import Callback
    from minitorch_np.model import Model

FORMAT = 2
_STATE, _ARRAYS = "state.json", "arrays"
_LARGEST_STATE = 1 << 26  # more than for a model, because callbacks and metrics may keep lists
_OTHER_PATH = "Give resume another path"
_REMEDY = "Give fit what the run began with, or resume another path"


class Checkpoint:
    """The file of one run. `begin` describes the run; then `read` and `write` load and save its state.

    Args:
        path: the file. Its folder exists and may be written to.

    Raises:
        FileNotFoundError, PermissionError: now, before training.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path: Path = as_path(path, "fit", "resume")
        check_writable(self.path, "fit(resume=…)")
        self.about: dict[str, str] = {}
        self.code: dict[str, str] = {}
        self.own_state: dict[str, list[str]] = {}
        self.parameters: Mapping[str, Parameter] = {}
        self.any_shape: bool = False  # a user-defined optimiser may keep arrays of other shapes than the parameters'

    def begin(
        self,
        model: Model,
        settings: dict[str, Any],
        callbacks: Sequence[Callback] = (),
        sources: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe the model, optimiser, loss, data and settings, which a resumed run must match, and the code that is not of
        this package; a change of that code is only warned of.
        """
        optimizer = model.optimizer
        self.parameters, self.any_shape = model.parameters(), not is_built_in(type(optimizer))
        config = {name: value for name, value in optimizer.config().items() if name != "learning_rate"}
        self.about = {
            **{f"layer {name or 'model'}": _outline(layer) for name, layer in model.walk()},
            **self._shapes(),
            "optimizer": f"{type(optimizer).__name__} with {_description(config)}",
            "learning_rate": _description(optimizer.learning_rate),
            "loss": _description(model.loss),
            "metrics": ", ".join(map(_description, model.metrics)),
            "dtype": str(model.compute_dtype),
            **{name: str(value) for name, value in settings.items()},
        }
        self.code = _sums(model, callbacks, sources or {})
        self.own_state = own_state(model)
        check_plain(model, self.own_state)

    def write(self, state: dict[str, Any]) -> None:
        """Write the run's state, which consists of plain data, dictionaries, lists and arrays, in place of the earlier one."""
        arrays = Arrays()
        described = {
            "format": FORMAT,
            "about": self.about,
            "code": self.code,
            "environment": environment(),
            "since": {"learning_rate": str(state["optimizer"]["learning_rate"]), **self._shapes()},
            "state": take_out(state, arrays),
        }
        files = {_STATE: archive.as_json(described), _ARRAYS: b"".join(arrays.parts)}
        write_whole(self.path, archive.pack(files, _LARGEST_STATE))

    def read(self) -> dict[str, Any] | None:
        """The state, or None if there is no file yet.

        Raises:
            ModelFileError: the file is damaged, or belongs to another run; it names the difference.
        """
        if not self.path.exists():
            return None
        with opened(self.path, _REMEDY) as file:
            files, has_sums = archive.unpack(file, "a checkpoint", _OTHER_PATH, _LARGEST_STATE)
            if _STATE not in files or not has_sums:
                raise FileProblem("it is not a checkpoint", _OTHER_PATH)
            described = archive.parse(files[_STATE], _LARGEST_STATE)
            if described["format"] != FORMAT:
                what = f"its format is {described['format']!r}, this version reads {FORMAT}"
                raise FileProblem(what, "Use the version that wrote it")
            state = put_back(described["state"], files[_ARRAYS])
            try:
                self._compare(described["about"], described["since"])
            except FileProblem:
                if state["position"]["steps"] == 0:  # it ended before its first step, so nothing is lost
                    return None
                raise
            self._check(state)
            changed = self._changes(described["code"], described["environment"])
        for change in changed:
            warn(self.path, change)
        return state

    def refusing(self) -> AbstractContextManager[None]:
        """Inside the `with` block every error is the file's fault, and becomes a ModelFileError."""
        return refusing(self.path, _REMEDY)

    def _shapes(self) -> dict[str, str]:
        return {
            f"shape of {name}": f"{one.shape}{'' if one.trainable else ', frozen'}"
            f"{'' if one.factors is None else f', rate {one.rate}, decay {one.decay}'}"
            for name, one in self.parameters.items()
        }

    def _compare(self, there: dict[str, str], since: dict[str, str]) -> None:
        """Raise unless this run is the file's. A callback may have changed what `since` describes."""
        for name in dict.fromkeys([*self.about, *there]):
            here, then = self.about.get(name, "nothing"), there.get(name, "nothing")
            if here in (then, since.get(name)):
                continue
            if name in ("data", "validation data"):
                here, then = "other examples", "those the run began with"
            what = f"it is of another run: {name} is {here or 'nothing'} here and {then or 'nothing'} there"
            raise FileProblem(what, _REMEDY)
        self.about = there

    def _changes(self, code: dict[str, str], there: dict[str, str]) -> list[str]:
        """Describe what has changed since the file was written, and may change the last bits."""
        here = environment()
        found = [f"{name} was {there.get(name)} and is {here[name]}" for name in here if here[name] != there.get(name)]
        changed = [name for name in self.code if self.code[name] != code.get(name, self.code[name])]
        if changed and here["Python"] == there.get("Python"):  # another Python compiles the same text to other code
            found.append(f"the code of {', '.join(changed)} has changed, or a number that it takes from around it")
        return [f"{change}. The run continues, but may end in other bits than without the break." for change in found]

    def _check(self, state: Any) -> None:
        """Raise unless the arrays and counts fit, before anything is changed."""
        for name, parameter in self.parameters.items():
            _check_fit(state["weights"][name], f"{name} there", parameter.value)
            if not isinstance(state["trainable"][name], bool):
                raise ValueError(f"it does not say whether {name} learns")
        for name, kept in state["optimizer"]["state"].items():
            for key, array in kept.items():
                like = array if self.any_shape else self.parameters[name].value
                _check_fit(array, f"the optimizer's {key} of {name}", like)
        counts = [state["position"][name] for name in ("steps", "epoch", "batch", "seen", "place")]
        for count in (*counts, state["optimizer"]["iteration"]):
            if isinstance(count, bool) or not isinstance(count, int) or count < 0:
                raise ValueError(f"it has {count!r} in place of a number of steps or examples")
        for value in (state["position"]["total"], *(value for values in state["history"].values() for value in values)):
            if value is not None and not isinstance(value, (int, float, np.number, np.bool_)):
                raise ValueError(f"it has {value!r} in place of a measured number")


def _sums(model: Model, callbacks: Sequence[Callback], sources: Mapping[str, Any]) -> dict[str, str]:
    """The sum of the code of each part of a run that is not of this package alone, by name."""
    rate = model.optimizer.learning_rate
    parts: dict[str, Any] = {
        **{f"layer {place or 'model'}": layer for place, layer in model.walk()},
        "the loss": model.loss,
        "the optimizer": model.optimizer,
        "learning_rate": rate if callable(rate) else None,
        **{f"metric {number}": metric for number, metric in enumerate(model.metrics, start=1)},
    }
    for callback in callbacks:
        for name in callback.compared:
            key = f"{type(callback).__name__}.{name}"
            parts[key] = (*parts.get(key, ()), getattr(callback, name))
    named = {id(part) for part in parts.values()}
    user_defined = {type(callback) for callback in callbacks if not is_built_in(type(callback))}
    return {
        **{name: sum_of_code(part, *_held(part, named)) for name, part in parts.items() if part is not None},
        **{f"callback {kind.__name__}": sum_of_code(kind) for kind in user_defined},
        **{name: sum_of_code(data, *_held(data, set()), arrays=True) for name, data in sources.items()},
    }


def _held(thing: Any, named: set[int]) -> list[Any]:
    """The user-defined functions and objects in an object's attributes, without those that have a sum of their own."""
    held = [value for value in getattr(thing, "__dict__", {}).values() if id(value) not in named]
    return [
        value for value in held if callable(value) and not is_built_in(type(value)) and type(value) is not weakref.ref
    ]


def _check_fit(array: Any, who: str, like: np.ndarray) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != like.dtype or array.shape != like.shape:
        raise ValueError(f"{who} does not fit")
    if not np.isfinite(array).all():
        raise ValueError(f"{who} holds values that are not finite")


def _outline(layer: Any) -> str:
    """A description of a layer. Layers inside it are described by themselves."""
    if not layer.sublayers():
        return _description(layer)
    rest = {name: value for name, value in layer.config().items() if isinstance(value, (bool, int, float, str))}
    return f"{type(layer).__name__} with {rest}"


def _description(thing: Any) -> str:
    """An object's repr without its address in memory and without its generator."""
    return re.sub(r",? ?rng=(Generator\(\w+\)|[^,)]*)", "", without_address(thing))
