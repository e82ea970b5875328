"""Diagnosis: each hypothesis predicts the wrong gradient; the first that matches to rounding names the bug.

It must match for two independent upstream gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minitorch_np.checking.evidence import Evidence, factor, fraction, gradient_of, times
from minitorch_np.checking.hypotheses import HYPOTHESES, own_derivative

VAGUE = ("not linear in the upstream gradient", "wrong elements", "wrong dtype")


@dataclass
class Diagnosis:
    """What is wrong with one tensor's gradient.

    Attributes:
        name: the kind of bug, such as "averaged over the batch".
        tensor: "x" or the parameter's name.
        detail: what was observed. change: what to write instead.
        tensors: all tensors that it explains, if detail is a whole sentence that begins with them.
    """

    name: str
    tensor: str
    detail: str
    change: str
    tensors: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What is wrong, the tensor first."""
        return self.detail if self.tensors else f"{gradient_of(self.tensor)}: {self.name}. {self.detail}"

    @property
    def vague(self) -> bool:
        """Whether this describes the numbers, but is not yet the explanation."""
        return self.name in VAGUE

    def __str__(self) -> str:
        return f"{self.sentence} {self.change}".rstrip()


def diagnose(
    pair: tuple[Evidence, Evidence], factor_elsewhere: Callable[[], tuple[int, float | None]]
) -> Diagnosis | None:
    """The bug of the first hypothesis that explains both pieces of evidence, or None.

    Args:
        factor_elsewhere: returns another batch size and the factor there, None if the gradient is not the true one times a factor.
    """
    first, second = pair
    for hypothesis in HYPOTHESES:
        found = hypothesis(first)
        if found is None or found != hypothesis(second):
            continue
        name, detail, change = found
        if name == "constant factor":
            name, detail, change = _explain_factor(first, factor_elsewhere)
        return Diagnosis(name, first.name, detail, change)
    found = own_derivative(first, second)
    return None if found is None else Diagnosis(found[0], first.name, *found[1:])


def _explain_factor(
    evidence: Evidence, factor_elsewhere: Callable[[], tuple[int, float | None]]
) -> tuple[str, str, str]:
    """Name a scalar factor with the help of a second batch size, since 1/5 may be 1/batch or 1/features."""
    c = factor(evidence.given, evidence.true) or 0.0
    batch, (other_batch, other) = len(evidence.x), factor_elsewhere()
    what = gradient_of(evidence.name)
    observed = f"Every element is {fraction(c)} times the true one."
    if other is not None and abs(c - other) > 1e-9 * abs(c):
        becomes = f"Every element is {fraction(c)} times the true one; with a batch of {other_batch} it is {fraction(other)} times"
        for name, power, rule, change in (
            (
                "averaged over the batch",
                1,
                "1 / batch",
                f"Sum {what} over the batch, without a mean: the loss divides by the batch size, once.",
            ),
            (
                "missing 1/m",
                -1,
                "the batch size",
                f"Divide {what} by the number of elements that forward averages over.",
            ),
        ):
            rest = c * float(batch) ** power
            if abs(rest - other * float(other_batch) ** power) < 1e-9 * abs(rest):
                return name, f"{becomes}: the factor is {rule}{times(rest)}.", change
        observed = f"{becomes}."
    if abs(c + 1) < 1e-9:
        return "sign flipped", observed, f"Change the sign of {what}."
    return (
        "constant factor",
        observed,
        f"Multiply {what} by {fraction(1 / c)}, or remove the factor {fraction(c)} where it came in.",
    )
