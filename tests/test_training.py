"""fit, evaluate and predict: what they do, and their errors."""

import math
import os
import signal
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np.base import console
from minitorch_np.training.data import Examples, batch_rows


def model_of(*layers, loss=None, rate=0.1, metrics=("accuracy",), **options):
    model = mt.Sequential([mt.Input((3,)), *(layers or (mt.Dense(1), mt.Sigmoid()))], **{"rng": 0, **options})
    return model.compile(mt.SGD(rate), loss or mt.BCELoss(), metrics)


@pytest.fixture
def x(rng):
    return rng.normal(size=(20, 3))


@pytest.fixture
def y(x):
    return (x.sum(axis=1) > 0) * 1


# What fit does


def test_one_step_is_forward_loss_backward_update(x, y):
    model = model_of(dtype="float64")
    kernel, bias = model.get_weights()
    p = mt.sigmoid(x @ kernel + bias)
    model.fit(x, y, batch_size=None)
    slope = (p - y[:, None]) / len(x)
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * x.T @ slope, rtol=1e-12)
    np.testing.assert_allclose(model.get_weights()[1], bias - 0.1 * slope.sum(axis=0), rtol=1e-12)


def test_history_has_one_value_per_epoch_for_everything(x, y):
    history = model_of(metrics=["accuracy", "mae"]).fit(x, y, epochs=3, batch_size=7, validation_data=(x, y))
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        ["loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae"], 3
    )
    assert history.history["loss"] == history["loss"]
    assert history.epochs == 3


@pytest.mark.parametrize("batch_size", [1, 3, 7, 20, 21, 1000, None])
def test_the_mean_loss_weighs_a_smaller_last_batch_rightly(x, y, batch_size):
    model = model_of(rate=1e-300, dtype="float64")
    history = model.fit(x, y, batch_size=batch_size)
    assert history["loss"][0] == pytest.approx(model.evaluate(x, y).loss, rel=1e-12)
    assert history["accuracy"][0] == pytest.approx(model.evaluate(x, y).accuracy, rel=1e-12)
    assert model.evaluate(x, y, batch_size=batch_size).loss == pytest.approx(model.evaluate(x, y).loss, rel=1e-12)


def test_y_of_shape_n_and_n_1_train_alike(x, y):
    first, second = model_of(), model_of()
    first.fit(x, y, epochs=3)
    second.fit(x, y[:, None], epochs=3)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.predict(x).shape == (20, 1)


def test_same_seed_same_bits_and_shuffle_changes_the_order(x, y):
    def trained(**options):
        model = model_of()
        model.fit(x, y, epochs=3, batch_size=4, **options)
        return model.get_weights()[0]

    np.testing.assert_array_equal(trained(), trained())
    assert not np.array_equal(trained(), trained(shuffle=False))


def test_validation_split_takes_the_end_and_trains_on_the_rest(x, y):
    split, by_hand = model_of(), model_of()
    first = split.fit(x, y, epochs=2, validation_split=0.25)
    second = by_hand.fit(x[:15], y[:15], epochs=2, validation_data=(x[15:], y[15:]))
    assert first == second


@pytest.mark.parametrize(
    ("count", "share", "due"), [(100, 0.29, 29), (100, 0.57, 57), (100, 0.07, 7), (8, 0.3, 3), (7, 0.5, 4)]
)
def test_validation_split_is_the_share_as_it_is_written(count, share, due):
    """Rounded up, as in Keras; 100 * 0.29 is 28.999999999999996, and Keras makes 8 of 100 * 0.07."""
    tested = []

    class Counts(mt.Callback):
        def on_test_batch_end(self, batch, logs):
            tested.append(batch)

    x = np.random.default_rng(0).normal(size=(count, 3))
    model_of().fit(x, np.arange(count) % 2, batch_size=1, validation_split=share, callbacks=[Counts()])
    assert len(tested) == due


