"""One model in many threads: are the answers right, and what do threads cost?

python -m tests.benchmarks.threads [--seconds 30]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import minitorch_np as mt

THREADS, ASKED = 8, 400


def network() -> mt.Sequential:
    layers = [mt.Input((20,)), mt.Dense(64), mt.BatchNormalization(), mt.ReLU(), mt.Dropout(0.5), mt.Dense(3)]
    return mt.Sequential(layers, rng=0).compile(mt.SGD(0.01, momentum=0.9), mt.MSELoss())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of fit, predict and save at once")
    args = parser.parse_args()
    x = np.random.default_rng(0).normal(size=(4000, 20)).astype(np.float32)
    trained = network()
    trained.fit(x, x[:, :3], epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        trained.save(path)
        for name, model in (("trained", trained), ("loaded", mt.load_model(path))):
            print(f"{name}: {THREADS} threads x {ASKED} predictions, wrong or moved: {wrong(model, x)}")
        at_once(x, path, args.seconds)
    print(f"large calls, one thread / two threads: {speed_up(trained, x):.2f} (above 1: two are faster)")
    small = [tiny() for _ in range(THREADS)]
    print(f"small calls in {THREADS} threads, one model / as many models: {shared_over_copies(small):.2f}")


def tiny() -> mt.Sequential:
    model = mt.Sequential([mt.Input((2,)), mt.Dense(8), mt.ReLU(), mt.Dense(1), mt.Sigmoid()], rng=0)
    model.parameters()
    return model


def wrong(model: mt.Sequential, x: np.ndarray) -> int:
    due, before = model.predict(x, batch_size=50), model.get_weights()
    with ThreadPoolExecutor(THREADS) as pool:
        answers = pool.map(lambda _: np.array_equal(model.predict(x, batch_size=50), due), range(ASKED))
        moved = sum(not right for right in answers)
    return moved + sum(not np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def at_once(x: np.ndarray, path: Path, seconds: float) -> None:
    """Fit, predict and save for so long; every saved file holds the weights after a whole step."""
    model, states, saved, problems = network(), set(), [], []
    model.parameters()

    class Noting(mt.Callback):
        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            states.add(hash(as_bytes(self.model)))
            if time.monotonic() > end:
                self.model.stop_training = True

    def save() -> None:
        model.save(path)
        saved.append(hash(as_bytes(mt.load_model(path))))

    def until_the_end(work: Callable[[], object]) -> None:
        try:
            while time.monotonic() < end:
                work()
        except Exception as error:
            problems.append(error)

    states.add(hash(as_bytes(model)))
    end = time.monotonic() + seconds
    fit = lambda: model.fit(x, x[:, :3], epochs=100_000, callbacks=[Noting()], progress=False)  # noqa: E731
    works = [fit, *[lambda: model.predict(x[:200])] * 3, save]
    threads = [threading.Thread(target=until_the_end, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torn = sum(state not in states for state in saved)
    print(
        f"{seconds:g} s of fit, predict and save: {len(states)} steps, {len(saved)} files, torn {torn}, errors {problems}"
    )


def as_bytes(model: mt.Model) -> bytes:
    return b"".join(weight.tobytes() for weight in model.get_weights())


def speed_up(model: mt.Sequential, x: np.ndarray) -> float:
    def seconds(threads: int) -> float:
        with ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            list(pool.map(lambda _: model.predict(x, batch_size=None), range(40)))
            return time.perf_counter() - start

    seconds(2)
    return statistics.median(seconds(1) / seconds(2) for _ in range(9))


def shared_over_copies(models: list[mt.Sequential]) -> float:
    x = np.zeros((4, 2), np.float32)

    def seconds(chosen: list[mt.Sequential]) -> float:
        with ThreadPoolExecutor(THREADS) as pool:
            start = time.perf_counter()
            list(pool.map(lambda model: [model.predict(x) for _ in range(100)], chosen))
            return time.perf_counter() - start

    seconds(models)
    return statistics.median(seconds(models[:1] * THREADS) / seconds(models) for _ in range(9))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
