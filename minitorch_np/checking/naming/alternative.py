"""Alternative: one way in which an author may get one step of backward wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minitorch_np.checking.naming.arrays_at_hand import Reference


@dataclass(frozen=True)
class Alternative:
    """What may go back from a step in place of the right gradient.

    Attributes:
        price: how unlikely it is; the cheapest that explains all gradients is the name of the bug.
        kind: the kind of bug, in a few words.
        says: the sentence, with the places that `Words.fill` knows, such as {operand} and {place}.
        rule: (step, gradient at the step, *constants) -> what goes back. The step is an Edge, a Region or a Spot.
        array: the array at hand that it uses, {array} in the sentence.
        change: what to write instead, with the same places, where the line of NumPy is not known; or "".
        unknowns: how many constants the rule takes, which are solved for; the rule is affine in them.
    """

    price: float
    kind: str
    says: str
    rule: Callable[..., Any]
    array: Reference | None = None
    unknowns: int = 0
    change: str = ""
