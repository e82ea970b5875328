"""The steps of each optimiser as a closed form: no state, every moving average written as the sum that it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minitorch_np.optimizers import SGD, Adagrad, Adam, AdamW, Lion, Nadam, Optimizer, RMSprop


def _sgd(start: NDArray, gradients: list[NDArray], optimizer: SGD) -> NDArray:
    """Unrolled: with G_i the gradients with decay, the velocity of step t is sum_i momentum^(t - i) G_i."""
    value, decayed = start.copy(), []
    for step, gradient in enumerate(gradients):
        decayed.append(gradient + optimizer.weight_decay * value)
        velocity = sum(optimizer.momentum ** (step - i) * g for i, g in enumerate(decayed))
        direction = decayed[-1] + optimizer.momentum * velocity if optimizer.nesterov else velocity
        value = value - _rate(optimizer, step) * direction
    return value


def _adagrad(start: NDArray, gradients: list[NDArray], optimizer: Adagrad) -> NDArray:
    def direction(past: list[NDArray]) -> NDArray:
        total = optimizer.initial_accumulator_value + sum(g * g for g in past)
        return past[-1] / np.sqrt(total + optimizer.epsilon)

    return _descent(start, gradients, optimizer, direction)


def _rmsprop(start: NDArray, gradients: list[NDArray], optimizer: RMSprop) -> NDArray:
    def direction(past: list[NDArray]) -> NDArray:
        variance = _average([g * g for g in past], optimizer.rho)
        if optimizer.centered:
            variance = variance - _average(past, optimizer.rho) ** 2
        return past[-1] / np.sqrt(variance + optimizer.epsilon)

    def with_momentum(past: list[NDArray]) -> NDArray:
        # The rates are part of what is averaged, so they are divided out of the last step's.
        steps = [_rate(optimizer, i) * direction(past[: i + 1]) for i in range(len(past))]
        total = sum((optimizer.momentum ** (len(past) - 1 - i) * step for i, step in enumerate(steps)), np.zeros(()))
        return total / _rate(optimizer, len(past) - 1)

    return _descent(start, gradients, optimizer, with_momentum if optimizer.momentum else direction)


def _adam(start: NDArray, gradients: list[NDArray], optimizer: Adam) -> NDArray:
    def direction(past: list[NDArray]) -> NDArray:
        squares = [g * g for g in past]
        velocities = [_average(squares[: i + 1], optimizer.beta_2) for i in range(len(past))]
        velocity = np.max(velocities, axis=0) if optimizer.amsgrad else velocities[-1]
        correction = math.sqrt(1 - optimizer.beta_2 ** len(past)) / (1 - optimizer.beta_1 ** len(past))
        return correction * _average(past, optimizer.beta_1) / (np.sqrt(velocity) + optimizer.epsilon)

    return _descent(start, gradients, optimizer, direction)


def _nadam(start: NDArray, gradients: list[NDArray], optimizer: Nadam) -> NDArray:
    def direction(past: list[NDArray]) -> NDArray:
        t = len(past)
        u = [optimizer.beta_1 * (1 - 0.5 * 0.96**i) for i in range(1, t + 2)]
        ahead = u[t] * _average(past, optimizer.beta_1) / (1 - math.prod(u))
        ahead = ahead + (1 - u[t - 1]) * past[-1] / (1 - math.prod(u[:t]))
        velocity = _average([g * g for g in past], optimizer.beta_2) / (1 - optimizer.beta_2**t)
        return ahead / (np.sqrt(velocity) + optimizer.epsilon)

    return _descent(start, gradients, optimizer, direction)


def _lion(start: NDArray, gradients: list[NDArray], optimizer: Lion) -> NDArray:
    def direction(past: list[NDArray]) -> NDArray:
        momentum = _average(past[:-1], optimizer.beta_2) if len(past) > 1 else 0.0
        return np.sign(optimizer.beta_1 * momentum + (1 - optimizer.beta_1) * past[-1])

    return _descent(start, gradients, optimizer, direction)


def _descent(start: NDArray, gradients: list[NDArray], optimizer: Any, direction: Callable[..., NDArray]) -> NDArray:
    """From the start along the directions, each of them a function of all gradients so far."""
    value = start.copy()
    for step in range(len(gradients)):
        rate = _rate(optimizer, step)
        value = value * (1 - rate * (optimizer.weight_decay or 0)) - rate * direction(gradients[: step + 1])
    return value


def _average(terms: list[NDArray], kept: float) -> Any:
    """(1 - kept) * sum of kept^(t - i) terms_i: the moving average of step t that began at 0."""
    return (1 - kept) * sum(kept ** (len(terms) - 1 - i) * term for i, term in enumerate(terms))


def _rate(optimizer: Optimizer, step: int) -> float:
    return float(optimizer.learning_rate(step) if callable(optimizer.learning_rate) else optimizer.learning_rate)


CLOSED_FORMS: dict[type[Optimizer], Callable[[NDArray, list[NDArray], Any], NDArray]] = {
    SGD: _sgd,
    Adagrad: _adagrad,
    RMSprop: _rmsprop,
    Adam: _adam,
    AdamW: _adam,
    Nadam: _nadam,
    Lion: _lion,
}
