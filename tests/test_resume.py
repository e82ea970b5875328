"""Runs that were killed and resumed end as those that were not."""

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter, deque

import h5py
import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.state import same
from minitorch_np.saving import archive, plain_data
from minitorch_np.source import Source

PROGRAM = '''
import hashlib, pathlib, sys, time
import numpy as np
import minitorch_np as mt
from minitorch_np.training import kept_run

kept_run.SECONDS = kept_run.TIMES = 0  # keep after every step, so that kills fall into the writing as well
how, folder, resume = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:] == ["resume"]


class Noise(mt.Layer):
    """y = x + noise, while training and from some step on: its generator may be made late."""

    def __init__(self, start=0):
        self.start = start

    def build(self, input_shape):
        self.calls = self.add_parameter((1,), "zeros", trainable=False)

    def forward(self, x):
        if not self.training:
            return x
        self.calls.value += 1
        late = self.calls.value[0] > self.start
        return x + self.generator.normal(size=x.shape).astype(x.dtype) if late else x

    def backward(self, dy):
        return dy


class Center(mt.Layer):
    """y = x - the running mean, which is kept and not learnt."""

    def build(self, input_shape):
        self.mean = self.add_parameter(input_shape, "zeros", trainable=False)

    def forward(self, x):
        if self.training:
            self.mean.value[...] = 0.9 * self.mean.value + 0.1 * x.mean(axis=0)
        return x - self.mean.value

    def backward(self, dy):
        return dy


class Gap(mt.Callback):
    """Writes into the logs of an epoch, from the second one on."""

    def on_epoch_end(self, epoch, logs):
        if epoch:
            logs["gap"] = np.float32(logs["val_loss"] - logs["loss"])


def events(folder):
    """What is in the event files, record by record."""
    from tensorboardX.proto.event_pb2 import Event

    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = Event.FromString(content[12 : 12 + length])
            yield from ((event.step, value.tag, value.simple_value) for value in event.summary.value)
            content = content[16 + length :]


class Gap(mt.Callback):
    """Adds to the logs, in some epochs alone, and counts in plain attributes."""

    kept = ("count",)
    count = 0

    def on_train_batch_end(self, batch, logs):
        self.count += 1

    def on_epoch_end(self, epoch, logs):
        logs["steps"] = self.count
        if epoch % 3 == 1:
            logs["now_and_then"] = epoch / 7


def events_in(place):
    """Every (step, tag, value), in order."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in place.glob("events.*"):
        content, start = path.read_bytes(), 0
        while start < len(content):
            size = int.from_bytes(content[start : start + 8], "little")
            event = Event.FromString(content[start + 12 : start + 12 + size])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            start += size + 16
    return sorted(found)


rng = np.random.default_rng(0)
x, y = rng.normal(size=(90, 20)).astype(np.float32), rng.integers(0, 2, 90)
held_out = x[:20], y[:20]
inner = mt.Sequential([mt.Dense(30), Noise(40), mt.BatchNormalization(), mt.ReLU(), mt.Dropout(0.3)], rng=5)
layers = [mt.Input((20,)), Noise(), Center(), inner, mt.Dense(1), mt.Sigmoid()]
model = mt.Sequential(layers, rng=np.random.default_rng(1))
schedule = mt.schedules.CosineDecay(0.1, steps=200, warmup=5)
optimizer = mt.SGD(schedule, momentum=0.9) if how == "arrays" else mt.Adam(0.01)
model.compile(optimizer, mt.BCELoss(), metrics=["accuracy", "auc", mt.metrics.F1Score()])
best = mt.callbacks.ModelCheckpoint(folder / "best.weights.h5", "val_loss", save_best_only=True)
callbacks = [Gap(), mt.callbacks.EarlyStopping("loss", patience=50, restore_best_weights=True), best]
callbacks += [mt.callbacks.CSVLogger(folder / "log.csv", append=how == "function"), mt.callbacks.TerminateOnNaN()]
callbacks += [mt.callbacks.ModelCheckpoint(folder / "every.weights.h5")]
settings = dict(epochs=15, callbacks=callbacks, validation_data=held_out, class_weight={0: 1.0, 1: 2.0}, log_dir=folder / "events")
settings |= dict(resume=folder / "checkpoint") if resume else {}
if how != "arrays":
    callbacks += [mt.callbacks.ReduceLROnPlateau("loss", patience=2), mt.callbacks.LearningRateScheduler(lambda e, r: r * 0.99)]
print("ready", flush=True)
if how == "arrays":
    history = model.fit(x, y, batch_size=16, **settings)
elif how == "stream":
    history = model.fit(mt.datasets.HDF5Dataset(folder.parent / "data.h5", block_bytes=1600), batch_size=16, **settings)
elif how == "function":
    history = model.fit(lambda: ((x[i : i + 16], y[i : i + 16]) for i in range(0, 90, 16)), **settings)
else:
    batches = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 90, 16)]
    history = model.fit(batches, steps_per_epoch=4, **settings)
parts = {
    "weights": b"".join(w.tobytes() for w in model.get_weights()),
    "history": repr((dict(history), vars(model.input_range))).encode(),
    "optimizer": b"".join(v.tobytes() for state in model.optimizer.state.values() for v in state.values()),
    "log": (folder / "log.csv").read_bytes(),
    "best": (folder / "best.weights.h5").read_bytes(),
    "every": (folder / "every.weights.h5").read_bytes(),
    "events": repr(events_in(folder / "events")).encode(),
}
if len(set(events_in(folder / "events"))) != len(events_in(folder / "events")):
    print("events written twice", file=sys.stderr)
print(" ".join(f"{name}:{hashlib.sha256(part).hexdigest()}" for name, part in parts.items()))
'''

