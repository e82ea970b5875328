"""Files that Keras opens and files of Keras's that open here: same predictions, same steps afterwards."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


def network(optimizer):
    layers = [mt.Input((4,)), mt.Rescaling(0.5), mt.Dense(3), mt.ReLU(), mt.Dense(1, use_bias=False), mt.Sigmoid()]
    return mt.Sequential(layers, rng=1).compile(optimizer, mt.BCELoss(), metrics=["accuracy"])


def twin(*last):
    """Keras's model of the same layers, with its last ones."""
    layers = [keras.Input((4,)), keras.layers.Rescaling(0.5), keras.layers.Dense(3), keras.layers.ReLU()]
    return keras.Sequential([*layers, *last])


@pytest.mark.parametrize(
    "optimizer", [mt.SGD(0.1), mt.SGD(0.1, momentum=0.9), mt.SGD(0.1, 0.9, nesterov=True)], ids=repr
)
def test_keras_opens_ours_and_trains_on(tmp_path, optimizer):
    ours = network(optimizer)
    ours.fit(X, Y, epochs=5)
    ours.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X), atol=1e-6)
    theirs.fit(X, Y[:, None], epochs=10, batch_size=20, shuffle=False, verbose=0)
    ours.fit(X, Y, epochs=10, batch_size=None)
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X), atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}], ids=repr)
def test_ours_trains_on_what_keras_began(tmp_path, settings):
    theirs = twin(keras.layers.Dense(1, use_bias=False), keras.layers.Activation("sigmoid"))
    theirs.compile(keras.optimizers.SGD(0.1, **settings), "binary_crossentropy", metrics=["accuracy"])
    theirs.fit(X, Y[:, None], epochs=5, batch_size=20, shuffle=False, verbose=0)
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras")
    assert ours.optimizer.iteration == 5
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-6)
    for _ in range(2):  # ten further steps, with a file in between
        theirs.fit(X, Y[:, None], epochs=5, batch_size=20, shuffle=False, verbose=0)
        ours.fit(X, Y, epochs=5, batch_size=None)
        ours.save(tmp_path / "m.keras")
        ours = mt.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)


LOSSES = [
    ("mean_squared_error", Y, mt.MSELoss),
    (keras.losses.BinaryCrossentropy(from_logits=True), Y, mt.BCEWithLogitsLoss),
    (keras.losses.SparseCategoricalCrossentropy(from_logits=True), np.arange(20) % 3, mt.CrossEntropyLoss),
]


@pytest.mark.parametrize(("loss", "y", "kind"), LOSSES, ids=lambda value: getattr(value, "__name__", None))
def test_losses_go_both_ways(tmp_path, loss, y, kind):
    theirs = twin(keras.layers.Dense(3 if kind is mt.CrossEntropyLoss else 1))
    theirs.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    theirs.fit(X, y[:, None], epochs=2, batch_size=20, shuffle=False, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    ours = mt.load_model(tmp_path / "theirs.keras")
    assert type(ours.loss) is kind
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    theirs.fit(X, y[:, None], epochs=10, batch_size=20, shuffle=False, verbose=0)
    ours.fit(X, y, epochs=10, batch_size=None)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)


def test_what_keras_saved_again_opens_with_a_warning(tmp_path):
    ours = network(mt.SGD(0.1, momentum=0.9))
    ours.fit(X, Y, epochs=5)
    ours.save(tmp_path / "m.keras")
    keras.models.load_model(tmp_path / "m.keras").save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match=r"has no SHA-256.*only the CRC-32 of the zip checks its numbers"):
        again = mt.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(X), ours.predict(X), atol=1e-6)
    for model in (ours, again):
        model.fit(X, Y, epochs=10, batch_size=None)
    np.testing.assert_allclose(again.predict(X), ours.predict(X), atol=1e-5)


@pytest.mark.parametrize("compiled", [True, False])
def test_the_older_format_opens_here(tmp_path, compiled):
    inner = keras.Sequential([keras.layers.Dense(3), keras.layers.ReLU()])
    theirs = twin(inner, keras.layers.Dense(1, activation="sigmoid"))
    if compiled:
        theirs.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
        theirs.fit(X, Y[:, None], epochs=2, batch_size=20, verbose=0)
    theirs.save(tmp_path / "m.h5")
    with pytest.warns(UserWarning, match=r"has no SHA-256.*a damaged number would not be noticed"):
        ours = mt.load_model(tmp_path / "m.h5")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-6)
    if compiled:
        theirs.fit(X, Y[:, None], epochs=10, batch_size=20, shuffle=False, verbose=0)
        ours.fit(X, Y, epochs=10, batch_size=None)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)


def test_a_long_list_of_names_in_the_older_format_is_put_together(tmp_path):
    """Above 64 KB Keras splits it into layer_names0, layer_names1, …"""
    layers = [keras.layers.Dense(4, name=f"{number}_{'long' * 500}") for number in range(40)]
    theirs = keras.Sequential([keras.Input((4,)), *layers])
    theirs.save(tmp_path / "m.h5")
    due = theirs.predict(X, verbose=0)
    np.testing.assert_allclose(mt.load_model(tmp_path / "m.h5").predict(X), due, atol=1e-6 * np.abs(due).max(initial=1))


