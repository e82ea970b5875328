"""Losses: how wrong a prediction is, as one number, and the gradient of that number.

The mean is taken over all elements, as in PyTorch, whose names and values these are.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.cache import Cache
from minitorch_np.configurable import Configurable
from minitorch_np.functions import log_softmax, sigmoid
from minitorch_np.shapes import Shape, batch_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Loss(Configurable):
    """L = a mean over the batch of how far `prediction` is from `target`.

    A subclass writes `forward(prediction, target) -> scalar array`, which leaves in `self.cache` what
    `backward() -> dL/dprediction` needs. Both arrays have the same shape unless the class says otherwise.

    Attributes:
        from_logits: True where predictions are scores before the sigmoid or softmax; accuracy then thresholds at 0.
        weights: one number per example, (batch,), by which its part of the mean is multiplied, or None. fit sets it.
        takes_weights: True where forward and backward use `mean` and `weigh`, and so follow the weights.
    """

    from_logits = False
    takes_weights = False
    weights: NDArray | None = None
    keep_cache = True
    cache = Cache()
    _cache: Any = None

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        raise NotImplementedError(f"{self!r} has no forward: write forward(self, prediction, target) and return L.")

    def backward(self) -> NDArray:
        raise NotImplementedError(f"{self!r} has no backward: write backward(self) and return dL/dprediction.")

    def __call__(self, prediction: NDArray, target: NDArray) -> Any:
        return self.forward(np.asarray(prediction), np.asarray(target))

    def mean(self, values: NDArray) -> Any:
        """The mean over all elements, with the examples' weights if there are any: sum of w_b v_bj / number of elements."""
        return self.weigh(values).sum() / values.size

    def weigh(self, values: NDArray) -> NDArray:
        """Every example's values times its weight."""
        if self.weights is None:
            return values
        return values * self.weights.reshape(-1, *[1] * (values.ndim - 1))

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        """The targets as forward takes them, checked once before training.

        One number per example (n,) becomes a column where the model's outputs are (n, 1).
        """
        if target.ndim == 1 and output_shape == (1,):
            target = target[:, None]
        if target.shape[1:] != tuple(output_shape):
            raise ValueError(
                f"{self!r}: the model's outputs have shape {batch_of(output_shape)}, y has shape {target.shape}. "
                f"{self._remedy(target)}"
            )
        return target.astype(dtype, copy=False)

    def _remedy(self, target: NDArray) -> str:
        return "Change the units of the last layer, or the shape of y."

    def _check_shapes(self, prediction: NDArray, target: NDArray) -> None:
        if prediction.shape != target.shape:
            raise ValueError(
                f"{self!r}: expected a target of the prediction's shape {prediction.shape}, got {target.shape}. "
                "They are never broadcast: reshape one of them."
            )


class MSELoss(Loss):
    """L = mean of (prediction - target)^2."""

    takes_weights = True

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        self._check_shapes(prediction, target)
        difference = prediction - target
        self.cache = difference
        return self.mean(difference * difference)

    def backward(self) -> NDArray:
        """dL/dp = 2 (p - t) / number of elements."""
        difference = self.cache
        return self.weigh(difference * (2 / difference.size))


class BCELoss(Loss):
    """L = mean of -(t log p + (1 - t) log(1 - p)): binary cross-entropy of probabilities p.

    As in PyTorch, logarithms are clamped at -100, so that p = 0 and p = 1 give a finite loss, and the denominator
    of the gradient at 1e-12. Inside these clamps (p nearer to 0 or 1 than exp(-100) and 1e-12) the gradient is
    not the derivative of the clamped loss, which would be 0 there; it still points the right way. A network that
    ends in BCEWithLogitsLoss instead of Sigmoid and BCELoss has no such zone.

    Raises:
        ValueError: a probability outside [0, 1], or shapes that differ.
    """

    takes_weights = True

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        self._check_shapes(prediction, target)
        self.cache = prediction, target
        with np.errstate(divide="ignore", invalid="ignore"):
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

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        return check_binary(self, super().prepare(target, output_shape, dtype))

    def _remedy(self, target: NDArray) -> str:
        return remedy_for_classes(target)


