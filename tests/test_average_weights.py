"""AverageWeights, LambdaCallback, the learning rate in the history, and the rate range test."""

import copy

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.callbacks import (
    AverageWeights,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)


def network(rng=0, **options):
    layers = [mt.Input((4,)), mt.Dense(6), mt.BatchNormalization(), mt.ReLU(), mt.Dense(3)]
    model = mt.Sequential(layers, rng=rng, **options)
    return model.compile(mt.SGD(0.5, momentum=0.9), mt.CrossEntropyLoss(), ["accuracy"])


@pytest.fixture
def data(rng):
    x = rng.normal(size=(60, 4))
    return x, (np.abs(x[:, 0]) * 2).astype(int) % 3


class Recorder(mt.Callback):
    """Keeps the weights after each step, and computes their average anew."""

    def __init__(self, momentum):
        self.momentum, self.average = momentum, None

    def on_train_batch_end(self, batch, logs=None):
        now = [p.value.copy() for p in self.model.parameters().values() if p.trainable]
        if self.average is None:
            self.average = now
        self.average = [self.momentum * a + (1 - self.momentum) * w for a, w in zip(self.average, now, strict=True)]


def learnt(model):
    return [p.value.copy() for p in model.parameters().values() if p.trainable]


def assert_close(ones, others):
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_model_ends_with_the_average_of_the_steps(data):
    model, recorder = network(), Recorder(0.9)
    model.fit(*data, epochs=4, batch_size=16, callbacks=[recorder, AverageWeights(0.9)], progress=False)
    assert_close(learnt(model), recorder.average)


def test_training_is_that_of_a_run_without_averages(data):
    plain, averaged, average = network(), network(), AverageWeights(0.9, keep_average=False)
    plain.fit(*data, epochs=4, batch_size=16, validation_split=0.2, progress=False)
    averaged.fit(*data, epochs=4, batch_size=16, validation_split=0.2, callbacks=[average], progress=False)
    assert averaged.history["loss"] == plain.history["loss"]
    assert averaged.history["val_loss"] != plain.history["val_loss"]
    for one, other in zip(averaged.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert set(average.average) == {name for name, p in plain.parameters().items() if p.trainable}


def test_validation_and_the_callbacks_after_it_see_the_average(data, tmp_path):
    """Also where AverageWeights is the last of the list."""
    x, y = data
    model, path = network(), tmp_path / "{epoch}.keras"
    stopping = EarlyStopping("val_loss", patience=50, restore_best_weights=True)
    history = model.fit(
        x[:40],
        y[:40],
        epochs=5,
        batch_size=8,
        validation_data=(x[40:], y[40:]),
        callbacks=[ModelCheckpoint(path), stopping, AverageWeights(0.8)],
        progress=False,
    )
    for epoch in range(5):
        saved = mt.load_model(tmp_path / f"{epoch + 1}.keras")
        assert saved.evaluate(x[40:], y[40:]).loss == pytest.approx(history["val_loss"][epoch], rel=1e-6)
    assert model.evaluate(x[40:], y[40:]).loss == pytest.approx(min(history["val_loss"]), rel=1e-6)


def test_without_validation_files_have_the_average_too(data, tmp_path):
    model = network()
    callbacks = [ModelCheckpoint(tmp_path / "m.keras"), AverageWeights(0.8)]
    model.fit(*data, epochs=2, callbacks=callbacks, progress=False)
    for one, other in zip(mt.load_model(tmp_path / "m.keras").get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_accumulated_steps_are_averaged_once_each(data):
    one, many = AverageWeights(0.5), AverageWeights(0.5)
    models = [network() for _ in (0, 1)]
    for model in models:
        model.layers[2].trainable = False  # its batch statistics depend on the batches
        model.dtype = "float32"
    options = {"epochs": 2, "shuffle": False, "progress": False}
    models[0].fit(*data, batch_size=40, callbacks=[one], **options)
    models[1].fit(*data, batch_size=20, accumulate=2, callbacks=[many], **options)
    assert_close(one.average.values(), many.average.values())
    assert_close(learnt(models[0]), learnt(models[1]))


def test_a_resumed_run_continues_the_average(data, tmp_path):
    whole = network()
    whole.fit(*data, epochs=4, batch_size=16, validation_split=0.2, callbacks=[AverageWeights(0.9)], progress=False)
    path = tmp_path / "run.ckpt"
    for epochs in (2, 4):
        resumed = network()
        resumed.fit(
            *data, epochs=epochs, batch_size=16, validation_split=0.2, callbacks=[AverageWeights(0.9)], resume=path, progress=False
        )  # fmt: skip
    for one, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert resumed.history["val_loss"] == whole.history["val_loss"]
    with pytest.raises(mt.ModelFileError, match=r"momentum is 0\.5 here and 0\.9 there"):
        network().fit(*data, epochs=4, batch_size=16, validation_split=0.2, callbacks=[AverageWeights(0.5)], resume=path, progress=False)  # fmt: skip


def test_a_run_that_diverges_ends_with_its_last_good_weights(data):
    model = network()
    model.optimizer.learning_rate = 1e30
    with pytest.raises(FloatingPointError, match="put back"):
        model.fit(*data, epochs=40, callbacks=[AverageWeights(0.9)], progress=False)
    assert all(np.isfinite(value).all() for value in model.get_weights())


def test_in_span_refuses_an_average(rng):
    model = mt.Sequential([mt.Input((400,)), mt.Dense(2)], rng=0).compile("sgd", "mse")
    with pytest.raises(ValueError, match="AverageWeights gives the model other weights for validation"):
        model.fit(
            rng.normal(size=(5, 400)), np.ones((5, 2)), in_span=True, callbacks=[AverageWeights()], progress=False
        )


@pytest.mark.parametrize("momentum", [1.0, -0.1, "0.9"])
def test_a_wrong_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match=r"AverageWeights: momentum is a number in \[0, 1\)"):
        AverageWeights(momentum)


def test_lambda_callback_calls_its_functions(data):
    seen = []
    callback = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(epoch),
        on_epoch_end=lambda epoch, logs: logs.update(double=2 * logs["loss"]),
        on_train_batch_end=lambda batch, logs: seen.append(batch),
        on_test_end=lambda logs: seen.append("test"),
        on_train_end=lambda logs: seen.append("end"),
    )
    history = network().fit(*data, epochs=1, batch_size=30, validation_data=data, callbacks=[callback], progress=False)
    assert seen == [0, 0, 1, "test", "end"]
    assert history["double"] == [2 * history["loss"][0]]


