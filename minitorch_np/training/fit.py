"""What fit, evaluate and predict do with what they are given: look at it, prepare it, and go through it."""

from __future__ import annotations

import copy
import math
import warnings
from collections import namedtuple
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np import metrics
from minitorch_np.base.arrays import in_dtype
from minitorch_np.base.cache import Call
from minitorch_np.base.callers import caller
from minitorch_np.base.console import progress_is_seen
from minitorch_np.base.contract import calling, trained
from minitorch_np.base.functions import too_far_apart
from minitorch_np.base.validation import check_whole
from minitorch_np.callbacks.callback import (
    Callback,
    check_all_measured,
    checked_callbacks,
    introduce,
    steering,
    tell,
)
from minitorch_np.callbacks.progress_bar import ProgressBar
from minitorch_np.source import Batches, Source, as_source, fingerprint
from minitorch_np.training import sharing
from minitorch_np.training.data import (
    Examples,
    Stream,
    check_class_weight,
    check_single,
    checked_inputs,
    checked_targets,
    checked_weights,
    weights_of_classes,
)
from minitorch_np.training.history import History
from minitorch_np.training.input_range import Seen
from minitorch_np.training.loop import Run, measure
from minitorch_np.training.options import (
    check_class_names,
    check_steps,
    check_validation,
    checked_batch_size,
    checked_shuffle,
    split,
    warn_of_classes_not_learnt,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit(
    model: Any,
    x: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int | None,
    validation_data: Any,
    validation_split: float,
    sample_weight: Any,
    class_weight: Mapping[Any, float] | None,
    steps_per_epoch: int | None,
    validation_steps: int | None,
    shuffle: bool | None,
    progress: bool,
    callbacks: Sequence[Callback],
    checkpoint: Any,
) -> History:
    who = f"{type(model).__name__}.fit"
    check_whole(who, "epochs", epochs, 1)
    callbacks = checked_callbacks(callbacks, who)
    check_class_weight(class_weight, who)
    check_validation(who, validation_data, validation_split, validation_steps)
    door = _Door(model, who, class_weight)
    data = as_source(x, steps_per_epoch)
    check_steps(who, "steps_per_epoch", steps_per_epoch, data)
    batch_size, shuffle = checked_batch_size(batch_size, who, data), checked_shuffle(shuffle, who, data)
    if data is None:
        x, y, weights = door.checked(x, y, sample_weight)
        if validation_split:
            x, y, validation_data = split(x, y, validation_split, who)
            weights = None if weights is None else weights[: len(x)]
        shape = x.shape[1:]
    else:
        door.alone(data, {"y": y, "sample_weight": sample_weight, "validation_split": validation_split or None})
        shape = door.shape_of(data)
    model.ensure_ready(shape)
    if not any(parameter.trainable for parameter in model.parameters().values()):
        raise ValueError(
            f"{who}: {model!r} has no trainable parameters: none at all, or all are "
            "frozen. model.trainable = True, or layer.trainable = True, lets them learn."
        )
    measures = resolve_metrics(model)
    stem, body = model.stem_and_body()
    seen = Seen()

    training: Examples | Stream
    if data is None:
        y = model.loss.prepare(y, model.output_shape, model.compute_dtype)
        weights = door.weights(y, weights)
        if weights is not None and not weights.any():
            raise ValueError(f"{who}: the weights of all examples to learn from are 0.")
        seen.look(x)
        training = Examples(x, y, stem, model.compute_dtype, reread=True, weights=weights)
        _warn_of_doubts(model, x, who)
    else:

        def note(given: NDArray, x: NDArray) -> None:
            if not seen.count:
                _warn_of_doubts(model, given, who)
            seen.look(given)

        training = Stream(data, door.prepared, stem, model.compute_dtype, note)
    validation = None
    if validation_data is not None:
        held_out = f"{who}: validation_data"
        validation = _held_out(model, validation_data, stem, held_out, validation_steps, "validation_steps")
        if isinstance(validation, Stream) and data is not None:
            check_class_names(held_out, data.class_names, validation.source.class_names)
        if validation_split and isinstance(training, Examples) and isinstance(validation, Examples):
            warn_of_classes_not_learnt(training.y, validation.y, who)

    shown = progress and progress_is_seen()
    watchers = [*callbacks, *([ProgressBar()] if shown else [])]
    introduce(watchers, model, epochs, _steps(training, batch_size), shown)
    names = ["loss", *(metric.name for metric in measures)]
    check_all_measured(watchers, names if validation is None else [*names, *(f"val_{name}" for name in names)])
    if checkpoint is not None:
        about = {
            "data": fingerprint(x, y) if data is None else data.fingerprint(),
            "validation data": _fingerprint(validation, validation_data),
            "class_weight": class_weight,
            "weights": None if data is not None or weights is None else f"an array with SHA-256 {fingerprint(weights)}",
            "batch_size": batch_size,
            "steps_per_epoch": steps_per_epoch,
            "shuffle": shuffle,
            "class names": None if data is None else data.class_names,
        }
        sources = {"data": data, "validation data": getattr(validation, "source", None)}
        checkpoint.begin(model, about | steering(watchers), watchers, sources)
    if data is not None:
        model.class_names = data.class_names or model.class_names
    shuffling = model.shuffling if shuffle else None
    fitting = sharing.Fitting(model.parameters().values(), [model.loss, *measures])
    measures = [copy.deepcopy(metric) if sharing.is_used(metric) else metric for metric in measures]
    # A value that overflows ends in a loss that is not finite, which is reported with the layer that began it.
    with (
        sharing.fitting(fitting, who),
        trained(model, sharing.reading),
        model.in_mode(training=True, keep_cache=True),
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),
    ):
        model.drop_caches()
        run = Run(
            model, body, measures, fitting, training, validation, batch_size, watchers, shuffling, seen, checkpoint
        )
        try:
            return run.all_epochs(epochs)
        finally:
            body.wants_dx = True
            run.loss.weights = None
            run.loss.forget()
            model.drop_caches()


