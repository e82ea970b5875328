"""Functions that several files share; each one bears complex arguments and extreme values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(-x)), exact far into both tails and without overflow.

    The exponential is only taken of -|x|: where x is negative, exp(x) / (1 + exp(x)) is the same number.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    positive = x.real >= 0
    z = np.exp(np.where(positive, -x, x))
    return np.where(positive, 1, z) / (1 + z)


def log_softmax(x: NDArray) -> NDArray:
    """log(exp(x_k) / sum_j exp(x_j)) over the last axis; the maximum is taken off first, so nothing overflows."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
