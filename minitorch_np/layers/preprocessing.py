"""Preprocessing that a model carries inside itself, so that it is the same in training and in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.layer import Layer
from minitorch_np.shapes import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rescaling(Layer):
    """y = x * scale + offset.

    Args:
        scale: 1 / 255 takes pixels 0..255 to 0..1.
        offset: added after scaling.

    Shapes: any; y has the shape of x.
    """

    in_keras = True
    precomputable = True

    def __init__(self, scale: float, offset: float = 0.0) -> None:
        self.scale = scale
        self.offset = offset

    def forward(self, x: NDArray) -> NDArray:
        y = x * float(self.scale)  # a NumPy float64 would turn float32 into float64
        return y + float(self.offset) if self.offset else y

    def backward(self, dy: NDArray) -> NDArray:
        return dy * float(self.scale)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(1 / 255), (3, 4, 2)), (cls(2.0, offset=-1.0), (5,))]
