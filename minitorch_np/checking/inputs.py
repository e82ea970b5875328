"""The x of a check: given or drawn, in the dtype that the layer takes, and further x of other sizes and signs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import as_array
from minitorch_np.checking.adapting import Foreign
from minitorch_np.checking.losses import LossLayer
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_FRACTION = 0.25  # what is added to whole numbers, to see whether forward takes fractions


def is_shape(x: Any) -> bool:
    """Whether x is a shape, for which inputs are drawn."""
    return isinstance(x, tuple) and bool(x) and all(isinstance(n, (int, np.integer)) and n >= 0 for n in x)


def given_or_drawn(x: Any, rng: np.random.Generator, target: Any) -> NDArray:
    """x as an array of floats or whole numbers; for a shape, random numbers."""
    if is_shape(x):
        return target.example_input(x, rng) if isinstance(target, Layer) else rng.normal(size=x)
    single = isinstance(x, (int, float, np.generic))
    if single or (isinstance(x, tuple) and not any(np.ndim(size) for size in x)):
        raise ValueError(f"gradcheck: x is an array, or its shape with the batch, such as (3, 4); got {x!r}.")
    array = as_array(x, "x", "gradcheck")
    if not array.size:
        raise ValueError(f"gradcheck: x has shape {array.shape} and holds no numbers. Give at least one example.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("gradcheck: x holds values that are not finite. Remove NaN and infinity.")
    return np.array(array, np.float64) if array.dtype.kind == "f" else np.array(array)


def build(layer: Layer, x: NDArray) -> NDArray:
    """Build the layer; returns x as floats, or as whole numbers for a layer that takes only those."""
    if isinstance(layer, Foreign):
        try:
            return layer.meet(x)
        except IndexError as error:
            if are_whole(x):
                raise
            raise ValueError(_as_whole_numbers(layer, x)) from error
    if isinstance(layer, LossLayer):
        return x.astype(np.float64)
    try:
        if not layer.built and layer._streams is None:
            layer.initialize(x.shape[1:], 0, np.float64)
        copy.deepcopy(layer)(x.astype(np.float64))
    except (IndexError, TypeError) as error:
        return _as_indices(layer, x, error)
    return x.astype(np.int64 if _takes_whole_numbers(layer, x) else np.float64)


def other_inputs_of(x: NDArray, rng: np.random.Generator) -> Iterator[tuple[str, NDArray]]:
    """Random inputs of the shape of x in other regions than N(0, 1), each with its description."""
    normal = rng.normal(size=x.shape)
    yield "for inputs of size 1", normal
    yield "for inputs of size 10", 10 * rng.normal(size=x.shape)
    yield "for inputs of size 0.001", 1e-3 * rng.normal(size=x.shape)
    yield "for negative inputs", -np.abs(normal) - 0.01
    yield "for positive inputs", np.abs(normal) + 0.01
    yield "for inputs of zeros and ones", rng.integers(0, 2, x.shape).astype(float)


def are_whole(x: NDArray) -> bool:
    """Whether all numbers are whole, as class numbers are."""
    return x.dtype.kind in "biu" or bool((x == np.round(x)).all())


def _as_indices(layer: Layer, x: NDArray, error: Exception) -> NDArray:
    """x as whole numbers for a forward that refuses floats, as one does that takes x as indices."""
    whole = x.astype(np.int64)
    try:
        y = copy.deepcopy(layer).forward(whole)
    except Exception:
        raise error from None
    if not are_whole(x):
        raise ValueError(_as_whole_numbers(layer, x)) from error
    if layer.output_shape is None:
        layer.output_shape = y.shape[1:]
    return whole


def _as_whole_numbers(layer: Layer, x: NDArray) -> str:
    return f"gradcheck: forward of {layer!r} takes x as indices. Give whole numbers, such as rng.integers(0, 5, {x.shape})."


def _takes_whole_numbers(layer: Layer, x: NDArray) -> bool:
    """Whether backward returns no dx, and forward refuses fractions or drops them: then there is no derivative by x."""
    if not are_whole(x):
        return False
    layer, x = copy.deepcopy(layer).train(), x.astype(np.float64)
    y = np.array(layer(x.copy()))
    try:
        if layer.backward(np.ones_like(y)) is not None:
            return False
    except Exception:
        pass  # the check itself reports it
    try:
        return np.array_equal(y, layer(x + _FRACTION))
    except Exception:  # whatever forward raises, it takes no fractions
        return True
