"""LayerCheck: one layer at the inputs that it gets in the model, checked in several settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.bug_search import CONCLUSIVE, BugSearch, affordable, rank
from minitorch_np.checking.comparison import Comparison
from minitorch_np.checking.crash import describe
from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.drowned import Drowned
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.losses import LossLayer
from minitorch_np.checking.naming.name_bug import name_bug
from minitorch_np.checking.precision import check_precision
from minitorch_np.checking.probes import other_history, probe
from minitorch_np.checking.report import GradcheckReport, TensorResult
from minitorch_np.checking.rounding import LayerSize
from minitorch_np.checking.settings import Settings
from minitorch_np.checking.subject import Subject, trainable
from minitorch_np.checking.truth import Truth, rms

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer

_ELEMENTS = 2_000  # up to this total, every element is compared
_SAMPLE = 40  # elements of a larger tensor that are compared, in addition to random directions


class LayerCheck:
    """The check of one layer at given inputs.

    Args:
        wrt, method, rng, strict_dtype: as in gradcheck.

    Attributes:
        remarks: what is no failure and is told last.
    """

    def __init__(
        self,
        layer: Layer,
        x: NDArray,
        wrt: str | Sequence[str],
        method: str,
        rng: np.random.Generator,
        *,
        strict_dtype: bool = False,
    ) -> None:
        self.layer, self.x, self.method, self.rng, self.strict_dtype = layer, x, method, rng, strict_dtype
        self.remarks: list[str] = []
        self.settings = Settings(layer, x, rng)
        self.report = GradcheckReport(repr(layer))
        self.size = LayerSize(self.settings.ordinary)
        self.drowned = Drowned()
        names = {"x", *trainable(layer)}
        self.names = names if wrt == "all" else names.intersection([wrt] if isinstance(wrt, str) else wrt)
        if not self.names:
            raise ValueError(f"gradcheck: wrt is 'all' or some of {', '.join(sorted(names))}, got {wrt!r}.")

    def run(self, *, thorough: bool, elsewhere: bool = False) -> GradcheckReport:
        """Check in every setting until one fails.

        Args:
            thorough: whether to compare element by element in the first setting, as for a layer with no layers inside.
            elsewhere: whether other inputs than x may be drawn. There a fault counts, and what cannot be told does not.
        """
        for setting, subject in self.settings.all(elsewhere=elsewhere):
            first = not self.report.method
            self._check_in(setting, subject, first=first, whole=first and thorough, thorough=thorough)
            if self._is_decided(setting):
                return self.report
        self.remarks += self.settings.remarks
        self._check_what_is_drowned()
        return self.report

    def _is_decided(self, setting: str) -> bool:
        if self.report.verdict == "fail":
            self.report.setting = setting
        return self.report.verdict == "fail" or self.report.method == "none"

    def _check_what_is_drowned(self) -> None:
        """Compare at ordinary size what is lost in rounding at the given x."""
        for setting in self.settings.sizes:
            left = self.drowned.left()
            subject = self.settings.ordinary(setting) if left else None
            if subject is not None:
                self._check_in(setting, subject, first=False, whole=True, thorough=True, names=left)
                if self._is_decided(setting):
                    return
        self.remarks += self.drowned.settle(self.report)

    def compare(self, subject: Subject, dy: NDArray, gradients: dict[str, Any] | None = None) -> Comparison:
        """Compare the gradients of a subject with the true ones."""
        truth = Truth(subject, self.rng, self.method)
        return Comparison(subject, truth, dy, subject.gradients(dy) if gradients is None else gradients, self.size)

    def _check_in(
        self,
        setting: str,
        subject: Subject,
        *,
        first: bool,
        whole: bool,
        thorough: bool,
        names: set[str] | None = None,
    ) -> None:
        """Compare, probe and explain in one setting, and add the results to the report.

        Args:
            first: whether to probe, which is done in one setting alone.
            whole: whether to compare element by element.
            thorough: whether to look at ties too.
            names: the tensors to compare, if not all.
        """
        y = np.array(subject.forward())
        if not subject.repeats(y):
            self._not_repeatable(setting)
            return
        if not np.isfinite(y).all():
            if not setting:
                self._not_finite(y)
            return
        if y.dtype.kind != "f":
            raise ValueError(
                f"gradcheck: forward of {self.layer!r} returned {y.dtype}, expected floats. Return y in the dtype of x."
            )
        truth = Truth(subject, self.rng, self.method)
        self.report.method = self.report.method or truth.description()
        if truth.refuted:
            self.method = (
                "differences"  # in all settings: where numbers are small, the error is too, and would not be seen
            )
        # Nothing is above a loss, so its upstream gradient is 1.
        dy = np.ones(y.shape) if self.settings.of_loss() else self.rng.normal(size=y.shape)
        try:
            gradients = subject.gradients(dy)
        except Exception as error:  # a user-defined backward may raise anything; the report says what
            self._raised(error, setting)
            return
        comparison = Comparison(subject, truth, dy, gradients, self.size)
        names = self.names if names is None else names
        results = {name: self._compare(comparison, name, whole=whole) for name in subject.values() if name in names}
        if not whole and any(result.verdict == "fail" for result in results.values()):
            self._excuse_kinks(subject, results)
        if whole:
            self.drowned.add(setting, results)
        if thorough:
            for name, result in results.items():
                self._check_ties(comparison, name, result, drawn=setting.startswith("for inputs of"))
        failed = [name for name, result in results.items() if result.verdict == "fail"]
        found: list[Diagnosis] = []
        notes: list[str] = []
        if first:
            found = probe(subject, dy, self.rng, failed, of_loss=self.settings.of_loss())
            self.size.add(comparison.measured)
        if first and whole:
            wrong_dtype, notes = check_precision(subject, y, dy, gradients)
            found += wrong_dtype if self.strict_dtype else []
            self.remarks += [] if self.strict_dtype else [f"{d.detail} {d.change}" for d in wrong_dtype]
        found = [d for d in found if d.tensor in self.names or d.name == "writes into its arguments"]
        if failed:
            at_x = setting not in self.settings.sizes
            found = self._explain(comparison, results, failed, found, at_x=at_x)
        elif not found:
            self.report.findings += notes
        self._add(setting, results, found)

    def _check_ties(self, comparison: Comparison, name: str, result: TensorResult, *, drawn: bool) -> None:
        """Check the directions that move equal values together. At inputs that the check has drawn, a fault is only a remark.

        Many layers in use give each of several equal maxima the whole gradient, and never meet equal ones.
        """
        before = result.verdict
        comparison.ties(name, result)
        if drawn and before == "pass" and result.verdict == "fail":
            result.verdict, result.excess = before, 1.0
            self.remarks.append(
                f"Where several values are equal, {gradient_of(name)} is too large or too small for a change of all of them: "
                "of equal maxima, give the gradient to one, or share it."
            )

    def _explain(
        self,
        comparison: Comparison,
        results: dict[str, TensorResult],
        failed: list[str],
        found: list[Diagnosis],
        *,
        at_x: bool,
    ) -> list[Diagnosis]:
        """The diagnoses of the wrong tensors from probes and numbers, the most conclusive first.

        Args:
            at_x: whether the graph of forward is searched at the given x, or, where that shows nothing, in the setting.
        """
        search = BugSearch(self, comparison)
        not_linear = {d.tensor for d in found if d.name == "not linear in the upstream gradient"}
        explained = {d.tensor for d in found if d.name in CONCLUSIVE}
        stale = other_history(comparison.subject, comparison.dy, [name for name in failed if name not in explained])
        comparison.subject.restore()
        layer, x = (self.layer, self.x) if at_x else (comparison.subject.layer, comparison.subject.x)
        by_graph = [] if explained or stale else name_bug(layer, x)
        named = {tensor for diagnosis in by_graph for tensor in diagnosis.tensors}
        by_numbers = [search.diagnose(name, linear=name not in not_linear) for name in failed if name not in named]
        found = sorted([*found, *(d for d in by_numbers if d and d.tensor not in explained)], key=rank)
        found = [*by_graph, *(d for d in found if not (by_graph and d.name == "not linear in the upstream gradient"))]
        for name in failed:  # the report shows these elements
            if results[name].true is None and results[name].backward is not None and affordable(comparison, name):
                results[name] = comparison.elements(name)
        return stale + [d for d in found if d.tensor not in {old.tensor for old in stale}]

    def _add(self, setting: str, results: dict[str, TensorResult], found: list[Diagnosis]) -> None:
        """Add the results of one setting to the report."""
        report = self.report
        for name, result in results.items():
            before = report.tensors.get(name)
            if before is None or result.verdict == "fail" or (before.untouched and not result.untouched):
                report.tensors[name] = result
            report.kinks += [] if setting else result.kinks
        verdicts = [result.verdict for result in results.values()]
        if found or "fail" in verdicts:
            report.verdict = "fail"
            first_of_each: dict[tuple[str, str], Diagnosis] = {}
            for diagnosis in found:
                first_of_each.setdefault((diagnosis.name, diagnosis.tensor), diagnosis)
            report.diagnoses = list(first_of_each.values())
            report.findings += [result.note for result in results.values() if result.verdict == "fail" and result.note]
            report.findings += [self._only(setting)] if setting else []

    def _only(self, setting: str) -> str:
        if setting in self.settings.sizes:
            return f"At the given x and parameters its error is lost in rounding; it was seen {setting}."
        if setting not in self.settings.elsewhere:
            return f"Only {setting}."
        given = "positive inputs" if (self.x > 0).all() else "negative inputs" if (self.x < 0).all() else "other inputs"
        return f"It was only seen at {given}; alone, {setting}, it is wrong."

    def _not_repeatable(self, setting: str) -> None:
        """Report this alone: every other comparison would be of two different functions."""
        self.report.verdict, self.report.method, self.report.findings = "inconclusive", "none", []
        self.report.findings.append(
            f"forward is not repeatable{' ' + setting if setting else ''}: for the same x and the same state it gives another y. It "
            "draws from a generator that is made in forward or kept outside of the layer, reads the clock, or counts in a global "
            "variable. Draw from self.generator, or from a generator in an attribute: these are reset before every forward."
        )

    def _not_finite(self, y: NDArray) -> None:
        """A failure of a loss, whose predictions may be any numbers."""
        self.report.verdict = "fail" if isinstance(self.layer, LossLayer) else "inconclusive"
        self.report.method = "none"
        remedy = "Compute it from logits, or clip." if isinstance(self.layer, LossLayer) else "Try smaller inputs."
        self.report.findings.append(f"forward gives {y[~np.isfinite(y)][0]} for finite inputs. {remedy}")

    def _compare(self, comparison: Comparison, name: str, *, whole: bool) -> TensorResult:
        """Compare one tensor: all elements, or random directions and a sample of the elements."""
        shape, size = comparison.values[name].shape, comparison.values[name].size
        total = sum(value.size for value in comparison.values.values())
        if whole and (size <= 64 or total <= _ELEMENTS) and affordable(comparison, name):
            return comparison.elements(name)
        result = comparison.directions(name, self.rng)
        if whole and result.verdict == "pass":
            chosen = self.rng.choice(size, min(_SAMPLE, size), replace=False)
            sampled = comparison.elements(name, [tuple(map(int, np.unravel_index(n, shape))) for n in chosen])
            sampled.untouched = sampled.untouched and result.untouched
            return sampled
        if result.verdict == "fail" and affordable(comparison, name):
            return comparison.elements(name)  # finds the place; or kinks, which explain it
        return result

    def _excuse_kinks(self, subject: Subject, results: dict[str, TensorResult]) -> None:
        """If the layers pass but the model fails, retry nearby to rule out kinks that coincide.

        A chain of valid subgradients is valid, but need not be between the one-sided slopes of the chain.
        """
        nearby = subject.again()
        if "x" in nearby.values():  # class numbers stay
            nearby.x = self._near(subject.x)
        nearby.set_parameters({name: self._near(value) for name, value in nearby.at.items()})
        comparison = self.compare(nearby, self.rng.normal(size=np.shape(nearby.forward())))
        for name, result in results.items():
            if result.verdict == "fail" and comparison.directions(name, self.rng).verdict == "pass":
                result.verdict, result.excess = "pass", 1.0
                result.note = "several kinks coincide at this point; nearby, all gradients are right"

    def _near(self, value: NDArray) -> NDArray:
        return value + 1e-3 * rms(value) * self.rng.normal(size=value.shape)

    def _raised(self, error: Exception, setting: str) -> None:
        self.report.verdict = "fail"
        text = describe(error, "backward")
        self.report.findings.append(f"{setting}: {text}" if setting else text)
        if isinstance(error, TypeError) and "+=: 'NoneType'" in str(error):
            self.report.diagnoses.append(
                Diagnosis("accumulates", "x", "backward adds to a grad that is None.", "Write grad = ….")
            )
