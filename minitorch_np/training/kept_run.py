"""KeptRun: what a run of fit writes into a checkpoint, and when."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from minitorch_np.base.several import listed
from minitorch_np.source.source import fingerprint
from minitorch_np.training import divergence
from minitorch_np.training.changes import Changes
from minitorch_np.training.state import capture, generator_state

if TYPE_CHECKING:
    import numpy as np

    from minitorch_np.callbacks.callback_list import CallbackList
    from minitorch_np.model import Model
    from minitorch_np.saving.checkpoint import Checkpoint
    from minitorch_np.training.data import Examples, Stream
    from minitorch_np.training.loop import Run

# A checkpoint is written at most every SECONDS seconds, and writing takes at most 1/TIMES of the time between two.
SECONDS = 0.25
TIMES = 20


class KeptRun:
    """The part of Run that keeps the state of the run in a file."""

    model: Model
    callbacks: CallbackList
    training: Examples | Stream
    validation: Examples | Stream | None
    batch_size: int | None
    shuffling: np.random.Generator | None
    checkpoint: Checkpoint | None
    source: Any
    changes: Changes
    changes_of_data: Changes
    order: Any
    order_of_data: dict[str, Any]
    due: float

    def keep_in(self, checkpoint: Checkpoint, settings: Mapping[str, Any]) -> None:
        """Save the state of the run to a file regularly. If the file exists already, `run` continues from it.

        Args:
            settings: arguments of fit that are no attributes of the run. A resumed run must have the same ones.
        """
        weights, names = self.training.given_weights, None if self.source is None else self.source.class_names
        matched = {
            "data": self.training.fingerprint(),
            "validation data": None if self.validation is None else self.validation.fingerprint(),
            **settings,
            "weights": None if weights is None else f"an array with SHA-256 {fingerprint(*listed(weights))}",
            "batch_size": self.batch_size,
            "shuffle": self.shuffling is not None,
            "class names": names,
            **self.callbacks.settings(),
        }
        sources = {"data": self.source, "validation data": self.validation and self.validation.source}
        checkpoint.begin(self.model, matched, self.callbacks, sources)
        self.checkpoint, self.changes_of_data = checkpoint, Changes({"data": self.source})

    def _note_order(self) -> None:
        """Record what determines the order of the data. A run that is resumed in this epoch needs the same order."""
        if self.checkpoint is None:
            return
        self.order = generator_state(self.shuffling)
        self.order_of_data: dict[str, Any] = {"changes": self.changes_of_data.get_state()}
        if hasattr(self.source, "get_state"):
            self.order_of_data["source"] = self.source.get_state()

    def _keep(self) -> None:
        """Write the checkpoint, if there is one."""
        if self.checkpoint is None:
            return
        run = cast("Run", self)
        divergence.check_weights(run)  # a run could not continue from such weights
        start = time.monotonic()
        self.checkpoint.write(capture(run))
        self.due = time.monotonic() + max(SECONDS, TIMES * (time.monotonic() - start))
