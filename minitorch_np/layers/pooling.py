"""Pooling: one number for each window, or for each image, channel by channel."""

from __future__ import annotations

from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.functions import sums
from minitorch_np.base.shapes import Shape
from minitorch_np.base.validation import Fixed, anything, flag
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import Pair, require_images
from minitorch_np.layers.windows import make_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MaxPooling2D(Layer):
    """y[b, h, w, c] = the largest x[b, h * stride + i, w * stride + j, c] in the window.

    Args:
        pool_size: height and width of the window; an int means both.
        strides: steps from window to window; None means the pool size, so that windows touch but never overlap.
        padding: "valid" keeps windows inside the image; "same" lets them hang over its edge, where they see less of it.

    Shapes: x (batch, height, width, channels) -> y (batch, rows, columns, channels), with "valid"
        rows = floor((height - pool height) / stride) + 1, with "same" rows = ceil(height / stride).
    Raises:
        ValueError: an argument is out of range; x is no image, or smaller than the window ("valid").
    """

    in_keras = True

    checks = MappingProxyType({"pool_size": Fixed(anything), "strides": Fixed(anything), "padding": Fixed(anything)})

    def __init__(
        self, pool_size: int | Pair = (2, 2), strides: int | Pair | None = None, padding: str = "valid"
    ) -> None:
        self.pool_size = pool_size
        self.strides = strides
        self.padding = padding

    def settle(self) -> None:
        steps = self.pool_size if self.strides is None else self.strides
        self._windows = make_windows("MaxPooling2D", ("pool_size", "strides"), self.pool_size, steps, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._windows.require_images(self, input_shape)
        return (*self._windows.count(input_shape[:2]), input_shape[-1])

    def forward(self, x: NDArray) -> NDArray:
        count, y = self._windows.count(x.shape[1:3]), self._windows.pad(x, -np.inf)
        for axis in (0, 1):  # downwards first, along long runs of numbers in memory; then there is less left to do
            y = reduce(np.maximum, self._windows.places(y, axis, count))
        self.cache = x, y
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """y follows its largest x and no other: that x gets dy, once from each window in which it is the largest.

        Where several are equally large, as after ReLU zeros often are, the derivative does not exist, and the first of
        them, row by row, gets all of dy.
        """
        x, y = self.cache
        windows = self._windows
        dx = windows.zeros(x.shape, dy.dtype)
        count, undecided = y.shape[1:3], np.ones(y.shape, bool)
        padded = windows.pad(x, -np.inf)
        disjoint = all(stride >= size for stride, size in zip(windows.strides, windows.size, strict=True))
        for seen, dseen in zip(windows.pixels(padded, count), windows.pixels(dx, count), strict=True):
            first = (seen == y) & undecided
            undecided ^= first
            if disjoint:
                np.multiply(dy, first, out=dseen)
            else:
                dseen += dy * first
        return windows.crop(dx, x.shape[1:3])

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (5, 4, 3)),
            (cls((2, 3), strides=(2, 1), padding="same"), (5, 7, 2)),
            (cls(3, strides=2), (7, 5, 2)),
        ]


class AveragePooling2D(Layer):
    """y[b, h, w, c] = the mean of x[b, h * stride + i, w * stride + j, c] over the window.

    Args:
        pool_size, strides, padding: as for MaxPooling2D. The mean is over the pixels of the image alone: what
            hangs over its edge with "same" does not count.

    Shapes, Raises: as MaxPooling2D.
    """

    in_keras = True

    checks = MappingProxyType({"pool_size": Fixed(anything), "strides": Fixed(anything), "padding": Fixed(anything)})

    def __init__(
        self, pool_size: int | Pair = (2, 2), strides: int | Pair | None = None, padding: str = "valid"
    ) -> None:
        self.pool_size = pool_size
        self.strides = strides
        self.padding = padding

    def settle(self) -> None:
        steps = self.pool_size if self.strides is None else self.strides
        self._windows = make_windows("AveragePooling2D", ("pool_size", "strides"), self.pool_size, steps, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._windows.require_images(self, input_shape)
        return (*self._windows.count(input_shape[:2]), input_shape[-1])

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return self._sums(x) / self._pixels_in_image(x.shape, x.real.dtype)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 / n for each of the n pixels in a window, summed over the windows that a pixel lies in."""
        shape, windows = self.cache, self._windows
        share = dy / self._pixels_in_image(shape, dy.dtype)
        dx = windows.zeros(shape, dy.dtype)
        for dseen in windows.pixels(dx, dy.shape[1:3]):
            dseen += share
        return windows.crop(dx, shape[1:3])

    def _sums(self, x: NDArray) -> NDArray:
        return _added(list(self._windows.pixels(self._windows.pad(x), self._windows.count(x.shape[1:3]))))

    def _pixels_in_image(self, shape: Shape, dtype: np.dtype) -> NDArray:
        """How many pixels of the image each window holds, (1, rows, columns, 1)."""
        return self._sums(np.ones((1, *shape[1:3], 1), dtype))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (5, 4, 3)),
            (cls((2, 3), strides=(2, 1), padding="same"), (5, 7, 2)),
            (cls(3, strides=2), (7, 5, 2)),
        ]


class GlobalAveragePooling2D(Layer):
    """y[b, c] = the mean of x[b, h, w, c] over the image.

    Args:
        keepdims: True keeps height and width, as 1.

    Shapes: x (batch, height, width, channels) -> y (batch, channels), or (batch, 1, 1, channels) with keepdims.
    Raises:
        ValueError: x is no image.
    """

    in_keras = True

    checks = MappingProxyType({"keepdims": Fixed(flag)})

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = keepdims

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return pooled_shape(self, input_shape)

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return sums(x, (1, 2), self.keepdims) / (x.shape[1] * x.shape[2])

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 / (height width), for every pixel."""
        batch, height, width, channels = self.cache
        return np.broadcast_to(dy.reshape(batch, 1, 1, channels) / (height * width), self.cache)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (3, 4, 2)), (cls(keepdims=True), (3, 3, 3))]


class GlobalMaxPooling2D(Layer):
    """y[b, c] = the largest x[b, h, w, c] of the image.

    Args:
        keepdims: True keeps height and width, as 1.

    Shapes, Raises: as GlobalAveragePooling2D.
    """

    in_keras = True

    checks = MappingProxyType({"keepdims": Fixed(flag)})

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = keepdims

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return pooled_shape(self, input_shape)

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

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (3, 4, 2)), (cls(keepdims=True), (3, 3, 3))]


def _added(arrays: list[NDArray]) -> NDArray:
    """The sum of arrays, of each half by itself and then of the two, which keeps the digits of a long sum."""
    half = len(arrays) // 2
    return _added(arrays[:half]) + _added(arrays[half:]) if half else arrays[0]


def pooled_shape(layer: GlobalAveragePooling2D | GlobalMaxPooling2D, input_shape: Shape) -> Shape:
    require_images(layer, input_shape)
    return (1, 1, input_shape[-1]) if layer.keepdims else input_shape[-1:]
