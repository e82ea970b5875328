"""Callbacks with Keras's names: stopping early, keeping the best weights, changing the learning rate, writing a log."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from minitorch_np.training.callbacks import Callback as Callback
from minitorch_np.training.callbacks import ProgressBar as ProgressBar

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGER_IS_BETTER = ("accuracy", "auc", "precision", "recall", "f1")


class Watch:
    """The best value so far of one measured thing.

    Args:
        monitor: its name in the logs, such as "val_loss".
        mode: "min", "max", or "auto": the larger the better for accuracy, AUC, precision, recall and F1.
        min_delta: by how much a value must be better to count as better.
    """

    def __init__(self, monitor: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode is 'auto', 'min' or 'max', got {mode!r}.")
        if mode == "auto":
            mode = "max" if monitor.removeprefix("val_").endswith(_LARGER_IS_BETTER) else "min"
        self.monitor, self.sign, self.min_delta = monitor, 1.0 if mode == "min" else -1.0, abs(min_delta)
        self.best: float | None = None

    def improved(self, logs: dict[str, float], who: str) -> bool:
        """Whether the value is better than every earlier one; then it is the best.

        Raises:
            ValueError: nothing of that name is measured; it names what is.
        """
        if self.monitor not in logs:
            hint = " Give fit validation_data." if self.monitor.startswith("val_") else ""
            raise ValueError(f"{who}: {self.monitor!r} is not measured; there is {', '.join(logs)}.{hint}")
        value = logs[self.monitor]
        if self.best is not None and not self.sign * (self.best - value) > self.min_delta:
            return False
        self.best = value
        return True


class EarlyStopping(Callback):
    """End training when a measured value has not become better for some epochs.

    Args:
        monitor, mode, min_delta: see Watch.
        patience: epochs to wait for something better.
        restore_best_weights: put back the weights of the best epoch at the end.

    Attributes:
        best_epoch: the epoch of the best value, counted from 0. stopped_epoch: the one after which training ended, or None.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = False,
    ) -> None:
        self.monitor, self.min_delta, self.patience = monitor, min_delta, patience
        self.mode, self.restore_best_weights = mode, restore_best_weights
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience is at least 0, got {patience!r}.")
        self.watch = Watch(monitor, mode, min_delta)

    def on_train_begin(self) -> None:
        self.watch = Watch(self.monitor, self.mode, self.min_delta)
        self.best_epoch = 0
        self.stopped_epoch: int | None = None
        self.best_weights: list[NDArray] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.watch.improved(logs, "EarlyStopping"):
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
        elif epoch - self.best_epoch >= max(1, self.patience):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self) -> None:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(Callback):
    """Save the weights after every epoch, or after those that were the best so far.

    Args:
        filepath: ends in .weights.h5; may name {epoch} (counted from 1) and what is measured, such as {val_loss:.3f}.
        monitor, mode: see Watch; used with save_best_only.
        save_best_only: keep only the best.

    Raises:
        ValueError, FileNotFoundError, PermissionError: before training, if the path cannot be written to.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
    ) -> None:
        self.filepath, self.monitor, self.save_best_only, self.mode = filepath, monitor, save_best_only, mode
        if not str(filepath).endswith(".weights.h5"):
            raise ValueError(f"ModelCheckpoint: filepath ends in .weights.h5, got {str(filepath)!r}.")
        self.watch = Watch(monitor, mode)

    def on_train_begin(self) -> None:
        self.watch = Watch(self.monitor, self.mode)
        check_writable(Path(self.filepath), "ModelCheckpoint")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if not self.save_best_only or self.watch.improved(logs, "ModelCheckpoint"):
            self.model.save_weights(str(self.filepath).format(**{"epoch": epoch + 1, **logs}))


class LearningRateScheduler(Callback):
    """Set the learning rate before every epoch: `schedule(epoch, rate) -> rate`, epochs counted from 0."""

    def __init__(self, schedule: Callable[..., float]) -> None:
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int) -> None:
        optimizer = self.model.optimizer
        optimizer.learning_rate = optimizer.checked_rate(self.schedule(epoch, optimizer.current_rate()))


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by a factor when a measured value has not become better for some epochs.

    Args:
        monitor, mode, min_delta: see Watch.
        factor: in (0, 1).
        patience: epochs to wait. cooldown: epochs after a reduction in which none is counted.
        min_lr: the rate never falls below it.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor lies between 0 and 1, got {factor!r}.")
        self.monitor, self.factor, self.patience, self.mode = monitor, factor, patience, mode
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr
        self.watch = Watch(monitor, mode, min_delta)

    def on_train_begin(self) -> None:
        if callable(self.model.optimizer.learning_rate):
            raise ValueError("ReduceLROnPlateau: the optimizer's learning_rate is a schedule. Give it a number.")
        self.watch = Watch(self.monitor, self.mode, self.min_delta)
        self.waited, self.resting = 0, 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        improved = self.watch.improved(logs, "ReduceLROnPlateau")
        if self.resting:
            self.resting -= 1
            self.waited = 0
        self.waited = 0 if improved or self.resting else self.waited + 1
        if self.waited >= max(1, self.patience):
            optimizer = self.model.optimizer
            rate = max(optimizer.learning_rate * self.factor, self.min_lr)
            if rate > 0:
                optimizer.learning_rate = min(rate, optimizer.learning_rate)
            self.waited, self.resting = 0, self.cooldown


class CSVLogger(Callback):
    """Write one line per epoch, flushed at once, with a line of names on top.

    Args:
        filename: the file. append: go on in a file that is there.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = filename, separator, append
        self.file: TextIO | None = None

    def on_train_begin(self) -> None:
        path = Path(self.filename)
        check_writable(path, "CSVLogger")
        self.headed = self.append and path.is_file() and path.stat().st_size > 0
        self.file = path.open("a" if self.append else "w", newline="")
        self.writer: Any = csv.writer(self.file, delimiter=self.separator, lineterminator="\n")

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.file is None:
            return
        if not self.headed:
            self.writer.writerow(["epoch", *logs])
            self.headed = True
        self.writer.writerow([epoch, *logs.values()])
        self.file.flush()

    def on_train_end(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None


class TerminateOnNaN(Callback):
    """Nothing: fit always ends at a loss that is not finite, names the first layer whose output is not, and keeps the last
    good weights. The class is here for code that lists it."""


def check_writable(path: Path, who: str) -> None:
    """Say before training what would fail after it.

    Raises:
        FileNotFoundError: the folder does not exist. PermissionError: it, or the file, may not be written to.
    """
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{who}: the folder {folder} does not exist. Create it first.")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"{who}: {path} cannot be written to. Choose another place, or change its permissions.")
