"""The training loop: epochs, batches, and one step."""

from __future__ import annotations

import copy
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base import sharing
from minitorch_np.base.blocks import all_cores
from minitorch_np.base.cache import Call
from minitorch_np.base.console import progress_is_visible, say
from minitorch_np.base.contract import calling, has_user_classes, trained
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.replica import Replicator
from minitorch_np.base.several import Several, listed
from minitorch_np.callbacks.callback_list import CallbackList
from minitorch_np.callbacks.progress_bar import ProgressBar
from minitorch_np.metrics import finding
from minitorch_np.training import divergence, kept_run
from minitorch_np.training.accumulation import Accumulation
from minitorch_np.training.changes import Changes, owners_in
from minitorch_np.training.evaluation import measure, penalty, regularized, uses_blocks
from minitorch_np.training.history import History
from minitorch_np.training.interrupt import Interrupt
from minitorch_np.training.kept_run import KeptRun
from minitorch_np.training.masks import weigh
from minitorch_np.training.state import restore

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model
    from minitorch_np.training.epochs import Epochs
    from minitorch_np.training.preparation import Preparation


class Run(KeptRun):
    """One call of fit.

    Args:
        model: compiled and built.
        data: the prepared examples.
        callbacks: without the progress bar.
        epochs: which epochs run, which are validated, and how many batches make one step.
        shuffle: whether to shuffle the examples before every epoch.
        progress: whether to show a bar, if the output is a terminal or a notebook.
    """

    def __init__(
        self,
        model: Model,
        data: Preparation,
        callbacks: CallbackList,
        *,
        epochs: Epochs,
        batch_size: int | None,
        shuffle: bool,
        progress: bool,
    ) -> None:
        self.model, self.callbacks, self.epochs, self.batch_size = model, callbacks, epochs, batch_size
        self.training, self.validation, self.input_range = data.training, data.validation, data.input_range
        self.feature_names = data.feature_names
        self.shuffling = model.shuffling if shuffle else None
        _, self.rest = model.split_preprocessing()  # the layers after the preprocessing, which run in each step
        self.parameters = model.parameters()
        self.metrics = finding.of_model(model)
        self.fitting = sharing.Fitting(self.parameters.values(), [model.loss, *self.metrics], model.optimizer)
        self.metrics = [copy.deepcopy(metric) if sharing.is_used(metric) else metric for metric in self.metrics]
        self.loss_copy: Loss | None = None  # a copy of the loss, if another fit uses the loss now
        self.call = Call(model) if has_user_classes(model) else None
        self.checkpoint = None
        self.source = self.training.source  # may have a position and a state
        self.changes, self.changes_of_data = Changes({}), Changes({})
        self.known_changes = -1  # Parameter.changes when this run last looked which parameters are trainable
        self.outputs_checked = False
        self.last_good = divergence.LastGood(self.parameters, model.optimizer)
        self.accumulation = Accumulation(epochs.accumulate)
        self.history = History()
        self.history.initial_epoch = epochs.first
        self.logs: dict[str, float] = {}  # of the last epoch
        # The position: steps in all; the epoch, its next batch, the number of its examples so far, how many of them (or of their steps)
        # the loss counts, and the sum of their losses.
        self.steps = self.batch = self.examples = self.counted = 0
        self.epoch, self.total = epochs.first, 0.0

        bar = progress and progress_is_visible()
        if bar:
            callbacks.append(ProgressBar(epochs.first))
        steps = self.training.steps(batch_size)
        callbacks.set_up(model, epochs.last, steps, verbose=bar, validation_freq=epochs.validation_freq)
        names = ["loss", *(metric.name for metric in self.metrics)]
        callbacks.check_measured(names if self.validation is None else [*names, *(f"val_{name}" for name in names)])

    def run(self) -> History:
        """Train until the last epoch, or until a callback or Ctrl-C stops it."""
        model = self.model
        if self.source is not None:
            model.class_names = self.source.class_names or model.class_names
        # NumPy need not warn of an overflow: it makes the loss infinite or NaN, and the error for that names the layer.
        with (
            sharing.fitting(self.fitting, f"{type(model).__name__}.fit"),
            all_cores(uses_blocks(model)),
            trained([node for _, node in model.walk()], sharing.reading),
            model.in_mode(training=True, keep_cache=True),
            np.errstate(all="ignore"),
        ):
            model.drop_caches()
            if sharing.is_used(model.loss, besides=self.fitting):
                self.loss_copy = Replicator(training=True, keep_cache=True).of(model.loss)
            try:
                return self.all_epochs()
            finally:
                self.rest.wants_dx = True
                self.loss.weights = None
                self.loss.forget()
                model.drop_caches()

    def all_epochs(self) -> History:
        model = self.model
        self._note_order()
        self.due = time.monotonic() + kept_run.SECONDS
        # A wrong file raises before anything changes.
        state = None if self.checkpoint is None else self.checkpoint.read()
        model.history, model.stop_training, model.input_range = self.history, False, self.input_range
        model.feature_names = self.feature_names
        begun = 0
        try:
            for callback in self.callbacks:
                callback.on_train_begin({})
                begun += 1
            if self.checkpoint is not None:
                self.changes = Changes(owners_in(model, self.loss, self.callbacks))
            if self.checkpoint is not None and state is not None:
                with self.checkpoint.refusing(), self.fitting:
                    restore(self, state)
            else:
                self._keep()  # on_train_begin may have opened log files; the checkpoint records how long they are
            with Interrupt() as interrupt:
                if state is None and self.last_good.not_finite() is None:
                    self.last_good.keep(0)
                while self.epoch < self.epochs.last and not model.stop_training and not interrupt.requested:
                    if self.one_epoch(interrupt):
                        self._end_of_epoch()
                    if interrupt.requested:
                        say(
                            f"\nfit: stopped by Ctrl-C in epoch {self.epoch + (self.batch > 0)} of {self.epochs.last}, after a whole "
                            f"step; the history holds {self.history.epochs} whole epochs."
                        )
            divergence.check_weights(self)
            self._keep()
        finally:
            self.callbacks.end_training(begun, self.logs)
        return self.history

    def one_epoch(self, interrupt: Interrupt) -> bool:
        """Train on the remaining batches of the epoch. False if Ctrl-C ended it before the last one."""
        if self.batch == 0:
            self._note_order()
            self.callbacks.call("on_epoch_begin", self.epoch, {})
            for metric in self.metrics:
                metric.reset()
        weightless = self.batch == 0  # whether all weights of the epoch are 0; of a stream only its end shows it
        fitting = self.fitting
        for x, y, weights in self.training.batches(self.batch_size, self.shuffling, self.batch):
            weightless = weightless and weights is not None and not any(one.any() for one in listed(weights))
            for callback in self.callbacks:
                callback.on_train_batch_begin(self.batch, {})
            if fitting.is_awaited:
                fitting.let_others_first()
            with fitting.lock:
                fitting.in_step = True
                try:
                    loss = self.one_step(x, y, weights)
                finally:
                    fitting.in_step = False
            self.examples += len(x)
            self.batch += 1
            for callback in self.callbacks:
                callback.on_train_batch_end(self.batch - 1, {"loss": loss})
            if self.accumulation.pending:  # a run neither ends nor is kept between the batches of one step
                continue
            if self.checkpoint is not None and time.monotonic() > self.due:
                self._keep()
            if interrupt.requested and self.examples != self.training.count:
                return False
        if self.accumulation.pending:
            with fitting:
                self._update()
        if not self.examples:
            raise ValueError(f"{type(self.model).__name__}.fit: the data gave no batches.")
        if weightless:
            raise ValueError(f"{type(self.model).__name__}.fit: the weights of all examples to learn from are 0.")
        if not self.counted:
            raise ValueError(f"{type(self.model).__name__}.fit: {self.loss!r} ignores all targets.")
        return True

    def one_step(self, x: NDArray, y: NDArray, weights: NDArray | None) -> float:
        """Forward, loss, backward, and one step of the optimiser; returns the loss."""
        if Parameter.changes != self.known_changes or self.fitting.disturbed:
            self._update_what_learns()
        loss = self.loss_copy or self.model.loss
        if self.call is None:
            prediction = self.rest.forward(x)
        else:
            self.call.next_turn()
            with calling(self.call):
                prediction = self.rest.forward(x)
        if not self.outputs_checked:
            self.outputs_checked = True
            self.model.check_outputs(prediction)
        counted, due, size = weigh(loss, prediction, y, weights, self.rest.output_mask)
        value = loss.checked_forward(prediction, y) + (penalty(self.regularized) if self.regularized else 0.0)
        if not math.isfinite(value):
            divergence.stop_at_loss(self, value, x)
        if self.last_good.statistics:
            divergence.check_statistics(self, x)
        if self.steps % divergence.EVERY == 0 and self.last_good.step != self.steps:
            divergence.check_weights(self)
            self.last_good.keep(self.steps)
        for metric in self.metrics:
            metric.update(counted, due)
        self.total += value * size
        self.counted += size
        self.rest.backward(loss.checked_backward(prediction))
        if self.accumulation.batches == 1 or self.accumulation.add(
            self.parameters, size if isinstance(due, Several) else len(due)
        ):
            self._update()
        return value

    def _update(self) -> None:
        """One step of the optimiser."""
        if self.accumulation.pending:
            self.accumulation.put_mean(self.parameters)
        self.model.optimizer.step(self.parameters)
        self.steps += 1

    def as_given(self, x: NDArray) -> tuple[Layer, NDArray]:
        return self.rest, x

    def _update_what_learns(self) -> None:
        """Find which parameters have a penalty, and the first layer that learns, where backward ends.

        Runs before the first step and after a callback has frozen or unfrozen parameters, or has called the model. Such a call
        leaves caches, which are dropped.
        """
        self.known_changes, self.fitting.disturbed = Parameter.changes, False
        self.model.drop_caches()
        self.regularized = regularized(self.parameters.values())
        self.rest.wants_dx = False

    def _end_of_epoch(self) -> None:
        if self.batch >= divergence.EVERY:  # in shorter epochs the check at every 16th step is enough
            divergence.check_weights(self)
        logs = {"loss": self.total / self.counted}
        for metric in self.metrics:
            logs[metric.name] = metric.checked_result()
        if self.validation is not None and self.epochs.are_validated_after(self.epoch):
            measured = measure(self.rest, self.loss, self.metrics, self.validation, self.batch_size, self.callbacks)
            logs.update({f"val_{name}": value for name, value in measured.items()})
        number = self.epoch - self.epochs.first
        self.history.record(number, logs)
        measured = logs.copy()
        self.callbacks.call("on_epoch_end", self.epoch, logs)
        if len(logs) != len(measured) or any(logs.get(name) is not value for name, value in measured.items()):
            self.history.record(number, logs)  # again, because callbacks have changed the logs
        self.logs = logs
        self.epoch += 1
        self.batch = self.examples = self.counted = 0
        self.total = 0.0
        self._note_order()

    @property
    def loss(self) -> Loss:
        """The model's loss, or the copy if another fit uses the loss now."""
        return self.model.loss if self.loss_copy is None else self.loss_copy
