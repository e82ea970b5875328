"""Losses of several classes: the last axis of a prediction has one number for each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.functions import log_softmax
from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.base.validation import Checks, flag, is_whole, number, optional
from minitorch_np.losses.loss import Loss, listed, rows_of_probabilities


def _any_whole(who: str, name: str, value: Any) -> None:
    if not is_whole(value):
        raise ValueError(f"{who}: {name} is a class number, such as -1, or None, got {value!r}.")


class CrossEntropyLoss(Loss):
    """L = mean over the examples of -sum_k t_k log p_k, p = softmax(x): cross-entropy of logits x.

    A class with the logit -inf is masked: its p is 0, and if its t is 0 it adds nothing to the loss. If all logits of an
    example are -inf, the loss is NaN.

    Args:
        label_smoothing: the share e of each target that is spread evenly over all classes: t becomes (1 - e) t + e / classes.
        from_logits: False if predictions are probabilities, as after Softmax. Keras's default is False. As in BCELoss,
            logarithms are then clamped at -100 and the denominator of the gradient at 1e-12; logits need neither.
        ignore_index: a class number that marks examples, or steps of them, as left out: the mean is over the others, and metrics
            measure the others. If all are left out, L is 0. PyTorch's default is -100; here it is None, for none.

    Shapes: prediction (batch, ..., classes); target the class numbers (batch, ...), or probabilities or one-hot
        rows of the prediction's shape.
    Raises:
        ValueError: a probability outside [0, 1], targets that do not fit.
    """

    takes_weights = True
    instead: dict[str, str] = {"Softmax": ", or give from_logits=False"}

    checks: Checks = {"label_smoothing": number("[0, 1)"), "from_logits": flag, "ignore_index": optional(_any_whole)}

    def __init__(self, label_smoothing: float = 0.0, from_logits: bool = True, ignore_index: int | None = None) -> None:
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits
        self.ignore_index = ignore_index

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        classes, numbered = prediction.shape[-1], target.ndim == prediction.ndim - 1
        factor = None
        if numbered and self.ignore_index is not None:
            target, factor = _without_ignored(target, self.ignore_index, prediction.real.dtype)
        if numbered:
            check_class_numbers(self, prediction, target)
        log_p = log_softmax(prediction) if self.from_logits else self._log(prediction)
        if numbered and not self.label_smoothing:
            self.cache = prediction, log_p, target, factor
            return -self.mean(_times(at(log_p, target), factor))
        target = self._matched(prediction, one_hot(target, classes, prediction.real.dtype) if numbered else target)
        if self.label_smoothing:
            share = float(self.label_smoothing)
            target = target * (1 - share) + share / classes
        self.cache = prediction, log_p, target, factor
        return -self.mean(_times(expectation(target, log_p), factor))

    def backward(self) -> NDArray:
        """log softmax(x)_k = x_k - log sum_j exp(x_j) has the derivative 1[i = k] - p_i with respect to x_i, so

        dL/dx_i = (p_i sum_k t_k - t_i) / examples, and the targets of an example sum to 1 when they are probabilities.

        If the predictions are probabilities, only log p_i depends on p_i, so dL/dp_i = -t_i / p_i / examples. With ignore_index
        "examples" is the number of those that count, and the others have no gradient.
        """
        prediction, log_p, target, factor = self.cache
        if target.ndim < log_p.ndim:
            target = one_hot(target, log_p.shape[-1], log_p.real.dtype)
        examples = log_p.size // log_p.shape[-1]
        if not self.from_logits:
            slope = -target / (np.maximum(prediction, 1e-12) * examples)
        else:
            slope = (np.exp(log_p) * target.sum(axis=-1, keepdims=True) - target) / examples
        return self.weigh(slope if factor is None else _times(slope, factor[..., np.newaxis]))

    def counted(self, prediction: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        if self.ignore_index is None or target.ndim == prediction.ndim:
            return prediction, target
        kept = target != self.ignore_index
        return prediction[kept], target[kept]

    def _log(self, prediction: NDArray) -> NDArray:
        outside = prediction[(prediction.real < 0) | (prediction.real > 1)]
        if outside.size:
            raise ValueError(
                f"{self!r}: expected probabilities between 0 and 1, got {outside.flat[0]}. "
                "End the network with Softmax(), or leave out from_logits=False: CrossEntropyLoss() takes logits."
            )
        with np.errstate(divide="ignore"):
            return np.maximum(np.log(prediction), -100)

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        if not are_class_numbers(target, output_shape):
            target = super().prepare(target, output_shape, dtype)
            self.check_call(target, target)
            return target
        if self.ignore_index is None:
            return class_numbers(self, target, output_shape)
        target = without_column(target, output_shape)
        kept = target != self.ignore_index
        return np.where(kept, class_numbers(self, np.where(kept, target, 0), output_shape), self.ignore_index)

    def check_call(self, prediction: NDArray, target: NDArray) -> None:
        if target.ndim == prediction.ndim:
            check_rows(
                self,
                target,
                "Give probabilities, one-hot rows, or class numbers (n,). The order is loss(prediction, target).",
            )

    def wrong_outputs(self, outputs: NDArray) -> str:
        if not self.from_logits and not rows_of_probabilities(outputs, 1e-2):
            return f"{self!r} takes the probabilities of classes, and the model's outputs do not sum to 1: end it with Softmax()"
        return super().wrong_outputs(outputs)

    def _remedy(self, target: NDArray) -> str:
        return "Give y as class numbers (n,), or one-hot with one column per class."


class _OfLogProbabilities(Loss):
    """A loss of log-probabilities, such as LogSoftmax gives. They are logits too: softmax(log p) = p."""

    from_logits = True
    takes_weights = True
    instead: dict[str, str] = {"Softmax": " and use CrossEntropyLoss()"}

    def wrong_outputs(self, outputs: NDArray) -> str:
        """Raise ValueError for outputs whose exponentials do not sum to 1 in each row."""
        with np.errstate(over="ignore"):
            sums = np.exp(outputs).sum(axis=-1)
        if (abs(sums - 1) > 1e-2).any():  # False for NaN, which ends training with a message of its own
            raise ValueError(
                f"{self!r}: expected log-probabilities, whose exp sums to 1 in each row, got rows with sums of {sums.min():g} to "
                f"{sums.max():g}. End the network with LogSoftmax(), or use CrossEntropyLoss(), which takes scores."
            )
        return ""

    def check_call(self, prediction: NDArray, target: NDArray) -> None:
        self.wrong_outputs(prediction)


class NLLLoss(_OfLogProbabilities):
    """L = mean over the examples of -x_t: negative log-likelihood of log-probabilities x, where t is the class.

    End the network with LogSoftmax(). CrossEntropyLoss takes logits, and is the NLLLoss of their LogSoftmax.

    Shapes: prediction (batch, ..., classes), the log-probabilities; target the class numbers (batch, ...).
    """

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        check_class_numbers(self, prediction, target)
        self.cache = prediction.shape, prediction.dtype, target
        return -self.mean(at(prediction, target))

    def backward(self) -> NDArray:
        """dL/dx = -1 / examples at the target's class and 0 elsewhere."""
        shape, dtype, target = self.cache
        return self.weigh(one_hot(target, shape[-1], dtype, -1 / target.size))

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        if not are_class_numbers(target, output_shape):
            raise ValueError(
                f"{self!r}: the model's outputs have shape {batch_of(output_shape)}, y has shape {target.shape}. "
                "Give y as class numbers (n,)."
            )
        return class_numbers(self, target, output_shape)


