"""Callbacks, schedules and clipping: what Keras's users expect of them."""

import csv
import functools
import io
import json
import os
import signal
import sys

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import callbacks, schedules


class Feed(mt.Callback):
    """Replaces what was measured by a given list, so that the others can be tried on it."""

    def __init__(self, values, name="val_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs):
        logs[self.name] = self.values[epoch]


@pytest.fixture
def model(rng):
    made = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0)
    return made.compile(mt.SGD(0.01), mt.MSELoss())


def fit(model, epochs, *used):
    data = np.random.default_rng(0)
    return model.fit(data.normal(size=(8, 3)), data.normal(size=8), epochs=epochs, callbacks=used)


@pytest.mark.parametrize(
    ("values", "patience", "best", "stopped"),
    [([3, 2, 1, 2, 2, 2], 2, 2, 4), ([1, 2, 3, 4], 0, 0, 1), ([1, 2, 3, 4], 1, 0, 1), ([3, 2, 1, 0], 2, 3, None)],
)
def test_early_stopping_waits_as_long_as_it_is_told(model, values, patience, best, stopped):
    stopping = callbacks.EarlyStopping(patience=patience)
    history = fit(model, len(values), Feed(values), stopping)
    assert (stopping.best_epoch, stopping.stopped_epoch) == (best, stopped)
    assert history.epochs == (len(values) if stopped is None else stopped + 1)


def test_nan_is_never_the_best(model, tmp_path):
    nan = float("nan")
    stopping = callbacks.EarlyStopping(patience=9, restore_best_weights=True)
    plateau = callbacks.ReduceLROnPlateau(patience=9)
    kept = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", save_best_only=True)
    fit(model, 4, Feed([nan, 2, nan, 1]), stopping, plateau, kept)
    assert stopping.best == plateau.best == kept.best == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.keras", "4.keras"]


def test_early_stopping_restores_the_best_weights(model):
    seen = []

    class Keep(mt.Callback):
        def on_epoch_end(self, epoch, logs):
            seen.append(self.model.get_weights()[0])

    fit(model, 5, Feed([3, 1, 2, 2, 2]), Keep(), callbacks.EarlyStopping(patience=2, restore_best_weights=True))
    np.testing.assert_array_equal(model.get_weights()[0], seen[1])


def test_accuracy_is_better_when_larger_and_min_delta_counts(model):
    stopping = callbacks.EarlyStopping("val_accuracy", patience=2, min_delta=0.1)
    fit(model, 4, Feed([0.5, 0.55, 0.59, 0.9], "val_accuracy"), stopping)
    assert (stopping.best_epoch, stopping.stopped_epoch) == (0, 2)


def r2_by_hand(prediction, target):
    return 1 - ((prediction - target) ** 2).sum() / ((target - target.mean()) ** 2).sum()


class Spread(mt.Metric):
    name = "spread"

    def score(self, prediction, target):
        return float(np.ptp(prediction) * len(prediction))


@pytest.mark.parametrize(
    "watch",
    [
        lambda measure: callbacks.EarlyStopping(measure),
        lambda measure: callbacks.ReduceLROnPlateau(measure),
        lambda measure: callbacks.ModelCheckpoint("best.keras", measure, save_best_only=True),
    ],
)
@pytest.mark.parametrize("measure", ["r2_by_hand", "val_r2_by_hand", "val_spread"])
def test_auto_refuses_a_measure_without_a_known_direction(model, watch, measure, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.compile(model.optimizer, model.loss, [r2_by_hand, Spread()])
    x, y = np.ones((4, 3)), np.array([0, 1, 1, 0])
    before = model.get_weights()[0]
    message = rf"whether a larger '{measure}' is better is not known\. Give mode=\"max\" or mode=\"min\""
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, validation_data=(x, y), callbacks=[watch(measure)])
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_auto_refuses_what_a_callback_adds_under_a_name_of_its_own(model):
    with pytest.raises(ValueError, match="'val_r2' is better is not known"):
        fit(model, 2, Feed([0.1, 0.5], "val_r2"), callbacks.EarlyStopping("val_r2"))


