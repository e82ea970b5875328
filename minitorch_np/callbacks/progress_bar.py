"""ProgressBar: one bar over all steps of fit."""

from __future__ import annotations

from typing import Any

from minitorch_np.callbacks.callback import Callback, Logs, numbers_in


class ProgressBar(Callback):
    """One bar over all steps, with the epoch, its loss and its metrics."""

    bar: Any

    def __init__(self, initial_epoch: int = 0) -> None:
        self.initial_epoch = initial_epoch

    def on_train_begin(self, logs: Logs = None) -> None:
        from tqdm.auto import tqdm

        epochs, steps = self.params["epochs"] - self.initial_epoch, self.params["steps"]
        self.bar = tqdm(total=epochs * steps if steps else None, unit="step")

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.bar.set_description(f"epoch {epoch + 1}/{self.params['epochs']}", refresh=False)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers_in(logs or {}).items())
        self.bar.set_postfix_str(shown, refresh=False)

    def on_train_end(self, logs: Logs = None) -> None:
        self.bar.close()
