"""The fast layers give what the plain forms of docs/plain_forms.md give."""

import re
from pathlib import Path

import numpy as np
import pytest

import minitorch_np as mt

PAGE = (Path(__file__).parents[1] / "docs" / "plain_forms.md").read_text()


@pytest.fixture(scope="module")
def plain():
    names = {}
    exec("\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)), names)
    return names


def made(layer, shape, rng):
    """The layer, built, with random values in every parameter that is learnt."""
    layer.initialize(shape, rng=1, dtype="float64")
    for parameter in layer.parameters().values():
        if parameter.learnable:
            parameter.value = rng.normal(size=parameter.shape)
    return layer


def random(rng, *shape):
    array = rng.normal(size=shape)
    array.flags.writeable = False
    return array


def padded(x, size, stride, value):
    """x with the border that Keras's "same" adds: half on each side, the larger half below and on the right."""
    borders = []
    for axis in (0, 1):
        length = x.shape[1 + axis]
        missing = max(0, (-(-length // stride) - 1) * stride + size[axis] - length)
        borders.append((missing // 2, missing - missing // 2))
    return np.pad(x, [(0, 0), *borders, (0, 0)], constant_values=value), borders


def cropped(x, borders, shape):
    (top, _), (left, _) = borders
    return x[:, top : top + shape[1], left : left + shape[2]]


def assert_equal(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


IMAGES = [(1, 5, 5, 1), (3, 7, 6, 2), (2, 4, 9, 20), (4, 8, 8, 3)]
every_image = pytest.mark.parametrize("shape", IMAGES, ids=str)


@every_image
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 3)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_convolution_is_its_plain_form(plain, shape, size, stride, padding, rng):
    x = random(rng, *shape)
    layer = made(mt.Conv2D(5, size, strides=stride, padding=padding), shape[1:], rng)
    weights = layer.kernel.value, layer.bias.value
    wide, borders = padded(x, size, stride, 0) if padding == "same" else (x, [(0, 0), (0, 0)])
    y = plain["convolution"](wide, *weights, stride)
    assert_equal(layer(x), y)
    dy = random(rng, *y.shape)
    dx, dkernel, dbias = plain["convolution_backward"](dy, wide, *weights, stride)
    assert_equal(layer.backward(dy), cropped(dx, borders, shape))
    assert_equal(layer.kernel.grad, dkernel)
    assert_equal(layer.bias.grad, dbias)


@every_image
@pytest.mark.parametrize("size", [(2, 2), (2, 3), (3, 3)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("ties", [False, True])
def test_max_pooling_is_its_plain_form(plain, shape, size, stride, padding, ties, rng):
    x = random(rng, *shape)
    x = np.maximum(x.round(), 0) if ties else x
    layer = mt.MaxPooling2D(size, strides=stride, padding=padding)
    wide, borders = padded(x, size, stride, -np.inf) if padding == "same" else (x, [(0, 0), (0, 0)])
    y = plain["max_pooling"](wide, size, stride)
    assert_equal(layer(x), y)
    dy = random(rng, *y.shape)
    assert_equal(layer.backward(dy), cropped(plain["max_pooling_backward"](dy, wide, size, stride), borders, shape))


@every_image
@pytest.mark.parametrize("size", [(2, 2), (2, 3), (3, 3)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_average_pooling_is_its_plain_form(plain, shape, size, stride, rng):
    x, layer = random(rng, *shape), mt.AveragePooling2D(size, strides=stride)
    y = plain["average_pooling"](x, size, stride)
    assert_equal(layer(x), y)
    dy = random(rng, *y.shape)
    assert_equal(layer.backward(dy), plain["average_pooling_backward"](dy, x, size, stride))


@every_image
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_mean_of_a_window_beyond_the_edge_is_over_the_pixels_inside(plain, shape, stride, rng):
    x, size = random(rng, *shape), (3, 2)
    layer = mt.AveragePooling2D(size, strides=stride, padding="same")
    wide, borders = padded(x, size, stride, np.nan)
    means = [np.nanmean(wide[window], axis=(1, 2)) for _, window in plain["windows"](wide, size, stride)]
    y = layer(x)
    assert_equal(y, np.stack(means, axis=1).reshape(y.shape))
    dy, dx = random(rng, *y.shape), np.zeros(wide.shape)
    for pixel, window in plain["windows"](wide, size, stride):
        inside = np.isfinite(wide[window])
        dx[window] += dy[pixel][:, None, None] * inside / inside.sum(axis=(1, 2), keepdims=True)
    assert_equal(layer.backward(dy), cropped(dx, borders, shape))


@pytest.mark.parametrize("shape", [(2, 1), (7, 4), (50, 3), (3, 4, 5, 2), (2, 3, 6)], ids=str)
def test_batch_normalization_is_its_plain_form(plain, shape, rng):
    x = 3 + 2 * random(rng, *shape)
    layer = made(mt.BatchNormalization(), shape[1:], rng)
    weights, rows = (layer.gamma.value, layer.beta.value), x.reshape(-1, shape[-1])
    y = layer(x, training=True)
    assert_equal(y, plain["batch_normalization"](rows, *weights).reshape(shape))
    dy = random(rng, *shape)
    dx, dgamma, dbeta = plain["batch_normalization_backward"](dy.reshape(rows.shape), rows, *weights)
    assert_equal(layer.backward(dy), dx.reshape(shape))
    assert_equal(layer.gamma.grad, dgamma)
    assert_equal(layer.beta.grad, dbeta)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (4, 9, 6)], ids=str)
@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_an_lstm_is_its_plain_form(plain, shape, units, return_sequences, rng):
    x = random(rng, *shape)
    layer = made(mt.LSTM(units, return_sequences=return_sequences), shape[1:], rng)
    parameters = layer.parameters().values()
    weights = [parameter.value for parameter in parameters]
    states, memory = plain["lstm"](x, *weights)
    y = layer(x)
    assert_equal(y, states if return_sequences else states[:, -1])
    dy = random(rng, *y.shape)
    dstates = np.zeros(states.shape)
    dstates[:, slice(None) if return_sequences else -1] = dy
    dx, *gradients = plain["lstm_backward"](dstates, memory, x, *weights)
    assert_equal(layer.backward(dy), dx)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert_equal(parameter.grad, gradient)
