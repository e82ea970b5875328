"""Sums of a million numbers in float32: as exact as pairwise summation, along every axis. The truth is NumPy in float64."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base import functions
from minitorch_np.base.blocks import all_cores
from minitorch_np.base.functions import channel_products, channel_sums, row_products, segment_sums, sums

MANY = 10**6


def numbers(shape, kind, seed=0):
    equal = np.full(shape, 0.1, np.float32)
    return equal if kind == "equal" else np.random.default_rng(seed).random(shape, np.float32)


def error(found, due):
    return np.abs(found / due - 1).max()


@pytest.fixture(params=["equal", "random"])
def kind(request):
    return request.param


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((MANY, 3), (0,)),
        ((MANY + 17, 3), (0,)),
        ((2, MANY // 2, 2), (1,)),
        ((1000, 1000, 2), (0, 1)),
        ((1, 1000, 1000, 2), (1, 2)),
        ((1000, 2, 1000), (0, 2)),
        ((2, MANY), (-1,)),
        ((2, 1000, 1000), (-2, -1)),
    ],
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_are_exact_along_every_axis(shape, axes, kind, keepdims):
    x = numbers(shape, kind)
    due = x.sum(axis=axes, dtype=float, keepdims=keepdims)
    found = sums(x, axes, keepdims)
    assert found.dtype == np.float32
    assert found.shape == due.shape
    assert error(found, due) < 1.5e-6
    turned = np.ascontiguousarray(x.T).T  # in memory the other way round
    assert error(sums(turned, axes, keepdims), due) < 1.5e-6


def test_sums_of_channels_products_rows_and_segments_are_exact(kind):
    x, y = numbers((MANY, 3), kind), numbers((MANY, 2), kind, 1)
    x64, y64 = x.astype(float), y.astype(float)
    assert error(channel_sums(x), x64.sum(axis=0)) < 1.5e-6
    assert error(channel_products(x[:, :2], y), (x64[:, :2] * y64).sum(axis=0)) < 2e-6
    assert error(row_products(x, y), x64.T @ y64) < 1e-5
    starts = np.array([0, 1, 300, 5000])
    assert error(segment_sums(x, starts), np.add.reduceat(x64, starts, axis=0)) < 1.5e-6


@pytest.mark.parametrize("rows", [0, 1, 31, 32, 33, 255, 256, 257, 1024, 1025, 1281, 16385])
def test_sums_of_any_count_are_those_of_numpy(rows):
    x = np.random.default_rng(rows).normal(size=(2, rows, 3))
    np.testing.assert_allclose(sums(x, (1,)), x.sum(axis=1), atol=1e-11)
    np.testing.assert_allclose(row_products(x[0], x[1]), x[0].T @ x[1], atol=1e-10)
    np.testing.assert_allclose(channel_products(x[0], x[1]), (x[0] * x[1]).sum(axis=0), atol=1e-11)


PARAMETERS = {
    "Dense": (mt.Dense(2), (MANY, 1)),
    "Dense, long sequence": (mt.Dense(2), (1, MANY, 1)),
    "BatchNormalization": (mt.BatchNormalization(), (MANY, 2)),
    "BatchNormalization of images": (mt.BatchNormalization(), (1, 1000, 1000, 2)),
    "LayerNormalization": (mt.LayerNormalization(), (MANY, 2)),
    "LayerNormalization of one axis": (mt.LayerNormalization(axis=1), (1, MANY, 1)),
    "Conv2D": (mt.Conv2D(2, 1), (1, 1000, 1000, 1)),
    "DepthwiseConv2D": (mt.DepthwiseConv2D(1), (1, 1000, 1000, 2)),
    "SimpleRNN": (mt.SimpleRNN(1), (MANY // 2, 2, 1)),
    "LSTM": (mt.LSTM(1), (MANY // 2, 2, 1)),
    "GRU": (mt.GRU(1), (MANY // 2, 2, 1)),
    "Embedding": (mt.Embedding(3, 2), (MANY, 1)),
    "PositionalEmbedding": (mt.PositionalEmbedding(1), (MANY, 1, 2)),
    "MultiHeadAttention": (mt.MultiHeadAttention(1, 1), (MANY // 2, 2, 1)),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients_over_a_million_rows_are_those_of_float64(name):
    layer, shape = PARAMETERS[name]
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, shape) if isinstance(layer, mt.Embedding) else rng.random(shape)
    found = {}
    for dtype in (np.float32, np.float64):
        layer = layer.clone().initialize(shape[1:], 0, dtype)
        y = layer.forward(x.astype(np.float32).astype(dtype))
        dy = np.random.default_rng(4).random(y.shape, np.float32) + np.float32(0.1)
        layer.backward(dy.astype(dtype))
        found[dtype] = {n: p.grad for n, p in layer.parameters().items() if p.trainable}
    for parameter, due in found[np.float64].items():
        # Where terms of both signs cancel, the rounding of the terms themselves remains.
        assert np.abs(found[np.float32][parameter] - due).max() <= 1e-5 * np.abs(due).max() + 0.2, parameter


@pytest.mark.parametrize(
    "layer", [mt.GlobalAveragePooling2D(), mt.AveragePooling2D(200)], ids=["GlobalAveragePooling2D", "AveragePooling2D"]
)
def test_the_mean_of_many_pixels(layer):
    size = 200 if isinstance(layer, mt.AveragePooling2D) else 1000
    assert np.abs(layer(np.full((1, size, size, 2), 0.1, np.float32)) / np.float32(0.1) - 1).max() < 1.5e-6


def test_nearest_upsampling_sums_a_million_gradients():
    layer = mt.UpSampling2D(1000)
    layer(np.ones((1, 1, 1, 2), np.float32))
    assert error(layer.backward(np.full((1, 1000, 1000, 2), 0.1, np.float32)), np.float32(0.1) * 1e6) < 1.5e-6


def test_batch_statistics_of_a_million_rows(kind):
    x = numbers((MANY, 2), kind) + np.float32(3)
    layer = mt.BatchNormalization(momentum=0.0)
    layer(x)
    np.testing.assert_allclose(layer.moving_mean.value, x.mean(axis=0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.value, x.var(axis=0, dtype=float), rtol=1e-5, atol=1e-9)


def test_softmax_over_a_million_places():
    y = mt.Softmax(axis=1)(np.zeros((1, MANY, 2), np.float32))
    assert error(y, 1e-6) < 1.5e-6


def test_penalties_of_a_million_weights(kind):
    w = numbers((1000, 1000), kind)
    for value in (w, w.T, w[:, ::2]):
        assert error(mt.L2(1.0)(value), (value.astype(float) ** 2).sum()) < 2e-6
        assert error(mt.L1(1.0)(value), value.sum(dtype=float)) < 1.5e-6


@pytest.mark.parametrize("loss", [mt.MSELoss(), mt.L1Loss(), mt.HuberLoss(), mt.BCEWithLogitsLoss()])
def test_means_of_a_million_losses(loss, kind):
    p = numbers((MANY, 1), kind)
    t = np.zeros_like(p)
    due = loss(p.astype(float), t.astype(float))
    assert error(loss(p, t), due) < 1.5e-6
    assert error(loss(p.reshape(1000, 1000).T, t.reshape(1000, 1000)), due) < 1.5e-6


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("near", [12345.678, 1e6 + 0.5, 1e20, 1e30])
@pytest.mark.parametrize("layer", [mt.BatchNormalization, mt.LayerNormalization])
def test_normalisation_of_large_numbers_that_hardly_differ_is_that_of_float64(layer, near, rng):
    """In float32 the mean of equal numbers is another number: the outputs were 0.03, 0.99, 1 and -1 in place of 0."""
    constant = np.full((1000, 7), near, "f4")
    apart = constant + rng.integers(0, 9, constant.shape).astype("f4") * np.spacing(constant)
    for x in (constant, apart):
        if layer is mt.BatchNormalization and near > 1e25 and x is apart:
            continue  # a moving variance that float32 cannot hold, which fit names
        axis = 0 if layer is mt.BatchNormalization else 1
        exact = x.astype(float) - x.mean(axis, float, keepdims=True)
        due = exact / np.sqrt((exact**2).mean(axis, keepdims=True) + 1e-3)
        single = layer().initialize((7,))
        y = single(x)
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, due, atol=2e-6)
        dy = rng.normal(size=x.shape).astype("f4")
        assert np.isfinite(single.backward(dy)).all()


@pytest.mark.parametrize("shape", [(300, 200, 170), (2, 190, 200, 170), (40, 300, 1000), (0, 300, 100)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_product_in_blocks_is_that_of_the_matrices(rng, monkeypatch, shape, order):
    monkeypatch.setattr(functions, "_LARGE_PRODUCT", 1)
    *rows, between, columns = shape
    x, kernel = rng.normal(size=(*rows, between)), np.array(rng.normal(size=(between, columns)), order=order)
    with all_cores():
        y = functions.product(x, kernel)
        gradient = functions.row_products(x.reshape(-1, between), y.reshape(-1, columns), order)
    np.testing.assert_allclose(y, x @ kernel, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, np.tensordot(x, y, [range(x.ndim - 1)] * 2), rtol=1e-12, atol=1e-10)
    assert gradient.flags.f_contiguous if order == "F" else gradient.flags.c_contiguous
