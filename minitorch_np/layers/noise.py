"""Noise: layers that change their input at random in training, and are the identity in inference."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, number
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import require_images


class Dropout(Layer):
    """y = x * mask / (1 - rate) in training: each number becomes 0 with probability rate, and the expected value stays the same. Otherwise y = x.

    Srivastava et al. 2014, section 4, in its inverted form (section 10), which needs no rescaling in inference.

    Args:
        rate: the probability of 0, in [0, 1).

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: rate is outside [0, 1).
    """

    in_keras = True
    elementwise = True

    checks: Checks = {"rate": number("[0, 1)")}

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def forward(self, x: NDArray) -> NDArray:
        mask = self._draw(x.shape) if self.training and self.rate else None
        self.cache = (mask,)  # in a tuple, as a cache of None means that there was no forward
        return self._masked(x, mask)

    def backward(self, dy: NDArray) -> NDArray:
        """y is x times a number that does not depend on x, so dx is dy times the same number: the mask of the forward."""
        (mask,) = self.cache
        return self._masked(dy, mask)

    def _draw(self, shape: Shape) -> NDArray:
        return self.generator.random(shape, np.float32) >= self.rate

    def _masked(self, x: NDArray, mask: NDArray | None) -> NDArray:
        if mask is None:
            return x
        y = x * mask
        y *= 1 / (1 - float(self.rate))
        return y

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(0.3), (5,)), (cls(0.5), (3, 4, 2)), (cls(0), (4,))]


class SpatialDropout2D(Dropout):
    """Dropout of whole channels: each channel of an example is 0 with probability rate. Tompson et al. 2015, section 3.2.

    Neighbouring pixels are similar, so dropping single pixels removes little information.

    Args:
        rate: the probability of 0, in [0, 1).

    Shapes: x (batch, height, width, channels) -> y the same.
    Raises:
        ValueError: rate is outside [0, 1); examples are not images.
    """

    in_keras = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_images(self, input_shape, "Dropout() takes any shape.")
        return input_shape

    def _draw(self, shape: Shape) -> NDArray:
        self.compute_output_shape(shape[1:])
        return super()._draw((shape[0], 1, 1, shape[3]))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(0.3), (3, 4, 5)), (cls(0.5), (3, 3, 3))]


class GaussianNoise(Layer):
    """y = x + stddev * n in training, with n drawn from the standard normal distribution. Otherwise y = x.

    Args:
        stddev: the standard deviation of the noise, at least 0.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: stddev is negative or not a number.
    """

    in_keras = True
    elementwise = True

    checks: Checks = {"stddev": number()}

    def __init__(self, stddev: float) -> None:
        self.stddev = stddev

    def forward(self, x: NDArray) -> NDArray:
        if not (self.training and self.stddev):
            return x
        dtype = np.float32 if x.dtype == np.float32 else np.float64
        return x + float(self.stddev) * self.generator.standard_normal(x.shape, dtype)

    def backward(self, dy: NDArray) -> NDArray:
        """What is added does not depend on x."""
        return dy

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(0.3), (5,)), (cls(0.5), (3, 4, 2))]
