"""Evidence: what is known of one wrong gradient, and the arrays that an author had at hand when writing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MATCH = 1e-9
Found = tuple[str, str, str] | None  # a name, what was seen, the change to make


@dataclass
class Evidence:
    """One tensor, one upstream gradient.

    Attributes:
        name: "x" or the parameter's name.
        a, r: backward's gradient and the true one, of the shape of `value`.
        g: dL/dy. x, y: inputs and outputs. value: the tensor itself.
        jacobian: dy_j / dvalue_i as (value.size, y.size), with a = jacobian @ g if all were right.
        others: further arrays at hand, by name: the parameters.
    """

    name: str
    a: NDArray
    r: NDArray
    g: NDArray
    x: NDArray
    y: NDArray
    value: NDArray
    jacobian: NDArray
    others: dict[str, NDArray] = field(default_factory=dict)

    @property
    def loss(self) -> bool:
        """Whether y is one number, that of a loss."""
        return self.y.ndim == 0

    @property
    def differs(self) -> NDArray:
        """The elements that are wrong."""
        scale = np.abs(self.a) + np.abs(self.r)
        return ~(np.abs(self.a - self.r) <= MATCH * scale + 1e-13 * scale.max(initial=0))

    @property
    def batch(self) -> int:
        return len(self.x)

    @property
    def elementwise(self) -> bool:
        """Whether every output depends on its own input alone."""
        if self.x.shape != self.y.shape or self.name != "x":
            return False
        return not np.any(self.jacobian[~np.eye(len(self.jacobian), dtype=bool)])

    @property
    def slope(self) -> NDArray:
        """dy/dx of an elementwise layer."""
        return np.diagonal(self.jacobian).reshape(self.x.shape)

    def known(self) -> Iterator[tuple[str, NDArray]]:
        """Arrays by the names that a reader knows them under."""
        yield "x", self.x
        yield "y", self.y
        yield "dy", self.g
        yield from self.others.items()

    def broadcastable(self) -> Iterator[tuple[str, NDArray]]:
        """Known arrays that multiply this tensor, with the functions an author may take of them."""
        for name, array in self.known():
            if name == "dy" or array.size < 2 or not fits(array, self.a):
                continue
            yield name, array
            with np.errstate(all="ignore"):
                for form, values in (
                    (f"1 / {name}", 1 / array),
                    (f"{name} ** 2", array**2),
                    (f"1 / {name} ** 2", 1 / array**2),
                    (f"(1 - {name})", 1 - array),
                    (f"{name} * (1 - {name})", array * (1 - array)),
                    (f"1 / ({name} * (1 - {name}))", 1 / (array * (1 - array))),
                    (f"sign({name})", np.sign(array)),
                ):
                    if np.isfinite(values).all():
                        yield form, values


def gradient_of(tensor: str) -> str:
    """How a gradient is called: dx, or the parameter's grad."""
    return "dx" if tensor == "x" else f"{tensor}.grad"


def fits(array: NDArray, to: NDArray) -> bool:
    try:
        return np.broadcast_shapes(array.shape, to.shape) == to.shape
    except ValueError:
        return False


def same(a: NDArray, b: NDArray, within: float = MATCH) -> bool:
    """Equal to rounding, beside the largest element, and in every element beside itself too, unless that is tiny."""
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
    """A factor as people write it."""
    for denominator in range(1, 400):
        numerator = c * denominator
        if abs(numerator - round(numerator)) < 1e-9 * abs(numerator) and round(numerator):
            return f"{round(numerator)}" if denominator == 1 else f"{round(numerator)}/{denominator}"
    return f"{c:.6g}"
