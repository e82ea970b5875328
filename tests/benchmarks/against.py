"""This checkout beside another commit of it, in turn within one run.

    python -m tests.benchmarks.against COMMIT [--rounds 9] [--only TEXT]

Each case has two processes, one for each commit, that train in turn. Printed are the median of the rounds' ratios, new / old,
and the interval that contains the true median with 95 %, by the order of the ratios.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.cases import CASES

ROOT = Path(__file__).resolve().parents[2]
WORKER = """
import sys, time
from tests.benchmarks.cases import CASES
from tests.benchmarks.networks import ours
case = CASES[int(sys.argv[1])]
run = ours(case)
for line in sys.stdin:
    time.sleep(0.3)  # until the other's threads have stopped waiting for work at full speed
    run(case.steps_per_epoch)
    start = time.perf_counter()
    run(case.steps)
    print((time.perf_counter() - start) / case.steps * 1000, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="only cases whose name holds this text")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", args.commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        print(f"{'':55} {'old, ms':>9} {'new, ms':>9} {'new / old':>10}   95 %")
        for number, case in enumerate(CASES):
            if args.only in case.name:
                report(case.name, number, Path(folder), args.rounds)


def report(name: str, number: int, old: Path, rounds: int) -> None:
    with worker(number, old) as before, worker(number, ROOT) as now:
        pairs = [(milliseconds(before), milliseconds(now)) for _ in range(rounds + 1)][1:]
    ratios = sorted(new / old for old, new in pairs)
    low, high = interval(ratios)
    medians = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{name:55} {next(medians):9.4f} {next(medians):9.4f} {statistics.median(ratios):10.3f}   {low:.3f} - {high:.3f}",
        flush=True,
    )


@contextmanager
def worker(number: int, checkout: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(number)],
        cwd=checkout,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()


def milliseconds(process: subprocess.Popen[str]) -> float:
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def interval(ratios: list[float]) -> tuple[float, float]:
    """The ranks between which the median is with at least 95 %: the number of ratios below it is binomial with p = 1/2."""
    count, outside = len(ratios), 0.0
    rank = 0
    while rank < count // 2 and outside + math.comb(count, rank) / 2**count <= 0.025:
        outside += math.comb(count, rank) / 2**count
        rank += 1
    rank = max(rank - 1, 0)
    return ratios[rank], ratios[count - 1 - rank]


if __name__ == "__main__":
    main()
