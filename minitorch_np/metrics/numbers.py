"""Metrics of regression: how far predictions are from targets."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.metrics.metric import Metric, in_pairs


class MeanAbsoluteError(Metric):
    """The mean of |prediction - target|. Class numbers count as their one-hot rows."""

    name = "mae"
    mode: str = "min"

    def score(self, prediction: NDArray, target: NDArray) -> float:
        prediction, target = in_pairs(self, prediction, target)
        return float(np.abs(np.subtract(prediction, target, dtype=float)).mean()) * len(prediction)


class MeanSquaredError(Metric):
    """The mean of (prediction - target)^2. Class numbers count as their one-hot rows."""

    name = "mse"
    mode: str = "min"

    def score(self, prediction: NDArray, target: NDArray) -> float:
        prediction, target = in_pairs(self, prediction, target)
        return float(np.square(np.subtract(prediction, target, dtype=float)).mean()) * len(prediction)


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of (prediction - target)^2, over all examples at once."""

    name = "rmse"

    def result(self) -> float:
        return float(np.sqrt(super().result()))


class R2Score(Metric):
    """R2 = 1 - sum (target - prediction)^2 / sum (target - mean)^2 of each output, and the mean over the outputs.

    The mean is over all targets of the epoch, so the number does not depend on the batches. As in scikit-learn, an output whose
    targets are all equal has R2 = 1 if every prediction is exact, and 0 otherwise; for a single example it is NaN.
    """

    name = "r2"
    mode: str = "max"
    mean: NDArray
    spread: NDArray
    error: NDArray

    def reset(self) -> None:
        self.count: int = 0
        self.mean = self.spread = self.error = np.zeros(1)

    def update(self, prediction: NDArray, target: NDArray) -> None:
        """Means and sums of squares of the batches are combined by Chan, Golub & LeVeque 1983, eq. 2.1."""
        if not self.count:
            self.reset()
        prediction, target = in_pairs(self, *self.arrays(prediction, target))
        if not len(target):
            return
        rows, due = (np.asarray(a, float).reshape(len(a), -1) for a in (prediction, target))
        old, new = self.count, len(due)
        mean = due.mean(axis=0)
        self.spread = self.spread + ((due - mean) ** 2).sum(axis=0) + (mean - self.mean) ** 2 * old * new / (old + new)
        self.mean = self.mean + (mean - self.mean) * (new / (old + new))
        self.error = self.error + ((due - rows) ** 2).sum(axis=0)
        self.count = old + new

    def result(self) -> float:
        if self.measured(self.count) < 2:
            return float("nan")
        constant = self.spread == 0
        share = self.error / np.where(constant, 1, self.spread)
        return float(np.where(constant, (self.error == 0).astype(float), 1 - share).mean())
