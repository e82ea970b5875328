"""Input: the shape of one example, given before there are any data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minitorch_np.base.any_length import fits
from minitorch_np.base.shapes import NDArray, Shape, batch_of, transposition
from minitorch_np.base.text import as_sentence
from minitorch_np.base.validation import Checks, Fixed, is_whole, optional, whole
from minitorch_np.layer import Layer


def _check_shape(who: str, name: str, value: Any) -> None:
    sizes = value if isinstance(value, (tuple, list)) else ()
    if not sizes or not all(size is None or (is_whole(size) and size >= 1) for size in sizes):
        hint = f" Write Input(({value},))." if is_whole(value) else ""
        raise ValueError(f"{who}: shape is a tuple of positive ints such as (64, 64, 3), got {value!r}.{hint}")


_NEXT = "If this is model.layers[0]: it is the Input, which only gives the shape. The next layer is model.layers[1]."


class _NoWeights(list[NDArray]):
    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, slice):
            raise IndexError(f"Input has no weights. {_NEXT}")
        return super().__getitem__(index)


class Input(Layer):
    """y = x, for examples of one shape. As the first layer of a Sequential it lets the model check all shapes at once, and build before it gets data.

    Args:
        shape: the shape of one example, the batch left out: (12288,) or (64, 64, 3). None stands for any length: in (None, 8) each
            batch may have its own number of steps.
        batch_size: examples in each batch, which Keras has to know for layers with stateful=True. It has no other effect.

    Shapes: x (batch, *shape) -> y the same.
    Raises:
        ValueError: shape is not a tuple of positive ints; examples of another shape arrive.
    """

    precomputable = True
    supports_masking = True

    checks: Checks = {"shape": Fixed(_check_shape), "batch_size": optional(whole(1))}

    def __init__(self, shape: Sequence[int | None], batch_size: int | None = None) -> None:
        self.shape: Any = shape
        self.batch_size = batch_size

    if not TYPE_CHECKING:  # for a type checker every attribute would exist

        def __getattr__(self, name):
            """See Layer. Keras's `model.layers` leaves the Input out, so its layers[0] is layers[1] here."""
            try:
                return super().__getattr__(name)
            except AttributeError as error:
                if name.startswith("_") or _NEXT in str(error):
                    raise
                raise AttributeError(f"{as_sentence(error)} {_NEXT}", name="") from None

    def get_weights(self) -> list[NDArray]:
        return _NoWeights()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not fits(input_shape, self.shape):
            single = " A single example is x[np.newaxis]." if len(input_shape) == len(self.shape) - 1 else ""
            ordered = "" if None in self.shape else transposition((0, *input_shape), self.shape)
            raise ValueError(
                f"{self!r}: expected inputs of shape {batch_of(tuple(self.shape))}, got {batch_of(tuple(input_shape))}."
                + (f" The axes are in another order: use {ordered}." if ordered else single)
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