def evaluate(
    model: Any, x: Any, y: Any, batch_size: int | None, steps: int | None, callbacks: Sequence[Callback]
) -> Any:
    who = f"{type(model).__name__}.evaluate"
    callbacks = checked_callbacks(callbacks, who)
    model.require_built(who)
    data = as_source(x, steps, "steps", goes_on=False)
    batch_size = checked_batch_size(batch_size, who, data)
    if data is not None and y is not None:
        raise ValueError(f"{who}: the targets come with the data, so y is left out, got {type(y).__name__}.")
    if data is not None:
        check_class_names(who, model.class_names, data.class_names)
    examples = _held_out(model, (x, y) if data is None else data, None, who, steps, "steps", reread=False)
    introduce(callbacks, model, 1, _steps(examples, batch_size), False)
    metrics_now = resolve_metrics(model)
    measured = measure(model, model.loss, metrics_now, examples, batch_size, callbacks, model.check_outputs)
    scores = namedtuple("Scores", list(measured))  # type: ignore[misc]  # the metrics are known only now
    return scores(**measured)


def predict(model: Any, x: Any, batch_size: int | None, steps: int | None, callbacks: Sequence[Callback]) -> NDArray:
    who = f"{type(model).__name__}.predict"
    callbacks = checked_callbacks(callbacks, who)
    model.require_built(who)
    data = as_source(x, steps, "steps", goes_on=False)
    check_steps(who, "steps", steps, data)
    batch_size = checked_batch_size(batch_size, who, data)
    examples: Examples | Stream
    if data is None:
        x = checked_inputs(x, who, model.input_shape)
        examples = Examples(x, x, None, model.compute_dtype, reread=False)
    else:

        def checked(x: Any, *_: Any) -> tuple[NDArray, NDArray, None]:
            x = checked_inputs(x, who, model.input_shape)
            return x, x[:0], None

        examples = Stream(data, checked, None, model.compute_dtype)
    introduce(callbacks, model, 1, _steps(examples, batch_size), False)
    tell(callbacks, "on_predict_begin", {})
    outputs: list[NDArray] = []
    with sharing.reading(model) as replicator, closing(examples.batches(batch_size)) as batches:  # type: ignore[type-var]
        asked = replicator.of(model)
        for number, (x, _, _) in enumerate(batches):
            tell(callbacks, "on_predict_batch_begin", number, {})
            with calling(Call(asked, asks=True)):
                outputs.append(asked.forward(x))
            tell(callbacks, "on_predict_batch_end", number, {"outputs": outputs[-1]})
    if not outputs:
        raise ValueError(f"{who}: the data gave no batches.")
    tell(callbacks, "on_predict_end", {})
    return np.concatenate(outputs)


def resolve_metrics(model: Any) -> list[metrics.Metric]:
    """The metrics that compile was given, each under a name of its own."""
    return metrics.of_model(model)


