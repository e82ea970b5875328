"""All of fit(in_span=True) over all of a plain fit, basis and folding included: the network of the cats' recipe.

    python -m tests.benchmarks.wide [--dtype float32] [--steps 2500] [--rounds 3]

The two run in turn. CPU time is that of the process, with all its threads. Without the cat images it takes random images
of their size, which take the same time.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import minitorch_np as mt


def images():
    try:
        data = mt.datasets.load_cats()
    except mt.datasets.DataUnavailable:
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (209, 64, 64, 3), dtype=np.uint8), rng.integers(0, 2, 209)
    return data.x_train, data.y_train


def network(dtype):
    layers = [mt.Input((64, 64, 3)), mt.Rescaling(1 / 255), mt.Flatten()]
    for units in (20, 7, 5):
        layers += [mt.Dense(units, kernel_initializer="lecun_normal"), mt.ReLU()]
    layers += [mt.Dense(1, kernel_initializer="lecun_normal"), mt.Sigmoid()]
    return mt.Sequential(layers, rng=1, dtype=dtype).compile(mt.SGD(0.0075), mt.BCELoss(), ["accuracy"])


def time_of(x, y, args, *, in_span):
    """CPU time, time on the clock, and the losses."""
    model = network(args.dtype)
    model.predict(x[:1])
    cpu, clock = time.process_time(), time.perf_counter()
    history = model.fit(x, y, epochs=args.steps, batch_size=None, progress=False, in_span=in_span)
    return time.process_time() - cpu, time.perf_counter() - clock, np.array(history["loss"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    x, y = images()
    ratios = []
    for _ in range(args.rounds):
        *plain, losses = time_of(x, y, args, in_span=False)
        *other, losses_too = time_of(x, y, args, in_span=True)
        ratios.append([b / a for a, b in zip(plain, other, strict=True)])
        print(
            f"CPU {plain[0]:7.2f} s plain, {other[0]:6.2f} s in the span ({ratios[-1][0]:.3f}); clock {plain[1]:7.2f} s, {other[1]:6.2f} s "
            f"({ratios[-1][1]:.3f}); largest difference of a loss {np.abs(losses - losses_too).max():.1e}",
            flush=True,
        )
    print("median: CPU {:.3f}, clock {:.3f}".format(*map(statistics.median, zip(*ratios, strict=True))))


if __name__ == "__main__":
    main()
