"""Metrics: what a person wants to know of a model, exact over batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.configurable import Configurable
from minitorch_np.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Metric(Configurable):
    """A number gathered over batches: `reset()`, `update(prediction, target)` for each batch, then `result()`.

    Here the number is a mean over the examples, of what a subclass returns from `score(prediction, target)`: the
    sum over the batch. Other metrics override `reset`, `update` and `result`.
    """

    name = ""

    def reset(self) -> None:
        self.total = 0.0
        self.count = 0

    def update(self, prediction: NDArray, target: NDArray) -> None:
        self.total += self.score(prediction, target)
        self.count += len(prediction)

    def result(self) -> float:
        return float(self.total) / self.count

    def score(self, prediction: NDArray, target: NDArray) -> float:
        raise NotImplementedError(f"{self!r} has no score: write score(self, prediction, target).")


class BinaryAccuracy(Metric):
    """The share of outputs on the right side of the threshold.

    Args:
        threshold: 0.5 for probabilities, 0 for logits.
    """

    name = "accuracy"

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def score(self, prediction: NDArray, target: NDArray) -> float:
        right = np.count_nonzero((prediction > self.threshold) == (target > 0.5))
        return right * len(prediction) / prediction.size


class CategoricalAccuracy(Metric):
    """The share of examples whose largest output is that of the right class.

    Shapes: prediction (batch, ..., classes); target class numbers (batch, ...) or one-hot rows.
    """

    name = "accuracy"

    def score(self, prediction: NDArray, target: NDArray) -> float:
        classes = target if target.ndim < prediction.ndim else target.argmax(axis=-1)
        right = np.count_nonzero(prediction.argmax(axis=-1) == classes)
        return right * len(prediction) / classes.size


class MeanAbsoluteError(Metric):
    """The mean of |prediction - target|."""

    name = "mae"

    def score(self, prediction: NDArray, target: NDArray) -> float:
        return float(np.abs(prediction - target).mean(dtype=float)) * len(prediction)


class MeanOf(Metric):
    """The mean over the examples of a function `(prediction, target) -> its mean over the batch`."""

    def __init__(self, function: Callable[[NDArray, NDArray], Any]) -> None:
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__).strip("<>")

    def score(self, prediction: NDArray, target: NDArray) -> float:
        return float(self.function(prediction, target)) * len(prediction)


NAMES = "accuracy, binary_accuracy, categorical_accuracy, mae"


def find(metric: str | Metric | Callable[..., Any], output_shape: Shape, from_logits: bool) -> Metric:
    """The metric of that name for outputs of that shape, or the metric or function itself.

    "accuracy" is binary for models with one output and categorical for more; binary accuracy of logits thresholds at 0.
    """
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        return MeanOf(metric)
    if metric == "accuracy":
        metric = "binary_accuracy" if output_shape[-1:] in ((), (1,)) else "categorical_accuracy"
    if metric == "binary_accuracy":
        return BinaryAccuracy(0.0 if from_logits else 0.5)
    if metric == "categorical_accuracy":
        return CategoricalAccuracy()
    if metric == "mae":
        return MeanAbsoluteError()
    raise ValueError(f"metrics: expected one of {NAMES}, a Metric or a function, got {metric!r}.")
