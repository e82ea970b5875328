"""Layers one after the other: backward and shapes of a list of layers, and the checks of such a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitorch_np.base.answers import table
from minitorch_np.base.any_length import open_shape
from minitorch_np.base.contract import refuse_other_shape
from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.shapes import NDArray, Shape, has_several
from minitorch_np.base.validation import is_whole
from minitorch_np.layer import Layer


def backward_through(layers: Sequence[Layer], dy: NDArray | None) -> NDArray | None:
    """The chain rule: each layer turns dL/dy into dL/dx, which is dL/dy of the layer before it.

    Raises:
        ValueError: a layer returned no dL/dx, and one before it has parameters that need it.
    """
    for layer in reversed(layers):
        if dy is None:
            _refuse_without_dx(layers, layer)
            return None
        dy = layer.backward(dy)
    return dy


def _refuse_without_dx(layers: Sequence[Layer], layer: Layer) -> None:
    """The layer after this one gave no dL/dx. Raise ValueError if this one or one before it learns."""
    place = layers.index(layer)
    if any(parameter.learnable for before in layers[: place + 1] for parameter in before.parameters().values()):
        raise ValueError(
            f"{layers[place + 1]!r}.backward returned None, and the layers before it need dL/dx. End it with `return dx`."
        )


def shape_through(layers: Sequence[Layer], shape: Shape, method: str) -> Shape:
    """The output shape of layers one after the other, by their ensure_built or compute_output_shape."""
    for layer in layers:
        refuse_other_shape(layer, tuple(shape))
        shape = open_shape(getattr(layer, method), tuple(shape))
        if has_several(shape):
            raise ValueError(
                f"{layer!r} gives several arrays, and the next layer takes one. Write a mt.Graph: the node (['y', 'h'], layer, 'x') has a "
                "name for each of them."
            )
    return tuple(shape)


def check_layers(who: str, layers: Any) -> None:
    if not isinstance(layers, (list, tuple)):
        remedy = f" Write {who}([{layers!r}, …])." if isinstance(layers, Layer) else instead_of(layers)
        raise ValueError(f"{who}: expected a list of layers, got {layers!r}.{remedy}")
    for layer in layers:
        check_layer(who, layer)


def check_layer(who: str, layer: Any, where: str = "") -> None:
    if not isinstance(layer, Layer):
        expected = "" if isinstance(layer, type) else f" expected layers, got {layer!r}{where}."
        raise ValueError(f"{who}:{expected}{instead_of(layer) or _in_layers(layer)}")


def _in_layers(given: Any) -> str:
    """What to write for a function, a number of units, or a layer with its name, in a list of layers."""
    if isinstance(given, tuple) and isinstance(given[-1], Layer):
        return f" Write {given[-1]!r} alone: names come from the place in the model."
    if is_whole(given):
        return f" Write Dense({given})."
    name = getattr(given, "__name__", "")
    return f" {table().get(f'mt.{name}', table()['mt.Lambda'])}" if callable(given) else ""


def refuse_repeats(layer: Layer) -> None:
    """Raise ValueError if an instance is in two places."""
    for _ in layer.walk():
        pass
