"""Shaping: the same numbers in another shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.base.validation import Checks, Fixed, is_whole
from minitorch_np.layer import Layer


class Flatten(Layer):
    """Each example as one row.

    Shapes: x (batch, ...) -> y (batch, product of the rest), in C order (the last axis changes fastest).
    """

    in_keras = True
    precomputable = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return x.reshape(len(x), int(np.prod(x.shape[1:])))

    def backward(self, dy: NDArray) -> NDArray:
        return dy.reshape(self.cache)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(), (3, 4, 2)), (cls(), (5,))]


def _check_target(who: str, name: str, value: Any) -> None:
    sizes = value if isinstance(value, (tuple, list)) else (None,)
    if not all(is_whole(size) and (size >= 1 or size == -1) for size in sizes) or list(sizes).count(-1) > 1:
        raise ValueError(
            f"{who}: target_shape is a tuple of positive ints, one of which may be -1, such as (8, 8, -1); got {value!r}."
        )


def _check_dims(who: str, name: str, value: Any) -> None:
    dims = value if isinstance(value, (tuple, list)) and all(map(is_whole, value)) else ()
    if not dims or sorted(dims) != list(range(1, len(dims) + 1)):
        raise ValueError(f"{who}: dims names every axis from 1 once, such as (2, 1), got {value!r}.")


class Reshape(Layer):
    """The numbers of each example in another shape.

    Args:
        target_shape: the shape of one example, the batch left out; one size may be -1, and is then computed from the others.

    Shapes: x (batch, ...) -> y (batch, *target_shape), in C order (the last axis changes fastest).
    Raises:
        ValueError: target_shape is not such a tuple, or has another number of elements than x.
    """

    in_keras = True
    precomputable = True

    checks: Checks = {"target_shape": Fixed(_check_target)}

    def __init__(self, target_shape: Shape) -> None:
        self.target_shape = target_shape

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size, known = math.prod(input_shape), math.prod(size for size in self.target_shape if size != -1)
        if size != known and (-1 not in self.target_shape or size % known):
            raise ValueError(
                f"{self!r}: an example of shape {tuple(input_shape)} has {size} numbers, which do not fill "
                f"{tuple(self.target_shape)}."
            )
        return tuple(size // known if given == -1 else given for given in self.target_shape)

    def forward(self, x: NDArray) -> NDArray:
        self.cache = x.shape
        return x.reshape(len(x), *self.compute_output_shape(x.shape[1:]))

    def backward(self, dy: NDArray) -> NDArray:
        return dy.reshape(self.cache)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls((4, 6)), (3, 4, 2)), (cls((2, -1, 3)), (3, 4, 2)), (cls((-1,)), (5,)), (cls((2, 2)), (4,))]


class Permute(Layer):
    """The axes of each example in another order: axis i of y is axis dims[i - 1] of x.

    Args:
        dims: the axes 1, 2, … of x in the order that they have in y; the batch, axis 0, stays first.

    Shapes: Permute((2, 1)) takes x (batch, time, features) to y (batch, features, time).
    Raises:
        ValueError: dims does not name every axis from 1 once, or x has another number of axes.
    """

    in_keras = True
    precomputable = True

    checks: Checks = {"dims": Fixed(_check_dims)}

    def __init__(self, dims: Shape) -> None:
        self.dims = dims

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims):
            raise ValueError(
                f"{self!r}: expected examples with {len(self.dims)} axes, got inputs of shape {batch_of(input_shape)}."
            )
        return tuple(input_shape[axis - 1] for axis in self.dims)

    def forward(self, x: NDArray) -> NDArray:
        self.compute_output_shape(x.shape[1:])
        return x.transpose(0, *self.dims)

    def backward(self, dy: NDArray) -> NDArray:
        """The inverse permutation: axis dims[i - 1] of dx is axis i of dy."""
        return dy.transpose(0, *(1 + int(place) for place in np.argsort(self.dims)))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls((2, 1)), (3, 5)), (cls((3, 1, 2)), (3, 4, 2)), (cls((2, 1)), (3, 3)), (cls((1,)), (5,))]
