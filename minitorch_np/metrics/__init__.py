"""Metrics: numbers that tell how good a model is, accumulated exactly over batches of any size."""

from minitorch_np.base.module_names import public_module
from minitorch_np.metrics import significance
from minitorch_np.metrics.auc import AUC
from minitorch_np.metrics.class_report import ClassificationReport, classification_report
from minitorch_np.metrics.classes import BinaryAccuracy, CategoricalAccuracy, TopKCategoricalAccuracy
from minitorch_np.metrics.confusion import confusion_matrix
from minitorch_np.metrics.counts import BalancedAccuracy, F1Score, FromCounts, Precision, Recall
from minitorch_np.metrics.metric import Metric, OfFunction
from minitorch_np.metrics.numbers import MeanAbsoluteError, MeanSquaredError, R2Score, RootMeanSquaredError

__all__ = [
    "AUC", "BalancedAccuracy", "BinaryAccuracy", "CategoricalAccuracy", "ClassificationReport", "F1Score", "FromCounts",
    "MeanAbsoluteError", "MeanSquaredError", "Metric", "OfFunction", "Precision", "R2Score", "Recall",
    "RootMeanSquaredError", "TopKCategoricalAccuracy", "classification_report", "confusion_matrix", "significance",
]  # fmt: skip

public_module(__name__)
