"""Activations: one function applied to every element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.functions import sigmoid
from minitorch_np.layer import Layer
from minitorch_np.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ReLU(Layer):
    """y = max(x, 0).

    Shapes: any; y has the shape of x. NaN stays NaN.
    """

    in_keras = True

    def forward(self, x: NDArray) -> NDArray:
        y = np.maximum(x, 0)
        self.cache = y  # the next layer keeps it too, so this costs no memory; y > 0 where x > 0
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 where x > 0 and 0 where x < 0; at x = 0, where it does not exist, 0 is taken."""
        y = self.cache
        return dy * (y > 0)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), between 0 and 1; exact and without overflow for any x.

    Shapes: any; y has the shape of x.
    """

    keras_activation = "sigmoid"

    def forward(self, x: NDArray) -> NDArray:
        y = sigmoid(x)
        self.cache = y
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = exp(-x) / (1 + exp(-x))^2 = y (1 - y)."""
        y = self.cache
        return dy * y * (1 - y)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]
