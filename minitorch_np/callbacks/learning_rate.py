"""Callbacks that change the learning rate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minitorch_np.base.validation import Checks, number, whole
from minitorch_np.callbacks.callback import Callback, Logs
from minitorch_np.callbacks.monitor import Monitor


def _arguments(schedule: Any) -> int:
    """How many of (epoch, rate) a schedule is called with; 0 if it is no schedule."""
    if isinstance(schedule, type):
        return 0
    try:
        arguments = list(inspect.signature(schedule).parameters.values())
    except TypeError:  # not a function
        return 0
    except ValueError:  # a built-in function without a signature
        return 2
    named = [p for p in arguments if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in arguments if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in arguments)
    if any(p not in named[:2] for p in required) or not (named or any_number):
        return 0
    takes_rate = len(named) > 1 and (named[1] in required or named[1].name in ("rate", "lr", "learning_rate"))
    return 2 if takes_rate or (any_number and len(named) < 2) else 1


def _check_schedule(who: str, name: str, value: Any) -> None:
    if not _arguments(value):
        raise ValueError(
            f"{who}: {name} is a function (epoch) -> rate or (epoch, rate) -> rate, got {value!r}. "
            f"Write {who}(lambda epoch, rate: 0.9 * rate)."
        )


class LearningRateScheduler(Callback):
    """Set the learning rate before every epoch. It is in the history as "learning_rate".

    Args:
        schedule: a function `(epoch) -> rate` or `(epoch, rate) -> rate` of the epoch, counted from 0, and the rate so far. A second
            argument with a default is the rate only if it is called rate, lr or learning_rate. The rate may be 0.
    """

    compared: tuple[str, ...] = ("schedule",)

    checks: Checks = {"schedule": _check_schedule}

    def __init__(self, schedule: Callable[..., float]) -> None:
        self.schedule = schedule

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        optimizer = self.model.optimizer
        known = (epoch, optimizer.current_rate())[: _arguments(self.schedule)]
        optimizer.learning_rate = optimizer.checked_rate(self.schedule(*known))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.current_rate()


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by a factor when a measured value has not become better for some epochs.

    The rate of each epoch is in the history as "learning_rate".

    Args:
        monitor, min_delta, mode: see Monitor.
        factor: in (0, 1).
        patience: epochs to wait. cooldown: epochs after a reduction in which none is counted.
        min_lr: the rate never falls below it.
    """

    kept: tuple[str, ...] = ("best", "waited", "resting")
    compared: tuple[str, ...] = (*Monitor.compared, "factor", "patience", "cooldown", "min_lr")
    checks: Checks = {"factor": number("(0, 1)"), "patience": whole(), "cooldown": whole(), "min_lr": number()}
    factor: float
    patience: int
    cooldown: int
    min_lr: float
    waited: int
    resting: int

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
        super().__init__(monitor, min_delta, mode)
        self.factor, self.patience, self.cooldown, self.min_lr = factor, patience, cooldown, min_lr

    def on_train_begin(self, logs: Logs = None) -> None:
        if callable(self.model.optimizer.learning_rate):
            raise ValueError("ReduceLROnPlateau: the optimizer's learning_rate is a schedule. Give it a number.")
        super().on_train_begin()
        self.waited, self.resting = 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.current_rate()
        if self.skips(logs):
            return
        improved = self.improved(logs)
        if self.resting:
            self.resting -= 1
            self.waited = 0
        self.waited = 0 if improved or self.resting else self.waited + 1
        if self.waited >= max(1, self.patience):
            optimizer = self.model.optimizer
            present = optimizer.current_rate()
            rate = max(present * self.factor, self.min_lr)
            if rate > 0:
                optimizer.learning_rate = min(rate, present)
            self.waited, self.resting = 0, self.cooldown
