"""Metrics made of counts: how often each class is predicted, true, and both."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.metrics.classes import OfClasses, check_apart, check_threshold, is_single


class FromCounts(OfClasses):
    """A number computed from three counts of each class: how often it is predicted, is true, and is both.

    The counts are over all batches. With one output there are two classes; an output above the threshold means class 1, and the
    number is that of class 1. With one output for each class, the number is the mean over the classes ("macro"), without
    classes that are neither true nor predicted. NaN if a prediction is NaN.

    Args:
        threshold: for outputs that answer separate questions. None for 0.5 if the loss takes probabilities, 0 if it takes scores.
        binary: True if each of several outputs answers a separate question; then all answers are counted together ("micro").
            None for the `binary` of the loss.
    """

    counts: NDArray | None = None
    undefined: bool = False

    def __init__(self, threshold: float | None = None, binary: bool | None = None) -> None:
        check_threshold(self, threshold)
        self.threshold = threshold
        self.binary = binary

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        if self.binary:
            check_apart(self, output_shape, from_logits, binary)
        if self.threshold and not self._apart(output_shape):
            raise ValueError(
                f"metrics: {self!r} has a threshold, and the model answers with the largest of several outputs. Leave threshold out."
            )

    def reset(self) -> None:
        self.counts, self.undefined = None, False

    def update(self, prediction: NDArray, target: NDArray) -> None:
        prediction, target = self.arrays(prediction, target)
        if not len(prediction):
            return
        self.one_question: bool = self._apart(prediction.shape[1:])
        if self.one_question:
            predicted, true, undefined = self.yes_or_no(prediction, target)
            classes = 2
        else:
            predicted, true, undefined = self.largest(prediction, target)
            classes = prediction.shape[-1]
        predicted, true = predicted.ravel(), true.ravel()
        groups = (true[predicted == true], predicted, true)
        counts = np.stack([np.bincount(group, minlength=classes) for group in groups])
        self.counts = counts if self.counts is None else self.counts + counts
        self.undefined = self.undefined or undefined

    def result(self) -> float:
        """The number of class 1, or the mean over the classes."""
        self.measured(self.counts is not None)
        values, present = self.of_classes(*self.counts)  # type: ignore[misc]
        if self.undefined:
            return float("nan")
        return float(self.summed_up(values, present))

    def summed_up(self, values: NDArray, present: NDArray) -> float:
        return values[1] if self.one_question else values[present].mean()

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        """The number of each class, from how often it was right, predicted and true; and which classes count in the mean."""
        raise NotImplementedError(f"{self!r} has no of_classes: write of_classes(self, right, predicted, true).")

    def _apart(self, output_shape: Shape) -> bool:
        """Whether each output answers a yes-or-no question of its own. A single output does."""
        return is_single(output_shape) or (self.separate if self.binary is None else self.binary)


class Precision(FromCounts):
    """right / predicted: the share of predicted positives that are positive; 0 if there are none."""

    name = "precision"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return right / np.maximum(predicted, 1), predicted + true > 0


class Recall(FromCounts):
    """right / true: the share of positives that are predicted; 0 if there are none."""

    name = "recall"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return right / np.maximum(true, 1), predicted + true > 0


class BalancedAccuracy(FromCounts):
    """The mean of right / true over the classes, which is the accuracy if all classes are equally common."""

    name = "balanced_accuracy"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return right / np.maximum(true, 1), true > 0

    def summed_up(self, values: NDArray, present: NDArray) -> float:
        return values[present].mean()


class F1Score(FromCounts):
    """The harmonic mean of precision and recall: 2 right / (predicted + true); 0 if both are 0."""

    name = "f1"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return 2 * right / np.maximum(predicted + true, 1), predicted + true > 0
