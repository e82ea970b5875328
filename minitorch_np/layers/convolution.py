"""Convolution: every output pixel is a weighted sum of the pixels in its window, with the same weights for all windows.

As everywhere in deep learning, the kernel is not flipped. LeCun et al. 1998, Gradient-based learning applied to
document recognition.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minitorch_np.base.functions import channel_sums, row_products
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import Pair, check_pair, count, require_built
from minitorch_np.layers.windows import PADDING, Windows
from minitorch_np.regularizers import Regularizer

# Numbers copied at a time: 4 MB in float32, which are still in the CPU's cache when they are multiplied. Far fewer would make many
# small products, and BLAS waits for its threads after each, which takes long on a busy machine.
BLOCK = 2**20
# OpenBLAS runs products below this number of multiplications in one thread, without repacking. With few outputs such products are
# still large enough to be worth a call: a step of LeNet-5 takes 0.85 times as long, and half as long on a busy machine.
SMALL_PRODUCT, FEW_OUTPUTS = 10**6, 16
# The windows are copied in runs of numbers that are contiguous in both arrays. In a row-major matrix of windows a run is a row of one
# window. Where that is shorter than this, a column-major matrix is faster: there a run is a row of the image.
SHORT = 16


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
            raise ValueError(f"{self!r}: expected inputs of shape (batch, height, width, {channels}), got {x.shape}.")
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

    Shapes: x (batch, height, width, channels) -> y (batch, rows, columns, filters), with "valid"
        rows = floor((height - kernel height) / stride) + 1, with "same" rows = ceil(height / stride);
        kernel (kernel height, kernel width, channels, filters), bias (filters,).
    Raises:
        ValueError: an argument is out of range; x is not an image, smaller than the kernel ("valid"), or has another
            number of channels than the kernel.
    """

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
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        shape = (*self._windows.size, input_shape[-1], self.filters)
        self.kernel = self.add_parameter(shape, self.kernel_initializer, regularizer=self.kernel_regularizer)
        self.bias = self.add_parameter((self.filters,), self.bias_initializer) if self.use_bias else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*self._windows.count_checked(self, input_shape), self.filters)

    def forward(self, x: NDArray) -> NDArray:
        height, width = self.count_windows(x)
        self.cache = x
        matrix = self.kernel.value.reshape(-1, self.filters)
        bias = 0 if self.bias is None else self.bias.value
        y = np.empty((len(x) * height * width, self.filters), np.result_type(x, matrix, bias))
        for rows, columns in self._columns(x):
            np.matmul(columns, matrix, out=y[rows])
        if self.bias is not None:
            image_rows = y.reshape(-1, width * self.filters)
            image_rows += np.tile(bias, width)  # NumPy adds long rows faster than short ones
        return y.reshape(len(x), height, width, self.filters)

    def backward(self, dy: NDArray) -> NDArray | None:
        """y[b, h, w] depends on x[b, h * stride + i, w * stride + j] through the product with kernel[i, j] alone. So

        dL/dkernel[i, j] = sum over b, h, w of x[b, h * stride + i, w * stride + j]^T dy[b, h, w],
        dL/dbias = sum over b, h, w of dy[b, h, w],
        dL/dx[b, h * stride + i, w * stride + j] = the sum of dy[b, h, w] kernel[i, j]^T over the windows that contain this pixel.

        The first is columns^T dy, with the columns of forward: a column holds x at one i, j and channel for all windows.
        For the last see _dx.
        """
        x, dy_rows = self.cache, dy.reshape(-1, self.filters)
        products = (row_products(columns, dy_rows[rows]) for rows, columns in self._columns(x))
        self.kernel.grad = reduce(np.add, products).reshape(self.kernel.shape)
        if self.bias is not None:
            self.bias.grad = channel_sums(dy)
        return self._dx(dy, x.shape) if self.wants_dx else None

    def _dx(self, dy: NDArray, shape: Shape) -> NDArray:
        """dL/dx as one convolution along the width for each row of the kernel.

        With u = w * stride + j, row i of the kernel adds to dx[b, h * stride + i, u]

            sum over j of dy[b, h, (u - j) / stride] kernel[i, j]^T,   where (u - j) / stride is a column of dy.

        Along the width that is a convolution with the flipped kernel, of dy with stride - 1 columns of zeros between its
        columns and zeros around them. So a loop over i makes one matrix product for all windows, and adds it to the rows
        h * stride + i of dx.
        """
        windows, (height, width) = self._windows, self._windows.size
        dx = windows.zeros(shape, dy.dtype)
        rows, columns = dy.shape[1:3]
        spread = np.zeros((len(dy), rows, width - 1 + dx.shape[2], self.filters), dy.dtype)
        spread[:, :, width - 1 :: windows.strides[1]][:, :, :columns] = dy
        gradients = sliding_window_view(spread, width, axis=2).transpose(0, 1, 2, 4, 3)
        kernels = self.kernel.value[:, ::-1].transpose(0, 1, 3, 2).reshape(height, width * self.filters, -1)
        for images, lines in blocks(gradients, shape[-1]):
            here = gradients[images, lines]
            matrix = here.reshape(-1, width * self.filters)
            for i, kernel in enumerate(kernels):
                into = dx[images, i + lines.start * windows.strides[0] :: windows.strides[0]][:, : here.shape[1]]
                into += (matrix @ kernel).reshape(into.shape)
        return windows.crop(dx, shape[1:3])

    def _columns(self, x: NDArray) -> Iterator[tuple[slice, NDArray]]:
        """The pixels of each window as one row: matrices (windows, kernel height * width * channels), and which rows of y they give.

        So the convolution is one matrix product, which takes nearly all of its time. A sum of kernel height * width
        smaller products would need no copy of x, but takes 1.3 times as long with 16 and more channels, and 10 times
        as long with one. The copy is kernel height * width times as large as x, so it is made for a few images at a time,
        or for a few lines of a large image.
        """
        windows = self._windows
        pixels = sliding_window_view(windows.pad(x), windows.size, axis=(1, 2))
        down, right = windows.strides
        pixels = pixels[:, ::down, ::right]  # (batch, height, width, channels, *windows.size)
        places = windows.size[0] * windows.size[1] * x.shape[-1]
        done = 0
        for images, lines in blocks(pixels, self.filters):
            here = pixels[images, lines]
            if windows.size[1] * x.shape[-1] < SHORT:
                columns = here.transpose(4, 5, 3, 0, 1, 2).reshape(places, -1).T
            else:
                columns = here.transpose(0, 1, 2, 4, 5, 3).reshape(-1, places)
            yield slice(done, done + len(columns)), columns
            done += len(columns)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(4, 3), (5, 7, 2)),
            (cls(3, (2, 3), strides=(2, 1), padding="same"), (5, 4, 3)),
            (cls(2, 2, strides=3, padding="same", use_bias=False), (7, 5, 9)),
            (cls(3, 1), (3, 3, 3)),
        ]


def blocks(windows: NDArray, outputs: int) -> Iterator[tuple[slice, slice]]:
    """Slices of images and of lines of windows, in order, that divide the windows into blocks.

    A block has at most BLOCK numbers, or with few outputs a product of at most SMALL_PRODUCT multiplications, but at least
    one line of windows.
    """
    count, height = windows.shape[:2]
    numbers = min(BLOCK, SMALL_PRODUCT // outputs) if outputs <= FEW_OUTPUTS else BLOCK
    lines = max(1, numbers * count * height // max(1, windows.size))
    images = max(1, lines // height)
    for first in range(0, max(1, count), images):  # an empty batch is one block
        for start in range(0, height, height if lines >= height else lines):
            yield slice(first, first + images), slice(start, start + lines)
