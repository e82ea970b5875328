"""Input: the shape of one example, told before any data exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.layer import Layer
from minitorch_np.shapes import Shape, batch_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Input(Layer):
    """y = x, for examples of one shape. As the first layer of a Sequential it lets the model be built at once.

    Args:
        shape: the shape of one example, the batch left out: (12288,) or (64, 64, 3).

    Shapes: x (batch, *shape) -> y the same.
    Raises:
        ValueError: shape is not a tuple of positive ints; examples of another shape arrive.
    """

    precomputable = True

    def __init__(self, shape: Shape) -> None:
        sizes = shape if isinstance(shape, (tuple, list)) else ()
        if not sizes or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
            hint = f" Write Input(({shape},))." if isinstance(shape, int) else ""
            raise ValueError(f"Input: shape is a tuple of positive ints such as (64, 64, 3), got {shape!r}.{hint}")
        self.shape = shape

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if tuple(input_shape) != tuple(self.shape):
            raise ValueError(
                f"{self!r}: expected inputs of shape {batch_of(tuple(self.shape))}, got {batch_of(tuple(input_shape))}."
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
