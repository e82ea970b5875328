"""The confusion matrix: how often each class is mistaken for each other one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.arrays import as_array
from minitorch_np.base.validation import check_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None) -> NDArray:
    """How often class j was predicted for class i, as element [i, j].

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2])
    array([[1, 0, 0],
           [0, 1, 1],
           [0, 0, 1]])

    Raises:
        ValueError: classes is not an int of at least 1; y_true or y_pred contains something other than class numbers, such as
            probabilities or one-hot rows; or they differ in length.
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
        remedy = f"Turn probabilities into classes with ({name} > 0.5), and names with np.unique(names, return_inverse=True)."
        raise ValueError(f"confusion_matrix: expected class numbers in {name}, got {given.ravel()[:3]}…. {remedy}")
    return given.ravel().astype(int)
