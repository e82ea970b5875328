"""ForeignOptimizer: an update rule of another form with the step of an Optimizer, so that check_optimizer can check it.

These forms are understood:

    optimizer.update(parameters, gradients)    two dictionaries, or two lists, of arrays
    optimizer.update(w, dw)                    one array; with a copy of the optimiser for each
    optimizer.update(name, w, dw, b, db)       the same with a name or a number of the array, in any order of the arguments
    optimizer.update_params(layer)             layer.weights, layer.dweights, layer.biases, layer.dbiases
    optimizer.step(net)                        net.params_and_grads(), net.params, net.grads, or net.layers with these
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
from minitorch_np.checking.adapting.gradient_names import plain, stems
from minitorch_np.checking.foreign_settings import epsilon_of, rate_of, take_over
from minitorch_np.optimizers import Optimizer

_METHODS = ("update", "step", "apply", "apply_gradients", "optimize", "__call__")
_FORMS = ("function", "layer", "arguments", "net", "dictionaries", "lists", "arrays")
_KEYS = ("name", "param_name", "key", "index", "layer_index", "idx", "id", "i", "layer_id", "layer_name", "param_id")
_REFUSED = (TypeError, AttributeError, KeyError, IndexError, ValueError)


class ForeignOptimizer:
    """An object or a function that is no Optimizer."""

    def __init__(self, target: Any) -> None:
        self.state: dict[str, dict[str, NDArray]] = {}  # it keeps its own
        self.target = target
        self.reset()
        self.learning_rate = rate_of(target, self._first_config())

    def reset(self) -> None:
        self.target = copy.deepcopy(self.target)
        self.copies: dict[str, Any] = {}  # the optimiser of each array, where one optimiser takes one array
        self.configs: dict[str, Any] = {}
        self.form = ""

    def take_over(self, rule: Optimizer) -> None:
        """Give a rule the settings that this optimiser has."""
        rule.learning_rate = self.learning_rate
        take_over(rule, self.target, self._first_config())

    @property
    def epsilon(self) -> float:
        return epsilon_of(self.target, self._first_config())

    def _first_config(self) -> Any:
        """The settings of a function that makes them in its first call."""
        if not inspect.isfunction(self.target) or len(inspect.signature(self.target).parameters) < 3:
            return None
        try:
            returned = self.target(np.ones(2), np.ones(2), None)
        except Exception:  # whatever a function of somebody else raises; its step says why
            return None
        return returned[-1] if isinstance(returned, tuple) else None

    def step(self, parameters: Mapping[str, Parameter]) -> None:
        values = {name: np.array(parameter.value) for name, parameter in parameters.items()}
        gradients = {name: np.array(parameter.grad) for name, parameter in parameters.items()}
        failures, idle = [], None
        for form in [self.form] if self.form else _FORMS:
            attempt = copy.deepcopy((self.target, self.copies, self.configs))
            try:
                new = getattr(self, f"_by_{form}")(copy.deepcopy(values), gradients)
            except _REFUSED as error:
                self.target, self.copies, self.configs = attempt
                failures.append(f"{form}: {error}")
                continue
            if new is not None and (self.form or not all(np.array_equal(new[name], values[name]) for name in values)):
                self.form = form
                for name, parameter in parameters.items():
                    parameter.value[...] = new[name]
                return
            idle = idle or (form if new is not None else None)
            self.target, self.copies, self.configs = attempt
        if idle:  # it was called without an error and changed nothing
            self.form = idle
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

    def _by_arguments(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        """A method that also takes a name or a number of the array: one optimiser for all."""
        method = self._method(self.target)
        needed = [one for one in inspect.signature(method).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
        keys = [one.name for one in needed if plain(one.name).lower() in _KEYS]
        if not keys:
            return None
        for number, (name, value) in enumerate(values.items()):
            arguments: dict[str, Any] = {}
            for one in needed:
                if one.name in keys:
                    arguments[one.name] = number if "ind" in one.name or one.name in ("i", "idx") else name
                elif one.default is one.empty and len(arguments) < len(keys) + 2:
                    arguments[one.name] = gradients[name] if _is_gradient(one.name) else value
                elif one.default is one.empty:  # a bias and its gradient
                    arguments[one.name] = np.zeros_like(value)
            returned = method(**arguments)
            returned = returned[0] if isinstance(returned, tuple) else returned
            values[name] = value if returned is None else np.asarray(returned)
        self._around("step") if method.__name__ != "step" else None
        return values

    def _by_net(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        """A method that takes a network, and reads its arrays."""
        method = self._method(self.target)
        needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
        if len(needed) != 1:
            return None
        layer = SimpleNamespace(params=values, grads=gradients)
        layer.params_and_grads = lambda: [(values[name], gradients[name]) for name in values]
        vars(layer).update(parameters=values, gradients=gradients)
        method(SimpleNamespace(layers=[layer], **vars(layer)))
        return dict(layer.params)

    def _by_dictionaries(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        returned = self._method(self.target)(values, gradients)
        return dict(returned) if isinstance(returned, Mapping) else values

    def _by_lists(self, values: dict[str, NDArray], gradients: dict[str, NDArray]) -> dict[str, Any] | None:
        arrays = list(values.values())
        returned = self._method(self.target)(arrays, list(gradients.values()))
        if isinstance(returned, np.ndarray):
            raise ValueError("an array was returned for a list")
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
        if found == "step" and not inspect.signature(target.step).parameters and callable(target):
            found = "__call__"  # step only counts
        if found is None:
            raise AttributeError(f"{type(target).__name__} has none of the methods {', '.join(_METHODS[:-1])}")
        return getattr(target, found)

    def __repr__(self) -> str:
        return getattr(self.target, "__name__", type(self.target).__name__)


def _is_gradient(name: str) -> bool:
    return "grad" in name.lower() or any(stem in ("w", "param", "params", "x", "weights", "p") for stem in stems(name))
