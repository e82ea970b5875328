"""Entry checks: convert the data for fit, evaluate and predict to arrays of numbers, or raise an error with the line to write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.any_length import fits, is_open
from minitorch_np.base.arrays import as_array
from minitorch_np.base.several import Several
from minitorch_np.base.shapes import Shape, batch_of, transposition

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray


def check_single(x: Any, y: Any, who: str) -> None:
    """Refuse lists of several inputs or outputs, [a, b], which as arrays would be two examples. A Graph has made Several of them."""
    for name, values, other in (("x", x, y), ("y", y, x)):
        count = _length_of_members(values)
        if count is not None and len(values) != count and count in (_length(other), _length_of_members(other)):
            remedy = "A mt.Graph takes several; or join them, np.concatenate([a, b], axis=-1)."
            raise ValueError(
                f"{who}: {name} is a list of {len(values)} arrays. This model has one input and one output. {remedy}"
            )


def _length(values: Any) -> int | None:
    shape = getattr(values, "shape", None)
    return shape[0] if shape else len(values) if isinstance(values, (list, tuple)) else None


def _length_of_members(values: Any) -> int | None:
    """The number of rows of each array, if the values are a list of several arrays with equally many rows; else None."""
    if not isinstance(values, (list, tuple)) or len(values) < 2 or not hasattr(values[0], "shape"):
        return None
    lengths = {_length(member) for member in values}
    return lengths.pop() if len(lengths) == 1 else None


def checked_inputs(x: Any, who: str, input_shape: Any, name: str = "x") -> Any:
    """x as an array of at least one example, finite and of the model's shape; or Several of them."""
    if isinstance(x, Several):
        shapes = input_shape or [None] * len(x.arrays)
        pairs = enumerate(zip(x, shapes, strict=True))
        return Several(checked_inputs(array, who, shape, f"x[{place}]") for place, (array, shape) in pairs)
    array = _numbers(x, name, who)
    written = (
        name if hasattr(x, "reshape") else f"np.asarray({name})"
    )  # a list and a column of a table cannot be reshaped
    if input_shape is not None and not fits(array.shape[1:], input_shape):
        raise ValueError(
            f"{who}: expected {name} of shape {batch_of(input_shape)}, got {array.shape}. {_remedy(array.shape, input_shape, written)}"
        )
    if array.ndim < 2:
        raise ValueError(
            f"{who}: expected x with one row per example, got shape {array.shape}. Use {written}.reshape(-1, 1) for examples of "
            f"one feature, or {written}[None] for a single example."
        )
    return array


def checked_targets(y: Any, who: str, x: Any, name: str = "y") -> Any:
    """y as an array of one target per example of x, or Several of them."""
    if isinstance(y, Several):
        return Several(checked_targets(array, who, x, f"y[{place}]") for place, array in enumerate(y))
    array = _numbers(y, name, who)
    if len(array) != len(x):
        columns = isinstance(x, np.ndarray) and x.ndim == 2 and x.shape[1] in (len(array), array.shape[-1])
        both = "" if x.shape[-1] == len(array) else f" and {name}.T"
        remedy = f"If its examples are columns, write x.T{both}." if columns else "Give one target per example."
        raise ValueError(f"{who}: x has {len(x)} examples and {name} has {len(array)}. {remedy}")
    return array


def checked_weights(sample_weight: Any, y: Any, who: str, *, signed: bool = False, name: str = "sample_weight") -> Any:
    """sample_weight as an array, one number for each example, for each step of it, or for each target; at least 0 unless signed.
    For several outputs one such array for all, (n,), or Several.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Several):
        return Several(
            np.ones(len(y)) if one is None else checked_weights(one, own, who, signed=signed, name=f"{name}[{place}]")
            for place, (one, own) in enumerate(zip(sample_weight, y, strict=True))
        )
    if isinstance(sample_weight, Mapping):
        raise ValueError(
            f"{who}: sample_weight is an array with one number for each example, got a dictionary. Weights of classes are "
            f"class_weight={sample_weight!r:.60}."
        )
    weights = _numbers(sample_weight, name, who)
    if weights.shape != y.shape[: weights.ndim]:
        of_y = f", or of y's shape {y.shape}" if isinstance(y, np.ndarray) and y.ndim > 1 else ""
        remedy = f" Write {name}.reshape(-1)." if weights.size == len(y) else ""
        raise ValueError(f"{who}: expected {name} of shape ({len(y)},){of_y}, got {weights.shape}.{remedy}")
    if weights.min() < 0 and not signed:
        raise ValueError(f"{who}: weights are at least 0 and not all 0, got {weights.min():g} to {weights.max():g}.")
    return weights


def _numbers(values: ArrayLike, name: str, who: str) -> NDArray:
    array = as_array(values, name, who)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{who}: {name} holds no examples (shape {array.shape}).")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        columns, at = getattr(values, "columns", None), ", ".join(map(str, place))
        if columns is not None and len(place) == 2:
            at = f"{list(columns)[place[1]]!r}][{place[0]}"
        remedy = "Remove or replace them first."
        if name == "y" and array.ndim > 1:
            remedy += " Missing labels get weight 0: fit(x, np.nan_to_num(y), sample_weight=~np.isnan(y))."
        raise ValueError(
            f"{who}: {name}[{at}] is {array[place]}, the first of {np.count_nonzero(~finite)} values that "
            f"are not finite. {remedy}"
        )
    return array


def _remedy(got: Shape, expected: Shape, written: str) -> str:
    if fits(got, expected):
        return f"For a single example write {written}[None]."
    if is_open(expected):
        return "Only the size that is None may be any."
    if len(got) == 3 == len(expected) + 1 and got[2] == expected[1]:
        return f"For sequences of any length begin the model with Input((None, {got[2]})), or use mt.datasets.pad_sequences."
    if transposed := transposition(got, expected):
        return f"The axes are in another order: use {transposed}."
    if np.prod(got[1:]) == np.prod(expected):
        return f"Use {written}.reshape({', '.join(map(str, (-1, *expected)))})."
    if len(got) == len(expected) + 1:
        return "Resize or select the features as in training, or change the model's Input."
    return "Convert each example to that shape."
