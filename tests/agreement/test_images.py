"""Layers for images agree with PyTorch, JAX and Keras in float64 to 1e-10, forward and backward, over random shapes and options.

Keras on PyTorch computes means in float32, so the digits are compared with PyTorch itself, and the meaning with Keras.
"""

import os

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

if keras.backend.backend() != "torch":
    pytest.skip("needs Keras on PyTorch: KERAS_BACKEND=torch", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
many = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 10**6)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
paddings = st.sampled_from(["valid", "same"])
images = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))


FLOAT32 = 1e-5


def assert_close(ours, theirs, tolerance=1e-10):
    theirs = theirs.detach().cpu().numpy() if isinstance(theirs, torch.Tensor) else np.asarray(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(1.0, np.abs(theirs).max(initial=0)))


def tensor(array):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, requires_grad=True)


def assert_agrees_with_keras(ours, theirs, shape, seed, draw=None, training=False, tolerance=1e-10):
    """Same outputs, dx and gradients of parameters, for random weights, inputs and upstream gradients."""
    rng = np.random.default_rng(seed)
    ours.initialize(shape[1:], 0, np.float64)
    with keras.device("cpu"):
        theirs.build(shape)
        for parameter, variable in zip(ours.parameters().values(), theirs.weights, strict=True):
            parameter.value = rng.uniform(0.5, 2, parameter.shape)
            variable.assign(parameter.value)
        x = rng.normal(size=shape) if draw is None else draw(rng, shape)
        x_torch = tensor(x)
        y_torch = theirs(x_torch, training=training)
    with ours.in_mode(training=training, keep_cache=True):
        y = ours(x)
        dy = rng.normal(size=y.shape)
        dx = ours.backward(dy)
    y_torch.backward(torch.tensor(dy))
    assert_close(y, y_torch, tolerance)
    assert_close(dx, x_torch.grad, tolerance)
    for parameter, variable in zip(ours.parameters().values(), theirs.weights, strict=True):
        assert_close(parameter.value, variable.value, tolerance)
        if parameter.trainable:
            assert_close(parameter.grad, variable.value.grad, tolerance)


def assert_agrees_with_jax(ours, function, shape, seed):
    """As above, for function(x, *parameters)."""
    jax = pytest.importorskip("jax", reason="needs JAX: pip install jax")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    ours.initialize(shape[1:], seed, np.float64)
    for parameter in ours.parameters().values():
        parameter.value = rng.normal(size=parameter.shape)
    y = ours(x)
    dy = rng.normal(size=y.shape)
    dx = ours.backward(dy)
    with jax.enable_x64(True):
        y_jax, backward = jax.vjp(function, x, *(parameter.value for parameter in ours.parameters().values()))
        dx_jax, *grads = backward(jax.numpy.asarray(dy))
        assert_close(y, y_jax)
        assert_close(dx, dx_jax)
        for parameter, grad in zip(ours.parameters().values(), grads, strict=True):
            assert_close(parameter.grad, grad)


def fits(shape, size, padding):
    return padding == "same" or (size[0] <= shape[1] and size[1] <= shape[2])


def with_ties(rng, shape):
    """What ReLU leaves: many equal zeros; and few values beside them."""
    return np.maximum(rng.integers(-3, 4, shape), 0).astype(float)


@many
@given(seeds, images, st.integers(1, 5), pairs, pairs, paddings, st.booleans())
def test_conv2d(seed, shape, filters, size, strides, padding, use_bias):
    """By XLA's own rules for "same", which are TensorFlow's and Keras's."""
    assume(fits(shape, size, padding))

    def convolution(x, kernel, bias=0):
        from jax import lax

        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, kernel, strides, padding.upper(), dimension_numbers=layout) + bias

    assert_agrees_with_jax(mt.Conv2D(filters, size, strides, padding, use_bias), convolution, shape, seed)


def test_conv2d_of_keras():
    for strides, padding in (((1, 1), "same"), ((2, 3), "same"), ((2, 1), "valid")):
        theirs = keras.layers.Conv2D(3, (3, 2), strides, padding, dtype="float64")
        assert_agrees_with_keras(mt.Conv2D(3, (3, 2), strides, padding), theirs, (2, 8, 7, 2), 0)


