"""The check of a loss, alone or behind a model, where predictions or targets stand at the edge of the loss's domain.

At probabilities of 0 and 1 most losses clip: there backward is, by intention, not the derivative of forward. Logarithms of 0 are
infinite. At targets that are met exactly, the gradient is 0. So such a loss is checked at other predictions too.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.bug_search import CONCLUSIVE
from minitorch_np.checking.layer_check import LayerCheck
from minitorch_np.checking.losses import LossLayer, ModelWithLoss
from minitorch_np.checking.report import GradcheckReport
from minitorch_np.checking.subject import Subject
from minitorch_np.checking.truth import rms

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_EDGE = 1e-6  # from 0 or 1: implementations clip there
_INWARD = 0.2  # of the way to the middle


class LossCheck:
    """The check of a loss at its predictions, or of a model with its loss at the inputs of the model.

    Args:
        wrt, method, rng, strict_dtype: as in gradcheck.

    Attributes:
        remarks: what is no failure and is told last.
    """

    def __init__(
        self,
        layer: LossLayer | ModelWithLoss,
        x: NDArray,
        wrt: str | Sequence[str],
        method: str,
        rng: np.random.Generator,
        *,
        strict_dtype: bool,
    ) -> None:
        self.layer, self.x, self.wrt, self.method, self.rng = layer, x, wrt, method, rng
        self.strict_dtype = strict_dtype
        self.remarks: list[str] = []

    def run(self) -> GradcheckReport:
        """The report at x or, where the edge of the loss's domain explains that it does not pass, that away from the edge."""
        refusal: ValueError | None = None
        first = LayerCheck(self.layer, self.x, self.wrt, self.method, self.rng, strict_dtype=self.strict_dtype)
        try:
            report = first.run(thorough=isinstance(self.layer, LossLayer))
        except ValueError as error:  # such as that a prediction beside 0 is no probability
            refusal, report = error, GradcheckReport(repr(self.layer), "fail", method="none")
        self.remarks += first.remarks
        if (report.verdict == "pass" and not _is_flat(report)) or _is_beyond_numbers(report):
            return report
        predictions, loss = self._at_the_loss()
        edge = _edge(predictions)
        if refusal is not None and not edge.any():
            raise refusal
        explained = self._may_be_the_edge(report, edge)
        if explained or edge.any():
            for what, layer, x in self._away(loss, predictions):
                other = self._check(layer, x)
                if other is not None and other.verdict == "fail":
                    other.setting = f"at {what} between 0 and 1" if edge.any() else "at other predictions"
                    return other
                if other is not None and explained:
                    self.remarks.append(_words(report, edge, what))
                    return other
        if refusal is not None:
            raise refusal
        return report

    def _check(self, layer: LossLayer, x: NDArray) -> GradcheckReport | None:
        """The report of the loss at these predictions, if it tells something. The layers of a model were checked by themselves."""
        check = LayerCheck(layer, x, "all", self.method, self.rng, strict_dtype=self.strict_dtype)
        try:
            report = check.run(thorough=True)
        except ValueError:
            return None
        if report.verdict == "inconclusive" or report.method == "none" or _is_flat(report):
            return None
        if isinstance(self.layer, ModelWithLoss) and report.verdict == "pass":
            report.tensors.clear()
        return report

    def _at_the_loss(self) -> tuple[NDArray, LossLayer]:
        """The predictions, of a model in the mode in which more are at the edge, and the loss with its target."""
        if isinstance(self.layer, LossLayer):
            return self.x, self.layer
        modes = (Subject(self.layer.model, self.x, training=training) for training in (True, False))
        predictions = [np.array(subject.forward(), float) for subject in modes]
        return max(predictions, key=lambda given: _edge(given).sum()), self.layer.loss

    def _may_be_the_edge(self, report: GradcheckReport, edge: NDArray) -> bool:
        """Whether predictions at the edge, an infinite loss, or gradients of 0 explain the report."""
        if report.verdict == "inconclusive" or report.method == "none" or _is_flat(report):
            return True
        if isinstance(self.layer, ModelWithLoss):
            return bool(edge.any())
        result = report.tensors.get("x")
        if result is None:  # of a network, whose parameters alone are checked
            return bool(edge.any())
        if result.wrong is not None:
            return bool(edge.any()) and not (result.wrong & ~edge).any()
        return bool(edge.any() if result.worst is None else edge[result.worst[0]])

    def _away(self, loss: LossLayer, predictions: NDArray) -> Iterator[tuple[str, LossLayer, NDArray]]:
        """The loss at predictions away from the edge, and at such targets too."""
        x = predictions
        if _are_probabilities(predictions):
            x = _inward(predictions)
        elif np.isfinite(loss.forward(predictions)):
            x = predictions + 0.1 * rms(predictions) * self.rng.normal(size=predictions.shape)
        if x is not predictions:
            yield "predictions", loss, x
        target = np.asarray(loss.target)
        if target.dtype.kind == "f" and _are_probabilities(target):
            loss = copy.deepcopy(loss)
            loss.target = _inward(target)
            yield "predictions and targets", loss, x


def _is_flat(report: GradcheckReport) -> bool:
    """Whether the loss does not move with its predictions."""
    return all(result.untouched for result in report.tensors.values())


def _is_beyond_numbers(report: GradcheckReport) -> bool:
    """Whether it fails for another reason than an infinite loss or wrong numbers, which an edge would explain."""
    if report.verdict != "fail" or report.method == "none":
        return False
    wrong = [result for result in report.tensors.values() if result.verdict == "fail"]
    compared = any(result.worst is not None or np.isfinite(result.excess) for result in wrong)
    return not compared or any(diagnosis.name in CONCLUSIVE for diagnosis in report.diagnoses)


def _are_probabilities(values: NDArray) -> bool:
    return bool((values >= 0).all() and (values <= 1).all())


def _edge(predictions: NDArray) -> NDArray:
    """Which predictions are so near to 0 or 1 that a loss of probabilities may clip them."""
    if not _are_probabilities(predictions):
        return np.zeros(predictions.shape, bool)
    return (predictions < _EDGE) | (predictions > 1 - _EDGE)


def _inward(values: NDArray) -> NDArray:
    """Probabilities moved towards the middle. Rows that add up to 1 still do."""
    columns = values.shape[-1] if values.ndim > 1 else 1
    share = 1 / columns if columns > 1 and np.allclose(values.sum(axis=-1), 1) else 0.5
    return (1 - _INWARD) * values + _INWARD * share


def _words(report: GradcheckReport, edge: NDArray, what: str) -> str:
    """What was found at the given predictions. `what` is moved away from the edge where backward is right."""
    if report.verdict != "fail" and report.method != "none":
        return f"At this x the gradient is 0 or lost in rounding; it was compared at other {what} instead."
    if report.method == "none" and report.findings:
        return f"At x itself {report.findings[0]} At {what} between 0 and 1 backward is right."
    return (
        f"{np.count_nonzero(edge)} of {edge.size} predictions are 0 or 1, or within {_EDGE:g} of it. There backward is not the "
        f"derivative of forward, as where a loss clips. At {what} between 0 and 1 it is right."
    )
