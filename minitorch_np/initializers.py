"""Initialisers: functions `(shape, rng) -> array`, or objects that are called like them, for the first value of a parameter.

A kernel of shape (…, fan_in, fan_out) sums fan_in products into each output. A variance of about 1 / fan_in keeps the
variance of the activations equal from layer to layer. The normal distributions are cut off at two standard deviations
and rescaled to the stated variance, as in Keras, whose names these are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from minitorch_np.base.arrays import as_floats
from minitorch_np.base.configurable import OwnAttributes
from minitorch_np.base.foreign_objects import instead_of, of_framework
from minitorch_np.base.module_names import public_module
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, check_number, is_whole, number, one_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "Constant", "Identity", "Initializer", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "fans", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal",
    "lecun_uniform", "ones", "truncated_normal", "zeros",
]  # fmt: skip

Initializer: TypeAlias = (
    "Callable[[Shape, np.random.Generator], NDArray]"  # a string, so that numpy.random is not loaded yet
)

# The standard deviation of a standard normal distribution cut off at -2 and 2.
_TRUNCATED_DEVIATION = 0.87962566103423978


def zeros(shape: Shape, rng: np.random.Generator) -> NDArray:
    """All 0, the usual first value of a bias."""
    return np.zeros(shape)


def ones(shape: Shape, rng: np.random.Generator) -> NDArray:
    """All 1."""
    return np.ones(shape)


def glorot_uniform(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Uniform on ±sqrt(6 / (fan_in + fan_out)): Glorot & Bengio 2010, equation 16."""
    return uniform(shape, rng, np.sqrt(6 / sum(fans(shape))))


