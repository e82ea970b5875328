"""Unit normalisation: each vector gets the length 1."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.functions import sums
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import as_axes, check_axes, places

_LEAST = 1e-12  # as in Keras, and in torch.nn.functional.normalize


class UnitNormalization(Layer):
    """y = x / max(|x|, 1e-12), with |x| = sqrt(sum of x^2) along an axis: vectors of length 1.

    The product of two such vectors is the cosine of the angle between them. A vector of zeros stays one.

    Args:
        axis: the axis or axes along which a vector goes; the batch is axis 0.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: axis is not an int, is the batch, or x has no such axis.
    """

    in_keras = True
    supports_masking = True
    precomputable = True
    checks: Checks = {"axis": Fixed(check_axes)}

    def __init__(self, axis: int | tuple[int, ...] = -1) -> None:
        self.axis = axis

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        places(self, as_axes(self.axis), input_shape)
        return tuple(input_shape)

    def forward(self, x: NDArray) -> NDArray:
        axes = tuple(1 + place for place in places(self, as_axes(self.axis), x.shape[1:]))
        with np.errstate(over="ignore"):
            squares = sums(x * x, axes, keepdims=True)
            scale: NDArray | int = 1
            if np.isinf(squares).any():  # of numbers above 1e19 in float32: divide by the largest one first
                scale = np.maximum(np.abs(x.real).max(axes, keepdims=True), 1)
                x = x / scale
                squares = sums(x * x, axes, keepdims=True)
            length = np.sqrt(np.maximum(squares, _LEAST**2))
            y = x / length
            self.cache = y, length * scale, squares.real > _LEAST**2, axes
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """x_i is in y_i itself, and in the length n of every y_k = x_k / n. Since dn/dx_i = x_i / n = y_i,

        dy_k/dx_i = (1[i = k] - y_k y_i) / n,   dx_i = sum_k dy_k dy_k/dx_i = (dy_i - y_i sum_k dy_k y_k) / n.

        So a change of x along x has no effect. Where |x| is below 1e-12, n is constant and dx = dy / n.
        """
        y, length, varies, axes = self.cache
        return (dy - y * (sums(dy * y, axes, keepdims=True) * varies)) / length

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (5,)),
            (cls(axis=(1, 3)), (3, 4, 2)),
            (cls(axis=-2), (3, 3)),
        ]
