"""Anatomy: the layers inside a model, each with the inputs that it gets."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.subject import LossLayer, parameters
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray


class WithLoss(Layer):
    """A model and its loss as one layer: y is the loss."""

    def __init__(self, model: Layer, loss: LossLayer) -> None:
        self.model, self.loss = model, loss

    def forward(self, x: NDArray) -> NDArray:
        return self.loss.forward(self.model.forward(x))

    def backward(self, dy: NDArray) -> Any:
        return self.model.backward(self.loss.backward(dy))


def parts(layer: Layer, x: NDArray) -> Iterator[tuple[str, Layer, NDArray]]:
    """Every layer inside, with the inputs it gets in a forward of the whole, innermost first; the whole last."""
    watched = copy.deepcopy(layer)
    seen: dict[str, NDArray] = {}
    nodes = [(name, node) for name, node in watched.walk() if name]

    def watch(name: str, node: Any) -> None:
        forward = node.forward

        def forward_and_note(x: NDArray, *others: Any) -> NDArray:
            seen.setdefault(name, np.array(x))
            return forward(x, *others)

        node.forward = forward_and_note

    for name, node in nodes:
        watch(name, node)
    if nodes:
        _forward_in_float64(watched, x)
    originals = dict(layer.walk())
    for name, _ in reversed(nodes):
        if name in seen:
            yield name, originals[name], seen[name]
    yield "", layer, x


def _forward_in_float64(layer: Layer, x: NDArray) -> None:
    """One forward in float64."""
    for _, node in layer.walk():
        node.training, node.keep_cache = True, False
        if isinstance(node, Layer):
            node._dtype = np.dtype(np.float64)
    for parameter in parameters(layer).values():
        parameter.replace(np.array(parameter.value, np.float64))
    layer.forward(x)