HOW = ("arrays", "function", "list", "stream")


def started(how, folder, *arguments):
    folder.mkdir(exist_ok=True)
    if how == "stream" and not (folder.parent / "data.h5").exists():
        rng = np.random.default_rng(0)
        with h5py.File(folder.parent / "data.h5", "w") as file:
            file.create_dataset("train_set_x", data=rng.normal(size=(90, 20)).astype(np.float32), chunks=(10, 20))
            file["train_set_y"] = rng.integers(0, 2, 90)
    command = [sys.executable, "-c", PROGRAM, how, str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def outcome(process):
    printed, _ = process.communicate()
    assert process.returncode == 0
    return printed.splitlines()[-1].split()


def kill_until_done(how, folder, rng, kills):
    """Start the program and kill it at a random moment, over and over; then let it end."""
    killed = 0
    while killed < kills:
        process = started(how, folder, "resume")
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if process.returncode == 0:  # it got to its end: begin again
            shutil.rmtree(folder)
    return outcome(started(how, folder, "resume"))


@pytest.mark.parametrize("how", HOW)
def test_a_killed_run_ends_in_the_same_bytes(tmp_path, how):
    due = outcome(started(how, tmp_path / "straight"))
    assert kill_until_done(how, tmp_path / "killed", np.random.default_rng(0), kills=2) == due


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
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)
    x, y = data
    given = (x, y) if how == "arrays" else (lambda: ((x[i : i + 8], y[i : i + 8]) for i in range(0, 40, 8)),)

    def run(model, *more, **settings):
        plateau = mt.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1.0)
        log = mt.callbacks.CSVLogger(tmp_path / "log.csv")
        settings |= {"batch_size": 8} if how == "arrays" else {}
        return model.fit(*given, epochs=4, callbacks=[plateau, log, *more], **settings)

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
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)
    straight, model = network(), network()
    straight.fit(*data, epochs=3, batch_size=8)
    for batch in (1, 2, 3):
        with pytest.raises(OSError, match="power"):
            network().fit(*data, epochs=3, batch_size=8, callbacks=[Fall(1, batch)], resume=tmp_path / "kept")
    model.fit(*data, epochs=3, batch_size=8, resume=tmp_path / "kept")
    assert bits(model) == bits(straight)


def test_the_rate_is_known_between_the_last_step_and_the_end_of_its_epoch(data, tmp_path, monkeypatch):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)

    class Rates(mt.Callback):
        def __init__(self, falls):
            self.falls, self.seen = falls, []

        def on_epoch_end(self, epoch, logs):
            if self.falls:
                raise OSError("the power is gone")
            self.seen.append(self.model.optimizer.rate)

    with pytest.raises(OSError, match="power"):
        network().fit(*data, batch_size=8, callbacks=[Rates(True)], resume=tmp_path / "kept")
    rates = Rates(False)
    network().fit(*data, batch_size=8, callbacks=[rates], resume=tmp_path / "kept")
    assert rates.seen == [0.1]


def test_more_epochs_go_on_from_the_end(data, tmp_path):
    straight, first, second = network(), network(), network()
    straight.fit(*data, epochs=5)
    first.fit(*data, epochs=2, resume=tmp_path / "kept")
    assert second.fit(*data, epochs=5, resume=tmp_path / "kept").epochs == 5
    assert bits(second) == bits(straight)
    assert network().fit(*data, epochs=5, resume=tmp_path / "kept") == straight.history  # nothing is left to do
    first.fit(*data, epochs=5, resume=tmp_path / "kept")
    assert bits(first) == bits(straight)


