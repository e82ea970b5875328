"""Divergence: a loss, weight or state that is not finite ends training, and the weights are put back."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.replica import Replicator
from minitorch_np.base.several import listed
from minitorch_np.training.masks import noting

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model
    from minitorch_np.optimizers import Optimizer
    from minitorch_np.training.loop import Run

# A copy costs about as much as half an update; at every 16th step this is less than one per cent.
EVERY = 16


class LastGood:
    """A copy of the weights and of the optimiser's state, made every 16 steps while all of them are finite.

    Args:
        parameters: by name. Running statistics are checked in every step, the other parameters and the optimiser's state every 16
            steps and at the end of an epoch.
    """

    parameters: Mapping[str, Parameter]
    optimizer: Optimizer
    state: dict[str, Any]

    def __init__(self, parameters: Mapping[str, Parameter], optimizer: Optimizer) -> None:
        self.parameters, self.optimizer = parameters, optimizer
        self.statistics: dict[str, Parameter] = {
            name: parameter for name, parameter in parameters.items() if not parameter.learnable
        }
        self.step: int | None = None
        self.weights: dict[str, NDArray] = {
            name: np.empty_like(parameter.value) for name, parameter in parameters.items()
        }

    def keep(self, step: int) -> None:
        """Copy the weights and the state as they are after this many steps."""
        self.step = step
        for name, parameter in self.parameters.items():
            np.copyto(self.weights[name], parameter.value)
        self.state = self.optimizer.get_state()

    def put_back(self) -> None:
        """Put back the last copy. Without one, nothing changes."""
        if self.step is None:
            return
        for name, parameter in self.parameters.items():
            np.copyto(parameter.value, self.weights[name])
        self.optimizer.set_state(self.state)

    def description(self) -> str:
        if self.step is None:
            return "No step was taken; the weights are unchanged."
        return f"The weights are put back to those after {self.step} steps, where everything was finite."

    def not_finite(self) -> str | None:
        """The first parameter, or array of the optimiser's state, that is not finite."""
        name = _first_not_finite(self.parameters)
        if name is not None:
            return name
        if is_built_in(type(self.optimizer)):  # a user-defined one may use infinity
            for name, state in self.optimizer.state.items():
                for key, array in state.items():
                    if not is_finite(array):
                        return f"the optimizer's {key} of {name}"
        return None

    def statistic_not_finite(self) -> str | None:
        """The first running statistic that is not finite."""
        return _first_not_finite(self.statistics)


def _first_not_finite(parameters: Mapping[str, Parameter]) -> str | None:
    return next((name for name, parameter in parameters.items() if not is_finite(parameter.value)), None)


def stop_at_loss(run: Run, loss: float, x: NDArray) -> NoReturn:
    """Raise for a loss that is not finite; put the weights back."""
    spoilt = run.last_good.not_finite()
    bad = first_bad_layer(run.model, *run.as_given(x))
    before = f" {spoilt} was not finite before that batch." if spoilt else ""
    _stop(
        run,
        f"the loss is {loss} in epoch {run.epoch + 1}, batch {run.batch + 1}.{before} First output that is not finite: "
        f"{bad or repr(run.loss)}.",
        f"Lower the learning rate ({run.model.optimizer!r}), or look at the data of that batch.",
    )


def check_statistics(run: Run, x: NDArray) -> None:
    """Raise if the forward on x has made a running statistic not finite, though its loss is finite; put the weights back."""
    spoilt = run.last_good.statistic_not_finite()
    if spoilt is not None:
        least, most = min(part.min() for part in listed(x)), max(part.max() for part in listed(x))
        _stop(
            run,
            f"{spoilt} is not finite from epoch {run.epoch + 1}, batch {run.batch + 1} on, though the loss is. The inputs of that "
            f"batch are between {least:g} and {most:g}: look for an outlier among them.",
        )


def check_weights(run: Run) -> None:
    """Raise if a weight or the optimiser's state is not finite, and put them back.

    The loss may stay finite, if the weight reaches no output of these examples or if no forward pass follows the last update.
    """
    spoilt = run.last_good.not_finite()
    if spoilt is None:
        return
    first, last = (run.last_good.step or 0) + 1, run.steps
    steps = f"step {last}" if first >= last else f"one of the steps {first} to {last}"
    where = f"epoch {run.epoch + 1}, batch {run.batch}" if run.batch else f"the end of epoch {run.epoch}"
    since = f"since {steps}, found at {where}" if run.steps else "before the first step"
    with nullcontext() if run.fitting.in_step else run.fitting:
        _stop(
            run,
            f"{spoilt} is not finite {since}.",
            f"Lower the learning rate ({run.model.optimizer!r}), or look for outliers in the data.",
        )


def _stop(run: Run, problem: str, remedy: str = "") -> NoReturn:
    run.last_good.put_back()
    who = f"{type(run.model).__name__}.fit"
    raise FloatingPointError(f"{who}: {problem} {run.last_good.description()} {remedy}".rstrip())


def is_finite(array: NDArray) -> bool:
    """Whether all elements are finite.

    If the sum of the squares is finite, so is every element. This takes a third of the time. The sum of large finite numbers may
    overflow; then each element is looked at.
    """
    flat = array.ravel(order="K")
    return math.isfinite(np.vdot(flat, flat)) or bool(np.isfinite(flat).all())


def first_bad_layer(model: Model, rest: Layer, x: NDArray) -> str | None:
    """The name in the model of the first layer whose output is not finite: `rest` runs once more on x, as a replica."""
    bad: list[str] = []

    def check(name: str, layer: Layer, y: Any) -> None:
        if not all(np.isfinite(part).all() for part in listed(y)):
            bad.append(f"{name} ({layer!r})")

    replicator = Replicator(copy_weights=True, training=True)
    for name, layer in replicator.of(model).walk():
        if name:
            vars(layer)["forward"] = noting(layer.forward, functools.partial(check, name, layer))
    replicator.of(rest).forward(x)
    return bad[0] if bad else None
