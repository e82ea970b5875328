"""Monitor: the base of callbacks that act when a measured value improves, or does not."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from minitorch_np.base.validation import Check, Checks, number, one_of
from minitorch_np.callbacks.callback import Callback, Logs, numbers_in
from minitorch_np.metrics import finding

check_mode: Check = one_of("auto", "min", "max")


def _check_monitor(who: str, name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{who}: {name} is the name of what is measured, such as 'val_loss', got {value!r}.")


class Monitor(Callback):
    """A callback that acts on the changes of one measured value.

    Args:
        monitor: the name of the value in the logs, such as "val_loss".
        min_delta: by how much a value must be better to count as better.
        mode: "min", "max", or "auto", which takes the `mode` of the metric of that name. A function has none, and neither has a
            value that a callback adds to the logs: "auto" is refused for these.

    Attributes:
        best: the best value so far.
    """

    kept: tuple[str, ...] = ("best",)
    compared: tuple[str, ...] = ("monitor", "min_delta", "mode")
    checks: Checks = {"monitor": _check_monitor, "min_delta": number(), "mode": check_mode}
    monitor: str
    min_delta: float
    mode: str

    def __init__(self, monitor: str, min_delta: float, mode: str) -> None:
        self.monitor, self.min_delta, self.mode = monitor, min_delta, mode
        self.best: float | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self.best = None

    def check_measured(self, names: Collection[str]) -> None:
        """Raise ValueError if the monitored value is not measured; the message names what is."""
        if self.monitor not in names:
            unvalidated = self.monitor.startswith("val_") and "val_loss" not in names
            raise ValueError(
                f"{type(self).__name__}: {self.monitor!r} is not measured; there is {', '.join(names)}."
                + (" Give fit validation_data." if unvalidated else " Set monitor to one of these.")
            )
        self.rises()

    def rises(self) -> bool:
        """Whether larger is better. Raises ValueError if that is not known and `mode` is needed."""
        return finding.rises(self.monitor, getattr(self.model, "metrics", ()), self.mode, type(self).__name__)

    def skips(self, logs: Logs) -> bool:
        """Whether validation measures the value and this epoch has none, because of fit(validation_freq=…)."""
        names = logs or {}
        return self.params.get("validation_freq", 1) != 1 and self.monitor not in names and "val_loss" not in names

    def improved(self, logs: Logs) -> bool:
        """Whether the value is better than every earlier one, which makes it the best. NaN is never better.

        Raises:
            ValueError: nothing of that name is measured; the message names what is.
        """
        logs = logs or {}
        self.check_measured(logs)
        rises = self.rises()
        value = numbers_in(logs).get(self.monitor)
        if value is None:
            raise ValueError(
                f"{type(self).__name__}: {self.monitor!r} in the logs is {logs[self.monitor]!r:.80}, not a number."
            )
        gain = math.inf if self.best is None else (value - self.best if rises else self.best - value)
        if math.isnan(value) or not gain > abs(self.min_delta):
            return False
        self.best = value
        return True