def test_the_end_of_a_run_with_nothing_left_has_the_logs_of_the_last_epoch(data, tmp_path):
    class Note(mt.Callback):
        def on_train_end(self, logs):
            self.logs = logs

    notes = Note(), Note()
    for note in notes:
        history = network().fit(*data, epochs=2, callbacks=[note], resume=tmp_path / "kept")
    assert notes[0].logs == notes[1].logs == {name: values[-1] for name, values in history.items()}


def test_an_unseeded_run_continues_too(data, tmp_path):
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


def test_other_validation_data_callbacks_and_batches_are_refused(data, tmp_path):
    x, y = data

    def run(validation_data=(x[:9], y[:9]), callbacks=(), given=None, **settings):
        given = given or (lambda: iter([(x[:20], y[:20]), (x[20:], y[20:])]))
        settings |= {"validation_data": validation_data, "callbacks": callbacks, "resume": tmp_path / "kept"}
        return network().fit(given, epochs=2, **settings)

    run()
    with pytest.raises(mt.ModelFileError, match="validation data is other examples here"):
        run(validation_data=(x[:8], y[:8]))
    with pytest.raises(mt.ModelFileError, match=r"callbacks is EarlyStopping here and none there"):
        run(callbacks=[mt.callbacks.EarlyStopping("loss")])
    with pytest.raises(mt.ModelFileError, match="steps_per_epoch is 1 here and None there"):
        run(steps_per_epoch=1)
    with pytest.raises(mt.ModelFileError, match=r"class_weight is \{0: 1, 1: 2\} here and None there"):
        run(class_weight={0: 1, 1: 2})
    with pytest.raises(mt.ModelFileError, match="data is other examples here"):
        run(given=lambda: iter([(x[1:21], y[:20])]))
    with pytest.raises(ValueError, match=r"an iterator cannot start again\. Give the function"):
        run(given=iter([(x, y)]))


@pytest.mark.parametrize(
    ("then", "here", "message"),
    [
        ({"patience": 5}, {"patience": 3}, "EarlyStopping.patience is 3 here and 5 there"),
        ({"monitor": "loss"}, {"monitor": "accuracy"}, "EarlyStopping.monitor is 'accuracy' here and 'loss' there"),
        ({"min_delta": 0.1}, {}, "EarlyStopping.min_delta is 0.0 here and 0.1 there"),
    ],
)
def test_callbacks_that_are_set_otherwise_are_refused_by_name(data, tmp_path, then, here, message):
    def run(epochs, log, **settings):
        used = [mt.callbacks.EarlyStopping(**{"monitor": "loss", "patience": 3, **settings})]
        used += [mt.callbacks.CSVLogger(tmp_path / log)]
        return network().fit(*data, epochs=epochs, callbacks=used, resume=tmp_path / "kept")

    run(1, "a.csv", **then)
    with pytest.raises(mt.ModelFileError, match=message):
        run(3, "a.csv", **here)
    assert run(3, "b.csv", **then).epochs == 3  # the place of a log is not a setting


def test_another_schedule_is_refused_and_the_same_continues(data, tmp_path):
    def run(epochs, schedule):
        used = [mt.callbacks.LearningRateScheduler(schedule), mt.callbacks.EarlyStopping("loss", patience=9)]
        return network().fit(*data, epochs=epochs, callbacks=used, resume=tmp_path / "kept")

    run(1, lambda epoch: 0.1)
    assert run(2, lambda epoch: 0.1).epochs == 2  # another object of the same name, elsewhere in memory
    with pytest.raises(mt.ModelFileError, match=r"LearningRateScheduler.schedule is StepDecay\(.* here and <function"):
        run(3, mt.schedules.StepDecay(0.1, every=2))