@pytest.mark.parametrize(("values", "due"), [("max", 0.9), ("min", 0.1)])
def test_a_metric_says_which_way_is_better(model, values, due):
    class Told(Spread):
        mode = values

    class Set(mt.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["spread"] = [0.5, 0.9, 0.1][epoch]

    model.compile(model.optimizer, model.loss, [Told(), "r2", "mae"])
    stopping = callbacks.EarlyStopping("spread", patience=5)
    fit(model, 3, Set(), stopping)
    assert stopping.best == due
    for measure, rises in (("r2", True), ("val_r2", True), ("mae", False), ("val_mae", False), ("val_loss", False)):
        stopping.monitor = measure
        assert stopping.rises() is rises


@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize(
    ("callback", "without", "given"),
    [
        (
            callbacks.EarlyStopping(),
            r"'val_loss' is not measured; there is loss, accuracy\. Give fit validation_data",
            None,
        ),
        (
            callbacks.EarlyStopping("val_acc"),
            r"EarlyStopping: 'val_acc' .*loss, accuracy\. Give fit validation_data",
            r"'val_acc' is not measured; there is loss, accuracy, val_loss, val_accuracy\. Set monitor to one of these",
        ),
        (callbacks.ReduceLROnPlateau("acc"), r"ReduceLROnPlateau: 'acc'.* Set monitor", "'acc' .* Set monitor"),
        (callbacks.ModelCheckpoint("m.keras", save_best_only=True), "ModelCheckpoint: 'val_loss'.* Give fit", None),
        (callbacks.ModelCheckpoint("{val_acc}.keras"), "names 'val_acc', which", "names 'val_acc', which"),
        (callbacks.ModelCheckpoint("{epoch:02d}.weights.h5"), None, None),
    ],
)
def test_what_is_not_measured_is_reported_before_training(
    model, tmp_path, monkeypatch, validated, callback, without, given
):
    monkeypatch.chdir(tmp_path)
    model.compile(model.optimizer, mt.BCEWithLogitsLoss(), ["accuracy"])
    before, message = model.get_weights()[0], given if validated else without
    x, y = np.ones((4, 3)), np.array([0, 1, 1, 0])
    settings = {
        "callbacks": [callbacks.CSVLogger("log.csv"), callback],
        "validation_data": (x, y) if validated else None,
    }
    if message is None:
        model.fit(x, y, **settings)
        return
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, **settings)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert not list(tmp_path.iterdir())


def test_a_callback_before_it_may_measure_more(model):
    stopping = callbacks.EarlyStopping("own", patience=1, mode="min")
    assert fit(model, 9, Feed([2, 1, 3, 3], "own"), stopping).epochs == 3
    with pytest.raises(ValueError, match=r"'own' is not measured; there is loss\. Set monitor"):
        fit(model, 9, stopping, Feed([2, 1, 3, 3], "own"))


def test_a_callback_works_outside_fit(model):
    stopping = callbacks.EarlyStopping("error", mode="min")
    stopping.set_model(model)
    stopping.on_train_begin()
    for epoch, error in enumerate([2.0, 1.0, 3.0]):
        stopping.on_epoch_end(epoch, {"error": error})
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch, model.stop_training) == (1.0, 1, 2, True)
    with pytest.raises(ValueError, match=r"EarlyStopping: 'error' is not measured; there is loss\."):
        stopping.on_epoch_end(3, {"loss": 1.0})


def test_a_checkpoint_keeps_the_best(model, tmp_path):
    seen = []

    class Keep(mt.Callback):
        def on_epoch_end(self, epoch, logs):
            seen.append(self.model.get_weights()[0])

    path = tmp_path / "best.weights.h5"
    fit(model, 4, Feed([3, 1, 2, 2]), Keep(), callbacks.ModelCheckpoint(path, save_best_only=True))
    model.load_weights(path)
    np.testing.assert_array_equal(model.get_weights()[0], seen[1])


def test_a_checkpoint_may_name_the_epoch(model, tmp_path):
    fit(model, 2, callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}.weights.h5"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["01.weights.h5", "02.weights.h5"]


def test_a_folder_that_is_not_there_is_reported_before_training(model, tmp_path):
    before = model.get_weights()[0]
    for callback in (
        callbacks.ModelCheckpoint(tmp_path / "none" / "a.weights.h5"),
        callbacks.CSVLogger(tmp_path / "none" / "log.csv"),
    ):
        with pytest.raises(FileNotFoundError, match=r"does not exist\. Create it first"):
            fit(model, 2, callback)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    with pytest.raises(ValueError, match=r"filepath ends in \.keras or \.weights\.h5"):
        callbacks.ModelCheckpoint("model.txt")


def step_by_step(epoch, rate=None):
    return 0.01 if rate is None else rate / 2


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (lambda epoch, rate: rate / 2, [0.005, 0.0025, 0.00125]),
        (lambda epoch: 0.1 / (epoch + 1), [0.1, 0.05, 0.1 / 3]),
        (step_by_step, [0.005, 0.0025, 0.00125]),
        (functools.partial(max, 0.004), [0.01, 1, 2]),
        (schedules.StepDecay(0.1, every=2), [0.1, 0.1, 0.01]),
    ],
)
def test_a_scheduler_sets_the_rate_of_every_epoch(model, schedule, due):
    rates = []

    class Note(mt.Callback):
        def on_epoch_end(self, epoch, logs):
            rates.append(self.model.optimizer.learning_rate)

    fit(model, 3, callbacks.LearningRateScheduler(schedule), Note())
    np.testing.assert_allclose(rates, due)


@pytest.mark.parametrize("schedule", [0.1, None, "cosine", lambda: 0.1, lambda a, b, c: 0.1, schedules.CosineDecay])
def test_a_scheduler_refuses_what_is_no_schedule(schedule):
    message = r"LearningRateScheduler: schedule is a function \(epoch\) -> rate or .*, got .* Write Learn"
    with pytest.raises(ValueError, match=message):
        callbacks.LearningRateScheduler(schedule)


