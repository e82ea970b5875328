"""Files that Keras opens and files of Keras's that open here: same predictions, same steps afterwards."""

import os

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
    layers = [keras.Input((4,)), keras.layers.Rescaling(0.5), keras.layers.Dense(3), keras.layers.ReLU()]
    theirs = keras.Sequential([*layers, keras.layers.Dense(1, use_bias=False), keras.layers.Activation("sigmoid")])
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
def test_shifted_pictures_are_those_of_keras(fill_mode, interpolation):
    x = np.random.default_rng(1).uniform(size=(4, 6, 5, 3)).astype(np.float32)
    for down, right in ((0.29, -0.33), (-0.6, 0.85), (0.0, 0.13)):
        ours = mt.RandomTranslation((down, down), (right, right), fill_mode, interpolation, 0.4)
        theirs = keras.layers.RandomTranslation((down, down), (right, right), fill_mode, interpolation, fill_value=0.4)
        due = keras.ops.convert_to_numpy(theirs(x, training=True))
        np.testing.assert_allclose(ours(x), due, atol=2e-5)