CODE = """
def rate(epoch): return {number}
class Cut(mt.Loss):
    def forward(self, prediction, target):
        self.cache = prediction - target
        return (self.cache**2).mean()
    def backward(self): return {number} * self.cache / self.cache.size
class Half(mt.Layer):
    def forward(self, x):
        self.cache = 1
        return {number} * x
    def backward(self, dy): return {number} * dy
class Own(mt.Optimizer):
    def update(self, parameter, state): parameter.value -= {number} * parameter.grad
class Watch(mt.Callback):
    def on_epoch_end(self, epoch, logs): self.seen = {number}
def closeness(p, t): return {number} * float(abs(p - t).mean())
def batches():
    yield x, y
    if {number} > 0.3: yield x, y
class Rows(Source):
    shape, count = (5,), 40
    def batches(self, batch_size, rng=None, skip=0): yield from [({number} * x, y)][skip:]
"""


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (lambda n: {"callbacks": [mt.callbacks.LearningRateScheduler(n["rate"])]}, "LearningRateScheduler.schedule"),
        (lambda n: {"optimizer": mt.SGD(n["rate"])}, "learning_rate"),
        (lambda n: {"loss": n["Cut"]()}, "the loss"),
        (lambda n: {"layer": n["Half"]()}, "layer half_1"),
        (lambda n: {"optimizer": n["Own"](0.1)}, "the optimizer"),
        (lambda n: {"callbacks": [n["Watch"]()]}, "callback Watch"),
        (lambda n: {"metrics": [n["closeness"]]}, "metric 1"),
        (lambda n: {"given": n["batches"]}, "data"),
        (lambda n: {"given": n["Rows"]()}, "data"),
        (lambda n: {"validation_data": n["batches"]}, "validation data"),
    ],
)
def test_changed_code_is_warned_of_by_name_and_the_same_is_not(data, tmp_path, what, name):
    x, y = data

    def run(number, epochs):
        namespace = {"mt": mt, "Source": Source, "x": x, "y": y, "__name__": "program"}
        exec(CODE.format(number=number), namespace)
        chosen = what(namespace)
        layers = [mt.Input((5,)), mt.Dense(1), *([chosen["layer"]] if "layer" in chosen else []), mt.Sigmoid()]
        model = mt.Sequential(layers, rng=0)
        model.compile(
            chosen.get("optimizer") or mt.SGD(0.1), chosen.get("loss") or mt.MSELoss(), chosen.get("metrics", [])
        )
        settings = {key: chosen[key] for key in ("callbacks", "validation_data") if key in chosen}
        given = (chosen["given"],) if "given" in chosen else (x, y)
        return model.fit(*given, epochs=epochs, resume=tmp_path / "kept", **settings)

    run(0.25, 1)
    run(0.25, 2)
    with pytest.warns(UserWarning, match=f"the code of {name} has changed, .* may end in other bits"):
        run(0.5, 3)
    run(0.5, 4)


def test_the_conditions_of_the_same_bits_are_compared(data, tmp_path, monkeypatch):
    network().fit(*data, epochs=1, resume=tmp_path / "kept")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    with pytest.warns(UserWarning, match=r"number of BLAS threads was \d+ and is 7\. .* other bits"):
        network().fit(*data, epochs=2, resume=tmp_path / "kept")
    network().fit(*data, epochs=3, resume=tmp_path / "kept")
    monkeypatch.setattr(np, "__version__", "1.0")
    with pytest.warns(UserWarning, match=r"NumPy was .* and is 1\.0"):
        network().fit(*data, epochs=4, resume=tmp_path / "kept")


def test_a_later_batch_of_a_list_that_changed_is_refused(data, tmp_path):
    x, y = data
    network().fit([(x[:20], y[:20]), (x[20:], y[20:])], resume=tmp_path / "kept")
    with pytest.raises(mt.ModelFileError, match="data is other examples here"):
        network().fit([(x[:20], y[:20]), (x[20:] + 1, y[20:])], epochs=2, resume=tmp_path / "kept")


def test_other_weights_are_refused_as_weights(data, tmp_path):
    weights = np.linspace(0.5, 1.5, 40)
    network().fit(*data, sample_weight=weights, resume=tmp_path / "kept")
    with pytest.raises(mt.ModelFileError, match=r"another run: weights is an array with SHA-256 \w+ here and an array"):
        network().fit(*data, epochs=2, sample_weight=weights[::-1], resume=tmp_path / "kept")
    with pytest.raises(mt.ModelFileError, match="another run: weights is None here and an array"):
        network().fit(*data, epochs=2, resume=tmp_path / "kept")
    with pytest.raises(mt.ModelFileError, match=r"another run: class_weight is \{0: 1, 1: 2\} here and None there"):
        network().fit(*data, epochs=2, class_weight={0: 1, 1: 2}, resume=tmp_path / "kept")


class Freeze(mt.Callback):
    """Freezes the first kernel before one epoch, and lets it learn again before another."""

    def __init__(self, frozen, thawed=None):
        self.frozen, self.thawed = frozen, thawed

    def on_epoch_begin(self, epoch, logs):
        if epoch in (self.frozen, self.thawed):
            self.model.parameters()["dense_1.kernel"].trainable = epoch == self.thawed


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
@pytest.mark.parametrize("callback", [Freeze(0), Freeze(2), Freeze(1, 3)], ids=lambda c: f"{c.frozen}-{c.thawed}")
@pytest.mark.parametrize("same_object", [False, True])
def test_what_a_callback_froze_stays_frozen(data, tmp_path, callback, stop, same_object):
    straight, first, second = network(momentum=0.9), network(momentum=0.9), network(momentum=0.9)
    second = first if same_object else second
    straight.fit(*data, epochs=5, callbacks=[callback])
    first.fit(*data, epochs=stop, callbacks=[callback], resume=tmp_path / "kept")
    second.fit(*data, epochs=5, callbacks=[callback], resume=tmp_path / "kept")
    assert bits(second) == bits(straight)
    for mine, due in zip(second.parameters().values(), straight.parameters().values(), strict=True):
        assert mine.trainable == due.trainable