def test_an_error_inside_a_schedule_is_its_own(model):
    with pytest.raises(TypeError, match="unsupported operand"):
        fit(model, 1, callbacks.LearningRateScheduler(lambda epoch, rate: rate + "1"))


def test_the_rate_falls_on_a_plateau_and_no_further_than_it_may(model):
    rates = []

    class Note(mt.Callback):
        def on_epoch_end(self, epoch, logs):
            rates.append(self.model.optimizer.learning_rate)

    reduce = callbacks.ReduceLROnPlateau(factor=0.1, patience=2, min_lr=2e-4)
    fit(model, 8, Feed([3, 2, 2, 2, 2, 2, 2, 2]), reduce, Note())
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.01, 1e-3, 1e-3, 2e-4, 2e-4, 2e-4])


def test_a_log_has_a_line_per_epoch(model, tmp_path):
    fit(model, 2, callbacks.CSVLogger(tmp_path / "log.csv"))
    fit(model, 1, callbacks.CSVLogger(tmp_path / "log.csv", append=True))
    lines = list(csv.reader((tmp_path / "log.csv").read_text().splitlines()))
    assert lines[0] == ["epoch", "loss"]
    assert [line[0] for line in lines[1:]] == ["0", "1", "0"]


def test_history_writes_itself(model, tmp_path):
    history = fit(model, 3)
    history.to_csv(tmp_path / "h.csv")
    history.to_json(tmp_path / "h.json")
    assert len((tmp_path / "h.csv").read_text().splitlines()) == 4
    assert json.loads((tmp_path / "h.json").read_text()) == history
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    assert len(history.plot().lines) == 1


# Schedules and clipping


def test_schedules_follow_their_formulas():
    step, smooth = schedules.StepDecay(0.1, every=10), schedules.ExponentialDecay(0.1, every=10)
    np.testing.assert_allclose([step(s) for s in (0, 9, 10, 25)], [0.1, 0.1, 0.01, 0.001])
    np.testing.assert_allclose([smooth(s) for s in (0, 5, 10)], [0.1, 0.1 * 0.1**0.5, 0.01])
    cosine = schedules.CosineDecay(1.0, steps=110, warmup=10, final=0.2)
    np.testing.assert_allclose([cosine(s) for s in (0, 4, 9, 10, 60, 110, 500)], [0.1, 0.5, 1, 1, 0.6, 0.2, 0.2])
    assert repr(step) == "StepDecay(initial=0.1, every=10)"


def test_an_optimizer_follows_a_schedule_to_the_end(model):
    model.optimizer = mt.SGD(schedules.CosineDecay(0.1, steps=3))
    fit(model, 5)
    assert model.optimizer.rate == 0


@pytest.mark.parametrize("bad", [lambda: schedules.StepDecay(0.1, 0), lambda: schedules.CosineDecay(0.1, 5, warmup=5)])
def test_schedules_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match="got"):
        bad()


def stepped(gradients, **options):
    parameters = {}
    for number, gradient in enumerate(gradients):
        parameters[str(number)] = parameter = mt.Parameter(np.zeros_like(np.asarray(gradient, float)))
        parameter.grad = np.asarray(gradient, float)
    mt.SGD(1.0, **options).step(parameters)
    for parameter, gradient in zip(parameters.values(), gradients, strict=True):
        np.testing.assert_array_equal(parameter.grad, gradient)
    return [-parameter.value for parameter in parameters.values()]


def test_clipping_by_norm_by_all_norms_and_by_value():
    gradients = [[3.0, 4.0], [0.3, 0.4], [12.0]]
    for got, due in zip(stepped(gradients, clipnorm=1.0), [[0.6, 0.8], [0.3, 0.4], [1.0]], strict=True):
        np.testing.assert_allclose(got, due)
    length = np.sqrt(25 + 0.25 + 144)
    for got, due in zip(stepped(gradients, global_clipnorm=1.0), gradients, strict=True):
        np.testing.assert_allclose(got, np.array(due) / length)
    for got, due in zip(stepped(gradients, clipvalue=0.35), [[0.35, 0.35], [0.3, 0.35], [0.35]], strict=True):
        np.testing.assert_allclose(got, due)
    for got, due in zip(stepped(gradients, global_clipnorm=100.0), gradients, strict=True):
        np.testing.assert_allclose(got, due)


@pytest.mark.parametrize("options", [{"clipnorm": 1.0}, {"global_clipnorm": 1.0}])
def test_huge_gradients_are_clipped_to_the_length(options):
    p = mt.Parameter(np.zeros(4, np.float32))
    p.grad = np.full(4, 1e20, np.float32)
    mt.SGD(1.0, **options).step({"p": p})
    np.testing.assert_allclose(p.value, -0.5)


@pytest.mark.parametrize("options", [{"clipnorm": 0}, {"clipnorm": 1.0, "clipvalue": 1.0}, {"clipvalue": -1}])
def test_clipping_takes_one_positive_number(options):
    with pytest.raises(ValueError, match="give one of clipnorm, global_clipnorm and clipvalue"):
        mt.SGD(0.1, **options)


