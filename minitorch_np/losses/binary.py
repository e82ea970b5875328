"""Losses of yes-or-no questions: one output for each question."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import as_floats
from minitorch_np.base.callers import caller
from minitorch_np.base.functions import sigmoid, softplus
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, number, optional
from minitorch_np.losses.loss import ONE_OF_MANY, Loss, listed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class _YesOrNo(Loss):
    """A loss with one output for each yes-or-no question, and targets 0 and 1 or between."""

    binary = True
    takes_weights = True

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        """Also warns when every target is the same."""
        target = super().prepare(target, output_shape, dtype)
        self.check_call(target, target)
        values = np.unique(target)
        if len(values) == 1 and len(target) > 1 and not ONE_OF_MANY.get():
            warnings.warn(f"{self!r}: every target is {values[0]:g}; a model can learn only that.", stacklevel=caller())
        return target

    def check_call(self, prediction: NDArray, target: NDArray) -> None:
        if target.size and (target.min() < 0 or target.max() > 1):
            raise ValueError(
                f"{self!r}: expected targets 0 and 1 (or between), got {listed(np.unique(target))}. "
                "Map the labels first, for instance y = (labels == positive_label)."
            )

    def _remedy(self, target: NDArray) -> str:
        if target.ndim == 1:
            return "For class numbers use CrossEntropyLoss(), or give y one column per output."
        return super()._remedy(target)


class BCELoss(_YesOrNo):
    """L = mean of -(t log p + (1 - t) log(1 - p)): binary cross-entropy of probabilities p.

    As in PyTorch, logarithms are clamped at -100, so that p = 0 and p = 1 give a finite loss. The denominator of the gradient is
    clamped at 1e-12. If p is so near to 0 or 1 that a clamp acts, the gradient is not the derivative of the loss, but its sign is
    right. BCEWithLogitsLoss, for a network without Sigmoid at its end, needs no clamps.

    Raises:
        ValueError: a probability outside [0, 1], or shapes that differ.
    """

    @np.errstate(divide="ignore", invalid="ignore")
    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        self.cache = prediction, target
        log_p = np.maximum(np.log(prediction), -100)
        log_not_p = np.maximum(np.log1p(-prediction), -100)
        loss = -self.mean(target * log_p + (1 - target) * log_not_p)
        if loss != loss and not np.isnan(prediction).any() and not np.isnan(target).any():
            outside = prediction[(prediction.real < 0) | (prediction.real > 1)]
            raise ValueError(
                f"{self!r}: expected probabilities between 0 and 1, got {outside.flat[0]}. "
                "End the network with Sigmoid(), or use BCEWithLogitsLoss()."
            )
        return loss

    def backward(self) -> NDArray:
        """dL/dp = (-t / p + (1 - t) / (1 - p)) / size = (p - t) / (p (1 - p)) / size."""
        prediction, target = self.cache
        slope = (prediction - target) / (np.maximum(prediction * (1 - prediction), 1e-12) * prediction.size)
        return self.weigh(slope)


def _check_pos_weight(who: str, name: str, value: Any) -> None:
    if value is None:
        return
    weights = as_floats(value, name, who)
    if weights.ndim > 1 or not weights.size or not np.isfinite(weights).all() or weights.min() <= 0:
        raise ValueError(f"{who}: {name} is a positive number, or one for each output, got {value!r}.")


class BCEWithLogitsLoss(_YesOrNo):
    """L = mean of -(t log s(x) + (1 - t) log(1 - s(x))) with s the sigmoid: binary cross-entropy of logits x.

    Computed as max(x, 0) - x t + log(1 + exp(-|x|)), which is exact for every finite x. Where x is infinite, the loss is 0 if
    its sign agrees with t, and infinite otherwise.

    Args:
        pos_weight: a factor of the first term, so of what a missed yes costs: one number, or one for each output. To balance rare
            yeses it is the number of noes divided by that of yeses. None is 1.
    """

    from_logits = True
    instead: dict[str, str] = {"Sigmoid": ", or use BCELoss()"}
    checks: Checks = {"pos_weight": _check_pos_weight}

    def __init__(self, pos_weight: float | ArrayLike | None = None) -> None:
        self.pos_weight = pos_weight

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        self.cache = prediction, target
        if self.pos_weight is None:
            return self.mean(cross_entropy(prediction, target))
        yes, no = self._weights(target)
        with np.errstate(invalid="ignore"):  # of 0 * inf
            return self.mean(
                np.where(yes == 0, 0, yes * softplus(-prediction)) + np.where(no == 0, 0, no * softplus(prediction))
            )

    def backward(self) -> NDArray:
        """d/dx of log(1 + exp(x)) is s(x), and L = mean of log(1 + exp(x)) - x t, so dL/dx = (s(x) - t) / size.

        With a pos_weight w, L = mean of w t log(1 + exp(-x)) + (1 - t) log(1 + exp(x)), so
        dL/dx = (w t (s(x) - 1) + (1 - t) s(x)) / size.
        """
        prediction, target = self.cache
        if self.pos_weight is None:
            return self.weigh((sigmoid(prediction) - target) / prediction.size)
        yes, no = self._weights(target)
        return self.weigh((no * sigmoid(prediction) - yes * sigmoid(-prediction)) / prediction.size)

    def _weights(self, target: NDArray) -> tuple[NDArray, NDArray]:
        """The factors of log(1 + exp(-x)) and of log(1 + exp(x))."""
        weight = np.asarray(self.pos_weight, target.dtype)
        if weight.size == 1:
            weight = weight.reshape(())
        if weight.ndim and weight.shape != target.shape[-1:]:
            raise ValueError(
                f"{self!r}: pos_weight has {len(weight)} numbers, and the outputs have shape {target.shape}. Give one for each output."
            )
        return weight * target, 1 - target


class FocalLoss(_YesOrNo):
    """L = mean of a (1 - p)^gamma (-log p), with p the probability that sigmoid(x) gives to the target.

    It is the binary cross-entropy of logits x in which examples that are already right count little. Lin et al. 2017,
    equation 5.

    Args:
        gamma: at least 0. With a larger gamma, examples that are nearly right count less. With 0 it is BCEWithLogitsLoss.
        alpha: the weight a of targets 1; targets 0 have the weight 1 - alpha. None gives both the weight 1.

    Raises:
        ValueError: gamma is negative, alpha is outside [0, 1], or prediction and target differ in shape.
    """

    from_logits = True

    checks: Checks = {"gamma": number(), "alpha": optional(number("[0, 1]"))}

    def __init__(self, gamma: float = 2.0, alpha: float | None = 0.25) -> None:
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        self.cache = prediction, target
        entropy, wrong = cross_entropy(prediction, target), self._wrong(prediction, target)
        return self.mean(self._balance(target) * wrong ** float(self.gamma) * entropy)

    def backward(self) -> NDArray:
        """With s the sigmoid, q = 1 - p = (1 - t) s(x) + t s(-x) and the cross-entropy e = log(1 + exp(x)) - x t:

        dq/dx = (1 - 2 t) s(x) s(-x) and de/dx = s(x) - t, so by the product rule
        dL/dx = a (gamma q^(gamma - 1) dq/dx e + q^gamma de/dx) / size = a q^gamma (gamma (dq/dx / q) e + de/dx) / size.
        The quotient dq/dx / q is never larger than 1 where t is 0 or 1.
        """
        x, t = self.cache
        gamma, s, q = float(self.gamma), sigmoid(x), self._wrong(x, t)
        entropy = cross_entropy(x, t)
        relative = (1 - 2 * t) * s * sigmoid(-x) / np.maximum(q, np.finfo(q.dtype).tiny)
        return self.weigh(self._balance(t) * q**gamma * (gamma * relative * entropy + s - t) / x.size)

    def _wrong(self, x: NDArray, t: NDArray) -> NDArray:
        """q = 1 - p, computed from both tails of the sigmoid, so that a small q keeps its digits."""
        return (1 - t) * sigmoid(x) + t * sigmoid(-x)

    def _balance(self, t: NDArray) -> NDArray | float:
        return 1.0 if self.alpha is None else (1 - float(self.alpha)) + (2 * float(self.alpha) - 1) * t


class HingeLoss(_YesOrNo):
    """L = mean of max(0, 1 - t x), for scores x and targets t of -1 and 1: the margin of a support vector machine.

    Targets 0 count as -1, so targets may also be 0 and 1. It is Keras's Hinge. PyTorch's HingeEmbeddingLoss is another
    loss, of distances.
    """

    from_logits = True
    probabilistic = False

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        target = self._matched(prediction, target)
        sign = target - (target == 0)
        short = np.maximum(1 - sign * prediction, 0)
        self.cache = sign, short
        return self.mean(short)

    def backward(self) -> NDArray:
        """dL/dx = -t / size where 1 - t x > 0, and 0 elsewhere, also at the kink."""
        sign, short = self.cache
        return self.weigh(-sign * (short > 0) / short.size)

    def check_call(self, prediction: NDArray, target: NDArray) -> None:
        strange = np.setdiff1d(target, (-1, 0, 1))
        if strange.size:
            raise ValueError(
                f"{self!r}: expected targets -1 and 1, or 0 and 1, got {listed(strange)}. "
                "Map the labels first, for instance y = (labels == positive_label)."
            )


def cross_entropy(x: NDArray, t: NDArray) -> NDArray:
    """-(t log s(x) + (1 - t) log(1 - s(x))) of logits x, s the sigmoid, element by element."""
    with np.errstate(invalid="ignore"):  # of inf - inf
        entropy = np.maximum(x, 0) - x * t + np.log1p(np.exp(np.minimum(x, -x)))
    total = entropy.sum()
    if total != total:
        # Some x is infinite: compute the two terms one by one; the one with the factor 0 is 0.
        with np.errstate(invalid="ignore"):
            entropy = np.where(t == 0, 0, t * softplus(-x)) + np.where(t == 1, 0, (1 - t) * softplus(x))
    return entropy
