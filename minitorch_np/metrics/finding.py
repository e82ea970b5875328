"""Finding the metric for a name, an object or a function, and whether larger values of it are better."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable
from inspect import getattr_static, isfunction
from typing import TYPE_CHECKING, Any

from minitorch_np.base.by_name import by_name
from minitorch_np.base.foreign_objects import instead_of, of_framework
from minitorch_np.base.shapes import Shape
from minitorch_np.base.validation import check_order, target_comes_first
from minitorch_np.metrics.auc import AUC
from minitorch_np.metrics.classes import BinaryAccuracy, CategoricalAccuracy, TopKCategoricalAccuracy, is_single
from minitorch_np.metrics.counts import BalancedAccuracy, F1Score, Precision, Recall
from minitorch_np.metrics.metric import Metric, OfFunction
from minitorch_np.metrics.numbers import MeanAbsoluteError, MeanSquaredError, R2Score, RootMeanSquaredError

if TYPE_CHECKING:
    from minitorch_np.model import Model

# Our names and Keras's. The history uses the name that compile was given.
_BY_NAME: dict[str, type[Metric]] = {
    "accuracy": BinaryAccuracy,  # or CategoricalAccuracy, see find
    "acc": BinaryAccuracy,
    "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": CategoricalAccuracy,
    "top_k_categorical_accuracy": TopKCategoricalAccuracy,
    "sparse_top_k_categorical_accuracy": TopKCategoricalAccuracy,
    "balanced_accuracy": BalancedAccuracy,
    "precision": Precision,
    "recall": Recall,
    "f1": F1Score,
    "auc": AUC,
    "mae": MeanAbsoluteError,
    "mean_absolute_error": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "mean_squared_error": MeanSquaredError,
    "rmse": RootMeanSquaredError,
    "root_mean_squared_error": RootMeanSquaredError,
    "r2": R2Score,
    "r2_score": R2Score,
}

# Which values of these are better is known even if a callback measures them instead of the model.
_LARGER = (
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "auc",
)
_MODES = {"loss": "min", "mae": "min", **dict.fromkeys(_LARGER, "max")}


def check(metric: Any, who: str) -> None:
    """Check a metric before the model's outputs are known.

    Raises:
        ValueError: an unknown name, a class instead of an object, a metric whose update takes the target first; a function whose
            parameters' names do not tell their order.
    """
    if isinstance(metric, str):
        _new(metric, who)
    elif isinstance(metric, type) or of_framework(metric):
        raise ValueError(f"{who}: expected a name, a Metric or a function, got {metric!r}.{instead_of(metric)}")
    elif isinstance(metric, Metric):
        if isfunction(getattr_static(metric, "update_state", None)) and type(metric).update is Metric.update:
            raise ValueError(
                f"{who}: {type(metric).__name__} has update_state, which is never called here. Write reset(self), update(self, prediction, "
                "target) and result(self)."
            )
        for method in ("score", "update"):
            check_order(metric, method, "(self, prediction, target)")
    elif not callable(metric):
        raise ValueError(f"{who}: expected one of {', '.join(_BY_NAME)}, a Metric or a function, got {metric!r}.")
    else:
        target_comes_first(metric, f"{who}: metrics")


def _new(name: str, who: str) -> Metric:
    """A new metric of this name. The 5 of "top_5" may be any other number."""
    top = re.fullmatch(r"top_?(\d+)(_accuracy|_categorical_accuracy)?", name.lower())
    if top:
        return TopKCategoricalAccuracy(int(top[1]))
    return by_name(name, _BY_NAME, who, "a Metric, a function, 'top_5'")()


def find(
    metric: str | Metric | Callable[..., Any], output_shape: Shape, from_logits: bool, binary: bool = False
) -> Metric:
    """The metric of this name, object or function, prepared for outputs of this shape.

    "accuracy" is BinaryAccuracy for models with one output, and if the loss takes each output as a question of its own (binary);
    otherwise it is CategoricalAccuracy. The threshold is 0 for scores (from_logits), and 0.5 for probabilities.
    """
    check(metric, "metrics")
    if isinstance(metric, Metric):
        found = metric
    elif not isinstance(metric, str):
        found = OfFunction(metric)
    else:
        by_shape = metric.lower() in ("accuracy", "acc") and not binary and not is_single(output_shape)
        found = CategoricalAccuracy() if by_shape else _new(metric, "metrics")
        found.name = metric
    found.prepare(tuple(output_shape), from_logits, binary)
    return found


def of_model(model: Model) -> list[Metric]:
    """The metrics that compile was given. Raises ValueError if two have the same name, or one has no proper name."""
    loss = model.loss
    found = [find(metric, model.output_shape or (), loss.from_logits, loss.binary) for metric in model.metrics]
    names = ["loss", *(metric.name for metric in found)]
    for metric in found:
        name = metric.name  # becomes an attribute of the tuple that evaluate returns
        if names.count(name) > 1 or not name.isidentifier() or name.startswith("_") or keyword.iskeyword(name):
            remedy = (
                "Write it as def with such a name"
                if isinstance(metric, OfFunction)
                else "Set its `name` to a plain word"
            )
            raise ValueError(f"metrics: {metric!r} needs a name of its own, got {name!r} among {names}. {remedy}.")
    return found


def rises(measure: str, given: Iterable[str | Metric | Callable[..., Any]], mode: str, who: str) -> bool:
    """Whether larger values of the measure with this name in the logs are better.

    Args:
        given: the metrics of the model, as compile was given them.
        mode: "min", "max", or "auto" to look at the metric of that name.

    Raises:
        ValueError: mode is "auto", and the metric does not tell.
    """
    if mode != "auto":
        return mode == "max"
    name = measure.removeprefix("val_")
    measured = dict(map(_name_and_mode, given))
    known = _MODES | measured
    if known.get(name) not in ("min", "max"):
        remedy = ""
        if name in measured:
            remedy = (
                f'In a Metric of your own, set mode = "max" in the class; of a function, write {name}.mode = "max".'
            )
        raise ValueError(
            f'{who}: whether a larger {measure!r} is better is not known. Give mode="max" or mode="min". {remedy}'.rstrip()
        )
    return known[name] == "max"


def _name_and_mode(metric: str | Metric | Callable[..., Any]) -> tuple[str, str | None]:
    if isinstance(metric, str):
        return metric, _new(metric, "metrics").mode
    found = metric if isinstance(metric, Metric) else OfFunction(metric)
    return found.name, found.mode
