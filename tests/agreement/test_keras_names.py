"""compile("adam", "mse", ["acc"]) means here what it means in Keras: the same losses, accuracies and steps."""

import os

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.losses import finding as losses
from minitorch_np.optimizers import finding as optimizers

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
NUMBERS, BITS, CLASSES = RNG.normal(size=(40, 1)), RNG.integers(0, 2, (40, 1)), RNG.integers(0, 3, 40)
LAST = {"sigmoid": mt.Sigmoid, "softmax": mt.Softmax}
# What each loss is given: the last activation and the targets.
LOSSES = {
    "mse": (None, BITS),
    "mean_squared_error": (None, NUMBERS),
    "MeanSquaredError": (None, NUMBERS),
    "mae": (None, NUMBERS),
    "mean_absolute_error": (None, NUMBERS),
    "huber": (None, 3 * NUMBERS),
    "hinge": (None, BITS),
    "binary_crossentropy": ("sigmoid", BITS),
    "BinaryCrossentropy": ("sigmoid", BITS),
    "bce": ("sigmoid", BITS),
    "categorical_crossentropy": ("softmax", np.eye(3)[CLASSES]),
    "CategoricalCrossentropy": ("softmax", np.eye(3)[CLASSES]),
    "sparse_categorical_crossentropy": ("softmax", CLASSES),
}


def pair(last, y):
    """Their network and ours, with the same weights."""
    units = 1 if last != "softmax" else 3
    theirs = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(units, activation=last)]
    )
    after = [LAST[last]()] if last else []
    ours = mt.Sequential([mt.Input((4,)), mt.Dense(5), mt.Tanh(), mt.Dense(units), *after])
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def learn(theirs, ours, y, **how):
    """Their history and ours of the same ten epochs."""
    for model in (theirs, ours):
        model.compile(**how)
    history = theirs.fit(X, y, epochs=10, batch_size=16, shuffle=False, verbose=0).history
    return history, ours.fit(X, y, epochs=10, batch_size=16, shuffle=False)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_by_name_is_keras_s(name):
    last, y = LOSSES[name]
    theirs, ours = learn(*pair(last, y), y, optimizer="sgd", loss=name)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)


def test_every_name_of_a_loss_is_compared():
    assert set(losses.BY_NAME) <= set(LOSSES)


@pytest.mark.parametrize("name", [*optimizers.BY_NAME, "Adam", "SGD", "RMSprop"])
def test_an_optimizer_by_name_takes_keras_s_steps(name):
    last, y = LOSSES["mse"]
    theirs, ours = pair(last, y)
    learn(theirs, ours, y, optimizer=name, loss="mse")
    # Keras computes 1 - beta_2^t in float32, which leaves it four digits.
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=2e-5)


@pytest.mark.parametrize("name", ["acc", "accuracy"])
@pytest.mark.parametrize(
    "loss", ["mse", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]
)
def test_accuracy_by_name_is_keras_s(loss, name):
    last, y = LOSSES[loss]
    theirs, ours = learn(*pair(last, y), y, optimizer="adam", loss=loss, metrics=[name])
    assert set(ours) == set(theirs) == {"loss", name}
    np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "y"), [("mean_squared_error", NUMBERS), ("mean_absolute_error", NUMBERS), ("r2_score", NUMBERS)]
)
def test_metrics_by_keras_s_names_are_keras_s(name, y):
    theirs, ours = learn(*pair(None, y), y, optimizer="sgd", loss="mse", metrics=[name])
    np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
