"""Lion: steps along the sign of the momentum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, number, optional
from minitorch_np.optimizers.optimizer import Optimizer, Schedule, slot, update_average


class Lion(Optimizer):
    """value -= learning_rate * sign(beta_1 * momentum + (1 - beta_1) * grad), then

    momentum = beta_2 * momentum + (1 - beta_2) * grad.

    Chen et al. 2023, algorithm 2. Every element moves by exactly the learning rate, so choose it 3 to 10 times smaller than Adam's.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        beta_1: share of the momentum in the direction, in [0, 1).
        beta_2: share of the momentum that is kept, in [0, 1).
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for no decay.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

    elementwise: bool = True
    checks: Checks = {"beta_1": number("[0, 1)"), "beta_2": number("[0, 1)"), "weight_decay": optional(number())}

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.weight_decay = weight_decay
        self.exclude = exclude

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, buffer = parameter.grad, self.buffer(parameter)
        momentum = slot(state, "momentum", parameter.value)
        np.subtract(momentum, gradient, out=buffer)
        buffer *= float(self.beta_1)
        buffer += gradient
        self.descend(parameter, np.sign(buffer, out=buffer))
        update_average(momentum, gradient, 1 - float(self.beta_2), buffer)
