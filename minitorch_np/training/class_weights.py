"""Class weights: how much the examples of each class count in the loss."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from minitorch_np.base.several import Several, spread

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray, Shape

OfOne: TypeAlias = "Mapping[Any, float]"
ClassWeight: TypeAlias = "OfOne | str | Sequence[OfOne] | Mapping[str, OfOne | str | Sequence[OfOne]]"

BALANCED = "balanced"


def check_class_weight(class_weight: Any, who: str, outputs: Sequence[str] = ()) -> None:
    """Raise ValueError unless it is a dictionary from class numbers to finite weights of at least 0, a list of these, or "balanced".
    For several outputs: a dictionary of such by name.
    """
    if outputs:
        if not isinstance(class_weight, Mapping) or not class_weight or not set(class_weight) <= set(outputs):
            raise ValueError(
                f"{who}: the model has the outputs {', '.join(map(repr, outputs))}, so class_weight names those that it is for: "
                f"class_weight={{{outputs[0]!r}: {{0: 1.0, 1: 2.5}}}} or {{{outputs[0]!r}: 'balanced'}}, got {class_weight!r:.80}."
            )
        for name, one in class_weight.items():
            check_class_weight(one, f"{who}, output {name!r}")
        return
    each = class_weight if isinstance(class_weight, (list, tuple)) and class_weight else [class_weight]
    if not (isinstance(class_weight, str) and class_weight == BALANCED) and not all(map(_is_weight, each)):
        numbered = (
            isinstance(class_weight, (list, tuple, np.ndarray)) and np.ndim(class_weight) == 1 and len(class_weight)
        )
        remedy = " Write dict(enumerate(weights))." if numbered else ""
        raise ValueError(
            f"{who}: class_weight is a dictionary with a finite number of at least 0 for each class number, as in "
            f"{{0: 1.0, 1: 2.5}}, a list of these for several yes-or-no outputs, or 'balanced', got {class_weight!r}.{remedy}"
        )


def _is_weight(given: Any) -> bool:
    return isinstance(given, Mapping) and all(
        isinstance(key, numbers.Real) and isinstance(weight, numbers.Real) and 0 <= float(weight) < math.inf
        for key, weight in given.items()
    )


class Targets:
    """Prepared targets, as class weights look at them.

    Args:
        y: the prepared targets.
        output_shape: the shape of the model's outputs, without the batch.
        separate: whether each output answers a separate yes-or-no question.
        ignored: the class number that the loss leaves out, or None.
        who: the caller, for messages.
    """

    def __init__(
        self, y: NDArray, output_shape: Shape, *, separate: bool, ignored: int | None = None, who: str
    ) -> None:
        self.y, self.output_shape, self.separate, self.ignored, self.who = (
            y,
            tuple(output_shape),
            separate,
            ignored,
            who,
        )

    def balanced(self) -> OfOne | list[OfOne]:
        """n / (k n_c) for each of the k classes that occur, n_c times each: scikit-learn's "balanced"."""
        if self._several_questions():
            return [self._balanced(self.y[..., column]) for column in range(self.y.shape[-1])]
        return self._balanced(self._classes())

    def weights(self, class_weight: OfOne | Sequence[OfOne]) -> NDArray:
        """The weight of each example, (n,), of each step of it, (n, steps), or of each answer of it, of the shape of y.

        Raises:
            ValueError: the targets are no classes, or one of them has no weight.
        """
        if isinstance(class_weight, Mapping):
            return self._looked_up(class_weight, self._classes())
        if not self._several_questions() or len(class_weight) != self.y.shape[-1]:
            raise ValueError(
                f"{self.who}: class_weight has {len(class_weight)} dictionaries, one for each yes-or-no output, and y has shape "
                f"{self.y.shape}. Give one dictionary for classes that exclude each other."
            )
        columns = [self._looked_up(weight, self.y[..., column]) for column, weight in enumerate(class_weight)]
        return np.stack(columns, axis=-1)

    def _balanced(self, classes: NDArray) -> OfOne:
        values, counts = np.unique(classes, return_counts=True)
        counted = np.ones(len(values), bool) if self.ignored is None else values != self.ignored
        values, counts = values[counted], counts[counted]
        weights = counts.sum() / (len(values) * counts)
        return dict(zip(values.tolist(), weights.tolist(), strict=True))

    def _looked_up(self, class_weight: OfOne, classes: NDArray) -> NDArray:
        known = class_weight if self.ignored is None else {**class_weight, self.ignored: 0.0}
        values, places = np.unique(classes, return_inverse=True)
        missing = sorted({float(value) for value in values} - {float(key) for key in known})
        if missing:
            raise ValueError(
                f"{self.who}: class_weight has {list(class_weight)}, y also has {', '.join(f'{v:g}' for v in missing)}. "
                "Give every class of y a weight."
            )
        return np.array([float(known[value]) for value in values.tolist()])[places.reshape(classes.shape)]

    def _several_questions(self) -> bool:
        return self.separate and self.y.ndim > 1 and self.y.shape[-1] > 1

    def _classes(self) -> NDArray:
        """The class of each example, or of each step of it."""
        y, shape = self.y, self.y.shape[1:]
        classes: NDArray | None = None
        if shape == self.output_shape and self.output_shape[-1:] not in ((), (1,)):
            one_hot = not self.separate and ((y == 0) | (y == 1)).all() and (y.sum(axis=-1) == 1).all()
            classes = y.argmax(axis=-1) if one_hot else None
        elif shape == self.output_shape[:-1]:
            classes = y
        elif shape == self.output_shape:
            classes = y[..., 0]
        elif y.size == len(y):
            classes = y.reshape(len(y))
        if classes is not None and (classes == np.rint(classes)).all():
            return classes
        if self._several_questions():
            columns = self.y.shape[-1]
            raise ValueError(
                f"{self.who}: this loss takes each of the {columns} columns of y as a separate question. Give class_weight a list "
                f"with one dictionary for each column, [{{0: 1.0, 1: 2.5}}, …], or 'balanced'."
            )
        raise ValueError(
            f"{self.who}: class_weight needs a class for each example, a class number or a one-hot row, and y has "
            f"{y[0].tolist()!s:.60}. Give sample_weight, one number for each example."
        )


