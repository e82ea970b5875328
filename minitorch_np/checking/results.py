"""Results: what came out for one tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Kink:
    """A place where the slope jumps, and what backward made of it."""

    tensor: str
    index: tuple[int, ...]
    value: float
    slopes: tuple[float, float]
    backward: float

    def __str__(self) -> str:
        low, high = self.slopes
        return (
            f"KINK at {self.tensor}{list(self.index)} = {self.value:.4g}: one-sided slopes {low:.4g} and {high:.4g}, "
            f"backward {self.backward:.4g} lies in [{min(low, high):.4g}, {max(low, high):.4g}]: a valid subgradient"
        )


@dataclass
class TensorResult:
    """What came out for one tensor: dx as "x", or a parameter.

    Attributes:
        verdict: "pass", "fail", or "inconclusive" where saturation hides the answer.
        excess: the largest error over its bound; at most 1 is a pass.
        worst: index, backward's value and the true one, where the error is largest.
        backward, true: the whole tensors, where every element was checked.
        wrong: which elements are wrong, likewise.
        untouched: True if no output depends on the tensor here, so that nothing was learnt.
    """

    name: str
    shape: tuple[int, ...]
    verdict: str = "pass"
    excess: float = 0.0
    worst: tuple[tuple[int, ...], float, float] | None = None
    checked: int = 0
    backward: Any = None
    true: Any = None
    wrong: Any = None
    jacobian: Any = None
    untouched: bool = False
    kinks: list[Kink] = field(default_factory=list)
    note: str = ""
