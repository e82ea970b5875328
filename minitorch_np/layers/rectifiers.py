"""Rectifiers: activations that pass positive numbers on and make negative ones smaller."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, number
from minitorch_np.layer import Layer


class ReLU(Layer):
    """y = max(x, 0).

    Shapes: any; y has the shape of x. NaN stays NaN.
    """

    in_keras = True
    elementwise = True

    def forward(self, x: NDArray) -> NDArray:
        y = np.maximum(x, 0)
        self.cache = y  # which the next layer keeps too, so it costs no memory; y > 0 where x > 0
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 where x > 0 and 0 where x < 0; at x = 0, where it does not exist, 0 is taken."""
        y = self.cache
        return dy * (y > 0)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]


class LeakyReLU(Layer):
    """y = x where x > 0, negative_slope * x elsewhere. Maas, Hannun & Ng 2013, section 2.

    Args:
        negative_slope: at least 0; Keras's default is 0.3, PyTorch's 0.01.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: negative_slope is negative or not a number.
    """

    in_keras = True
    elementwise = True

    checks: Checks = {"negative_slope": number()}

    def __init__(self, negative_slope: float = 0.3) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x
        return np.maximum(x, 0) + float(self.negative_slope) * np.minimum(x, 0)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 where x > 0 and negative_slope where x < 0; at x = 0 negative_slope is taken, as in PyTorch."""
        positive = self.cache > 0
        return positive * dy + ~positive * (float(self.negative_slope) * dy)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(0.01), (3, 4, 2)), (cls(2.0), (4,)), (cls(0), (4,))]


class ELU(Layer):
    """y = x where x > 0, alpha * (exp(x) - 1) elsewhere. Clevert, Unterthiner & Hochreiter 2016, equation 16.

    Args:
        alpha: at least 0; y tends to -alpha for very negative x.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: alpha is negative or not a number.
    """

    in_keras = True
    elementwise = True

    checks: Checks = {"alpha": number()}

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x
        return elu(x, float(self.alpha))

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 where x > 0 and alpha exp(x) where x <= 0."""
        return dy * elu_slope(self.cache, float(self.alpha))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(0.5), (3, 4, 2))]


class SELU(Layer):
    """y = scale * ELU(alpha)(x), with the two constants for which mean 0 and variance 1 are a fixed point.

    scale = 1.0507…, alpha = 1.6733…: Klambauer, Unterthiner, Mayr & Hochreiter 2017, equation 2 and appendix A1.
    Initialise the layers before it with "lecun_normal".

    Shapes: any; y has the shape of x.
    """

    keras_activation: str | None = "selu"
    elementwise = True
    _SCALE = 1.0507009873554804934193349852946
    _ALPHA = 1.6732632423543772848170429916717

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x
        return self._SCALE * elu(x, self._ALPHA)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = scale where x > 0 and scale alpha exp(x) where x <= 0."""
        return dy * (self._SCALE * elu_slope(self.cache, self._ALPHA))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (3, 4, 2))]


def elu(x: NDArray, alpha: float) -> NDArray:
    """x where x > 0, alpha * (exp(x) - 1) elsewhere, computed with exp(min(x, 0)), which cannot overflow."""
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))


def elu_slope(x: NDArray, alpha: float) -> NDArray:
    """1 where x > 0, alpha * exp(x) elsewhere."""
    positive = x > 0
    return positive + ~positive * (alpha * np.exp(np.minimum(x, 0)))