@pytest.mark.parametrize("form", ["numbers", "column", "one-hot", "yes or no"])
def test_a_split_that_holds_back_a_whole_class_is_warned_of(rng, form):
    x, y = rng.normal(size=(12, 3)), np.repeat([0, 1, 2], 4)
    head, loss = [mt.Dense(3)], mt.CrossEntropyLoss()
    if form == "column":
        y = y[:, None]
    elif form == "one-hot":
        y = np.eye(3)[y]
    elif form == "yes or no":
        y, head, loss = (y > 0).astype(int), [mt.Dense(1), mt.Sigmoid()], mt.BCELoss()
        y = np.sort(1 - y) if y[0] else np.where(np.arange(12) < 8, 0, 1)
    model = mt.Sequential([mt.Input((3,)), *head], rng=0).compile(mt.SGD(0.1), loss)
    held_back = "1" if form == "yes or no" else "2"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*every target is")
        with pytest.warns(
            UserWarning, match=rf"last 4 examples .* have class {held_back}, .* Shuffle them first: order = np"
        ):
            model.fit(x, y, validation_split=0.3)
    order = np.random.default_rng(1).permutation(12)
    model.fit(x[order], y[order], validation_split=0.3)
    model.fit(x, y, validation_data=(x, y))


def test_numbers_that_are_no_classes_are_split_without_a_word(rng):
    x, y = rng.normal(size=(12, 3)), np.arange(12.0)
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.01), mt.MSELoss())
    model.fit(x, y, validation_split=0.3)
    model.fit(x, y.astype(int), validation_split=0.3)


def test_validation_draws_nothing_and_learns_nothing(x, y):
    with_validation, without = model_of(), model_of()
    with_validation.fit(x, y, epochs=3, batch_size=4, validation_data=(x, y))
    without.fit(x, y, epochs=3, batch_size=4)
    np.testing.assert_array_equal(with_validation.get_weights()[0], without.get_weights()[0])


@given(st.integers(1, 50), st.integers(1, 60) | st.none(), st.booleans())
def test_batches_meet_every_example_once(count, size, shuffled):
    generator = np.random.default_rng(0) if shuffled else None
    parts = [np.arange(count)[rows] for rows in batch_rows(count, size, generator)]
    assert sorted(np.concatenate(parts)) == list(range(count))
    assert all(len(part) == (size or count) for part in parts[:-1])


def test_leading_layers_run_once_per_fit(x, y):
    calls = []

    class Counting(mt.Layer):
        precomputable = True

        def forward(self, x):
            calls.append(len(x))
            return x

        def backward(self, dy):
            raise AssertionError("the gradient of the data is not used")

    model = model_of(Counting(), mt.Dense(1), mt.Sigmoid())
    model.fit(x, y, epochs=5, batch_size=4)
    assert calls.count(20) == 1
    assert 4 not in calls


def test_leading_layers_run_per_batch_when_the_result_is_too_large(x, y, monkeypatch):
    ready = model_of(mt.Rescaling(2.0), mt.Dense(1), mt.Sigmoid())
    ready.fit(x, y, epochs=2, batch_size=4)
    monkeypatch.setattr("minitorch_np.training.data.MEMORY_SHARE", 0)
    another = model_of(mt.Rescaling(2.0), mt.Dense(1), mt.Sigmoid())
    another.fit(x, y, epochs=2, batch_size=4)
    np.testing.assert_array_equal(ready.get_weights()[0], another.get_weights()[0])
    assert not Examples(x, y, ready[:1], np.dtype("f4"), reread=True).ready


def test_modes_and_switches_are_put_back(x, y):
    model = model_of(mt.Dense(4), mt.ReLU(), mt.Dense(1), mt.Sigmoid())
    model.eval()
    model.fit(x, y)
    assert not model.training
    model.train()
    model(x)
    assert model.backward(np.ones((20, 1), np.float32)).shape == (20, 3)


def test_fit_again_continues(x, y):
    model = model_of()
    first = model.fit(x, y, epochs=5)
    assert model.fit(x, y, epochs=5)["loss"][0] < first["loss"][0]


def test_the_data_stay_as_they_are(x, y):
    x.flags.writeable = y.flags.writeable = False
    model_of().fit(x, y, batch_size=3)


