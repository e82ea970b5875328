"""How the time of a training step grows with the batch, the width, the depth and the cores: `python -m tests.benchmarks.growth`.

Each row is timed in turn with the first of its group, in one process; the figure is the median of the rounds' ratios. Cores are
numbers of threads (`mt.set_threads`) for the ConvNet of the cats, whose layers use blocks.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import minitorch_np as mt
from minitorch_np.base.blocks import thread_count
from tests.benchmarks.images import CatConvNet
from tests.benchmarks.networks import Case, Run, ours

STEPS = 40


def dense(batch: int = 128, width: int = 256, depth: int = 2) -> Callable[[], float]:
    case = Case("", (784, *[width] * depth, 10), batch * STEPS, batch, 1)
    return timed(ours(case), STEPS)


def convnet(batch: int = 16, threads: int | None = None) -> Callable[[], float]:
    return timed(ours(CatConvNet("", (12288, 1), batch * 8, batch, 1)), 8, threads)


def timed(run: Run, steps: int, threads: int | None = None) -> Callable[[], float]:
    def seconds() -> float:
        mt.set_threads(threads)
        start = time.perf_counter()
        run(steps)
        return time.perf_counter() - start

    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    groups: dict[str, dict[str, Callable[[], float]]] = {
        "784-256-256-10, batches of": {str(n): dense(batch=n) for n in (32, 64, 128, 256, 512)},
        "784-N-N-10, batches of 128, N =": {str(n): dense(width=n) for n in (64, 128, 256, 512, 1024)},
        "784-256-…-10, batches of 128, hidden layers": {str(n): dense(depth=n) for n in (1, 2, 4, 8)},
        "cat ConvNet, batches of": {str(n): convnet(n) for n in (4, 8, 16, 32)},
        "cat ConvNet, batches of 16, threads": {str(n): convnet(threads=n) for n in range(1, thread_count() + 1)},
    }
    for title, group in groups.items():
        print(f"\n{title}")
        first, *others = group
        rounds = [{name: run() for name, run in group.items()} for _ in range(args.rounds + 1)][1:]
        print(f"  {first:>5} {1:7.2f}   ({statistics.median(r[first] for r in rounds):.4f} s)")
        for name in others:
            print(f"  {name:>5} {statistics.median(r[name] / r[first] for r in rounds):7.2f}", flush=True)
    mt.set_threads(None)


if __name__ == "__main__":
    main()
