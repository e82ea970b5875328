"""Initialisers: functions `(shape, rng) -> array` that draw the first value of a parameter.

A kernel of shape (…, fan_in, fan_out) sums fan_in products into each output. Drawing it with a variance
of about 1 / fan_in keeps the variance of the activations from layer to layer. The normal distributions
are cut off at two standard deviations and rescaled to the stated variance, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Initializer = Callable[[Shape, np.random.Generator], NDArray]

# The standard deviation of a standard normal distribution cut off at -2 and 2.
_TRUNCATED_DEVIATION = 0.87962566103423978


def zeros(shape: Shape, rng: np.random.Generator) -> NDArray:
    """All 0; what a bias begins with."""
    return np.zeros(shape)


def ones(shape: Shape, rng: np.random.Generator) -> NDArray:
    """All 1."""
    return np.ones(shape)


def glorot_uniform(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Uniform on ±sqrt(6 / (fan_in + fan_out)): Glorot & Bengio 2010, equation 16."""
    fan_in, fan_out = fans(shape)
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, shape)


def he_normal(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Normal, variance 2 / fan_in; the 2 makes up for the half that ReLU sets to 0. He et al. 2015, equation 10."""
    return truncated_normal(shape, rng, np.sqrt(2 / fans(shape)[0]))


def lecun_normal(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Normal, variance 1 / fan_in: LeCun et al. 1998, Efficient BackProp, section 4.6."""
    return truncated_normal(shape, rng, np.sqrt(1 / fans(shape)[0]))


def truncated_normal(shape: Shape, rng: np.random.Generator, deviation: float) -> NDArray:
    """Normal, cut off at two standard deviations of the uncut curve, with the given standard deviation after the cut."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(np.count_nonzero(outside))
    return values * (deviation / _TRUNCATED_DEVIATION)


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel of shape (…window, in, out); a vector counts as both.

    >>> fans((12288, 20)), fans((3, 3, 16, 32))
    ((12288, 20), (144, 288))
    """
    if len(shape) < 2:
        size = max(1, int(np.prod(shape)))
        return size, size
    window = int(np.prod(shape[:-2]))
    return max(1, window * shape[-2]), max(1, window * shape[-1])


BY_NAME: dict[str, Initializer] = {
    function.__name__: function for function in (glorot_uniform, he_normal, lecun_normal, zeros, ones)
}


def find(initializer: str | Initializer) -> Initializer:
    """The function of that name, or the callable itself."""
    if callable(initializer):
        return initializer
    if initializer not in BY_NAME:
        raise ValueError(
            f"initializer: expected one of {', '.join(BY_NAME)} or a callable (shape, rng) -> array, got {initializer!r}."
        )
    return BY_NAME[initializer]