def test_what_is_frozen_is_frozen_again_within_an_epoch(data, tmp_path, monkeypatch):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)
    straight, model = network(), network()
    straight.fit(*data, epochs=3, batch_size=8, callbacks=[Freeze(1)])
    with pytest.raises(OSError, match="power"):
        network().fit(*data, epochs=3, batch_size=8, callbacks=[Freeze(1), Fall(1, 2)], resume=tmp_path / "kept")
    model.fit(*data, epochs=3, batch_size=8, callbacks=[Freeze(1)], resume=tmp_path / "kept")
    assert bits(model) == bits(straight)


@pytest.mark.parametrize("then", [False, True])
def test_other_frozen_parameters_are_refused_by_name(data, tmp_path, then):
    def run(frozen, epochs):
        model = network()
        model.parameters()["dense_2.bias"].trainable = not frozen
        return model.fit(*data, epochs=epochs, resume=tmp_path / "kept")

    run(then, 1)
    states = (r"\(1,\), frozen", r"\(1,\)")
    message = r"shape of dense_2.bias is {} here and {} there\.".format(*(states if not then else states[::-1]))
    with pytest.raises(mt.ModelFileError, match=message):
        run(not then, 2)
    assert run(then, 2).epochs == 2


def test_a_refused_resume_changes_nothing(data, tmp_path):
    log = mt.callbacks.CSVLogger(tmp_path / "log.csv")
    network().fit(*data, epochs=2, callbacks=[log], resume=tmp_path / "kept")
    before = (tmp_path / "log.csv").read_text()
    model = network(rate=0.2)
    model.fit(*data, epochs=1)
    history = model.history
    with pytest.raises(mt.ModelFileError, match="learning_rate"):
        model.fit(*data, epochs=3, callbacks=[log], resume=tmp_path / "kept")
    assert (tmp_path / "log.csv").read_text() == before
    assert model.history is history


def test_a_log_that_continues_has_no_line_twice(data, tmp_path, monkeypatch):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", 1000)  # kept at the end alone
    path = tmp_path / "log.csv"
    path.write_text("epoch,loss,accuracy\n0,1.0,0.5\n")

    def run(epochs, *more):
        log = mt.callbacks.CSVLogger(path, append=True)
        return network().fit(*data, epochs=epochs, batch_size=8, callbacks=[log, *more], resume=tmp_path / "kept")

    run(2)
    with pytest.raises(OSError, match="power"):
        run(6, Fall(4, 0))
    assert [line[0] for line in path.read_text().splitlines()] == ["e", "0", *"0123"]
    run(6)
    assert [line[0] for line in path.read_text().splitlines()] == ["e", "0", *"012345"]


class Explode(mt.Callback):
    """A step after which the weights are not finite."""

    def __init__(self, epoch):
        self.when = epoch

    def on_epoch_end(self, epoch, logs):
        if epoch == self.when:
            next(iter(self.model.parameters().values())).value[0, 0] = np.inf


def test_divergence_spoils_no_checkpoint(data, tmp_path, monkeypatch):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)
    straight, model = network(), network()
    straight.fit(*data, epochs=6)
    for _ in range(2):
        broken = network()
        with pytest.raises(FloatingPointError, match=r"put back to those after \d+ steps"):
            broken.fit(*data, epochs=6, callbacks=[Explode(3)], resume=tmp_path / "kept")
        assert all(np.isfinite(weight).all() for weight in broken.get_weights())
    model.fit(*data, epochs=6, resume=tmp_path / "kept")
    assert bits(model) == bits(straight)


class Rounded(mt.Metric):
    """Gathers a NumPy number, whose type decides how it is added to."""

    name = "rounded"

    def reset(self):
        self.total = np.float32(0)
        self.parts = []

    def update(self, prediction, target):
        self.total += prediction.sum()
        self.parts += [float(value) for value in prediction.ravel()]

    def result(self):
        return float(self.total) + sum(self.parts)


