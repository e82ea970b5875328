"""Part: one layer at the inputs it really gets, in every circumstance, and what is wrong with it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.anatomy import WithLoss
from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.naming import TELLING, Naming, affordable, rank
from minitorch_np.checking.numbers import Comparison
from minitorch_np.checking.precision import in_float32
from minitorch_np.checking.probes import history, probe
from minitorch_np.checking.report import GradcheckReport
from minitorch_np.checking.results import TensorResult
from minitorch_np.checking.subject import LossLayer, State, Subject, parameters
from minitorch_np.checking.truth import Truth, rms
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ELEMENTS = 2_000  # elements that are all tried one by one
_REPEATS = 3  # forwards that must give the same y
_SAMPLE = 40  # elements tried one by one of a larger tensor, beside the random directions


class Part:
    """One layer at the inputs that it really gets."""

    def __init__(
        self, layer: Layer, x: NDArray, wrt: str | Sequence[str], method: str, rng: np.random.Generator
    ) -> None:
        self.layer, self.x, self.method, self.rng = layer, x, method, rng
        self.report = GradcheckReport(repr(layer))
        names = {"x", *(name for name, parameter in parameters(layer).items() if parameter.trainable)}
        unknown = set() if wrt == "all" else {wrt} - names if isinstance(wrt, str) else set(wrt) - names
        self.names = names if wrt == "all" else {wrt} & names if isinstance(wrt, str) else set(wrt) & names
        if unknown and not self.names:
            raise ValueError(f"gradcheck: wrt is 'all' or some of {', '.join(sorted(names))}, got {wrt!r}.")

    def check(self, *, thorough: bool) -> GradcheckReport:
        for setting, subject in self._settings():
            first = not self.report.method
            with np.errstate(all="ignore"):
                self._look(setting, subject, elements=thorough and first, probes=thorough and first)
            if self.report.verdict == "fail":
                self.report.setting = setting
            if self.report.verdict == "fail" or self.report.method == "none":
                break
        return self.report

    def _settings(self) -> Iterator[tuple[str, Subject]]:
        """The same layer in other circumstances: parameters, batch sizes, modes, layouts of memory."""
        yield "", Subject(self.layer, self.x, jitter=np.random.default_rng(7))
        started = [p for p in parameters(self.layer).values() if p.trainable and p.size and not np.ptp(p.value)]
        if started:
            yield "with the parameters as they are", Subject(self.layer, self.x)
        for count in (7 if len(self.x) != 7 else 11, 1) if self.x.ndim and len(self.x) else ():
            try:
                yield f"for a batch of {count}", self.resized(count)
            except (ValueError, FloatingPointError, ZeroDivisionError):
                continue  # this forward does not take that batch
        if any(node.training for _, node in self.layer.walk()):
            yield "in inference mode", Subject(self.layer, self.x, training=False, jitter=np.random.default_rng(7))
        if self.x.ndim > 1:
            subject = Subject(self.layer, self.x, jitter=np.random.default_rng(7))
            subject.x = np.asfortranarray(subject.x)
            yield "for x in another memory layout", subject

    def resized(self, count: int) -> Subject:
        chosen = np.arange(count) % len(self.x) if count > 1 else np.array([0])
        layer, x = copy.deepcopy(self.layer), self.x[chosen]
        for holder in (layer, getattr(layer, "loss", None)):
            if isinstance(holder, LossLayer):
                holder.target = np.asarray(holder.target)[chosen]
        if count > len(self.x) and x.dtype.kind == "f" and not isinstance(layer, (LossLayer, WithLoss)):
            x = x * (1 - 0.1 * self.rng.uniform(size=x.shape))
        return Subject(layer, x, jitter=np.random.default_rng(7))

    def _look(self, setting: str, subject: Subject, *, elements: bool, probes: bool) -> None:
        """Compare, probe and explain in one setting, and put what was found into the report."""
        y = np.array(subject.forward())
        if not _repeats(subject, y):
            self._not_repeatable(setting)
            return
        if not np.isfinite(y).all():
            if not setting:
                self._not_finite(y)
            return
        if y.dtype.kind != "f":
            raise ValueError(
                f"gradcheck: forward of {self.layer!r} returned {y.dtype}, expected floating-point numbers."
            )
        truth = Truth(subject, self.rng, self.method)
        self.report.method = self.report.method or truth.story()
        dy = self._upstream(y.shape)
        try:
            gradients = {name: None if a is None else np.array(a) for name, a in subject.gradients(dy).items()}
        except Exception as error:  # whatever a stranger's backward raises is its failure, and is told
            self._raised(error, setting)
            return
        comparison = Comparison(subject, truth, dy, gradients)
        names = [name for name in subject.values() if name in self.names]
        results = {name: self._compare(comparison, name, whole=elements) for name in names}
        if not probes and any(result.verdict == "fail" for result in results.values()):
            self._excuse_kinks(subject, results)
        failed = [name for name, result in results.items() if result.verdict == "fail"]
        found = probe(subject, dy, self.rng, failed) if probes else []
        found = [d for d in found if d.tensor in self.names or d.name == "writes into its arguments"]
        if failed:
            found = self._explain(comparison, results, failed, found)
        elif probes:
            self.report.findings += in_float32(subject, dy, gradients)
        self._enter(setting, results, found)

    def _explain(
        self, comparison: Comparison, results: dict[str, TensorResult], failed: list[str], found: list[Diagnosis]
    ) -> list[Diagnosis]:
        """What probes and numbers say of the tensors that are wrong, the most telling first."""
        naming = Naming(self, comparison)
        crooked = {d.tensor for d in found if d.name == "not linear in the upstream gradient"}
        numbers = [diagnosis for name in failed if (diagnosis := naming.diagnose(name, linear=name not in crooked))]
        explained = {d.tensor for d in found if d.name in TELLING}
        found = sorted([*found, *(d for d in numbers if d.tensor not in explained)], key=rank)
        lives = self._another_life(comparison.subject, 0), self._another_life(comparison.subject, 1)
        stale = history(lives, comparison.dy, [name for name in failed if name not in explained])
        for name in failed:  # the evidence belongs into the report
            if results[name].true is None and results[name].backward is not None and affordable(comparison, name):
                results[name] = comparison.elements(name)
        return stale + [d for d in found if d.tensor not in {old.tensor for old in stale}]

    def _enter(self, setting: str, results: dict[str, TensorResult], found: list[Diagnosis]) -> None:
        report = self.report
        for name, result in results.items():
            before = report.tensors.get(name)
            if before is None or result.verdict == "fail" or (before.untouched and not result.untouched):
                report.tensors[name] = result
            report.kinks += [] if setting else result.kinks
        verdicts = [result.verdict for result in results.values()]
        if found or "fail" in verdicts:
            report.verdict, report.diagnoses = "fail", _without_repeats(found)
            report.findings += [f"Only {setting}."] if setting else []
        elif "inconclusive" in verdicts and not setting:
            report.verdict = "inconclusive"
            report.findings += [
                f"{gradient_of(n)}: {r.note}" for n, r in results.items() if r.verdict == "inconclusive"
            ]

    def _not_repeatable(self, setting: str) -> None:
        """Nothing else is said: every other comparison would be of two different functions."""
        self.report.verdict, self.report.method, self.report.findings = "inconclusive", "none", []
        self.report.findings.append(
            f"forward is not repeatable{' ' + setting if setting else ''}: for the same x and the same state it gives another y. It "
            "draws from a generator that is made in forward or kept outside of the layer, reads the clock, or counts in a global "
            "variable. Draw from self.generator, or from a generator in an attribute: these are put back before every forward."
        )

    def _not_finite(self, y: NDArray) -> None:
        """A loss has no excuse for it: predictions may be anything."""
        self.report.verdict = "fail" if isinstance(self.layer, LossLayer) else "inconclusive"
        self.report.method = "none"
        self.report.findings.append(f"forward gives {y[~np.isfinite(y)][0]} for finite inputs.")

    def _compare(self, comparison: Comparison, name: str, *, whole: bool) -> TensorResult:
        size = comparison.values[name].size
        total = sum(value.size for value in comparison.values.values())
        if whole and (size <= 64 or total <= _ELEMENTS) and affordable(comparison, name):
            return comparison.elements(name)
        result = comparison.directions(name, self.rng)
        if whole and result.verdict == "pass":
            shape = comparison.values[name].shape
            places = [
                tuple(int(i) for i in np.unravel_index(n, shape))
                for n in self.rng.choice(size, min(_SAMPLE, size), replace=False)
            ]
            sampled = comparison.elements(name, places)
            sampled.untouched = sampled.untouched and result.untouched
            return sampled
        if result.verdict == "fail" and affordable(comparison, name):
            return comparison.elements(name)  # finds the place; or kinks, which explain it
        return result

    def _excuse_kinks(self, subject: Subject, results: dict[str, TensorResult]) -> None:
        """In a whole whose parts are right, a fault that is gone a little beside the point was a tie of several kinks.

        A chain of valid subgradients is valid, but need not lie between the one-sided slopes of the chain.
        """
        subject.put_back()
        beside = Subject(subject.layer, subject.x, training=subject.training)
        beside.x = subject.x + 1e-3 * rms(subject.x) * self.rng.normal(size=subject.x.shape)
        for name, value in beside.at.items():
            moved = value + 1e-3 * rms(value) * self.rng.normal(size=value.shape)
            beside.at[name] = moved
            beside.trainable[name].replace(moved)
        beside.state = State(beside.layer)
        dy = self.rng.normal(size=np.shape(beside.forward()))
        comparison = Comparison(beside, Truth(beside, self.rng, self.method), dy, dict(beside.gradients(dy)))
        for name, result in results.items():
            if result.verdict == "fail" and comparison.directions(name, self.rng).verdict == "pass":
                result.verdict, result.excess = "pass", 1.0
                result.note = "several kinks meet at this point; a little beside it everything is right"

    def _raised(self, error: Exception, setting: str) -> None:
        self.report.verdict = "fail"
        text = f"backward raised {type(error).__name__}: {error}"
        self.report.findings.append(f"{setting}: {text}" if setting else text)
        if isinstance(error, TypeError) and "NoneType" in str(error):
            self.report.diagnoses.append(
                Diagnosis("accumulates", "x", "backward adds to a grad that is None.", "Write grad = ….")
            )

    def _another_life(self, subject: Subject, past: int) -> Subject:
        """The layer at the same point, but with another past."""
        life = Subject(subject.origin, subject.x, training=subject.training, past=past)
        for name, value in subject.at.items():
            life.at[name] = value
            life.trainable[name].replace(value)
        life.state = State(life.layer)
        return life

    def _upstream(self, shape: tuple[int, ...]) -> NDArray:
        """Random, and 1 for a loss, whose gradient nothing stands above."""
        return np.ones(shape) if isinstance(self.layer, (LossLayer, WithLoss)) else self.rng.normal(size=shape)


def _without_repeats(found: list[Diagnosis]) -> list[Diagnosis]:
    kept: list[Diagnosis] = []
    for diagnosis in found:
        if not any((d.name, d.tensor) == (diagnosis.name, diagnosis.tensor) for d in kept):
            kept.append(diagnosis)
    return kept


def _repeats(subject: Subject, y: NDArray) -> bool:
    """Whether forward gives the same y again and again, but for the rounding of sums over memory that lies differently."""
    size = float(np.abs(y[np.isfinite(y)]).max(initial=0))
    others = (np.asarray(subject.forward()) for _ in range(_REPEATS))
    return all(o.shape == y.shape and np.allclose(o, y, rtol=0, atol=1e-11 * size, equal_nan=True) for o in others)
