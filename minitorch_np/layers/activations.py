"""Activations: smooth functions of each element, or of all elements along one axis in Softmax."""

from __future__ import annotations

import math

import numpy as np

from minitorch_np.base.functions import erf, log_softmax, sigmoid, softmax, softplus, sums
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import check_axis, places, require_axis


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), between 0 and 1; exact and without overflow for any x.

    Shapes: any; y has the shape of x.
    """

    keras_activation: str | None = "sigmoid"
    elementwise = True

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


class Tanh(Layer):
    """y = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)), between -1 and 1.

    Shapes: any; y has the shape of x.
    """

    keras_activation: str | None = "tanh"
    elementwise = True

    def forward(self, x: NDArray) -> NDArray:
        y = np.tanh(x)
        self.cache = y
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 - tanh(x)^2, written (1 - y) (1 + y), which keeps its digits where y is near 1 or -1."""
        y = self.cache
        return dy * ((1 - y) * (1 + y))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]


class Softmax(Layer):
    """y_k = exp(x_k) / sum_j exp(x_j) along one axis: positive numbers whose sum is 1.

    A classifier does not need it: CrossEntropyLoss takes the logits, with which it is more accurate.

    Args:
        axis: the axis along which the sum is 1; not 0, which is the batch.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: axis is not an int, is the batch, or x has no such axis.
    """

    in_keras = True
    supports_masking = True

    checks: Checks = {"axis": Fixed(check_axis)}

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        places(self, (self.axis,), input_shape)
        return input_shape

    def forward(self, x: NDArray) -> NDArray:
        require_axis(self, self.axis, x.shape)
        y = softmax(x, self.axis)
        self.cache = y
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """dy_k/dx_i = y_k (1[i = k] - y_i), since x_i is in numerator k only for i = k, and in every denominator. So

        dx_i = sum_k dy_k dy_k/dx_i = y_i (dy_i - sum_k dy_k y_k).
        """
        y = self.cache
        return y * (dy - sums(dy * y, (self.axis,), keepdims=True))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(axis=1), (3, 4, 2)), (cls(axis=-2), (3, 3))]


class LogSoftmax(Softmax):
    """y_k = x_k - log sum_j exp(x_j) along one axis: the logarithm of Softmax, without its underflow.

    It goes before NLLLoss and KLDivLoss, which take log-probabilities. NLLLoss of y equals CrossEntropyLoss of x.

    Args:
        axis: the axis along which the sum of exp(y) is 1; not 0, which is the batch.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: axis is not an int, is the batch, or x has no such axis.
    """

    in_keras = False
    keras_activation: str | None = "log_softmax"

    def __init__(self, axis: int = -1) -> None:
        super().__init__(axis)

    def settle(self) -> None:
        self.keras_activation = "log_softmax" if self.axis == -1 else None  # Keras's function uses the last axis

    def forward(self, x: NDArray) -> NDArray:
        require_axis(self, self.axis, x.shape)
        y = log_softmax(x, self.axis)
        self.cache = y
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """dy_k/dx_i = 1[i = k] - exp(y_i), so dx_i = sum_k dy_k dy_k/dx_i = dy_i - exp(y_i) sum_k dy_k."""
        return dy - np.exp(self.cache) * sums(dy, (self.axis,), keepdims=True)


class GELU(Layer):
    """y = x Phi(x), where Phi(x) = (1 + erf(x / sqrt(2))) / 2 is the probability that a standard normal number is below x.

    Hendrycks & Gimpel 2016, section 2.

    Args:
        approximate: True computes x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3) instead, which differs
            by at most 5e-4.

    Shapes: any; y has the shape of x.
    """

    keras_activation: str | None = "gelu"
    elementwise = True

    checks: Checks = {"approximate": flag}

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = approximate

    def settle(self) -> None:
        self.keras_activation = None if self.approximate else "gelu"  # Keras's function of that name is the exact one

    def forward(self, x: NDArray) -> NDArray:
        curve = np.tanh(_ROOT * (x + _CUBIC * (x * x * x))) if self.approximate else erf(x * math.sqrt(0.5))
        self.cache = x, curve
        return x * (0.5 + 0.5 * curve)

    def backward(self, dy: NDArray) -> NDArray:
        """By the product rule dy/dx = Phi(x) + x Phi'(x).

        Exactly, Phi'(x) = exp(-x^2 / 2) / sqrt(2 pi), the normal density. Approximately, Phi'(x) =
        (1 - tanh(u)^2) / 2 du/dx with du/dx = sqrt(2 / pi) (1 + 3 * 0.044715 x^2).
        """
        x, curve = self.cache
        if self.approximate:
            density = (0.5 - 0.5 * curve * curve) * (_ROOT + 3 * _CUBIC * _ROOT * (x * x))
        else:
            density = np.exp(-0.5 * (x * x)) / math.sqrt(2 * math.pi)
        return dy * (0.5 + 0.5 * curve + x * density)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2)), (cls(approximate=True), (5,))]


class SiLU(Layer):
    """y = x s(x) with s the sigmoid; also called swish. Elfwing, Uchibe & Doya 2018, equation 6.

    Shapes: any; y has the shape of x.
    """

    keras_activation: str | None = "silu"
    elementwise = True

    def forward(self, x: NDArray) -> NDArray:
        s = sigmoid(x)
        self.cache = x, s
        return x * s

    def backward(self, dy: NDArray) -> NDArray:
        """By the product rule, with ds/dx = s (1 - s): dy/dx = s + x s (1 - s)."""
        x, s = self.cache
        return dy * (s * (1 + x * (1 - s)))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]


class Softplus(Layer):
    """y = log(1 + exp(x)), a smooth max(x, 0); without overflow for any x. Dugas et al. 2001, equation 4.

    Shapes: any; y has the shape of x.
    """

    keras_activation: str | None = "softplus"
    elementwise = True

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x
        return softplus(x)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = exp(x) / (1 + exp(x)), the sigmoid of x."""
        return dy * sigmoid(self.cache)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]


_ROOT = math.sqrt(2 / math.pi)
_CUBIC = 0.044715
