"""Run: one call of fit, step by step and epoch by epoch, and where it stands."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.cache import Call
from minitorch_np.base.callers import caller
from minitorch_np.base.console import say
from minitorch_np.base.contract import calling, calls_strangers
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.replica import Replicator
from minitorch_np.callbacks.callback import Callback, end, numbers_in, tell
from minitorch_np.training import sharing
from minitorch_np.training.changes import Changes, owners_in
from minitorch_np.training.data import Examples, Stream
from minitorch_np.training.divergence import EVERY, LastGood, first_bad_layer
from minitorch_np.training.history import History
from minitorch_np.training.interrupt import Interrupt
from minitorch_np.training.sharing import Fitting
from minitorch_np.training.state import capture, generator_state, restore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from minitorch_np import metrics
    from minitorch_np.training.input_range import Seen

# A checkpoint is written when this many seconds have passed, or this many times what the last one took to write.
_SECONDS = 0.25
_TIMES = 20


class Run:
    """One call of fit.

    Args:
        model: with its optimiser and loss. body: what of it sees the examples.
        measures: the metrics. fitting: what other threads know of this run.
        training, validation: the examples.
        watchers: the callbacks.
        shuffling: draws the order of the examples, or None.
        ranges: what the examples are like, which the model keeps once the run begins.
        checkpoint: where the run is kept, to be resumed: `read() -> state or None`, `write(state)`.
    """

    def __init__(
        self,
        model: Any,
        body: Any,
        measures: Sequence[metrics.Metric],
        fitting: Fitting,
        training: Examples | Stream,
        validation: Examples | Stream | None,
        batch_size: int | None,
        watchers: Sequence[Callback],
        shuffling: np.random.Generator | None,
        ranges: Seen,
        checkpoint: Any = None,
    ) -> None:
        self.model, self.body, self.measures, self.fitting = model, body, measures, fitting
        self.call = Call(model) if calls_strangers(model) else None
        self.training, self.validation, self.batch_size, self.watchers = training, validation, batch_size, watchers
        self.shuffling, self.ranges, self.checkpoint = shuffling, ranges, checkpoint
        self.parameters = model.parameters()
        self.changes_followed = -1
        self.looked = False  # at the first outputs
        self.last_good = LastGood(self.parameters, model.optimizer)
        self.history = History()
        self.logs: dict[str, float] = {}  # of the last epoch
        # Where the run stands: the epoch, its next batch, and what was gathered in it so far.
        self.steps = self.epoch = self.batch = self.seen = 0
        self.total = 0.0
        self.source: Any = getattr(training, "source", None)
        self.changes, self.changes_of_data = Changes({}), Changes({} if checkpoint is None else {"data": self.source})
        self._note_order()
        self.due = time.monotonic() + _SECONDS
        used = sharing.is_used(model.loss, besides=fitting)
        self._own_loss = Replicator(training=True, keep_cache=True).of(model.loss) if used else None

    def all_epochs(self, epochs: int) -> History:
        model = self.model
        state = None if self.checkpoint is None else self.checkpoint.read()  # refused before anything is changed
        model.history, model.stop_training, model.seen = self.history, False, self.ranges
        begun: list[Callback] = []
        try:
            for watcher in self.watchers:
                watcher.on_train_begin({})
                begun.append(watcher)
            if self.checkpoint is not None:
                self.changes = Changes(owners_in(model, self.loss, self.watchers))
            if state is not None:
                with self.checkpoint.refusing(), self.fitting:
                    restore(self, state)
            else:
                self._keep()  # from now on the file knows what callbacks have begun to write
            with Interrupt() as interrupt:
                if state is None and self.last_good.not_finite() is None:
                    self.last_good.keep(0)
                while self.epoch < epochs and not model.stop_training and not interrupt.requested:
                    if self.one_epoch(interrupt):
                        self._end_of_epoch()
                    if interrupt.requested:
                        say(
                            f"\nfit: stopped by Ctrl-C in epoch {self.epoch + (self.batch > 0)} of {epochs}, after a whole step; "
                            f"the history holds {self.history.epochs} whole epochs."
                        )
            self._check_finite()
            self._keep()
        finally:
            end(begun, self.logs)
        return self.history

    def one_epoch(self, interrupt: Interrupt) -> bool:
        """Go through the batches that are left of the epoch; False if an interrupt ended it before the last one."""
        if self.batch == 0:
            self._note_order()
            tell(self.watchers, "on_epoch_begin", self.epoch, {})
            for metric in self.measures:
                metric.reset()
        weightless = self.batch == 0  # whether every weight of the epoch is 0, as is seen only at the end of a stream
        fitting = self.fitting
        for x, y, weights in self.training.batches(self.batch_size, self.shuffling, self.batch):
            weightless = weightless and weights is not None and not weights.any()
            for watcher in self.watchers:
                watcher.on_train_batch_begin(self.batch, {})
            if fitting.is_awaited:
                fitting.let_others_first()
            with fitting.lock:
                fitting.in_step = True
                try:
                    loss = self.one_step(x, y, weights)
                finally:
                    fitting.in_step = False
            self.total += loss * len(x)
            self.seen += len(x)
            self.batch += 1
            for watcher in self.watchers:
                watcher.on_train_batch_end(self.batch - 1, {"loss": loss})
            if self.checkpoint is not None and time.monotonic() > self.due:
                self._keep()
            if interrupt.requested and self.seen != self.training.count:
                return False
        if not self.seen:
            raise ValueError(f"{type(self.model).__name__}.fit: the data gave no batches.")
        if weightless:
            raise ValueError(f"{type(self.model).__name__}.fit: the weights of all examples to learn from are 0.")
        return True

    @property
    def place(self) -> int:
        """Where the epoch begins in data that go on from epoch to epoch."""
        return getattr(getattr(self.training, "source", None), "position", 0)

    @place.setter
    def place(self, place: int) -> None:
        if place:
            self.training.source.position = place  # type: ignore[union-attr]

    def _end_of_epoch(self) -> None:
        if self.batch >= EVERY:  # where epochs are shorter, every 16th step is often enough
            self._check_finite()
        logs = {"loss": self.total / self.seen}
        for metric in self.measures:
            logs[metric.name] = metric.checked_result()
        if self.validation is not None:
            measured = measure(self.body, self.loss, self.measures, self.validation, self.batch_size, self.watchers)
            logs.update({f"val_{name}": value for name, value in measured.items()})
        self.history.record(self.epoch, logs)
        measured = logs.copy()
        tell(self.watchers, "on_epoch_end", self.epoch, logs)
        if len(logs) != len(measured) or any(logs.get(name) is not value for name, value in measured.items()):
            self.history.record(self.epoch, logs)  # with what callbacks wrote into the logs
        self.logs = logs
        self.epoch += 1
        self.batch = self.seen = 0
        self.total = 0.0
        self._note_order()

    def _note_order(self) -> None:
        """What the order of the data follows from, as an epoch begins that may have to be gone through again."""
        if self.checkpoint is None:
            return
        self.order = generator_state(self.shuffling)
        self.order_of_data: dict[str, Any] = {"changes": self.changes_of_data.get_state()}
        if hasattr(self.source, "get_state"):
            self.order_of_data["source"] = self.source.get_state()

    @property
    def loss(self) -> Any:
        """The model's loss, or a copy where another fit uses that object now."""
        return self.model.loss if self._own_loss is None else self._own_loss

    def one_step(self, x: NDArray, y: NDArray, weights: NDArray | None) -> float:
        if Parameter.changes != self.changes_followed or self.fitting.disturbed:
            self._follow_callbacks()
        loss = self._own_loss or self.model.loss
        if weights is not loss.weights:
            loss.weights = weights
        if self.call is None:
            prediction = self.body.forward(x)
        else:
            self.call.next_turn()
            with calling(self.call):
                prediction = self.body.forward(x)
        if not self.looked:
            self.looked = True
            self.model.check_outputs(prediction)
        value = loss.checked_forward(prediction, y) + (penalty(self.regularized) if self.regularized else 0.0)
        if not math.isfinite(value):
            self._stop_diverged(value, x)
        if self.last_good.statistics:
            spoilt = self.last_good.statistic_not_finite()
            if spoilt is not None:
                self._stop_not_finite(spoilt, x)
        if self.steps % EVERY == 0 and self.last_good.step != self.steps:
            spoilt = self.last_good.not_finite()
            if spoilt is not None:
                self._stop_spoilt(spoilt)
            self.last_good.keep(self.steps)
        for metric in self.measures:
            metric.update(prediction, y)
        self.body.backward(loss.checked_backward(prediction))
        self.model.optimizer.step(self.parameters)
        self.steps += 1
        return value

    def _follow_callbacks(self) -> None:
        """A callback may call the model itself, which leaves caches; it may freeze layers, or let them learn again: backward
        goes as far as the first that learns.
        """
        self.changes_followed, self.fitting.disturbed = Parameter.changes, False
        self.model.drop_caches()
        self.regularized = regularized(self.parameters.values())
        self.body.wants_dx = False

    def _stop_diverged(self, value: float, x: NDArray) -> None:
        spoilt = self.last_good.not_finite()
        bad = first_bad_layer(self.model, self.body, x)
        self.last_good.put_back()
        before = f" {spoilt} was not finite before that batch." if spoilt else ""
        raise FloatingPointError(
            f"{type(self.model).__name__}.fit: the loss is {value} in epoch {self.epoch + 1}, batch {self.batch + 1}.{before} "
            f"First output that is not finite: {bad or repr(self.loss)}. "
            f"{self.last_good.description()} Lower the learning rate ({self.model.optimizer!r}), or look at the data of that batch."
        )

    def _stop_not_finite(self, spoilt: str, x: NDArray) -> None:
        """The loss is finite, and the same forward has spoilt a running statistic."""
        self.last_good.put_back()
        raise FloatingPointError(
            f"{type(self.model).__name__}.fit: {spoilt} is not finite from epoch {self.epoch + 1}, batch {self.batch + 1} on, though the "
            f"loss is. The inputs of that batch lie between {x.min():g} and {x.max():g}: look for an outlier among them. "
            f"{self.last_good.description()}"
        )

    def _check_finite(self) -> None:
        """A loss may stay finite while a weight that no example reaches, or the optimiser's state, is not."""
        spoilt = self.last_good.not_finite()
        if spoilt is not None:
            with self.fitting:
                self._stop_spoilt(spoilt)

    def _stop_spoilt(self, spoilt: str) -> None:
        first, last = (self.last_good.step or 0) + 1, self.steps
        steps = f"step {last}" if first >= last else f"one of the steps {first} to {last}"
        where = f"epoch {self.epoch + 1}, batch {self.batch}" if self.batch else f"the end of epoch {self.epoch}"
        since = f"since {steps}, seen at {where}" if self.steps else "before the first step"
        self.last_good.put_back()
        raise FloatingPointError(
            f"{type(self.model).__name__}.fit: {spoilt} is not finite {since}. "
            f"{self.last_good.description()} Lower the learning rate ({self.model.optimizer!r}), or look for outliers in the data."
        )

    # Kept and resumed

    def _keep(self) -> None:
        if self.checkpoint is None:
            return
        self._check_finite()  # nobody could go on from that
        start = time.monotonic()
        self.checkpoint.write(capture(self))
        self.due = time.monotonic() + max(_SECONDS, _TIMES * (time.monotonic() - start))


