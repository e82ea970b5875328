"""Depthwise convolution: each channel is convolved separately, with its own kernels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.functions import channel_sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.convolution import _Convolution
from minitorch_np.layers.guards import Pair, count
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint


class DepthwiseConv2D(_Convolution):
    """y[b, h, w, c * m + q] = sum over i, j of x[b, h * stride + i, w * stride + j, c] kernel[i, j, c, q] + bias[c * m + q].

    Each channel has its own m = depth_multiplier kernels, and there is no sum over channels.

    Args:
        kernel_size, strides, padding: as for Conv2D.
        depth_multiplier: output channels for each input channel.
        use_bias: False leaves the bias out.
        depthwise_initializer, bias_initializer: names or callables `(shape, rng) -> array`.
        depthwise_regularizer, bias_regularizer, depthwise_constraint, bias_constraint: as those of Conv2D.

    Shapes: x (batch, height, width, channels) -> y (batch, rows, columns, channels * m), rows and columns as for Conv2D;
        kernel (kernel height, kernel width, channels, m), bias (channels * m,).
    Raises:
        ValueError: as Conv2D.
    """

    checks: Checks = {"depth_multiplier": count("the number of outputs of each channel")}
    kernel: Parameter
    bias: Parameter | None

    def __init__(
        self,
        kernel_size: int | Pair,
        strides: int | Pair = (1, 1),
        padding: str = "valid",
        depth_multiplier: int = 1,
        use_bias: bool = True,
        depthwise_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        depthwise_regularizer: str | Regularizer | None = None,
        bias_regularizer: str | Regularizer | None = None,
        depthwise_constraint: str | Constraint | None = None,
        bias_constraint: str | Constraint | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.depth_multiplier = depth_multiplier
        self.use_bias = use_bias
        self.depthwise_initializer = depthwise_initializer
        self.bias_initializer = bias_initializer
        self.depthwise_regularizer = depthwise_regularizer
        self.bias_regularizer = bias_regularizer
        self.depthwise_constraint = depthwise_constraint
        self.bias_constraint = bias_constraint

    def build(self, input_shape: Shape) -> None:
        channels = self.compute_output_shape(input_shape)[-1]
        shape = (*self._windows.size, input_shape[-1], self.depth_multiplier)
        self.kernel = self.add_parameter(
            shape,
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_parameter(
                (channels,), self.bias_initializer, regularizer=self.bias_regularizer, constraint=self.bias_constraint
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*self._windows.count_checked(self, input_shape), input_shape[-1] * self.depth_multiplier)

    def forward(self, x: NDArray) -> NDArray:
        size = self.count_windows(x)
        self.cache = x
        y = np.zeros((), x.dtype) if self.bias is None else self.bias.value
        for pixels, kernel in zip(self._pixels(x, size), self._kernels(), strict=True):
            y = y + pixels * kernel
        return y

    def backward(self, dy: NDArray) -> NDArray | None:
        """As for Conv2D, with products of numbers in place of matrix products.

        With each channel repeated m times, x has the channels of y, and y[b, h, w] is a sum of terms
        x[b, h * stride + i, w * stride + j] kernel[i, j]. So

        dL/dkernel[i, j] = sum over b, h, w of x[b, h * stride + i, w * stride + j] dy[b, h, w],
        dL/dx[b, h * stride + i, w * stride + j] = the sum of dy[b, h, w] kernel[i, j] over the windows that contain this pixel,
        and then over the m repetitions of a channel.
        """
        x, windows, size = self.cache, self._windows, dy.shape[1:3]
        self.kernel.grad = np.stack([channel_sums(pixels * dy) for pixels in self._pixels(x, size)]).reshape(
            self.kernel.shape
        )
        if self.bias is not None:
            self.bias.grad = channel_sums(dy)
        if not self.wants_dx:
            return None
        dx = windows.zeros((*x.shape[:-1], dy.shape[-1]), dy.dtype)
        for dx_here, kernel in zip(windows.pixels(dx, size), self._kernels(), strict=True):
            dx_here += dy * kernel
        return windows.crop(dx, x.shape[1:3]).reshape(*x.shape, self.depth_multiplier).sum(axis=-1)

    def _pixels(self, x: NDArray, size: Pair) -> Iterator[NDArray]:
        """For each place in a window: the pixel of x there of every window, each channel repeated depth_multiplier times."""
        repeated = np.repeat(self._windows.pad(x), self.depth_multiplier, axis=-1)
        return self._windows.pixels(repeated, size)

    def _kernels(self) -> NDArray:
        """For each place in a window: the weight of every output channel."""
        height, width, channels, multiplier = self.kernel.shape
        return self.kernel.value.reshape(height * width, channels * multiplier)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(3), (5, 7, 2)),
            (cls((2, 3), strides=(2, 1), padding="same", depth_multiplier=2), (5, 4, 3)),
            (cls(2, strides=3, use_bias=False), (5, 5, 5)),
        ]