def test_lists_integers_and_booleans_are_taken():
    model = model_of()
    model.fit([[1, 2, 3], [4, 5, 6]], [True, False])
    assert model.predict([[1, 2, 3]]).shape == (1, 1)


# Weights


@pytest.mark.parametrize("loss", [mt.MSELoss(), mt.BCELoss(), mt.BCEWithLogitsLoss()], ids=repr)
def test_a_weight_of_2_is_the_example_twice(x, y, loss):
    layers = lambda: [mt.Dense(1)] if loss.from_logits else [mt.Dense(1), mt.Sigmoid()]  # noqa: E731
    twice, weighted = (model_of(*layers(), loss=loss.clone(), dtype="float64") for _ in range(2))
    weights = np.ones(20)
    weights[:5] = 2
    weighted.fit(x, y, batch_size=None, sample_weight=weights * 20 / 25)
    twice.fit(np.concatenate([x, x[:5]]), np.concatenate([y, y[:5]]), batch_size=None)
    np.testing.assert_allclose(weighted.get_weights()[0], twice.get_weights()[0], rtol=1e-12)
    assert weighted.history["loss"] == pytest.approx(twice.history["loss"])


def test_weights_of_classes_numbers_and_one_hot_rows(x, rng):
    numbers = rng.integers(0, 3, 20)
    results = []
    for target, options in (
        (numbers, {"class_weight": {0: 1, 1: 2, 2: 3}}),
        (np.eye(3)[numbers], {"class_weight": {0: 1, 1: 2, 2: 3}}),
        (numbers, {"sample_weight": numbers + 1}),
    ):
        model = model_of(mt.Dense(3), loss=mt.CrossEntropyLoss(), dtype="float64")
        model.fit(x, target, batch_size=7, **options)
        results.append(model.get_weights()[0])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
    np.testing.assert_allclose(results[0], results[2], rtol=1e-12)


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_weight_of_a_class_is_that_of_each_step(one_hot):
    """Equal scores cost log 2 in each step; the weights of 010 and 111 are 1 10 1 and 10 10 10, whose mean is 7."""
    y = np.array([[0, 1, 0], [1, 1, 1]])
    model = mt.Sequential([mt.Input((3, 4)), mt.Dense(2, kernel_initializer="zeros")], rng=0, dtype="float64")
    model.compile(mt.SGD(1e-9), mt.CrossEntropyLoss())
    targets = np.eye(2)[y] if one_hot else y
    history = model.fit(np.ones((2, 3, 4)), targets, class_weight={0: 1, 1: 10})
    assert history["loss"][0] == pytest.approx(7 * np.log(2))
    with pytest.raises(ValueError, match=r"class_weight has \[1\], y also has 0"):
        model.fit(np.ones((2, 3, 4)), targets, class_weight={1: 10})


