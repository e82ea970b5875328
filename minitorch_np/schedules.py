"""Learning-rate schedules: functions of the step, counted from 0, for any optimiser.

mt.SGD(learning_rate=mt.schedules.CosineDecay(0.1, steps=1000, warmup=50))
"""

from __future__ import annotations

import math

from minitorch_np.arguments import check_number, check_whole
from minitorch_np.configurable import Configurable


class Schedule(Configurable):
    """step -> rate. A subclass writes `__call__(step)`."""

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"{self!r} has no rate: write __call__(self, step) and return it.")


class StepDecay(Schedule):
    """rate = initial * factor ** (step // every)."""

    def __init__(self, initial: float, every: int, factor: float = 0.1) -> None:
        check_number("StepDecay", "initial", initial, "(0, inf)")
        check_whole("StepDecay", "every", every, 1)
        check_number("StepDecay", "factor", factor, "(0, inf)")
        self.initial, self.every, self.factor = initial, every, factor

    def __call__(self, step: int) -> float:
        return self.initial * self.factor ** (step // self.every)


class ExponentialDecay(Schedule):
    """rate = initial * factor ** (step / every): the same decay as StepDecay, without the steps."""

    def __init__(self, initial: float, every: int, factor: float = 0.1) -> None:
        check_number("ExponentialDecay", "initial", initial, "(0, inf)")
        check_whole("ExponentialDecay", "every", every, 1)
        check_number("ExponentialDecay", "factor", factor, "(0, inf)")
        self.initial, self.every, self.factor = initial, every, factor

    def __call__(self, step: int) -> float:
        return self.initial * self.factor ** (step / self.every)


class CosineDecay(Schedule):
    """Up in a straight line for `warmup` steps, then down along half a cosine to `final` at step `steps`, and there it stays.

    Source: Loshchilov & Hutter 2017, SGDR, equation 5; the warm-up is Goyal et al. 2017, section 2.2.

    >>> rate = CosineDecay(0.1, steps=10, warmup=2)
    >>> [round(rate(step), 4) for step in (0, 1, 2, 6, 10, 99)]
    [0.05, 0.1, 0.1, 0.05, 0.0, 0.0]
    """

    def __init__(self, initial: float, steps: int, warmup: int = 0, final: float = 0.0) -> None:
        check_number("CosineDecay", "initial", initial, "(0, inf)")
        check_whole("CosineDecay", "steps", steps, 1)
        check_whole("CosineDecay", "warmup", warmup)
        check_number("CosineDecay", "final", final)
        if warmup >= steps:
            raise ValueError(
                f"CosineDecay: warmup ends before the last step, got warmup={warmup!r} and steps={steps!r}."
            )
        self.initial, self.steps, self.warmup, self.final = initial, steps, warmup, final

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.initial * (step + 1) / self.warmup
        share = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.initial - self.final) * (1 + math.cos(math.pi * share)) / 2
