"""Spaces: the values that a search may try for each setting, and how they are drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Space = Mapping[str, Any]
    Settings = dict[str, Any]


@dataclass(frozen=True)
class _Range:
    """Two limits, low <= high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low <= self.high < math.inf:
            raise ValueError(f"{self!r}: expected low <= high, both finite.")


class Uniform(_Range):
    """A number between low and high, all equally likely: for a dropout rate, a momentum."""

    def draw(self, rng: np.random.Generator) -> float:
        return float(rng.uniform(self.low, self.high))


class LogUniform(_Range):
    """A positive number, all orders of magnitude equally likely: for a learning rate, a weight decay.

    exp(u) with u uniform between log low and log high, so that 0.001 to 0.01 is drawn as often as 0.01 to 0.1.
    """

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < math.inf:
            raise ValueError(f"{self!r}: expected 0 < low <= high.")

    def draw(self, rng: np.random.Generator) -> float:
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)  # rounding must not lead outside


@dataclass(frozen=True)
class Integers(_Range):
    """A whole number from low to high, both included: for a number of units or of layers."""

    low: int
    high: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if int(self.low) != self.low or int(self.high) != self.high:
            raise ValueError(f"{self!r}: expected whole numbers.")

    def draw(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.low, self.high, endpoint=True))


@dataclass(frozen=True)
class Choice:
    """One of some values, all equally likely; a list in a space means the same."""

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.values, (str, bytes)) or not isinstance(self.values, Sequence) or not self.values:
            raise ValueError(f"Choice: expected a list of at least one value, got {self.values!r}.")

    def draw(self, rng: np.random.Generator) -> Any:
        return self.values[int(rng.integers(len(self.values)))]


def checked_space(space: Space, who: str) -> dict[str, Any]:
    """The space with a distribution for each name."""
    if not isinstance(space, Mapping) or not space:
        raise ValueError(
            f"{who}: space is a dict of names and what to try, such as {{'learning_rate': LogUniform(1e-3, 1)}}, got {space!r}."
        )
    return {name: _distribution(name, given, who) for name, given in space.items()}


def grid(space: Mapping[str, Any], who: str) -> Iterator[Settings]:
    """Every combination of the choices, the last name changing fastest."""
    for name, distribution in space.items():
        if not isinstance(distribution, Choice):
            raise ValueError(
                f"{who}: a grid takes lists of values, and {name} is {distribution!r}. "
                "List the values to try, or use method='random'."
            )
    for values in itertools.product(*(distribution.values for distribution in space.values())):
        yield dict(zip(space, values, strict=True))


def draw(space: Mapping[str, Any], rng: np.random.Generator) -> Settings:
    """One value for each name."""
    return {name: distribution.draw(rng) for name, distribution in space.items()}


def _distribution(name: str, given: Any, who: str) -> Any:
    if isinstance(given, (_Range, Choice)):
        return given
    if isinstance(given, (list, tuple, range, np.ndarray)) and len(given):
        return Choice(given.tolist() if isinstance(given, np.ndarray) else list(given))
    raise ValueError(
        f"{who}: {name} is a list of values to try, Uniform, LogUniform, Integers or Choice, got {given!r}. "
        f"For a single value write [{given!r}]."
    )
