"""What gradcheck says of these layers: `python -m tests.gradcheck_benchmark.user_layers [part of a class's name …] [--full]`.

Every wrong one at gradient scales 1, 1e-5 and 1e5, and every right one for five seeds, two dtypes and three scales. It prints the
diagnosis beside the description of the bug, to be read: a name is right if the reader would find the bug from its first sentence.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np

import minitorch_np as mt

from ..layers import scaled
from .base import variants
from .cases import CLASSES

SCALES = (1.0, 1e-5, 1e5)


def check(target: object, cls: type, seed: int = 1, dtype: str = "float64") -> mt.GradcheckReport:
    x, y = cls.data(np.random.default_rng(seed))
    if isinstance(target, mt.Layer) and x.dtype.kind == "f":
        target = target.initialize(x.shape[1:], seed, np.dtype(dtype))
    return mt.gradcheck(target, x, y, rng=seed, raise_exception=False)


def wrong() -> Iterator[tuple[type, str, str, type]]:
    """The class, the bug, its description and the wrong class."""
    for cls in CLASSES:
        for bug, words, variant in variants(cls):
            if bug is not None:
                yield cls, bug, words, variant


def alarms(cls: type) -> list[str]:
    """The checks of the right class that do not pass."""
    found = []
    for seed in range(5):
        for dtype in ("float64", "float32"):
            for scale in SCALES:
                report = check(scaled(cls(), scale), cls, seed, dtype)
                if report.verdict != "pass":
                    found.append(f"{cls.__name__} seed {seed} {dtype} scale {scale:g}: {report.verdict}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("--full", action="store_true", help="the whole report of each wrong one")
    args = parser.parse_args()
    killed: Counter[float] = Counter()
    named, count, seconds = 0, 0, []
    chosen = [c for c in CLASSES if not args.wanted or any(part in c.__name__ for part in args.wanted)]
    for cls, bug, words, variant in wrong():
        if cls not in chosen:
            continue
        count += 1
        for scale in SCALES:
            start = time.perf_counter()
            report = check(variant() if scale == 1 else scaled(variant(), scale), cls)
            killed[scale] += report.verdict == "fail"
            if scale == 1:
                seconds.append(time.perf_counter() - start)
                named += bool(report.diagnoses) and not report.diagnoses[0].vague
                first = str(report.diagnoses[0]) if report.diagnoses else "-"
                print(f"{cls.__name__}: {bug}: {report.verdict}\n    is:   {words}\n    said: {first}", flush=True)
                if args.full:
                    print("    " + str(report).replace("\n", "\n    "))
    kills = ", ".join(f"{killed[scale]} at {scale:g}" for scale in SCALES)
    print(f"killed of {count}: {kills}; with a name: {named}")
    print(f"seconds: median {np.median(seconds):.2f}, most {max(seconds):.2f}")
    found = [text for cls in chosen for text in alarms(cls)]
    print(f"right ones that do not pass: {len(found)} of {len(chosen) * 30}", *found, sep="\n  ")


if __name__ == "__main__":
    main()
