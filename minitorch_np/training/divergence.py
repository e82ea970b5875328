"""Divergence: a loss that is no longer finite, where it began, and the way back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.replica import Replicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Keeping a copy costs about as much as half an update; every 16th step that is under one per cent.
EVERY = 16


class LastGood:
    """A copy of the weights and of the optimiser's state, taken now and then while both are finite.

    Args:
        parameters: by name. Running statistics, which no gradient reaches, are looked at in every step; all the rest, the
            optimiser's state included, every 16 steps and at the end of an epoch.
    """

    def __init__(self, parameters: Mapping[str, Parameter], optimizer: Any) -> None:
        self.parameters, self.optimizer = parameters, optimizer
        self.statistics = {name: parameter for name, parameter in parameters.items() if not parameter.learnable}
        self.step: int | None = None
        self.weights = {name: np.empty_like(parameter.value) for name, parameter in parameters.items()}

    def keep(self, step: int) -> None:
        """Copy what there is after so many steps."""
        self.step = step
        for name, parameter in self.parameters.items():
            np.copyto(self.weights[name], parameter.value)
        self.state = self.optimizer.get_state()

    def put_back(self) -> None:
        """Weights and state as they were when last kept; untouched if they were never finite."""
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
        """What is not finite: the first such parameter, or array of the optimiser's state."""
        for name, parameter in self.parameters.items():
            if not is_finite(parameter.value):
                return name
        if is_built_in(type(self.optimizer)):  # another one may have a use for infinity
            for name, state in self.optimizer.state.items():
                for key, array in state.items():
                    if not is_finite(array):
                        return f"the optimizer's {key} of {name}"
        return None

    def statistic_not_finite(self) -> str | None:
        """The first running statistic that is not finite."""
        for name, parameter in self.statistics.items():
            if not is_finite(parameter.value):
                return name
        return None


def is_finite(array: NDArray) -> bool:
    """Whether all elements are finite. The sum of their squares says so at a third of the cost, unless it overflows."""
    flat = array.ravel(order="K")
    return math.isfinite(np.vdot(flat, flat)) or bool(np.isfinite(flat).all())


def first_bad_layer(model: Any, body: Any, x: NDArray) -> str | None:
    """The name in model of the first layer whose output is not finite when body meets x: one more forward, on a replica."""
    bad: list[str] = []

    def watched(name: str, layer: Any) -> Any:
        forward = layer.forward

        def forward_and_look(x: NDArray, *others: Any) -> NDArray:
            y = forward(x, *others)
            if not np.isfinite(y).all():
                bad.append(f"{name} ({layer!r})")
            return y

        return forward_and_look

    replicator = Replicator(copy_weights=True, training=True)
    for name, layer in replicator.of(model).walk():
        if name:
            layer.forward = watched(name, layer)
    replicator.of(body).forward(x)
    return bad[0] if bad else None
