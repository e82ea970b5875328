"""What Keras keeps beside layers and weights: it is read, or a warning names it; user-defined classes are refused."""

import os
import warnings

import h5py
import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)[:, None]


def network(optimizer="sgd", **settings):
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(3, "tanh"),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer, settings.pop("loss", "mse"), **settings)
    model.fit(X, Y, epochs=3, batch_size=20, shuffle=False, verbose=0)
    return model


def warnings_of(path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = mt.load_model(path)
    return model, " | ".join(str(one.message) for one in caught)


optimizers = keras.optimizers
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, 0.9),
    "nesterov": lambda: optimizers.SGD(0.1, 0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(0.01),
    "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True, clipnorm=0.5),
    "adamw": lambda: optimizers.AdamW(0.01),
    "nadam": lambda: optimizers.Nadam(0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    "adagrad": lambda: optimizers.Adagrad(0.05),
    "lion": lambda: optimizers.Lion(0.002),
    "schedule": lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)),
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_training_continues_from_an_older_file_as_in_keras(tmp_path, kind):
    theirs = network(OPTIMIZERS[kind]())
    theirs.save(tmp_path / "m.h5")
    ours = mt.load_model(tmp_path / "m.h5")
    assert ours.optimizer.iteration == 3
    theirs.fit(X, Y, epochs=5, batch_size=20, shuffle=False, verbose=0)
    ours.fit(X, Y, epochs=5, batch_size=None)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=2e-5)


def test_state_that_does_not_fit_an_older_file_begins_anew_and_is_reported(tmp_path):
    network(optimizers.Adam(0.01)).save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = file["optimizer_weights"]
        names = list(group.attrs["weight_names"])
        group.attrs["weight_names"] = [name.encode() for name in names[:-2]]
    model, warned = warnings_of(tmp_path / "m.h5")
    assert (model.optimizer.iteration, model.optimizer.state) == (0, {})
    assert f"the optimizer's state does not match the parameters that learn ({len(names) - 2} arrays" in warned


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    ("settings", "due"),
    [
        (lambda: {"loss_weights": [2.0]}, "does not have the loss_weights"),
        (lambda: {"weighted_metrics": ["mae"]}, "no weighted metric mae"),
        (lambda: {"optimizer": optimizers.Adam(0.01, use_ema=True)}, "the optimizer 'Adam' with use_ema=True"),
        (
            lambda: {"optimizer": optimizers.RMSprop(0.01, weight_decay=0.1)},
            "the optimizer 'RMSprop' with weight_decay=0.1|^",
        ),
        (lambda: {"optimizer": optimizers.Adam(0.01, loss_scale_factor=8.0)}, "loss_scale_factor=8.0"),
        (lambda: {"optimizer": optimizers.Adamax(0.01)}, "the optimizer 'Adamax'"),
    ],
    ids=["loss_weights", "weighted_metrics", "use_ema", "weight_decay", "loss_scale", "unknown"],
)
def test_what_is_learnt_otherwise_is_reported(tmp_path, ending, settings, due):
    network(**settings()).save(tmp_path / f"m.{ending}")
    model, warned = warnings_of(tmp_path / f"m.{ending}")
    if due.endswith("|^"):  # done as Keras does it, or warned of
        assert due[:-2] in warned or model.optimizer.weight_decay == 0.1
    else:
        assert due in warned


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_settings_without_effect_are_not_spoken_of(tmp_path, ending):
    theirs = network(optimizers.Adam(0.01), loss_weights=[1.0], jit_compile=False, run_eagerly=True)
    theirs.save(tmp_path / f"m.{ending}")
    model, warned = warnings_of(tmp_path / f"m.{ending}")
    assert warned.count(" | ") == 0
    assert "has no SHA-256" in warned
    assert model.optimizer.iteration == 3


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_another_precision_is_reported(tmp_path, ending):
    layers = [keras.Input((4,)), keras.layers.Dense(3, dtype="mixed_float16", name="half"), keras.layers.Dense(1)]
    keras.Sequential(layers).save(tmp_path / f"m.{ending}")
    assert "half computes in mixed_float16 there, in float32 here" in warnings_of(tmp_path / f"m.{ending}")[1]
    layers = [keras.Input((4,), dtype="int32"), keras.layers.Rescaling(0.5), keras.layers.Dense(1)]
    keras.Sequential(layers).save(tmp_path / f"m.{ending}")
    assert "its Input makes int32 of x there" in warnings_of(tmp_path / f"m.{ending}")[1]
    layers = [keras.Input((4,), dtype="int32"), keras.layers.Embedding(5, 3), keras.layers.Flatten()]
    keras.Sequential(layers).save(tmp_path / f"m.{ending}")
    assert "Input" not in warnings_of(tmp_path / f"m.{ending}")[1]


registered = keras.saving.register_keras_serializable(package="my")


@registered
class Dense(keras.layers.Dense):
    def call(self, x):
        return 10 * super().call(x)


class ReLU(keras.layers.ReLU):  # not registered
    pass


@registered
class L2(keras.regularizers.L2):
    pass


@registered
class HeNormal(keras.initializers.HeNormal):
    pass


@registered
class Adam(keras.optimizers.Adam):
    pass


@registered
class MeanSquaredError(keras.losses.MeanSquaredError):
    pass


@registered
class Precision(keras.metrics.Precision):
    pass


@registered
class ExponentialDecay(keras.optimizers.schedules.ExponentialDecay):
    pass


@registered
class Sequential(keras.Sequential):
    pass


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    "layers",
    [
        lambda: [Dense(3)],
        lambda: [keras.layers.Dense(3, kernel_regularizer=L2(0.1))],
        lambda: [keras.layers.Dense(3, kernel_initializer=HeNormal())],
        lambda: [Sequential([keras.layers.Dense(3)])],
    ],
)
def test_a_class_that_is_user_defined_is_refused_whatever_its_name(tmp_path, ending, layers):
    keras.Sequential([keras.Input((4,)), *layers()]).save(tmp_path / f"r.{ending}")
    with pytest.raises(mt.ModelFileError, match="which this package does not have"):
        mt.load_model(tmp_path / f"r.{ending}")


def test_a_class_that_is_not_registered_is_refused(tmp_path):
    keras.Sequential([keras.Input((4,)), ReLU()]).save(tmp_path / "r.keras")
    with pytest.raises(mt.ModelFileError, match="ReLU, a user-defined class"):
        mt.load_model(tmp_path / "r.keras")


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize(
    ("settings", "due"),
    [
        (lambda: {"optimizer": Adam(0.01)}, "does not have.*Adam"),
        (lambda: {"optimizer": optimizers.SGD(ExponentialDecay(0.1, 2, 0.5))}, "does not have.*ExponentialDecay"),
        (lambda: {"loss": MeanSquaredError()}, "does not have.*MeanSquaredError|does not have.*mean_squared_error"),
        (lambda: {"metrics": [Precision()]}, "has no.*Precision.*leaves it out"),
    ],
    ids=["optimizer", "schedule", "loss", "metric"],
)
def test_training_by_a_class_that_is_user_defined_is_left_out_and_reported(tmp_path, ending, settings, due):
    network(**settings()).save(tmp_path / f"r.{ending}")
    with pytest.warns(UserWarning, match=due):
        model = mt.load_model(tmp_path / f"r.{ending}")
    assert ("loss" in vars(model)) == ("metrics" in settings())
