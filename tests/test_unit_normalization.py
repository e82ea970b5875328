"""UnitNormalization: vectors of length 1, for numbers of any size."""

import numpy as np
import pytest

import minitorch_np as mt


@pytest.mark.parametrize(
    ("axis", "axes"), [(-1, (3,)), (1, (1,)), ((1, 2), (1, 2)), ([1, -1], (1, 3)), ((3, 1, 2), (1, 2, 3))]
)
def test_every_vector_has_the_length_1_and_its_direction(axis, axes, rng):
    x = rng.normal(size=(5, 3, 4, 2))
    layer = mt.UnitNormalization(axis).initialize(x.shape[1:], dtype="float64")
    y = layer(x)
    np.testing.assert_allclose((y * y).sum(axes), 1, rtol=1e-14)
    np.testing.assert_allclose(y * np.sqrt((x * x).sum(axes, keepdims=True)), x, rtol=1e-14)
    mt.assert_gradients(layer, x, strict_dtype=True)


def test_a_vector_of_3_and_4():
    layer = mt.UnitNormalization()
    np.testing.assert_array_equal(layer(np.array([[3.0, 4.0]])), [[0.6, 0.8]])
    np.testing.assert_allclose(layer.backward(np.array([[1.0, 0.0]])), [[0.64 / 5, -0.48 / 5]], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[1e-10], [1e-3], [1e15], [1e19], [1e38], [1e-5, 1e30, 1, 1e19, 1e38]], ids=str)
def test_vectors_of_any_size_have_the_direction_and_the_gradient_of_those_of_size_1(sizes, dtype, rng):
    """Keras and PyTorch give zeros from about 1e19 on, where squares overflow in float32."""
    scale = np.tile(np.square(sizes) if dtype == "float64" and max(sizes) > 1e15 else sizes, 4)[:, np.newaxis]
    x, dy = rng.uniform(-1, 1, (len(scale), 5)), rng.normal(size=(len(scale), 5)).astype(dtype)
    x[:, 0] = 1
    length = np.sqrt((x * x).sum(axis=1, keepdims=True))
    layer = mt.UnitNormalization().initialize((5,), dtype=dtype)
    large = (scale * x).astype(dtype)
    large.setflags(write=False)
    y, dx = layer(large), layer.backward(dy)
    assert y.dtype == dx.dtype == dtype
    few = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(y, x / length, rtol=few)
    due = (dy - x / length**2 * (x * dy).sum(axis=1, keepdims=True)) / length
    few += np.finfo(dtype).smallest_subnormal * scale  # the gradient of the largest is subnormal
    assert (abs(dx * scale - due) < few * abs(dy).max()).all()


def test_a_vector_shorter_than_1e_12_is_divided_by_that(rng):
    x = rng.normal(size=(4, 3)) * 1e-14
    x[0] = 0
    layer = mt.UnitNormalization().initialize((3,), dtype="float64")
    np.testing.assert_allclose(layer(x), x * 1e12, rtol=1e-15)
    dy = rng.normal(size=(4, 3))
    np.testing.assert_allclose(layer.backward(dy), dy * 1e12, rtol=1e-15)


def test_a_number_that_is_not_finite_spoils_its_own_vector_alone():
    x = np.array([[1.0, np.inf], [3.0, 4.0], [np.nan, 1.0], [1e30, 0.0]], np.float32)
    with np.errstate(invalid="ignore"):
        y = mt.UnitNormalization()(x)
    np.testing.assert_array_equal(np.isfinite(y).all(axis=1), [False, True, False, True])


@pytest.mark.parametrize("axis", [0, (), None, 1.5, "last", (1, 0), True])
def test_an_axis_that_is_none_is_refused(axis):
    with pytest.raises(
        ValueError, match="UnitNormalization: axis is an int other than 0, which is the batch, or several"
    ):
        mt.UnitNormalization(axis)


@pytest.mark.parametrize("axis", [3, -3, (1, 1), (1, -2)])
def test_an_axis_that_the_inputs_lack_is_refused_before_any_data(axis):
    with pytest.raises(ValueError, match=r"expected inputs with axis .*, got shape \(batch, 4, 2\)"):
        mt.Sequential([mt.Input((4, 2)), mt.UnitNormalization((*axis, 2) if axis == (1, -2) else axis)])


def test_the_product_of_two_codes_is_their_cosine(rng):
    a, b = rng.normal(size=(2, 5, 3))
    unit = mt.UnitNormalization()
    np.testing.assert_allclose((unit(a) * unit(b)).sum(axis=1, keepdims=True), mt.Dot(normalize=True)(a, b), rtol=1e-14)


def test_at_the_front_of_a_model_it_runs_once_per_fit(rng, monkeypatch):
    calls, forward = [], mt.UnitNormalization.forward
    monkeypatch.setattr(mt.UnitNormalization, "forward", lambda layer, x: calls.append(len(x)) or forward(layer, x))
    x = rng.integers(0, 256, (40, 6))
    model = mt.Sequential([mt.Input((6,)), mt.UnitNormalization(), mt.Dense(1)], rng=0).compile(mt.SGD(0.1), "mse")
    model.fit(x, x[:, :1] / 256, epochs=5, batch_size=10)  # no warning of raw pixels: they are small after the layer
    assert calls.count(10) == 0


@pytest.mark.parametrize("layer", [mt.UnitNormalization, mt.LayerNormalization, mt.Softmax])
def test_an_array_in_place_of_the_axis_is_answered_with_the_call(layer):
    with pytest.raises(ValueError, match=rf"got an array of shape \(2, 3\)\. Write {layer.__name__}\(\)\(x\)\.$"):
        layer(np.ones((2, 3)))