def test_a_keras_model_opens_here(tmp_path):
    theirs = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Rescaling(2.0, offset=-1.0),
            keras.layers.Dense(5, activation="relu"),
            keras.Sequential([keras.layers.Dense(3), keras.layers.ReLU()]),
            keras.layers.Dense(1, use_bias=False),
            keras.layers.Activation("sigmoid"),
        ]
    )
    theirs.save(tmp_path / "m.keras")
    np.testing.assert_allclose(mt.load_model(tmp_path / "m.keras").predict(X), theirs.predict(X, verbose=0), atol=1e-6)


def test_a_layer_that_is_not_here_is_named(tmp_path):
    keras.Sequential([keras.Input((4,)), keras.layers.PReLU()]).save(tmp_path / "m.keras")
    with pytest.raises(mt.ModelFileError, match="the layer PReLU, which this package does not have"):
        mt.load_model(tmp_path / "m.keras")


def test_weights_go_both_ways(tmp_path):
    ours = network(mt.SGD(0.1))
    theirs = twin(keras.layers.Dense(1, use_bias=False), keras.layers.Activation("sigmoid"))
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-6)
    other = network(mt.SGD(0.1))
    other.set_weights([w + 0.1 for w in ours.get_weights()])
    other.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(theirs.predict(X, verbose=0), other.predict(X), atol=1e-6)


@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "wrap", "constant"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_shifted_images_are_those_of_keras(fill_mode, interpolation):
    x = np.random.default_rng(1).uniform(size=(4, 6, 5, 3)).astype(np.float32)
    for down, right in ((0.29, -0.33), (-0.6, 0.85), (0.0, 0.13)):
        ours = mt.RandomTranslation((down, down), (right, right), fill_mode, interpolation, 0.4)
        theirs = keras.layers.RandomTranslation((down, down), (right, right), fill_mode, interpolation, fill_value=0.4)
        due = keras.ops.convert_to_numpy(theirs(x, training=True))
        np.testing.assert_allclose(ours(x), due, atol=2e-5)


@pytest.mark.parametrize(
    "optimizer",
    [
        mt.RMSprop(0.01),
        mt.RMSprop(0.01, momentum=0.9, centered=True),
        mt.Adagrad(0.05),
        mt.Adam(0.01),
        mt.Adam(0.01, amsgrad=True),
        mt.AdamW(0.01),
        mt.Lion(0.002),
        mt.Nadam(0.01),
        mt.Adam(mt.schedules.ExponentialDecay(0.01, 7, 0.5)),
        mt.AdamW(mt.schedules.CosineDecay(0.01, 30, final=0.001)),
    ],
    ids=repr,
)
def test_every_optimiser_continues_in_the_middle_both_ways(tmp_path, optimizer):
    ours = network(optimizer)
    ours.fit(X, Y, epochs=5, batch_size=None)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    ours.fit(X, Y, epochs=10, batch_size=None)
    theirs.fit(X, Y[:, None], epochs=10, batch_size=20, shuffle=False, verbose=0)
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X), atol=1e-5)
    theirs.save(tmp_path / "theirs.keras")
    back = mt.load_model(tmp_path / "theirs.keras")
    assert type(back.optimizer) is type(optimizer)
    for model in (ours, back):
        model.fit(X, Y, epochs=10, batch_size=None)
    np.testing.assert_allclose(back.predict(X), ours.predict(X), atol=2e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": keras.losses.MeanSquaredError(reduction="sum"), "optimizer": "sgd"},
        {"loss": "mse", "optimizer": keras.optimizers.Adam(gradient_accumulation_steps=4)},
    ],
    ids=["reduction", "accumulation"],
)
def test_what_is_learnt_otherwise_in_keras_is_left_uncompiled_and_reported(tmp_path, settings):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    theirs.compile(**settings)
    theirs.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="this package does not have the (loss|optimizer)"):
        ours = mt.load_model(tmp_path / "m.keras")
    with pytest.raises(RuntimeError, match="the model is not compiled"):
        ours.evaluate(X, Y)


@pytest.mark.parametrize(
    "loss",
    [mt.MSELoss(), mt.L1Loss(), mt.HuberLoss(0.3), mt.HingeLoss(), mt.BCELoss(), mt.BCEWithLogitsLoss()],
    ids=repr,
)
def test_losses_are_the_same_there_and_come_back(tmp_path, loss):
    last = [] if loss.from_logits else [mt.Sigmoid()]
    ours = mt.Sequential([mt.Input((4,)), mt.Dense(3), mt.Tanh(), mt.Dense(1), *last], rng=1)
    ours.compile(mt.SGD(0.1), loss, ["accuracy"]).save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    due = ours.evaluate(X, Y)
    np.testing.assert_allclose(theirs.evaluate(X, Y[:, None], verbose=0)[0], due.loss, rtol=1e-5)
    theirs.save(tmp_path / "theirs.keras")
    assert type(mt.load_model(tmp_path / "theirs.keras").loss) is type(loss)  # Keras forgets the delta of Huber itself


if os.environ["KERAS_BACKEND"] == "torch":

    def test_all_this_holds_on_jax_as_well():
        pytest.importorskip("jax", reason="needs JAX as Keras's backend: pip install jax")
        environment = {**os.environ, "KERAS_BACKEND": "jax"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout[-3000:]
