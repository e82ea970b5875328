"""Learning-rate schedules for any optimiser: functions of the step, which counts from 0.

mt.SGD(learning_rate=mt.schedules.CosineDecay(0.1, steps=1000, warmup=50))
"""

from __future__ import annotations

import math

from minitorch_np.base.configurable import OwnAttributes
from minitorch_np.base.module_names import public_module
from minitorch_np.base.validation import Checks, number, whole

__all__ = ["CosineDecay", "ExponentialDecay", "Schedule", "StepDecay"]


class Schedule(OwnAttributes):
    """The learning rate at a step. A subclass writes `__call__(step)`."""

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"{self!r} has no __call__: write __call__(self, step) and return the learning rate.")

    def __float__(self) -> float:
        raise TypeError(f"{self!r} has a rate for each step. That of the next one is optimizer.current_rate().")


class _Decay(Schedule):
    """A rate that is multiplied by `factor` in `every` steps."""

    initial: float
    every: int
    factor: float
    checks: Checks = {"initial": number("(0, inf)"), "every": whole(1), "factor": number("(0, inf)")}

    def __init__(self, initial: float, every: int, factor: float = 0.1) -> None:
        self.initial, self.every, self.factor = initial, every, factor


class StepDecay(_Decay):
    """rate = initial * factor ** (step // every)."""

    def __call__(self, step: int) -> float:
        return self.initial * _power(self.factor, step // self.every)


class ExponentialDecay(_Decay):
    """rate = initial * factor ** (step / every): the same decay as StepDecay, without the steps."""

    def __call__(self, step: int) -> float:
        return self.initial * _power(self.factor, step / self.every)


class CosineDecay(Schedule):
    """Up in a straight line for `warmup` steps, then down along half a cosine to `final` at step `steps`, where it stays.

    Source: Loshchilov & Hutter 2017, SGDR, equation 5; the warm-up is Goyal et al. 2017, section 2.2.

    >>> rate = CosineDecay(0.1, steps=10, warmup=2)
    >>> [round(rate(step), 4) for step in (0, 1, 2, 6, 10, 99)]
    [0.05, 0.1, 0.1, 0.05, 0.0, 0.0]
    """

    checks: Checks = {"initial": number("(0, inf)"), "steps": whole(1), "warmup": whole(), "final": number()}
    initial: float
    steps: int
    warmup: int
    final: float

    def __init__(self, initial: float, steps: int, warmup: int = 0, final: float = 0.0) -> None:
        self.initial, self.steps, self.warmup, self.final = initial, steps, warmup, final

    def settle(self) -> None:
        if self.warmup >= self.steps:
            raise ValueError(
                f"CosineDecay: expected warmup to be smaller than steps, got warmup={self.warmup!r} and steps={self.steps!r}."
            )

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.initial * (step + 1) / self.warmup
        share = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.initial - self.final) * (1 + math.cos(math.pi * share)) / 2


public_module(__name__)


def _power(factor: float, exponent: float) -> float:
    """factor ** exponent; infinity where that is too large for a float, which the optimiser then refuses as a rate."""
    try:
        return float(factor) ** exponent
    except OverflowError:
        return math.inf