@pytest.mark.parametrize(
    ("loss", "units", "targets"),
    [
        (mt.BCELoss(), 2, [[0.0, 1], [1, 1]]),
        (mt.BCEWithLogitsLoss(), 2, [[0.0, 1], [1, 0]]),
        (mt.MSELoss(), 1, [0.5, 1]),
        (mt.MSELoss(), 2, [[0.0, 2], [1, 1]]),
        (mt.CrossEntropyLoss(), 2, [[0.5, 0.5], [1, 0]]),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_class_weights_of_targets_that_are_no_classes_are_refused(loss, units, targets, streamed):
    end = [mt.Sigmoid()] if isinstance(loss, mt.BCELoss) else []
    model, x = model_of(mt.Dense(units), *end, loss=loss), np.ones((2, 3))
    data = ([(x, np.array(targets))],) if streamed else (x, targets)
    message = "class_weight needs a class for each example.* Give sample_weight"
    if loss.binary and units > 1:
        message = "each of the 2 columns of y as a separate question"
    with pytest.raises(ValueError, match=message):
        model.fit(*data, class_weight={0: 1, 1: 10, 2: 1})


def test_weights_are_looked_at_after_the_split(x, y):
    end = np.arange(20) >= 15
    for options in ({"sample_weight": end}, {"sample_weight": 1 - end, "class_weight": {0: 0, 1: 0}}):
        with pytest.raises(ValueError, match="the weights of all examples to learn from are 0"):
            model_of().fit(x, y, validation_split=0.25, **options)
    with pytest.raises(ValueError, match="the weights of all examples to learn from are 0"):
        model_of(loss=mt.MSELoss()).fit(x, end * 1.0, validation_split=0.25, class_weight={0: 0, 1: 1})


def test_a_stream_whose_weights_are_all_0_is_refused(x, y):
    batch = (x, y, np.zeros(20))
    with pytest.raises(ValueError, match="the weights of all examples to learn from are 0"):
        model_of().fit([batch, batch])
    model_of().fit([batch, (x, y, np.ones(20))])


def test_weights_end_with_fit_and_leave_validation_alone(x, y):
    model = model_of(rate=1e-300)
    history = model.fit(x, y, validation_data=(x, y), class_weight={0: 5.0, 1: 5.0})
    assert history["loss"][0] == pytest.approx(5 * history["val_loss"][0], rel=1e-5)
    assert model.loss.weights is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_weight": np.ones(3)}, r"expected sample_weight of shape \(20,\), got \(3,\)"),
        ({"sample_weight": -np.ones(20)}, "weights are at least 0 and not all 0"),
        ({"class_weight": {0: 1.0}}, r"class_weight has \[0\], y also has 1"),
    ],
)
def test_weights_that_do_not_fit_are_refused(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        model_of().fit(x, y, **options)


def test_a_loss_that_takes_no_weights_says_so(x, y):
    class Plain(mt.Loss):
        def forward(self, prediction, target):
            self.cache = prediction - target
            return (self.cache**2).mean()

        def backward(self):
            return 2 * self.cache / self.cache.size

    with pytest.raises(ValueError, match=r"Plain\(\) takes no weights"):
        model_of(loss=Plain()).fit(x, y, class_weight={0: 1, 1: 2})


# What it prints


def test_nothing_is_printed_outside_a_terminal(x, y, capfd):
    model_of().fit(x, y, epochs=2)
    assert capfd.readouterr() == ("", "")


def test_the_bar_shows_loss_and_metrics_in_a_terminal(x, y, capfd, monkeypatch):
    monkeypatch.setattr("minitorch_np.training.loop.progress_is_visible", lambda: True)
    model_of().fit(x, y, epochs=2, batch_size=10)
    shown = capfd.readouterr().err
    assert "epoch 2/2" in shown
    assert "4/4" in shown
    assert "loss 0." in shown
    assert "accuracy" in shown
    model_of().fit(x, y, progress=False)
    assert capfd.readouterr() == ("", "")
    assert not console.progress_is_visible() or os.isatty(2)


def test_callbacks_hear_of_everything_and_may_stop(x, y):
    heard = []

    class Listener(mt.Callback):
        def on_train_begin(self, logs):
            heard.append(("begin", self.params))

        def on_epoch_end(self, epoch, logs):
            heard.append((epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

        def on_train_batch_end(self, batch, logs):
            heard.append(batch)

        def on_train_end(self, logs):
            heard.append("end")

    history = model_of().fit(x, y, epochs=9, batch_size=10, callbacks=[Listener()])
    assert heard == [
        ("begin", {"epochs": 9, "steps": 2, "verbose": 0}),
        0,
        1,
        (0, ["accuracy", "loss"]),
        0,
        1,
        (1, ["accuracy", "loss"]),
        "end",
    ]
    assert history.epochs == 2


def test_evaluate_returns_names_and_numbers(x, y):
    loss, accuracy = scores = model_of().evaluate(x, y)
    assert scores.loss == loss
    assert 0 <= accuracy <= 1


# When it goes wrong


def test_a_loss_that_is_not_finite_stops_and_names_the_place(x, y):
    class Explodes(mt.Layer):
        calls = 0

        def forward(self, x):
            self.calls += len(x) == 10  # batches, and not the zeros that tell the shape
            return x * (np.inf if self.calls > 4 else 1)

        def backward(self, dy):
            return dy

    model = model_of(mt.Dense(1), Explodes(), loss=mt.MSELoss(), metrics=[])
    with pytest.raises(
        FloatingPointError, match=r"the loss is (inf|nan) in epoch 3, batch 1\. .*explodes_1 \(Explodes\(\)\)"
    ) as e:
        model.fit(x, y, epochs=9, batch_size=10)
    assert "put back to those after 0 steps" in str(e.value)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert model.optimizer.iteration == 0


def test_divergence_keeps_the_last_good_weights(x, y):
    model = model_of(mt.Dense(4), mt.Dense(1), loss=mt.MSELoss(), rate=1e3)
    with pytest.raises(FloatingPointError, match=r"First output that is not finite: .*Lower the learning rate"):
        model.fit(x, y, epochs=500)
    assert all(np.isfinite(w).all() for w in model.get_weights())


@pytest.mark.parametrize("at", [5, 77, 200])
def test_an_outlier_that_spoils_a_running_statistic_is_named_in_its_own_batch(at):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(640, 4)).astype(np.float32)
    y = x[:, 0].copy()
    x[at, 2] = 1e20
    layers = [mt.Input((4,)), mt.BatchNormalization(), mt.Dense(8), mt.ReLU(), mt.Dense(1)]
    model = mt.Sequential(layers, rng=1).compile(mt.SGD(0.01), mt.MSELoss())
    message = (
        rf"batch_normalization_1\.moving_variance is not finite from epoch 1, batch {at // 32 + 1} on, though the loss is\."
        r" The inputs of that batch are between .* and 1e\+20"
    )
    with pytest.raises(FloatingPointError, match=message):
        model.fit(x, y, epochs=30, shuffle=False)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    assert model.optimizer.iteration == at // 32 // 16 * 16


def test_an_outlier_that_spoils_the_optimizers_state_is_named_in_its_epoch():
    """Adam's squares overflow where the loss does not: the weight would stand still for ever."""
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    y = x[:, 0].copy()
    x[9, 1], y[9] = 1e12, 1e12
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1, kernel_initializer="zeros")], rng=1)
    model.compile(mt.Adam(1e-12), mt.MSELoss())
    message = r"the optimizer's velocity of dense_1\.kernel is not finite since one of the steps 1 to 16, found at epoch 1, batch 16"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(x, y, epochs=3, batch_size=4, shuffle=False)


