"""Functions that are no pair of forward and backward: slopes such as sigmoid_prime, and a loss with its gradients in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.adapting.calls import parameters_of
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.adapting.gradient_names import is_upstream

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


def is_slope(forward: Callable[..., Any], slope: Callable[..., Any], x: NDArray) -> bool:
    """Whether the second function is the derivative of the first, without a gradient from above: one argument, and no cache."""
    named = parameters_of(slope)
    if named is None:
        return True
    needed = [name for name, argument in named.items() if argument.default is argument.empty]
    if len(needed) != 1 or is_upstream(needed[0]):
        return False
    return not isinstance(forward(x.copy()), tuple)


class Slope(Foreign):
    """A function and its derivative f'(x), or f' as a function of y; dx is dy times that."""

    def __init__(self, function: Callable[..., Any], slope: Callable[..., Any], name: str) -> None:
        super().__init__()
        self.function, self.slope, self.name = function, slope, name
        self.of_y = False

    def meet(self, x: NDArray) -> NDArray:
        x = np.asarray(x, np.float64)
        y = np.asarray(self.function(x.copy()))
        true = (np.asarray(self.function(x + 1e-6)) - np.asarray(self.function(x - 1e-6))) / 2e-6
        if y.shape == x.shape:  # sigmoid_prime is often written for y; it is taken so if it is right so, and not for x
            right_for_x, right_for_y = (np.allclose(self._slope(v), true, rtol=1e-4, atol=1e-6) for v in (x, y))
            self.of_y = right_for_y and not right_for_x
        self.know_shapes(x, y)
        return x

    def _slope(self, value: NDArray) -> Any:
        return np.asarray(self.slope(value.copy()))

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x, np.asarray(self.function(x))
        return self.narrow("y", self.cache[1])

    def backward(self, dy: NDArray) -> NDArray:
        x, y = self.cache
        slope = self._slope(y if self.of_y else x)
        if slope.shape == (*dy.shape, dy.shape[-1]):  # a Jacobian for each example
            return self.narrow("dx", np.einsum("...i,...ij->...j", dy, slope))
        return self.narrow("dx", dy * slope)

    def looked_at(self) -> str:
        return f"looked at: x (dy times the derivative, which is taken as a function of {'y' if self.of_y else 'x'})"

    def __repr__(self) -> str:
        return self.name
