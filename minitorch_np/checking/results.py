"""The result of a comparison for one tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


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
            f"KINK at {self.tensor}{list(self.index)} = {self.value:.4g}: one-sided slopes {low:.4g} and {high:.4g}, "
            f"backward {self.backward:.4g} is in [{min(low, high):.4g}, {max(low, high):.4g}]: a valid subgradient"
        )


@dataclass
class TensorResult:
    """The result for one tensor: dx as "x", or a parameter.

    Attributes:
        verdict: "pass", "fail", or "inconclusive" where saturation hides errors.
        excess: the largest error over its bound; at most 1 is a pass.
        worst: index, backward's value and the true one, where the error is largest.
        checked: the number of elements that were compared one by one.
        backward, true, jacobian: the whole arrays, if every element was checked.
        untouched: True if no output depends on the tensor at this point, so that there was nothing to compare.
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
