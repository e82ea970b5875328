"""Entry checks: convert the data for fit, evaluate and predict to arrays of numbers, or raise an error with the line to write."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

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
    if input_shape is not None and array.shape[1:] != tuple(input_shape):
        raise ValueError(
            f"{who}: expected {name} of shape {batch_of(input_shape)}, got {array.shape}. {_remedy(array.shape, input_shape)}"
        )
    if array.ndim < 2:
        raise ValueError(
            f"{who}: expected x with one row per example, got shape {array.shape}. Use x.reshape(-1, 1) for examples of "
            "one feature, or x[None] for a single example."
        )
    return array


def checked_targets(y: Any, who: str, count: int, name: str = "y") -> Any:
    """y as an array of one target per example, or Several of them."""
    if isinstance(y, Several):
        return Several(checked_targets(array, who, count, f"y[{place}]") for place, array in enumerate(y))
    array = _numbers(y, name, who)
    if len(array) != count:
        raise ValueError(f"{who}: x has {count} examples and {name} has {len(array)}. Give one target per example.")
    return array


def checked_weights(sample_weight: ArrayLike | None, count: int, who: str) -> NDArray | None:
    """sample_weight as an array, one number of at least 0 for each example."""
    if sample_weight is None:
        return None
    weights = _numbers(sample_weight, "sample_weight", who)
    if weights.shape != (count,):
        raise ValueError(f"{who}: expected sample_weight of shape ({count},), got {weights.shape}.")
    if weights.min() < 0:
        raise ValueError(f"{who}: weights are at least 0 and not all 0, got {weights.min():g} to {weights.max():g}.")
    return weights


def weights_of_classes(
    class_weight: Mapping[Any, float], y: NDArray, output_shape: Shape, *, separate: bool, who: str
) -> NDArray:
    """The class_weight of each example, (n,), or of each step of it, (n, steps).

    Args:
        y: the prepared targets. separate: whether each output answers a separate yes-or-no question.

    Raises:
        ValueError: the targets are no classes, or one of them has no weight.
    """
    classes = _classes(y, tuple(output_shape), separate)
    if classes is None:
        several = separate and y.ndim > 1 and y.shape[-1] > 1
        reason = (
            "this loss takes each column of y as a separate question" if several else f"y has {y[0].tolist()!s:.60}"
        )
        raise ValueError(
            f"{who}: class_weight needs a class for each example, a class number or a one-hot row, and {reason}. "
            "Give sample_weight, one number for each example."
        )
    values, places = np.unique(classes, return_inverse=True)
    missing = sorted({float(value) for value in values} - {float(key) for key in class_weight})
    if missing:
        raise ValueError(
            f"{who}: class_weight has {list(class_weight)}, y also has {', '.join(f'{v:g}' for v in missing)}. "
            "Give every class of y a weight."
        )
    return np.array([float(class_weight[value]) for value in values.tolist()])[places.reshape(classes.shape)]


def _classes(y: NDArray, output_shape: Shape, separate: bool) -> NDArray | None:
    """The class of each example, or of each step of it; None if the targets are no classes."""
    shape = y.shape[1:]
    if shape == output_shape and output_shape[-1:] not in ((), (1,)):
        one_hot = not separate and ((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all()
        return y.argmax(axis=-1) if one_hot else None
    if shape == output_shape[:-1]:
        classes = y
    elif shape == output_shape:
        classes = y[..., 0]
    else:
        classes = y.reshape(len(y)) if y.size == len(y) else np.full(1, np.nan)
    return classes if (classes == np.rint(classes)).all() else None


def check_class_weight(class_weight: Any, who: str) -> None:
    """Raise ValueError unless class_weight is a dictionary from class numbers to finite weights of at least 0."""
    good = isinstance(class_weight, Mapping) and all(
        isinstance(key, numbers.Real) and isinstance(weight, numbers.Real) and 0 <= float(weight) < math.inf
        for key, weight in class_weight.items()
    )
    if not good:
        raise ValueError(
            f"{who}: class_weight is a dictionary with a finite number of at least 0 for each class number, as in "
            f"{{0: 1.0, 1: 2.5}}, got {class_weight!r}."
        )


def _numbers(values: ArrayLike, name: str, who: str) -> NDArray:
    array = as_array(values, name, who)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"{who}: {name} holds no examples (shape {array.shape}).")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(
            f"{who}: {name}[{', '.join(map(str, place))}] is {array[place]}, the first of {np.count_nonzero(~finite)} values that "
            "are not finite. Remove or replace them first."
        )
    return array


def _remedy(got: Shape, expected: Shape) -> str:
    if got == tuple(expected):
        return "For a single example write x[None]."
    if transposed := transposition(got, expected):
        return f"The axes are in another order: use {transposed}."
    if np.prod(got[1:]) == np.prod(expected):
        return f"Use x.reshape({', '.join(map(str, (-1, *expected)))})."
    if len(got) == len(expected) + 1:
        return "Resize or select the features as in training, or change the model's Input."
    return "Convert each example to that shape."
