"""Types: a user's program is clean under `mypy --strict`, and what it gets has a type."""

import subprocess
import sys
from pathlib import Path

import pytest

import minitorch_np

PROGRAM = '''
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minitorch_np as mt


class Scale(mt.Layer):
    """y = x * scale."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.scale = self.add_parameter(input_shape[-1:], "ones")

    def forward(self, x: NDArray[Any]) -> NDArray[Any]:
        self.cache = x
        return x * self.scale.value

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        self.scale.grad = (dy * self.cache).sum(axis=0)
        return dy * self.scale.value


class Net(mt.Model):
    def __init__(self) -> None:
        super().__init__(rng=0)
        self.dense = mt.Dense(1, kernel_regularizer=mt.L2(0.01))
        self.scale = Scale()

    def forward(self, x: NDArray[Any]) -> NDArray[Any]:
        return self.scale(self.dense(x))

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | None:
        return self.dense.backward(self.scale.backward(dy))


class Stop(mt.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.stop_training = epoch > 3


class Ones(mt.Source):
    def batches(
        self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[Any, ...]]:
        yield np.ones((4, 3)), np.ones(4)


x, y = np.zeros((8, 3)), np.zeros(8)
model = mt.Sequential([mt.Input((3,)), mt.Dense(5), Scale(), mt.ReLU(), mt.Dense(1), mt.Sigmoid()], rng=0)
model.compile(mt.Adam(0.01), mt.BCELoss(), metrics=["accuracy"])
history: mt.History = model.fit(x, y, epochs=2, batch_size=4, callbacks=[Stop(), mt.callbacks.EarlyStopping()])
losses: list[float] = history["loss"]
loss: float = model.evaluate(x, y).loss
outputs: NDArray[Any] = model.predict(x)
model.save("model.keras")
loaded = mt.load_model("model.keras")
reveal_type(loaded)
reveal_type(loaded.evaluate(x, y))
reveal_type(loaded.predict(x))
reveal_type(Net().compile(mt.SGD(0.1, momentum=0.9), mt.MSELoss()).fit(Ones(), epochs=1))
reveal_type(mt.gradcheck(Net(), (4, 3)))
'''


def test_a_program_is_clean_under_strict_mypy(tmp_path):
    pytest.importorskip("mypy", reason="needs mypy")
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(tmp_path), str(path)]
    source = Path(minitorch_np.__file__).parent.parent
    environment = {"PATH": ""}
    if source.name != "site-packages":  # mypy finds what is installed by itself, and refuses this path
        environment["MYPYPATH"] = str(source)
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    errors = [line for line in done.stdout.splitlines() if "error" in line and line.startswith("program.py")]
    assert not errors, done.stdout
    revealed = [line.split('"')[1].rpartition(".")[2] for line in done.stdout.splitlines() if "Revealed" in line]
    assert revealed == ["Model", "Scores", "dtype[Any]]", "History", "GradcheckReport"], done.stdout
