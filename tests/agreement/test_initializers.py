"""Initialisers have Keras's names, fans and spreads."""

import os

import numpy as np
import pytest

from minitorch_np import initializers

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend


@pytest.mark.parametrize("name", [name for name in initializers.BY_NAME if name not in ("identity", "orthogonal")])
@pytest.mark.parametrize("shape", [(5000,), (80, 70), (3, 3, 20, 30), (5, 1, 32, 40)])
def test_the_same_mean_and_spread(name, shape, rng):
    ours = initializers.find(name)(shape, rng)
    keras.utils.set_random_seed(1)  # on PyTorch its truncated normal now and then goes beyond the cut
    theirs = keras.ops.convert_to_numpy(keras.initializers.get(name)(shape))
    spread = theirs.std()
    assert ours.std() == pytest.approx(spread, rel=0.06)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=6 * spread / np.sqrt(ours.size) + 1e-12)
    if spread:
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.25)


@pytest.mark.parametrize("shape", [(7,), (3, 4), (3, 3, 5, 6), (2, 5, 6), (1, 1, 1, 1)])
def test_the_same_fans(shape):
    from keras.src.initializers.random_initializers import compute_fans

    assert initializers.fans(shape) == compute_fans(shape)


@pytest.mark.parametrize("name", initializers.BY_NAME)
def test_keras_knows_every_name(name):
    theirs = keras.initializers.get(name)
    ours = initializers.BY_NAME[name]
    for argument, value in getattr(ours, "config", dict)().items():
        assert getattr(theirs, argument) == value, f"{name}: {argument}"
