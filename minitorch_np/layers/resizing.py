"""Resizing: borders around images, and larger images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.functions import sums
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, anything, is_whole, one_of
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import Pair, as_pair, check_pair, require_images

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class ZeroPadding2D(Layer):
    """x with a border of zeros.

    Args:
        padding: the width of the border; an int for all sides, a pair (above and below, left and right), or a pair
            of pairs ((above, below), (left, right)).

    Shapes: x (batch, height, width, channels) -> y (batch, above + height + below, left + width + right, channels).
    Raises:
        ValueError: padding has another form; x is not an image.
    """

    in_keras = True

    checks: Checks = {"padding": Fixed(anything)}

    def __init__(self, padding: int | Pair | tuple[Pair, Pair] = (1, 1)) -> None:
        self.padding = padding

    def settle(self) -> None:
        self._margins = margins(self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_images(self, input_shape)
        (above, below), (left, right) = self._margins
        height, width, channels = input_shape
        return above + height + below, left + width + right, channels

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return np.pad(x, [(0, 0), *self._margins, (0, 0)])

    def backward(self, dy: NDArray) -> NDArray:
        """The border does not depend on x."""
        _, height, width, _ = self.cache
        (above, _), (left, _) = self._margins
        return dy[:, above : above + height, left : left + width]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (3, 4, 2)), (cls((2, 0)), (3, 3, 3)), (cls(((0, 1), (2, 3))), (5, 2, 3))]


class UpSampling2D(Layer):
    """y = an image `size` times as high and as wide as x.

    Args:
        size: how many times as high and as wide; an int means both.
        interpolation: "nearest" repeats each pixel; "bilinear" interpolates linearly between the centres of the two nearest
            pixels in each direction, and continues the image beyond its edge with the pixels at the edge.

    Shapes: x (batch, height, width, channels) -> y (batch, height * size, width * size, channels).
    Raises:
        ValueError: an argument is out of range; x is not an image.
    """

    in_keras = True

    checks: Checks = {"size": Fixed(check_pair), "interpolation": one_of("nearest", "bilinear")}

    def __init__(self, size: int | Pair = (2, 2), interpolation: str = "nearest") -> None:
        self.size = size
        self.interpolation = interpolation

    def settle(self) -> None:
        self._size = as_pair(self.size)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_images(self, input_shape)
        return input_shape[0] * self._size[0], input_shape[1] * self._size[1], input_shape[2]

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        if self.interpolation == "nearest":
            return x.repeat(self._size[0], axis=1).repeat(self._size[1], axis=2)
        return resized(x, *self._weights(x.shape, x.real.dtype))

    def backward(self, dy: NDArray) -> NDArray:
        """With "nearest" a block of y repeats one pixel of x, so dx is the sum of dy over the block.

        With "bilinear" y = R x C^T in every channel, so dx = R^T dy C.
        """
        shape = self.cache
        if self.interpolation == "nearest":
            batch, height, width, channels = shape
            return sums(dy.reshape(batch, height, self._size[0], width, self._size[1], channels), (2, 4))
        rows, columns = self._weights(shape, dy.dtype)
        return resized(dy, rows.T, columns.T)

    def _weights(self, shape: Shape, dtype: DTypeLike) -> list[NDArray]:
        return [bilinear(length, times).astype(dtype) for length, times in zip(shape[1:3], self._size, strict=True)]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(), (3, 4, 2)),
            (cls((3, 1)), (2, 2, 2)),
            (cls((2, 3), interpolation="bilinear"), (4, 3, 2)),
        ]


def resized(x: NDArray, rows: NDArray, columns: NDArray) -> NDArray:
    """rows @ image @ columns^T for every image and channel."""
    batch, height, width, channels = x.shape
    higher = rows @ x.reshape(batch, height, width * channels)
    return columns @ higher.reshape(batch, len(rows), width, channels)


def bilinear(length: int, times: int) -> NDArray:
    """The matrix (length * times, length) that interpolates between `length` numbers.

    >>> bilinear(2, 2)
    array([[1.  , 0.  ],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.  , 1.  ]])
    """
    centres = (np.arange(length * times) + 0.5) / times - 0.5  # of the new pixels; old pixel k is at position k
    distances = np.abs(np.clip(centres, 0, length - 1)[:, np.newaxis] - np.arange(length))
    return np.maximum(0, 1 - distances)


def margins(padding: Any) -> list[Pair]:
    """((above, below), (left, right)) from any form of padding."""
    sides = (padding, padding) if is_whole(padding) else padding
    if isinstance(sides, (tuple, list)) and len(sides) == 2:
        pairs = [(side, side) if is_whole(side) else side for side in sides]
        if all(isinstance(p, (tuple, list)) and len(p) == 2 and all(is_whole(n) and n >= 0 for n in p) for p in pairs):
            return [(int(first), int(second)) for first, second in pairs]
    raise ValueError(
        "ZeroPadding2D: padding is an int of at least 0, a pair of them (height, width), or a pair of pairs "
        f"((above, below), (left, right)), got {padding!r}."
    )
