"""Metrics of classes: what they have in common, and the accuracies."""

from __future__ import annotations

import warnings

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, check_number, whole
from minitorch_np.metrics.metric import Metric, class_numbers, in_pairs


class OfClasses(Metric):
    """What metrics of classes share. The loss tells whether outputs are scores, and whether each answers its own question.

    Attributes:
        threshold: an output above it means yes; None for `middle`.
        middle: 0.5 for probabilities, 0 for scores.
        from_logits: whether outputs are scores.
        separate: whether each of several outputs answers a yes-or-no question of its own.
        warns: whether to warn of targets that are not classes; False after the first warning.
    """

    mode: str = "max"
    threshold: float | None = None
    middle: float = 0.5
    from_logits: bool = False
    separate: bool = False
    warns: bool = True

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        self.from_logits, self.separate, self.warns = from_logits, binary, True
        self.middle = 0.0 if from_logits else 0.5
        if from_logits and self.threshold:
            raise ValueError(
                f"metrics: {self!r} has a threshold of its own, and the loss takes raw scores, whose threshold is 0. Leave "
                "threshold out, or end the model with Sigmoid() and use a loss of probabilities."
            )
        if binary and not from_logits and self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"metrics: {self!r} has a threshold outside 0 to 1, and the loss takes probabilities.")

    def _warn_unless_classes(self, target: NDArray, are_classes: NDArray) -> None:
        """Warn, once, if some targets are not classes."""
        if not are_classes.all():
            self.warns = False
            warnings.warn(
                f"metrics: {self.name!r} compares classes, and the targets are not classes: they are neither 0 and 1 nor one-hot rows, "
                f'such as {target[~are_classes][0].tolist()}. Measure numbers with metrics=["mae", "r2"], several yes-or-no columns '
                'with "binary_accuracy", and predicted class numbers with mt.metrics.classification_report. The order is (prediction, target).',
                stacklevel=caller(),
            )

    def yes_or_no(self, prediction: NDArray, target: NDArray) -> tuple[NDArray, NDArray, bool]:
        """For every output, whether yes is predicted and whether yes is true; and whether any prediction is NaN."""
        if prediction.shape != target.shape:
            prediction, target = in_pairs(self, prediction, target)
        if self.warns and not self.separate:  # if separate, the loss has checked the targets
            self._warn_unless_classes(target, (target == 0) | (target == 1))
        cut = self.middle if self.threshold is None else float(self.threshold)
        squares = np.vdot(prediction, prediction)  # as in _has_nan, without the call
        return prediction > cut, target > 0.5, bool(squares != squares)

    def largest(self, prediction: NDArray, target: NDArray, *, checked: bool = False) -> tuple[NDArray, NDArray, bool]:
        """For every example, the predicted class and the true one; and whether any prediction is NaN.

        Args:
            checked: whether the targets were checked already, if they are class numbers.
        """
        predicted, undefined = prediction.argmax(axis=-1), _has_nan(prediction)
        if checked and target.shape == predicted.shape:
            return predicted, target, undefined
        if target.shape != prediction.shape:
            return predicted, class_numbers(self, prediction, target), undefined
        if self.warns and (self.separate or not self.from_logits):
            self._warn_unless_classes(target, (target.min(axis=-1) >= 0) & (abs(target.sum(axis=-1) - 1) <= 1e-3))
        return predicted, target.argmax(axis=-1), undefined


class BinaryAccuracy(OfClasses):
    """The share of outputs that are on the right side of the threshold. NaN if a prediction is NaN.

    Args:
        threshold: None for 0.5 if the loss takes probabilities, and 0 if it takes scores.
    """

    name = "accuracy"

    def __init__(self, threshold: float | None = None) -> None:
        check_threshold(self, threshold)
        self.threshold = threshold

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        check_apart(self, output_shape, from_logits, binary)

    def score(self, prediction: NDArray, target: NDArray) -> float:
        predicted, true, undefined = self.yes_or_no(prediction, target)
        return float("nan") if undefined else np.count_nonzero(predicted == true) * len(predicted) / predicted.size


class CategoricalAccuracy(OfClasses):
    """The share of examples whose largest output is at the right class. NaN if a prediction is NaN.

    Shapes: prediction (batch, ..., classes); target class numbers (batch, ...) or one-hot rows.
    Raises:
        ValueError: the model has a single output, which would always be the largest.
    """

    name = "accuracy"

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        self._check_several(is_single(output_shape))

    def score(self, prediction: NDArray, target: NDArray) -> float:
        self._check_several(is_single(prediction.shape[1:]))
        by_the_loss = self.warns and self.from_logits and not self.separate
        predicted, true, undefined = self.largest(prediction, target, checked=by_the_loss)
        return float("nan") if undefined else np.count_nonzero(predicted == true) * len(predicted) / predicted.size

    def _check_several(self, single: bool) -> None:
        if single:
            raise ValueError(
                f"metrics: {self!r} looks for the largest of several outputs, and the model has only one. "
                'Use "accuracy" or BinaryAccuracy().'
            )


class TopKCategoricalAccuracy(CategoricalAccuracy):
    """The share of examples whose class is among the k with the largest outputs. NaN if a prediction is NaN.

    Of equal outputs the one of the lower class counts as larger, so that k = 1 is CategoricalAccuracy.

    Args:
        k: at least 1, and less than the number of classes.

    Shapes, Raises: as CategoricalAccuracy.
    """

    checks: Checks = {"k": whole(1)}
    k: int

    def __init__(self, k: int = 5) -> None:
        self.k = k
        self.name = f"top_{k}"

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        self._check_k(output_shape[-1])

    def score(self, prediction: NDArray, target: NDArray) -> float:
        self._check_several(is_single(prediction.shape[1:]))
        self._check_k(prediction.shape[-1])
        predicted, true, undefined = self.largest(prediction, target)
        if undefined:
            return float("nan")
        true = true.astype(np.int64, copy=False)[..., np.newaxis]
        score = np.take_along_axis(prediction, true, axis=-1)
        before = np.arange(prediction.shape[-1]) < true
        rank = ((prediction > score) | ((prediction == score) & before)).sum(axis=-1)
        return np.count_nonzero(rank < self.k) * len(predicted) / predicted.size

    def _check_k(self, classes: int) -> None:
        if self.k >= classes:
            raise ValueError(
                f"metrics: {self!r} is 1 for every model, since there are only {classes} classes. Choose a smaller k."
            )


def is_single(output_shape: Shape) -> bool:
    """Whether there is one output for each example, or for each step of it."""
    return tuple(output_shape[-1:]) in ((), (1,))


def _has_nan(values: NDArray) -> bool:
    """Whether the sum of the squares is NaN, which costs a third of np.isnan(values).any()."""
    squares = np.vdot(values, values)
    return bool(squares != squares)


def check_threshold(metric: Metric, threshold: float | None) -> None:
    if threshold is not None:
        check_number(type(metric).__name__, "threshold", threshold, "(-inf, inf)")


def check_apart(metric: Metric, output_shape: Shape, from_logits: bool, binary: bool) -> None:
    """Raise ValueError if outputs shall be judged one by one, but are scores that mean something only in comparison."""
    if from_logits and not binary and not is_single(output_shape):
        raise ValueError(
            f"metrics: {metric!r} judges each output by itself, and the loss takes scores of classes that are compared with each "
            'other. Use "accuracy".'
        )
