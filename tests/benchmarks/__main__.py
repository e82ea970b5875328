"""Time and memory of a training step beside other libraries, whichever are installed (extra `bench`).

    python -m tests.benchmarks [--rounds 9] [--only TEXT]

Each pair, this package and one other, has a process of its own, in which the two run in turn; the figures are medians
over the rounds, and the ratio is the median of the rounds' ratios. Before its turn each waits until the other's
threads sleep, and runs one epoch that is not counted. Both keep the BLAS threads that they have by default.
Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first, if they are set.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys

from tests.benchmarks.cases import CASES
from tests.benchmarks.networks import CONTENDERS

IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="only cases whose name holds this text")
    args = parser.parse_args()
    for number, case in enumerate(CASES):
        if args.only not in case.name:
            continue
        print(f"\n{case.name}\n  {'':14} {'ours, ms':>9} {'its, ms':>9} {'ours / its':>11}")
        for title, (module, _) in CONTENDERS.items():
            slow = title in ("Keras", "scikit-learn") and case.batch_size < 64
            if importlib.util.find_spec(module) and title in case.contenders and not slow:
                ours, its, ratio = output_of(
                    "-m", "tests.benchmarks.pair", str(number), title, str(args.rounds)
                ).split()
                print(f"  {title:14} {float(ours):9.4f} {float(its):9.4f} {float(ratio):11.2f}", flush=True)
    if args.only:
        return
    print(f"\nimport minitorch_np / import numpy: {import_ratio(args.rounds):.2f}")
    print("\nseed network, float32, 30 steps: memory of the process in MB; data and libraries loaded, peak, difference")
    for title in ("minitorch_np", "PyTorch"):
        if title == "minitorch_np" or importlib.util.find_spec(CONTENDERS[title][0]):
            before, peak = map(float, output_of("-m", "tests.benchmarks.memory", title).split())
            print(f"  {title:14} {before:7.1f} {peak:7.1f} {peak - before:7.1f}")


def import_ratio(rounds: int) -> float:
    """The median ratio of the times that new processes take for the two imports, the first round left out."""
    ratios = [
        float(output_of("-c", IMPORT.format("minitorch_np"))) / float(output_of("-c", IMPORT.format("numpy")))
        for _ in range(2 * rounds + 1)
    ]
    return statistics.median(ratios[1:])


def output_of(*arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.setdefault("KERAS_BACKEND", "torch" if importlib.util.find_spec("torch") else "jax")
    return subprocess.run(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=environment
    ).stdout


if __name__ == "__main__":
    main()
