"""UnitNormalization gives what Keras and torch.nn.functional.normalize give, and its files go both ways."""

import os

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend


def value_and_gradient(theirs, x, dy):
    t = torch.tensor(x, requires_grad=True)
    y = theirs(t)
    y.backward(torch.tensor(dy))
    return y.detach().numpy(), t.grad.numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1e-20, 1e-13, 1e-11, 1.0, 1e15])
@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (1, -1)], ids=str)
def test_value_and_gradient_are_those_of_pytorch_and_keras(axis, size, dtype, rng):
    x, dy = ((scale * rng.normal(size=(4, 3, 5, 2))).astype(dtype) for scale in (size, 1))
    layer = mt.UnitNormalization(axis)
    found = layer(x), layer.backward(dy)
    both = [lambda t: torch.nn.functional.normalize(t, dim=axis)]
    if dtype == "float64" and os.environ["KERAS_BACKEND"] == "torch":
        # In float32 Keras's gradient is wrong for vectors of 1e-13 and of 1e15: it computes |x|^-3 on the way.
        both.append(keras.layers.UnitNormalization(axis, dtype=dtype))
    for theirs in both:
        for ours, due in zip(found, value_and_gradient(theirs, x, dy), strict=True):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, due, rtol=1e-5, atol=8 * np.finfo(dtype).eps * abs(due).max())


def test_a_vector_of_zeros_is_that_of_pytorch(rng):
    x, dy = np.zeros((2, 3), "f"), rng.normal(size=(2, 3)).astype("f")
    layer = mt.UnitNormalization()
    y, dx = value_and_gradient(torch.nn.functional.normalize, x, dy)
    np.testing.assert_array_equal(layer(x), y)
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-6)


def codes():
    L = keras.layers
    embed = keras.Sequential([L.Input((4,)), L.Dense(5), L.UnitNormalization(), L.Reshape((5, 1))])
    a, b = L.Input((4,)), L.Input((4,))
    joined = L.UnitNormalization(axis=(1, 2))(L.Concatenate()([embed(a), embed(b)]))
    return keras.Model([a, b], L.Flatten()(joined))


def test_models_with_codes_of_length_1_go_both_ways_and_learn_alike(rng, tmp_path):
    x, y = [rng.normal(size=(12, 4)).astype("f") for _ in range(2)], rng.normal(size=(12, 10)).astype("f")
    theirs = codes()
    theirs.compile(keras.optimizers.SGD(0.1), "mse")
    theirs.save(tmp_path / "theirs.keras")
    ours = mt.load_model(tmp_path / "theirs.keras")
    for _ in range(2):
        np.testing.assert_allclose(ours.predict(x), theirs.predict(x, verbose=0), atol=1e-6)
        theirs.fit(x, y, epochs=4, batch_size=12, verbose=0)
        ours.fit(x, y, epochs=4, batch_size=12)
    ours.save(tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(back.predict(x, verbose=0), ours.predict(x), atol=1e-6)
    np.testing.assert_allclose(back.predict(x, verbose=0), theirs.predict(x, verbose=0), atol=1e-6)
