"""A loss as a layer: alone, and behind a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import one_number
from minitorch_np.layer import Layer


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


class ModelWithLoss(Layer):
    """A model and its loss as one layer: y is the loss."""

    def __init__(self, model: Layer, loss: LossLayer) -> None:
        self.model, self.loss = model, loss

    def forward(self, x: NDArray) -> NDArray:
        return self.loss.forward(self.model.forward(x))

    def backward(self, dy: NDArray) -> Any:
        return self.model.backward(self.loss.backward(dy))