class _Door:
    """What people pass, looked at before it comes in: all at once for arrays, batch by batch for a source."""

    def __init__(self, model: Any, who: str, class_weight: Mapping[Any, float] | None = None) -> None:
        self.model, self.who, self.class_weight = model, who, class_weight

    def checked(self, x: Any, y: Any = None, sample_weight: Any = None) -> tuple[NDArray, NDArray, NDArray | None]:
        check_single(x, y, self.who)
        x = checked_inputs(x, self.who, self.model.input_shape)
        y = checked_targets(y, self.who, len(x))
        weights = checked_weights(sample_weight, len(y), self.who)
        if (weights is not None or self.class_weight is not None) and not self.model.loss.takes_weights:
            raise ValueError(
                f"{self.who}: {self.model.loss!r} takes no weights: let it use self.mean and self.weigh, and set "
                "takes_weights = True."
            )
        return x, y, weights

    def prepared(self, x: Any, y: Any = None, sample_weight: Any = None) -> tuple[NDArray, NDArray, NDArray | None]:
        """One batch of a source, as the step takes it."""
        x, y, weights = self.checked(x, y, sample_weight)
        y = self.model.loss.prepare_batch(y, self.model.output_shape, self.model.compute_dtype)
        weights = self.weights(y, weights)
        return (
            x,
            y,
            None if weights is None else in_dtype(weights, self.model.compute_dtype, "sample_weight or class_weight"),
        )

    def weights(self, y: NDArray, sample_weight: NDArray | None) -> NDArray | None:
        """What each example counts, or each step of it: sample_weight times the class_weight of its class, or None without either."""
        if self.class_weight is None:
            return sample_weight
        model = self.model
        of_class = weights_of_classes(
            self.class_weight, y, model.output_shape, separate=model.loss.binary, who=self.who
        )
        if sample_weight is None:
            return of_class
        return of_class * sample_weight.reshape(-1, *[1] * (of_class.ndim - 1))

    def alone(self, data: Source, others: dict[str, Any]) -> None:
        """A source brings its targets and weights itself."""
        for name, value in others.items():
            if value is not None:
                raise ValueError(
                    f"{self.who}: {name} goes with arrays, and x is a {type(data).__name__}, which brings all it has in its batches."
                )

    def shape_of(self, data: Source) -> tuple[int, ...]:
        shape, expected = data.shape, self.model.input_shape
        if shape is None:
            raise ValueError(f"{self.who}: the data gave no batches.")
        if expected is not None and tuple(shape) != tuple(expected):
            raise ValueError(
                f"{self.who}: expected examples of shape {tuple(expected)}, got {tuple(shape)} from {data!r}."
            )
        return tuple(shape)


def _held_out(
    model: Any, given: Any, stem: Any, who: str, steps: int | None, argument: str, *, reread: bool = True
) -> Examples | Stream:
    """Examples to measure on, ready for what comes after the stem; `steps` is what the caller calls by the name `argument`."""
    door = _Door(model, who)
    data = as_source(given, steps, argument, goes_on=False)
    check_steps(who, argument, steps, data)
    if data is not None:

        def prepared(x: Any, y: Any = None, weights: Any = None) -> tuple[NDArray, NDArray, NDArray | None]:
            if weights is not None:
                raise ValueError(f"{who}: expected batches (x, y), got (x, y, weights). Weights have no part in it.")
            return door.prepared(x, y)

        door.shape_of(data)
        return Stream(data, prepared, stem, model.compute_dtype)
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        got = f"{len(given)} items" if isinstance(given, (tuple, list)) else f"a {type(given).__name__}"
        raise ValueError(f"{who}: expected a pair (x, y), got {got}. Weights have no part in it.")
    x, y, _ = door.checked(*given)
    y = model.loss.prepare(y, model.output_shape, model.compute_dtype)
    return Examples(x, y, stem, model.compute_dtype, reread=reread)


def _fingerprint(held_out: Examples | Stream | None, given: Any) -> str | None:
    if isinstance(held_out, Stream):
        return held_out.source.fingerprint()
    return None if held_out is None else fingerprint(*given)


def _steps(examples: Examples | Stream, batch_size: int | None) -> int | None:
    """Steps in one epoch, as far as that is known."""
    if isinstance(examples, Stream) and isinstance(examples.source, Batches):
        return examples.source.length
    return None if examples.count is None else math.ceil(examples.count / (batch_size or examples.count))


def _warn_of_doubts(model: Any, x: NDArray, who: str) -> None:
    """Say what the model finds strange about some of the examples."""
    some, dtype = x[:: max(1, len(x) // 16)][:16], model.compute_dtype
    in_its_dtype = in_dtype(some, dtype, f"{who}: x")
    lost = too_far_apart(np.abs(some).max(axis=0).astype(float), some.std(axis=0, dtype=float), dtype)
    for text in [*model.doubts(in_its_dtype), *([f"x: {lost}"] if lost else [])]:
        warnings.warn(f"{who}: {text}", stacklevel=caller())
