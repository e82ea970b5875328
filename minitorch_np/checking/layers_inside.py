"""The layers inside a model, each with the inputs that it gets."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from minitorch_np.base.several import listed
from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.packed import packed
from minitorch_np.checking.subject import set_precision
from minitorch_np.layer import Layer


def layers_with_inputs(layer: Layer, x: NDArray) -> Iterator[tuple[str, Layer, NDArray]]:
    """Every layer inside, with its name and the inputs that it gets in a float64 forward of the whole: innermost first, the whole last."""
    recorded = copy.deepcopy(layer)
    inputs: dict[str, list[NDArray]] = {}
    gives_several: set[str] = set()

    def record(name: str, node: Layer) -> None:
        forward = node.forward

        def recording_forward(x: NDArray, *others: Any, mask: Any = None, query_mask: Any = None) -> NDArray:
            inputs.setdefault(name, [np.array(one) for one in (x, *others) if hasattr(one, "shape")])
            masks = {"mask": mask, "query_mask": query_mask}
            y = forward(x, *others, **{name: value for name, value in masks.items() if value is not None})
            if len(listed(y)) > 1:
                gives_several.add(name)
            return y

        node.forward = recording_forward  # type: ignore[method-assign]

    for name, node in recorded.walk():
        if name:
            record(name, node)
    if layer.sublayers():
        set_precision(recorded, np.float64, keep_cache=False)
        recorded.forward(x.copy())
    for name, node in reversed(list(layer.walk())):
        if name in inputs:
            arrays = inputs[name]
            alone = len(arrays) == 1 and name not in gives_several
            yield (name, node, arrays[0]) if alone else (name, *packed(node, arrays))
    yield "", layer, x