def test_what_was_gathered_comes_back_in_its_own_type(data, tmp_path, monkeypatch):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)

    def run(*callbacks, **settings):
        model = network()
        model.compile(model.optimizer, model.loss, metrics=[Rounded()])
        return model.fit(*data, epochs=2, batch_size=8, callbacks=callbacks, **settings)

    with pytest.raises(OSError, match="power"):
        run(Fall(1, 2), resume=tmp_path / "kept")
    assert run(resume=tmp_path / "kept") == run()


class NumPyNumber(mt.Metric):
    """Its result is a NumPy number, not a float."""

    name = "numpy_number"

    def reset(self):
        self.total = np.float64(0)

    def update(self, prediction, target):
        self.total += np.abs(prediction - target).mean()

    def result(self):
        return self.total


class Listing(mt.Callback):
    """Keeps something of every epoch, in a list of dictionaries."""

    kept = ("seen", "counts", "recent")

    def on_train_begin(self, logs):
        self.seen, self.counts, self.recent = [], Counter(), deque(maxlen=3)

    def on_epoch_end(self, epoch, logs):
        self.seen.append({"epoch": epoch, "pair": (epoch, logs["loss"]), "set": {epoch}, 3: None})
        self.counts[epoch % 2] += 1
        self.recent.append(epoch)


def test_a_checkpoint_has_as_many_parts_after_many_epochs_as_after_few(data, tmp_path):
    def parts(epochs):
        model = network()
        model.compile(model.optimizer, model.loss, [NumPyNumber()])
        model.fit(*data, epochs=epochs, batch_size=None, resume=tmp_path / f"{epochs}")
        with zipfile.ZipFile(tmp_path / f"{epochs}") as file:
            return file.namelist()

    assert parts(3) == parts(60)


def test_a_checkpoint_holds_long_histories_and_many_arrays(tmp_path):
    rng = np.random.default_rng(0)
    state = {
        "floats": rng.normal(size=100_000).tolist(),
        "numbers": list(rng.normal(size=100_000).astype(np.float32)),
        "arrays": [rng.normal(size=(n % 4, 3)) for n in range(30_000)],
        "columns": [np.asfortranarray(rng.normal(size=(4, 3))) for _ in range(20)],
        "empty": [np.zeros((0, 3)), {}, [], ()],
        "with_gaps": [None if n % 3 else float(n) for n in range(10_000)],
        "pair": (1, "a", {2, 3}, 1j, float("inf")),
    }
    arrays = plain_data.Arrays()
    described = json.loads(json.dumps(plain_data.take_out(state, arrays)))
    assert len(json.dumps(described)) < 200_000
    assert same(plain_data.put_back(described, b"".join(arrays.parts)), state)


def test_containers_come_back_as_what_they_were(data, tmp_path):
    straight, first, second = Listing(), Listing(), Listing()
    network().fit(*data, epochs=5, callbacks=[straight])
    network().fit(*data, epochs=2, callbacks=[first], resume=tmp_path / "kept")
    network().fit(*data, epochs=5, callbacks=[second], resume=tmp_path / "kept")
    for name in Listing.kept:
        assert getattr(second, name) == getattr(straight, name)
        assert type(getattr(second, name)) is type(getattr(straight, name))
    assert second.recent.maxlen == 3


def forge(path, change):
    """Change a checkpoint's description and make its sums right again."""
    with zipfile.ZipFile(path) as file:
        files = {name: file.read(name) for name in file.namelist() if name != "sha256.json"}
    described = json.loads(files["state.json"])
    change(dict(described["state"]["dict"]), described)
    path.write_bytes(archive.pack({**files, "state.json": json.dumps(described).encode()}))


class Named(mt.Metric):
    """Has a place that is not an argument."""

    name = "named"

    def __init__(self):
        self.place = "mine"

    def score(self, prediction, target):
        return float(prediction.sum())


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("callbacks", "filepath", "victim.keras"),
        ("callbacks", "model", 1),
        ("callbacks", "on_epoch_end", 1),
        ("metrics", "place", "victim"),
        ("metrics", "score", 1),
        ("metrics", "name", "loss"),
        ("optimizer", "update", 1),
        ("optimizer", "_buffers", {"dict": []}),
        ("optimizer", "file", "victim"),
    ],
)
def test_a_checkpoint_sets_only_what_is_meant_to_be_kept(data, tmp_path, where, name, value):
    def run(epochs):
        model = network()
        model.compile(model.optimizer, model.loss, [Named()])
        keeps = mt.callbacks.ModelCheckpoint(tmp_path / "mine.weights.h5")
        return model.fit(*data, epochs=epochs, callbacks=[keeps], resume=tmp_path / "kept")

    def change(state, described):
        part = state[where] if where == "optimizer" else state[where][0]
        part["dict"] = [pair for pair in part["dict"] if pair[0] != name] + [[name, value]]

    run(1)
    forge(tmp_path / "kept", change)
    with pytest.raises(mt.ModelFileError):
        run(2)


