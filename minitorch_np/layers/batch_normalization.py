"""Batch normalisation: each channel has mean 0 and variance 1 over the batch."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from minitorch_np.base.blocks import blocks_of, in_blocks
from minitorch_np.base.functions import channel_products, channel_sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, number
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import check_axis, places, require_built
from minitorch_np.layers.masks import check_mask
from minitorch_np.layers.normalization import _Normalized


class BatchNormalization(_Normalized):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, channel by channel.

    In training, mean and variance are those of the batch: over all axes but `axis`, with the number of values as divisor. They
    update the moving statistics: moving = momentum * moving + (1 - momentum) * batch. In inference, and also while gamma and
    beta are frozen (as in Keras), the moving statistics are used and do not change.
    A small batch updates them as much as a large one, but is less accurate: choose a batch_size that leaves no tiny last batch.
    Ioffe & Szegedy 2015, algorithms 1 and 2.

    Args:
        axis: the axis of the channels, the batch counted as 0.
        momentum: the share of the moving statistics that is kept at each step, in [0, 1]; PyTorch's momentum is 1 - this.
        epsilon: added to the variance, so that a constant channel does not divide by 0.
        center: False leaves beta out.
        scale: False leaves gamma out.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: names or callables
            `(shape, rng) -> array`.

    Shapes: x (batch, ...) -> y the same; gamma, beta, moving_mean, moving_variance (channels,).
    Raises:
        ValueError: an argument is out of range; x has no such axis, or another number of channels.
    """

    checks: Checks = {"axis": Fixed(check_axis), "momentum": number("[0, 1]")}
    moving_mean: Parameter
    moving_variance: Parameter

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
        (place,) = places(self, (self.axis,), input_shape)
        shape = (input_shape[place],)
        self.add_gamma_and_beta(shape)
        self.moving_mean = self.add_parameter(shape, self.moving_mean_initializer, trainable=False)
        self.moving_variance = self.add_parameter(shape, self.moving_variance_initializer, trainable=False)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        places(self, (self.axis,), input_shape)
        return tuple(input_shape)

    def forward(self, x: NDArray, mask: NDArray | None = None) -> NDArray:
        """y for x. With a mask, (batch, time), mean and variance in training are those of the real steps."""
        self._require_channels(x)
        rows, shape = self._rows(x)
        real: NDArray | None = None  # of each number in rows, whether it belongs to a real step
        if mask is not None:
            check_mask(self, mask, x)
            real, _ = self._rows(np.broadcast_to(mask.reshape(*mask.shape, *[1] * (x.ndim - 2)), x.shape))
        if of_the_batch := self.training and not self._frozen():
            values = self._count(rows, real)
            mean = self._sums(rows if real is None else rows * real) / values
            centered, variance = self._centered(rows, mean, real)
            if self.is_rough(mean, variance) and np.isfinite(variance).all():  # fit reports an overflow
                exact = rows.astype(np.float64)
                mean = self._sums(exact if real is None else exact * real) / values
                exact, variance = self._centered(exact, mean, real)
                centered = exact.astype(rows.dtype)
            self._move(mean, variance)
        else:
            centered, variance = rows - self._along(self.moving_mean.value, rows), self.moving_variance.value
        inverse = (1 / np.sqrt(variance + self._epsilon)).astype(rows.dtype, copy=False)
        self.cache = centered, inverse, of_the_batch, real
        scale = self._along(self._scaled(inverse), rows)
        shift = None if self.beta is None else self._along(self.beta.value, rows)
        y = np.empty(rows.shape, np.result_type(centered, scale, *([] if shift is None else [shift])))

        def scale_and_shift(block: slice) -> None:
            np.multiply(centered[block], scale, out=y[block])
            if shift is not None:
                y[block] += shift

        in_blocks(scale_and_shift, blocks_of(rows))
        return self._images(y, shape)

    def backward(self, dy: NDArray) -> NDArray:
        """The chain rule through y = gamma xhat + beta, with xhat = (x - mean) r and r = 1 / sqrt(variance + epsilon).

        Summed over the n rows, dL/dbeta = sum of dy and dL/dgamma = sum of dy xhat.

        In inference, mean and variance are constants, and dL/dx = gamma r dy. In training they depend on every x. With
        g = gamma dy, which is dL/dxhat, and since the sum of x - mean is 0,

        dL/dvariance = sum of g (x - mean) (-r^3 / 2) = -r^2 / 2 sum of g xhat,    dvariance/dx = 2 (x - mean) / n,
        dL/dmean = -r sum of g,                                                  dmean/dx = 1 / n,
        dL/dx = g r - r^2 / 2 (sum of g xhat) 2 (x - mean) / n - r (sum of g) / n
              = gamma r (dy - (sum of dy) / n - xhat (sum of dy xhat) / n).

        With a mask, n counts the real steps. Padded ones do not enter mean and variance, so there dL/dx = gamma r dy.
        """
        centered, inverse, of_the_batch, real = self.cache
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
        values = self._count(rows, real)
        from_variance = self._along(dgamma * inverse / values, rows)
        from_mean = self._along(dbeta / values, rows)
        dx = np.empty_like(rows)

        def combine(block: slice) -> None:
            here = np.multiply(centered[block], from_variance, out=dx[block])
            if real is not None:
                np.subtract(rows[block], (here + from_mean) * real[block], out=here)
            else:
                np.subtract(rows[block], here, out=here)
                here -= from_mean
            here *= scale

        in_blocks(combine, blocks_of(rows))
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

    # The methods below work on whole rows of pixels, since NumPy is three times as fast on long rows.

    def _rows(self, x: NDArray) -> tuple[NDArray, Shape]:
        """x as a matrix that has a row of pixels in each row, pixel after pixel, and the shape of x with the channels last."""
        moved = np.moveaxis(x, self.axis, -1)
        width = int(np.prod(moved.shape[-2:])) if moved.ndim > 2 else moved.shape[-1]
        return moved.reshape(-1, width), moved.shape

    def _sums(self, rows: NDArray, others: NDArray | None = None) -> NDArray:
        """The sum of each channel, or of its products with others."""

        def of_block(block: slice) -> NDArray:
            return channel_sums(rows[block]) if others is None else channel_products(rows[block], others[block])

        return self._added(in_blocks(of_block, blocks_of(rows)))

    def _count(self, rows: NDArray, real: NDArray | None) -> Any:
        """How many values each channel has; with a mask, in real steps."""
        if real is None:
            return rows.size / len(self.moving_mean.value)
        return np.maximum(self._sums(real.astype(rows.real.dtype)), 1)

    def _centered(self, rows: NDArray, mean: NDArray, real: NDArray | None) -> tuple[NDArray, NDArray]:
        """rows - mean, and the mean of its squares."""
        centered, along = np.empty_like(rows), self._along(mean, rows)

        def of_block(block: slice) -> NDArray:
            here = np.subtract(rows[block], along, out=centered[block])
            if real is not None:
                here = here * real[block]
            return channel_products(here, here)  # in the same pass, while the block is in the cache

        return centered, self._added(in_blocks(of_block, blocks_of(rows))) / self._count(rows, real)

    def _added(self, columns: list[NDArray]) -> NDArray:
        """One sum for each channel, of sums over the rows of each block."""
        return channel_sums(reduce(np.add, columns).reshape(-1, *self.moving_mean.shape))

    def _along(self, vector: NDArray, rows: NDArray) -> NDArray:
        """One number for each channel, repeated to the length of a row."""
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
