"""Diagnosis: predict the wrong gradient under one hypothesis after the other; name the first that matches to rounding.

A name is given only when the same prediction holds for two independent upstream gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from minitorch_np.checking.evidence import Evidence, factor, fraction, gradient_of
from minitorch_np.checking.hypotheses import HYPOTHESES, own_derivative


@dataclass
class Diagnosis:
    """What is wrong with one tensor's gradient.

    Attributes:
        name: the kind of bug, such as "averaged over the batch".
        tensor: "x" or the parameter's name.
        detail: what was seen. change: what to write instead.
    """

    name: str
    tensor: str
    detail: str
    change: str

    def __str__(self) -> str:
        return f"{self.name} ({gradient_of(self.tensor)}): {self.detail} {self.change}"


def diagnose(
    pair: tuple[Evidence, Evidence], factor_elsewhere: Callable[[], tuple[int, float | None]]
) -> Diagnosis | None:
    """The simplest hypothesis that explains both pieces of evidence, or None.

    Args:
        factor_elsewhere: (batch, c) for another batch size, if the gradient is the truth times one factor there too.
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
    """A scalar factor, settled by a second batch size: batch and features may be equal by chance."""
    c = factor(evidence.a, evidence.r) or 0.0
    seen = f"Every element is the true one times {fraction(c)}."
    here, (there, other) = evidence.batch, factor_elsewhere()
    what = gradient_of(evidence.name)
    if other is not None and here != there:
        if abs(c * here - other * there) < 1e-9 * abs(c * here) and abs(c - other) > 1e-9 * abs(c):
            left = c * here
            rest = "" if abs(left - 1) < 1e-9 else f", and times {fraction(left)} besides"
            return (
                "averaged over the batch",
                f"{seen} With a batch of {there} it becomes {fraction(other)}: it follows 1 / batch{rest}.",
                f"Sum {what} over the batch; dy already carries the loss's 1/m.",
            )
        if abs(c / here - other / there) < 1e-9 * abs(c / here) and abs(c - other) > 1e-9 * abs(c):
            left = c / here
            rest = "" if abs(left - 1) < 1e-9 else f", and times {fraction(left)} besides"
            return (
                "missing 1/m",
                f"{seen} With a batch of {there} it becomes {fraction(other)}: it grows with the batch{rest}.",
                f"Divide {what} by the number of elements that the mean is taken over.",
            )
    if abs(c + 1) < 1e-9:
        return "sign flipped", "Every element is the true one times -1.", f"Change the sign of {what}."
    if other is not None and abs(c - other) > 1e-9 * abs(c):
        seen += f" With a batch of {there} it becomes {fraction(other)}."
    name = "sign flipped" if c < 0 and abs(abs(c) - 1) < 1e-9 else "constant factor"
    return name, seen, f"Multiply {what} by {fraction(1 / c)}, or take the factor out where it came in."
