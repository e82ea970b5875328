"""Callback: methods that run while a model is trained, evaluated, or predicts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import AnswersForeignNames
from minitorch_np.base.configurable import is_built_in, signature_defaults
from minitorch_np.base.state import as_state, put_back
from minitorch_np.base.validation import CheckedArguments

if TYPE_CHECKING:
    from minitorch_np.model import Model

Logs = dict[str, Any] | None


class Callback(CheckedArguments, AnswersForeignNames):
    """Methods that fit, evaluate and predict call; a subclass overrides those it needs. Names and order are Keras's.

    `logs` is always passed. At the end of a batch it has the loss (in predict, the "outputs"); at the end of an epoch or test,
    what was measured; at the end of training, what was measured in the last epoch; elsewhere it is empty. A number that a callback
    writes into the logs of an epoch or a test reaches the callbacks after it and the history. Batches and epochs count from 0.
    Validation in fit is a test. Setting `self.model.stop_training = True` ends training after the epoch.

    `on_batch_begin` and `on_batch_end` are other names of `on_train_batch_begin` and `on_train_batch_end`, as in Keras. fit refuses
    a method whose name or arguments are almost those of a hook, since it would not be called as intended.

    Attributes:
        model: the model.
        params: "epochs"; "steps" in one, None if that is not known; "verbose", 1 if a bar is shown, else 0; "validation_freq" if
            fit was given another one than 1.
        kept: the names of the attributes that a checkpoint keeps: plain data and arrays that change during training.
        compared: the names of the attributes that must be equal in a resumed run.
        first: True on classes whose callbacks run before the others, wherever they are in the list.
    """

    model: Model = None  # type: ignore[assignment]  # until set_model
    params: dict[str, Any] = {}
    kept: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    first: bool = False

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

    def set_model(self, model: Model) -> None:
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
        """Restore what was kept; called after on_train_begin when a run is resumed.

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
    """The values that are numbers, as Python floats; arrays without an axis count as numbers."""
    found = ((name, as_number(value)) for name, value in logs.items())
    return {name: value for name, value in found if value is not None}


def cell(value: float) -> float | str:
    """A number as a cell of a table: NA for NaN."""
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
