"""Losses of regression: the distance between prediction and target."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, number
from minitorch_np.losses.loss import Loss


class _OfNumbers(Loss):
    """A loss of numbers, not of probabilities."""

    probabilistic = False
    takes_weights = True


class MSELoss(_OfNumbers):
    """L = mean of (prediction - target)^2."""

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        difference = prediction - target
        self.cache = difference
        return self.mean(difference * difference)

    def backward(self) -> NDArray:
        """dL/dp = 2 (p - t) / number of elements."""
        difference = self.cache
        return self.weigh(difference * (2 / difference.size))


class L1Loss(_OfNumbers):
    """L = mean of |prediction - target|."""

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        difference = prediction - target
        self.cache = difference
        return self.mean(np.maximum(difference, -difference))  # |d|, and correct for a complex step too

    def backward(self) -> NDArray:
        """dL/dp = sign(p - t) / number of elements, and 0 at p = t, where there is no derivative."""
        difference = self.cache
        return self.weigh(np.sign(difference) / difference.size)


class HuberLoss(_OfNumbers):
    """L = mean of d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) elsewhere, d = prediction - target. Huber 1964.

    It grows like |d| when d is large, so that a few outliers do not dominate the fit.

    Args:
        delta: where the parabola becomes a line, a positive number.
    """

    checks: Checks = {"delta": number("(0, inf)")}

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        """With c = d clipped to [-delta, delta], both formulas are c (d - c / 2)."""
        target = self._matched(prediction, target)
        difference = prediction - target
        clipped = np.minimum(np.maximum(difference, -float(self.delta)), float(self.delta))
        self.cache = clipped
        return self.mean(clipped * (difference - 0.5 * clipped))

    def backward(self) -> NDArray:
        """dL/dp = d / size on the parabola and ± delta / size on the lines, which is c / size."""
        clipped = self.cache
        return self.weigh(clipped / clipped.size)
