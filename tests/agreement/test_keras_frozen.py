"""Frozen layers go both ways: who learns, with which state of the optimiser, and that nothing else moves."""

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
Y = X[:, :1] * X[:, 1:2]
# Keras computes 1 - beta_2^t in float32, which for 0.999 leaves four digits.
OPTIMIZERS = {
    "SGD": lambda of: of.SGD(0.05, momentum=0.9),
    "Adam": lambda of: of.Adam(0.01, beta_2=0.9),
    "Nadam": lambda of: of.Nadam(0.01, beta_2=0.9),
}
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def assert_same_steps(ours, theirs):
    """Ten steps more."""
    frozen = {name: parameter.value.copy() for name, parameter in ours.parameters().items() if parameter.frozen}
    assert frozen
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X), atol=1e-6)
    theirs.fit(X, Y, epochs=10, batch_size=20, shuffle=False, verbose=0)
    ours.fit(X, Y, epochs=10, batch_size=None)
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X), atol=1e-5)
    for name, value in frozen.items():
        np.testing.assert_array_equal(ours.parameters()[name].value, value)


def learning(ours):
    return [parameter.shape for parameter in ours.parameters().values() if parameter.trainable]


@every_optimizer
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_what_keras_froze_stays_frozen_here(tmp_path, optimizer, suffix):
    base = keras.Sequential([keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.ReLU()])
    normal = keras.layers.BatchNormalization(trainable=False)
    mixed = keras.Sequential([keras.layers.Dense(4, trainable=False), keras.layers.Dense(4)])
    theirs = keras.Sequential([keras.Input((4,)), base, mixed, normal, keras.layers.Dense(1)])
    base.trainable = False
    theirs.compile(optimizer(keras.optimizers), "mse")
    theirs.fit(X, Y, epochs=3, batch_size=20, shuffle=False, verbose=0)
    path = tmp_path / f"m.{suffix}"
    theirs.save(path)
    ours = mt.load_model(path)
    assert learning(ours) == [tuple(variable.shape) for variable in theirs.trainable_variables]
    assert_same_steps(ours, theirs)


@every_optimizer
@pytest.mark.parametrize("branched", [False, True])
def test_what_is_frozen_here_is_frozen_in_keras_and_in_our_own_file(tmp_path, optimizer, branched):
    frozen = mt.Sequential([mt.Dense(4), mt.BatchNormalization()])
    between = mt.Residual([mt.Dense(4)]) if branched else mt.Dense(4)
    ours = mt.Sequential([mt.Input((4,)), frozen, between, mt.Dense(4), mt.Dense(1)], rng=3)
    ours.compile(optimizer(mt), mt.MSELoss())
    for parameter in (*ours[1].parameters().values(), *ours[3].parameters().values()):
        parameter.trainable = False
    ours.fit(X, Y, epochs=3, batch_size=None)
    ours.save(tmp_path / "m.keras")
    theirs, again = keras.models.load_model(tmp_path / "m.keras"), mt.load_model(tmp_path / "m.keras")
    assert learning(again) == learning(ours) == [(4, 4), (4,), (4, 1), (1,)]
    assert [tuple(variable.shape) for variable in theirs.trainable_variables] == learning(ours)
    assert_same_steps(ours, theirs)
    again.fit(X, Y, epochs=10, batch_size=None)
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))


@pytest.mark.parametrize(("before", "counts"), [(True, "14 arrays, expected 10"), (False, "10 arrays, expected 14")])
def test_what_was_frozen_or_freed_after_training_begins_anew_as_in_keras(tmp_path, before, counts):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), keras.layers.Dense(4), keras.layers.Dense(1)])
    theirs.layers[0].trainable = before
    theirs.compile(OPTIMIZERS["Adam"](keras.optimizers), "mse")
    theirs.fit(X, Y, epochs=3, batch_size=20, shuffle=False, verbose=0)
    theirs.layers[0].trainable = not before
    theirs.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match=f"state does not match the parameters that learn .{counts}"):
        ours = mt.load_model(tmp_path / "m.keras")
    assert ours.optimizer.iteration == 0
    ours[2].kernel.trainable = False
    ours[2].bias.trainable = False
    theirs = keras.models.load_model(tmp_path / "m.keras")
    theirs.layers[1].trainable = False
    theirs.compile(OPTIMIZERS["Adam"](keras.optimizers), "mse")
    assert_same_steps(ours, theirs)


def test_a_part_of_a_layer_is_frozen_in_our_own_file_alone(tmp_path):
    ours = mt.Sequential([mt.Input((4,)), mt.Dense(4), mt.Dense(1)], rng=1).compile(mt.Adam(0.01), mt.MSELoss())
    ours.fit(X, Y, epochs=3, batch_size=None)
    ours[1].kernel.trainable = False
    with pytest.warns(UserWarning, match=r"Keras freezes whole layers, and not dense_1 in part"):
        ours.save(tmp_path / "m.keras")
    theirs, again = keras.models.load_model(tmp_path / "m.keras"), mt.load_model(tmp_path / "m.keras")
    assert not theirs.compiled
    assert len(theirs.trainable_variables) == 4
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X), atol=1e-6)
    for model in (ours, again):
        model.fit(X, Y, epochs=3, batch_size=None)
        model[1].kernel.trainable = True  # it continues from its own state
        model.fit(X, Y, epochs=3, batch_size=None)
    np.testing.assert_array_equal(again.predict(X), ours.predict(X))
