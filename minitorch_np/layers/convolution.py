"""Convolution: every output pixel is a weighted sum of the pixels in its window, with the same weights for all windows.

As everywhere in deep learning, the kernel is not flipped. LeCun et al. 1998, Gradient-based learning applied to
document recognition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.functions import channel_sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.correlation import Grid, correlate, kernel_gradient, spread_gradient
from minitorch_np.layers.guards import Pair, check_pair, count, require_built
from minitorch_np.layers.windows import PADDING, Windows
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint


class _Convolution(Layer):
    """What convolutions share: windows of kernel_size, and one kernel and bias for all windows."""

    in_keras = True
    checks: Checks = {
        "kernel_size": Fixed(check_pair),
        "strides": Fixed(check_pair),
        "padding": PADDING,
        "use_bias": Fixed(flag),
    }
    kernel_size: int | Pair
    strides: int | Pair
    padding: str
    kernel: Parameter
    bias: Parameter | None

    def settle(self) -> None:
        self._windows = Windows.of(self.kernel_size, self.strides, self.padding)

    def count_windows(self, x: NDArray) -> Pair:
        """How many windows there are below each other and beside each other in x; ValueError if x does not fit."""
        require_built(self)
        channels = self.kernel.shape[2]
        if x.ndim != 4 or x.shape[-1] != channels:
            remedy = " Channels are the last axis: x.transpose(0, 2, 3, 1)." if x.shape[1:2] == (channels,) else ""
            raise ValueError(
                f"{self!r}: expected inputs of shape (batch, height, width, {channels}), got {x.shape}.{remedy}"
            )
        return self._windows.count_checked(self, x.shape[1:])


class Conv2D(_Convolution):
    """y[b, h, w] = sum over i, j of x[b, h * stride + i, w * stride + j] @ kernel[i, j] + bias.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window; an int means both.
        strides: steps from window to window, downwards and to the right; an int means both.
        padding: "valid" keeps windows inside the image; "same" adds zeros around the image, so that stride 1 keeps its size.
        use_bias: False leaves the bias out.
        kernel_initializer: a name or a callable `(shape, rng) -> array`; "glorot_uniform" is Glorot & Bengio 2010, eq. 16.
        bias_initializer: likewise.
        kernel_regularizer: a penalty on the kernel that fit adds to the loss, "l1", "l2" or an object such as L2(0.01).
        bias_regularizer: likewise, on the bias.
        kernel_constraint, bias_constraint: applied after each step of the optimiser, such as constraints.MaxNorm(2).

    Shapes: x (batch, height, width, channels) -> y (batch, rows, columns, filters), with "valid"
        rows = floor((height - kernel height) / stride) + 1, with "same" rows = ceil(height / stride);
        kernel (kernel height, kernel width, channels, filters), bias (filters,).
    Raises:
        ValueError: an argument is out of range; x is not an image, smaller than the kernel ("valid"), or has another
            number of channels than the kernel.
    """

    uses_blocks = True
    checks: Checks = {"filters": count("the number of output channels")}
    kernel: Parameter
    bias: Parameter | None

    def __init__(
        self,
        filters: int,
        kernel_size: int | Pair,
        strides: int | Pair = (1, 1),
        padding: str = "valid",
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        bias_regularizer: str | Regularizer | None = None,
        kernel_constraint: str | Constraint | None = None,
        bias_constraint: str | Constraint | None = None,
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        shape = (*self._windows.size, input_shape[-1], self.filters)
        self.kernel = self.add_parameter(
            shape, self.kernel_initializer, regularizer=self.kernel_regularizer, constraint=self.kernel_constraint
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_parameter(
                (self.filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*self._windows.count_checked(self, input_shape), self.filters)

    def forward(self, x: NDArray) -> NDArray:
        grid = self._grid(x)
        self.cache = x, grid
        kernel, bias = self.kernel.value, 0 if self.bias is None else self.bias.value
        y = np.empty((len(x), *grid.windows, self.filters), np.result_type(x, kernel, bias))
        correlate(x, kernel, grid, y)
        if self.bias is not None:
            lines = y.reshape(-1, grid.windows[1] * self.filters)
            lines += np.tile(bias, grid.windows[1])  # NumPy adds long rows faster than short ones
        return y

    def backward(self, dy: NDArray) -> NDArray | None:
        """y[b, h, w] depends on x[b, h * stride + i, w * stride + j] through the product with kernel[i, j] alone. So

        dL/dkernel[i, j] = sum over b, h, w of x[b, h * stride + i, w * stride + j]^T dy[b, h, w],
        dL/dbias = sum over b, h, w of dy[b, h, w],
        dL/dx[b, h * stride + i, w * stride + j] = the sum of dy[b, h, w] kernel[i, j]^T over the windows that contain this pixel.

        They are sums of products over windows like y itself, so layers/correlation.py computes all three.
        """
        x, grid = self.cache
        self.kernel.grad = kernel_gradient(x, dy, grid)
        if self.bias is not None:
            self.bias.grad = channel_sums(dy)
        if not self.wants_dx:
            return None
        dx = np.zeros(x.shape, dy.dtype)
        spread_gradient(dy, self.kernel.value, grid, dx)
        return dx

    def _grid(self, x: NDArray) -> Grid:
        windows = self._windows
        (above, _), (left, _) = windows.margins(x.shape[1:3])
        return Grid(self.count_windows(x), windows.size, windows.strides, (above, left))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(4, 3), (5, 7, 2)),
            (cls(3, (2, 3), strides=(2, 1), padding="same"), (5, 4, 3)),
            (cls(2, 2, strides=3, padding="same", use_bias=False), (7, 5, 9)),
            (cls(3, 1), (3, 3, 3)),
        ]
