"""Folds: which examples are for training and which are held out, each class spread evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.several import listed
from minitorch_np.base.validation import check_number, is_whole

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

    Fold = tuple[NDArray, NDArray]


def split_folds(y: NDArray, folds: int, rng: np.random.Generator) -> list[Fold]:
    """For each fold the rows for training and the rows held out; every row is held out once.

    The rows are shuffled, sorted by class, and dealt out like cards. So the sizes of the folds differ by at most 1, and so
    do the numbers of examples that they have of each class.

    Args:
        y: one target per example, or Several outputs; see classes_of for what counts as a class.
        folds: how many, from 2 to the number of examples.
    """
    if not is_whole(folds) or not 2 <= folds <= len(y):
        raise ValueError(f"tuning: folds is an int from 2 to the number of examples, {len(y)}, got {folds!r}.")
    order = _class_by_class(y, rng)
    return [_apart(order, np.arange(len(y)) % folds == fold) for fold in range(folds)]


def split_off(y: NDArray, share: float, rng: np.random.Generator) -> Fold:
    """The rows for training and int(n share) rows held out, of each class within 1 of its share."""
    check_number("tuning", "validation_split", share, "(0, 1)")
    if not int(len(y) * share):
        raise ValueError(f"tuning: validation_split={share} of {len(y)} examples leaves none to validate with.")
    due = np.floor(np.arange(len(y) + 1) * share)  # the number of rows held out of the first 0, 1, 2, …
    return _apart(_class_by_class(y, rng), np.diff(due) > 0)


def classes_of(y: NDArray) -> NDArray | None:
    """The class number of each example, or None if the targets are not classes.

    Classes are whole numbers, one per example, or one-hot rows. Other targets are only shuffled.
    """
    if y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all():
        return y.argmax(axis=1)
    if y.size != len(y) or (y.dtype.kind == "f" and (y != np.floor(y)).any()):
        return None
    return np.unique(y.ravel(), return_inverse=True)[1]


def _class_by_class(y: NDArray, rng: np.random.Generator) -> NDArray:
    """The rows in random order within each class, the classes one after the other. Of several outputs, the classes of the next one
    come one after the other within each class of the one before.
    """
    order = rng.permutation(len(y))
    for classes in map(classes_of, reversed(listed(y))):
        if classes is not None:
            order = order[np.argsort(classes[order], kind="stable")]
    return order


def _apart(order: NDArray, held_out: NDArray) -> Fold:
    return np.sort(order[~held_out]), np.sort(order[held_out])