def test_event_files_for_tensorboard_hold_what_was_measured(model, tmp_path):
    pytest.importorskip("tensorboardX", reason="needs tensorboardX: pip install 'minitorch-np[tensorboard]'")
    data = np.random.default_rng(0)
    model.fit(data.normal(size=(8, 3)), data.normal(size=8), epochs=3, log_dir=tmp_path / "run")
    (events,) = (tmp_path / "run").iterdir()
    content = events.read_bytes()
    assert content.count(b"loss") == content.count(b"learning_rate") == 3


def test_a_missing_tensorboardx_is_reported_with_the_remedy(model, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"pip install 'minitorch-np\[tensorboard\]'"):
        model.fit(np.zeros((4, 3)), np.zeros(4), log_dir=tmp_path)


# A second fit, and names, paths and rates of other kinds


def test_the_best_weights_stay_over_a_second_fit(model, tmp_path):
    keep = callbacks.ModelCheckpoint(tmp_path / "b.keras", save_best_only=True)
    fit(model, 2, Feed([1.0, 0.1]), keep)
    best = model.get_weights()
    fit(model, 1, Feed([5.0]), keep)
    np.testing.assert_array_equal(mt.load_model(tmp_path / "b.keras").get_weights()[0], best[0])
    fit(model, 1, Feed([0.05]), keep)
    np.testing.assert_array_equal(mt.load_model(tmp_path / "b.keras").get_weights()[0], model.get_weights()[0])


def test_early_stopping_and_plateau_begin_anew_in_a_second_fit(model):
    stopping, plateau = callbacks.EarlyStopping(patience=1), callbacks.ReduceLROnPlateau(patience=1)
    fit(model, 3, Feed([1.0, 2.0, 3.0]), stopping, plateau)
    fit(model, 3, Feed([9.0, 8.0, 7.0]), stopping, plateau)
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (7.0, 2, None)


def test_continuing_from_the_best_of_another_model_is_reported(model, tmp_path):
    keep = callbacks.ModelCheckpoint(tmp_path / "b.keras", save_best_only=True)
    fit(model, 1, Feed([0.1]), keep)
    other = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=1).compile(mt.SGD(0.01), mt.MSELoss())
    with pytest.warns(UserWarning, match=r"ModelCheckpoint: it keeps the best val_loss of another model, 0\.1"):
        fit(other, 1, Feed([0.2]), keep)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (lambda epoch, drop=0.5: 0.01 * drop**epoch, [0.01, 0.005, 0.0025]),
        (lambda epoch, rate: 0.5 * rate, [0.005, 0.0025, 0.00125]),
        (lambda epoch, lr=None: 0.5 * lr, [0.005, 0.0025, 0.00125]),
        (lambda *both: both[1] * 0.5, [0.005, 0.0025, 0.00125]),
        (functools.partial(lambda epoch, drop: 0.01 * drop**epoch, drop=0.5), [0.01, 0.005, 0.0025]),
        (functools.partial(lambda first, epoch: first * 0.5**epoch, 0.01), [0.01, 0.005, 0.0025]),
        (lambda epoch: np.float32(0.5) ** epoch, [1, 0.5, 0.25]),
        (lambda epoch: 0.1 * min(1, epoch), [0, 0.1, 0.1]),
    ],
)
def test_a_scheduler_passes_the_rate_to_those_who_ask_for_it(model, schedule, rates):
    seen = []

    class Look(mt.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.optimizer.learning_rate)

    fit(model, 3, callbacks.LearningRateScheduler(schedule), Look())
    np.testing.assert_allclose(seen, rates, rtol=1e-6)
    assert all(type(rate) is float for rate in seen)


def test_a_rate_of_zero_leaves_the_weights_as_they_are(model):
    before = model.get_weights()
    fit(model, 2, callbacks.LearningRateScheduler(lambda epoch: 0.0))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("schedule", [lambda: 0.1, lambda epoch, rate, more: 0.1, lambda *, epoch: 0.1, 0.1, mt.SGD])
def test_what_is_no_schedule_of_epochs_is_refused(schedule):
    with pytest.raises(ValueError, match="LearningRateScheduler: schedule is a function"):
        callbacks.LearningRateScheduler(schedule)


@pytest.mark.parametrize("rate", [-1, float("nan"), None, "0.1"])
def test_a_schedule_that_gives_no_rate_is_named(model, rate):
    with pytest.raises(ValueError, match="learning_rate is"):
        fit(model, 1, callbacks.LearningRateScheduler(lambda epoch: rate))


@pytest.mark.parametrize(
    "name",
    ["run{1}/m.keras", "m{loss:d}.keras", "m{.keras", "m}.keras", "{}.keras", "{epoch.x}.keras", "{loss[0]}.keras"],
)
def test_fields_that_cannot_be_filled_in_are_reported_before_training(name):
    with pytest.raises(ValueError, match="ModelCheckpoint: the fields of filepath"):
        callbacks.ModelCheckpoint(name)


