"""A loss as a layer: alone, and behind a model."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import one_number, takes_target_first
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class LossLayer(Layer):
    """A loss with its target as a layer: y is the loss, so dL/dx is dy times the loss's own gradient.

    Args:
        loss: a Loss, or a user-defined object with forward(prediction, target) and backward().
    """

    def __init__(self, loss: Any, target: Any) -> None:
        self.loss, self.target = loss, target

    def forward(self, x: NDArray) -> NDArray:
        value = self.loss.forward(x, self.target)
        real = value.real if np.iscomplexobj(value) else value
        one_number(f"{self.loss!r}.forward", real, "Return the mean over the batch, self.mean(values).")
        return np.asarray(value, x.dtype if type(value) is float else None)  # float() has no dtype of its own

    def backward(self, dy: NDArray) -> NDArray:
        dx = self.loss.backward()
        if dx is None:
            raise ValueError(f"{self.loss!r}.backward: expected dL/dprediction, got None. End it with a return.")
        return dy * dx


def target_in(target: Any, dtype: DTypeLike) -> NDArray:
    """The target in another dtype. Rows of probabilities add up to 1 there too, not only to the digits of their first dtype.

    The backward of cross-entropy, p - target, relies on that.
    """
    given = np.asarray(target)
    if given.dtype.kind != "f":
        return given
    converted = np.asarray(given, dtype)
    sums = converted.sum(-1, keepdims=True) if given.ndim > 1 else np.zeros(1)
    few_digits = np.finfo(given.dtype).eps
    if (
        few_digits > np.finfo(converted.dtype).eps
        and (converted >= 0).all()
        and (np.abs(sums - 1) < 8 * few_digits).all()
    ):
        return converted / sums
    return converted


def of_value_alone(function: Any, x: NDArray, y: Any) -> bool:
    """Whether it is a function of prediction and target that returns the loss, and no gradient beside it."""
    if not isinstance(function, (FunctionType, functools.partial)):
        return False
    given = (np.array(y), x.copy()) if takes_target_first(function) else (x.copy(), np.array(y))
    try:
        value = function(*given)
    except Exception:  # what a user's function raises on arguments that it may not expect
        return False
    return isinstance(value, (float, int, np.generic, np.ndarray))


class ModelWithLoss(Layer):
    """A model and its loss as one layer: y is the loss."""

    def __init__(self, model: Layer, loss: LossLayer) -> None:
        self.model, self.loss = model, loss

    def forward(self, x: NDArray) -> NDArray:
        return self.loss.forward(self.model.forward(x))

    def backward(self, dy: NDArray) -> Any:
        return self.model.backward(self.loss.backward(dy))