def test_where_epochs_are_short_what_is_not_finite_is_found_at_the_16th_step(x, y):
    class Spoils(mt.Callback):
        def on_train_batch_end(self, batch, logs):
            if self.model.optimizer.iteration == 13:
                self.model.optimizer.state["dense_1.kernel"]["velocity"][0, 0] = np.inf
                self.model.parameters()["dense_1.kernel"].trainable = False

    model = model_of(mt.Dense(1), loss=mt.MSELoss())
    model.compile(mt.SGD(0.01, momentum=0.9), mt.MSELoss())
    message = r"the optimizer's velocity of dense_1\.kernel is not finite since one of the steps 1 to 16, found at the end of epoch 8"
    with pytest.raises(FloatingPointError, match=message):
        model.fit(x, y, epochs=20, batch_size=10, callbacks=[Spoils()])


def test_weights_spoilt_by_the_very_last_step_are_put_back(x, y):
    model = model_of(mt.Dense(1), loss=mt.MSELoss(), rate=1e38)
    before = model.get_weights()
    with pytest.raises(
        FloatingPointError, match=r"dense_1\.kernel is not finite since step 1, found at the end of epoch 1"
    ):
        model.fit(x * 100, y, epochs=1, batch_size=None)
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_ctrl_c_ends_after_a_whole_step_and_keeps_the_history(x, y, capsys):
    class Interrupting(mt.Callback):
        def on_train_batch_end(self, batch, logs):
            if self.model.history.epochs == 2 and batch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    model = model_of()
    history = model.fit(x, y, epochs=50, batch_size=5, callbacks=[Interrupting()])
    assert history.epochs == 2
    assert model.history is history
    assert model.optimizer.iteration == 2 * 4 + 2
    assert "stopped by Ctrl-C in epoch 3 of 50, after a whole step" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_epoch_that_ctrl_c_did_not_cut_is_recorded(x, y):
    class Interrupting(mt.Callback):
        def on_train_batch_end(self, batch, logs):
            os.kill(os.getpid(), signal.SIGINT)

    assert model_of().fit(x, y, epochs=50, batch_size=None, callbacks=[Interrupting()]).epochs == 1