def test_doubled_braces_belong_to_the_name_and_fields_may_name_folders(model, tmp_path):
    fit(model, 2, callbacks.ModelCheckpoint(tmp_path / "{{run}}" / "{epoch}" / "m{loss:.1e}.weights.h5"))
    assert [len(list((tmp_path / "{run}" / str(epoch)).iterdir())) for epoch in (1, 2)] == [1, 1]
    with pytest.raises(FileNotFoundError, match="none does not exist"):
        fit(model, 1, callbacks.ModelCheckpoint(tmp_path / "none" / "{epoch}" / "m.keras"))


class Closed(io.StringIO):
    def __init__(self):
        super().__init__()
        self.close()


class OnlyWrite:
    def __init__(self):
        self.written = []

    def write(self, text):
        self.written.append(text)


@pytest.mark.parametrize("stream", [lambda: None, Closed, OnlyWrite])
def test_training_needs_no_stderr(model, monkeypatch, stream, capfd):
    class Interrupt(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.params["epochs"] == 2:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "stderr", stream())
    assert fit(model, 1).epochs == 1
    assert fit(model, 2, Interrupt()).epochs == 1
    assert capfd.readouterr().out == ""


# Hooks


def test_on_batch_is_another_name_of_on_train_batch(model):
    calls = []

    class Old(mt.Callback):
        def on_batch_begin(self, batch, logs=None):
            calls.append(("begin", batch))

        def on_batch_end(self, batch, logs=None):
            calls.append(("end", batch, sorted(logs)))

    fit(model, 1, Old())
    assert calls == [("begin", 0), ("end", 0, ["loss"])]


async def waits(self, epoch, logs=None): ...


def method(name, function=lambda self, *arguments: None):
    return type("Mine", (mt.Callback,), {name: function})()


@pytest.mark.parametrize(
    ("name", "due"),
    {
        "on_epoch_ends": "on_epoch_end", "on_epoch_start": "on_epoch_begin", "onEpochEnd": "on_epoch_end",
        "on_train_epoch_end": "on_epoch_end", "on_validation_end": "on_test_end", "on_train_start": "on_train_begin",
        "on_training_end": "on_train_end", "on_batch_ends": "on_batch_end", "on_fit_end": "on_train_end",
        "on_validation_epoch_end": "on_test_end", "on_train_batch_start": "on_train_batch_begin", "on_step_end": "on_batch_end",
        "on_epoch_finished": "on_epoch_end", "on_evaluate_begin": "on_test_begin", "on_trian_end": "on_train_end",
    }.items(),
)  # fmt: skip
def test_a_method_in_another_spelling_than_its_hook_is_refused(model, name, due):
    with pytest.raises(ValueError, match=rf"Mine: {name} is no hook, so it would never be called\. Write {due}"):
        fit(model, 1, method(name))


def test_other_methods_of_a_callback_are_its_own_business(model):
    fit(model, 1, method("on_improvement"), method("on_the_fly"), method("only_once"), method("_on_epoch_ends"))
    with pytest.warns(UserWarning, match="Mine: on_epoch_improvement_of_loss is no hook: fit never calls it"):
        fit(model, 1, method("on_epoch_improvement_of_loss"))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("on_epoch_end", lambda self, epoch: None),
        ("on_epoch_end", lambda self, logs, epoch=None: None),
        ("on_epoch_end", lambda epoch, logs: None),
        ("on_train_begin", lambda self: None),
        ("on_train_end", lambda self, epoch, logs: None),
        ("on_train_batch_end", None),
        ("on_epoch_end", lambda self, epoch, logs=None: (yield)),
        ("on_epoch_end", waits),
    ],
)
def test_a_hook_with_other_arguments_is_refused_before_training(model, name, function):
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"Mine\.{name}.* Write def {name}\(self, (epoch, |batch, )?logs=None\)"):
        fit(model, 1, method(name, function))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_callback_that_would_count_twice_is_refused(model):
    stopping = callbacks.EarlyStopping("loss")
    with pytest.raises(ValueError, match=r"is in callbacks twice"):
        fit(model, 1, stopping, stopping)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (callbacks.EarlyStopping, r"Write EarlyStopping\(\)"),
        (lambda epoch, logs: None, "Write a class"),
        ("EarlyStopping", "got '"),
    ],
)
def test_what_is_no_callback_is_refused_with_the_line_to_write(model, wrong, message):
    with pytest.raises(ValueError, match=message):
        fit(model, 1, wrong)


# What callbacks write into the logs


class Write(mt.Callback):
    """Writes into the logs: functions of the epoch by name."""

    def __init__(self, **values):
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: value(epoch) for name, value in self.values.items() if value(epoch) is not None})


