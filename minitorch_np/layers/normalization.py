"""Normalisation: activations brought to mean 0 and variance 1, then to a scale and a centre that are learnt."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.functions import channel_products, channel_sums, sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.validation import Fixed, flag, is_whole, number
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import check_axis, require_built

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from minitorch_np.initializers import Initializer


_FAR = 8000  # so many standard deviations from 0, three digits of float32 are left
_LEAST = 1e-38  # a smaller epsilon is 0 in float32, and 1 / sqrt(0) is infinite


class BatchNormalization(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.

    While the model learns, mean and variance are those of the batch (over all axes but `axis`; the variance
    divides by the number of values), and move the moving statistics: moving = momentum * moving + (1 - momentum) * batch.
    Otherwise they are the moving statistics, which stay as they are, also where gamma and beta are frozen, as in Keras.
    A small batch moves them as far as a large one, and knows less: choose a batch_size that leaves no tiny last batch.
    Ioffe & Szegedy 2015, algorithms 1 and 2.

    Args:
        axis: the axis of the channels, the batch counted as 0.
        momentum: how much of the moving statistics stays at each step, in [0, 1]; PyTorch's momentum is 1 - this.
        epsilon: added to the variance, so that a constant channel divides by no zero.
        center: False leaves beta out.
        scale: False leaves gamma out.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: names or callables
            `(shape, rng) -> array`.

    Shapes: x (batch, ...) -> y the same; gamma, beta, moving_mean, moving_variance (channels,).
    Raises:
        ValueError: an argument is out of range; x has no such axis, or another number of channels.
    """

    in_keras = True
    checks = MappingProxyType(
        {
            "axis": Fixed(check_axis),
            "momentum": number("[0, 1]"),
            "epsilon": number("(0, inf)"),
            "center": Fixed(flag),
            "scale": Fixed(flag),
        }
    )

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: str | Initializer = "zeros",
        gamma_initializer: str | Initializer = "ones",
        moving_mean_initializer: str | Initializer = "zeros",
        moving_variance_initializer: str | Initializer = "ones",
    ) -> None:
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = beta_initializer
        self.gamma_initializer = gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        shape = (input_shape[axes_of_one_example(self, (self.axis,), input_shape)[0]],)
        self.gamma = self.add_parameter(shape, self.gamma_initializer) if self.scale else None
        self.beta = self.add_parameter(shape, self.beta_initializer) if self.center else None
        self.moving_mean = self.add_parameter(shape, self.moving_mean_initializer, trainable=False)
        self.moving_variance = self.add_parameter(shape, self.moving_variance_initializer, trainable=False)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        axes_of_one_example(self, (self.axis,), input_shape)
        return tuple(input_shape)

    def forward(self, x: NDArray) -> NDArray:
        self._require_channels(x)
        rows, shape = self._rows(x)
        if of_the_batch := self.training and not self._frozen():
            values = rows.size / len(self.moving_mean.value)
            mean = self._sums(rows) / values
            centered = rows - self._along(mean, rows)
            variance = self._sums(centered, centered) / values
            if _is_rough(mean, variance, self.epsilon) and np.isfinite(variance).all():  # what overflows fit names
                exact = rows.astype(np.float64)
                mean = self._sums(exact) / values
                exact -= self._along(mean, exact)
                variance = self._sums(exact, exact) / values
                centered = exact.astype(rows.dtype)
            self._move(mean, variance)
        else:
            centered, variance = rows - self._along(self.moving_mean.value, rows), self.moving_variance.value
        inverse = (1 / np.sqrt(variance + max(float(self.epsilon), _LEAST))).astype(rows.dtype, copy=False)
        self.cache = centered, inverse, of_the_batch
        scale = self._along(self._scaled(inverse), rows)
        y = centered * scale if self.beta is None else centered * scale + self._along(self.beta.value, rows)
        return self._images(y, shape)

    def backward(self, dy: NDArray) -> NDArray:
        """With r = 1 / sqrt(variance + epsilon) and xhat = (x - mean) r, y = gamma xhat + beta gives, over the n rows,

        dL/dbeta = sum of dy,   dL/dgamma = sum of dy xhat.

        In inference mean and variance are constants, and dL/dx = gamma r dy. In training they depend on every x:
        with g = gamma dy, which is dL/dxhat, and as x - mean sums to 0,

        dL/dvariance = sum of g (x - mean) (-r^3 / 2) = -r^2 / 2 sum of g xhat,    dvariance/dx = 2 (x - mean) / n,
        dL/dmean = -r sum of g,                                                  dmean/dx = 1 / n,
        dL/dx = g r - r^2 / 2 (sum of g xhat) 2 (x - mean) / n - r (sum of g) / n
              = gamma r (dy - (sum of dy) / n - xhat (sum of dy xhat) / n).
        """
        centered, inverse, of_the_batch = self.cache
        rows, shape = self._rows(dy)
        dbeta = self._sums(rows)
        dgamma = self._sums(rows, centered) * inverse
        if self.beta is not None:
            self.beta.grad = dbeta
        if self.gamma is not None:
            self.gamma.grad = dgamma
        scale = self._along(self._scaled(inverse), rows)
        if not of_the_batch:
            return self._images(rows * scale, shape)
        values = rows.size / len(inverse)
        from_variance, from_mean = dgamma * inverse / values, dbeta / values
        dx = (rows - centered * self._along(from_variance, rows) - self._along(from_mean, rows)) * scale
        return self._images(dx, shape)

    def _frozen(self) -> bool:
        learnable = [parameter for parameter in (self.gamma, self.beta) if parameter is not None]
        return bool(learnable) and all(parameter.frozen for parameter in learnable)

    def _scaled(self, inverse: NDArray) -> NDArray:
        return inverse if self.gamma is None else self.gamma.value * inverse

    def _move(self, mean: NDArray, variance: NDArray) -> None:
        momentum = float(self.momentum)
        for moving, batch in ((self.moving_mean, mean.real), (self.moving_variance, variance.real)):
            moving.value = moving.value * momentum + batch * (1 - momentum)

    # Per channel all happens on whole rows of an image, because NumPy goes through long rows three times as fast.

    def _rows(self, x: NDArray) -> tuple[NDArray, Shape]:
        """x as a matrix, the channels repeating along its rows, and its shape with the channels last."""
        moved = np.moveaxis(x, self.axis, -1)
        width = int(np.prod(moved.shape[-2:])) if moved.ndim > 2 else moved.shape[-1]
        return moved.reshape(-1, width), moved.shape

    def _sums(self, rows: NDArray, others: NDArray | None = None) -> NDArray:
        """The sum of each channel, or of its products with others."""
        columns = channel_sums(rows) if others is None else channel_products(rows, others)
        return channel_sums(columns.reshape(-1, *self.moving_mean.shape))

    def _along(self, vector: NDArray, rows: NDArray) -> NDArray:
        """One number for each channel, repeated along the rows."""
        return np.tile(vector, rows.shape[1] // len(vector))

    def _images(self, rows: NDArray, shape: Shape) -> NDArray:
        return np.moveaxis(rows.reshape(shape), -1, self.axis)

    def _require_channels(self, x: NDArray) -> None:
        require_built(self)
        (channels,) = self.moving_mean.shape
        if not -x.ndim < self.axis < x.ndim or x.shape[self.axis] != channels:
            raise ValueError(f"{self!r}: expected inputs with {channels} channels, got shape {x.shape}.")

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (5,)),
            (cls(momentum=0.8), (3, 4, 2)),
            (cls(axis=1, center=False, epsilon=0.1), (3, 4)),
            (cls(axis=-2, scale=False), (3, 2)),
        ]