def test_a_function_with_other_arguments_is_refused(data):
    with pytest.raises(ValueError, match=r"on_epoch_end is called with \(epoch, logs\)"):
        network().fit(*data, callbacks=[LambdaCallback(on_epoch_end=lambda logs: None)], progress=False)
    with pytest.raises(ValueError, match="on_epoch_end is a hook, and 3 cannot be called"):
        network().fit(*data, callbacks=[LambdaCallback(on_epoch_end=3)], progress=False)
    with pytest.raises(TypeError, match=r"no argument 'on_epoch_ends'\. Did you mean on_epoch_end"):
        LambdaCallback(on_epoch_ends=print)


def test_the_learning_rate_is_in_the_history(data):
    halving = LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = network().fit(*data, epochs=3, callbacks=[halving], progress=False)
    assert history["learning_rate"] == [0.25, 0.125, 0.0625]
    plateau = ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=100)
    history = network().fit(*data, epochs=4, callbacks=[plateau], progress=False)
    np.testing.assert_allclose(history["learning_rate"], [0.5, 0.5, 0.05, 0.005])


def test_the_rate_test_leaves_the_model_as_it_is(data):
    model = network()
    model.fit(*data, epochs=1, progress=False)
    other = copy.deepcopy(model)
    test = mt.tuning.rate_test(model, *data, low=1e-4, high=10, steps=40, batch_size=16)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert model.optimizer.learning_rate == 0.5
    assert model.optimizer.iteration == 2
    assert model.fit(*data, epochs=2, progress=False)["loss"] == other.fit(*data, epochs=2, progress=False)["loss"]
    assert len(test.rates) == len(test.losses) <= 40
    np.testing.assert_allclose(test.rates, 1e-4 * (10 / 1e-4) ** (np.arange(len(test.rates)) / 39))
    assert test.suggestion == test.rates[int(np.argmin(test.smoothed))] / 10


def test_the_losses_of_the_rate_test_are_those_of_the_steps():
    """(w - 0)^2 / 2 of one weight: the loss after each step has a closed form."""
    x, y = np.ones((4, 1)), np.zeros(4)
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1, use_bias=False, kernel_initializer="ones")], dtype="float64")
    model.compile(mt.SGD(9.0), mt.MSELoss())
    test = mt.tuning.rate_test(model, x, y, low=0.01, high=0.4, steps=20, batch_size=4)
    weight, due = 1.0, []
    for rate in test.rates:
        due.append(weight**2)
        weight -= rate * 2 * weight
    np.testing.assert_allclose(test.losses, due, rtol=1e-10)
    assert len(test.rates) == 20


def test_the_rate_test_ends_where_the_loss_explodes(data):
    x = data[0]
    model = mt.Sequential([mt.Input((4,)), mt.Dense(1)], rng=0).compile("sgd", "mse")
    test = mt.tuning.rate_test(model, x, x.sum(axis=1), low=1e-3, high=1e9, steps=60)
    assert len(test.rates) < 50
    assert test.suggestion < 10


@pytest.mark.parametrize(("options", "message"), [({"low": 1, "high": 0.1}, "low is less than high"), ({"steps": 1}, "steps"), ({"low": 0}, "low is a positive")])  # fmt: skip
def test_a_wrong_rate_test_is_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        mt.tuning.rate_test(network(), *data, **options)


def test_the_rate_test_of_a_loss_that_never_falls_says_so():
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1, use_bias=False, kernel_initializer="zeros")]).compile(
        "sgd", "mse"
    )
    with pytest.raises(ValueError, match="the loss never fell"):
        mt.tuning.rate_test(model, np.ones((4, 1)), np.zeros(4)).suggestion  # noqa: B018 the access is the test


def test_the_rate_test_is_drawn(data):
    pytest.importorskip("matplotlib")
    test = mt.tuning.rate_test(network(), *data, steps=20)
    axes = test.plot()
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.get_lines()[0].get_ydata(), test.smoothed)
