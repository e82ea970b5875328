"""Time and memory of a training step beside other libraries, whichever are installed (extra `bench`).

    python -m tests.benchmarks [--rounds 9] [--only TEXT]

Each pair, this package and one other, has a process of its own, in which the two run in turn; the figures are medians
over the rounds, and the ratio is the median of the rounds' ratios. Before its turn each waits until the other's
threads sleep, and runs one epoch that is not counted. With all cores both keep the threads that they have by default; with one
the process may use one core, and each library has one thread. Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first, if they are set.
Memory is the peak of the process in one epoch, beyond what it had before the first step (Linux).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import statistics
import subprocess
import sys

from minitorch_np.saving.environment import environment
from tests.benchmarks.cases import CASES
from tests.benchmarks.networks import CONTENDERS, Case

IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="only cases whose name holds this text")
    args = parser.parse_args()
    print(machine())
    for number, case in enumerate(CASES):
        if args.only in case.name:
            print(f"\n{case.name}\n  {'':14} {'all cores, ms':>27} {'one core, ms':>27} {'memory, MB':>18}")
            print(
                f"  {'':14} {'ours':>9} {'its':>9} {'ratio':>7} {'ours':>9} {'its':>9} {'ratio':>7} {'ours':>9} {'its':>8}"
            )
            report(number, case, args.rounds)
    if args.only:
        return
    print("\npublished run of 2,500 steps, fit(in_span=True) over plain fit:", flush=True)
    for dtype in ("float64", "float32"):
        print(f"  {dtype}  {output_of('-m', 'tests.benchmarks.wide', '--dtype', dtype).splitlines()[-1]}", flush=True)
    print(f"\nimport minitorch_np / import numpy: {import_ratio(args.rounds):.2f}")


def report(number: int, case: Case, rounds: int) -> None:
    own_memory = memory(number, "minitorch_np")
    for title, (module, _) in CONTENDERS.items():
        slow = title in ("Keras", "scikit-learn") and case.batch_size < 64
        if not importlib.util.find_spec(module) or title not in case.contenders or slow:
            continue
        print(f"  {title:14}", end="", flush=True)
        for one_core in (False, True):
            line = output_of("-m", "tests.benchmarks.pair", str(number), title, str(rounds), one_core=one_core)
            ours, its, ratio = map(float, line.split())
            print(f" {ours:9.4f} {its:9.4f} {ratio:7.2f}", end="", flush=True)
        print(f" {own_memory:9.1f} {memory(number, title):8.1f}", flush=True)


def memory(number: int, title: str) -> float:
    """What one epoch of training takes beyond the libraries and the data, in MB; NaN where it cannot be measured."""
    try:
        before, peak = map(float, output_of("-m", "tests.benchmarks.memory", str(number), title).split())
    except subprocess.CalledProcessError:
        return math.nan
    return peak - before


def machine() -> str:
    """The versions, the processor, and what computes matrix products."""
    lines = [f"{name}: {value}" for name, value in environment().items()]
    if importlib.util.find_spec("threadpoolctl"):
        import threadpoolctl

        for library in threadpoolctl.threadpool_info():
            lines.append(
                "BLAS: {internal_api} {version}, kernels for {architecture}, {num_threads} threads".format_map(
                    {"architecture": "?", **library}
                )
            )
    if importlib.util.find_spec("torch"):
        import torch

        lines.append(
            f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
        )
    return "\n".join(lines)


def import_ratio(rounds: int) -> float:
    """The median ratio of the times that new processes take for the two imports, the first round left out."""
    ratios = [
        float(output_of("-c", IMPORT.format("minitorch_np"))) / float(output_of("-c", IMPORT.format("numpy")))
        for _ in range(2 * rounds + 1)
    ]
    return statistics.median(ratios[1:])


def output_of(*arguments: str, one_core: bool = False) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment.setdefault("KERAS_BACKEND", "torch" if importlib.util.find_spec("torch") else "jax")
    if one_core:
        environment |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment["BENCHMARK_ONE_CORE"] = "1"
    return subprocess.run(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, check=True, env=environment
    ).stdout


if __name__ == "__main__":
    main()