def _is_rough(mean: NDArray, variance: NDArray, epsilon: float) -> bool:
    """Whether float32 is too coarse for these inputs: the last digit of a mean is not far below the deviations, or a variance overflows.

    So it is with inputs that are large and all but constant: 12345.678 a thousand times has a mean of 12345.679 in float32.
    """
    if mean.dtype != np.float32 or (
        np.vdot(mean, mean) < _FAR**2 * float(epsilon) and np.vdot(variance, variance) < math.inf
    ):  # nearly always, and found fast
        return False
    return not (np.abs(mean) < _FAR * np.sqrt(variance + epsilon)).all() or bool(np.isinf(variance).any())


def _check_axes(who: str, name: str, axis: Any) -> None:
    axes = (axis,) if is_whole(axis) else axis
    if not isinstance(axes, (tuple, list)) or not axes or not all(is_whole(a) and a != 0 for a in axes):
        raise ValueError(f"{who}: axis is an int other than 0, which is the batch, or several of them, got {axis!r}.")


class LayerNormalization(Layer):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each example by itself.

    Ba, Kiros & Hinton 2016. No statistics are kept: learning and use are the same.

    Args:
        axis: the axis, or axes, over which mean and variance are taken, the batch counted as 0.
        epsilon: added to the variance.
        center: False leaves beta out.
        scale: False leaves gamma out.
        beta_initializer, gamma_initializer: names or callables `(shape, rng) -> array`.

    Shapes: x (batch, ...) -> y the same; gamma and beta have the sizes of the normalised axes.
    Raises:
        ValueError: an argument is out of range; x has no such axis, or other sizes there.
    """

    in_keras = True
    checks = MappingProxyType(
        {
            "axis": Fixed(_check_axes),
            "epsilon": number("(0, inf)"),
            "center": Fixed(flag),
            "scale": Fixed(flag),
        }
    )

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
        self.gamma = self.add_parameter(self._sizes, self.gamma_initializer) if self.scale else None
        self.beta = self.add_parameter(self._sizes, self.beta_initializer) if self.center else None

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
        if _is_rough(mean, variance, self.epsilon):
            centered = x.astype(np.float64) - x.mean(axes, np.float64, keepdims=True)
            variance = (centered * centered).mean(axes, keepdims=True)
        inverse = 1 / np.sqrt(variance + max(float(self.epsilon), _LEAST))
        xhat = centered * inverse
        if xhat.dtype != x.dtype:
            xhat, inverse = xhat.astype(x.dtype), inverse.astype(x.dtype)
        self.cache = xhat, inverse, axes
        y = xhat if self.gamma is None else xhat * self._spread(self.gamma, x.shape, axes)
        return y if self.beta is None else y + self._spread(self.beta, x.shape, axes)

    def backward(self, dy: NDArray) -> NDArray:
        """As for BatchNormalization in training, with the sums over the values of one example, among which gamma

        differs: with xhat = (x - mean) r, r = 1 / sqrt(variance + epsilon), g = gamma dy, and means over the axes,

        dL/dbeta = sum of dy,   dL/dgamma = sum of dy xhat, both over the examples and the axes not normalised,
        dL/dx = r (g - mean of g - xhat (mean of g xhat)).
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
        axes = self.axis if isinstance(self.axis, (tuple, list)) else (self.axis,)
        return axes_of_one_example(self, axes, input_shape)

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


def axes_of_one_example(layer: Layer, axes: Sequence[int], input_shape: Shape) -> list[int]:
    """The axes of a batch, as positions in the shape of one example, in order."""
    rank = len(input_shape) + 1
    positions = sorted({axis % rank - 1 for axis in axes if -rank <= axis < rank})
    if len(positions) < len(axes) or positions[0] < 0:
        raise ValueError(
            f"{layer!r}: axis names axes other than the batch, each once, got inputs of shape {batch_of(input_shape)}."
        )
    return positions
