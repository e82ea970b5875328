"""From what a model predicts to probabilities, where its loss says how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.functions import log_softmax, sigmoid
from minitorch_np.losses.loss import Loss

if TYPE_CHECKING:
    from numpy.typing import NDArray


def probabilities(predicted: NDArray, loss: Loss | None) -> NDArray:
    """(n, classes) of outputs (n, units): one output is that of class 1, and the rest is that of class 0.

    Scores go through the sigmoid where each output is a question of its own, else through softmax. Without a loss, and of a loss
    that takes probabilities, the outputs are taken as they are. Ask `loss.probabilistic` first: margins have no probability.
    """
    alone = predicted.shape[1] == 1
    if loss is not None and loss.from_logits:
        predicted = sigmoid(predicted) if alone or loss.binary else np.exp(log_softmax(predicted))
    return np.concatenate([1 - predicted, predicted], axis=1) if alone else predicted