def test_what_callbacks_write_is_in_the_history_the_log_and_the_callbacks_after_them(model, tmp_path):
    seen = []

    class Look(mt.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(logs["rate"])

    write = Write(rate=lambda epoch: np.float32(0.1) * epoch)
    history = fit(model, 3, write, callbacks.CSVLogger(tmp_path / "l.csv"), Look())
    assert history["rate"] == seen == [float(np.float32(0.1) * epoch) for epoch in range(3)]
    assert all(type(value) is float for value in history["rate"])
    columns = list(zip(*csv.reader((tmp_path / "l.csv").read_text().splitlines()), strict=True))
    assert [float(value) for value in columns[2][1:]] == history["rate"]
    assert list(fit(model, 1, Feed([0.5], "loss"))["loss"]) == [0.5]


def test_what_is_not_measured_in_every_epoch_is_nan_in_the_others(model, tmp_path):
    history = fit(model, 3, Write(late=lambda e: e or None, early=lambda e: 1 - e or None))
    np.testing.assert_array_equal(history["late"], [np.nan, 1, 2])
    np.testing.assert_array_equal(history["early"], [1, np.nan, -1])
    assert len(history["loss"]) == history.epochs == 3
    history.to_csv(tmp_path / "h.csv")
    assert [row[3] for row in csv.reader((tmp_path / "h.csv").read_text().splitlines())] == ["late", "NA", "1.0", "2.0"]


@pytest.mark.parametrize("value", ["warm", None, [0.1, 0.2], np.ones(2), 1j, {"a": 1}])
def test_what_is_no_number_is_left_out_of_the_history_with_a_warning(model, tmp_path, value):
    with pytest.warns(
        UserWarning, match=r"fit: note in the logs is .*, which is no number, so it is left out"
    ) as warned:
        history = (
            fit(model, 3, Write(note=lambda e: value, x=lambda e: e), callbacks.CSVLogger(tmp_path / "l.csv"))
            if value is not None
            else fit(model, 3, Feed([None] * 3, "note"))
        )
    assert len(warned) == 1
    assert "note" not in history


def test_what_a_callback_writes_after_a_test_is_in_the_history_and_the_scores(model):
    class Twice(mt.Callback):
        def on_test_end(self, logs=None):
            logs["twice"] = 2 * logs["loss"]

    x = np.random.default_rng(0).normal(size=(6, 3))
    history = model.fit(x, x[:, 0], validation_data=(x, x[:, 1]), callbacks=[Twice()])
    assert history["val_twice"] == [2 * history["val_loss"][0]]
    scores = model.evaluate(x, x[:, 0], callbacks=[Twice()])
    assert scores.twice == 2 * scores.loss


class Says(mt.Metric):
    def __init__(self, value, name="said"):
        self.value, self.name = value, name

    def reset(self): ...

    def update(self, prediction, target): ...

    def result(self):
        return self.value


@pytest.mark.parametrize(
    ("value", "due"),
    [(np.float32(0.5), 0.5), (np.int64(3), 3.0), (np.bool_(True), 1.0), (float("nan"), None), (float("inf"), None)],
)
def test_the_history_is_json_whatever_a_metric_says(model, tmp_path, value, due):
    def refuse(word):
        raise ValueError(word)

    model.compile(model.optimizer, model.loss, [Says(value)])
    fit(model, 2).to_json(tmp_path / "h.json")
    there = json.loads((tmp_path / "h.json").read_text(), parse_constant=refuse)
    assert there["said"] == [due, due]


def test_what_cannot_be_json_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"History\.to_json: note holds 'a', which is no number"):
        mt.History(note=["a"]).to_json(tmp_path / "h.json")
    mt.History(loss=[np.float32(0.5), None]).to_json(tmp_path / "h.json")
    assert json.loads((tmp_path / "h.json").read_text()) == {"loss": [0.5, None]}


# Logs whose columns come and go


def log_of(path, *used, epochs=1, validated=False, append=True, separator=","):
    made = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.01), mt.MSELoss())
    x = np.random.default_rng(0).normal(size=(8, 3))
    logger = callbacks.CSVLogger(path, append=append, separator=separator)
    share = {"validation_split": 0.25} if validated else {}
    return made.fit(x, x[:, 0], epochs=epochs, callbacks=[*used, logger], **share)


def rows(path, separator=","):
    return list(csv.DictReader(path.read_text().splitlines(), delimiter=separator))


def test_a_continued_log_has_every_value_under_its_own_name(tmp_path):
    path = tmp_path / "l.csv"
    first = log_of(path, validated=True)
    second = log_of(path)
    third = log_of(path, Write(rate=lambda e: e or None), epochs=2, validated=True)
    there = rows(path)
    assert [set(row) for row in there] == [{"epoch", "loss", "val_loss", "rate"}] * 4
    assert [row["loss"] for row in there] == [repr(v) for h in (first, second, third) for v in h["loss"]]
    due = [repr(first["val_loss"][0]), "NA", *map(repr, third["val_loss"])]
    assert [row["val_loss"] for row in there] == due
    assert [row["rate"] for row in there] == ["NA", "NA", "NA", "1.0"]
    assert [row["epoch"] for row in there] == ["0", "0", "0", "1"]