def regularized(parameters: Iterable[Any]) -> list[Any]:
    """The parameters that learn and have a price."""
    return [parameter for parameter in parameters if parameter.trainable and parameter.regularizer is not None]


def penalty(parameters: list[Any]) -> float:
    """What the sizes of these parameters add to the loss."""
    return sum(parameter.regularizer(parameter.value) for parameter in parameters)


def measure(
    body: Any,
    loss: Any,
    measures: Sequence[metrics.Metric],
    examples: Examples | Stream,
    batch_size: int | None,
    watchers: Sequence[Callback],
    first_outputs: Callable[[NDArray, NDArray], None] | None = None,
) -> dict[str, float]:
    """Loss and metrics in inference mode, over all examples, on copies of all that has state.

    `first_outputs` is called with those of the first batch, and with its first example.
    """
    total, count = 0.0, 0
    with sharing.reading(body) as replicator:
        asked, asked_loss, gathered = (
            replicator.of(body),
            Replicator(keep_cache=True).of(loss),
            [copy.deepcopy(m) for m in measures],
        )
        for metric in gathered:
            metric.reset()
        tell(watchers, "on_test_begin", {})
        for number, (x, y, _) in enumerate(examples.batches(batch_size)):
            tell(watchers, "on_test_batch_begin", number, {})
            with calling(Call(asked, asks=True)):
                prediction = asked.forward(x)
            if number == 0 and first_outputs is not None:
                first_outputs(prediction, x[:1])
            value = asked_loss.checked_forward(prediction, y)
            if math.isnan(value) and np.isfinite(prediction).all():  # in fit it ends training
                warnings.warn(
                    f"evaluate: {loss!r} gives nan for outputs and targets that are finite.", stacklevel=caller()
                )
            total += value * len(x)
            count += len(x)
            for metric in gathered:
                metric.update(prediction, y)
            tell(watchers, "on_test_batch_end", number, {"loss": value})
        if not count:
            raise ValueError("evaluate: the data gave no batches.")
        price = penalty(regularized(asked.parameters().values()))
    measured = {"loss": total / count + price, **{metric.name: metric.checked_result() for metric in gathered}}
    tell(watchers, "on_test_end", measured)
    return numbers_in(measured)  # with what callbacks wrote into it
