"""Metrics as Keras describes them, both ways. Keras's own mean the same for models with one output, and "accuracy" for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minitorch_np import metrics
from minitorch_np.losses.outputs import LossOfOutputs
from minitorch_np.metrics.classes import is_single
from minitorch_np.metrics.outputs import MetricOfOutput
from minitorch_np.saving.errors import NotHere
from minitorch_np.saving.keras_config import as_object, keras_name
from minitorch_np.saving.keras_layers import class_and_config, function_name
from minitorch_np.saving.objects import Functions

if TYPE_CHECKING:
    from minitorch_np.base.shapes import Shape
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model

# Classes of the same name here and in Keras: those with a threshold, and its name there, and those without.
_THRESHOLD = {metrics.BinaryAccuracy: "threshold", metrics.Precision: "thresholds", metrics.Recall: "thresholds"}
_OF_NUMBERS = (metrics.MeanAbsoluteError, metrics.MeanSquaredError, metrics.RootMeanSquaredError, metrics.R2Score)
# Keras's names -> ours, for models with one output and with several.
_ONE = {
    **{name: name for name in ("binary_accuracy", "precision", "recall", "auc", "mae", "mse")},
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
}
_SEVERAL = {
    "binary_accuracy": "binary_accuracy",
    "categorical_accuracy": "categorical_accuracy",
    "sparse_categorical_accuracy": "categorical_accuracy",
}
_TOP_K = ("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy")


def to_keras(model: Model) -> tuple[list[Any], list[str]]:
    """The descriptions of the metrics for Keras, and the names of those that Keras does not have."""
    if not isinstance(model.loss, LossOfOutputs):
        return _of_output(list(model.metrics), model.output_shape or (), model.loss)
    whole: list[Any] = []
    missing: list[str] = []
    for place, loss in enumerate(model.loss.losses):
        shape: Any = (model.output_shape or ())[place]
        own = [one.metric for one in model.metrics if isinstance(one, MetricOfOutput) and one.place == place]
        known, unknown = _of_output(own, shape, loss)
        whole.append(known)
        missing += unknown
    return whole, missing


def _of_output(given: list[Any], output_shape: Shape, loss: Loss) -> tuple[list[Any], list[str]]:
    described = [(metric, _described(metric, output_shape, loss)) for metric in given]
    return [known for _, known in described if known], [_name(metric) for metric, known in described if not known]


def _described(metric: str | metrics.Metric | Callable[..., Any], output_shape: Shape, loss: Loss) -> Any:
    """A metric for Keras, or None."""
    logits, single = loss.from_logits, is_single(output_shape)
    try:
        found = metrics.finding.find(metric, output_shape, logits, loss.binary)
    except ValueError:
        return None
    threshold = getattr(found, "threshold", None)
    threshold = float(getattr(found, "middle", 0.5) if threshold is None else threshold)
    if isinstance(found, metrics.CategoricalAccuracy) or (metric == "accuracy" and threshold == 0.5 and single):
        return "accuracy"
    is_known = type(found) in (*_THRESHOLD, *_OF_NUMBERS, metrics.AUC) and 0 <= threshold <= 1
    if not is_known or not (single or isinstance(found, metrics.BinaryAccuracy)):
        return None
    config: dict[str, Any] = {"name": found.name}
    if type(found) in _THRESHOLD:
        config[_THRESHOLD[type(found)]] = threshold
    if isinstance(found, metrics.AUC):  # ours is exact, Keras's is an approximation
        config["from_logits"] = logits
    return as_object("keras.metrics", type(found).__name__, config)


def from_keras(described: Any, model: Model, loss: Loss, functions: Functions) -> tuple[list[Any], list[str]]:
    """Our names of Keras's metrics, or functions given for its user-defined ones; and Keras's names of those that this package does not have. With several outputs the metrics are a
    list for each.
    """
    shape: Any = model.output_shape or ()
    if not isinstance(loss, LossOfOutputs):
        return _names_of_output(described, shape, loss.from_logits, functions)
    whole: list[Any] = []
    missing: list[str] = []
    given = described or [()] * len(shape)
    listed = [given.get(name, ()) for name in loss.names] if isinstance(given, dict) else given
    for own, one, own_shape in zip(listed, loss.losses, shape, strict=False):
        known, unknown = _names_of_output(
            own if isinstance(own, list) else [own], own_shape, one.from_logits, functions
        )
        whole.append(known)
        missing += unknown
    return (whole if len(whole) == len(shape) else []), missing


def _names_of_output(
    described: Any, output_shape: Shape, from_logits: bool, functions: Functions
) -> tuple[list[Any], list[str]]:
    single = is_single(output_shape)
    found = [
        (name, functions.get(function_name(item)) or (item and _ours(item, from_logits, single=single)))
        for name, item in _listed(described)
    ]
    known = dict.fromkeys(ours for _, ours in found if ours)
    if "accuracy" in known and single:
        known.pop("binary_accuracy", None)  # the same number
    return list(known), [name for name, ours in found if not ours]


def names(described: Any) -> list[str]:
    """Keras's names of metrics."""
    return [name for name, _ in _listed(described)]


def _listed(described: Any) -> list[tuple[str, Any]]:
    """Names and descriptions of metrics. Keras writes them in a list, or in a list of one list. User-defined ones have None."""
    given = list(described.values()) if isinstance(described, dict) and "class_name" not in described else described
    given = given if isinstance(given, list) else []
    given = given[0] if len(given) == 1 and isinstance(given[0], list) else given
    found: list[tuple[str, Any]] = []
    for item in filter(None, given):
        try:
            found.append((str(class_and_config(item)[0]), item))
        except NotHere as error:
            found.append((error.thing, None))
    return found


def _ours(described: Any, from_logits: bool, *, single: bool) -> str | None:
    name, config = class_and_config(described)
    plain = keras_name(str(name))
    if plain in ("accuracy", "acc"):
        return "accuracy"
    other = (config.get(option) for option in ("top_k", "class_id", "multi_label"))
    threshold = config.get("threshold", config.get("thresholds"))
    due = (0.0, [0.0]) if from_logits else (0.5, [0.5], None)
    has_threshold = plain in ("binary_accuracy", "precision", "recall")
    if any(other) or (has_threshold and threshold not in due) or config.get("curve", "ROC") != "ROC":
        return None
    if plain in _TOP_K and not single:
        return f"top_{config.get('k', 5)}"
    ours = (_ONE if single else _SEVERAL).get(plain)
    return "accuracy" if plain == "binary_accuracy" and config.get("name") == "accuracy" else ours


def _name(metric: Any) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", repr(metric))
