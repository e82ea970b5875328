"""Adagrad and RMSprop: each element of the gradient over the size that it had so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.arguments import check_flags, check_number
from minitorch_np.optimizers.optimizer import Optimizer, Schedule, follow, slot
from minitorch_np.parameter import Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Adagrad(Optimizer):
    """accumulator += grad^2;   value -= learning_rate * grad / sqrt(accumulator + epsilon).

    Duchi, Hazan & Singer 2011, figure 1 (diagonal). Elements that are seldom moved keep long steps. As in Keras, epsilon
    stands inside the root and the accumulator does not begin at 0; in PyTorch it is neither.

    Args:
        learning_rate: a positive number, or a schedule `step -> rate`.
        initial_accumulator_value: where the accumulator begins, at least 0.
        epsilon: at least 0; keeps the denominator from 0.
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for none.
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        check_number("Adagrad", "initial_accumulator_value", initial_accumulator_value)
        check_number("Adagrad", "epsilon", epsilon)
        check_number("Adagrad", "weight_decay", weight_decay or 0)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon
        self.weight_decay = weight_decay

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, buffer = parameter.grad, self.buffer(parameter)
        accumulator = slot(state, "accumulator", parameter.value, float(self.initial_accumulator_value))
        accumulator += np.multiply(gradient, gradient, out=buffer)
        np.add(accumulator, float(self.epsilon), out=buffer)
        np.sqrt(buffer, out=buffer)
        self.descend(parameter, np.divide(gradient, buffer, out=buffer))


class RMSprop(Optimizer):
    """velocity = rho * velocity + (1 - rho) * grad^2;   value -= learning_rate * grad / sqrt(velocity + epsilon).

    Tieleman & Hinton 2012, lecture 6e. With momentum the step is an average too:
    momentum = m * momentum + step;   value -= momentum. As in Keras, epsilon stands inside the root; PyTorch has it outside.

    Args:
        learning_rate: a positive number, or a schedule `step -> rate`.
        rho: share of the mean square that is kept, in [0, 1).
        momentum: share m of the last step that is kept, in [0, 1).
        epsilon: at least 0; keeps the denominator from 0.
        centered: divide by the standard deviation of the gradient: velocity less the square of its mean. Graves 2013, eq. 38 - 41.
        weight_decay: value -= learning_rate * weight_decay * value before the step; None for none.
        clipnorm, clipvalue, global_clipnorm: see Optimizer.
    """

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
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        check_number("RMSprop", "rho", rho, "[0, 1)")
        check_number("RMSprop", "momentum", momentum, "[0, 1)")
        check_number("RMSprop", "epsilon", epsilon)
        check_number("RMSprop", "weight_decay", weight_decay or 0)
        check_flags("RMSprop", {"centered": centered})
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.weight_decay = weight_decay

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        self.decay(parameter, self.weight_decay)
        gradient, value, buffer = parameter.grad, parameter.value, self.buffer(parameter)
        share = 1 - float(self.rho)
        velocity = slot(state, "velocity", value)
        follow(velocity, np.multiply(gradient, gradient, out=buffer), share, buffer)
        variance = velocity
        if self.centered:
            mean = slot(state, "average_gradient", value)
            follow(mean, gradient, share, buffer)
            np.multiply(mean, mean, out=buffer)
            variance = np.subtract(velocity, buffer, out=buffer)
        np.add(variance, float(self.epsilon), out=buffer)
        np.sqrt(buffer, out=buffer)
        np.divide(gradient, buffer, out=buffer)
        if not self.momentum:
            self.descend(parameter, buffer)
            return
        buffer *= self.rate  # as in Keras the rate is part of what is averaged
        momentum = slot(state, "momentum", value)
        momentum *= float(self.momentum)
        momentum += buffer
        value -= momentum
