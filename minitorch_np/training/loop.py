"""The loop: forward, loss, backward, update, over batches and epochs."""

from __future__ import annotations

import math
import sys
import warnings
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np import metrics
from minitorch_np.training.callbacks import Callback, ProgressBar, progress_is_seen
from minitorch_np.training.divergence import LastGood, first_bad_layer
from minitorch_np.training.examples import (
    Examples,
    batches,
    checked_batch_size,
    checked_inputs,
    checked_targets,
    checked_weights,
)
from minitorch_np.training.history import History
from minitorch_np.training.interrupt import Interrupt

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def fit(
    model: Any,
    x: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int,
    batch_size: int | None,
    validation_data: tuple[ArrayLike, ArrayLike] | None,
    validation_split: float,
    sample_weight: ArrayLike | None,
    class_weight: Mapping[Any, float] | None,
    shuffle: bool,
    progress: bool,
    callbacks: Sequence[Callback],
) -> History:
    who = f"{type(model).__name__}.fit"
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise ValueError(f"{who}: epochs is an int of at least 1, got {epochs!r}.")
    batch_size = checked_batch_size(batch_size, who)
    x = checked_inputs(x, who, model.input_shape)
    y = checked_targets(y, who, len(x))
    weights = checked_weights(sample_weight, class_weight, y, who)
    if weights is not None and not model.loss.takes_weights:
        raise ValueError(
            f"{who}: {model.loss!r} takes no weights: let it use self.mean and self.weigh, and set takes_weights = True."
        )
    if validation_data is None and validation_split:
        x, y, validation_data = _split(x, y, validation_split, who)
        weights = None if weights is None else weights[: len(x)]
    model.ensure_ready(x.shape[1:])
    if not any(parameter.trainable for parameter in model.parameters().values()):
        raise ValueError(f"{who}: {model!r} has no trainable parameters.")
    measures = resolve_metrics(model)
    stem, body = model.stem_and_body()

    def prepared(x: NDArray, y: NDArray, weights: NDArray | None = None) -> Examples:
        y = model.loss.prepare(y, model.output_shape, model.compute_dtype)
        return Examples(x, y, stem, model.compute_dtype, reread=True, weights=weights)

    training = prepared(x, y, weights)
    validation = None
    if validation_data is not None:
        validation = prepared(*_checked_pair(validation_data, f"{who}: validation_data", model))
    if stem is not None:
        _warn_of_raw_pixels(training, who)

    watchers = [*callbacks, *([ProgressBar()] if progress and progress_is_seen() else [])]
    for watcher in watchers:
        watcher.model, watcher.epochs = model, epochs
        watcher.steps = math.ceil(len(training) / (batch_size or len(training)))
    run = _Run(model, body, measures, training, validation, batch_size, watchers)
    # A value that overflows ends in a loss that is not finite, which is reported with the layer that began it.
    with model.mode(training=True, keep_cache=True), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        body.wants_dx = False
        try:
            return run.all_epochs(epochs, model.shuffling if shuffle else None)
        finally:
            body.wants_dx = True
            model.loss.weights = None
            model.drop_caches()


def evaluate(model: Any, x: ArrayLike, y: ArrayLike, batch_size: int | None) -> Any:
    who = f"{type(model).__name__}.evaluate"
    batch_size = checked_batch_size(batch_size, who)
    model.require_built(who)
    inputs, targets = _checked_pair((x, y), who, model)
    targets = model.loss.prepare(targets, model.output_shape, model.compute_dtype)
    examples = Examples(inputs, targets, None, model.compute_dtype, reread=False)
    measured = measure(model, model.loss, resolve_metrics(model), examples, batch_size)
    scores = namedtuple("Scores", list(measured))  # type: ignore[misc]  # the metrics are known only now
    return scores(**measured)


def predict(model: Any, x: ArrayLike, batch_size: int | None) -> NDArray:
    who = f"{type(model).__name__}.predict"
    batch_size = checked_batch_size(batch_size, who)
    model.require_built(who)
    x = checked_inputs(x, who, model.input_shape)
    examples = Examples(x, x, None, model.compute_dtype, reread=False)
    with model.mode(training=False, keep_cache=False):
        return np.concatenate([model.forward(examples.take(rows)[0]) for rows in batches(len(x), batch_size)])


def measure(
    body: Any, loss: Any, measures: Sequence[metrics.Metric], examples: Examples, batch_size: int | None
) -> dict[str, float]:
    """Loss and metrics in inference mode, as means over all examples."""
    total = 0.0
    for metric in measures:
        metric.reset()
    with body.mode(training=False, keep_cache=False):
        for rows in batches(len(examples), batch_size):
            x, y = examples.take(rows)
            prediction = body.forward(x)
            total += float(loss.forward(prediction, y)) * len(x)
            for metric in measures:
                metric.update(prediction, y)
    return {"loss": total / len(examples), **{metric.name: metric.result() for metric in measures}}


def resolve_metrics(model: Any) -> list[metrics.Metric]:
    """The metrics that compile was given, each under a name of its own."""
    found = [metrics.find(metric, model.output_shape, model.loss.from_logits) for metric in model.metrics]
    names = ["loss", *(metric.name for metric in found)]
    for metric in found:
        if names.count(metric.name) > 1 or not metric.name.isidentifier():
            raise ValueError(
                f"metrics: {metric!r} needs a name of its own, got {metric.name!r} among {names}. Set its `name`."
            )
    return found


