"""EarlyStopping: end training when a measured value no longer improves."""

from __future__ import annotations

from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, flag, whole
from minitorch_np.callbacks.callback import Callback, Logs
from minitorch_np.callbacks.monitor import Monitor


class EarlyStopping(Monitor):
    """End training when a measured value has not improved for some epochs.

    Args:
        monitor, min_delta, mode: see Monitor.
        patience: epochs to wait for a better value; of these only those count that are validated, see fit(validation_freq=…).
        restore_best_weights: put back the weights of the best epoch at the end.

    Attributes:
        best_epoch: the epoch of the best value, counted from 0. stopped_epoch: the one after which training ended, or None.
    """

    kept: tuple[str, ...] = ("best", "best_epoch", "waited", "stopped_epoch", "best_weights")
    compared: tuple[str, ...] = (*Monitor.compared, "patience", "restore_best_weights")
    checks: Checks = {"patience": whole(), "restore_best_weights": flag}
    patience: int
    restore_best_weights: bool
    best_epoch: int
    waited: int

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ) -> None:
        super().__init__(monitor, min_delta, mode)
        self.patience, self.restore_best_weights = patience, restore_best_weights

    def on_train_begin(self, logs: Logs = None) -> None:
        super().on_train_begin()
        self.best_epoch = self.waited = 0
        self.stopped_epoch: int | None = None
        self.best_weights: list[NDArray] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.skips(logs):
            return
        if self.improved(logs):
            self.best_epoch, self.waited = epoch, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.waited += 1
        if self.waited >= max(1, self.patience):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Does nothing, and exists for code from Keras. fit itself ends at a loss that is not finite and puts the last good weights
    back."""
