"""Adam, AdamW, Nadam: the mean of the gradient, divided by the root of its mean square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, check_number, flag, number, optional
from minitorch_np.optimizers.optimizer import Optimizer, Schedule, quotient, slot, update_average


class Adam(Optimizer):
    """Steps along the mean gradient, divided by the root of its mean square. Means are over about 1 / (1 - beta) steps. In step t

    momentum = beta_1 * momentum + (1 - beta_1) * grad
    velocity = beta_2 * velocity + (1 - beta_2) * grad^2
    value -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * momentum / (sqrt(velocity) + epsilon)

    Kingma & Ba 2015, algorithm 1 as rearranged at the end of section 2. Both means start at 0; the factor of the rate corrects
    for that. PyTorch adds epsilon to sqrt(velocity / (1 - beta_2^t)): the same formula with another epsilon.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        beta_1: share of the mean gradient that is kept, in [0, 1).
        beta_2: share of the mean square that is kept, in [0, 1).
        epsilon: at least 0; keeps the denominator from 0.
        amsgrad: divide by the largest velocity so far. Reddi, Kale & Kumar 2018, algorithm 2.
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for no decay.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

    elementwise: bool = True
    checks: Checks = {
        "beta_1": number("[0, 1)"),
        "beta_2": number("[0, 1)"),
        "epsilon": number(),
        "amsgrad": flag,
        "weight_decay": optional(number()),
    }

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.weight_decay = weight_decay
        self.exclude = exclude

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, value, buffer = parameter.grad, parameter.value, self.buffer(parameter)
        beta_1, beta_2 = float(self.beta_1), float(self.beta_2)
        momentum, velocity = slot(state, "momentum", value), slot(state, "velocity", value)
        update_average(momentum, gradient, 1 - beta_1, buffer)
        update_average(velocity, np.multiply(gradient, gradient, out=buffer), 1 - beta_2, buffer)
        if self.amsgrad:
            largest = slot(state, "velocity_hat", value)
            velocity = np.maximum(largest, velocity, out=largest)
        np.sqrt(velocity, out=buffer)
        buffer += float(self.epsilon)
        quotient(momentum, buffer, self.epsilon)
        buffer *= self.rate * math.sqrt(1 - beta_2**self.iteration) / (1 - beta_1**self.iteration)
        value -= buffer


def _decay_of_adamw(who: str, name: str, value: Any) -> None:
    if value is None:
        raise ValueError(f"{who}: weight_decay is a number, got None. Adam() is AdamW without it.")
    check_number(who, name, value)


class AdamW(Adam):
    """Adam with weight decay outside the gradient: value -= learning_rate * weight_decay * value before every step of Adam.

    Loshchilov & Hutter 2019, algorithm 2. If the decay were added to the gradient, it would be divided by sqrt(velocity), and so
    hardly change weights with large gradients.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        weight_decay: at least 0.
        beta_1: share of the mean gradient that is kept, in [0, 1).
        beta_2: share of the mean square that is kept, in [0, 1).
        epsilon: at least 0; keeps the denominator from 0.
        amsgrad: see Adam.
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
    """

    elementwise: bool = True
    checks: Checks = {"weight_decay": _decay_of_adamw}

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            exclude,
        )


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead along the momentum. In step t, with u_t = beta_1 * (1 - 0.96^t / 2),

    momentum = beta_1 * momentum + (1 - beta_1) * grad
    velocity = beta_2 * velocity + (1 - beta_2) * grad^2
    ahead = u_(t+1) * momentum / (1 - u_1 * … * u_(t+1)) + (1 - u_t) * grad / (1 - u_1 * … * u_t)
    value -= learning_rate * ahead / (sqrt(velocity / (1 - beta_2^t)) + epsilon)

    Dozat 2016, algorithm 2 and the schedule of its section 5, in Keras's form: the momentum itself is averaged with beta_1,
    not with u_t, and 0.96 is raised to t, where PyTorch raises it to 0.004 t.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        beta_1: share of the mean gradient that is kept, in [0, 1).
        beta_2: share of the mean square that is kept, in [0, 1).
        epsilon: at least 0; keeps the denominator from 0.
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for no decay.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

    elementwise: bool = True
    checks: Checks = {
        "beta_1": number("[0, 1)"),
        "beta_2": number("[0, 1)"),
        "epsilon": number(),
        "weight_decay": optional(number()),
    }

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.exclude = exclude

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, value, buffer = parameter.grad, parameter.value, self.buffer(parameter)
        beta_1, beta_2 = float(self.beta_1), float(self.beta_2)
        momentum, velocity = slot(state, "momentum", value), slot(state, "velocity", value)
        update_average(momentum, gradient, 1 - beta_1, buffer)
        update_average(velocity, np.multiply(gradient, gradient, out=buffer), 1 - beta_2, buffer)
        now, product = self._u(self.iteration), self.product(self.iteration)
        then = self._u(self.iteration + 1)
        ahead = np.multiply(momentum, then / (1 - product * then), out=self.buffer(parameter, 1))
        ahead += np.multiply(gradient, (1 - now) / (1 - product), out=buffer)
        np.multiply(velocity, 1 / (1 - beta_2**self.iteration), out=buffer)
        np.sqrt(buffer, out=buffer)
        buffer += float(self.epsilon)
        self.descend(parameter, quotient(ahead, buffer, self.epsilon))

    def _u(self, step: int) -> float:
        return float(self.beta_1) * (1 - 0.5 * 0.96**step)

    def product(self, step: int) -> float:
        """u_1 * … * u_step. The last product is kept for the next step; it need not be saved, since it depends on the step alone.

        From step 1000 on, 0.96^t / 2 is less than the last digit of 1, so every u is beta_1.
        """
        known, product = vars(self).get("_known_product", (0, 1.0))
        if known > step:
            known, product = 0, 1.0
        for later in range(known + 1, min(step, 1000) + 1):
            product *= self._u(later)
        self._known_product = min(step, 1000), product
        return product * float(self.beta_1) ** max(0, step - 1000)
