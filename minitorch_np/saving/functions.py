"""Functions in a model. A file holds their names, and load_model is given the functions.

A function without a name, such as a lambda, is left out, with a message that says how to put it back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.configurable import Configurable, signature_defaults
from minitorch_np.initializers import Constant
from minitorch_np.layers import Embedding
from minitorch_np.optimizers import Optimizer
from minitorch_np.saving.errors import warn
from minitorch_np.saving.objects import MissingFunction, decode, encode, functions_in, name_of, names_in

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


def for_keras(owner: Configurable, argument: str, value: Any) -> Any:
    """As for_file, and without functions that have a name, which Keras does not have either."""
    if not argument.endswith(_ENDINGS) or not any(functions_in(value)):
        return for_file(owner, argument, value)
    default = signature_defaults(type(owner))[argument]
    return default if isinstance(default, str) else None


def regularizers_with_functions(model: Model) -> list[str]:
    """The names of the functions in regularizers and constraints that a file for this package holds by name."""
    return [
        name_of(function)
        for _, layer in model.walk()
        for argument, value in layer.config().items()
        if argument.endswith(("_regularizer", "_constraint")) and _can_be_saved(value)
        for function in functions_in(value)
    ]


def left_out_of_layers(model: Model) -> list[str]:
    """Describe the initializers, regularizers and constraints that cannot be saved."""
    notes = []
    for place, layer in model.walk():
        for argument, value in layer.config().items():
            if for_file(layer, argument, value) is value or _is_table(layer, argument, value):
                continue
            note, (parameter, _, kind) = f"the {argument} {name_of(value)} of {place}", argument.rpartition("_")
            if kind == "initializer":
                notes.append(f"{note}; the weights that it made are in the file")
            else:
                line = f'model.parameters()["{place}.{parameter}"].{kind} = {name_of(value)}'
                notes.append(f"{note}. After loading write {line}")
    return notes


def optimizer_for_file(model: Model) -> tuple[Optimizer | None, list[str]]:
    """The model's optimiser, or a copy with a number as learning rate if the rate cannot be saved, and a description of that."""
    optimizer: Optimizer | None = getattr(model, "optimizer", None)
    if optimizer is None or not callable(optimizer.learning_rate) or _can_be_saved(optimizer.learning_rate):
        return optimizer, []
    name = name_of(optimizer.learning_rate)
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
    described["learning_rate"] = optimizer.current_rate() if callable(rate) else float(rate)

    def allowed(owner: Configurable, argument: str, value: Any) -> Any:
        """A constructor takes no rate of 0, which a callback may have set."""
        return float(rate) or 1.0 if argument == "learning_rate" and not callable(rate) else value

    try:
        described["optimizer"] = encode(optimizer, "the optimizer", allowed)
        described["loss"] = encode(model.loss, "the loss")
    except ValueError as error:
        return None, [f"how the model is trained ({error}) After loading write model.compile(optimizer, loss, metrics)"]
    described["metrics"] = [encode(metric, "a metric") for metric in model.metrics if _can_be_saved(metric)]
    gone = [name_of(metric) for metric in model.metrics if not _can_be_saved(metric)]
    if not gone:
        return described, []
    every = ", ".join(repr(metric) if _can_be_saved(metric) else name_of(metric) for metric in model.metrics)
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


def check_names(model: Model) -> None:
    """Raise ValueError if two different functions of a model have the same name."""
    found: dict[str, Any] = {}
    parts = [*(layer for _, layer in model.walk()), model.optimizer, model.loss, *model.metrics]
    for function in functions_in(parts):
        name = name_of(function)
        if name.isidentifier() and found.setdefault(name, function) != function:
            raise ValueError(
                f"{type(model).__name__}.save: two different functions are called {name!r}, and a file holds functions by their "
                "names. Rename one of them."
            )


def checked_functions(functions: Any) -> dict[str, Callable[..., Any]]:
    """The argument `functions` of load_model. Raises ValueError if it is no dictionary of functions by their names."""
    if functions is None:
        return {}
    if not isinstance(functions, Mapping) or not all(
        isinstance(name, str) and callable(function) for name, function in functions.items()
    ):
        raise ValueError(
            f'load_model: functions is a dictionary of functions by their names, such as {{"closeness": closeness}}, got {functions!r:.200}.'
        )
    return dict(functions)


class LastRate:
    """In place of a schedule that was not given until the optimiser's state is read, which depends on there being a schedule."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, step: int) -> float:
        return self.rate


def compiled_from_file(
    described: dict[str, Any], metrics: Sequence[Any], functions: Mapping[str, Callable[..., Any]], left_out: list[str]
) -> tuple[Any, Any, list[Any]]:
    """Optimiser, loss and metrics. Add to `left_out` what needs a function that was not given.

    Then the learning rate is a LastRate, the loss is None, and the metric is not among the metrics.
    """
    found: dict[str, Any] = {"loss": None}
    try:
        found["optimizer"] = decode(described["optimizer"], functions)
    except MissingFunction as error:
        left_out.append(f"the learning rate {error.name}, replaced by its last value {described['learning_rate']:g}")
        config = {**described["optimizer"]["config"], "learning_rate": LastRate(described["learning_rate"])}
        found["optimizer"] = decode({**described["optimizer"], "config": config}, functions)
    try:
        found["loss"] = decode(described["loss"], functions)
    except MissingFunction as error:
        left_out.append(f"the loss {error.name}")
    kept = []
    for metric in metrics:
        try:
            kept.append(decode(metric, functions))
        except MissingFunction as error:
            left_out.append(f"the metric {error.name}")
    return found["optimizer"], found["loss"], kept


def line_to_load(path: Path, described: Any) -> str:
    """The line that opens a file with all functions that it names."""
    given = ", ".join(f'"{name}": {name}' for name in names_in(described))
    return f'mt.load_model("{path}", functions={{{given}}})'


def warn_of_left_out(path: Path, described: Any, left_out: Sequence[str]) -> None:
    """Warn of what was left out, and how to open the file with it."""
    if left_out:
        several = "functions were" if len(left_out) > 1 else "a function was"
        warn(
            path,
            f"{several} not given, so this is left out: {', '.join(left_out)}. Write {line_to_load(path, described)}",
        )
