"""Runs that were killed and resumed end as those that were not."""

import hashlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import minitorch_np as mt

PROGRAM = '''
import hashlib, sys, time
import numpy as np
import minitorch_np as mt
from minitorch_np.training import run

run._SECONDS = run._TIMES = 0  # keep after every step, so that kills fall into the writing as well


class Noise(mt.Layer):
    """y = x + noise, while training."""

    def forward(self, x):
        return x + self.generator.normal(size=x.shape).astype(x.dtype) if self.training else x

    def backward(self, dy):
        return dy


rng = np.random.default_rng(0)
x, y = rng.normal(size=(90, 20)).astype(np.float32), rng.integers(0, 2, 90)
layers = [mt.Input((20,)), Noise(), mt.Dense(30), mt.ReLU(), mt.Dense(1), mt.Sigmoid()]
model = mt.Sequential(layers, rng=1)
schedule = mt.schedules.CosineDecay(0.1, steps=200, warmup=5)
model.compile(mt.SGD(schedule, momentum=0.9), mt.BCELoss(), metrics=["accuracy", "auc"])
stopping = mt.callbacks.EarlyStopping("loss", patience=50, restore_best_weights=True)
print("ready", flush=True)
resume = sys.argv[1] if len(sys.argv) > 1 else None
history = model.fit(x, y, epochs=25, batch_size=16, callbacks=[stopping], validation_split=0.1, resume=resume)
whole = b"".join(w.tobytes() for w in model.get_weights()) + repr(dict(history)).encode()
print(hashlib.sha256(whole).hexdigest())
'''


def outcome(*arguments):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def kill_until_done(path, rng, kills):
    """Start the program and kill it at a random moment, over and over; then let it end."""
    killed = 0
    while killed < kills:
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            path.unlink()  # it got to its end: begin again
    return outcome(str(path))


def test_a_killed_run_ends_in_the_same_bytes(tmp_path):
    assert kill_until_done(tmp_path / "checkpoint", np.random.default_rng(0), kills=6) == outcome()


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 5)).astype(np.float32), rng.integers(0, 2, 40)


def network(units=4, rate=0.1, loss=None, rng=1, **settings):
    model = mt.Sequential([mt.Input((5,)), mt.Dense(units), mt.ReLU(), mt.Dense(1), mt.Sigmoid()], rng=rng)
    return model.compile(mt.SGD(rate, **settings), loss or mt.BCELoss(), metrics=["accuracy"])


def bits(model):
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()


class Fall(mt.Callback):
    """The power goes in one batch of one epoch."""

    def __init__(self, epoch, batch):
        self.when = epoch, batch

    def on_train_batch_end(self, batch, logs):
        if (self.model.history.epochs, batch) == self.when:
            raise OSError("the power is gone")


@pytest.mark.parametrize("when", [(0, 0), (0, 4), (1, 2), (2, 4)])
@pytest.mark.parametrize("how", ["arrays", "function"])
def test_every_moment_is_a_moment_to_go_on_from(data, tmp_path, monkeypatch, when, how):
    monkeypatch.setattr("minitorch_np.training.run._SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.run._TIMES", 0)
    x, y = data
    given = (x, y) if how == "arrays" else (lambda: ((x[i : i + 8], y[i : i + 8]) for i in range(0, 40, 8)),)

    def run(model, *more, **settings):
        plateau = mt.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1.0)
        log = mt.callbacks.CSVLogger(tmp_path / "log.csv")
        return model.fit(*given, epochs=4, batch_size=8, callbacks=[plateau, log, *more], **settings)

    straight = network(momentum=0.9)
    due = run(straight)
    log = (tmp_path / "log.csv").read_text()
    with pytest.raises(OSError, match="power"):
        run(network(momentum=0.9), Fall(*when), resume=tmp_path / "kept")
    model = network(momentum=0.9)
    assert run(model, resume=tmp_path / "kept") == due
    assert bits(model) == bits(straight)
    assert (tmp_path / "log.csv").read_text() == log
    assert model.optimizer.learning_rate == straight.optimizer.learning_rate < 0.1