def of_classes(class_weight: Any, y: Any, loss: Any, output_shape: Any, who: str) -> Any:
    """The weight of each example, step or answer by its class: see Targets.weights. Of several outputs Several."""
    if isinstance(y, Several):
        parts = zip(loss.names, y, loss.losses, output_shape, strict=True)
        return Several(
            of_classes(class_weight[name], own, its, shape, f"{who}, output {name!r}")
            if name in class_weight
            else np.ones(len(own))
            for name, own, its, shape in parts
        )
    if isinstance(class_weight, str):
        refuse_balanced(who)
    return _targets(y, loss, output_shape, who).weights(class_weight)


def balanced(class_weight: Any, y: Any, loss: Any, output_shape: Any, who: str) -> Any:
    """class_weight with numbers in place of "balanced"."""
    if isinstance(y, Several):
        parts = zip(loss.names, y, loss.losses, output_shape, strict=True)
        return {
            name: balanced(class_weight[name], own, its, shape, f"{who}, output {name!r}")
            for name, own, its, shape in parts
            if name in class_weight
        }
    return _targets(y, loss, output_shape, who).balanced() if class_weight == BALANCED else class_weight


def refuse_balanced(who: str) -> NoReturn:
    raise ValueError(
        f"{who}: class_weight='balanced' needs all targets before training, and these are batches. Count them, "
        "counts = np.bincount(labels), and give dict(enumerate(counts.sum() / (len(counts) * counts)))."
    )


def _targets(y: NDArray, loss: Any, output_shape: Shape, who: str) -> Targets:
    ignored = getattr(loss, "ignore_index", None)
    return Targets(y, output_shape, separate=loss.binary, ignored=ignored, who=who)


def times(one: Any, other: Any) -> Any:
    """The product of weights of examples and weights of steps or of answers; None stands for weights of 1. Of several outputs Several."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(other, Several):
        return Several(map(times, spread(one, len(other.arrays)), other))
    axes = max(one.ndim, other.ndim)
    return _with_axes(one, axes) * _with_axes(other, axes)


def _with_axes(weights: NDArray, axes: int) -> NDArray:
    return weights.reshape(*weights.shape, *[1] * (axes - weights.ndim))
