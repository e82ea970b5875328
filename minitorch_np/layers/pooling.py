"""Pooling: one number for each window, or for each image, in each channel."""

from __future__ import annotations

import operator

import numpy as np

from minitorch_np.base.blocks import blocks_of, in_blocks
from minitorch_np.base.functions import sums
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag, optional
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import Pair, check_pair, require_images
from minitorch_np.layers.windows import PADDING, Windows, copied, set_pixels


class _Pooling2D(Layer):
    """One number for each window in each channel. A subclass writes `forward` and `backward`."""

    in_keras = True
    checks: Checks = {"pool_size": Fixed(check_pair), "strides": Fixed(optional(check_pair)), "padding": PADDING}

    def __init__(
        self, pool_size: int | Pair = (2, 2), strides: int | Pair | None = None, padding: str = "valid"
    ) -> None:
        self.pool_size = pool_size
        self.strides = strides
        self.padding = padding

    def settle(self) -> None:
        strides = self.pool_size if self.strides is None else self.strides
        self._windows = Windows.of(self.pool_size, strides, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*self._windows.count_checked(self, input_shape), input_shape[-1])

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (5, 4, 3)),
            (cls((2, 3), strides=(2, 1), padding="same"), (5, 7, 2)),
            (cls(3, strides=2), (7, 5, 2)),
        ]


class MaxPooling2D(_Pooling2D):
    """y[b, h, w, c] = the largest x[b, h * stride + i, w * stride + j, c] in the window.

    Args:
        pool_size: height and width of the window; an int means both.
        strides: steps from window to window; None means the pool size, so that windows touch but never overlap.
        padding: "valid" keeps windows inside the image; "same" lets them extend beyond the edge, where there are no pixels to pool.

    Shapes: x (batch, height, width, channels) -> y (batch, rows, columns, channels), with "valid"
        rows = floor((height - pool height) / stride) + 1, with "same" rows = ceil(height / stride).
    Raises:
        ValueError: an argument is out of range; x is not an image, or smaller than the window ("valid").
    """

    def forward(self, x: NDArray) -> NDArray:
        """Compares the pixels of a window one after the other with the largest so far, for all windows at once."""
        windows, count = self._windows, self._windows.count(x.shape[1:3])
        y = np.empty((len(x), *count, x.shape[3]), x.dtype)

        def pool(images: slice) -> list[NDArray]:
            first, *others = windows.pixels(windows.pad(x[images], -np.inf), count)
            largest, larger = y[images], []
            set_pixels(largest, first)
            for pixels in map(copied, others):
                if self.keep_cache:
                    larger.append(pixels > largest)
                np.maximum(largest, pixels, out=largest)
            return larger

        blocks = blocks_of(x)
        self.cache = x.shape, list(zip(blocks, in_blocks(pool, blocks), strict=True))
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """y is the largest x of its window, so that x gets dy, from each window in which it is the largest, and the others get 0.

        The largest is the last pixel that is larger than all before it. So a loop from the last pixel to the first gives dy to
        the first such pixel that it meets, and leaves 0 for those before. Where several are equally large, as zeros often are
        after ReLU, the derivative does not exist. Then the first of them, row by row, gets all of dy.
        """
        shape, blocks = self.cache
        windows = self._windows
        dx = windows.zeros(shape, dy.dtype)
        disjoint = all(stride >= size for stride, size in zip(windows.strides, windows.size, strict=True))
        add = set_pixels if disjoint else operator.iadd

        def give(block: tuple[slice, list[NDArray]]) -> None:
            images, larger = block
            left = dy[images]
            first, *others = windows.pixels(dx[images], dy.shape[1:3])
            for pixels, is_larger in zip(reversed(others), reversed(larger), strict=True):
                taken = left * is_larger
                left = left - taken
                add(pixels, taken)
            add(first, left)

        in_blocks(give, blocks)
        return windows.crop(dx, shape[1:3])


class AveragePooling2D(_Pooling2D):
    """y[b, h, w, c] = the mean of x[b, h * stride + i, w * stride + j, c] over the window.

    Args:
        pool_size, strides, padding: as for MaxPooling2D. The mean is over the pixels of the image alone: with "same" the
            places of a window beyond the edge do not count.

    Shapes, Raises: as MaxPooling2D.
    """

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return self._sums(x) / self._pixels_in_image(x.shape, x.real.dtype)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 / n for each of the n pixels in a window, summed over the windows that contain the pixel."""
        shape, windows = self.cache, self._windows
        share = dy / self._pixels_in_image(shape, dy.dtype)
        dx = windows.zeros(shape, dy.dtype)
        for dx_here in windows.pixels(dx, dy.shape[1:3]):
            dx_here += share
        return windows.crop(dx, shape[1:3])

    def _sums(self, x: NDArray) -> NDArray:
        return _added(list(self._windows.pixels(self._windows.pad(x), self._windows.count(x.shape[1:3]))))

    def _pixels_in_image(self, shape: Shape, dtype: np.dtype) -> NDArray:
        """How many pixels of the image each window holds, (1, rows, columns, 1)."""
        return self._sums(np.ones((1, *shape[1:3], 1), dtype))


class _GlobalPooling2D(Layer):
    """One number for each image in each channel. A subclass writes `forward` and `backward`."""

    in_keras = True
    checks: Checks = {"keepdims": Fixed(flag)}

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = keepdims

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_images(self, input_shape)
        return (1, 1, input_shape[-1]) if self.keepdims else input_shape[-1:]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (3, 4, 2)), (cls(keepdims=True), (3, 3, 3))]


class GlobalAveragePooling2D(_GlobalPooling2D):
    """y[b, c] = the mean of x[b, h, w, c] over the image.

    Args:
        keepdims: True keeps height and width, as 1.

    Shapes: x (batch, height, width, channels) -> y (batch, channels), or (batch, 1, 1, channels) with keepdims.
    Raises:
        ValueError: x is not an image.
    """

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return sums(x, (1, 2), self.keepdims) / (x.shape[1] * x.shape[2])

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 / (height width), for every pixel."""
        batch, height, width, channels = self.cache
        return np.broadcast_to(dy.reshape(batch, 1, 1, channels) / (height * width), self.cache)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """y[b, c] = the largest x[b, h, w, c] of the image.

    Args:
        keepdims: True keeps height and width, as 1.

    Shapes, Raises: as GlobalAveragePooling2D.
    """

    def forward(self, x: NDArray) -> NDArray:
        pixels = x.reshape(len(x), -1, x.shape[-1])
        largest = pixels.argmax(axis=1, keepdims=True)
        self.cache = x.shape, largest
        y = np.take_along_axis(pixels, largest, axis=1)
        return y[:, np.newaxis] if self.keepdims else y[:, 0]

    def backward(self, dy: NDArray) -> NDArray:
        """The largest pixel, the first of equals, gets dy, and the others 0, as in MaxPooling2D."""
        shape, largest = self.cache
        dpixels = np.zeros((shape[0], shape[1] * shape[2], shape[3]), dy.dtype)
        np.put_along_axis(dpixels, largest, dy.reshape(largest.shape), axis=1)
        return dpixels.reshape(shape)


def _added(arrays: list[NDArray]) -> NDArray:
    """The sum of the arrays: the sum of each half first, and then of the two, which keeps the digits of a long sum."""
    half = len(arrays) // 2
    return _added(arrays[:half]) + _added(arrays[half:]) if half else arrays[0]
