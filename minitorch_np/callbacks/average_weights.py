"""AverageWeights: an exponential average of the weights, which often predicts better than the weights of the last step."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, flag, number
from minitorch_np.callbacks.callback import Callback, Logs


class AverageWeights(Callback):
    """average = momentum * average + (1 - momentum) * weights, after each step of the optimiser. Polyak & Juditsky 1992.

    The average begins with the weights after the first step, as in Keras (use_ema) and PyTorch (AveragedModel). Only parameters that
    learn are averaged; running statistics are those of the model.

    The model has the average in validation and at the end of each epoch, and the weights of the last step again when training goes on.
    So val_loss is that of the average, and ModelCheckpoint and EarlyStopping keep the average. This callback runs before the others,
    wherever it is in the list.

    Args:
        momentum: the share of the average that is kept in a step, in [0, 1): 0.99 averages over about 100 steps.
        keep_average: False leaves the model with the weights of the last step at the end, and the average in `average`.

    Attributes:
        average: the average by the names of the parameters; empty before the first step.
    """

    first = True
    kept: tuple[str, ...] = ("average", "last", "iteration")
    compared: tuple[str, ...] = ("momentum", "keep_average")
    checks: Checks = {"momentum": number("[0, 1)"), "keep_average": flag}
    momentum: float
    keep_average: bool
    average: dict[str, NDArray]
    last: dict[str, NDArray] | None
    iteration: int

    def __init__(self, momentum: float = 0.99, keep_average: bool = True) -> None:
        self.momentum, self.keep_average = momentum, keep_average
        self.average = {}
        self._trains = False  # whether fit runs now

    def on_train_begin(self, logs: Logs = None) -> None:
        self.average, self._trains = {}, True
        self.last = None  # the weights of the last step, while the model has the average
        self.iteration = self.model.optimizer.iteration

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self._put_back()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.model.optimizer.iteration != self.iteration:  # with fit(accumulate=…) not every batch ends with a step
            self._add()

    def on_test_begin(self, logs: Logs = None) -> None:
        if self._trains:
            self._swap_in()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._put_back()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._swap_in()

    def on_train_end(self, logs: Logs = None) -> None:
        self._trains = False
        if self.keep_average and all(np.isfinite(average).all() for average in self.average.values()):
            self._swap_in()
            self.last = None
        else:
            self._put_back()

    def set_state(self, state: dict[str, Any]) -> None:
        shapes = {name: parameter.shape for name, parameter in self.model.parameters().items()}
        for kept in (state.get("average"), state.get("last")):
            for name, array in (kept or {}).items():
                if not isinstance(array, np.ndarray) or array.shape != shapes.get(name):
                    raise ValueError(f"the average of {name} does not fit")
        super().set_state(state)

    def _add(self) -> None:
        self.iteration = self.model.optimizer.iteration
        share = 1 - float(self.momentum)
        for name, parameter in self.model.parameters().items():
            if parameter.trainable:
                if name not in self.average:
                    self.average[name] = parameter.value.copy(order="K")
                average = self.average[name]
                average += share * (parameter.value - average)

    def _swap_in(self) -> None:
        """Give the model the average, and keep its weights."""
        if self.iteration != self.model.optimizer.iteration:
            self._add()  # the last step of an epoch with accumulated gradients comes after its last batch
        if self.last is None and self.average:
            self.last = self._exchange(self.average)

    def _put_back(self) -> None:
        """Give the model the weights of the last step again."""
        if self.last is not None:
            self._exchange(self.last)
            self.last = None

    def _exchange(self, values: dict[str, NDArray]) -> dict[str, NDArray]:
        """Replace these weights of the model, between two steps of any thread; return those that it had."""
        names = list(self.model.parameters())
        before = self.model.get_weights()
        self.model.set_weights([values.get(name, weight) for name, weight in zip(names, before, strict=True)])
        return {name: weight for name, weight in zip(names, before, strict=True) if name in values}
