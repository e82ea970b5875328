"""Checks of the options of fit, evaluate and predict. An option that has no effect on the given data is refused."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import check_flags, check_number, check_whole, is_whole
from minitorch_np.source.batches import Batches
from minitorch_np.source.source import Source
from minitorch_np.training.defaults import Default

if TYPE_CHECKING:
    from minitorch_np.training.loop import Run


def checked_batch_size(batch_size: int | None, who: str, data: Source | None = None) -> int | None:
    """batch_size as an int or None. Raises ValueError if it was given although the data come in batches."""
    if isinstance(data, Batches) and not isinstance(batch_size, Default):
        raise ValueError(
            f"{who}: batch_size={batch_size!r} has no effect, since x gives batches that are made already. Leave it out, and "
            "choose the size where they are made."
        )
    if batch_size is None or (is_whole(batch_size) and batch_size >= 1):
        return batch_size if batch_size is None else int(batch_size)
    raise ValueError(f"{who}: batch_size is an int of at least 1, or None for the whole set, got {batch_size!r}.")


def kind_of_run(in_span: bool, who: str) -> type[Run]:
    """The class of the training loop: plain, or in the span of the examples."""
    check_flags(who, {"in_span": in_span})
    if in_span:
        from minitorch_np.training.span_run import RunInSpan  # few runs need it

        return RunInSpan
    from minitorch_np.training.loop import Run

    return Run


def checked_shuffle(shuffle: bool | None, who: str, data: Source | None) -> bool:
    """Whether fit shuffles the examples."""
    if shuffle is None:
        return not isinstance(data, Batches)
    check_flags(who, {"shuffle": shuffle})
    if shuffle and isinstance(data, Batches):
        raise ValueError(
            f"{who}: shuffle=True has no effect, since x gives batches in an order of its own. Leave it out, and shuffle where "
            "they are made."
        )
    return bool(shuffle)


def check_steps(who: str, name: str, steps: int | None, data: Any) -> None:
    """Raise ValueError unless steps is a number of batches, or if it is given for data whose length is known."""
    if steps is None:
        return
    check_whole(who, name, steps, 1)
    if not isinstance(data, Batches):
        raise ValueError(
            f"{who}: {name} is for iterables and generators. The length of these data is known: leave {name} out, and choose batch_size."
        )


def check_validation(who: str, data: Any, split: float, steps: int | None, freq: Any = 1) -> None:
    """Raise ValueError for options of validation that exclude each other."""
    if data is not None and split:
        raise ValueError(
            f"{who}: validation_split={split!r} has no effect beside validation_data. Leave one of the two out."
        )
    if data is None and steps is not None:
        raise ValueError(f"{who}: validation_steps={steps!r} has no effect without validation_data. Leave it out.")
    if data is None and not split and freq != 1:
        raise ValueError(f"{who}: validation_freq={freq!r} has no effect without validation data. Leave it out.")


def check_class_names(who: str, known: Sequence[str] | None, given: Sequence[str] | None) -> None:
    """Raise ValueError if a class has another number in these data than in the model or in the training data."""
    if known is None or given is None:
        return
    for number, name in enumerate(given):
        if name in known and (number >= len(known) or known[number] != name):
            raise ValueError(
                f"{who}: class {name!r} has number {number} in these data and {list(known).index(name)} in training. Give both "
                "the same classes in the same order; ImageFolder takes them as class_names=."
            )


def split(x: NDArray, y: NDArray, share: float, who: str) -> tuple[NDArray, NDArray, tuple[NDArray, NDArray]]:
    """The last part of the data for validation, as in Keras: taken before any shuffling, and rounded up.

    The share is taken as the decimal number that was written, because the binary 100 * 0.29 is less than 29.
    """
    from fractions import Fraction

    check_number(who, "validation_split", share, "(0, 1)")
    exact = Fraction(str(float(share)))
    first = math.floor(len(x) * (1 - exact))
    if len(x) * exact < 1 or not first:
        rest = "to learn from" if not first else "to validate with"
        raise ValueError(f"{who}: validation_split={share} of {len(x)} examples leaves none {rest}.")
    return x[:first], y[:first], (x[first:], y[first:])


def warn_of_classes_not_learnt(learnt: NDArray, held_out: NDArray, who: str, ignored: int | None = None) -> None:
    """Warn if validation_split keeps all examples of a class for validation. Both arrays are targets that the loss has prepared.

    Args:
        ignored: the class number that the loss leaves out, or None.
    """
    missing = sorted(set(_classes(held_out)) - {*_classes(learnt), ignored})
    if missing:
        names = ", ".join(f"{name:g}" for name in missing[:6]) + (", …" if len(missing) > 6 else "")
        warnings.warn(
            f"{who}: validation_split keeps the last {len(held_out)} examples for validation, and only these have class {names}, "
            "so the model never learns it. Are the examples sorted? Shuffle them first: "
            "order = np.random.default_rng(0).permutation(len(x)); x, y = x[order], y[order].",
            stacklevel=caller(),
        )


def _classes(y: NDArray) -> Any:
    """The classes among class numbers, one-hot rows, or a column of yes and no; none for other targets."""
    if y.ndim == 1 and y.dtype.kind in "iu":
        return np.unique(y).tolist()
    if y.ndim != 2 or not np.isin(y, (-1, 0, 1)).all():
        return []
    if y.shape[1] == 1:
        return np.unique(y).tolist()
    return np.flatnonzero(y.any(axis=0)).tolist() if ((y == 1).sum(axis=1) == 1).all() and (y >= 0).all() else []