def test_a_log_that_is_not_continued_is_written_anew_once_there_is_something_to_say(tmp_path):
    path = tmp_path / "l.csv"
    log_of(path, epochs=3)
    before = path.read_text()
    with pytest.raises(FileNotFoundError):
        log_of(path, callbacks.ModelCheckpoint(tmp_path / "none" / "m.keras"), append=False)
    assert path.read_text() == before
    log_of(path, append=False, separator=";")
    assert len(rows(path, ";")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "its first line is"),
        ("epoch;loss\n0;1\n", "separator"),
        ("epoch,loss\n0,1\n1,2,3\n", "line 3 has more"),
    ],
)
def test_a_file_that_is_no_log_is_not_continued(tmp_path, text, message):
    path = tmp_path / "l.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"CSVLogger: .*l\.csv is no log.*{message}"):
        log_of(path)
    assert path.read_text() == text


@pytest.mark.parametrize("append", [False, True])
def test_a_resumed_log_is_that_of_the_run_straight_on(tmp_path, append):
    def run(path, epochs, **settings):
        made = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.01), mt.MSELoss())
        x = np.random.default_rng(0).normal(size=(8, 3))
        before = Write(rate=lambda e: 0.5 * e, late=lambda e: e if e > 2 else None)
        used = [before, callbacks.CSVLogger(path, append=append), Write(after=lambda e: e)]
        return made.fit(x, x[:, 0], epochs=epochs, callbacks=used, **settings)

    straight, resumed = tmp_path / "straight.csv", tmp_path / "resumed.csv"
    for path in (straight, resumed):
        path.write_text("epoch,val_loss\n0,7.5\n")
    due = run(straight, 5)
    for epochs in (1, 2, 4, 5):
        got = run(resumed, epochs, resume=tmp_path / "run")
    assert resumed.read_text() == straight.read_text()
    assert repr(dict(got)) == repr(dict(due))
    assert "after" in due


# Event files


def scalars(folder):
    """(step, tag, value) of every event in a folder, read record by record as TensorFlow's format says."""
    event_pb2 = pytest.importorskip(
        "tensorboardX.proto.event_pb2", reason="needs tensorboardX: pip install 'minitorch-np[tensorboard]'"
    )
    found = []
    for path in folder.iterdir():
        content = path.read_bytes()
        while content:
            length = int.from_bytes(content[:8], "little")
            event = event_pb2.Event.FromString(content[12 : 12 + length])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            content = content[16 + length :]
    return sorted(found)


def test_event_files_hold_what_callbacks_wrote_and_two_fits_in_one_second(model, tmp_path):
    scalars(tmp_path)
    x, y = np.ones((4, 3)), np.ones(4)
    with pytest.warns(UserWarning, match="note"):
        histories = [
            model.fit(
                x, y, epochs=n, log_dir=tmp_path, callbacks=[Write(rate=lambda e: 0.5 * e, note=lambda e: "no number")]
            )
            for n in (3, 2)
        ]
    due = [
        (epoch, name, np.float32(value))
        for history in histories
        for name, values in {**history, "learning_rate": [0.01] * history.epochs}.items()
        for epoch, value in enumerate(values)
    ]
    assert scalars(tmp_path) == sorted(due)


def test_a_resumed_run_has_every_event_once(tmp_path, monkeypatch):
    scalars(tmp_path)
    monkeypatch.setattr("minitorch_np.training.kept_run.SECONDS", 1000)  # nothing is kept before the end
    x = np.random.default_rng(0).normal(size=(8, 3))

    class Fall(mt.Callback):
        def __init__(self, epoch):
            self.epoch = epoch

        def on_epoch_end(self, epoch, logs=None):
            if epoch == self.epoch:
                raise OSError("the power is gone")

    def run(folder, fall, epochs):
        made = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.01), mt.MSELoss())
        used = [Write(rate=lambda e: 0.5 * e), callbacks.TensorBoard(tmp_path / folder), Fall(fall)]
        resume = {"resume": tmp_path / f"{folder}.run"} if folder == "killed" else {}
        return made.fit(x, x[:, 0], epochs=epochs, callbacks=used, **resume)

    run("straight", 9, 6)
    with pytest.raises(OSError, match="power"):
        run("killed", 1, 6)
    run("killed", 9, 2)
    with pytest.raises(OSError, match="power"):
        run("killed", 4, 6)
    newest = max((tmp_path / "killed").iterdir(), key=lambda path: path.stat().st_mtime)
    newest.write_bytes(newest.read_bytes()[:-5])  # the last record was cut off
    run("killed", 9, 6)
    assert scalars(tmp_path / "killed") == scalars(tmp_path / "straight")


def test_a_file_in_the_place_of_the_folder_for_events_is_reported_before_training(model, tmp_path):
    scalars(tmp_path)
    (tmp_path / "ev").write_text("")
    with pytest.raises(NotADirectoryError, match=r"TensorBoard: .*ev is a file"):
        model.fit(np.ones((4, 3)), np.ones(4), log_dir=tmp_path / "ev")


# Callbacks that raise


