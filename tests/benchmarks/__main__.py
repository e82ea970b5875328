"""Time and memory of one training step beside other libraries, whichever are installed.

    python -m tests.benchmarks [--rounds 9]

Every figure is a median over rounds in which the contenders run in turn; ratios are taken round by round. BLAS
keeps the threads that it has by default. Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first, if they are set.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
from collections.abc import Callable

from tests.benchmarks import networks
from tests.benchmarks.networks import Case
from tests.benchmarks.timing import Run, median_ratio, milliseconds_per_step

SEED = (12288, 20, 7, 5, 1)
CASES = [
    (Case("seed network, 209 images, float32", SEED, 209, 209), 60),
    (Case("seed network, 209 images, float64", SEED, 209, 209, "float64"), 60),
    (Case("2-8-1, batches of 4, 400 examples", (2, 8, 1), 400, 4), 1000),
    (Case("2-8-1, all 4 examples, one step an epoch", (2, 8, 1), 4, 4), 1000),
    (Case("784-256-128-10, batches of 128", (784, 256, 128, 10), 128 * 40, 128), 120),
    (Case("784-256-128-10, batches of 64", (784, 256, 128, 10), 64 * 40, 64), 120),
]
CONTENDERS: list[tuple[str, str, Callable[[Case], Run]]] = [
    ("PyTorch eager", "torch", networks.pytorch),
    ("JAX jit", "jax", networks.jax_jit),
    ("Keras", "keras", networks.keras),
    ("scikit-learn", "sklearn", networks.scikit_learn),
    ("bare products", "numpy", networks.bare_products),
]
MEMORY = """
import resource, sys
from tests.benchmarks import networks
case = networks.Case("memory", {sizes}, 209, 209)
run = networks.{library}(case)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(20)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after / 1024, (after - before) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("KERAS_BACKEND", "torch" if importlib.util.find_spec("torch") else "jax")
    for case, steps in CASES:
        steps = max(1, steps // case.steps_per_epoch) * case.steps_per_epoch
        contenders = {"minitorch_np": networks.ours(case)}
        for title, module, make in CONTENDERS:
            slow = (
                title == "Keras" and case.batch_size < 64 or case.dtype == "float64" and title in ("JAX jit", "Keras")
            )
            if importlib.util.find_spec(module) and not slow:
                contenders[title] = make(case)
        times = milliseconds_per_step(contenders, steps, rounds)
        print(f"\n{case.name}\n  {'':14} {'ms a step':>10} {'ours / it':>10}")
        for title, measured in times.items():
            print(
                f"  {title:14} {statistics.median(measured):10.4f} {median_ratio(times, 'minitorch_np', title):10.2f}",
                flush=True,
            )
    print(f"\nimport minitorch_np / import numpy: {import_ratio(rounds):.2f}")
    print("\nseed network, float32: peak memory of the process, and what training added to it, in MB")
    for library, module in (("ours", "numpy"), ("pytorch", "torch")):
        if importlib.util.find_spec(module):
            print(f"  {library:14} {output_of(MEMORY.format(sizes=SEED, library=library)).strip()}")


def import_ratio(rounds: int) -> float:
    """The median ratio of the times that a new process takes for the two imports."""
    timer = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    ratios = [
        float(output_of(timer.format("minitorch_np"))) / float(output_of(timer.format("numpy")))
        for _ in range(rounds + 1)
    ]
    return statistics.median(ratios[1:])


def output_of(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
