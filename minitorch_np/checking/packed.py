"""Packed: a layer of several arrays as a layer of one, in which they are side by side. So it is checked as all others are."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from minitorch_np.base.arrays import as_array
from minitorch_np.base.several import Several, listed
from minitorch_np.base.shapes import NDArray, has_several
from minitorch_np.layer import Layer


class Packed(Layer):
    """y = the outputs of a layer side by side, for x that holds its inputs side by side, one row per example.

    Args:
        layer: its forward takes several arrays, or gives Several.
        shapes: the shape of one example of each input.
        whole: inputs of whole numbers, by position. They have no derivative and are not in x; more rows repeat them.
    """

    def __init__(self, layer: Layer, shapes: list[tuple[int, ...]], whole: dict[int, NDArray]) -> None:
        self.layer, self.shapes, self.whole = layer, shapes, whole

    def sublayers(self) -> dict[str, Layer]:
        return {"": self.layer}  # so that its parameters have the names that they have in the layer

    def __repr__(self) -> str:
        return repr(self.layer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        shapes: Any = tuple(self.shapes) if len(self.shapes) > 1 else self.shapes[0]
        self.layer.ensure_built(shapes)

    def forward(self, x: NDArray) -> NDArray:
        outputs = listed(self.layer.forward(*self._unpacked(x)))
        self.cache = [output.shape for output in outputs]
        return side_by_side(outputs)

    def backward(self, dy: NDArray) -> NDArray | None:
        parts = _cut(dy, [shape[1:] for shape in self.cache])
        upstream: Any = parts[0] if len(parts) == 1 else Several(parts)
        found = self.layer.backward(upstream)
        dxs = list(found) if isinstance(found, (tuple, list)) else [found]
        wanted = [dx for place, dx in enumerate(dxs) if place not in self.whole]
        return None if any(dx is None for dx in wanted) else side_by_side(wanted)

    def _unpacked(self, x: NDArray) -> list[NDArray]:
        parts = iter(_cut(x, [shape for place, shape in enumerate(self.shapes) if place not in self.whole]))
        rows = np.arange(len(x))
        return [
            self.whole[place][rows % len(self.whole[place])] if place in self.whole else next(parts)
            for place in range(len(self.shapes))
        ]


def packed(layer: Layer, arrays: list[NDArray]) -> tuple[Packed, NDArray]:
    """The layer as a layer of one x, and this x."""
    whole = {place: array for place, array in enumerate(arrays) if array.dtype.kind in "biu"}
    floats = [array for place, array in enumerate(arrays) if place not in whole]
    if not floats:
        raise ValueError(
            f"gradcheck: all inputs of {layer!r} are whole numbers, which have no derivative. Give one as floats."
        )
    return Packed(layer, [array.shape[1:] for array in arrays], whole), side_by_side(floats)


def given_several(layer: Any, x: Any, rng: np.random.Generator) -> list[NDArray] | None:
    """The arrays for a layer of several inputs: given in a list or a dictionary, or drawn for a list of shapes. None for another
    layer; for a Graph with several outputs its one input in a list.
    """
    if not isinstance(layer, Layer):
        return None
    names = list(getattr(layer, "inputs", ()))
    if isinstance(x, dict) and set(x) == set(names):
        x = [x[name] for name in names]
    several = isinstance(x, (list, tuple)) and len(x) > 1 and all(np.ndim(part) for part in x)
    takes_several = len(names) != 1 and (has_several(layer.input_shape or ()) or _takes_several(layer, x))
    outputs = getattr(layer, "output_names", ())
    if not takes_several and (len(outputs) > 1 or has_several(getattr(layer, "output_shape", None) or ())):
        x, several = [x], True
    if not (several and (takes_several or len(x) == 1)):
        return None
    return [
        rng.normal(size=part)
        if isinstance(part, tuple) and all(isinstance(size, int) for size in part)
        else np.array(as_array(part, "x", "gradcheck"))
        for part in x
    ]


def _takes_several(layer: Layer, x: Any) -> bool:
    """Whether forward needs several arrays, or takes any number of them and has no branches that share one. One that may take
    several, such as attention, does so if x is a list of arrays or of shapes.
    """
    parameters = inspect.signature(layer.forward).parameters.values()
    by_position = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD and one.name not in _NO_ARRAYS]
    needed = [one for one in by_position if one.default is one.empty]
    any_number = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    listed = isinstance(x, (list, tuple)) and all(isinstance(part, (np.ndarray, tuple)) for part in x)
    return len(needed) > 1 or (any_number and not getattr(layer, "branches", ())) or (len(by_position) > 1 and listed)


_NO_ARRAYS = ("mask", "query_mask", "training")  # parameters of forward beside its inputs


def side_by_side(arrays: list[NDArray]) -> NDArray:
    return np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


def _cut(x: NDArray, shapes: list[tuple[int, ...]]) -> list[NDArray]:
    """The parts of each row, in these shapes."""
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
    return [part.reshape(len(x), *shape) for part, shape in zip(np.split(x, ends[:-1], axis=1), shapes, strict=True)]