class KLDivLoss(_OfLogProbabilities):
    """L = sum of t (log t - x) / batch size: how far the distribution t is from exp(x). Kullback & Leibler 1951.

    This is PyTorch's reduction="batchmean", the mean divergence of an example. PyTorch's default also divides by the number
    of classes. Where t = 0, t log t is 0.

    Shapes: prediction (batch, ..., classes), log-probabilities; target the probabilities, of the same shape.
    """

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        self.cache = target
        log_t = np.log(np.where(target > 0, target, 1))
        return self.weigh(expectation(target, log_t - prediction)).sum() / len(prediction)

    def backward(self) -> NDArray:
        """dL/dx = -t / batch size."""
        target = self.cache
        return self.weigh(target * (-1 / len(target)))

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        target = super().prepare(target, output_shape, dtype)
        check_rows(self, target, "Divide each row by its sum.")
        return target


def _without_ignored(target: NDArray, ignored: int, dtype: np.dtype) -> tuple[NDArray, NDArray]:
    """Targets with class 0 in place of the ignored number, and factors: 0 for these, and for the others such that a mean over all is
    the mean over them.
    """
    kept = target != ignored
    share = target.size / max(1, int(np.count_nonzero(kept)))
    return np.where(kept, target, 0), (kept * share).astype(dtype)


