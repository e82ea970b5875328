"""Random networks that are right, through the checker: `python -m tests.gradcheck_benchmark.false_alarms [--networks 1000]`.

`--layers` checks single layers of the package instead, at inputs of size 1 to 10,000, where gates saturate. `--nets` checks
nets of all families of the package (`random_nets.py`), with inputs that nobody scaled.

`--networks`: one to three blocks of Dense, perhaps BatchNorm, an activation and a factor of 10^±4.5 each, so that gradients spread
over nine decades; float32 and float64; batches of 1 to 7; a third of the inputs exactly 0, so that ReLUs stand at their kink.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np

import minitorch_np as mt

from . import layers
from .random_nets import net

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


LAYERS = {
    "LSTM": lambda: mt.LSTM(2),
    "GRU": lambda: mt.GRU(2),
    "SimpleRNN": lambda: mt.SimpleRNN(2),
    "Bidirectional": lambda: mt.Bidirectional(mt.LSTM(2)),
    "MultiHeadAttention": lambda: mt.MultiHeadAttention(1, 2),
    "MultiHeadAttention, causal": lambda: mt.MultiHeadAttention(1, 2, causal=True),
    "GELU": mt.GELU,
    "SiLU": mt.SiLU,
    "Softmax": mt.Softmax,
    "BatchNormalization": mt.BatchNormalization,
    "LayerNormalization": mt.LayerNormalization,
}
SIZES = (1.0, 30.0, 100.0, 1e4)


def at_sizes(count: int) -> None:
    """Each layer for `count` seeds at each size of the inputs: how many are called wrong, and inconclusive."""
    print(f"{'wrong / inconclusive of ' + str(count):30}", *(f"{size:>9g}" for size in SIZES))
    for name, make in LAYERS.items():
        cells = []
        for size in SIZES:
            verdicts = []
            for seed in range(count):
                layer = make().initialize((3, 2), seed, np.float64)
                x = np.random.default_rng(seed).normal(size=(3, 3, 2)) * size
                verdicts.append(mt.gradcheck(layer, x, rng=seed, raise_exception=False).verdict)
            cells.append(f"{verdicts.count('fail')} / {verdicts.count('inconclusive')}")
        print(f"{name:30}", *(f"{cell:>9}" for cell in cells), flush=True)


def nets(first: int, count: int) -> Iterator[tuple[int, str, str]]:
    """The seed, the verdict and, unless it passes, the net with its report, of each random net."""
    for seed in range(first, first + count):
        one = net(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a loss warns of targets that are all the same
            report = one.check(seed)
        yield seed, report.verdict, "" if report else f"{one!r}\n{report}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--layers", type=int, metavar="SEEDS", help="single layers at inputs of several sizes")
    parser.add_argument("--nets", type=int, metavar="N", help="random nets of all families")
    args = parser.parse_args()
    verdicts: Counter[str] = Counter()
    if args.layers:
        at_sizes(args.layers)
        return
    if args.nets:
        for seed, verdict, text in nets(args.first, args.nets):
            verdicts[verdict] += 1
            if text:
                print(f"seed {seed}: {text}", flush=True)
        print(f"{args.nets} right nets from seed {args.first}: {dict(verdicts)}")
        return
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
