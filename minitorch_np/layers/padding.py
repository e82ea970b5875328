"""Padding: layers for sequences of unequal length. One marks padded steps; the others make one vector of a sequence."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.functions import sums
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag, number
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import require_sequences
from minitorch_np.layers.masks import check_mask


class Masking(Layer):
    """y = x, and a step of which every number is mask_value is padding: the layers after this one, the loss and the metrics leave it out.

    In y such a step is 0.

    Args:
        mask_value: the number with which shorter sequences were filled.

    Shapes: x (batch, time, features) -> y the same; the mask is output_mask, (batch, time).
    Raises:
        ValueError: mask_value is not a finite number; x has another rank.
    """

    in_keras = True
    checks: Checks = {"mask_value": number("(-inf, inf)")}

    def __init__(self, mask_value: float = 0.0) -> None:
        self.mask_value = mask_value

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self, input_shape, "Sequences of whole numbers go to Embedding(…, mask_zero=True).")
        return input_shape

    def forward(self, x: NDArray) -> NDArray:
        self.compute_output_shape(x.shape[1:])
        self.output_mask = self.cache = (x.real != self.mask_value).any(axis=-1)
        return np.where(self.output_mask[..., np.newaxis], x, x.dtype.type(0))

    def backward(self, dy: NDArray) -> NDArray:
        """dL/dx = dy at real steps, and 0 at padded ones, where y does not depend on x."""
        return np.where(self.cache[..., np.newaxis], dy, dy.dtype.type(0))

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        x = rng.normal(size=shape)
        x[rng.random(shape[:2]) < 0.3] = self.mask_value
        return x

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (4, 3)), (cls(-1.5), (3, 3))]


class _GlobalPooling1D(Layer):
    """One number for each sequence in each feature. A subclass writes `forward` and `backward`."""

    in_keras = True
    checks: Checks = {"keepdims": Fixed(flag)}

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = keepdims

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self, input_shape, "Images go to GlobalAveragePooling2D() or GlobalMaxPooling2D().")
        return (1, input_shape[-1]) if self.keepdims else input_shape[-1:]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (4, 2)), (cls(keepdims=True), (3, 3))]


class GlobalAveragePooling1D(_GlobalPooling1D):
    """y[b, f] = the mean of x[b, t, f] over the steps t. With a mask it is the mean over the real steps, and 0 if there are none.

    Args:
        keepdims: True keeps the time axis, as 1.

    Shapes: x (batch, time, features) -> y (batch, features), or (batch, 1, features) with keepdims. forward takes a mask,
        (batch, time), which a Sequential passes.
    Raises:
        ValueError: x has another rank.
    """

    def forward(self, x: NDArray, mask: NDArray | None = None) -> NDArray:
        self.compute_output_shape(x.shape[1:])
        share = 1 / x.shape[1]
        if mask is not None:
            check_mask(self, mask, x)
            steps = mask[..., np.newaxis].astype(x.real.dtype)
            share = steps / np.maximum(steps.sum(axis=1, keepdims=True), 1)
        self.cache = x.shape, share
        return sums(x * share, (1,), self.keepdims)

    def backward(self, dy: NDArray) -> NDArray:
        """dy/dx = 1 / n for each of the n steps that count, and 0 for padded ones."""
        shape, share = self.cache
        return np.broadcast_to(dy.reshape(shape[0], 1, shape[2]) * share, shape)


class GlobalMaxPooling1D(_GlobalPooling1D):
    """y[b, f] = the largest x[b, t, f] over the steps t. As in Keras, a mask has no effect on it.

    Args:
        keepdims: True keeps the time axis, as 1.

    Shapes, Raises: as GlobalAveragePooling1D.
    """

    def forward(self, x: NDArray) -> NDArray:
        self.compute_output_shape(x.shape[1:])
        largest = x.argmax(axis=1, keepdims=True)
        self.cache = x.shape, largest
        y = np.take_along_axis(x, largest, axis=1)
        return y if self.keepdims else y[:, 0]

    def backward(self, dy: NDArray) -> NDArray:
        """The largest step, the first of equals, gets dy, and the others 0."""
        shape, largest = self.cache
        dx = np.zeros(shape, dy.dtype)
        np.put_along_axis(dx, largest, dy.reshape(largest.shape), axis=1)
        return dx