def test_every_callback_that_began_hears_of_the_end(model):
    heard = []

    class Ends(mt.Callback):
        def __init__(self, name, fails=()):
            self.name, self.fails = name, fails

        def on_train_begin(self, logs=None):
            if "begin" in self.fails:
                raise OSError(f"{self.name} cannot begin")

        def on_train_end(self, logs=None):
            heard.append(self.name)
            if "end" in self.fails:
                raise OSError(f"{self.name} cannot end")

    with pytest.raises(OSError, match="b cannot begin"):
        fit(model, 1, Ends("a"), Ends("b", "begin"), Ends("c"))
    assert heard == ["a"]
    heard.clear()
    with pytest.raises(OSError, match="a cannot end"):
        fit(model, 1, Ends("a", ["end"]), Ends("b"))
    assert heard == ["a", "b"]


# Settings, at once and later


@pytest.mark.parametrize(
    ("make", "name", "value", "message"),
    [
        (callbacks.EarlyStopping, "patience", -1, "patience is an int of at least 0"),
        (callbacks.EarlyStopping, "restore_best_weights", "yes", "True or False"),
        (callbacks.EarlyStopping, "monitor", None, "monitor is the name of what is measured"),
        (callbacks.EarlyStopping, "mode", "maximum", "mode is 'auto'"),
        (callbacks.ReduceLROnPlateau, "factor", 2, r"factor is a number in \(0, 1\)"),
        (lambda: callbacks.ModelCheckpoint("m.keras"), "filepath", "m.txt", "filepath ends in"),
        (lambda: callbacks.ModelCheckpoint("m.keras"), "filepath", "m{1}.keras", "the fields of filepath"),
        (lambda: callbacks.ModelCheckpoint("m.keras"), "save_best_only", 3, "True or False"),
        (lambda: callbacks.LearningRateScheduler(lambda e: 0.1), "schedule", 3, "schedule is a function"),
        (lambda: callbacks.CSVLogger("l.csv"), "separator", ";;", "separator is one character"),
        (lambda: callbacks.CSVLogger("l.csv"), "append", "yes", "True or False"),
        (lambda: callbacks.CSVLogger("l.csv"), "filename", 3, "filename is a str"),
        (lambda: callbacks.TensorBoard("ev"), "log_dir", None, "log_dir is a str"),
    ],
)
def test_settings_are_checked_when_they_are_changed_as_when_they_are_given(make, name, value, message):
    callback = make()
    before = getattr(callback, name)
    with pytest.raises(ValueError, match=rf"{type(callback).__name__}: .*{message}"):
        setattr(callback, name, value)
    assert getattr(callback, name) is before


def test_settings_may_be_changed_before_training(model, tmp_path):
    logger, keep = callbacks.CSVLogger("l.csv"), callbacks.ModelCheckpoint("m.keras")
    slower = callbacks.LearningRateScheduler(lambda epoch: 0.1)
    logger.filename, keep.filepath = str(tmp_path / "k.csv"), os.fsencode(tmp_path / "k.keras")
    slower.schedule = lambda epoch, rate: rate * 0.5
    fit(model, 1, logger, keep, slower)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.csv", "k.keras"]
    assert model.optimizer.learning_rate == 0.005


def test_a_setting_in_another_spelling_is_refused():
    with pytest.raises(AttributeError, match=r"EarlyStopping has no attribute 'patiense'.* Did you mean patience"):
        callbacks.EarlyStopping().patiense = 3
    method("anything").patiense = 3  # one's own class may have what it likes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.EarlyStopping(verbose=1), "EarlyStopping: there is no argument 'verbose'. Leave it out"),
        (lambda: callbacks.ModelCheckpoint("m.keras", save_weights_only=True), r"ends in \.weights\.h5"),
        (lambda: mt.LambdaCallback, r"Write mt\.callbacks\.LambdaCallback"),
        (lambda: callbacks.BackupAndRestore, "Write fit"),
        (lambda: mt.EarlyStopping, r"Write minitorch_np\.callbacks\.EarlyStopping"),
    ],
)
def test_what_keras_has_is_answered_with_the_line_to_write(make, message):
    with pytest.raises((TypeError, AttributeError), match=message):
        make()


@pytest.mark.parametrize("value", ["a", [1.0], 1j])
def test_what_is_no_number_is_not_watched(model, value):
    stopping = callbacks.EarlyStopping("v", mode="min")
    with pytest.raises(ValueError, match=r"EarlyStopping: 'v' in the logs is .*, not a number"):
        fit(model, 1, Feed([value], "v"), stopping)


def test_a_history_names_what_there_is(model):
    with pytest.raises(KeyError, match="'acc' was not measured; there is loss"):
        fit(model, 1)["acc"]


def test_a_callback_may_come_from_a_namespace_without_a_name():
    names = {"mt": mt}
    exec("class Own(mt.Callback):\n    def on_epoch_end(self, epoch, logs=None):\n        self.seen = logs", names)
    own = names["Own"]()
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0).compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones(4), callbacks=[own, mt.callbacks.EarlyStopping(monitor="loss")])
    assert "loss" in own.seen
