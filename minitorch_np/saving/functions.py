"""Functions in a model: no file holds them, so they are left out, each with the line that puts it back."""

from __future__ import annotations

import copy
from typing import Any

from minitorch_np.base.configurable import signature_defaults
from minitorch_np.saving.objects import encode

# Constructor arguments by object and name, and what takes their place in the file.
Instead = dict[tuple[int, str], Any]


def in_layers(model: Any) -> tuple[Instead, list[str]]:
    """Initializers, which are not needed where the weights are, and regularizers that cannot be saved; and what to say of them."""
    instead: Instead = {}
    notes = []
    for place, layer in model.walk():
        for argument, value in layer.config().items():
            saved = for_file(layer, argument, value)
            if saved is value:
                continue
            instead[id(layer), argument] = saved
            note, parameter = f"the {argument} {_name(value)} of {place}", argument.removesuffix("_regularizer")
            if parameter == argument:
                notes.append(f"{note}; the weights that it drew are in the file")
            else:
                line = f'model.parameters()["{place}.{parameter}"].regularizer = {_name(value)}'
                notes.append(f"{note}. After loading write {line}")
    return instead, notes


def for_file(layer: Any, argument: str, value: Any) -> Any:
    """The value of a constructor argument, or what takes its place: the default initializer, or no regularizer."""
    if not argument.endswith(("_initializer", "_regularizer")) or _can_be_saved(value):
        return value
    default = signature_defaults(type(layer))[argument]
    return default if argument.endswith("_initializer") and isinstance(default, str) else None


def optimizer_for_file(model: Any) -> tuple[Any, list[str]]:
    """The model's optimiser, or a copy with a number for a learning rate that cannot be saved; and what to say of that."""
    optimizer: Any = getattr(model, "optimizer", None)
    rate: Any = getattr(optimizer, "learning_rate", None)
    if not callable(rate) or _can_be_saved(rate):
        return optimizer, []
    optimizer = copy.copy(optimizer)
    optimizer.learning_rate = optimizer.current_rate()
    return optimizer, [
        f"the learning rate {_name(rate)}, in whose place is its present value {optimizer.learning_rate:g}. After loading write "
        f"model.optimizer.learning_rate = {_name(rate)}"
    ]


def compiled(model: Any, optimizer: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """Optimiser, loss and metrics as plain data, as far as they can be saved; and what to say of the rest."""
    if model.loss is None:
        return None, []
    described: dict[str, Any] = {}
    instead: Instead = {}
    rate = optimizer.learning_rate
    if not callable(rate):  # a constructor takes no rate of 0, which a callback may have set
        described["learning_rate"] = float(rate)
        instead[id(optimizer), "learning_rate"] = float(rate) or 1.0
    try:
        described["optimizer"] = encode(optimizer, "the optimizer", instead)
        described["loss"] = encode(model.loss, "the loss")
    except ValueError as error:
        return None, [f"how the model learns ({error}). After loading write model.compile(optimizer, loss, metrics)"]
    savable = [metric for metric in model.metrics if _can_be_saved(metric)]
    described["metrics"] = [encode(metric, "a metric") for metric in savable]
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
    """The name of a function, and of what has none the class."""
    return getattr(value, "__name__", None) or type(value).__name__
