"""Dense: its formula, and errors for a shape that does not fit."""

import numpy as np
import pytest

import minitorch_np as mt


def test_formula(rng):
    x, layer = rng.normal(size=(6, 4)), mt.Dense(3).initialize((4,), 0, np.float64)
    layer.bias.value[:] = rng.normal(size=3)
    expected = [
        [sum(x[b, i] * layer.kernel.value[i, j] for i in range(4)) + layer.bias.value[j] for j in range(3)]
        for b in range(6)
    ]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-12)


def test_a_sequence_is_treated_row_by_row(rng):
    x, layer = rng.normal(size=(2, 7, 4)), mt.Dense(3).initialize((7, 4), 0, np.float64)
    np.testing.assert_allclose(layer(x)[:, 5], layer.forward(x[:, 5]), rtol=1e-12)


def test_dx_is_not_computed_when_it_is_not_used(rng):
    layer = mt.Dense(3)
    y = layer(rng.normal(size=(5, 4)))
    layer.backward(y)
    grad = layer.kernel.grad
    layer.wants_dx = False
    assert layer.backward(y) is None
    np.testing.assert_array_equal(layer.kernel.grad, grad)


def test_images_are_refused_with_the_remedy():
    with pytest.raises(
        ValueError,
        match=r"Dense\(units=20\): expected inputs of shape \(batch, features\), got \(batch, 64, 64, 3\)\. Put Flatten\(\) before it\.",
    ):
        mt.Dense(20)(np.zeros((209, 64, 64, 3)))
    layer = mt.Dense(20)
    layer(np.zeros((2, 12288)))
    with pytest.raises(
        ValueError,
        match=r"expected inputs of shape \(batch, 12288\), got \(209, 64, 64, 3\)\. Put Flatten\(\) before it\.",
    ):
        layer(np.zeros((209, 64, 64, 3)))


def test_another_number_of_features_names_both():
    layer = mt.Dense(2)
    layer(np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"Dense\(units=2\): expected inputs of shape \(batch, 4\), got \(3, 5\)"):
        layer(np.zeros((3, 5)))


def test_one_number_per_example_needs_a_column():
    with pytest.raises(ValueError, match=r"x\.reshape\(-1, 1\)"):
        mt.Dense(2)(np.zeros(3))


@pytest.mark.parametrize("units", [0, -1, 2.0, True, None, "3", float("nan")])
def test_units_is_a_positive_int(units):
    with pytest.raises(ValueError, match="units is the number of outputs"):
        mt.Dense(units)


def test_forward_before_build_says_how():
    with pytest.raises(RuntimeError, match=r"not built yet\. Call it as layer\(x\)"):
        mt.Dense(2).forward(np.zeros((3, 4)))


def test_backward_before_forward_names_the_layer():
    with pytest.raises(
        RuntimeError, match=r"Dense\(units=2\)\.backward: there is no cache to read\. Run forward first"
    ):
        mt.Dense(2).initialize((3,)).backward(np.zeros((1, 2)))


def test_saturated_sigmoid_is_finite_and_silent():
    layer = mt.Sigmoid()
    y = layer(np.array([[-1000.0, -745.0, 0.0, 745.0, 1000.0]]))
    np.testing.assert_allclose(y, [[0, 5e-324, 0.5, 1, 1]])
    assert np.isfinite(layer.backward(np.ones_like(y))).all()


def test_relu_at_zero_has_slope_zero_and_nan_stays():
    layer = mt.ReLU()
    assert np.isnan(layer(np.array([[np.nan]]))).all()
    layer(np.array([[0.0, -0.0, 1e-300, -1e-300]]))
    np.testing.assert_array_equal(layer.backward(np.ones((1, 4))), [[0, 0, 1, 0]])


@pytest.mark.parametrize("shape", [5, (), (0, 3), (2.0,), (True,), None])
def test_input_takes_a_shape(shape):
    with pytest.raises(ValueError, match="Input: shape is a tuple of positive ints"):
        mt.Input(shape)


def test_input_of_an_int_is_told_the_comma():
    with pytest.raises(ValueError, match=r"Write Input\(\(784,\)\)\."):
        mt.Input(784)


def test_rescaling_by_a_numpy_number_keeps_float32():
    assert mt.Rescaling(np.float64(0.5), np.float64(1))(np.ones((2, 2), np.float32)).dtype == np.float32
