"""Input: the shape of one example, given before there are any data."""

from __future__ import annotations

from typing import Any

from minitorch_np.base.shapes import NDArray, Shape, batch_of, transposition
from minitorch_np.base.validation import Checks, Fixed, is_whole
from minitorch_np.layer import Layer


def _check_shape(who: str, name: str, value: Any) -> None:
    sizes = value if isinstance(value, (tuple, list)) else ()
    if not sizes or not all(is_whole(size) and size >= 1 for size in sizes):
        hint = f" Write Input(({value},))." if is_whole(value) else ""
        raise ValueError(f"{who}: shape is a tuple of positive ints such as (64, 64, 3), got {value!r}.{hint}")


class Input(Layer):
    """y = x, for examples of one shape. As the first layer of a Sequential it lets the model check all shapes at once, and build before it gets data.

    Args:
        shape: the shape of one example, the batch left out: (12288,) or (64, 64, 3).

    Shapes: x (batch, *shape) -> y the same.
    Raises:
        ValueError: shape is not a tuple of positive ints; examples of another shape arrive.
    """

    precomputable = True

    checks: Checks = {"shape": Fixed(_check_shape)}

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if tuple(input_shape) != tuple(self.shape):
            ordered = transposition((0, *input_shape), self.shape)
            raise ValueError(
                f"{self!r}: expected inputs of shape {batch_of(tuple(self.shape))}, got {batch_of(tuple(input_shape))}."
                + (f" The axes are in another order: use {ordered}." if ordered else "")
            )
        return tuple(input_shape)

    def forward(self, x: NDArray) -> NDArray:
        self.compute_output_shape(x.shape[1:])
        return x

    def backward(self, dy: NDArray) -> NDArray:
        return dy

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls((4, 3)), (4, 3))]
