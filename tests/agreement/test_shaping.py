"""Reshape, Permute and Normalization agree with Keras."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend


@pytest.fixture(autouse=True, scope="module")
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


shapes = st.lists(st.integers(1, 4), min_size=2, max_size=4)


def theirs(layer, x):
    return keras.ops.convert_to_numpy(layer(x))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), shapes, st.data())
def test_reshape_and_permute(seed, shape, data):
    x = np.random.default_rng(seed).normal(size=shape)
    dims = tuple(data.draw(st.permutations(range(1, len(shape)))))
    target = (-1, shape[1])
    for name, argument in (("Permute", dims), ("Reshape", target)):
        expected = theirs(getattr(keras.layers, name)(argument, dtype="float64"), x)
        np.testing.assert_array_equal(getattr(mt, name)(argument)(x), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), shapes, st.data())
def test_normalization(seed, shape, data):
    x = 3 + np.random.default_rng(seed).normal(size=[5, *shape])
    places = st.lists(st.integers(1, len(shape)), min_size=1, unique=True).map(tuple)
    axis = data.draw(st.one_of(st.just(-1), st.none(), places))
    reference = keras.layers.Normalization(axis, dtype="float64")
    reference.adapt(x)
    expected = theirs(reference, x)
    ours = mt.Normalization(axis).adapt(x)
    np.testing.assert_allclose(ours(x), expected, atol=1e-6)  # Keras's own output is in float32, its statistics are not
    mean, variance = (keras.ops.convert_to_numpy(v) for v in (reference.adapt_mean, reference.adapt_variance))
    np.testing.assert_allclose(ours.adapt_mean.value, mean, rtol=1e-12)
    np.testing.assert_allclose(ours.adapt_variance.value, variance, rtol=1e-10, atol=1e-14)
    given = keras.layers.Normalization(axis, mean, variance, dtype="float64")
    np.testing.assert_allclose(mt.Normalization(axis, mean, variance)(x), theirs(given, x), atol=1e-6)
