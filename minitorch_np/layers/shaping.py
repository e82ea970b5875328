"""Shaping: the same numbers in another shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.layer import Layer
from minitorch_np.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Flatten(Layer):
    """Each example as one row.

    Shapes: x (batch, ...) -> y (batch, product of the rest), in C order (the last axis changes fastest).
    """

    in_keras = True
    precomputable = True

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return x.reshape(len(x), int(np.prod(x.shape[1:])))

    def backward(self, dy: NDArray) -> NDArray:
        return dy.reshape(self.cache)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (3, 4, 2)), (cls(), (5,))]
