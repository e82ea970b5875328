"""Timing: contenders run in turn, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Run = Callable[[int], None]


def milliseconds_per_step(contenders: dict[str, Run], steps: int, rounds: int) -> dict[str, list[float]]:
    """For each contender `run(steps)` the time of one step in every round, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run(steps)
            if round_number:
                times[name].append((time.perf_counter() - start) / steps * 1000)
    return times


def median_ratio(times: dict[str, list[float]], name: str, other: str) -> float:
    """The median over the rounds of this contender's time over the other's."""
    return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))
