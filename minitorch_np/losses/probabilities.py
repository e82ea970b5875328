"""From a model's outputs to probabilities, by its loss."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.functions import log_softmax, sigmoid
from minitorch_np.base.shapes import NDArray
from minitorch_np.losses.loss import Loss


def probabilities(predicted: NDArray, loss: Loss | None) -> NDArray:
    """(n, …, classes) from outputs (n, …, units). A single output is the probability of class 1; class 0 has the rest.

    Scores go through the sigmoid if each output answers a separate question, else through softmax. Without a loss, or with a loss
    of probabilities, the outputs are taken as they are. Check `loss.probabilistic` first: margins are not probabilities.
    """
    alone = predicted.shape[-1] == 1
    if loss is not None and loss.from_logits:
        predicted = sigmoid(predicted) if alone or loss.binary else np.exp(log_softmax(predicted))
    return np.concatenate([1 - predicted, predicted], axis=-1) if alone else predicted
