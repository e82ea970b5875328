"""Metrics of classes: how often the answer is the right one, and the right one of what."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.validation import check_number
from minitorch_np.metrics.metric import Metric, class_numbers, in_pairs

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _OfClasses(Metric):
    """What metrics of classes ask of the loss: whether outputs are scores, and whether each is a yes-or-no question of its own."""

    mode = "max"
    threshold: float | None = None  # None: the middle
    middle = 0.5  # of probabilities; 0 of scores
    from_logits = False
    separate = False  # whether each of several outputs is a question of its own
    doubtful = False  # whether targets that are no classes are still to be warned of

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        self.from_logits, self.separate, self.doubtful = from_logits, binary, True
        self.middle = 0.0 if from_logits else 0.5
        if from_logits and self.threshold:
            raise ValueError(
                f"metrics: {self!r} has a threshold of its own, and the loss takes raw scores, for which 0 is the middle. Leave "
                "threshold out, or end the model with Sigmoid() and use a loss of probabilities."
            )
        if binary and not from_logits and self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"metrics: {self!r} has a threshold outside 0 to 1, and the loss takes probabilities.")

    def _doubt(self, target: NDArray, are_classes: NDArray) -> None:
        """Warn, once, of targets that are not classes."""
        if not are_classes.all():
            self.doubtful = False
            warnings.warn(
                f"metrics: {self.name!r} compares classes, and the targets are none: they are neither 0 and 1 nor one-hot rows, "
                f'such as {target[~are_classes][0].tolist()}. Measure numbers with metrics=["mae", "r2"], and several yes-or-no columns '
                'with "binary_accuracy".',
                stacklevel=caller(),
            )

    def yes_or_no(self, prediction: NDArray, target: NDArray) -> tuple[NDArray, NDArray, bool]:
        """Of every output, whether it is predicted and whether it is true; and whether a prediction is NaN."""
        if prediction.shape != target.shape:
            prediction, target = in_pairs(self, prediction, target)
        if self.doubtful and not self.separate:  # else the loss has checked them
            self._doubt(target, (target == 0) | (target == 1))
        cut = self.middle if self.threshold is None else float(self.threshold)
        squares = np.vdot(prediction, prediction)  # NaN if one is, at a third of what np.isnan(prediction).any() costs
        return prediction > cut, target > 0.5, bool(squares != squares)

    def largest(self, prediction: NDArray, target: NDArray, *, checked: bool = False) -> tuple[NDArray, NDArray, bool]:
        """Of every example, the class that is predicted and the true one; and whether a prediction is NaN.

        Args:
            checked: whether class numbers are known to be such.
        """
        predicted, undefined = prediction.argmax(axis=-1), _has_nan(prediction)
        if checked and target.shape == predicted.shape:
            return predicted, target, undefined
        if target.shape != prediction.shape:
            return predicted, class_numbers(self, prediction, target), undefined
        if self.doubtful and (self.separate or not self.from_logits):
            self._doubt(target, (target.min(axis=-1) >= 0) & (abs(target.sum(axis=-1) - 1) <= 1e-3))
        return predicted, target.argmax(axis=-1), undefined


class BinaryAccuracy(_OfClasses):
    """The share of outputs on the right side of the threshold. NaN if a prediction is NaN.

    Args:
        threshold: None asks the loss: 0.5 for probabilities, 0 for scores.
    """

    name = "accuracy"

    def __init__(self, threshold: float | None = None) -> None:
        _check_threshold(self, threshold)
        self.threshold = threshold

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        _check_apart(self, output_shape, from_logits, binary)

    def score(self, prediction: NDArray, target: NDArray) -> float:
        predicted, true, undefined = self.yes_or_no(prediction, target)
        return float("nan") if undefined else np.count_nonzero(predicted == true) * len(predicted) / predicted.size


class CategoricalAccuracy(_OfClasses):
    """The share of examples whose largest output is that of the right class. NaN if a prediction is NaN.

    Shapes: prediction (batch, ..., classes); target class numbers (batch, ...) or one-hot rows.
    Raises:
        ValueError: there is one output, which is always the largest.
    """

    name = "accuracy"

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        self._check_several(is_single(output_shape))

    def score(self, prediction: NDArray, target: NDArray) -> float:
        self._check_several(is_single(prediction.shape[1:]))
        by_the_loss = self.doubtful and self.from_logits and not self.separate
        predicted, true, undefined = self.largest(prediction, target, checked=by_the_loss)
        return float("nan") if undefined else np.count_nonzero(predicted == true) * len(predicted) / predicted.size

    def _check_several(self, single: bool) -> None:
        if single:
            raise ValueError(
                f"metrics: {self!r} looks for the largest output, and the model has one, which always is. "
                'Use "accuracy" or BinaryAccuracy().'
            )


class FromCounts(_OfClasses):
    """A number made of how often each class is predicted, is true, and is both; these are counted over all batches.

    One output is a binary question, the positive class 1 above the threshold; with several, one for each class, the number is the
    mean over the classes ("macro"). A class that is neither there nor predicted does not count. NaN if a prediction is NaN.

    Args:
        threshold: of outputs that are questions of their own. None asks the loss: 0.5 for probabilities, 0 for scores.
        binary: True where each of several outputs is a question of its own; the answers to all are counted together ("micro").
            None asks the loss.
    """

    counts: NDArray | None = None
    undefined = False

    def __init__(self, threshold: float | None = None, binary: bool | None = None) -> None:
        _check_threshold(self, threshold)
        self.threshold = threshold
        self.binary = binary

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        if self.binary:
            _check_apart(self, output_shape, from_logits, binary)
        if self.threshold and not self._apart(output_shape):
            raise ValueError(
                f"metrics: {self!r} has a threshold, and of the model's several outputs the largest is the answer. Leave threshold out."
            )

    def reset(self) -> None:
        self.counts, self.undefined = None, False

    def update(self, prediction: NDArray, target: NDArray) -> None:
        prediction, target = self.arrays(prediction, target)
        if not len(prediction):
            return
        self.one_question = self._apart(prediction.shape[1:])
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
        """The number of the positive class, or the mean over the classes."""
        self.measured(self.counts is not None)
        values, seen = self.of_classes(*self.counts)  # type: ignore[misc]
        if self.undefined:
            return float("nan")
        return float(self.summed_up(values, seen))

    def summed_up(self, values: NDArray, seen: NDArray) -> Any:
        return values[1] if self.one_question else values[seen].mean()

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        """The number of each class out of how often it was right, predicted and true; and which classes count."""
        raise NotImplementedError(f"{self!r} has no of_classes: write of_classes(self, right, predicted, true).")

    def _apart(self, output_shape: Shape) -> bool:
        """Whether each output is a yes-or-no question, of which there may be one."""
        return is_single(output_shape) or (self.separate if self.binary is None else self.binary)


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

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return right / np.maximum(true, 1), true > 0

    def summed_up(self, values: NDArray, seen: NDArray) -> Any:
        return values[seen].mean()


class F1Score(FromCounts):
    """The harmonic mean of precision and recall: 2 right / (predicted + true); 0 where both are 0."""

    name = "f1"

    def of_classes(self, right: NDArray, predicted: NDArray, true: NDArray) -> tuple[NDArray, NDArray]:
        return 2 * right / np.maximum(predicted + true, 1), predicted + true > 0


class AUC(_OfClasses):
    """The area under the ROC curve, exact: the share of pairs (positive, negative) in which the positive one scores higher.

    Ties count one half (Mann & Whitney 1947). All scores are kept until result(). Where one class is missing there are
    no pairs: it is NaN, with a warning, as in scikit-learn. It is NaN too if a prediction is NaN. Several outputs that are questions of their own count together ("micro").
    """

    name = "auc"
    scores: list[NDArray] | None = None
    targets: list[NDArray]

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        super().prepare(output_shape, from_logits, binary)
        if not binary and not is_single(output_shape):
            raise ValueError(
                f"metrics: 'auc' is of models with one output, this one has shape {batch_of(output_shape)}."
            )

    def reset(self) -> None:
        self.scores, self.targets = [], []

    def update(self, prediction: NDArray, target: NDArray) -> None:
        if self.scores is None:
            self.reset()
        prediction, target = self.arrays(prediction, target)
        _, true, _ = self.yes_or_no(prediction, target)
        self.scores.append(prediction.ravel().astype(float))  # type: ignore[union-attr]
        self.targets.append(true.ravel())

    def result(self) -> float:
        self.measured(self.scores and sum(map(len, self.scores)))
        scores, positive = np.concatenate(self.scores or []), np.concatenate(self.targets)
        if np.isnan(scores).any():
            return float("nan")
        _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
        rank = (np.cumsum(ties) - (ties - 1) / 2)[place]  # the mean rank of equal scores, from 1
        above, below = int(positive.sum()), int((~positive).sum())
        if not above or not below:
            one = "positive" if above else "negative"
            warnings.warn(
                f"metrics: {self.name!r} compares positive examples with negative ones, and all {len(positive)} are {one}: it is NaN. "
                "Measure it on examples of both classes.",
                stacklevel=caller(),
            )
            return float("nan")
        return float((rank[positive].sum() - above * (above + 1) / 2) / (above * below))


def is_single(output_shape: Shape) -> bool:
    """Whether there is one output, for each example or each place of it."""
    return tuple(output_shape[-1:]) in ((), (1,))


def _has_nan(values: NDArray) -> bool:
    """Whether the sum of the squares is NaN, which costs a third of np.isnan(values).any()."""
    squares = np.vdot(values, values)
    return bool(squares != squares)


def _check_threshold(metric: Metric, threshold: Any) -> None:
    if threshold is not None:
        check_number(type(metric).__name__, "threshold", threshold, "(-inf, inf)")


def _check_apart(metric: Metric, output_shape: Shape, from_logits: bool, binary: bool) -> None:
    """Refuse a threshold for the scores of classes: which of them is large only the others tell."""
    if from_logits and not binary and not is_single(output_shape):
        raise ValueError(
            f"metrics: {metric!r} asks each output by itself, and the loss takes scores of classes that are compared with each "
            'other. Use "accuracy".'
        )
