"""Augmentation: random changes of images in training; the identity in inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, is_number, number, one_of
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import require_images

Range = float | tuple[float, float]


# The pixel of the image that fills a position, which may be beyond the edges.
_FILL_MODES = {
    "reflect": lambda places, size: np.minimum(places % (2 * size), 2 * size - 1 - places % (2 * size)),
    "nearest": lambda places, size: np.clip(places, 0, size - 1),
    "wrap": lambda places, size: places % size,
    "constant": lambda places, size: places,  # beyond the edge there is none
}


def _limits(factor: Range) -> tuple[float, float]:
    """(lowest, highest) of a factor: -f and f where it is one number f."""
    low, high = factor if isinstance(factor, (tuple, list)) else (-factor, factor)
    return float(low), float(high)


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(map(is_number, value))


def _check_limits(who: str, name: str, factor: Any) -> None:
    if not (is_number(factor) or _is_pair(factor)):
        raise ValueError(f"{who}: {name} is a share such as 0.1, or a pair (lowest, highest), got {factor!r}.")
    low, high = _limits(factor)
    if not -1 <= low <= high <= 1:
        raise ValueError(f"{who}: {name} is between -1 and 1, the lower limit first, got {factor!r}.")


def _check_range(who: str, name: str, value: Any) -> None:
    if not _is_pair(value) or not value[0] < value[1]:
        raise ValueError(f"{who}: {name} is (lowest, highest), got {value!r}.")


class _Augmentation(Layer):
    """In training each image is changed at random, differently in every forward; in inference y = x.

    A subclass writes `draw(x)`, which returns random arrays as a tuple, `change(x, *drawn)`, and `backward`.
    """

    in_keras = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_images(self, input_shape)
        return tuple(input_shape)

    def forward(self, x: NDArray) -> NDArray:
        drawn = self.draw(x) if self.training else ()
        y = self.change(x, *drawn) if drawn else x
        self.cache = drawn, y
        return y

    def draw(self, x: NDArray) -> tuple[NDArray, ...]:
        raise NotImplementedError

    def change(self, x: NDArray, *drawn: Any) -> NDArray:
        raise NotImplementedError


class RandomFlip(_Augmentation):
    """In training, half of the images are mirrored.

    Args:
        mode: "horizontal" (left and right are exchanged), "vertical", or "horizontal_and_vertical": each with probability 1/2.

    Shapes: x (batch, height, width, channels) -> y the same.
    """

    _AXES = {"horizontal": (2,), "vertical": (1,), "horizontal_and_vertical": (1, 2)}

    checks: Checks = {"mode": one_of(*_AXES)}

    def __init__(self, mode: str = "horizontal_and_vertical") -> None:
        self.mode = mode

    def draw(self, x: NDArray) -> tuple[NDArray, ...]:
        return tuple(self.generator.random(len(x)) < 0.5 for _ in self._AXES[self.mode])

    def change(self, x: NDArray, *drawn: NDArray) -> NDArray:
        for axis, chosen in zip(self._AXES[self.mode], drawn, strict=True):
            x = np.where(chosen[:, None, None, None], np.flip(x, axis), x)
        return x

    def backward(self, dy: NDArray) -> NDArray:
        """Mirroring is its own transpose: dx is dy, mirrored in the same images."""
        drawn, _ = self.cache
        return self.change(dy, *drawn) if drawn else dy

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(mode), (3, 5, 2)) for mode in cls._AXES]


class RandomTranslation(_Augmentation):
    """In training, each image is shifted by a random share of its height and width.

    Args:
        height_factor: a number f for shifts uniform between -f and f times the height, or (low, high); positive is down.
        width_factor: likewise of the width; positive is to the right.
        fill_mode: what fills the edges: "reflect" (d c b a | a b c d | d c b a), "nearest" (a a a a | a b c d),
            "wrap" (a b c d | a b c d) or "constant".
        interpolation: "bilinear" between the two nearest pixels, or "nearest", by whole pixels.
        fill_value: the value of "constant".

    Shapes: x (batch, height, width, channels) -> y the same.
    """

    checks: Checks = {
        "height_factor": _check_limits,
        "width_factor": _check_limits,
        "fill_mode": one_of(*_FILL_MODES),
        "interpolation": one_of("bilinear", "nearest"),
        "fill_value": number("(-inf, inf)"),
    }
    height_factor: Range
    width_factor: Range
    fill_mode: str
    interpolation: str
    fill_value: float

    def __init__(
        self,
        height_factor: Range,
        width_factor: Range,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
    ) -> None:
        self.height_factor, self.width_factor = height_factor, width_factor
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value

    def draw(self, x: NDArray) -> tuple[NDArray, ...]:
        factors = self.height_factor, self.width_factor
        return tuple(
            self._matrices(size, self.generator.uniform(*_limits(factor), len(x))).astype(x.real.dtype)
            for size, factor in zip(x.shape[1:3], factors, strict=True)
        )

    def change(self, x: NDArray, *drawn: NDArray) -> NDArray:
        rows, columns = drawn
        y = _along_both(rows, columns, x)
        if self.fill_mode == "constant" and self.fill_value:
            inside = rows.sum(axis=2)[:, :, None, None] * columns.sum(axis=2)[:, None, :, None]
            y = y + float(self.fill_value) * (1 - inside)
        return y

    def backward(self, dy: NDArray) -> NDArray:
        """y = R x C^T for each image and channel, so dx = R^T dy C.

        Row i of R has the weights of the rows of x in row i of y; C is the same for columns.
        """
        drawn, _ = self.cache
        if not drawn:
            return dy
        rows, columns = (matrices.swapaxes(1, 2) for matrices in drawn)
        return _along_both(rows, columns, dy)

    def _matrices(self, size: int, shares: NDArray) -> NDArray:
        """(batch, size, size): element [b, i, j] is the weight of pixel j of x in pixel i of y in image b, along one axis."""
        shifts = shares[:, None] * size
        places = np.arange(size) - (np.rint(shifts) if self.interpolation == "nearest" else shifts)
        before = np.floor(places)
        share = (places - before)[:, :, None]
        pixels = np.arange(size)
        filling = _FILL_MODES[self.fill_mode]
        return (1 - share) * (filling(before, size)[:, :, None] == pixels) + share * (
            filling(before + 1, size)[:, :, None] == pixels
        )

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(0.3, 0.2), (5, 4, 3)),
            (cls(0.5, (-0.1, 0.4), "wrap", "nearest"), (3, 3, 2)),
            (cls(0.9, 0.0, "nearest"), (4, 2, 1)),
            (cls(0.4, 0.4, "constant", fill_value=0.5), (3, 5, 2)),
        ]


class RandomBrightness(_Augmentation):
    """In training, y = x + d clipped to value_range, with one random d for each image.

    Args:
        factor: a number f for d uniform between -f and f times the width of value_range, or (low, high).
        value_range: the smallest and the largest value of a pixel: (0, 1) after Rescaling(1 / 255).

    Shapes: x (batch, height, width, channels) -> y the same.
    """

    checks: Checks = {"factor": _check_limits, "value_range": _check_range}
    factor: Range
    value_range: tuple[float, float]

    def __init__(self, factor: Range, value_range: tuple[float, float] = (0, 255)) -> None:
        self.factor, self.value_range = factor, value_range

    def draw(self, x: NDArray) -> tuple[NDArray, ...]:
        low, high = self.value_range
        shares = self.generator.uniform(*_limits(self.factor), (len(x), 1, 1, 1))
        return ((shares * (high - low)).astype(x.real.dtype),)

    def change(self, x: NDArray, *drawn: NDArray) -> NDArray:
        low, high = map(float, self.value_range)
        return np.minimum(np.maximum(x + drawn[0], low), high)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 for pixels that were not clipped, 0 for the others."""
        drawn, y = self.cache
        low, high = self.value_range
        return dy * ((y.real > low) & (y.real < high)) if drawn else dy

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(0.3, (-1, 1)), (3, 4, 2)), (cls((0.1, 0.2), (0.0, 1.0)), (2, 2, 2))]


def _along_both(rows: NDArray, columns: NDArray, x: NDArray) -> NDArray:
    """R x C^T for each image and channel."""
    return _along_rows(columns, _along_rows(rows, x).swapaxes(1, 2)).swapaxes(1, 2)


def _along_rows(matrices: NDArray, x: NDArray) -> NDArray:
    """One matrix for each image, multiplied along the first axis of the image."""
    return (matrices @ x.reshape(*x.shape[:2], -1)).reshape(x.shape)
