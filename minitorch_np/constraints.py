"""Constraints: conditions that a parameter fulfils again after each step of the optimiser. Names and formulas are Keras's.

A constraint belongs to a parameter: `Dense(20, kernel_constraint=MaxNorm(2))`. A vector is all elements with the same position on the
other axes: with axis=0, the incoming weights of one unit of Dense. Of a kernel of Conv2D these are axis=(0, 1, 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.by_name import by_name
from minitorch_np.base.configurable import OwnAttributes
from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.module_names import public_module
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, is_whole, number

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"]

_EPSILON = 1e-7  # keeps the division by a length of 0 from failing, as in Keras


class Constraint(OwnAttributes):
    """Maps the value of a parameter to the nearest one that is allowed. A subclass writes `__call__(value) -> array` of the same shape."""

    def __call__(self, value: NDArray) -> NDArray:
        raise NotImplementedError(f"{self!r} has no __call__: write __call__(self, value) and return an array.")


def _check_axis(who: str, name: str, value: Any) -> None:
    axes = value if isinstance(value, (tuple, list)) else (value,)
    if not axes or not all(map(is_whole, axes)):
        raise ValueError(f"{who}: {name} is an int or a tuple of ints, got {value!r}.")


class _OfLengths(Constraint):
    """What constraints on the lengths of vectors share."""

    checks: Checks = {"axis": _check_axis}
    axis: int | tuple[int, ...]

    def _lengths(self, value: NDArray) -> NDArray:
        axes = tuple(self.axis) if isinstance(self.axis, (tuple, list)) else (self.axis,)
        if any(not -value.ndim <= axis < value.ndim for axis in axes):
            raise ValueError(f"{self!r}: the parameter has shape {value.shape}, which has no such axis.")
        return np.sqrt(np.square(value).sum(axis=axes, keepdims=True))

    def _with_lengths(self, value: NDArray, lengths: NDArray, due: NDArray) -> NDArray:
        return value * (due / (_EPSILON + lengths))


class MaxNorm(_OfLengths):
    """Vectors that are longer than max_value are scaled down to this length. Srivastava et al. 2014, section 5.1.

    Args:
        max_value: the largest length.
        axis: the axis, or the axes, along which a vector goes.
    """

    checks: Checks = {"max_value": number()}

    def __init__(self, max_value: float = 2, axis: int | tuple[int, ...] = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, value: NDArray) -> NDArray:
        lengths = self._lengths(value)
        return self._with_lengths(value, lengths, np.minimum(lengths, float(self.max_value)))


class MinMaxNorm(_OfLengths):
    """The lengths of vectors are brought between min_value and max_value.

    Args:
        min_value, max_value: the smallest and the largest length.
        rate: in (0, 1]: the share of the way that is gone in each step. With 1 the lengths are inside after each step.
        axis: the axis, or the axes, along which a vector goes.
    """

    checks: Checks = {"min_value": number(), "max_value": number(), "rate": number("(0, 1]")}

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | tuple[int, ...] = 0,
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def settle(self) -> None:
        if self.min_value > self.max_value:
            raise ValueError(
                f"MinMaxNorm: min_value is at most max_value, got {self.min_value!r} and {self.max_value!r}."
            )

    def __call__(self, value: NDArray) -> NDArray:
        lengths, rate = self._lengths(value), float(self.rate)
        inside = np.clip(lengths, float(self.min_value), float(self.max_value))
        return self._with_lengths(value, lengths, rate * inside + (1 - rate) * lengths)


class NonNeg(Constraint):
    """Negative numbers become 0."""

    def __call__(self, value: NDArray) -> NDArray:
        return np.maximum(value, 0)


class UnitNorm(_OfLengths):
    """Every vector gets the length 1.

    Args:
        axis: the axis, or the axes, along which a vector goes.
    """

    def __init__(self, axis: int | tuple[int, ...] = 0) -> None:
        self.axis = axis

    def __call__(self, value: NDArray) -> NDArray:
        lengths = self._lengths(value)
        return self._with_lengths(value, lengths, np.ones_like(lengths))


BY_NAME: dict[str, type[Constraint]] = {
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}


def find(constraint: str | Constraint | None) -> Constraint | None:
    """The constraint of that name with its defaults, the constraint itself, or None."""
    if constraint is None or isinstance(constraint, Constraint):
        return constraint
    if isinstance(constraint, str):
        return by_name(constraint, BY_NAME, "constraint", "an object such as constraints.MaxNorm(2), None")()
    raise ValueError(
        f"constraint: expected {', '.join(BY_NAME)}, an object such as constraints.MaxNorm(2), or None, got "
        f"{constraint!r}.{instead_of(constraint)}"
    )


public_module(__name__)