class _Run:
    """One call of fit."""

    def __init__(
        self,
        model: Any,
        body: Any,
        measures: Sequence[metrics.Metric],
        training: Examples,
        validation: Examples | None,
        batch_size: int | None,
        watchers: Sequence[Callback],
    ) -> None:
        self.model, self.body, self.measures = model, body, measures
        self.training, self.validation, self.batch_size, self.watchers = training, validation, batch_size, watchers
        self.parameters = model.parameters()
        self.last_good = LastGood(self.parameters, model.optimizer)
        self.steps = 0

    def all_epochs(self, epochs: int, rng: np.random.Generator | None) -> History:
        model = self.model
        model.history = history = History()
        model.stop_training = False
        for watcher in self.watchers:
            watcher.on_train_begin()
        try:
            with Interrupt() as interrupt:
                for epoch in range(epochs):
                    logs = self.one_epoch(epoch, rng, interrupt)
                    if logs is not None:
                        history.record(logs)
                        for watcher in self.watchers:
                            watcher.on_epoch_end(epoch, logs)
                    if interrupt.requested:
                        print(
                            f"\nfit: stopped by Ctrl-C in epoch {epoch + 1} of {epochs}, after a whole step; "
                            f"the history holds {history.epochs} whole epochs.",
                            file=sys.stderr,
                        )
                    if interrupt.requested or model.stop_training:
                        break
            self._check_weights()
        finally:
            for watcher in self.watchers:
                watcher.on_train_end()
        return history

    def one_epoch(self, epoch: int, rng: np.random.Generator | None, interrupt: Interrupt) -> dict[str, float] | None:
        """What was measured, or None if an interrupt ended the epoch before its last batch."""
        for watcher in self.watchers:
            watcher.on_epoch_begin(epoch)
        for metric in self.measures:
            metric.reset()
        total, seen = 0.0, 0
        for batch, rows in enumerate(batches(len(self.training), self.batch_size, rng)):
            for watcher in self.watchers:
                watcher.on_train_batch_begin(batch)
            x, y = self.training.take(rows)
            if self.training.weights is not None:
                self.model.loss.weights = self.training.weights[rows]
            loss = self.one_step(x, y, epoch, batch)
            total += loss * len(x)
            seen += len(x)
            for watcher in self.watchers:
                watcher.on_train_batch_end(batch, {"loss": loss})
            if interrupt.requested and seen < len(self.training):
                return None
        logs = {"loss": total / seen}
        for metric in self.measures:
            logs[metric.name] = metric.result()
        if self.validation is not None:
            self.model.loss.weights = None
            measured = measure(self.body, self.model.loss, self.measures, self.validation, self.batch_size)
            logs.update({f"val_{name}": value for name, value in measured.items()})
        return logs

    def one_step(self, x: NDArray, y: NDArray, epoch: int, batch: int) -> float:
        loss = self.model.loss
        prediction = self.body.forward(x)
        value = float(loss.forward(prediction, y))
        if not math.isfinite(value):
            self._stop_diverged(value, x, epoch, batch)
        self.last_good.keep(self.steps)
        for metric in self.measures:
            metric.update(prediction, y)
        self.body.backward(loss.backward())
        self.model.optimizer.step(self.parameters)
        self.steps += 1
        return value

    def _stop_diverged(self, value: float, x: NDArray, epoch: int, batch: int) -> None:
        bad = first_bad_layer(self.model, self.body, x)
        self.last_good.put_back()
        raise FloatingPointError(
            f"{type(self.model).__name__}.fit: the loss is {value} in epoch {epoch + 1}, batch {batch + 1}. "
            f"First output that is not finite: {bad or repr(self.model.loss)}. "
            f"{self.last_good.story()} Lower the learning rate ({self.model.optimizer!r}), or look at the data of that batch."
        )

    def _check_weights(self) -> None:
        """No loss has seen what the last step made of the weights."""
        for name, parameter in self.parameters.items():
            if not np.isfinite(parameter.value).all():
                self.last_good.put_back()
                raise FloatingPointError(
                    f"{type(self.model).__name__}.fit: {name} is not finite after the last step. "
                    f"{self.last_good.story()} Lower the learning rate ({self.model.optimizer!r})."
                )


def _checked_pair(pair: tuple[ArrayLike, ArrayLike], who: str, model: Any) -> tuple[NDArray, NDArray]:
    if len(pair) != 2:
        raise ValueError(f"{who}: expected a pair (x, y), got {len(pair)} items.")
    x = checked_inputs(pair[0], who, model.input_shape)
    return x, checked_targets(pair[1], who, len(x))


def _split(x: NDArray, y: NDArray, share: float, who: str) -> tuple[NDArray, NDArray, tuple[NDArray, NDArray]]:
    """The last part of the data for validation, as Keras takes it: before any shuffling."""
    if not 0 < share < 1:
        raise ValueError(f"{who}: validation_split lies between 0 and 1, got {share!r}.")
    first = len(x) - int(len(x) * share)
    if first == len(x):
        raise ValueError(f"{who}: validation_split={share} of {len(x)} examples leaves none to validate with.")
    return x[:first], y[:first], (x[first:], y[first:])


def _warn_of_raw_pixels(examples: Examples, who: str) -> None:
    x = examples.take(slice(0, 256))[0]
    if x.min() >= 0 and 100 < x.max() <= 255:
        warnings.warn(
            f"{who}: the first layer with parameters sees numbers up to {x.max():g}, like raw pixels. "
            "Begin the model with Rescaling(1 / 255): it learns better, and carries its own preprocessing.",
            stacklevel=4,
        )
