"""Metrics: what a person wants to know of a model, exact over batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.state import attributes, set_attributes
from minitorch_np.configurable import Configurable
from minitorch_np.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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

    def get_state(self) -> dict[str, Any]:
        """What was gathered, copied: every attribute but the constructor's arguments and the name."""
        return attributes(self, (*self.config(), "name"), strict=True)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what get_state returned. Raises ValueError if it names what a metric does not gather."""
        set_attributes(self, state, (*self.config(), "name"))

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


class FromCounts(Metric):
    """A number made of how often each class is predicted for each class, which are counted over all batches.

    One output is a binary question, the positive class 1 above the threshold; with several, one for each class, the number is the
    mean over the classes ("macro"). A class that is neither there nor predicted does not count.

    Args:
        threshold: of a single output: 0.5 for probabilities, 0 for logits.
        binary: True where each of several outputs is a question of its own; the answers to all are counted together ("micro").
    """

    def __init__(self, threshold: float = 0.5, binary: bool = False) -> None:
        self.threshold = threshold
        self.binary = binary

    def reset(self) -> None:
        self.counts: NDArray | None = None

    def update(self, prediction: NDArray, target: NDArray) -> None:
        self._of_one = self.binary or prediction.ndim < 2 or prediction.shape[-1] == 1
        if self._of_one:
            predicted, true, classes = prediction.ravel() > self.threshold, target.ravel() > 0.5, 2
        else:
            predicted, classes = prediction.argmax(axis=-1).ravel(), prediction.shape[-1]
            true = (target if target.ndim < prediction.ndim else target.argmax(axis=-1)).ravel()
        counts = confusion_matrix(true, predicted, classes)
        self.counts = counts if self.counts is None else self.counts + counts

    def result(self) -> float:
        """The number of the positive class, or the mean over the classes."""
        if self.counts is None:
            return 0.0
        right = np.diagonal(self.counts)
        values, seen = self.of_classes(right, self.counts.sum(axis=0), self.counts.sum(axis=1))
        if self._of_one:
            return float(values[1])
        return float(values[seen].mean()) if seen.any() else 0.0

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        """The number of each class out of how often it was right, predicted and true; and which classes count."""
        raise NotImplementedError(f"{self!r} has no of_classes: write of_classes(self, right, predicted, true).")


class Precision(FromCounts):
    """Of what was predicted positive, the share that is: right / predicted; 0 where nothing was predicted."""

    name = "precision"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return right / np.maximum(predicted, 1), predicted + true > 0


class Recall(FromCounts):
    """Of what is positive, the share that was found: right / true; 0 where nothing is positive."""

    name = "recall"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return right / np.maximum(true, 1), predicted + true > 0


class BalancedAccuracy(FromCounts):
    """The mean over the classes of the share that was found: the accuracy where all classes are equally common."""

    name = "balanced_accuracy"

    def result(self) -> float:
        if self.counts is None:
            return 0.0
        true = self.counts.sum(axis=1)
        return float((np.diagonal(self.counts)[true > 0] / true[true > 0]).mean())


class F1Score(FromCounts):
    """The harmonic mean of precision and recall: 2 right / (predicted + true)."""

    name = "f1"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return 2 * right / np.maximum(predicted + true, 1), predicted + true > 0


class AUC(Metric):
    """The area under the ROC curve, exact: the share of pairs (positive, negative) in which the positive one scores higher.

    Ties count one half (Mann & Whitney 1947). All scores are kept until result(). Where one class is missing it is 0.5.
    """

    name = "auc"

    def reset(self) -> None:
        self.scores: list[NDArray] = []
        self.targets: list[NDArray] = []

    def update(self, prediction: NDArray, target: NDArray) -> None:
        self.scores.append(prediction.ravel().astype(float))
        self.targets.append(target.ravel() > 0.5)

    def result(self) -> float:
        scores, positive = np.concatenate(self.scores), np.concatenate(self.targets)
        _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
        rank = (np.cumsum(ties) - (ties - 1) / 2)[place]  # the mean rank of equal scores, from 1
        above, below = int(positive.sum()), int((~positive).sum())
        if not above or not below:
            return 0.5
        return float((rank[positive].sum() - above * (above + 1) / 2) / (above * below))


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None) -> NDArray:
    """How often class j was predicted for class i, as element [i, j].

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    array([[1, 0, 0],
           [0, 1, 1],
           [0, 0, 1]])

    Raises:
        ValueError: y_true or y_pred holds probabilities, one-hot rows or anything else that is no class number, or they differ
            in length.
    """
    true, predicted = _class_numbers(y_true, "y_true"), _class_numbers(y_pred, "y_pred")
    if len(true) != len(predicted):
        raise ValueError(f"confusion_matrix: {len(true)} true and {len(predicted)} predicted classes.")
    both = np.concatenate([true, predicted])
    classes = int(both.max(initial=-1)) + 1 if classes is None else classes
    strange = both[(both < 0) | (both >= classes)]
    if strange.size:
        raise ValueError(f"confusion_matrix: expected class numbers 0 to {classes - 1}, got {strange[0]}.")
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _class_numbers(y: ArrayLike, name: str) -> NDArray:
    given = np.asarray(y)
    if given.ndim > 1 and given.shape[-1] > 1:
        remedy = f"Give the classes, {name}.argmax(axis=-1)."
        raise ValueError(f"confusion_matrix: expected class numbers (n,) in {name}, got shape {given.shape}. {remedy}")
    if given.dtype.kind not in "biuf" or not np.array_equal(given, np.rint(given.astype(float))):
        remedy = (
            f"Give classes, as ({name} > 0.5) makes them of probabilities, and np.unique's return_inverse of names."
        )
        raise ValueError(f"confusion_matrix: expected class numbers in {name}, got {given.ravel()[:3]}…. {remedy}")
    return given.ravel().astype(int)


NAMES = "accuracy, binary_accuracy, categorical_accuracy, balanced_accuracy, precision, recall, f1, auc, mae"
_FROM_COUNTS = {"balanced_accuracy": BalancedAccuracy, "precision": Precision, "recall": Recall, "f1": F1Score}


def find(
    metric: str | Metric | Callable[..., Any], output_shape: Shape, from_logits: bool, binary: bool = False
) -> Metric:
    """The metric of that name for outputs of that shape, or the metric or function itself.

    "accuracy" is binary for models with one output and categorical for more, as in Keras; binary accuracy of logits thresholds at
    0. With a loss for which each output is a question of its own (binary), precision, recall and F1 threshold each.
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
    if metric in _FROM_COUNTS:
        return _FROM_COUNTS[metric](0.0 if from_logits else 0.5, binary)
    if metric == "auc":
        if output_shape[-1:] not in ((), (1,)):
            raise ValueError(f"metrics: 'auc' is of models with one output, this one has shape {output_shape}.")
        return AUC()
    raise ValueError(f"metrics: expected one of {NAMES}, a Metric or a function, got {metric!r}.")
