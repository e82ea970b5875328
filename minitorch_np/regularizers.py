"""Regularisers: a penalty on large weights. `fit` adds it to the loss, and `optimizer.step` adds its gradient to the gradient.

A regulariser belongs to a parameter: `Dense(20, kernel_regularizer=L2(0.01))`. The backward of a layer does not use it.
"""

from __future__ import annotations

import numpy as np

from minitorch_np.base.configurable import OwnAttributes
from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.functions import row_products
from minitorch_np.base.module_names import public_module
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, number

__all__ = ["L1", "L1L2", "L2", "Regularizer"]


class Regularizer(OwnAttributes):
    """A penalty for the value of a parameter, and the gradient of the penalty.

    A subclass writes `__call__(value) -> float` and `gradient(value) -> array`, with the shape and dtype of the value.

    Attributes:
        rotation_invariant: True on classes whose penalty stays the same when the columns of a kernel are rotated: see docs/wide_data.md.
    """

    rotation_invariant: bool = False

    def __call__(self, value: NDArray) -> float:
        raise NotImplementedError(f"{self!r} has no __call__: write __call__(self, value) and return a number.")

    def gradient(self, value: NDArray) -> NDArray:
        raise NotImplementedError(f"{self!r} has no gradient: write gradient(self, value).")


class L1L2(Regularizer):
    """l1 * sum of |w| + l2 * sum of w^2. Zou & Hastie 2005, equation 3 (the elastic net).

    Args:
        l1, l2: at least 0; both are 0 by default, as in Keras.
    """

    checks: Checks = {"l1": number(), "l2": number()}

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = l1
        self.l2 = l2

    def __call__(self, value: NDArray) -> float:
        return _l1(value, self.l1) + _l2(value, self.l2)

    def gradient(self, value: NDArray) -> NDArray:
        """l1 * the sign of w + l2 * 2 w; at w = 0, where |w| has no derivative, the sign is 0."""
        return float(self.l1) * np.sign(value) + 2 * float(self.l2) * value


class L1(Regularizer):
    """l1 * sum of |w|, which makes small weights exactly 0. Tibshirani 1996.

    Args:
        l1: at least 0.
    """

    checks: Checks = {"l1": number()}

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = l1

    def __call__(self, value: NDArray) -> float:
        return _l1(value, self.l1)

    def gradient(self, value: NDArray) -> NDArray:
        """l1 * the sign of w; at w = 0, where there is no derivative, 0 is taken."""
        return float(self.l1) * np.sign(value)


class L2(Regularizer):
    """l2 * sum of w^2, which keeps all weights small. Hoerl & Kennard 1970.

    With SGD it equals weight_decay = 2 * l2. With Adam it does not: see AdamW.

    Args:
        l2: at least 0.
    """

    rotation_invariant: bool = True
    checks: Checks = {"l2": number()}

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = l2

    def __call__(self, value: NDArray) -> float:
        return _l2(value, self.l2)

    def gradient(self, value: NDArray) -> NDArray:
        """l2 * 2 w."""
        return 2 * float(self.l2) * value


BY_NAME: dict[str, type[Regularizer]] = {"l1": L1, "l2": L2, "l1_l2": L1L2}


def find(regularizer: str | Regularizer | None) -> Regularizer | None:
    """The regulariser of that name with its defaults, the regulariser itself, or None."""
    if regularizer is None or isinstance(regularizer, Regularizer):
        return regularizer
    if not isinstance(regularizer, str) or regularizer not in BY_NAME:
        raise ValueError(
            f"regularizer: expected {', '.join(BY_NAME)}, an object such as L2(0.01), or None, got {regularizer!r}.{instead_of(regularizer)}"
        )
    return BY_NAME[regularizer]()


def _l1(value: NDArray, factor: float) -> float:
    return float(factor) * float(np.abs(value).sum()) if factor else 0.0


def _l2(value: NDArray, factor: float) -> float:
    flat = value.ravel(order="K")
    return float(factor) * float(row_products(flat[:, None], flat[:, None])[0, 0]) if factor else 0.0


public_module(__name__)
