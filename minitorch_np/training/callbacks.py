"""Callbacks: what else happens while a model learns."""

from __future__ import annotations

import sys
from typing import Any


class Callback:
    """Methods that fit calls; a subclass overrides those it needs.

    `logs` holds what was measured so far: of the step for batches, of the epoch for epochs. Both count from 0.
    Setting `self.model.stop_training = True` ends training after the epoch.

    Attributes:
        model: the model. epochs: how many there will be. steps: in one epoch, None if that is not known.
        kept: the names of the attributes that a checkpoint keeps: plain data and arrays that change while the model learns.
    """

    model: Any = None
    kept: tuple[str, ...] = ()
    epochs = 0
    steps: int | None = 0

    def on_train_begin(self) -> None: ...

    def on_train_end(self) -> None: ...

    def on_epoch_begin(self, epoch: int) -> None: ...

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None: ...

    def on_train_batch_begin(self, batch: int) -> None: ...

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None: ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what was kept; called after on_train_begin when a run is resumed."""
        for name, value in state.items():
            setattr(self, name, value)


class ProgressBar(Callback):
    """One bar over all steps, with the epoch, its loss and its metrics."""

    def on_train_begin(self) -> None:
        from tqdm.auto import tqdm

        self.bar = tqdm(total=self.epochs * self.steps if self.steps else None, unit="step")

    def on_epoch_begin(self, epoch: int) -> None:
        self.bar.set_description(f"epoch {epoch + 1}/{self.epochs}", refresh=False)

    def on_train_batch_begin(self, batch: int) -> None: ...

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.bar.set_postfix_str(", ".join(f"{name} {value:.4g}" for name, value in logs.items()), refresh=False)

    def on_train_end(self) -> None:
        self.bar.close()


def progress_is_seen() -> bool:
    """Whether somebody watches: a terminal or a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
