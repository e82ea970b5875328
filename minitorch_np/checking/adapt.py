"""adapt: user-defined layers of another form as layers of this package, so that they can be checked.

Three kinds are understood: objects with forward and backward, whatever their parameters and gradients are called;
dictionaries of them, `layer.params["w"]` and `layer.grads["w"]`; and pairs of functions with a cache,
`out, cache = forward(x, w, b)` and `dx, dw, db = backward(dout, cache)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray

# Common names for the gradient of an attribute.
_GRADIENT_NAMES = ("d{0}", "d_{0}", "{0}_grad", "grad_{0}", "{0}_gradient", "g{0}", "grad{0}", "{0}grad", "D{0}")
_PARAMETER_NAMES = ("W", "b", "w", "weight", "bias", "weights", "biases", "gamma", "beta", "kernel")
_DICTIONARIES = (
    ("params", "grads"), ("parameters", "gradients"), ("params", "gradients"), ("weights", "grads"), ("params", "dparams"),
)  # fmt: skip


def adapt(
    target: Any,
    backward: Callable[..., Any] | str | None = None,
    parameters: Mapping[str, ArrayLike] | Mapping[str, str] | None = None,
    *,
    forward: str = "forward",
) -> Layer:
    """A user-defined object, or a pair of functions, as a Layer.

    Args:
        target: an object with methods for forward and backward, or a function forward(x, *parameters) -> (out, cache).
        backward: the name of the object's method, "backward" by default; or the function
            backward(dout, cache) -> dx, or (dx, *gradients).
        parameters: for an object, the attributes that hold parameters and those that hold their gradients,
            {"W": "dW"}; common names are found without it. For functions, the arrays in the order of the
            arguments, {"w": w, "b": b}.
        forward: the name of the object's method.

    Raises:
        ValueError: the object has no such methods or attributes.
    """
    if isinstance(target, Layer):
        return target
    if callable(target) and callable(backward):
        return FunctionPair(target, backward, dict(parameters or {}))
    name = backward if isinstance(backward, str) else "backward"
    for method in (forward, name):
        if not callable(getattr(target, method, None)):
            raise ValueError(
                f"adapt: {type(target).__name__} has no method {method!r}. "
                "Name its methods: adapt(layer, backward='…', forward='…')."
            )
    return Adapted(target, forward, name, parameters)


class Adapted(Layer):
    """An object of another class: forward first writes the parameters into it, backward then reads the gradients from it."""

    def __init__(self, target: Any, forward: str, backward: str, parameters: Mapping[str, Any] | None) -> None:
        self.target, self.forward_name, self.backward_name = target, forward, backward
        self.pairs = parameters
        self.values: dict[str, Parameter] = {}
        self._collect()

    def forward(self, x: NDArray) -> NDArray:
        self._collect()
        for name, parameter in self.values.items():
            _put(self.target, name, parameter.value)
        if hasattr(self.target, "training"):
            self.target.training = self.training
        y = getattr(self.target, self.forward_name)(x)
        self._collect()
        return y[0] if isinstance(y, tuple) else np.asarray(y)

    def backward(self, dy: NDArray) -> Any:
        for gradient, parameter in self._gradients():
            _put(self.target, gradient, np.zeros(parameter.shape))  # many classes add to it
        returned = getattr(self.target, self.backward_name)(dy)
        for gradient, parameter in self._gradients():
            parameter.grad = _get(self.target, gradient)
        return returned[0] if isinstance(returned, tuple) else returned

    def _gradients(self) -> list[tuple[str, Parameter]]:
        """The attribute that holds the gradient, for each parameter."""
        return [(gradient, self.values[name]) for name, gradient in self._pairs().items() if name in self.values]

    def own_parameters(self) -> dict[str, Parameter]:
        return dict(self.values)

    def _pairs(self) -> dict[str, str]:
        return _found_pairs(self.target) if self.pairs is None else dict(self.pairs)

    def _collect(self) -> None:
        """Find the parameters that the object has now; some objects create them in the first forward or backward."""
        for name in self._pairs():
            value = _get(self.target, name)
            if name not in self.values and isinstance(value, np.ndarray) and value.dtype.kind == "f":
                self.values[name] = Parameter.sharing(np.array(value))
        if self.pairs is not None and not self.values:
            missing = [name for name in self.pairs if _get(self.target, name) is None]
            if missing:
                raise ValueError(f"adapt: {type(self.target).__name__} has no attribute {missing[0]!r}.")

    def __repr__(self) -> str:
        return type(self.target).__name__


class FunctionPair(Layer):
    """A pair of functions; forward returns the cache that backward takes."""

    def __init__(self, forward_function: Any, backward_function: Any, arrays: dict[str, Any]) -> None:
        self.forward_function, self.backward_function = forward_function, backward_function
        self.arrays = {name: Parameter.sharing(np.array(value, float)) for name, value in arrays.items()}

    def forward(self, x: NDArray) -> NDArray:
        out, self.cache = self.forward_function(x, *(parameter.value for parameter in self.arrays.values()))
        return np.asarray(out)

    def backward(self, dy: NDArray) -> Any:
        returned = self.backward_function(dy, self.cache)
        gradients = returned if isinstance(returned, tuple) else (returned,)
        for parameter, gradient in zip(self.arrays.values(), gradients[1:], strict=False):
            parameter.grad = gradient
        return gradients[0]

    def own_parameters(self) -> dict[str, Parameter]:
        return dict(self.arrays)

    def __repr__(self) -> str:
        return getattr(self.forward_function, "__name__", "forward")


def _found_pairs(target: Any) -> dict[str, str]:
    """Attributes that look like a parameter and its gradient: W and dW, or params["w"] and grads["w"]."""
    for values, gradients in _DICTIONARIES:
        if isinstance(getattr(target, values, None), dict) and isinstance(getattr(target, gradients, None), dict):
            return {f"{values}.{key}": f"{gradients}.{key}" for key in getattr(target, values)}
    attributes = {name: value for name, value in getattr(target, "__dict__", {}).items() if not name.startswith("__")}
    pairs = {
        name: form.format(name) for name in attributes for form in _GRADIENT_NAMES if form.format(name) in attributes
    }
    return pairs or {  # the gradient's attribute may only appear in backward
        name: f"d{name}"
        for name, value in attributes.items()
        if name in _PARAMETER_NAMES and isinstance(value, np.ndarray) and value.dtype.kind == "f"
    }


def _get(target: Any, name: str) -> Any:
    holder, _, key = name.partition(".")
    return getattr(target, holder, {}).get(key) if key else getattr(target, name, None)


def _put(target: Any, name: str, value: Any) -> None:
    holder, _, key = name.partition(".")
    if key:
        getattr(target, holder)[key] = value
    else:
        setattr(target, name, value)