def test_a_checkpoint_moves_no_attribute_of_the_run(data, tmp_path):
    network().fit(*data, epochs=1, resume=tmp_path / "kept")
    forge(tmp_path / "kept", lambda state, described: state["position"]["dict"].append(["checkpoint", None]))
    assert network().fit(*data, epochs=2, resume=tmp_path / "kept").epochs == 2


class Curriculum:
    """A user-defined iterable that shuffles with its own generator and counts its epochs."""

    def __init__(self, x, y):
        self.x, self.y, self.rng, self.epoch = x, y, np.random.default_rng(3), 0

    def __iter__(self):
        order = self.rng.permutation(len(self.x))[: 20 + 4 * self.epoch]
        self.epoch += 1
        for start in range(0, len(order), 8):
            rows = order[start : start + 8]
            yield self.x[rows], self.y[rows]


class Rows(Source):
    """A user-defined Source with its own generator."""

    shape = (5,)

    def __init__(self, x, y):
        self.x, self.y, self.mine = x, y, np.random.default_rng(4)

    def batches(self, batch_size, rng=None, skip=0):
        order = self.mine.permutation(len(self.x))
        for start in range(8 * skip, len(order), 8):
            yield self.x[order[start : start + 8]], self.y[order[start : start + 8]]


def shuffled(x, y):
    rng = np.random.default_rng(5)

    def batches():
        order = rng.permutation(len(x))
        for start in range(0, len(order), 8):
            noise = rng.normal(size=(8, 5)).astype(np.float32)
            yield x[order[start : start + 8]] + 0.1 * noise, y[order[start : start + 8]]

    return batches


@pytest.mark.parametrize("when", [(0, 0), (0, 2), (1, 0), (2, 3)])
@pytest.mark.parametrize(
    ("make", "steps"), [(Curriculum, None), (Curriculum, 3), (Rows, None), (shuffled, None), (shuffled, 3)]
)
def test_data_that_draw_their_own_order_go_on_in_the_same_one(data, tmp_path, monkeypatch, make, when, steps):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)
    straight, model = network(), network()
    when = (when[0], min(when[1], (steps or 9) - 1))
    straight.fit(make(*data), epochs=5, steps_per_epoch=steps)
    with pytest.raises(OSError, match="power"):
        network().fit(make(*data), epochs=5, callbacks=[Fall(*when)], steps_per_epoch=steps, resume=tmp_path / "kept")
    model.fit(make(*data), epochs=5, steps_per_epoch=steps, resume=tmp_path / "kept")
    assert bits(model) == bits(straight)


class Warmer(mt.Callback):
    """Counts in plain attributes that `kept` does not name, and stops training by them."""

    def __init__(self, patience):
        self.patience, self.seen, self.best = patience, [], None

    def on_train_begin(self, logs):
        self.waited = 0

    def on_epoch_end(self, epoch, logs):
        self.seen.append(logs["loss"])
        self.waited += 1
        if self.waited == self.patience:
            self.model.optimizer.learning_rate *= 0.5
            self.model.optimizer.momentum = 0.5
            self.waited = 0


class Momentum(mt.Optimizer):
    """Keeps its past in attributes of its own."""

    def __init__(self, learning_rate=0.1):
        super().__init__(learning_rate)
        self.past, self.momentum, self.calls = {}, 0.9, 0

    def update(self, parameter, state):
        self.calls += 1
        key = parameter.shape
        self.past[key] = self.past.get(key, 0) * self.momentum + parameter.grad
        parameter.value -= self.rate / (1 + 0.01 * self.calls) * self.past[key]


class Annealed(mt.Loss):
    """Counts its calls, and weighs by them."""

    calls = 0

    def forward(self, prediction, target):
        self.calls += self.keep_cache
        self.scale = 1 / (1 + 0.1 * self.calls)
        self.cache = prediction - target
        return self.scale * (self.cache**2).mean()

    def backward(self):
        return 2 * self.scale * self.cache / self.cache.size


