"""Clipping: how an optimiser makes long gradients shorter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.blocks import IN_CACHE, slices
from minitorch_np.base.parameter import Parameter

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.optimizers.optimizer import Optimizer


def clipping(optimizer: Optimizer, parameters: Mapping[str, Parameter]) -> Callable[[NDArray], NDArray] | None:
    """The function gradient -> clipped gradient of this step, or None if nothing is clipped."""
    if optimizer.clipvalue is not None:
        limit = float(optimizer.clipvalue)
        return lambda gradient: gradient.clip(-limit, limit)
    if optimizer.clipnorm is not None:
        longest = float(optimizer.clipnorm)
        return lambda gradient: gradient * min(1.0, longest / max(_length(gradient), 1e-300))
    if optimizer.global_clipnorm is not None:
        for parameter in parameters.values():  # the gradients of penalties are part of the length
            if parameter.regularizer is not None and parameter.trainable:
                parameter.add_penalty()
        gradients = [p.grad for p in parameters.values() if p.trainable and p.grad is not None]
        length = math.sqrt(sum(_length(gradient) ** 2 for gradient in gradients))
        factor = min(1.0, float(optimizer.global_clipnorm) / max(length, 1e-300))
        return lambda gradient: gradient * factor
    return None


def _length(gradient: NDArray) -> float:
    """The Euclidean norm: the root of the sum of squares.

    Squares of float32 numbers overflow from 1e19 on, and underflow below 1e-19. Then float64 is taken, which needs a copy.
    """
    flat = gradient.ravel(order="K")
    with np.errstate(over="ignore"):
        square = _square(flat)
    if flat.dtype != np.float64 and not 1e-30 < square < math.inf:
        square = _square(flat.astype(np.float64))
    return math.sqrt(square)


def _square(flat: NDArray) -> float:
    """The sum of the squares. That of each block is added in float64, so that millions of float32 numbers keep their digits."""
    return sum(float(np.dot(part, part)) for part in (flat[s] for s in slices(len(flat), IN_CACHE)))
