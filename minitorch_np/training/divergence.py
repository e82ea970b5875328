"""Divergence: a loss that is no longer finite, where it began, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Keeping a copy costs about as much as half an update; every 16th step that is under one per cent.
_EVERY = 16


class LastGood:
    """A copy of the weights and of the optimiser's state, taken now and then after a step whose loss was finite."""

    def __init__(self, parameters: Mapping[str, Parameter], optimizer: Any) -> None:
        self.parameters, self.optimizer = parameters, optimizer
        self.step: int | None = None
        self.weights = {name: np.empty_like(parameter.value) for name, parameter in parameters.items()}

    def look(self, step: int) -> None:
        """Keep, if it is time and the weights are finite; called when the forward of this step has given a finite loss."""
        if step % _EVERY == 0 and all(np.isfinite(parameter.value).all() for parameter in self.parameters.values()):
            self.keep(step)

    def keep(self, step: int) -> None:
        """Copy what there is after so many steps."""
        self.step = step
        for name, parameter in self.parameters.items():
            np.copyto(self.weights[name], parameter.value)
        self.state = self.optimizer.get_state()

    def put_back(self) -> None:
        """Weights and state as they were when last kept; untouched if no loss has been finite."""
        if self.step is None:
            return
        for name, parameter in self.parameters.items():
            np.copyto(parameter.value, self.weights[name])
        self.optimizer.set_state(self.state)

    def story(self) -> str:
        if self.step is None:
            return "No step was taken; the weights are unchanged."
        return f"The weights are put back to those after {self.step} steps, where the loss was finite."


def first_bad_layer(model: Any, body: Any, x: NDArray) -> str | None:
    """The name in model of the first layer whose output is not finite when body meets x: one more forward, watched."""
    bad: list[str] = []

    def watched(name: str, layer: Any) -> Any:
        forward = layer.forward

        def forward_and_look(x: NDArray, *others: Any) -> NDArray:
            y = forward(x, *others)
            if not np.isfinite(y).all():
                bad.append(f"{name} ({layer!r})")
            return y

        return forward_and_look

    layers = [(name, layer) for name, layer in model.walk() if name]
    for name, layer in layers:
        layer.forward = watched(name, layer)
    try:
        body.forward(x)
    finally:
        for _, layer in layers:
            del layer.forward
    return bad[0] if bad else None
