"""Metrics in Keras's words and out of them. Keras's own say the same of models with one output, and "accuracy" of all."""

from __future__ import annotations

from typing import Any

from minitorch_np import metrics
from minitorch_np.base.configurable import is_built_in
from minitorch_np.saving.errors import NotHere
from minitorch_np.saving.keras_config import as_object, class_and_config, keras_name

# Classes of the same name here and in Keras, and the name of the threshold there.
_THRESHOLD = {
    "BinaryAccuracy": "threshold",
    "Precision": "thresholds",
    "Recall": "thresholds",
    "AUC": None,
    "MeanAbsoluteError": None,
    "MeanSquaredError": None,
    "RootMeanSquaredError": None,
    "R2Score": None,
}
# Keras's names -> ours, for models with one output and with several.
_ONE = {
    "binary_accuracy": "binary_accuracy",
    "precision": "precision",
    "recall": "recall",
    "auc": "auc",
    "mae": "mae",
    "mean_absolute_error": "mae",
    "mse": "mse",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
}
_SEVERAL = {
    "binary_accuracy": "binary_accuracy",
    "categorical_accuracy": "categorical_accuracy",
    "sparse_categorical_accuracy": "categorical_accuracy",
}


def to_keras(model: Any) -> tuple[list[Any], list[str]]:
    """What Keras is to measure, and the names of what it cannot."""
    described = [(metric, _described(metric, model)) for metric in model.metrics]
    return [known for _, known in described if known], [_name(metric) for metric, known in described if not known]


def _described(metric: Any, model: Any) -> Any:
    logits = model.loss.from_logits
    try:
        found = metrics.finding.find(metric, model.output_shape, logits, model.loss.binary)
    except ValueError:
        return None
    kind, threshold = type(found).__name__, getattr(found, "threshold", None)
    threshold = getattr(found, "middle", 0.5) if threshold is None else float(threshold)
    if isinstance(found, metrics.CategoricalAccuracy):
        return "accuracy"
    if metric == "accuracy" and threshold == 0.5 and _one_output(model):
        return metric
    known = is_built_in(type(found)) and kind in _THRESHOLD and 0 <= threshold <= 1
    if not known or not (_one_output(model) or isinstance(found, metrics.BinaryAccuracy)):
        return None
    config: dict[str, Any] = {"name": found.name}
    if argument := _THRESHOLD[kind]:
        config[argument] = float(threshold)
    if isinstance(found, metrics.AUC):  # which is exact, and Keras's an approximation of it
        config["from_logits"] = logits
    return as_object("keras.metrics", kind, config)


def from_keras(described: Any, model: Any, from_logits: bool) -> tuple[list[Any], list[str]]:
    """What is to be measured here, and the names of what cannot."""
    found = [(name, _ours(item, model, from_logits)) for name, item in _listed(described)]
    known = dict.fromkeys(ours for _, ours in found if ours)
    if "accuracy" in known and _one_output(model):
        known.pop("binary_accuracy", None)  # the same number
    return list(known), [name for name, ours in found if not ours]


def names(described: Any) -> list[str]:
    """What Keras calls its metrics."""
    return [name for name, _ in _listed(described)]


def _listed(described: Any) -> list[tuple[str, Any]]:
    """Names and descriptions of metrics, which Keras writes in a list or in a list of one list; of somebody's own no description."""
    given = described if isinstance(described, list) else []
    given = given[0] if len(given) == 1 and isinstance(given[0], list) else given
    found = []
    for item in given:
        try:
            found.append((str(class_and_config(item)[0]), item))
        except NotHere as error:
            found.append((str(error).partition(",")[0], "a metric of somebody's own"))
    return [(name, item) for name, item in found if item]


def _ours(described: Any, model: Any, from_logits: bool) -> str | None:
    name, config = class_and_config(described)
    plain = keras_name(str(name))
    if plain in ("accuracy", "acc"):
        return "accuracy"
    other = (config.get(option) for option in ("top_k", "class_id", "multi_label"))
    threshold = config.get("threshold", config.get("thresholds"))
    due = (0.0, [0.0]) if from_logits else (0.5, [0.5], None)
    thresholds = plain in ("binary_accuracy", "precision", "recall")
    if any(other) or (thresholds and threshold not in due) or config.get("curve", "ROC") != "ROC":
        return None
    ours = (_ONE if _one_output(model) else _SEVERAL).get(plain)
    return "accuracy" if plain == "binary_accuracy" and config.get("name") == "accuracy" else ours


def _one_output(model: Any) -> bool:
    return model.output_shape[-1:] in ((), (1,))


def _name(metric: Any) -> str:
    return metric if isinstance(metric, str) else getattr(metric, "__name__", repr(metric))