def _times(values: NDArray, factor: NDArray | None) -> NDArray:
    """values * factor. Where the factor is 0, the product is 0 even if the value is infinite."""
    return values if factor is None else np.where(factor == 0, 0, values) * factor


def check_rows(loss: Loss, target: NDArray, remedy: str) -> None:
    """Raise ValueError for targets whose rows are not probabilities."""
    sums = target.sum(axis=-1)
    if target.size and (target.min() < 0 or not (abs(sums - 1) <= 1e-3).all()):
        raise ValueError(
            f"{loss!r}: expected probabilities, at least 0 and with sum 1 in each row, got {target.min():g} to {target.max():g} "
            f"and sums of {sums.min():g} to {sums.max():g}. {remedy}"
        )


def expectation(target: NDArray, values: NDArray) -> NDArray:
    """sum_k t_k v_k over the last axis. A term with t = 0 is 0, even if v is infinite, as it is for a masked class."""
    with np.errstate(invalid="ignore"):  # of 0 * inf
        terms = target * values
    sums = terms.sum(axis=-1)
    total = sums.sum()
    return sums if total == total else np.where(target == 0, 0, terms).sum(axis=-1)


def at(values: NDArray, numbers: NDArray) -> NDArray:
    """One value of each row: values[i, numbers[i]], (batch, ...)."""
    rows = values.reshape(-1, values.shape[-1])
    return rows[np.arange(len(rows)), numbers.ravel()].reshape(numbers.shape)


def are_class_numbers(target: NDArray, output_shape: Shape) -> bool:
    """Whether y has one number for each example (or each step of it), and not one column for each class."""
    return without_column(target, output_shape).shape[1:] == tuple(output_shape[:-1])


def class_numbers(loss: Loss, target: NDArray, output_shape: Shape) -> NDArray:
    """y as ints, (n, ...). Raises ValueError for labels outside 0..classes-1."""
    target, classes = without_column(target, output_shape), output_shape[-1]
    numbers = target.astype(np.int64)
    strange = (numbers != target) | (numbers < 0) | (numbers >= classes)
    if strange.any():
        raise ValueError(_not_classes(loss, target[strange], classes))
    return numbers


def check_class_numbers(loss: Loss, prediction: NDArray, target: NDArray) -> None:
    """Raise ValueError for labels outside 0..classes-1: NumPy would take -1 for the last class."""
    if target.shape != prediction.shape[:-1] or target.dtype.kind not in "iu":
        remedy = " Class numbers are whole numbers; use y.astype(int)." if target.dtype.kind in "bf" else ""
        raise ValueError(
            f"{loss!r}: expected class numbers of shape {prediction.shape[:-1]}, got {target.dtype} of shape "
            f"{target.shape}.{remedy}"
        )
    classes = prediction.shape[-1]
    if target.size and (target.min() < 0 or target.max() >= classes):
        raise ValueError(_not_classes(loss, target[(target < 0) | (target >= classes)], classes))


def _not_classes(loss: Loss, strange: NDArray, classes: int) -> str:
    return (
        f"{loss!r}: expected class numbers 0 to {classes - 1}, got {listed(np.unique(strange))}. "
        "Number the classes from 0, or give the last layer as many units as there are classes."
    )


def without_column(target: NDArray, output_shape: Shape) -> NDArray:
    """Class numbers in a column, (n, ..., 1), as (n, ...); other targets unchanged."""
    column = target.ndim > 1 and target.shape[1:] == (*output_shape[:-1], 1) and output_shape[-1] > 1
    return target[..., 0] if column else target


def one_hot(numbers: NDArray, classes: int, dtype: np.dtype, value: float = 1.0) -> NDArray:
    """Rows of zeros in which row i has the value at position numbers[i]."""
    rows = np.zeros((numbers.size, classes), dtype)
    rows[np.arange(len(rows)), numbers.ravel()] = value
    return rows.reshape(*numbers.shape, classes)
