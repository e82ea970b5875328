"""One pair in a process of its own: `python -m tests.benchmarks.pair CASE CONTENDER ROUNDS` prints ours, its, ratio."""

from __future__ import annotations

import statistics
import sys
import time

from tests.benchmarks.networks import CASES, CONTENDERS, Run, ours


def milliseconds(run: Run, steps: int) -> float:
    start = time.perf_counter()
    run(steps)
    return (time.perf_counter() - start) / steps * 1000


def main(number: int, title: str, rounds: int) -> None:
    case = CASES[number]
    pair = ours(case), CONTENDERS[title][1](case)
    times = [[milliseconds(run, case.steps) for run in pair] for _ in range(rounds + 1)][1:]
    first, second = zip(*times, strict=True)
    print(statistics.median(first), statistics.median(second), statistics.median(a / b for a, b in times))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
