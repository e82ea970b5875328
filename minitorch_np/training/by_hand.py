"""By hand: one step of training at a time, for training loops of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base import sharing
from minitorch_np.base.arrays import as_numbers, in_dtype
from minitorch_np.base.blocks import all_cores
from minitorch_np.base.cache import Call
from minitorch_np.base.contract import calling, trained
from minitorch_np.base.parameters import Parameters
from minitorch_np.base.replica import Replicator
from minitorch_np.base.several import each
from minitorch_np.training.divergence import first_bad_layer
from minitorch_np.training.evaluation import penalty, regularized, uses_blocks
from minitorch_np.training.masks import weigh
from minitorch_np.training.plan import Plan
from minitorch_np.training.preparation import Preparation, refuse_frozen

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model
    from minitorch_np.training.class_weights import ClassWeight


def train_on_batch(
    model: Model, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, class_weight: ClassWeight | None
) -> float:
    """See Model.train_on_batch. The step is that of Run.one_step in loop.py."""
    who = model._require_compiled("train_on_batch")
    x, y, weights = Preparation(model, who, class_weight).batch(x, y, sample_weight)
    with _training(model, who) as (parameters, fitting), fitting:
        loss = _own(model.loss, fitting)
        try:
            with calling(Call(model)):
                prediction = model.forward(x)
            if model._outputs_checked is not model.loss:
                model._outputs_checked = model.loss
                model.check_outputs(prediction)
            weigh(loss, prediction, y, weights, model.output_mask)
            value = loss.checked_forward(prediction, y) + penalty(regularized(parameters.values()))
            if not math.isfinite(value):
                _refuse_loss(model, loss, value, x, who)
            model.backward(loss.checked_backward(prediction))
            model.optimizer.step(parameters)
        finally:
            loss.weights = None
            loss.forget()
    return value


def test_on_batch(model: Model, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> float:
    """See Model.test_on_batch."""
    who = model._require_compiled("test_on_batch")
    model.require_built(who)
    x, y, weights = Preparation(model, who).batch(x, y, sample_weight)
    loss = Replicator(keep_cache=True).of(model.loss)
    with sharing.reading(model) as replica, all_cores(uses_blocks(model)):
        with calling(Call(replica, inference=True)):
            prediction = replica.forward(x)
        weigh(loss, prediction, y, weights, replica.output_mask)
        return loss.checked_forward(prediction, y) + penalty(regularized(replica.parameters().values()))


def step(model: Model, dy: Any) -> Any:
    """See Model.step."""
    who = f"{type(model).__name__}.step"
    if model.optimizer is None:
        raise RuntimeError(
            f"{who}: the model has no optimizer. Write model.optimizer = mt.Adam(0.001), or model.compile(mt.Adam(0.001), 'mse')."
        )
    dy = model.as_targets(dy, who)  # several for several outputs
    dy = each(lambda one: in_dtype(as_numbers(one, "dy", who), model.compute_dtype, f"{who}: dy"), dy)
    parameters = model.parameters()
    refuse_frozen(model, parameters, who)
    fitting = sharing.Fitting(parameters.values(), optimizer=model.optimizer)
    with sharing.fitting(fitting, who), fitting:
        dx = model.backward(dy)
        model.optimizer.step(parameters)
    return dx


@contextmanager
def _training(model: Model, who: str) -> Iterator[tuple[Parameters, sharing.Fitting]]:
    """Inside the `with` block the model is in training mode, and no other thread trains it."""
    plan: Plan | None = model._plan
    if plan is None or not plan.holds():
        plan = Plan(model)
    parameters = plan.parameters
    refuse_frozen(model, parameters, who)
    fitting = sharing.Fitting(parameters.values(), [model.loss], model.optimizer)
    for running in sharing.fits_of_this_thread(model):  # in a callback
        running.disturbed = True
    # NumPy need not warn of an overflow: it makes the loss infinite or NaN, and the error for that names the layer.
    with (
        sharing.fitting(fitting, who),
        all_cores(plan.uses_blocks),
        trained(plan.layers, sharing.reading),
        _in_training(plan.layers),
        np.errstate(all="ignore"),
    ):
        plan.narrow(model)
        try:
            yield parameters, fitting
        finally:
            plan.widen(model)
    if plan is not model._plan:
        model._plan = plan
        plan.note()


@contextmanager
def _in_training(layers: list[Layer]) -> Iterator[None]:
    """Inside the `with` block the layers are in training mode; they begin and end without caches."""
    before = [(layer, layer._training, layer.keep_cache) for layer in layers]
    for layer in layers:
        layer._training = layer.keep_cache = True
        layer.forget()
    try:
        yield
    finally:
        for layer, training, keep_cache in before:
            layer._training, layer.keep_cache = training, keep_cache
            layer.forget()


def _own(loss: Loss, fitting: sharing.Fitting) -> Loss:
    """The loss, or a copy if a fit in another thread uses it now."""
    used = sharing.is_used(loss, besides=fitting)
    return Replicator(training=True, keep_cache=True).of(loss) if used else loss


def _refuse_loss(model: Model, loss: Loss, value: float, x: NDArray, who: str) -> None:
    bad = first_bad_layer(model, model, x)
    raise FloatingPointError(
        f"{who}: the loss is {value}. First output that is not finite: {bad or repr(loss)}. No step was taken. Lower the learning rate "
        f"({model.optimizer!r}), or look at the data of this batch."
    )