@many
@given(seeds, images, st.integers(1, 12), pairs, pairs)
def test_conv2d_of_pytorch(seed, shape, filters, size, strides):
    assume(fits(shape, size, "valid"))
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    ours = mt.Conv2D(filters, size, strides).initialize(shape[1:], seed, np.float64)
    x_torch, kernel, bias = (
        tensor(x.transpose(0, 3, 1, 2)),
        tensor(ours.kernel.value.transpose(3, 2, 0, 1)),
        tensor(ours.bias.value),
    )
    y_torch = torch.nn.functional.conv2d(x_torch, kernel, bias, strides).permute(0, 2, 3, 1)
    y = ours(x)
    dy = rng.normal(size=y.shape)
    y_torch.backward(torch.tensor(dy))
    assert_close(y, y_torch)
    assert_close(ours.backward(dy), x_torch.grad.permute(0, 2, 3, 1))
    assert_close(ours.kernel.grad, kernel.grad.permute(2, 3, 1, 0))
    assert_close(ours.bias.grad, bias.grad)


def test_conv2d_in_several_blocks(monkeypatch):
    from minitorch_np.base import blocks
    from minitorch_np.layers import correlation

    monkeypatch.setattr(blocks, "LEAST", 1)
    monkeypatch.setattr(blocks, "MOST", 27 * 36)
    monkeypatch.setattr(correlation, "MOST", 27 * 36)
    assert_agrees_with_keras(
        mt.Conv2D(4, 3, padding="same"), keras.layers.Conv2D(4, 3, padding="same", dtype="float64"), (5, 6, 6, 3), 0
    )


@many
@given(seeds, images, st.integers(1, 3), pairs, st.integers(1, 4), paddings, st.booleans())
def test_depthwise_conv2d(seed, shape, multiplier, size, stride, padding, use_bias):
    assume(fits(shape, size, padding))
    arguments = {"strides": stride, "padding": padding, "depth_multiplier": multiplier, "use_bias": use_bias}
    theirs = keras.layers.DepthwiseConv2D(size, dtype="float64", **arguments)
    assert_agrees_with_keras(mt.DepthwiseConv2D(size, **arguments), theirs, shape, seed)


@many
@given(seeds, images, pairs, st.none() | pairs, paddings, st.booleans())
def test_max_pooling(seed, shape, size, strides, padding, ties):
    assume(fits(shape, size, padding))
    theirs = keras.layers.MaxPooling2D(size, strides, padding, dtype="float64")
    draw = with_ties if ties else None
    assert_agrees_with_keras(mt.MaxPooling2D(size, strides, padding), theirs, shape, seed, draw)


@many
@given(seeds, images, pairs, st.none() | pairs, paddings)
def test_average_pooling(seed, shape, size, strides, padding):
    """By XLA's windows, the mean over what they hold of the image (Keras on PyTorch counts some of the border)."""
    assume(fits(shape, size, padding))

    def average(x):
        from jax import lax
        from jax import numpy as jnp

        def sums(x):
            return lax.reduce_window(x, 0.0, lax.add, (1, *size, 1), (1, *(strides or size), 1), padding.upper())

        return sums(x) / sums(jnp.ones(shape))

    assert_agrees_with_jax(mt.AveragePooling2D(size, strides, padding), average, shape, seed)


def test_average_pooling_of_keras():
    theirs = keras.layers.AveragePooling2D(3, 2, dtype="float64")
    assert_agrees_with_keras(mt.AveragePooling2D(3, 2), theirs, (2, 8, 7, 2), 0)


@many
@given(seeds, images, st.booleans())
def test_global_pooling(seed, shape, keepdims):
    theirs = keras.layers.GlobalMaxPooling2D(keepdims=keepdims, dtype="float64")
    assert_agrees_with_keras(mt.GlobalMaxPooling2D(keepdims), theirs, shape, seed)
    theirs = keras.layers.GlobalAveragePooling2D(keepdims=keepdims, dtype="float64")
    assert_agrees_with_keras(mt.GlobalAveragePooling2D(keepdims), theirs, shape, seed, tolerance=FLOAT32)
    assert_agrees_with_jax(
        mt.GlobalAveragePooling2D(keepdims), lambda x: x.mean((1, 2), keepdims=keepdims), shape, seed
    )


@many
@given(seeds, images, pairs, st.sampled_from(["nearest", "bilinear"]))
def test_up_sampling(seed, shape, size, interpolation):
    theirs = keras.layers.UpSampling2D(size, interpolation=interpolation, dtype="float64")
    assert_agrees_with_keras(mt.UpSampling2D(size, interpolation), theirs, shape, seed)


