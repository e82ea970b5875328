"""Activations: what the general tests of layers do not cover."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.functions import erf, sigmoid, softplus

EVERYWHERE = [mt.Sigmoid(), mt.Tanh(), mt.LeakyReLU(), mt.ELU(), mt.SELU(), mt.GELU(), mt.GELU(True), mt.SiLU(),
              mt.Softplus(), mt.Softmax(), mt.LogSoftmax()]  # fmt: skip


@pytest.mark.parametrize("layer", EVERYWHERE, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_inputs_are_finite_and_silent(layer, dtype):
    x = np.array([[-1e4, -90.0, -1e-30, 0.0, 1e-30, 90.0, 1e4]], dtype)
    assert np.isfinite(layer(x)).all()
    assert np.isfinite(layer.backward(np.ones_like(x))).all()


@pytest.mark.parametrize("layer", EVERYWHERE, ids=repr)
def test_nan_stays_nan(layer):
    assert np.isnan(layer(np.array([[np.nan, 1.0]]))[0, 0])


@pytest.mark.parametrize("step", [1e-30j, -1e-30j])
def test_functions_bear_complex_arguments_also_at_0(step):
    x = np.array([-800.0, -3.0, -0.0, 0.0, 2.0, 800.0])
    s = sigmoid(x)
    for function, slope in ((sigmoid, s * (1 - s)), (softplus, s), (erf, 2 / np.sqrt(np.pi) * np.exp(-x * x))):
        np.testing.assert_allclose((function(x + step) / step).real, slope, rtol=1e-13, atol=1e-14)


def test_sigmoid_is_one_formula_on_either_side(rng):
    """1 / (1 + exp(-x)) and exp(x) / (1 + exp(x)), to the bit."""
    x = 10 * np.abs(rng.normal(size=1000))
    np.testing.assert_array_equal(sigmoid(x), 1 / (1 + np.exp(-x)))
    np.testing.assert_array_equal(sigmoid(-x), np.exp(-x) / (1 + np.exp(-x)))


def test_selu_keeps_mean_0_and_variance_1(rng):
    y = mt.SELU()(rng.normal(size=(1000, 1000)))
    assert abs(y.mean()) < 0.005
    assert y.var() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("axis", [0, 1.0, None, True])
def test_softmax_runs_within_an_example(axis):
    with pytest.raises(ValueError, match="Softmax: axis is an int other than 0, which is the batch"):
        mt.Softmax(axis)


def test_softmax_names_an_axis_that_is_not_there():
    with pytest.raises(ValueError, match=r"Softmax\(axis=2\): expected inputs with axis 2, got shape \(batch, 5\)"):
        mt.Sequential([mt.Input((5,)), mt.Softmax(axis=2)])
