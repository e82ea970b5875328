"""Guards: what layers say to arguments and inputs that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.validation import Check, Fixed, is_whole

if TYPE_CHECKING:
    from minitorch_np.layer import Layer

Pair = tuple[int, int]


def require_built(layer: Layer) -> None:
    """Raise RuntimeError if forward comes before the parameters are there."""
    if not layer.built:
        raise RuntimeError(
            f"{layer!r}: not built yet. Call it as layer(x), which builds it for x, before layer.forward(x)."
        )


def require_images(who: Any, input_shape: Shape) -> None:
    """Raise ValueError if examples of this shape are no images."""
    if len(input_shape) != 3:
        remedy = "Give each pixel a channel: x[..., np.newaxis]." if len(input_shape) == 2 else "Reshape them first."
        raise ValueError(
            f"{who!r}: expected inputs of shape (batch, height, width, channels), got {batch_of(input_shape)}. {remedy}"
        )


def pair(who: str, name: str, value: Any) -> Pair:
    """(value, value) of an int, or the pair itself; each at least 1."""
    numbers = (value, value) if is_whole(value) else value
    if not isinstance(numbers, (tuple, list)) or len(numbers) != 2 or not all(is_whole(n) and n > 0 for n in numbers):
        raise ValueError(f"{who}: {name} is an int of at least 1, or two of them (height, width), got {value!r}.")
    return int(numbers[0]), int(numbers[1])


def count(meaning: str) -> Check:
    """The check of an argument that counts something and shapes parameters: an int of at least 1."""

    def check(who: str, name: str, value: Any) -> None:
        if not is_whole(value) or value < 1:
            raise ValueError(f"{who}: {name} is {meaning}, an int of at least 1, got {value!r}.")

    return Fixed(check)


def check_axis(who: str, name: str, axis: Any) -> None:
    """Refuse what is no axis of an example; that there is such an axis is seen when the shape is known."""
    if not is_whole(axis) or axis == 0:
        raise ValueError(f"{who}: axis is an int other than 0, which is the batch, got {axis!r}.")


def require_axis(layer: Layer, axis: int, shape: Shape) -> None:
    """Refuse inputs of another rank, for which a negative axis would be the batch, or none."""
    if not -len(shape) < axis < len(shape):
        raise ValueError(f"{layer!r}: axis {axis} is no axis of one example in inputs of shape {shape}.")
