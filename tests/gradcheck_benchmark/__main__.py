"""What each gradient checker sees: `python -m tests.gradcheck_benchmark [--only TEXT] [--ours] [--json FILE]`.

Two tables: one of the catalogue, one of the layers by users. Killed: the checker says of a wrong one that it is wrong, at three
scales of the gradients. False alarms: right ones that it calls wrong, at inputs of four sizes, in brackets those that it leaves
undecided; inputs that forward itself refuses, or that overflow in it, are left out. Names: what a reader of gradcheck's first
sentence finds at scale 1 (see judging.py and readings.txt). The other checkers name no bug.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from minitorch_np import Loss

from . import catalogue, rivals
from .catalogue import Case
from .judging import NAMINGS, Result, judge, ours
from .layers import scaled
from .user_layers import cases as user_layers

OURS = "gradcheck"
SCALES = (1.0, 1e-5, 1e5)
SIZES = (1.0, 30.0, 100.0, 1e4)
DRAWS = ((5, 0), (1, 1))  # batch (the users' layers have their own) and seed of the right ones' inputs
SETS = {
    "The catalogue": (catalogue.WRONG, catalogue.RIGHT),
    "Layers by users": (user_layers.WRONG, user_layers.RIGHT),
}


def kills(cases: list[Case]) -> Iterator[Result]:
    """Every wrong one at every scale, by every checker."""
    for case in cases:
        for scale in SCALES:
            yield judge(case, scale)
            for name, check in rivals.installed().items():
                start = time.perf_counter()
                verdict = check(scaled(case.make(), scale), *case.draw())
                yield Result(name, str(case), scale, verdict, time.perf_counter() - start)


def controls(cases: list[Case]) -> Iterator[Result]:
    """Every right one at inputs of every size, by every checker."""
    checkers = {OURS: lambda *given: ours(*given)[0]} | rivals.installed()
    for case in cases:
        for size in SIZES:
            for batch, seed in DRAWS:
                x, y = case.draw(batch, seed)
                x = x * size if x.dtype.kind == "f" else x
                if not computes(case.make(), x, y):
                    continue
                for name, check in checkers.items():
                    start = time.perf_counter()
                    verdict = check(case.make(), x, y)
                    yield Result(name, str(case), size, verdict, time.perf_counter() - start)


def computes(target: object, x: np.ndarray, y: np.ndarray | None) -> bool:
    """Whether forward takes x and gives finite numbers."""
    try:
        with np.errstate(all="ignore"):
            if isinstance(target, Loss):
                return bool(np.isfinite(target.forward(x, y)))
            target = target.initialize(x.shape[1:], 0, np.float64)  # type: ignore[attr-defined]
            return bool(np.isfinite(target.forward(x)).all())
    except ValueError:
        return False


def table(wrong: list[Result], right: list[Result]) -> str:
    """One row for each checker."""
    columns = [f"killed at {scale:g}" for scale in SCALES] + [f"alarms at {size:g}" for size in SIZES]
    rows = [["", *columns, *NAMINGS, "seconds"]]
    for name in dict.fromkeys(result.checker for result in [*wrong, *right]):
        mine = [result for result in wrong if result.checker == name]
        others = [result for result in right if result.checker == name]
        cells = []
        for scale in SCALES:
            verdicts = [result.verdict for result in mine if result.scale == scale]
            cells.append(f"{verdicts.count('fail')} / {len(verdicts)}")
        for size in SIZES:
            verdicts = [result.verdict for result in others if result.scale == size]
            undecided = len(verdicts) - verdicts.count("pass") - verdicts.count("fail")
            cells.append(f"{verdicts.count('fail')} ({undecided}) / {len(verdicts)}")
        counts = Counter(result.naming for result in mine if result.scale == 1 and result.verdict == "fail")
        cells += [str(counts[naming]) if name == OURS else "-" for naming in NAMINGS]
        rows.append([name, *cells, f"{sum(result.seconds for result in [*mine, *others]):.1f}"])
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    return "\n".join("".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="only cases whose kind, shape or bug holds this text")
    parser.add_argument("--ours", action="store_true", help="gradcheck alone")
    parser.add_argument("--json", help="a file for every single result")
    args = parser.parse_args()
    if args.ours:
        rivals.RIVALS.clear()
    every = []
    for title, cases in SETS.items():
        chosen = [[case for case in some if args.only in str(case)] for some in cases]
        wrong, right = list(kills(chosen[0])), list(controls(chosen[1]))
        print(f"{title}\n{table(wrong, right)}\n", flush=True)
        mine = [result for result in wrong if result.checker == OURS]
        for result in mine:
            if result.verdict != "fail" or (result.scale == 1 and result.naming != "right"):
                print(f"{result.naming if result.verdict == 'fail' else 'MISSED'}: {result}")
        for result in right:
            if result.checker == OURS and result.verdict != "pass":
                print(f"right, but {result.verdict}: {result.case} at inputs of size {result.scale:g}")
        every += [*wrong, *right]
    if args.json:
        with open(args.json, "w") as file:
            json.dump([asdict(result) for result in every], file, indent=1)


if __name__ == "__main__":
    main()
