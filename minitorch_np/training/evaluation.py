"""Evaluation: loss and metrics, or outputs, in inference mode, batch by batch."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base import sharing
from minitorch_np.base.blocks import all_cores
from minitorch_np.base.cache import Call
from minitorch_np.base.callers import caller
from minitorch_np.base.contract import calling
from minitorch_np.base.replica import Replicator
from minitorch_np.base.several import joined, listed
from minitorch_np.base.shapes import batch_of
from minitorch_np.callbacks.callback import Callback, numbers_in
from minitorch_np.callbacks.callback_list import CallbackList
from minitorch_np.metrics import Metric
from minitorch_np.metrics.finding import of_model
from minitorch_np.source.batches import as_source
from minitorch_np.training.masks import weigh
from minitorch_np.training.options import check_class_names, checked_batch_size
from minitorch_np.training.preparation import Preparation
from minitorch_np.training.scores import scores

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model
    from minitorch_np.training.data import Examples, Stream
    from minitorch_np.training.scores import Scores


def evaluate(
    model: Model,
    x: Any,
    y: Any,
    batch_size: int | None,
    steps: int | None,
    callbacks: Sequence[Callback],
    sample_weight: Any = None,
) -> Scores:
    """Loss and metrics of a compiled model, as a named tuple."""
    who = f"{type(model).__name__}.evaluate"
    called = CallbackList(callbacks, who)
    model.require_built(who)
    x = model.as_inputs(x, who, batches=True)
    source = as_source(x, steps, "steps", goes_on=False, shape=model.input_shape)
    batch_size = checked_batch_size(batch_size, who, source)
    if source is not None:
        for name, what, value in (("y", "targets", y), ("sample_weight", "weights", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"{who}: the {what} come with the data, so {name} is left out, got {type(value).__name__}."
                )
        check_class_names(who, model.class_names, source.class_names)
    given = (x, y) if sample_weight is None else (x, y, sample_weight)
    examples = Preparation(model, who).measured(given if source is None else source, steps, "steps")
    called.set_up(model, 1, examples.steps(batch_size), verbose=False)
    measured = measure(model, model.loss, of_model(model), examples, batch_size, called, model.check_outputs)
    return scores(measured)


def predict(model: Model, x: Any, batch_size: int | None, steps: int | None, callbacks: Sequence[Callback]) -> Any:
    """The outputs of a model for all examples."""
    who = f"{type(model).__name__}.predict"
    called = CallbackList(callbacks, who)
    model.require_built(who)
    x = model.as_inputs(x, who, batches=True)
    source = as_source(x, steps, "steps", goes_on=False, shape=model.input_shape)
    batch_size = checked_batch_size(batch_size, who, source)
    examples = Preparation(model, who).inputs(x, steps, source)
    called.set_up(model, 1, examples.steps(batch_size), verbose=False)
    called.call("on_predict_begin", {})
    outputs: list[NDArray] = []
    with (
        sharing.reading(model) as replica,
        all_cores(uses_blocks(model)),
        closing(examples.batches(batch_size)) as batches,
    ):
        for number, (x, _, _) in enumerate(batches):
            called.call("on_predict_batch_begin", number, {})
            with calling(Call(replica, inference=True)):
                outputs.append(replica.forward(x))
            called.call("on_predict_batch_end", number, {"outputs": outputs[-1]})
    if not outputs:
        raise ValueError(f"{who}: the data gave no batches.")
    called.call("on_predict_end", {})
    check_lengths(outputs, who)
    return model.as_outputs(joined(outputs))


def check_lengths(outputs: list[Any], who: str) -> None:
    """Raise ValueError if the outputs of the batches differ in more than their number of examples."""
    lengths = {array.shape[1:] for array in outputs}
    if len(lengths) > 1:
        raise ValueError(
            f"{who}: the batches have outputs of different shapes, {', '.join(map(batch_of, sorted(lengths)))}, which make no array. "
            "Call the model on each batch: [model(x) for x in batches]."
        )


def measure(
    layer: Layer,
    loss: Loss,
    metrics: Sequence[Metric],
    examples: Examples | Stream,
    batch_size: int | None,
    callbacks: CallbackList,
    look: Callable[[NDArray, NDArray], None] | None = None,
) -> dict[str, float]:
    """Loss and metrics over all examples, computed on copies of everything that has state.

    Args:
        layer: the model, or the rest of it if the examples are preprocessed.
        look: called with the outputs of the first batch, and with its first example.
    """
    total, count, batches = 0.0, 0, 0
    callbacks.call("on_test_begin", {})  # it may change weights, before they are read
    with sharing.reading(layer) as replica, all_cores(uses_blocks(layer)):
        loss_replica = Replicator(keep_cache=True).of(loss)
        gathered = [copy.deepcopy(metric) for metric in metrics]
        for metric in gathered:
            metric.reset()
        for number, (x, y, weights) in enumerate(examples.batches(batch_size)):
            callbacks.call("on_test_batch_begin", number, {})
            with calling(Call(replica, inference=True)):
                prediction = replica.forward(x)
            if number == 0 and look is not None:
                look(prediction, x[:1])
            counted, due, size = weigh(loss_replica, prediction, y, weights, replica.output_mask)
            value = loss_replica.checked_forward(prediction, y)
            if math.isnan(value) and all(
                np.isfinite(part).all() for part in listed(prediction)
            ):  # the training loss of fit raises instead
                warnings.warn(
                    f"evaluate: {loss!r} gives nan for outputs and targets that are finite.", stacklevel=caller()
                )
            total += value * size
            count += size
            batches += 1
            for metric in gathered:
                metric.update(counted, due)
            callbacks.call("on_test_batch_end", number, {"loss": value})
        if not count:
            raise ValueError(f"evaluate: {'the loss ignores all targets' if batches else 'the data gave no batches'}.")
        penalties = penalty(regularized(replica.parameters().values()))
    measured = {"loss": total / count + penalties, **{metric.name: metric.checked_result() for metric in gathered}}
    callbacks.call("on_test_end", measured)
    return numbers_in(measured)  # with what callbacks wrote into it


def uses_blocks(layer: Layer) -> bool:
    """Whether the layer, or one inside it, computes in blocks, for which several threads pay."""
    return any(getattr(node, "uses_blocks", False) for _, node in layer.walk())


def regularized(parameters: Iterable[Parameter]) -> list[Parameter]:
    """The parameters that learn and have a regularizer."""
    return [parameter for parameter in parameters if parameter.trainable and parameter.regularizer is not None]


def penalty(parameters: list[Parameter]) -> float:
    """The sum of the penalties on these parameters."""
    return sum(parameter.regularizer(parameter.value) for parameter in parameters)
