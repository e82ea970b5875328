"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.arrays import as_array
from minitorch_np.base.validation import check_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None) -> NDArray:
    """How often class j was predicted for class i, as element [i, j].

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    array([[1, 0, 0],
           [0, 1, 1],
           [0, 0, 1]])

    Raises:
        ValueError: classes is no int of at least 1; y_true or y_pred holds probabilities, one-hot rows or anything else that is no class number, or they differ
            in length.
    """
    true, predicted = _class_numbers(y_true, "y_true"), _class_numbers(y_pred, "y_pred")
    if len(true) != len(predicted):
        raise ValueError(f"confusion_matrix: {len(true)} true and {len(predicted)} predicted classes.")
    if classes is not None:
        check_whole("confusion_matrix", "classes", classes, 1)
    both = np.concatenate([true, predicted])
    classes = int(both.max(initial=-1)) + 1 if classes is None else classes
    strange = both[(both < 0) | (both >= classes)]
    if strange.size:
        raise ValueError(f"confusion_matrix: expected class numbers 0 to {classes - 1}, got {strange[0]}.")
    return np.bincount(true * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _class_numbers(y: ArrayLike, name: str) -> NDArray:
    given = as_array(y, name, "confusion_matrix", "biufUSO")
    if given.ndim > 1 and given.shape[-1] > 1:
        remedy = f"Give the classes, {name}.argmax(axis=-1)."
        raise ValueError(f"confusion_matrix: expected class numbers (n,) in {name}, got shape {given.shape}. {remedy}")
    if given.dtype.kind not in "biuf" or not np.array_equal(given, np.rint(given.astype(float))):
        remedy = (
            f"Give classes, as ({name} > 0.5) makes them of probabilities, and np.unique's return_inverse of names."
        )
        raise ValueError(f"confusion_matrix: expected class numbers in {name}, got {given.ravel()[:3]}…. {remedy}")
    return given.ravel().astype(int)
