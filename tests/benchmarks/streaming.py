"""Learning from a file beside learning from arrays: time, memory and accuracy.

    python -m tests.benchmarks.streaming [--gigabytes 0.2 6] [--rounds 5] [--folder /tmp]

Time: the same images, 64 x 64 x 3 and sorted by class, from the file and from memory, in turn; the ratio is the median of
the rounds'. Memory: the peak of a process that goes through the whole file once, less what it had before (Linux).
Accuracy: the digits sorted by class, from files of several layouts and from memory, over seeds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import h5py
import numpy as np

import minitorch_np as mt
from minitorch_np.datasets import HDF5Dataset, load_digits, load_hdf5
from tests.benchmarks.memory import status

SHAPE = (64, 64, 3)
HIDDEN = {"20-7-5": (20, 7, 5), "256-128": (256, 128)}


def write(path: Path, gigabytes: float) -> Path:
    count = int(gigabytes * 1e9 / np.prod(SHAPE))
    rng = np.random.default_rng(0)
    y = np.sort(rng.integers(0, 2, count))
    noise = rng.integers(0, 200, (4096, *SHAPE)).astype(np.uint8)
    with h5py.File(path, "w") as file:
        x = file.create_dataset("train_set_x", (count, *SHAPE), "u1")
        for start in range(0, count, len(noise)):
            part = y[start : start + len(noise)]
            x[start : start + len(part)] = noise[: len(part)] + 50 * part[:, None, None, None].astype(np.uint8)
        file["train_set_y"] = y
    return path


def network(hidden: tuple[int, ...]) -> mt.Model:
    layers: list[mt.Layer] = [mt.Input(SHAPE), mt.Rescaling(1 / 255), mt.Flatten()]
    for units in hidden:
        layers += [mt.Dense(units), mt.ReLU()]
    model = mt.Sequential([*layers, mt.Dense(1), mt.Sigmoid()], rng=1)
    return model.compile(mt.SGD(0.01, momentum=0.9), mt.BCELoss(), metrics=["accuracy"])


def seconds(hidden: tuple[int, ...], *data: object) -> float:
    model = network(hidden)
    start = time.perf_counter()
    model.fit(*data, epochs=2, batch_size=64, progress=False)  # type: ignore[arg-type]
    return time.perf_counter() - start


def memory(path: str) -> None:
    """In a process of its own: MB at the peak above those before."""
    import tqdm  # noqa: F401 loaded before, as in a program that shows a bar

    model, data = network((20, 7, 5)), HDF5Dataset(path)
    before = status("VmRSS")
    model.fit(data, batch_size=64, progress=False)
    print(f"{status('VmHWM') - before:.0f}")


def accuracy(seed: int, *data: object) -> float:
    digits = load_digits()
    layers = [mt.Input((8, 8, 1)), mt.Rescaling(1 / 16), mt.Flatten(), mt.Dense(64), mt.ReLU(), mt.Dense(10)]
    model = mt.Sequential(layers, rng=seed).compile(mt.SGD(0.1, momentum=0.9), mt.CrossEntropyLoss(), ["accuracy"])
    model.fit(*data, epochs=10, progress=False)  # type: ignore[arg-type]
    return model.evaluate(digits.x_test, digits.y_test).accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, nargs="*", default=[0.2, 6])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where the files are written, and removed again")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        memory(args.memory)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = write(Path(folder) / "first.h5", args.gigabytes[0])
        arrays = load_hdf5(path)
        for name, hidden in HIDDEN.items():
            times = [
                (seconds(hidden, HDF5Dataset(path)), seconds(hidden, arrays.x_train, arrays.y_train))
                for _ in range(args.rounds + 1)
            ][1:]
            ratio = statistics.median(file / arrays for file, arrays in times)
            print(f"time, {name}: file / arrays {ratio:.2f}", flush=True)
        for gigabytes in args.gigabytes:
            path = write(Path(folder) / "data.h5", gigabytes)
            command = [sys.executable, "-m", "tests.benchmarks.streaming", "--memory", str(path)]
            peak = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
            print(f"memory, {gigabytes:g} GB: {peak} MB above the start", flush=True)
        digits = load_digits()
        order = np.argsort(digits.y_train, kind="stable")
        x, y = digits.x_train[order], digits.y_train[order]
        found = [accuracy(seed, x, y) for seed in range(args.rounds)]
        print(f"accuracy, arrays: {statistics.mean(found):.3f} ± {statistics.stdev(found):.3f}")
        for chunk, together in ((None, 50), (1, 50), (10, 26), (10, 16), (10, 5)):
            path = Path(folder) / f"digits{chunk}.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("train_set_x", data=x, chunks=chunk and (chunk, 8, 8, 1))
                file["train_set_y"] = y
            block = (chunk or 1) * together * x[0].nbytes
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of few chunks, which are what is measured
                found = [accuracy(s, HDF5Dataset(path, block_bytes=block)) for s in range(args.rounds)]
            print(
                f"accuracy, file in chunks of {chunk}, {together} at a time: "
                f"{statistics.mean(found):.3f} ± {statistics.stdev(found):.3f}"
            )


if __name__ == "__main__":
    main()
