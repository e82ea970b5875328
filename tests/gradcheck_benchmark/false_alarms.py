"""Random networks that are right, through the checker: `python -m tests.gradcheck_benchmark.false_alarms [--networks 1000]`.

One to three blocks of Dense, perhaps BatchNorm, an activation and a factor of 10^±4.5 each, so that gradients spread
over nine decades; float32 and float64; batches of 1 to 7; a third of the inputs exactly 0, so that ReLUs stand at their kink.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

import minitorch_np as mt

from . import layers

ACTIVATIONS = (mt.ReLU, mt.Sigmoid, layers.Tanh, layers.Softmax, layers.LeakyReLU, layers.Softplus, layers.Dropout)


def network(rng: np.random.Generator, seed: int) -> mt.Sequential:
    stack: list[mt.Layer] = []
    for _ in range(rng.integers(1, 4)):
        kernel = ("glorot_uniform", "he_normal", "lecun_normal")[rng.integers(3)]
        stack.append(mt.Dense(int(rng.integers(1, 7)), use_bias=bool(rng.integers(2)), kernel_initializer=kernel))
        if rng.random() < 0.3:
            stack.append(layers.BatchNorm())
        activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
        stack.append(activation(0.3) if activation is layers.Dropout else activation())
        if rng.random() < 0.4:
            stack.append(mt.Rescaling(float(10 ** rng.uniform(-4.5, 4.5))))
    return mt.Sequential(stack, rng=seed, dtype=("float32", "float64")[seed % 2])


def inputs(rng: np.random.Generator) -> np.ndarray:
    x = rng.normal(size=(int(rng.integers(1, 8)), int(rng.integers(1, 6)))) * 10 ** rng.uniform(-2, 2)
    x[rng.uniform(size=x.shape) < 0.3] = 0
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    verdicts: Counter[str] = Counter()
    for seed in range(args.first, args.first + args.networks):
        rng = np.random.default_rng(seed)
        model, x = network(rng, seed), inputs(rng)
        report = mt.gradcheck(model, x, rng=seed, raise_exception=False)
        verdicts[report.verdict] += 1
        if report.verdict == "fail":
            print(f"seed {seed}: {model!r} on {x.shape}\n{report}", flush=True)
    print(f"{args.networks} right networks: " + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))


if __name__ == "__main__":
    main()