class BCEWithLogitsLoss(Loss):
    """L = mean of -(t log s(x) + (1 - t) log(1 - s(x))) with s the sigmoid: binary cross-entropy of logits x.

    Computed as max(x, 0) - x t + log(1 + exp(-|x|)), which is exact for every finite x.
    """

    from_logits = True
    takes_weights = True

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        self._check_shapes(prediction, target)
        self.cache = prediction, target
        size = np.maximum(prediction, -prediction)  # |x|, in a form that bears complex numbers
        return self.mean(np.maximum(prediction, 0) - prediction * target + np.log1p(np.exp(-size)))

    def backward(self) -> NDArray:
        """d/dx of log(1 + exp(x)) is s(x), and L = mean of log(1 + exp(x)) - x t, so dL/dx = (s(x) - t) / size."""
        prediction, target = self.cache
        return self.weigh((sigmoid(prediction) - target) / prediction.size)

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        return check_binary(self, super().prepare(target, output_shape, dtype))

    def _remedy(self, target: NDArray) -> str:
        return remedy_for_classes(target)


class CrossEntropyLoss(Loss):
    """L = mean over the examples of -sum_k t_k log softmax(x)_k: cross-entropy of logits x.

    Args:
        label_smoothing: e takes e of each target's weight and spreads it evenly over all classes.

    Shapes: prediction (batch, ..., classes); target the class numbers (batch, ...), or probabilities or one-hot
        rows of the prediction's shape.
    """

    from_logits = True
    takes_weights = True

    def __init__(self, label_smoothing: float = 0.0) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"CrossEntropyLoss: label_smoothing lies in [0, 1), got {label_smoothing!r}.")
        self.label_smoothing = label_smoothing

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        classes = prediction.shape[-1]
        if target.ndim == prediction.ndim - 1 and target.dtype.kind in "iu":
            target = np.eye(classes, dtype=prediction.real.dtype)[target]
        self._check_shapes(prediction, target)
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + self.label_smoothing / classes
        log_p = log_softmax(prediction)
        self.cache = log_p, target
        return -self.mean((target * log_p).sum(axis=-1))

    def backward(self) -> NDArray:
        """log softmax(x)_k = x_k - log sum_j exp(x_j) has the derivative 1[i = k] - p_i with respect to x_i, so

        dL/dx_i = (p_i sum_k t_k - t_i) / examples, and the targets of an example sum to 1 when they are probabilities.
        """
        log_p, target = self.cache
        examples = log_p.size // log_p.shape[-1]
        return self.weigh((np.exp(log_p) * target.sum(axis=-1, keepdims=True) - target) / examples)

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        classes = output_shape[-1]
        if target.ndim > 1 and target.shape[1:] == (*output_shape[:-1], 1) and classes > 1:
            target = target[..., 0]
        if target.shape[1:] != tuple(output_shape[:-1]):
            return super().prepare(target, output_shape, dtype)
        numbers = target.astype(np.int64)
        strange = np.unique(target[(numbers != target) | (numbers < 0) | (numbers >= classes)])
        if strange.size:
            raise ValueError(
                f"{self!r}: expected class numbers 0 to {classes - 1}, got {listed(strange)}. "
                "Number the classes from 0, or give the last layer as many units as there are classes."
            )
        return numbers

    def _remedy(self, target: NDArray) -> str:
        return "Give y as class numbers (n,), or one-hot with one column per class."


def check_binary(loss: Loss, target: NDArray) -> NDArray:
    """Refuse targets outside [0, 1]; warn when only one class is there to learn."""
    values = np.unique(target)
    if values[0] < 0 or values[-1] > 1:
        raise ValueError(
            f"{loss!r}: expected targets 0 and 1 (or between), got {listed(values)}. "
            "Map the labels first, for instance y = (labels == positive_label)."
        )
    if len(values) == 1 and len(target) > 1:
        warnings.warn(f"{loss!r}: every target is {values[0]:g}; a model can learn only that.", stacklevel=2)
    return target


def remedy_for_classes(target: NDArray) -> str:
    if target.ndim == 1:
        return "For class numbers use CrossEntropyLoss(), or give y one column per output."
    return "Change the units of the last layer, or the shape of y."


def listed(values: NDArray, most: int = 6) -> str:
    """A few values for a message."""
    shown = ", ".join(f"{value:g}" for value in values[:most])
    return shown + (f", … ({len(values)} values)" if len(values) > most else "")
