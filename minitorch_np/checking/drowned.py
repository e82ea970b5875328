"""Drowned: which elements are lost in rounding at the given x, and whether they were compared at another size instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitorch_np.checking.evidence import gradient_of

if TYPE_CHECKING:
    from minitorch_np.checking.report import GradcheckReport, TensorResult

_NEARLY_NONE = 0.1  # of the elements: a tensor of which no more was compared is inconclusive


class Drowned:
    """The results of one layer, element by element, in its first setting and at ordinary sizes."""

    def __init__(self) -> None:
        self.first: dict[str, TensorResult] = {}
        self.best: dict[str, TensorResult] = {}
        self.where: dict[str, str] = {}

    def add(self, setting: str, results: dict[str, TensorResult]) -> None:
        for name, result in results.items():
            self.first.setdefault(name, result)
            if name not in self.best or result.share > self.best[name].share:
                self.best[name], self.where[name] = result, setting

    def left(self) -> set[str]:
        """The tensors of which not every element was compared in any setting."""
        return {name for name, result in self.best.items() if result.share < 1}

    def settle(self, report: GradcheckReport) -> list[str]:
        """Make inconclusive what could not be compared in any setting. Returns remarks about the others."""
        elsewhere: dict[str, list[str]] = {}
        partly: list[str] = []
        for name, best in self.best.items():
            first = self.first[name]
            if best.share > first.share:
                report.tensors[name] = best
                elsewhere.setdefault(self.where[name], []).append(name)
            if best.untouched:
                continue
            if best.share <= _NEARLY_NONE:
                best.verdict = report.verdict = "inconclusive"
                report.findings.append(
                    f"{gradient_of(name)}: saturated: slopes are lost in the outputs' rounding and errors would not show. "
                    "Try other inputs."
                )
            elif best.share < 1:
                partly.append(f"{best.drowned} of {best.depend} elements of {gradient_of(name)}")
        remarks = [
            f"At this x, {self._lost(names)} lost in rounding, as where units are saturated; they were compared {setting} instead."
            for setting, names in elsewhere.items()
        ]
        if partly:
            remarks.append(f"{', '.join(partly)} are drowned in rounding and were not compared.")
        return remarks

    def _lost(self, names: list[str]) -> str:
        depend, drowned = (sum(getattr(self.first[name], key) for name in names) for key in ("depend", "drowned"))
        what = ", ".join(map(gradient_of, names))
        return (
            f"{drowned} of {depend} elements of {what} are"
            if depend
            else f"{what} {'is' if len(names) == 1 else 'are'}"
        )
