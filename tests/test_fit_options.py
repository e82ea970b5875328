"""Options of fit: first epoch, epochs with validation, accumulated gradients, weights in validation."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.callbacks import EarlyStopping, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau


def network(rng=0, units=3, optimizer=None, **options):
    layers = [mt.Input((4,)), mt.Dense(8, **options), mt.Tanh(), mt.Dense(units)]
    model = mt.Sequential(layers, rng=rng, dtype="float64")
    return model.compile(optimizer or mt.Adam(0.05), mt.CrossEntropyLoss(), ["accuracy"])


@pytest.fixture
def data(rng):
    x = rng.normal(size=(50, 4))
    y = (np.abs(x[:, 0]) * 2).astype(int) % 3
    x.flags.writeable = y.flags.writeable = False
    return x, y


def weights_of(model):
    return np.concatenate([value.ravel() for value in model.get_weights()])


def test_initial_epoch_counts_on(data):
    seen, model = [], network()
    counting = LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    history = model.fit(*data, initial_epoch=3, epochs=5, callbacks=[counting], progress=False)
    assert seen == [3, 4]
    assert history.epochs == len(history["accuracy"]) == 2


def test_two_fits_with_initial_epoch_are_as_one(data):
    whole, parts = network(), network()
    history = whole.fit(*data, epochs=5, progress=False)
    first = parts.fit(*data, epochs=2, progress=False)
    second = parts.fit(*data, initial_epoch=2, epochs=5, progress=False)
    np.testing.assert_array_equal(weights_of(parts), weights_of(whole))
    assert first["loss"] + second["loss"] == history["loss"]


def test_the_csv_of_a_history_counts_on(data, tmp_path):
    network().fit(*data, initial_epoch=3, epochs=5, progress=False).to_csv(tmp_path / "h.csv")
    lines = (tmp_path / "h.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "3", "4"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_epoch": 5, "epochs": 5}, "none is left. For 5 more epochs write epochs=10"),
        ({"initial_epoch": -1}, "initial_epoch is an int of at least 0"),
        ({"accumulate": 0}, "accumulate is an int of at least 1"),
        ({"accumulate": 2.0}, "accumulate is an int of at least 1"),
        ({"validation_freq": 0, "validation_split": 0.2}, "validation_freq is an int of at least 1"),
        ({"validation_freq": [], "validation_split": 0.2}, "validation_freq is an int of at least 1"),
        ({"validation_freq": 2}, "no effect without validation data"),
        ({"initial_epoch": 1, "epochs": 2, "resume": "run.ckpt"}, "continues with the epoch that its file names"),
        ({"accumulate": 2, "in_span": True}, "Leave accumulate=2 out"),
    ],
)
def test_options_without_effect_are_refused(data, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.tile(data[0], (1, 40)) if "in_span" in options else data[0]
    model = mt.Sequential([mt.Dense(3)]).compile("sgd", mt.CrossEntropyLoss())
    with pytest.raises(ValueError, match=message):
        model.fit(x, data[1], progress=False, **options)


@pytest.mark.parametrize(("freq", "due"), [(2, [1, 3]), (3, [2]), ([1, 5], [0, 4]), (np.int64(5), [4])])
def test_validation_freq_validates_after_these_epochs(data, freq, due):
    history = network().fit(*data, epochs=5, validation_split=0.2, validation_freq=freq, progress=False)
    every = network().fit(*data, epochs=5, validation_split=0.2, progress=False)
    for name in ("val_loss", "val_accuracy"):
        expected = [value if epoch in due else np.nan for epoch, value in enumerate(every[name])]
        np.testing.assert_array_equal(history[name], expected)
        assert history.history[name] == [every[name][epoch] for epoch in due]
    with pytest.raises(KeyError, match="'val_f1' was not measured; there is loss, "):
        history.history["val_f1"]
    assert history["loss"] == every["loss"]


def test_callbacks_that_monitor_validation_wait_for_it(data, tmp_path):
    path = tmp_path / "{epoch}-{val_loss:.3f}.weights.h5"
    stopping, plateau = EarlyStopping(patience=2, min_delta=100), ReduceLROnPlateau(patience=1, min_delta=100)
    history = network().fit(
        *data,
        epochs=20,
        validation_split=0.2,
        validation_freq=2,
        callbacks=[
            stopping,
            plateau,
            ModelCheckpoint(path),
            ModelCheckpoint(tmp_path / "b.keras", save_best_only=True),
        ],
        progress=False,
    )
    # The best is epoch 1, the first validation; the second and third after it are not better.
    assert (stopping.best_epoch, stopping.stopped_epoch, history.epochs) == (1, 5, 6)
    assert sorted(file.name.partition("-")[0] for file in tmp_path.glob("*.h5")) == ["2", "4", "6"]
    np.testing.assert_allclose(history["learning_rate"], [0.05] * 4 + [0.005] * 2)


def test_the_plot_of_some_validations_joins_them(data):
    pytest.importorskip("matplotlib")
    history = network().fit(*data, epochs=5, validation_split=0.2, validation_freq=2, progress=False)
    lines = history.plot().get_lines()
    assert list(lines[1].get_xdata()) == [2, 4]
    assert list(lines[0].get_xdata()) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("optimizer", [mt.SGD(0.3, momentum=0.9), mt.Adam(0.05), mt.AdamW(0.05, global_clipnorm=0.1)])
def test_accumulated_batches_step_as_one_batch(data, optimizer):
    """50 examples in batches of 6: groups of 24, 24 and 2."""
    options = {"kernel_regularizer": "l2", "bias_regularizer": "l1"}
    one, many = network(0, optimizer=optimizer.clone(), **options), network(0, optimizer=optimizer.clone(), **options)
    weights = np.random.default_rng(1).random(50)
    one.fit(*data, epochs=3, batch_size=24, sample_weight=weights, shuffle=True, progress=False)
    history = many.fit(*data, epochs=3, batch_size=6, accumulate=4, sample_weight=weights, shuffle=True, progress=False)
    np.testing.assert_allclose(weights_of(many), weights_of(one), rtol=1e-9, atol=1e-12)
    assert many.optimizer.iteration == one.optimizer.iteration == 9
    assert history["loss"][-1] == pytest.approx(one.history["loss"][-1], rel=1e-12)


def test_accumulation_of_frozen_and_unfrozen_parameters(data):
    model = network()
    model.layers[1].trainable = False
    before = model.layers[1].kernel.value.copy()
    model.fit(*data, epochs=1, batch_size=6, accumulate=4, progress=False)
    np.testing.assert_array_equal(model.layers[1].kernel.value, before)
    assert not np.array_equal(model.layers[3].kernel.value, network().layers[3].kernel.value)


def test_accumulation_with_ignored_targets_weighs_the_counted_ones(data):
    x, y = data[0], np.where(np.arange(50) % 3 == 0, -1, data[1])
    models = [network(), network()]
    for model, options in zip(models, ({"batch_size": 50}, {"batch_size": 7, "accumulate": 8}), strict=True):
        model.compile(mt.SGD(0.5), mt.CrossEntropyLoss(ignore_index=-1), ["accuracy"])
        model.fit(x, y, epochs=2, shuffle=False, progress=False, **options)
    np.testing.assert_allclose(weights_of(models[0]), weights_of(models[1]), rtol=1e-9)
    assert models[0].history["loss"][0] == pytest.approx(models[1].history["loss"][0], rel=1e-12)


def test_a_resumed_run_that_accumulates_ends_in_the_same_bits(data, tmp_path, monkeypatch):
    from minitorch_np.training import kept_run

    whole = network()
    whole.fit(*data, epochs=3, batch_size=6, accumulate=4, progress=False)

    monkeypatch.setattr(kept_run, "SECONDS", 0.0)
    monkeypatch.setattr(kept_run, "TIMES", 0)
    broken, path = network(), tmp_path / "run.ckpt"

    def stop(batch, logs):
        if broken.optimizer.iteration == 4 and batch == 6:
            raise KeyError("power cut")

    with pytest.raises(KeyError):
        broken.fit(
            *data, epochs=3, batch_size=6, accumulate=4, resume=path, callbacks=[LambdaCallback(on_train_batch_end=stop)], progress=False
        )  # fmt: skip
    resumed = network()
    history = resumed.fit(*data, epochs=3, batch_size=6, accumulate=4, resume=path, progress=False)
    np.testing.assert_array_equal(weights_of(resumed), weights_of(whole))
    assert history["loss"] == whole.history["loss"]
    with pytest.raises(mt.ModelFileError, match="accumulate is 2 here and 4 there"):
        network().fit(*data, epochs=3, batch_size=6, accumulate=2, resume=path, progress=False)


def weighted_loss(model, x, y, weights):
    scores = model.predict(x)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return -(weights * log_p[np.arange(len(y)), y]).mean()


def test_weights_of_evaluate_and_validation(data):
    x, y = data
    weights, model = np.random.default_rng(2).random(50), network()
    expected = weighted_loss(model, x, y, weights)
    assert model.evaluate(x, y, sample_weight=weights, batch_size=7).loss == pytest.approx(expected, rel=1e-12)
    batches = [(x[start : start + 20], y[start : start + 20], weights[start : start + 20]) for start in (0, 20, 40)]
    assert model.evaluate(batches).loss == pytest.approx(expected, rel=1e-12)
    for given in ((x, y, weights), batches):
        history = model.fit(x, y, validation_data=given, progress=False)
        assert history["val_loss"][0] == pytest.approx(weighted_loss(model, x, y, weights), rel=1e-12)
    assert model.evaluate(x, y, sample_weight=weights).accuracy == model.evaluate(x, y).accuracy


def test_validation_split_splits_the_weights(data):
    x, y = data
    weights, model = np.random.default_rng(2).random(50), network()
    history = model.fit(x, y, sample_weight=weights, validation_split=0.2, progress=False)
    expected = weighted_loss(model, x[40:], y[40:], weights[40:])
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-12)


def test_weights_of_another_length_are_refused(data):
    x, y = data
    with pytest.raises(ValueError, match=r"expected sample_weight of shape \(50,\), got \(49,\)"):
        network().evaluate(x, y, sample_weight=np.ones(49))
    with pytest.raises(ValueError, match=r"got \(50, 1\)\. Write sample_weight\.reshape\(-1\)"):
        network().fit(x, y, sample_weight=np.ones((50, 1)))
    with pytest.raises(ValueError, match="the weights come with the data, so sample_weight is left out"):
        network().evaluate([(x, y)], sample_weight=np.ones(50))