def glorot_normal(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Normal, variance 2 / (fan_in + fan_out): Glorot & Bengio 2010, equation 12."""
    return truncated_normal(shape, rng, np.sqrt(2 / sum(fans(shape))))


def he_normal(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Normal, variance 2 / fan_in; the 2 compensates for the half of the activations that ReLU sets to 0. He et al. 2015, equation 10."""
    return truncated_normal(shape, rng, np.sqrt(2 / fans(shape)[0]))


def he_uniform(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Uniform on ±sqrt(6 / fan_in), with the variance of he_normal."""
    return uniform(shape, rng, np.sqrt(6 / fans(shape)[0]))


def lecun_normal(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Normal, variance 1 / fan_in: LeCun et al. 1998, Efficient BackProp, section 4.6."""
    return truncated_normal(shape, rng, np.sqrt(1 / fans(shape)[0]))


def lecun_uniform(shape: Shape, rng: np.random.Generator) -> NDArray:
    """Uniform on ±sqrt(3 / fan_in), with the variance of lecun_normal."""
    return uniform(shape, rng, np.sqrt(3 / fans(shape)[0]))


def uniform(shape: Shape, rng: np.random.Generator, limit: float) -> NDArray:
    """Uniform between -limit and limit, with variance limit^2 / 3."""
    return rng.uniform(-limit, limit, shape)


def truncated_normal(shape: Shape, rng: np.random.Generator, deviation: float) -> NDArray:
    """A normal distribution cut off at two of its standard deviations, rescaled so that `deviation` is the one after the cut."""
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


def _check_constant(who: str, name: str, value: Any) -> None:
    if not np.ndim(value):
        check_number(who, name, value, "(-inf, inf)")
    elif not np.isfinite(as_floats(value, name, who)).all():
        raise ValueError(f"{who}: {name} holds numbers that are not finite.")


class Constant(OwnAttributes):
    """All of one value, or the values of a table.

    Args:
        value: a number, or an array of the parameter's shape, or of one that NumPy broadcasts to it.
    """

    checks: Checks = {"value": _check_constant}

    def __init__(self, value: float | ArrayLike = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        value = as_floats(self.value, "value", "Constant")
        try:
            return np.array(np.broadcast_to(value, shape))
        except ValueError:
            raise ValueError(
                f"Constant: the parameter has shape {tuple(shape)}, and the value {value.shape}."
            ) from None


class _Normal(OwnAttributes):
    """The arguments of a normal distribution."""

    checks: Checks = {"mean": number("(-inf, inf)"), "stddev": number()}

    def __init__(self, mean: float = 0.0, stddev: float = 0.05) -> None:
        self.mean = mean
        self.stddev = stddev


class RandomNormal(_Normal):
    """Normal, with this mean and standard deviation."""

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        return self.mean + self.stddev * rng.standard_normal(shape)


class RandomUniform(OwnAttributes):
    """Uniform between minval and maxval."""

    checks: Checks = {"minval": number("(-inf, inf)"), "maxval": number("(-inf, inf)")}

    def __init__(self, minval: float = -0.05, maxval: float = 0.05) -> None:
        self.minval = minval
        self.maxval = maxval

    def settle(self) -> None:
        if self.minval > self.maxval:
            raise ValueError(f"RandomUniform: minval is at most maxval, got {self.minval!r} and {self.maxval!r}.")

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        return rng.uniform(self.minval, self.maxval, shape)


class TruncatedNormal(_Normal):
    """Normal, cut off at two standard deviations. As in Keras, stddev is the one before the cut, which leaves 0.88 of it."""

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        return self.mean + truncated_normal(shape, rng, self.stddev * _TRUNCATED_DEVIATION)


class VarianceScaling(OwnAttributes):
    """Mean 0 and variance scale / fan. glorot_*, he_* and lecun_* are special cases.

    Args:
        scale: a positive number; 2 in he_normal, 1 in the others.
        mode: which fan: "fan_in", "fan_out", or "fan_avg", the mean of the two.
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
    """

    checks: Checks = {
        "scale": number("(0, inf)"),
        "mode": one_of("fan_in", "fan_out", "fan_avg"),
        "distribution": one_of("truncated_normal", "untruncated_normal", "uniform"),
    }

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal") -> None:
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = np.sqrt(self.scale / fan)
        if self.distribution == "truncated_normal":
            return truncated_normal(shape, rng, deviation)
        if self.distribution == "untruncated_normal":
            return deviation * rng.standard_normal(shape)
        return uniform(shape, rng, np.sqrt(3) * deviation)


class Orthogonal(OwnAttributes):
    """A matrix whose columns, or rows if it has more columns than rows, are orthogonal and have length gain. Saxe et al. 2014, section 3.

    A kernel with a window counts as a matrix (all other axes, last axis). Every such matrix is equally likely.
    """

    checks: Checks = {"gain": number("(-inf, inf)")}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        if len(shape) < 2:
            raise ValueError(f"{self!r}: expected a shape of at least two axes, got {tuple(shape)}.")
        rows, columns = int(np.prod(shape[:-1])), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diagonal(r))  # QR fixes the signs, which would favour some matrices
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


class Identity(OwnAttributes):
    """gain on the diagonal, 0 elsewhere."""

    checks: Checks = {"gain": number("(-inf, inf)")}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        if len(shape) != 2:
            raise ValueError(f"{self!r}: expected a shape of two axes, got {tuple(shape)}.")
        return self.gain * np.eye(*shape)


BY_NAME: Mapping[str, Initializer] = {
    function.__name__: function
    for function in (
        glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, zeros, ones,
    )
} | {
    "random_normal": RandomNormal(),
    "normal": RandomNormal(),
    "random_uniform": RandomUniform(),
    "uniform": RandomUniform(),
    "truncated_normal": TruncatedNormal(),
    "variance_scaling": VarianceScaling(),
    "orthogonal": Orthogonal(),
    "identity": Identity(),
}  # fmt: skip


def find(initializer: str | Initializer) -> Initializer:
    """The function of that name, or the callable itself."""
    if callable(initializer) and not isinstance(initializer, type) and not of_framework(initializer):
        return initializer
    if not isinstance(initializer, str) or initializer not in BY_NAME:
        remedy = instead_of(initializer)
        if isinstance(initializer, (list, np.ndarray)):
            remedy = " For a table of values write mt.initializers.Constant(table)."
        elif is_whole(initializer):
            remedy = " A shape is one tuple: add_parameter((4, 3))."
        raise ValueError(
            f"initializer: expected one of {', '.join(BY_NAME)} or a callable (shape, rng) -> array, got {initializer!r:.80}.{remedy}"
        )
    return BY_NAME[initializer]


public_module(__name__)
