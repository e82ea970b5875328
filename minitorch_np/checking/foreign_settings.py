"""The settings of somebody else's optimiser: its learning rate, its decay rates and its epsilon, under the names that people give them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from minitorch_np.optimizers import Optimizer

RATES = ("learning_rate", "lr", "alpha", "eta", "rate", "learn_rate", "lrate", "step_size", "current_learning_rate")
_NAMES = {
    "momentum": ("momentum", "mu", "momentum_rate"),
    "rho": ("rho", "decay_rate", "decay", "beta", "gamma", "beta2", "beta_2"),
    "beta_1": ("beta_1", "beta1", "b1", "betas", "decay1", "decay_rate1"),
    "beta_2": ("beta_2", "beta2", "b2", "decay2", "decay_rate2"),
    "epsilon": ("epsilon", "eps"),
}
_DEPTH = 3  # of objects and dictionaries in one another


def rate_of(target: Any, state: Any = None) -> float:
    """The learning rate, or 0 if it is not found.

    Args:
        state: what a function returned for the next call.
    """
    return next((found for name in RATES for found in _found(target, name, state)), 0.0)


def take_over(rule: Optimizer, target: Any, state: Any = None) -> None:
    """Give a rule, which was given by its name, the settings that are found in the other optimiser."""
    for name, theirs in _NAMES.items():
        found = next((value for other in theirs for value in _found(target, other, state)), None)
        if found is not None and hasattr(rule, name) and (0 <= found < 1):
            setattr(rule, name, found)
    if hasattr(rule, "initial_accumulator_value"):
        rule.initial_accumulator_value = next(iter(_found(target, "initial_accumulator_value", state)), 0.0)


def epsilon_of(target: Any, state: Any = None) -> float:
    return next((value for name in _NAMES["epsilon"] for value in _found(target, name, state)), 0.0)


def _found(target: Any, name: str, state: Any) -> Iterator[float]:
    """The numbers under a name, the outermost first: in attributes, dictionaries, a function's defaults, its state."""
    pending: list[tuple[Any, int]] = [(target, 0), (state, 0)]
    while pending:
        item, depth = pending.pop(0)
        for key, value in _members(item):
            if str(key).strip("_").lower() == name and _is_number(value):
                yield float(value)
            elif depth < _DEPTH and (isinstance(value, Mapping) or hasattr(value, "__dict__")):
                pending.append((value, depth + 1))


def _members(item: Any) -> list[tuple[Any, Any]]:
    if isinstance(item, Mapping):
        return list(item.items())
    if inspect.isfunction(item) or inspect.ismethod(item):
        return [(name, argument.default) for name, argument in inspect.signature(item).parameters.items()]
    if isinstance(item, type):
        return []
    of_classes = [pair for cls in type(item).__mro__ for pair in vars(cls).items() if _is_number(pair[1])]
    return [*getattr(item, "__dict__", {}).items(), *of_classes]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
