"""Functions in a model: they cannot be saved, so they are left out, each with a message that says how to put it back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.configurable import Configurable, signature_defaults
from minitorch_np.initializers import Constant
from minitorch_np.layers import Embedding
from minitorch_np.optimizers import Optimizer
from minitorch_np.saving.objects import encode

if TYPE_CHECKING:
    from minitorch_np.model import Model

_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def for_file(owner: Configurable, argument: str, value: Any) -> Any:
    """The value of a constructor argument, or what replaces it: the default initializer, no regularizer, no constraint."""
    if not _is_table(owner, argument, value) and (not argument.endswith(_ENDINGS) or _can_be_saved(value)):
        return value
    default = signature_defaults(type(owner))[argument]
    return default if argument.endswith("_initializer") and isinstance(default, str) else None


def _is_table(owner: Configurable, argument: str, value: Any) -> bool:
    """Whether it is a table of first values. The file has the weights that were made of it, and not the table itself."""
    if isinstance(value, Constant):
        return np.ndim(value.value) > 0
    return argument == "weights" and isinstance(owner, Embedding) and value is not None


def left_out_of_layers(model: Model) -> list[str]:
    """Describe the initializers, regularizers and constraints that cannot be saved."""
    notes = []
    for place, layer in model.walk():
        for argument, value in layer.config().items():
            if for_file(layer, argument, value) is value or _is_table(layer, argument, value):
                continue
            note, (parameter, _, kind) = f"the {argument} {_name(value)} of {place}", argument.rpartition("_")
            if kind == "initializer":
                notes.append(f"{note}; the weights that it made are in the file")
            else:
                line = f'model.parameters()["{place}.{parameter}"].{kind} = {_name(value)}'
                notes.append(f"{note}. After loading write {line}")
    return notes


def optimizer_for_file(model: Model) -> tuple[Optimizer | None, list[str]]:
    """The model's optimiser, or a copy with a number as learning rate if the rate cannot be saved, and a description of that."""
    optimizer: Optimizer | None = getattr(model, "optimizer", None)
    if optimizer is None or not callable(optimizer.learning_rate) or _can_be_saved(optimizer.learning_rate):
        return optimizer, []
    name = _name(optimizer.learning_rate)
    optimizer = copy.copy(optimizer)
    optimizer.learning_rate = optimizer.current_rate()
    return optimizer, [
        f"the learning rate {name}, replaced by its present value {optimizer.learning_rate:g}. After loading write "
        f"model.optimizer.learning_rate = {name}"
    ]


def compiled_for_file(model: Model, optimizer: Optimizer | None) -> tuple[dict[str, Any] | None, list[str]]:
    """Optimiser, loss and metrics as plain data, as far as they can be saved, and a description of the rest."""
    if optimizer is None:
        return None, []
    described: dict[str, Any] = {}
    rate = optimizer.learning_rate
    if not callable(rate):
        described["learning_rate"] = float(rate)

    def allowed(owner: Configurable, argument: str, value: Any) -> Any:
        """A constructor takes no rate of 0, which a callback may have set."""
        return float(rate) or 1.0 if argument == "learning_rate" and not callable(rate) else value

    try:
        described["optimizer"] = encode(optimizer, "the optimizer", allowed)
        described["loss"] = encode(model.loss, "the loss")
    except ValueError as error:
        return None, [
            f"how the model is trained ({error}). After loading write model.compile(optimizer, loss, metrics)"
        ]
    described["metrics"] = [encode(metric, "a metric") for metric in model.metrics if _can_be_saved(metric)]
    gone = [_name(metric) for metric in model.metrics if not _can_be_saved(metric)]
    if not gone:
        return described, []
    every = ", ".join(repr(metric) if _can_be_saved(metric) else _name(metric) for metric in model.metrics)
    return described, [
        f"the metric{'s' * (len(gone) > 1)} {', '.join(gone)}. After loading write "
        f"model.compile(model.optimizer, model.loss, [{every}])"
    ]


def _can_be_saved(value: Any) -> bool:
    try:
        encode(value, "")
    except ValueError:
        return False
    return True


def _name(value: Any) -> str:
    """The name of a function, or of the class of something else."""
    return getattr(value, "__name__", None) or type(value).__name__
