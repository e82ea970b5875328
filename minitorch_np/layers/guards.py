"""Guards: checks of arguments and inputs that several layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.validation import Check, Fixed, is_whole
from minitorch_np.layer import Layer

Pair = tuple[int, int]


def require_built(layer: Layer) -> None:
    """Raise RuntimeError if forward comes before the parameters exist."""
    if not layer.built:
        raise RuntimeError(
            f"{layer!r}: not built yet. Call it as layer(x), which builds it for x, before layer.forward(x). To put it into a built "
            "model, write model[-1] = layer or model.add(layer), not model.layers[-1] = layer."
        )


def require_images(
    layer: Layer, input_shape: Shape, remedy: str = "Reshape them, or put the layer before Flatten()."
) -> None:
    """Raise ValueError if examples of this shape are not images."""
    if len(input_shape) == 2:
        remedy = "Give each pixel a channel, x[..., np.newaxis]; a single image is x[np.newaxis]."
    _require_rank(layer, input_shape, "height, width, channels", remedy)


def require_sequences(layer: Layer, input_shape: Shape, remedy: str) -> None:
    """Raise ValueError if examples of this shape are not sequences of vectors."""
    _require_rank(layer, input_shape, "time, features", remedy)


def _require_rank(layer: Layer, input_shape: Shape, axes: str, remedy: str) -> None:
    rank = axes.count(",") + 1
    if len(input_shape) == rank + 1:  # (None, 8, 8, 1), as Keras has it
        shape = tuple(input_shape[1:])
        remedy = f"{remedy} If you wrote this shape, leave" if input_shape[0] is not None else "Leave"
        remedy += f" the batch out: {shape}, as in layer.initialize({shape})."
    if len(input_shape) != rank:
        raise ValueError(f"{layer!r}: expected inputs of shape (batch, {axes}), got {batch_of(input_shape)}. {remedy}")


def check_pair(who: str, name: str, value: Any) -> None:
    numbers = (value, value) if is_whole(value) else value
    if not isinstance(numbers, (tuple, list)) or len(numbers) != 2 or not all(is_whole(n) and n > 0 for n in numbers):
        raise ValueError(f"{who}: {name} is an int of at least 1, or two of them (height, width), got {value!r}.")


def as_pair(value: int | Pair) -> Pair:
    """(value, value) of an int, or the pair itself."""
    first, second = value if isinstance(value, (tuple, list)) else (value, value)
    return int(first), int(second)


def count(meaning: str) -> Check:
    """The check of an argument that counts something and shapes parameters: an int of at least 1."""

    def check(who: str, name: str, value: Any) -> None:
        if not is_whole(value) or value < 1:
            raise ValueError(f"{who}: {name} is {meaning}, an int of at least 1, got {value!r}.")

    return Fixed(check)


def check_axis(who: str, name: str, axis: Any) -> None:
    if not is_whole(axis) or axis == 0:
        raise ValueError(f"{who}: axis is an int other than 0, which is the batch, got {_given(who, axis)}.")


def check_axes(who: str, name: str, axes: Any, alternatives: str = ", or several of them") -> None:
    given = as_axes(axes)
    if not given or not all(is_whole(axis) and axis != 0 for axis in given):
        raise ValueError(
            f"{who}: axis is an int other than 0, which is the batch{alternatives}, got {_given(who, axes)}."
        )


def _given(who: str, axis: Any) -> str:
    """The argument as messages write it; an array is taken for the input of the layer."""
    shape = getattr(axis, "shape", ())
    return f"an array of shape {shape}. Write {who}()(x)" if shape else repr(axis)


def as_axes(axes: int | Sequence[int] | None) -> Sequence[int]:
    """One axis, several or none as a sequence."""
    if axes is None:
        return ()
    return axes if isinstance(axes, (tuple, list)) else (axes,)


def places(who: object, axes: Sequence[int], input_shape: Shape) -> list[int]:
    """The axes of a batch as positions in the shape of one example, in order.

    Raises:
        ValueError: there is no such axis, or one is named twice.
    """
    rank = len(input_shape) + 1
    found = sorted({axis % rank - 1 for axis in axes if -rank < axis < rank})
    if len(found) < len(axes):
        raise ValueError(
            f"{who}: expected inputs with axis {', '.join(map(str, axes))}, got shape {batch_of(input_shape)}. "
            "The batch is axis 0, and each axis is named once."
        )
    return found


def require_axis(layer: Layer, axis: int, shape: Shape) -> None:
    """`places` for a forward, with the batch in the shape: only a comparison where the axis exists."""
    if not -len(shape) < axis < len(shape):
        places(layer, (axis,), shape[1:])
