"""GradcheckReport: the result of a check, as a truth value, a table, JSON and a plot."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.report_text import describe, shown_diagnoses

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass
class Kink:
    """A place where the slope jumps, with the gradient that backward has there."""

    tensor: str
    index: tuple[int, ...]
    value: float
    slopes: tuple[float, float]
    backward: float

    def __str__(self) -> str:
        low, high = self.slopes
        return (
            f"KINK at {self.tensor}{list(self.index)} = {self.value:.4g}: the slope is {low:.4g} on one side and {high:.4g} on the "
            f"other; backward gives {self.backward + 0:.4g}, which is one of the two or between them: right"
        )


@dataclass
class TensorResult:
    """The result for one tensor: dx as "x", or a parameter.

    Attributes:
        verdict: "pass", "fail", or "inconclusive" where rounding hides errors in nearly all elements.
        excess: the largest error over its bound; at most 1 is a pass.
        worst: index, backward's value and the true one, where the error is largest.
        checked: the number of elements that were compared one by one.
        depend, drowned: of how many of them outputs depend, and for how many of these rounding would hide an error.
        backward, true, wrong: the whole gradients, and which elements are wrong, if every element was checked.
        untouched: True if no output depends on the tensor at this point, so that there was nothing to compare.
    """

    name: str
    shape: tuple[int, ...]
    verdict: str = "pass"
    excess: float = 0.0
    worst: tuple[tuple[int, ...], float, float] | None = None
    checked: int = 0
    depend: int = 0
    drowned: int = 0
    backward: Any = None
    true: Any = None
    wrong: Any = None
    untouched: bool = False
    kinks: list[Kink] = field(default_factory=list)
    note: str = ""

    @property
    def share(self) -> float:
        """The share of the elements in which an error would show: not drowned in rounding."""
        if self.untouched:
            return 0.0
        return 1 - self.drowned / self.depend if self.depend else 1.0

    def as_json(self) -> dict[str, Any]:
        """Everything but the arrays."""
        return {
            "shape": self.shape,
            "verdict": self.verdict,
            "error_over_bound": self.excess if np.isfinite(self.excess) else None,
            "elements_checked": self.checked,
            "worst": self.worst and dict(zip(("index", "backward", "true"), self.worst, strict=True)),
            "note": self.note,
        }


class GradcheckError(AssertionError):
    """backward is wrong; `report` has the details."""

    def __init__(self, report: GradcheckReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return str(self.report)


@dataclass
class GradcheckReport:
    """The result of gradcheck.

    Attributes:
        target: the checked layer, model or loss, as text. where: the layer inside it that is wrong, or "".
        verdict: "pass", "fail" or "inconclusive".
        tensors: one result for dx (named "x") and each parameter, by dotted name inside a model.
        findings: other observations, such as the setting in which alone the gradient is wrong, as text.
        remarks: those of the findings that do not bear on the verdict; the text ends with them.
        diagnoses: the bugs by name, the likeliest first; empty if no hypothesis matched.
        kinks: places where the slope jumps and backward is a valid subgradient.
        names: for code of somebody else, what it calls dy and the gradients of parameters, such as {"dy": "dout", "W.grad": "dW"}.
        looked_at: for code of somebody else, which arrays were taken for parameters and gradients, and which were left out.
        method: how the true gradient was computed. seed: the rng that repeats the check.
        setting: the batch size, mode or memory layout in which alone the check fails, or "".
        hint: how much the text tells: 0 right or wrong, 1 the tensor and element, 2 the kind of bug, 3 what to change.
    """

    target: str
    verdict: str = "pass"
    where: str = ""
    tensors: dict[str, TensorResult] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    method: str = ""
    seed: Any = 0
    setting: str = ""
    hint: int = 3
    looked_at: str = ""
    names: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.verdict == "pass"

    def __bool__(self) -> bool:
        return self.ok

    @property
    def worst(self) -> TensorResult | None:
        """The tensor with the largest error relative to its bound."""
        return max(self.tensors.values(), key=lambda result: result.excess, default=None)

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.diagnoses[0] if self.diagnoses else None

    def __str__(self) -> str:
        return describe(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        color = {"pass": "#2b7a3d", "fail": "#b3261e", "inconclusive": "#946200"}[self.verdict]
        text = str(self).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f'<pre style="border-left: 4px solid {color}; padding-left: 0.8em">{text}</pre>'

    def to_json(self) -> str:
        """Everything but the arrays, as JSON, as far as the hint allows."""
        content: dict[str, Any] = {
            "target": self.target,
            "verdict": self.verdict,
            "seed": self.seed if isinstance(self.seed, int) else repr(self.seed),
        }
        if self.hint >= 1:
            content |= {
                "where": self.where,
                "setting": self.setting,
                "method": self.method,
                "tensors": {name: result.as_json() for name, result in self.tensors.items()},
                "findings": self.findings,
                "diagnoses": shown_diagnoses(self),
                "kinks": [str(kink) for kink in self.kinks],
            }
        return json.dumps(content, indent=2)

    def plot(self, ax: Axes | None = None) -> Any:
        """Draw |backward - true| of the worst tensor whose elements were all checked as a heat map; returns the axes."""
        from minitorch_np.plotting import heat_map

        whole = [result for result in self.tensors.values() if result.true is not None]
        if not whole:
            raise ValueError("GradcheckReport.plot: no tensor was checked element by element.")
        worst = max(whole, key=lambda result: result.excess)
        comparable = np.shape(worst.backward) == np.shape(worst.true)
        error = np.abs(np.asarray(worst.backward, float) - worst.true) if comparable else np.abs(worst.true)
        rows = error.reshape(len(error), -1) if error.ndim > 1 else error.reshape(1, -1)
        others = (
            "index" if error.ndim < 2 else "axis 1" if error.ndim == 2 else f"axes 1 to {error.ndim - 1}, flattened"
        )
        return heat_map(
            rows,
            ax,
            title=f"{gradient_of(worst.name)}, shape {worst.shape}: {worst.verdict}",
            xlabel="feature" if worst.name == "x" and error.ndim == 2 else others,
            ylabel="" if error.ndim < 2 else "example" if worst.name == "x" else "axis 0",
            label="|backward - true|",
        )