widths = st.integers(0, 3)


@many
@given(seeds, images, widths | st.tuples(widths, widths) | st.tuples(*[st.tuples(widths, widths)] * 2))
def test_zero_padding(seed, shape, padding):
    theirs = keras.layers.ZeroPadding2D(padding, dtype="float64")
    assert_agrees_with_keras(mt.ZeroPadding2D(padding), theirs, shape, seed)


shapes = st.lists(st.integers(1, 5), min_size=2, max_size=4)


@many
@given(seeds, shapes, st.data(), st.booleans(), st.booleans(), st.booleans())
def test_batch_normalization(seed, shape, data, center, scale, training):
    axis = data.draw(st.sampled_from([-1, 1, *range(1, len(shape))]))
    arguments = {"axis": axis, "momentum": 0.7, "epsilon": 0.01, "center": center, "scale": scale}
    theirs = keras.layers.BatchNormalization(dtype="float64", **arguments)
    ours = mt.BatchNormalization(**arguments)
    assert_agrees_with_keras(ours, theirs, shape, seed, training=training, tolerance=1e-4)


@many
@given(seeds, shapes, st.data(), st.booleans(), st.booleans())
def test_layer_normalization(seed, shape, data, center, scale):
    """Over the last axes; over others Keras on PyTorch normalises the last ones all the same."""
    first = data.draw(st.integers(1, len(shape) - 1))
    arguments = {"axis": tuple(range(first, len(shape))), "epsilon": 0.01, "center": center, "scale": scale}
    theirs = keras.layers.LayerNormalization(dtype="float64", **arguments)
    assert_agrees_with_keras(mt.LayerNormalization(**arguments), theirs, shape, seed, tolerance=1e-4)


@many
@given(seeds, shapes, st.data())
def test_layer_normalization_of_pytorch(seed, shape, data):
    axes = sorted(data.draw(st.sets(st.integers(1, len(shape) - 1), min_size=1)))
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    ours = mt.LayerNormalization(tuple(axes)).initialize(shape[1:], 0, np.float64)
    for parameter in ours.parameters().values():
        parameter.value = rng.normal(size=parameter.shape)
    x_torch, gamma, beta = tensor(x), tensor(ours.gamma.value), tensor(ours.beta.value)
    to_the_end = range(-len(axes), 0)
    moved = x_torch.movedim(axes, list(to_the_end))
    normalised = torch.nn.functional.layer_norm(moved, gamma.shape, gamma, beta, 1e-3)
    y_torch = normalised.movedim(list(to_the_end), axes)
    y_torch.backward(torch.tensor(dy))
    assert_close(ours(x), y_torch)
    assert_close(ours.backward(dy), x_torch.grad)
    assert_close(ours.gamma.grad, gamma.grad)
    assert_close(ours.beta.grad, beta.grad)


@many
@given(seeds, images, st.booleans())
def test_batch_normalization_of_pytorch(seed, shape, training):
    """Whose momentum is 1 - ours, and whose running variance divides by n - 1."""
    n = shape[0] * shape[1] * shape[2]
    assume(n > 1)
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=shape), rng.normal(size=shape)
    ours = mt.BatchNormalization(momentum=0.8).initialize(shape[1:], 0, np.float64)
    for parameter in ours.parameters().values():
        parameter.value = rng.uniform(0.5, 2, parameter.shape)
    running_mean, running_variance = (
        torch.tensor(p.value.copy()) for p in ours.parameters().values() if not p.trainable
    )
    moved = 0.8 * ours.moving_variance.value + 0.2 * x.var(axis=(0, 1, 2))
    x_torch, gamma, beta = tensor(x.transpose(0, 3, 1, 2)), tensor(ours.gamma.value), tensor(ours.beta.value)
    y_torch = torch.nn.functional.batch_norm(
        x_torch, running_mean, running_variance, gamma, beta, training, 0.2, 1e-3
    ).permute(0, 2, 3, 1)
    y_torch.backward(torch.tensor(dy))
    with ours.in_mode(training=training, keep_cache=True):
        assert_close(ours(x), y_torch)
        assert_close(ours.backward(dy), x_torch.grad.permute(0, 2, 3, 1))
    assert_close(ours.gamma.grad, gamma.grad)
    assert_close(ours.beta.grad, beta.grad)
    assert_close(ours.moving_mean.value, running_mean)
    assert_close(ours.moving_variance.value, torch.tensor(moved) if training else running_variance)
