"""ForeignOptimizer: an update rule of another form with the step of an Optimizer, so that check_optimizer can check it.

Four forms are understood:

    optimizer.update(parameters, gradients)    two dictionaries, or two lists, of arrays
    optimizer.update(w, dw)                    one array; with a copy of the optimiser for each
    optimizer.update_params(layer)             layer.weights, layer.dweights, layer.biases, layer.dbiases
    w, config = rule(w, dw, config)            a function; config is a dictionary or None, one for each array

They change the arrays in place or return new ones.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray

_METHODS = ("update", "step", "apply", "apply_gradients", "optimize", "__call__")
_RATES = ("learning_rate", "lr", "alpha", "eta", "rate", "current_learning_rate")


class ForeignOptimizer:
    """An object or a function that is no Optimizer."""

    def __init__(self, target: Any) -> None:
        self.learning_rate = _rate_of(target)
        self.state: dict[str, dict[str, NDArray]] = {}  # it keeps its own
        self.target = target
        self.reset()

    def reset(self) -> None:
        self.target = copy.deepcopy(self.target)
        self.copies: dict[str, Any] = {}  # the optimiser of each array, where one optimiser takes one array
        self.configs: dict[str, Any] = {}
        self.form = ""

    def step(self, parameters: Mapping[str, Parameter]) -> None:
        values = {name: np.array(parameter.value) for name, parameter in parameters.items()}
        gradients = {name: np.array(parameter.grad) for name, parameter in parameters.items()}
        failures = []
        for form in [self.form] if self.form else ["function", "layer", "dictionaries", "lists", "arrays"]:
            attempt = copy.deepcopy((self.target, self.copies, self.configs))
            try:
                new = getattr(self, f"_by_{form}")(copy.deepcopy(values), gradients)
            except (TypeError, AttributeError, KeyError, IndexError, ValueError) as error:
                self.target, self.copies, self.configs = attempt
                failures.append(f"{form}: {error}")
                continue
            if new is not None:
                self.form = form
                for name, parameter in parameters.items():
                    parameter.value[...] = new[name]
                return
        raise ValueError(
            f"check_optimizer: {self!r} is not understood. Give an Optimizer with update(parameter, state), an object with "
            "update(parameters, gradients) or update(w, dw), or a function rule(w, dw, config) that returns w and config. "
            f"Tried {'; '.join(failures)}."
        )

    def _by_function(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        if not inspect.isfunction(self.target):
            return None
        for name, value in values.items():
            takes = len(inspect.signature(self.target).parameters)
            returned = self.target(value, gradients[name], *([self.configs.get(name)] if takes > 2 else []))
            if isinstance(returned, tuple):
                values[name], self.configs[name] = returned[0], returned[-1]
            else:
                values[name] = value if returned is None else returned
        return values

    def _by_layer(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        """Each pair of arrays as the weights and biases of a layer."""
        if not hasattr(self.target, "update_params"):
            return None
        first, *_, second = [*values, *values]
        layer = self.configs.setdefault("layer", SimpleNamespace())
        vars(layer).update(weights=values[first], biases=values[second].copy())
        vars(layer).update(dweights=gradients[first], dbiases=gradients[second])
        self._around("pre_update_params")
        self.target.update_params(layer)
        self._around("post_update_params")
        return {first: layer.weights, second: layer.biases}

    def _around(self, name: str) -> None:
        getattr(self.target, name, lambda: None)()

    def _by_dictionaries(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        returned = self._method(self.target)(values, gradients)
        return dict(returned) if isinstance(returned, Mapping) else values

    def _by_lists(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        arrays = list(values.values())
        returned = self._method(self.target)(arrays, list(gradients.values()))
        arrays = list(returned) if isinstance(returned, (list, tuple)) else arrays
        return dict(zip(values, arrays, strict=True))

    def _by_arrays(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        for name, value in values.items():
            optimizer = self.copies.setdefault(name, copy.deepcopy(self.target))
            returned = self._method(optimizer)(value, gradients[name])
            values[name] = value if returned is None else np.asarray(returned)
        return values

    @staticmethod
    def _method(target: Any) -> Any:
        found = next((name for name in _METHODS if callable(getattr(target, name, None))), None)
        if found is None:
            raise AttributeError(f"{type(target).__name__} has none of the methods {', '.join(_METHODS[:-1])}")
        return getattr(target, found)

    def __repr__(self) -> str:
        return getattr(self.target, "__name__", type(self.target).__name__)


def _rate_of(target: Any) -> float:
    for name in _RATES:
        rate = getattr(target, name, None)
        if isinstance(rate, (int, float)):
            return float(rate)
    return 0.0