def test_an_epoch_may_be_resumed_more_than_once(data, tmp_path, monkeypatch):
    """The second one falls into an epoch that was itself resumed: its order is that of its beginning."""
    monkeypatch.setattr("minitorch_np.training.run._SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.run._TIMES", 0)
    straight, model = network(), network()
    straight.fit(*data, epochs=3, batch_size=8)
    for batch in (1, 2, 3):
        with pytest.raises(OSError, match="power"):
            network().fit(*data, epochs=3, batch_size=8, callbacks=[Fall(1, batch)], resume=tmp_path / "kept")
    model.fit(*data, epochs=3, batch_size=8, resume=tmp_path / "kept")
    assert bits(model) == bits(straight)


def test_more_epochs_go_on_from_the_end(data, tmp_path):
    straight, first, second = network(), network(), network()
    straight.fit(*data, epochs=5)
    first.fit(*data, epochs=2, resume=tmp_path / "kept")
    assert second.fit(*data, epochs=5, resume=tmp_path / "kept").epochs == 5
    assert bits(second) == bits(straight)
    assert network().fit(*data, epochs=5, resume=tmp_path / "kept") == straight.history  # nothing is left to do
    first.fit(*data, epochs=5, resume=tmp_path / "kept")
    assert bits(first) == bits(straight)


def test_an_unseeded_run_goes_on_too(data, tmp_path):
    model = network(rng=None)
    model.fit(*data, epochs=2, resume=tmp_path / "kept")
    other = network(rng=None)
    other.fit(*data, epochs=2, resume=tmp_path / "kept")
    assert bits(other) == bits(model)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"units": 6}, r"layer dense_1 is Dense\(units=6\) here and Dense\(units=4\) there"),
        ({"momentum": 0.9}, r"optimizer is SGD with .*'momentum': 0\.9.* here and"),
        ({"rate": 0.2}, r"learning_rate is 0\.2 here and 0\.1 there"),
        ({"loss": mt.MSELoss()}, r"loss is MSELoss\(\) here and BCELoss\(\) there"),
    ],
)
def test_another_run_is_refused_by_name(data, tmp_path, other, message):
    network().fit(*data, epochs=1, resume=tmp_path / "kept")
    model = network(**other)
    before = bits(model)
    with pytest.raises(mt.ModelFileError, match=message):
        model.fit(*data, epochs=2, resume=tmp_path / "kept")
    assert bits(model) == before


def test_other_data_and_settings_are_refused(data, tmp_path):
    network().fit(*data, epochs=1, resume=tmp_path / "kept")
    x, y = data
    changed = x.copy()
    changed[3, 3] += 1e-6
    with pytest.raises(mt.ModelFileError, match="data is other examples here"):
        network().fit(changed, y, epochs=2, resume=tmp_path / "kept")
    with pytest.raises(mt.ModelFileError, match="batch_size is 8 here and 32 there"):
        network().fit(x, y, epochs=2, batch_size=8, resume=tmp_path / "kept")


def test_a_damaged_checkpoint_and_a_missing_folder_are_said_before_training(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*none does not exist"):
        network().fit(*data, resume=tmp_path / "none" / "kept")
    network().fit(*data, resume=tmp_path / "kept")
    content = bytearray((tmp_path / "kept").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "kept").write_bytes(content)
    with pytest.raises(mt.ModelFileError):
        network().fit(*data, epochs=2, resume=tmp_path / "kept")
    network().save(tmp_path / "m.keras")
    with pytest.raises(mt.ModelFileError, match="it is no checkpoint"):
        network().fit(*data, resume=tmp_path / "m.keras")


if __name__ == "__main__":
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        kills = int(sys.argv[1])
        same = kill_until_done(Path(folder) / "checkpoint", np.random.default_rng(1), kills) == outcome()
        print(f"{kills} kills: the same bytes: {same}")
