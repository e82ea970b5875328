"""What batch and layer normalisation share: mean 0 and variance 1, then a learnt scale and centre."""

from __future__ import annotations

import math

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag, number
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer

_FAR = 8000  # float32 has three digits left for numbers this many standard deviations from 0
_LEAST = 1e-38  # a smaller epsilon is 0 in float32, and 1 / sqrt(0) is infinite


class _Normalized(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta. A subclass chooses the values over which mean and variance are computed."""

    in_keras = True
    supports_masking = True
    checks: Checks = {"epsilon": number("(0, inf)"), "center": Fixed(flag), "scale": Fixed(flag)}
    epsilon: float
    center: bool
    scale: bool
    beta_initializer: str | Initializer
    gamma_initializer: str | Initializer
    gamma: Parameter | None
    beta: Parameter | None

    def add_gamma_and_beta(self, shape: Shape) -> None:
        self.gamma = self.add_parameter(shape, self.gamma_initializer) if self.scale else None
        self.beta = self.add_parameter(shape, self.beta_initializer) if self.center else None

    def settle(self) -> None:
        self._epsilon = max(float(self.epsilon), _LEAST)

    def is_rough(self, mean: NDArray, variance: NDArray) -> bool:
        """Whether float32 is too coarse for these inputs, so that float64 is needed.

        That is so where the rounding error of a mean is not far below the standard deviation, as for large inputs that are nearly
        constant (the mean of a thousand times 12345.678 is 12345.679 in float32), or where a variance overflows.
        """
        if mean.dtype != np.float32 or (
            np.vdot(mean, mean) < _FAR**2 * float(self.epsilon) and np.vdot(variance, variance) < math.inf
        ):  # nearly always, and fast to compute
            return False
        return not (np.abs(mean) < _FAR * np.sqrt(variance + self.epsilon)).all() or bool(np.isinf(variance).any())
