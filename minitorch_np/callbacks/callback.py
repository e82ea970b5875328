"""Callbacks: what else happens while a model learns, is measured, or is asked."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import AnswersForeignNames
from minitorch_np.base.configurable import is_built_in, signature_defaults, without_address
from minitorch_np.base.state import as_state, put_back
from minitorch_np.base.text import of_class
from minitorch_np.base.validation import CheckedArguments
from minitorch_np.callbacks.hooks import check_hooks

Logs = dict[str, Any] | None


class Callback(CheckedArguments, AnswersForeignNames):
    """Methods that fit, evaluate and predict call; a subclass overrides those it needs. Names and order are Keras's.

    `logs` is always passed: at the end of a batch its loss (its "outputs" in predict), at the end of an epoch and of a test
    what was measured, at the end of training what the last epoch's was; elsewhere it is empty. A number that a callback writes into the
    logs of an epoch or a test is seen by the callbacks after it, and is in the history. Batches and epochs count
    from 0. Validation in fit is a test. Setting `self.model.stop_training = True` ends training after the epoch.

    `on_batch_begin` and `on_batch_end` are other names of `on_train_batch_begin` and `on_train_batch_end`, as in Keras. A method
    whose name or arguments are nearly those of a hook is refused, since it would never be called as it was meant.

    Attributes:
        model: the model.
        params: "epochs"; "steps" in one, None if that is not known; "verbose", 1 if a bar is shown, else 0.
        kept: the names of the attributes that a checkpoint keeps: plain data and arrays that change while the model learns.
        compared: the names of the attributes that a resumed run must have as they were: those that steer it.
    """

    model: Any = None
    params: dict[str, Any] = {}
    kept: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if is_built_in(type(self)) and not hasattr(self, name):
                from difflib import get_close_matches

                near = get_close_matches(name, signature_defaults(type(self)), 1, 0.85)
                if near and near != [name]:
                    raise AttributeError(
                        f"{type(self).__name__} has no attribute {name!r}, so setting it has no effect. Did you mean {near[0]}?"
                    )
            object.__setattr__(self, name, value)

    def set_model(self, model: Any) -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def check_measured(self, names: Collection[str]) -> None:
        """Called by fit before training begins, with the names that the logs of an epoch will have.

        Raises:
            ValueError: one that the callback needs is not among them.
        """

    def on_train_begin(self, logs: Logs = None) -> None: ...

    def on_train_end(self, logs: Logs = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None: ...

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None: ...

    def on_batch_end(self, batch: int, logs: Logs = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None: ...

    def on_test_end(self, logs: Logs = None) -> None: ...

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None: ...

    def on_predict_begin(self, logs: Logs = None) -> None: ...

    def on_predict_end(self, logs: Logs = None) -> None: ...

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None: ...

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None: ...

    def get_state(self) -> dict[str, Any]:
        """The attributes that `kept` names, copied."""
        return {name: as_state(getattr(self, name)) for name in self.kept if hasattr(self, name)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back what was kept; called after on_train_begin when a run is resumed.

        Raises:
            ValueError: the state names other attributes than `kept` does.
        """
        if not set(state) <= set(self.kept):
            raise ValueError(
                f"{type(self).__name__} keeps {', '.join(self.kept)}, and the state has {', '.join(map(str, state))}"
            )
        for name, value in state.items():
            setattr(self, name, put_back(getattr(self, name, None), value))


def numbers_in(logs: Mapping[str, Any]) -> dict[str, float]:
    """Those values that are numbers, also NumPy's and other packages' arrays of no axis, as Python floats."""
    found = ((name, as_number(value)) for name, value in logs.items())
    return {name: value for name, value in found if value is not None}


def cell(value: float) -> float | str:
    """A number as a cell of a table: NA where there is none."""
    return "NA" if math.isnan(value) else value


def as_number(value: Any) -> float | None:
    if type(value) is float:
        return value
    if isinstance(value, (str, bytes)) or getattr(value, "shape", ()) != () or np.iscomplexobj(value):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


# What fit, evaluate and predict do with callbacks


def checked_callbacks(callbacks: Any, who: str) -> list[Callback]:
    """The callbacks as a list.

    Raises:
        ValueError: something else is there, or the same callback twice, or one with a method that looks like a hook and is none.
    """
    if not isinstance(callbacks, (list, tuple)):
        raise ValueError(f"{who}: callbacks is a list, got {callbacks!r}. Write callbacks=[…].{of_class(callbacks)}")
    for callback in callbacks:
        if isinstance(callback, type):
            raise ValueError(f"{who}:{of_class(callback)}")
        if not isinstance(callback, Callback):
            kind = type(callback)
            hint = ""
            if hasattr(callback, "on_epoch_end"):
                hint = f" {kind.__module__}.{kind.__name__} is no minitorch_np.Callback: use its like in minitorch_np.callbacks."
            elif callable(callback):
                hint = " Write a class: class Mine(mt.Callback), with a method on_epoch_end(self, epoch, logs=None)."
            raise ValueError(f"{who}: expected callbacks such as EarlyStopping(), got {callback!r}.{hint}")
        if sum(callback is other for other in callbacks) > 1:
            raise ValueError(
                f"{who}: {callback!r} is in callbacks twice, and would count everything twice. List it once."
            )
        check_hooks(callback)
    return list(callbacks)


def introduce(watchers: Iterable[Callback], model: Any, epochs: int, steps: int | None, verbose: bool) -> None:
    """Tell callbacks whom they watch, and for how long."""
    for watcher in watchers:
        watcher.set_model(model)
        watcher.set_params({"epochs": epochs, "steps": steps, "verbose": int(verbose)})


def tell(watchers: Iterable[Callback], hook: str, *arguments: Any) -> None:
    """Call one hook of every callback."""
    for watcher in watchers:
        getattr(watcher, hook)(*arguments)


def end(watchers: Sequence[Callback], logs: Logs) -> None:
    """Call on_train_end of every callback in turn, also of those after one that raises."""
    with ExitStack() as stack:
        for watcher in reversed(watchers):  # the stack goes through them backwards
            stack.callback(watcher.on_train_end, logs)


def check_all_measured(watchers: Sequence[Callback], names: Collection[str]) -> None:
    """Let callbacks refuse names that are missing; after a hook from outside the package, which may add to the logs, none can."""
    for watcher in watchers:
        if not watcher.on_epoch_end.__module__.startswith(f"{__name__.partition('.')[0]}."):
            return
        watcher.check_measured(names)


def steering(watchers: Iterable[Callback]) -> dict[str, str]:
    """What callbacks a run has and how they are set, of those that keep or steer something, in words."""
    steers = [watcher for watcher in watchers if watcher.kept or watcher.compared]
    found = {"callbacks": ", ".join(type(watcher).__name__ for watcher in steers) or "none"}
    for watcher in steers:
        for name in watcher.compared:
            key = f"{type(watcher).__name__}.{name}"
            words = without_address(getattr(watcher, name))
            found[key] = f"{found[key]}, {words}" if key in found else words
    return found
