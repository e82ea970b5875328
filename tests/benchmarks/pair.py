"""One pair in a process of its own: `python -m tests.benchmarks.pair CASE CONTENDER ROUNDS` prints ours, its, ratio."""

from __future__ import annotations

import os
import statistics
import sys
import time

if os.environ.get("BENCHMARK_ONE_CORE") and hasattr(os, "sched_setaffinity"):  # before any library counts the cores
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from tests.benchmarks.cases import CASES
from tests.benchmarks.networks import CONTENDERS, Case, Run, ours

PAUSE = 0.3  # seconds, until the other's threads have stopped waiting for work at full speed


def milliseconds(run: Run, case: Case) -> float:
    time.sleep(PAUSE)
    run(case.steps_per_epoch)
    start = time.perf_counter()
    run(case.steps)
    return (time.perf_counter() - start) / case.steps * 1000


def main(number: int, title: str, rounds: int) -> None:
    case = CASES[number]
    pair = ours(case), CONTENDERS[title][1](case)
    times = [[milliseconds(run, case) for run in pair] for _ in range(rounds + 1)][1:]
    first, second = zip(*times, strict=True)
    print(statistics.median(first), statistics.median(second), statistics.median(a / b for a, b in times))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
