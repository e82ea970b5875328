"""Windows: the parts of an image that a convolution or a pooling combines into one output pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Fixed, is_whole, one_of
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import Pair, as_pair, require_images

_VALID_OR_SAME = one_of("valid", "same")


def _check_padding(who: str, name: str, value: Any) -> None:
    """Raise ValueError unless it is "valid" or "same"; the message has what PyTorch's numbers of pixels are here."""
    try:
        _VALID_OR_SAME(who, name, value)
    except ValueError as error:
        if isinstance(value, str) and value.lower() in ("valid", "same"):
            raise ValueError(f"{error} Write {name}={value.lower()!r}.") from None
        if not is_whole(value) or value < 0:
            raise
        remedy = (
            " Write padding='valid', which adds nothing."
            if value == 0
            else (
                " Write padding='same', which keeps height and width with strides=1. For exactly so many rows and columns of zeros on "
                f"each side put ZeroPadding2D({value}) before this layer."
            )
        )
        order = " The first number is filters: the number of input channels is found from the data." * (who == "Conv2D")
        raise ValueError(f"{error}{remedy}{order}") from None


PADDING = Fixed(_check_padding)


class Windows:
    """Windows of `size` (height, width), `strides` apart, over images (batch, height, width, channels).

    With padding "valid" every window is inside the image. With "same" the image gets a border of zeros, such
    that there are ceil(height / stride) windows below each other; a border of odd width has its larger half
    below and on the right, as in Keras.
    """

    size: Pair
    strides: Pair
    padding: str

    def __init__(self, size: Pair, strides: Pair, padding: str) -> None:
        self.size, self.strides, self.padding = size, strides, padding

    @classmethod
    def of(cls, size: int | Pair, strides: int | Pair, padding: str) -> Self:
        """Windows from the arguments of a layer, which are checked already."""
        return cls(as_pair(size), as_pair(strides), padding)

    def count(self, image: Shape) -> Pair:
        """How many windows there are below each other, and how many beside each other."""
        lengths = zip(image, self.size, self.strides, strict=False)  # of height and width; channels may follow
        if self.padding == "same":
            rows, columns = (-(-length // stride) for length, _, stride in lengths)
        else:
            rows, columns = ((length - size) // stride + 1 for length, size, stride in lengths)
        return rows, columns

    def count_checked(self, layer: Layer, input_shape: Shape) -> Pair:
        """`count` for examples of this shape. Raise ValueError if they are not images, or too small for a single window."""
        require_images(layer, input_shape)
        count = self.count(input_shape)
        if min(count) < 1:
            raise ValueError(
                f"{layer!r}: windows of {self.size[0]} x {self.size[1]} pixels do not fit into images of "
                f'{input_shape[0]} x {input_shape[1]}, of shape (height, width, channels). Use padding="same", smaller windows, or fewer '
                "layers that shrink."
            )
        return count

    def margins(self, image: Shape) -> list[Pair]:
        """The width of the border: (above, below), (left, right)."""
        if self.padding == "valid":
            return [(0, 0), (0, 0)]
        missing = [
            max(0, (count - 1) * stride + size - length)
            for count, stride, size, length in zip(self.count(image), self.strides, self.size, image, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in missing]

    def pad(self, x: NDArray, value: float = 0.0) -> NDArray:
        """x with its border."""
        margins = self.margins(x.shape[1:3])
        if not np.any(margins):
            return x
        return np.pad(x, [(0, 0), *margins, (0, 0)], constant_values=value)

    def zeros(self, shape: Shape, dtype: np.dtype) -> NDArray:
        """Zeros for images of this shape (the batch included) and their border."""
        (above, below), (left, right) = self.margins(shape[1:3])
        return np.zeros((shape[0], above + shape[1] + below, left + shape[2] + right, shape[3]), dtype)

    def crop(self, padded: NDArray, image: Shape) -> NDArray:
        """The image without its border."""
        (above, _), (left, _) = self.margins(image)
        return padded[:, above : above + image[0], left : left + image[1]]

    def pixels(self, padded: NDArray, count: Pair) -> Iterator[NDArray]:
        """For each place in a window, row by row: the pixel there of every window, a view (batch, *count, channels)."""
        for lines in self.places(padded, 0, count):
            yield from self.places(lines, 1, count)

    def places(self, padded: NDArray, axis: int, count: Pair) -> Iterator[NDArray]:
        """For each place in a window along one axis, 0 downwards or 1 to the right: the numbers there of every window, a view."""
        stride = self.strides[axis]
        for place in range(self.size[axis]):
            every = slice(place, place + stride * (count[axis] - 1) + 1, stride)
            yield padded[:, every] if axis == 0 else padded[:, :, every]


def copied(pixels: NDArray) -> NDArray:
    """A contiguous copy of an array (..., channels)."""
    copy = np.empty(pixels.shape, pixels.dtype)
    set_pixels(copy, pixels)
    return copy


def set_pixels(pixels: NDArray, values: NDArray) -> None:
    """pixels[...] = values, for arrays of shape (..., channels).

    Where the channels of both are contiguous, a pixel is copied as one element: with few channels in half the time. An array of another
    class, such as one of gradcheck that notes each operation, is copied as it is.
    """
    if all(
        type(array) is np.ndarray and array.dtype == pixels.dtype and array.strides[-1] == array.itemsize
        for array in (pixels, values)
    ):
        pixel = np.dtype((np.void, pixels.shape[-1] * pixels.itemsize))
        pixels, values = pixels.view(pixel), values.view(pixel)
    pixels[...] = values