def test_training_works_outside_the_main_thread(x, y):
    histories = []
    thread = threading.Thread(target=lambda: histories.append(model_of().fit(x, y, epochs=2)))
    thread.start()
    thread.join()
    assert histories[0].epochs == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (np.where(np.arange(60).reshape(20, 3) == 7, np.nan, x), y), r"x\[2, 1\] is nan, the first of 1 values"),
        (lambda x, y: (np.where(x == x.max(), np.inf, x), y), "is inf"),
        (lambda x, y: (x, np.where(np.arange(20) == 4, np.nan, y)), r"y\[4\] is nan"),
        (lambda x, y: (x[:0], y[:0]), r"x holds no examples \(shape \(0, 3\)\)"),
        (lambda x, y: (x, y[:19]), "x has 20 examples and y has 19"),
        (lambda x, y: (x[:, 0], y), r"expected x of shape \(batch, 3\), got \(20,\)"),
        (lambda x, y: (x[0], y[:1]), r"For a single example write x\[None\]"),
        (lambda x, y: (x[:, :2], y), r"expected x of shape \(batch, 3\), got \(20, 2\)"),
        (lambda x, y: (x.reshape(20, 3, 1), y), r"Use x\.reshape\(-1, 3\)"),
        (lambda x, y: (x, y * 2), "expected targets 0 and 1"),
        (lambda x, y: (x, np.where(y, "cat", "dog")), r"expected numbers in y, got <U3\. np\.unique"),
        (lambda x, y: (x.astype(str), y), "Convert it to numbers first"),
        (lambda x, y: ([[1, 2, 3], [4]], y), "its rows differ in length"),
        (lambda x, y: (x, None), "y is None"),
        (lambda x, y: (x, np.stack([y, y], axis=1)), r"outputs have shape \(batch, 1\), y has shape \(20, 2\)"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit_are_refused_before_training(x, y, change, message):
    model = model_of()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(*change(x, y))
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_a_refused_fit_leaves_the_input_range(x, y):
    model = model_of()
    model.fit(x, y)
    seen = model.input_range
    for arrays, options in (((x, y[:5]), {}), ((x, y), {"validation_data": (x, y[:5])})):
        with pytest.raises(ValueError, match="x has 20 examples and y has 5"):
            model.fit(*arrays, **options)
    assert model.input_range is seen


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is an int of at least 1, got 0"),
        ({"epochs": 2.5}, "epochs"),
        ({"batch_size": 0}, "batch_size is an int of at least 1, or None"),
        ({"batch_size": -3}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"validation_split": 1.0}, r"validation_split is a number in \(0, 1\)"),
        ({"validation_split": 0.01}, "leaves none to validate with"),
        ({"validation_data": ([[1, 2, 3]], [1, 0])}, r"fit: validation_data: x has 1 examples and y has 2"),
        ({"callbacks": mt.Callback()}, r"callbacks is a list, got <.*Write callbacks=\[…\]"),
        *[
            (
                {"class_weight": given},
                "class_weight is a dictionary with a finite number of at least 0 for each class number, as in",
            )
            for given in ("balance", [1, 2], {0: 1, 1: np.nan}, {0: 1, 1: -1}, {"0": 1, "1": 1}, {0: 1, 1: "2"})
        ],
        ({"callbacks": None}, "callbacks is a list, got None"),
        ({"callbacks": [mt.Callback]}, r"Callback is a class\. Write Callback\(\)"),
        ({"callbacks": [print]}, r"expected callbacks such as EarlyStopping\(\), got <built-in"),
        ({"validation_data": (1, 2, 3, 4)}, r"expected \(x, y\) or \(x, y, sample_weight\), got 4"),
        ({"validation_data": (np.ones((2, 5)), [1, 0])}, r"validation_data: expected x of shape \(batch, 3\)"),
    ],
)
def test_options_that_make_no_sense_are_refused(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        model_of().fit(x, y, **options)


def test_out_of_order_calls_say_the_order(x, y):
    with pytest.raises(RuntimeError, match=r"fit: the model is not compiled. Call model\.compile\(optimizer="):
        mt.Sequential([mt.Dense(1)]).fit(x, y)
    with pytest.raises(RuntimeError, match="evaluate: the model is not compiled"):
        mt.Sequential([mt.Dense(1)]).evaluate(x, y)
    with pytest.raises(RuntimeError, match="not built yet"):
        mt.Sequential([mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss()).evaluate(x, y)


def test_a_model_with_nothing_to_learn_says_so(x, y):
    with pytest.raises(ValueError, match="has no trainable parameters"):
        model_of(mt.Sigmoid(), loss=mt.MSELoss(), metrics=[]).fit(x, x)


def test_raw_pixels_are_warned_of_and_rescaled_ones_not(y, rng):
    pixels = rng.integers(0, 256, (20, 3)).astype(np.uint8)
    with pytest.warns(
        UserWarning, match=r"numbers up to 25\d, like raw pixels\. Begin the model with Rescaling\(1 / 255\)"
    ):
        model_of().fit(pixels, y)
    with pytest.warns(UserWarning, match="like raw pixels") as warned:
        model_of().fit([(pixels, y)] * 3, epochs=2)
    assert len(warned) == 1
    rescaled = [mt.Rescaling(1 / 255), mt.Dense(1), mt.Sigmoid()]
    model_of(*rescaled).fit(pixels, y)
    model_of(*rescaled).fit([(pixels, y)] * 3)


def test_a_single_class_is_warned_of(x):
    with pytest.warns(UserWarning, match="every target is 1"):
        model_of().fit(x, np.ones(20))


def test_two_metrics_of_one_name_are_refused(x, y):
    with pytest.raises(ValueError, match="needs a name of its own"):
        model_of(metrics=["accuracy", "accuracy"]).fit(x, y)


@pytest.mark.parametrize("name", ["lambda", "_hidden", "two words", ""])
def test_names_that_are_no_attributes_are_refused_before_training(x, y, name):
    def metric(prediction, target):
        return 0.0

    metric.__name__ = name
    model = model_of(metrics=[metric])
    with pytest.raises(ValueError, match="needs a name of its own"):
        model.fit(x, y)
    assert model.optimizer.iteration == 0


def test_one_example_can_be_learnt():
    assert math.isfinite(model_of(loss=mt.MSELoss()).fit([[1.0, 2.0, 3.0]], [1.0])["loss"][0])


@pytest.mark.parametrize("nested", [False, True])
def test_a_callback_may_freeze_layers_and_let_them_learn_again(x, y, nested):
    """Each change in one run gives what a run of its own, begun with that change, gives."""

    def model():
        first = [mt.Dense(4), mt.ReLU()]
        return model_of(
            *([mt.Residual([mt.Dense(3), mt.Tanh(), mt.Dense(3)]), mt.Sequential(first)] if nested else first),
            mt.Dense(1),
            mt.Sigmoid(),
        )

    def freeze(model, frozen):
        for parameter in list(model.parameters().values())[:-2]:
            parameter.trainable = not frozen

    class Thaw(mt.Callback):
        def on_epoch_begin(self, epoch, logs):
            freeze(self.model, epoch in (0, 1, 4))

    once = model()
    freeze(once, True)
    once.fit(x, y, epochs=6, shuffle=False, callbacks=[Thaw()])
    several = model()
    for epoch in range(6):
        freeze(several, epoch in (0, 1, 4))
        several.fit(x, y, epochs=1, shuffle=False)
    for mine, expected in zip(once.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, expected)
    once(x, training=True)
    assert once.backward(np.ones((len(x), 1), np.float32)).shape == x.shape
