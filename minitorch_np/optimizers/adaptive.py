"""Adagrad and RMSprop: each element of the gradient, divided by its typical size so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, flag, number, optional
from minitorch_np.optimizers.optimizer import Optimizer, Schedule, quotient, slot, update_average


class Adagrad(Optimizer):
    """accumulator += grad^2;   value -= learning_rate * grad / sqrt(accumulator + epsilon).

    Duchi, Hazan & Singer 2011, figure 1 (diagonal). Elements whose gradients are rarely large keep long steps. As in Keras, epsilon
    is inside the root, and the accumulator does not start at 0; PyTorch has epsilon outside, and starts at 0.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        initial_accumulator_value: the first value of the accumulator, at least 0.
        epsilon: at least 0; keeps the denominator from 0.
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for no decay.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

    elementwise: bool = True
    checks: Checks = {"initial_accumulator_value": number(), "epsilon": number(), "weight_decay": optional(number())}

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.exclude = exclude

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, buffer = parameter.grad, self.buffer(parameter)
        accumulator = slot(state, "accumulator", parameter.value, float(self.initial_accumulator_value))
        accumulator += np.multiply(gradient, gradient, out=buffer)
        np.add(accumulator, float(self.epsilon), out=buffer)
        np.sqrt(buffer, out=buffer)
        self.descend(parameter, quotient(gradient, buffer, self.epsilon))


class RMSprop(Optimizer):
    """velocity = rho * velocity + (1 - rho) * grad^2;   value -= learning_rate * grad / sqrt(velocity + epsilon).

    Tieleman & Hinton 2012, lecture 6e. With momentum m, the step is learning_rate * grad / sqrt(velocity + epsilon), and
    momentum = m * momentum + step;   value -= momentum. As in Keras, epsilon is inside the root; PyTorch has it outside.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        rho: share of the mean square that is kept, in [0, 1).
        momentum: share m of the last step that is kept, in [0, 1).
        epsilon: at least 0; keeps the denominator from 0.
        centered: divide by the standard deviation of the gradient: the square of its mean is subtracted from velocity.
            Graves 2013, eq. 38 - 41.
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for no decay.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

    elementwise: bool = True
    checks: Checks = {
        "rho": number("[0, 1)"),
        "momentum": number("[0, 1)"),
        "epsilon": number(),
        "centered": flag,
        "weight_decay": optional(number()),
    }

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.weight_decay = weight_decay
        self.exclude = exclude

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, value, buffer = parameter.grad, parameter.value, self.buffer(parameter)
        share = 1 - float(self.rho)
        velocity = slot(state, "velocity", value)
        update_average(velocity, np.multiply(gradient, gradient, out=buffer), share, buffer)
        variance = velocity
        if self.centered:
            mean = slot(state, "average_gradient", value)
            update_average(mean, gradient, share, buffer)
            np.multiply(mean, mean, out=buffer)
            variance = np.subtract(velocity, buffer, out=buffer)
            np.maximum(variance, 0, out=variance)  # rounding can make it negative
        np.add(variance, float(self.epsilon), out=buffer)
        np.sqrt(buffer, out=buffer)
        quotient(gradient, buffer, self.epsilon)
        if not self.momentum:
            self.descend(parameter, buffer)
            return
        buffer *= self.rate  # as in Keras, the rate is part of the step
        momentum = slot(state, "momentum", value)
        momentum *= float(self.momentum)
        momentum += buffer
        value -= momentum
