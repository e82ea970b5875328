"""Layer normalisation: each example has mean 0 and variance 1."""

from __future__ import annotations

import math

import numpy as np

from minitorch_np.base.functions import sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import as_axes, check_axes, places, require_built
from minitorch_np.layers.normalization import _Normalized


class LayerNormalization(_Normalized):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each example.

    Ba, Kiros & Hinton 2016. There are no moving statistics: training and inference are the same.

    Args:
        axis: the axis or axes over which mean and variance are computed; the batch is axis 0.
        epsilon: added to the variance.
        center: False leaves beta out.
        scale: False leaves gamma out.
        beta_initializer, gamma_initializer: names or callables `(shape, rng) -> array`.

    Shapes: x (batch, ...) -> y the same; gamma and beta have the sizes of the normalised axes.
    Raises:
        ValueError: an argument is out of range; x has no such axis, or other sizes there.
    """

    checks: Checks = {"axis": Fixed(check_axes)}

    def __init__(
        self,
        axis: int | tuple[int, ...] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | Initializer = "zeros",
        gamma_initializer: str | Initializer = "ones",
    ) -> None:
        self.axis = axis
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = beta_initializer
        self.gamma_initializer = gamma_initializer

    def build(self, input_shape: Shape) -> None:
        self._sizes = tuple(input_shape[position] for position in self._positions(input_shape))
        self.add_gamma_and_beta(self._sizes)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._positions(input_shape)
        return tuple(input_shape)

    def forward(self, x: NDArray) -> NDArray:
        require_built(self)
        axes = tuple(1 + position for position in self._positions(x.shape[1:]))
        if tuple(x.shape[axis] for axis in axes) != self._sizes:
            raise ValueError(f"{self!r}: expected sizes {self._sizes} on its axes, got inputs of shape {x.shape}.")
        count = math.prod(self._sizes)
        mean = sums(x, axes, keepdims=True) / count
        centered = x - mean
        variance = sums(centered * centered, axes, keepdims=True) / count
        if self.is_rough(mean, variance):
            centered = x.astype(np.float64) - x.mean(axes, np.float64, keepdims=True)
            variance = (centered * centered).mean(axes, keepdims=True)
        inverse = 1 / np.sqrt(variance + self._epsilon)
        xhat = centered * inverse
        if xhat.dtype != x.dtype:
            xhat, inverse = xhat.astype(x.dtype), inverse.astype(x.dtype)
        self.cache = xhat, inverse, axes
        y = xhat if self.gamma is None else xhat * self._spread(self.gamma, x.shape, axes)
        return y if self.beta is None else y + self._spread(self.beta, x.shape, axes)

    def backward(self, dy: NDArray) -> NDArray:
        """As for BatchNormalization in training, but with means over the values of one example, and gamma inside them.

        With xhat = (x - mean) r, r = 1 / sqrt(variance + epsilon) and g = gamma dy,

        dL/dbeta = sum of dy,   dL/dgamma = sum of dy xhat,   both over the examples and the axes that are not normalised,
        dL/dx = r (g - mean of g - xhat (mean of g xhat)),    with means over the normalised axes.
        """
        xhat, inverse, axes = self.cache
        others = tuple(axis for axis in range(dy.ndim) if axis not in axes)
        if self.beta is not None:
            self.beta.grad = sums(dy, others)
        g = dy
        if self.gamma is not None:
            self.gamma.grad = sums(dy * xhat, others)
            g = dy * self._spread(self.gamma, dy.shape, axes)
        count = math.prod(self._sizes)
        from_mean = sums(g, axes, keepdims=True) / count
        from_variance = xhat * (sums(g * xhat, axes, keepdims=True) / count)
        return inverse * (g - from_mean - from_variance)

    def _positions(self, input_shape: Shape) -> list[int]:
        return places(self, as_axes(self.axis), input_shape)

    def _spread(self, parameter: Parameter, shape: Shape, axes: tuple[int, ...]) -> NDArray:
        """The parameter's value, with an axis of length 1 for each axis that is not normalised."""
        return parameter.value.reshape([size if axis in axes else 1 for axis, size in enumerate(shape)])

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (5,)),
            (cls(axis=(1, 2), epsilon=0.1), (3, 4, 2)),
            (cls(axis=(-2,), center=False), (3, 3)),
            (cls(scale=False), (2, 3)),
        ]
