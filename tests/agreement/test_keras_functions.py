"""User-defined functions in files that Keras saved: load_model is given NumPy functions of the same names."""

import os

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="needs Keras: pip install keras torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend


def closeness(y_true, y_pred):
    return np.mean(np.abs(y_true - y_pred), axis=-1)


def of_keras():
    def closeness(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    return closeness


@pytest.fixture
def saved(tmp_path, rng):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    function = of_keras()
    model.compile(keras.optimizers.Adam(0.01), function, metrics=[function, "mse"])
    x, y = rng.normal(size=(32, 3)).astype("float32"), rng.normal(size=(32, 1)).astype("float32")
    model.fit(x, y, epochs=2, batch_size=32, verbose=0)
    model.save(tmp_path / "m.keras")
    return model, tmp_path / "m.keras", x, y


def test_a_function_of_the_same_name_trains_on_alike(saved):
    theirs, path, x, y = saved
    ours = mt.load_model(path, functions={"closeness": closeness})
    assert ours.metrics == [closeness, "mse"]
    ours.fit(x, y, epochs=5, batch_size=None, progress=False)
    theirs.fit(x, y, epochs=5, batch_size=32, verbose=0)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=0, atol=1e-5)


def test_without_it_the_warning_says_how_to_give_it(saved):
    theirs, path, x, _ = saved
    with pytest.warns(
        UserWarning, match=r'the loss .closeness.; functions=\{"closeness": closeness\} gives it; compile the model'
    ):
        ours = mt.load_model(path)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), rtol=0, atol=1e-6)
    assert ours.loss is None
