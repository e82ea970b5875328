"""The classification report: precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import AnswersForeignNames, answers_foreign_arguments
from minitorch_np.base.arrays import as_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray

_MEASURES = ("precision", "recall", "f1-score")


class ClassificationReport(AnswersForeignNames, dict[str, Any]):
    """The numbers by class and measure, report["cat"]["recall"], as scikit-learn's classification_report(output_dict=True) has them.

    The measures are "precision", "recall", "f1-score" and "support", the number of examples. Besides the classes there are
    "accuracy" (or for several labels "micro avg"), "macro avg", the mean over the classes, and "weighted avg", weighed by support.
    As text it is a table.
    """

    def __str__(self) -> str:
        width = max(map(len, self))
        lines = [" " * width + "".join(f" {name:>10}" for name in (*_MEASURES, "support")), ""]
        support = self["weighted avg"]["support"]
        for name, row in self.items():
            if name in ("accuracy", "micro avg"):
                lines.append("")
            if isinstance(row, dict):
                numbers = "".join(f" {row[measure]:>10.2f}" for measure in _MEASURES)
                lines.append(f"{name:>{width}}{numbers} {row['support']:>10.0f}")
            else:
                lines.append(f"{name:>{width}} {'':>10} {'':>10} {row:>10.2f} {support:>10.0f}")
        return "\n".join(lines)

    __repr__ = __str__


@answers_foreign_arguments
def classification_report(
    y_true: ArrayLike, y_pred: ArrayLike, class_names: Sequence[str] | None = None
) -> ClassificationReport:
    """Precision, recall, F1 and support of each class, and their means. A quotient by 0 is 0.

    >>> print(classification_report([0, 0, 1, 1], [0, 1, 1, 1], ["cat", "dog"]))
                  precision     recall   f1-score    support
    <BLANKLINE>
             cat       1.00       0.50       0.67          2
             dog       0.67       1.00       0.80          2
    <BLANKLINE>
        accuracy                             0.75          4
       macro avg       0.83       0.75       0.73          4
    weighted avg       0.83       0.75       0.73          4

    Args:
        y_true: class numbers or names, (n,); or 0 and 1 for each of several labels, (n, labels).
        y_pred: the predicted ones, of the same shape; or with class numbers the outputs, (n, classes), of which the largest is taken.
        class_names: the names of the classes, in the order of their numbers.

    Raises:
        ValueError: the shapes do not fit together, or there are more classes than names.
    """
    true, predicted = _as_labels(y_true, "y_true"), _as_labels(y_pred, "y_pred")
    labels = true.ndim == 2 and true.shape == predicted.shape and true.shape[1] > 1
    if labels:
        for name, array in (("y_true", true), ("y_pred", predicted)):
            if not np.isin(array, (0, 1)).all():
                raise ValueError(
                    f"{_WHO}: {name} has one column for each label, with 0 and 1 in it, got {array.ravel()[0]}. Write {name} > 0.5."
                )
        names = _names(np.arange(true.shape[1]), class_names)
        return _report(true == 1, predicted == 1, names, several=True)
    true, predicted = _as_classes(true, predicted)
    values = np.unique(np.concatenate([true, predicted]))
    if class_names is not None and values.dtype.kind in "iu" and values[0] >= 0:
        values = np.arange(max(len(class_names), int(values[-1]) + 1))
    return _report(true[:, None] == values, predicted[:, None] == values, _names(values, class_names), several=False)


_WHO = "classification_report"


def _as_labels(y: ArrayLike, name: str) -> NDArray:
    """y as an array of numbers or of names. A column of a table has names as objects."""
    given = np.asarray(y)
    if given.dtype.kind == "O" and given.size and all(isinstance(label, str) for label in given.flat):
        return given.astype(str)
    return as_array(y, name, _WHO, "biufUS")


def _as_classes(true: NDArray, predicted: NDArray) -> tuple[NDArray, NDArray]:
    """Both as vectors of classes."""
    true = true.reshape(len(true)) if true.size == len(true) else true
    if predicted.ndim == 2 and predicted.shape[1] > 1 and true.ndim == 1 and true.dtype.kind in "biu":
        predicted = predicted.argmax(axis=1)
    predicted = predicted.reshape(len(predicted)) if predicted.size == len(predicted) else predicted
    if true.ndim != 1 or true.shape != predicted.shape or not len(true):
        raise ValueError(
            f"{_WHO}: expected one true and one predicted class for each example, got shapes {true.shape} and {predicted.shape}."
        )
    for name, array in (("y_true", true), ("y_pred", predicted)):
        if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
            raise ValueError(
                f"{_WHO}: expected classes in {name}, got {array[array != np.rint(array)][0]:g}. Write ({name} > 0.5).astype(int) for "
                "probabilities."
            )
    for name, one, other in (("y_true", true, predicted), ("y_pred", predicted, true)):
        if one.dtype.kind in "US" and other.dtype.kind not in "US":
            raise ValueError(f"{_WHO}: {name} has names and the other one numbers. Give both alike.")
    whole = [array.astype(int) if array.dtype.kind == "f" else array for array in (true, predicted)]
    return whole[0], whole[1]


def _names(values: NDArray, given: Sequence[str] | None) -> list[str]:
    if given is None:
        return [str(value) for value in values.tolist()]
    if len(given) != len(values):
        raise ValueError(f"{_WHO}: class_names has {len(given)} names, and there are {len(values)} classes.")
    return list(map(str, given))


def _report(true: NDArray, predicted: NDArray, names: list[str], *, several: bool) -> ClassificationReport:
    """The report of columns that say whether an example has the class."""
    right = (true & predicted).sum(axis=0)
    rows, support = _measures(right, predicted.sum(axis=0), true.sum(axis=0)), true.sum(axis=0)
    report = ClassificationReport()
    for number, name in enumerate(names):
        report[name] = _row(rows[:, number], support[number])
    if several:
        micro = _measures(right.sum(), predicted.sum(), true.sum())
        report["micro avg"] = _row(micro, support.sum())
    else:
        report["accuracy"] = float(right.sum() / len(true))
    report["macro avg"] = _row(rows.mean(axis=1), support.sum())
    report["weighted avg"] = _row(_share((rows * support).sum(axis=1), support.sum()), support.sum())
    if several:
        of_each = _measures((true & predicted).sum(axis=1), predicted.sum(axis=1), true.sum(axis=1))
        report["samples avg"] = _row(of_each.mean(axis=1), support.sum())
    return report


def _measures(right: NDArray, predicted: NDArray, true: NDArray) -> NDArray:
    """Precision, recall and F1, (3, …)."""
    return np.stack([_share(right, predicted), _share(right, true), _share(2 * right, predicted + true)])


def _share(part: NDArray, whole: NDArray) -> NDArray:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) != 0)


def _row(measures: NDArray, support: Any) -> dict[str, float]:
    return {**dict(zip(_MEASURES, measures.tolist(), strict=True)), "support": int(support)}
