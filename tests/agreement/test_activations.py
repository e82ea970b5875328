"""Activations agree with PyTorch in float64, forward and backward, over random shapes, scales and extreme inputs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np.base.functions import erf

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
functional = torch.nn.functional

PAIRS = [
    (mt.Tanh(), torch.tanh),
    (mt.LeakyReLU(), lambda x: functional.leaky_relu(x, 0.3)),
    (mt.LeakyReLU(1.5), lambda x: functional.leaky_relu(x, 1.5)),
    (mt.ELU(), functional.elu),
    (mt.ELU(0.4), lambda x: functional.elu(x, 0.4)),
    (mt.SELU(), functional.selu),
    (mt.GELU(), functional.gelu),
    (mt.GELU(approximate=True), lambda x: functional.gelu(x, approximate="tanh")),
    (mt.SiLU(), functional.silu),
    (mt.Softplus(), lambda x: functional.softplus(x, threshold=40)),
]
every_activation = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda part: repr(part)[:30])
EXTREME = np.array([[-1e3, -745.2, -36.8, -8.4, -1e-8, -1e-300, 0.0, 1e-300, 1e-8, 8.4, 36.8, 745.2, 1e3]])


def assert_agrees(ours, theirs, x, dy, within=1e-12):
    x_torch = torch.tensor(x, requires_grad=True)
    y = theirs(x_torch)
    y.backward(torch.tensor(dy))
    np.testing.assert_allclose(ours(x), y.detach().numpy(), rtol=within, atol=within)
    np.testing.assert_allclose(ours.backward(dy), x_torch.grad.numpy(), rtol=within, atol=within)


@every_activation
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.sampled_from([0.1, 1, 30, 1e3]))
def test_activations(ours, theirs, seed, shape, scale):
    rng = np.random.default_rng(seed)
    assert_agrees(ours, theirs, scale * rng.normal(size=shape), rng.normal(size=shape))


@every_activation
def test_activations_at_extreme_inputs(ours, theirs, rng):
    assert_agrees(ours, theirs, EXTREME, rng.normal(size=EXTREME.shape))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 5), min_size=2, max_size=4), st.data())
def test_softmax_along_any_axis(seed, shape, data):
    axis = data.draw(st.sampled_from([a for a in range(-len(shape) + 1, len(shape)) if a]))
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform(-2, 3) * rng.normal(size=shape)
    assert_agrees(mt.Softmax(axis), lambda x: torch.softmax(x, axis), x, rng.normal(size=shape))
    assert_agrees(mt.LogSoftmax(axis), lambda x: torch.log_softmax(x, axis), x, rng.normal(size=shape))


def test_erf_is_right_to_fifteen_digits(rng):
    x = np.concatenate([rng.normal(size=20_000), rng.uniform(-8, 8, 20_000), [0.0, 1e-300, 6.0, 30.0, 1e30, np.inf]])
    x = np.concatenate([x, -x])
    np.testing.assert_allclose(erf(x), [math.erf(value) for value in x], rtol=0, atol=1e-15)
    np.testing.assert_allclose(erf(x), torch.erf(torch.tensor(x)).numpy(), rtol=0, atol=1e-15)
    single = x.astype(np.float32)
    np.testing.assert_allclose(erf(single), [math.erf(value) for value in single], rtol=0, atol=5e-7)
    assert erf(single).dtype == np.float32