class Falling:
    """A schedule that remembers what it returned."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        self.rate *= 0.97
        return self.rate


OBJECTS = {
    "a callback": lambda: {"callbacks": [Warmer(2), Warmer(1)]},
    "an optimizer": lambda: {"optimizer": Momentum()},
    "both": lambda: {"optimizer": Momentum(), "callbacks": [Warmer(2)]},
    "a loss": lambda: {"loss": Annealed()},
    "a schedule": lambda: {"optimizer": mt.SGD(Falling(0.2))},
    "a schedule by epochs": lambda: {"callbacks": [mt.callbacks.LearningRateScheduler(Falling(0.2))]},
    "a metric": lambda: {"metrics": [Rounded()]},
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("when", [(0, 2), (1, 0), (2, 4)])
def test_objects_of_ones_own_go_on_with_what_they_had_gathered(data, tmp_path, monkeypatch, make, when):
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", -1)
    monkeypatch.setattr("minitorch_np.training.kept_run.TIMES", 0)

    def run(*more, **settings):
        made = make()
        model = network()
        model.compile(made.get("optimizer", mt.SGD(0.1)), made.get("loss", mt.MSELoss()), made.get("metrics", []))
        callbacks = made.get("callbacks", [])
        history = model.fit(*data, epochs=5, batch_size=8, callbacks=[*callbacks, *more], **settings)
        gathered = [
            {name: value for name, value in vars(one).items() if name not in ("model", "params", "schedule")}
            for one in callbacks
        ]
        return bits(model), dict(history), gathered, model.optimizer.get_state()["iteration"]

    straight = run()
    with pytest.raises(OSError, match="power"):
        run(Fall(*when), resume=tmp_path / "kept")
    assert run(resume=tmp_path / "kept") == straight


class Phases(mt.Callback):
    def on_train_begin(self, logs):
        self.phase, self.notes = "first", []

    def on_epoch_end(self, epoch, logs):
        self.phase = "second"
        self.notes.append((epoch, "text"))


@pytest.mark.parametrize("name", ["phase", "notes"])
@pytest.mark.filterwarnings("ignore:.*holds text")
def test_text_that_changes_is_warned_of(data, tmp_path, name):
    message = rf'Phases\.{name} has changed and holds text, .* Write kept = \("{name}",\) in the class'
    with pytest.warns(UserWarning, match=message):
        network().fit(*data, epochs=2, callbacks=[Phases()], resume=tmp_path / "kept")


def test_generators_in_lists_and_older_ones_go_on(data, tmp_path):
    class Noises(mt.Layer):
        def __init__(self):
            self.several = [np.random.default_rng(1), np.random.default_rng(2)]
            self.by_name = {"old": np.random.RandomState(3), "plain": random.Random(4)}

        def forward(self, x):
            self.cache = 1
            if not self.training:
                return x
            drawn = self.several[0].normal() + self.several[1].normal() + self.by_name["old"].normal()
            return x + x.dtype.type(drawn + self.by_name["plain"].random())

        def backward(self, dy):
            return dy

    def run(epochs, **settings):
        model = mt.Sequential([mt.Input((5,)), Noises(), mt.Dense(1), mt.Sigmoid()], rng=0)
        model.compile(mt.SGD(0.1), mt.BCELoss()).fit(*data, epochs=epochs, batch_size=8, **settings)
        return bits(model)

    straight = run(4)
    run(2, resume=tmp_path / "kept")
    assert run(4, resume=tmp_path / "kept") == straight


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\3\4"])
def test_a_file_that_is_no_checkpoint_is_kept_and_named(tmp_path, content):
    (tmp_path / "notes").write_bytes(content)
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.01), mt.MSELoss())
    with pytest.raises(mt.ModelFileError, match=r"it is not a checkpoint\. Give resume another path"):
        model.fit(np.ones((2, 1)), np.ones(2), resume=tmp_path / "notes")
    assert (tmp_path / "notes").read_bytes() == content


def test_a_damaged_checkpoint_and_a_missing_folder_are_reported_before_training(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*none does not exist"):
        network().fit(*data, resume=tmp_path / "none" / "kept")
    network().fit(*data, resume=tmp_path / "kept")
    content = bytearray((tmp_path / "kept").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "kept").write_bytes(content)
    with pytest.raises(mt.ModelFileError):
        network().fit(*data, epochs=2, resume=tmp_path / "kept")
    network().save(tmp_path / "m.keras")
    with pytest.raises(mt.ModelFileError, match="it is not a checkpoint"):
        network().fit(*data, resume=tmp_path / "m.keras")


if __name__ == "__main__":
    from pathlib import Path
    from tempfile import TemporaryDirectory

    for how in sys.argv[2:] or HOW:
        with TemporaryDirectory() as folder:
            due = outcome(started(how, Path(folder) / "straight"))
            kills = int(sys.argv[1])
            same = kill_until_done(how, Path(folder) / "killed", np.random.default_rng(1), kills) == due
            print(f"{how}: {kills} kills: the same bytes: {same}")
