"""Evidence: what is known of one wrong gradient, and the arrays that its author could have used."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from minitorch_np.base.shapes import NDArray

_MATCH = 1e-9
Found = tuple[str, str, str] | None  # the name of a bug, what was observed, the change to make


@dataclass
class Evidence:
    """The gradient of one tensor for one upstream gradient.

    Attributes:
        name: "x" or the parameter's name.
        given, true: backward's gradient and the true one, of the shape of `value`.
        dy: the upstream gradient. x, y: inputs and outputs. value: the tensor itself.
        jacobian: dy_j / dvalue_i as (value.size, y.size); true = jacobian @ dy.
    """

    name: str
    given: NDArray
    true: NDArray
    dy: NDArray
    x: NDArray
    y: NDArray
    value: NDArray
    jacobian: NDArray

    @property
    def of_loss(self) -> bool:
        """Whether y is one number, the value of a loss."""
        return self.y.ndim == 0

    @property
    def differs(self) -> NDArray:
        """The elements that are wrong."""
        scale = np.abs(self.given) + np.abs(self.true)
        return ~(np.abs(self.given - self.true) <= _MATCH * scale + 1e-13 * scale.max(initial=0))

    @property
    def elementwise(self) -> bool:
        """Whether every output depends on its own input alone."""
        if self.x.shape != self.y.shape or self.name != "x":
            return False
        return not np.any(self.jacobian[~np.eye(len(self.jacobian), dtype=bool)])


def gradient_of(tensor: str) -> str:
    """The name of a gradient in the report: dx, or the parameter's grad."""
    place, _, last = tensor.rpartition(".")
    if last == "x":
        return f"dx of {place}" if place else "dx"
    return f"{tensor}.grad"


def same(a: NDArray, b: NDArray, within: float = _MATCH) -> bool:
    """Equal to rounding in every element, where elements below 1e-12 of the largest one count as 0."""
    if a.shape != b.shape:
        return False
    size = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
    if not np.isfinite(size):
        return False
    return bool((np.abs(a - b) <= within * (np.abs(a) + np.abs(b)) + 1e-12 * size).all())


def factor(a: NDArray, b: NDArray) -> float | None:
    """c with a = c b to rounding, or None."""
    size = float(np.abs(b).max(initial=0))
    if not size:
        return None
    b = b / size
    c = float((a * b).sum() / (b * b).sum())
    return c / size if c and same(a, c * b) else None


def fraction(c: float) -> str:
    """A factor as people write it: 2 or 1/5, else six digits."""
    simple = Fraction(c).limit_denominator(399)
    return str(simple) if simple and abs(c - simple) < 1e-9 * abs(c) else f"{c:.6g}"


def times(c: float, before: str = " times ") -> str:
    """A factor in a sentence, nothing if it is 1."""
    return "" if abs(c - 1) < 1e-9 else before + fraction(c)
