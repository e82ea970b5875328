"""Layers for images: odd shapes, ties, moving statistics, and errors for inputs that do not fit."""

import tracemalloc

import numpy as np
import pytest

import minitorch_np as mt

ODD = [
    (mt.Conv2D(3, 1), (1, 1, 1)),
    (mt.Conv2D(2, 1, strides=3), (7, 4, 2)),
    (mt.Conv2D(2, 2, strides=5, padding="same"), (3, 11, 1)),
    (mt.Conv2D(2, (3, 1), strides=2), (9, 1, 2)),
    (mt.Conv2D(2, 5, padding="same"), (2, 1, 3)),
    (mt.Conv2D(20, 3), (3, 3, 17)),
    (mt.DepthwiseConv2D(1, depth_multiplier=3), (1, 2, 2)),
    (mt.DepthwiseConv2D(2, strides=3, padding="same"), (7, 1, 2)),
    (mt.MaxPooling2D(1), (2, 3, 1)),
    (mt.MaxPooling2D(2, strides=3), (5, 8, 2)),
    (mt.MaxPooling2D(3, strides=1, padding="same"), (1, 4, 2)),
    (mt.AveragePooling2D(2, strides=3), (5, 8, 2)),
    (mt.AveragePooling2D(3, strides=1, padding="same"), (1, 4, 2)),
    (mt.ZeroPadding2D(0), (1, 2, 3)),
    (mt.UpSampling2D(3, "bilinear"), (1, 2, 1)),
    (mt.GlobalMaxPooling2D(), (1, 1, 2)),
]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("layer", "shape"), ODD, ids=lambda value: str(value))
def test_gradients_are_right_on_odd_shapes(layer, shape, batch, rng):
    mt.assert_gradients(
        layer.clone().initialize(shape, 0, np.float64), rng.normal(size=(batch, *shape)), strict_dtype=True
    )


@pytest.mark.parametrize("training", [True, False])
def test_batch_normalization_is_right_in_both_modes(training, rng):
    layer = mt.BatchNormalization().initialize((3, 2, 4), 0, np.float64)
    layer.moving_mean.value, layer.moving_variance.value = rng.normal(size=4), rng.uniform(0.5, 2, 4)
    layer.training = training
    mt.assert_gradients(layer, rng.normal(size=(5, 3, 2, 4)), strict_dtype=True)


def test_of_equal_pixels_the_first_gets_the_gradient(rng):
    layer, dy = mt.MaxPooling2D(2), rng.normal(size=(1, 1, 1, 1))
    for pixels, winner in (([[0, 0], [0, 0]], (0, 0)), ([[0, 2], [2, 2]], (0, 1)), ([[1, 1], [2, 2]], (1, 0))):
        layer(np.array(pixels, float).reshape(1, 2, 2, 1))
        expected = np.zeros((2, 2))
        expected[winner] = dy[0, 0, 0, 0]
        np.testing.assert_array_equal(layer.backward(dy)[0, :, :, 0], expected)


def test_moving_statistics_move_while_learning_and_only_then(rng):
    x = rng.normal(3, 2, size=(50, 4))
    layer = mt.BatchNormalization(momentum=0.9).initialize((4,), 0, np.float64)
    layer(x)
    np.testing.assert_allclose(layer.moving_mean.value, 0.1 * x.mean(axis=0))
    np.testing.assert_allclose(layer.moving_variance.value, 0.9 + 0.1 * x.var(axis=0))
    mean = layer.moving_mean.value.copy()
    layer.eval()
    layer(x)
    np.testing.assert_array_equal(layer.moving_mean.value, mean)


def test_moving_statistics_follow_the_data_through_fit(rng):
    x, y = rng.normal(3, 2, size=(64, 4)), np.arange(64) % 2
    model = mt.Sequential([mt.Input((4,)), mt.BatchNormalization(momentum=0.5), mt.Dense(1), mt.Sigmoid()], rng=0)
    model.compile(mt.SGD(0.01), mt.BCELoss()).fit(x, y, epochs=20, batch_size=64, progress=False)
    np.testing.assert_allclose(model.layers[1].moving_mean.value, x.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(model.layers[1].moving_variance.value, x.var(axis=0), rtol=1e-4)


def test_large_means_do_not_spoil_the_variance():
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    layer = mt.BatchNormalization()
    np.testing.assert_allclose(layer(x + np.float32(1000)), layer(x), atol=2e-3)


def test_the_columns_take_bounded_memory(rng):
    import tracemalloc

    layer, x = mt.Conv2D(4, 5), rng.normal(size=(256, 20, 20, 4)).astype(np.float32)
    layer(x[:1])
    tracemalloc.start()
    y = layer(x)
    layer.backward(y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16e6  # all columns at once are 256 * 16 * 16 * 100 * 4 bytes, 26 MB


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mt.Conv2D(0, 3), r"Conv2D: filters is the number of output channels, an int of at least 1, got 0"),
        (lambda: mt.Conv2D(3, 0), r"Conv2D: kernel_size is an int of at least 1, or two of them .*, got 0"),
        (lambda: mt.Conv2D(3, (3, 3, 3)), r"kernel_size .* got \(3, 3, 3\)"),
        (lambda: mt.Conv2D(3, 3, strides=(1, 0)), r"strides .* got \(1, 0\)"),
        (lambda: mt.Conv2D(3, 3, padding="full"), r"Conv2D: padding is 'valid' or 'same', got 'full'"),
        (lambda: mt.DepthwiseConv2D(3, depth_multiplier=True), r"depth_multiplier .* got True"),
        (lambda: mt.MaxPooling2D(2.0), r"MaxPooling2D: pool_size .* got 2\.0"),
        (lambda: mt.AveragePooling2D(2, 0), r"AveragePooling2D: strides .* got 0"),
        (lambda: mt.ZeroPadding2D(-1), r"ZeroPadding2D: padding is .* got -1"),
        (lambda: mt.ZeroPadding2D(((1, 2), 3, 4)), r"ZeroPadding2D: padding is .* got \(\(1, 2\), 3, 4\)"),
        (lambda: mt.UpSampling2D(interpolation="bicubic"), r"'nearest' or 'bilinear', got 'bicubic'"),
        (lambda: mt.BatchNormalization(axis=0), r"BatchNormalization: axis is an int other than 0"),
        (lambda: mt.LayerNormalization(axis=()), r"LayerNormalization: axis is an int other than 0"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (mt.Conv2D(2, 3), (28, 28), r"Conv2D\(filters=2, kernel_size=3\): expected inputs of shape \(batch, height, width, channels\), got \(batch, 28, 28\)\. Give each pixel a channel"),
        (mt.Conv2D(2, 3), (2, 5, 1), r"windows of 3 x 3 pixels do not fit into images of 2 x 5, of shape \(height, width, channels\)\. Use padding=\"same\""),
        (mt.MaxPooling2D(), (1, 5, 1), r"windows of 2 x 2 pixels do not fit into images of 1 x 5"),
        (mt.GlobalAveragePooling2D(), (12,), r"expected inputs of shape \(batch, height, width, channels\), got \(batch, 12\)"),
        (mt.ZeroPadding2D(), (12,), r"expected inputs of shape \(batch, height, width, channels\)"),
        (mt.UpSampling2D(), (12,), r"expected inputs of shape \(batch, height, width, channels\)"),
        (mt.BatchNormalization(axis=3), (4, 2), r"BatchNormalization\(axis=3\): expected inputs with axis 3, got shape \(batch, 4, 2\)\. The batch is axis 0"),
        (mt.LayerNormalization(axis=(1, -2)), (4, 2), r"expected inputs with axis 1, -2, got .* each axis is named once"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_are_refused_before_any_data(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        mt.Sequential([mt.Input(shape), layer.clone()])


@pytest.mark.parametrize(
    "layer", [mt.Conv2D(2, 3), mt.DepthwiseConv2D(3), mt.BatchNormalization(), mt.LayerNormalization()], ids=repr
)
def test_other_inputs_than_built_for_are_refused(layer, rng):
    layer = layer.clone()
    with pytest.raises(RuntimeError, match="not built yet"):
        layer.forward(rng.normal(size=(2, 5, 5, 3)))
    layer(rng.normal(size=(2, 5, 5, 3)))
    with pytest.raises(ValueError, match=r"expected .*\(2, 5, 5, 4\)"):
        layer(rng.normal(size=(2, 5, 5, 4)))


@pytest.mark.parametrize("block", [1, 100, 700, 5000])
@pytest.mark.parametrize(("channels", "filters"), [(2, 4), (9, 20)])  # whole windows, and rows of windows, side by side
@pytest.mark.parametrize("options", [{}, {"padding": "same"}, {"strides": (2, 3), "padding": "same"}])
def test_a_convolution_is_the_same_in_blocks_of_any_size(rng, monkeypatch, block, channels, filters, options):
    x, found = rng.normal(size=(3, 9, 8, channels)), []
    for size in (10**9, block):
        for name in ("base.blocks.LEAST", "base.blocks.MOST", "layers.correlation.MOST"):
            monkeypatch.setattr(f"minitorch_np.{name}", size)
        monkeypatch.setattr("minitorch_np.layers.correlation.SMALL_PRODUCT", size * filters)
        monkeypatch.setattr("minitorch_np.layers.correlation.FEW_WINDOWS", 1)
        layer = mt.Conv2D(filters, (3, 2), **options).initialize(x.shape[1:], 0, np.float64)
        y = layer(x)
        dx = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape))
        found.append([y, dx, layer.kernel.grad, layer.bias.grad])
    for whole, parts in zip(*found, strict=True):
        np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [mt.Conv2D(4, 3), mt.DepthwiseConv2D(3)])
def test_images_smaller_than_the_kernel_are_refused_when_built_too(layer):
    layer(np.zeros((2, 5, 5, 3)))
    with pytest.raises(ValueError, match=r"Conv2D\(.*windows of 3 x 3 pixels do not fit into images of 2 x 5"):
        layer(np.zeros((2, 2, 5, 3)))


def test_a_convolution_of_no_images():
    layer = mt.Conv2D(4, 3).initialize((5, 6, 3))
    y = layer(np.zeros((0, 5, 6, 3)))
    assert y.shape == (0, 3, 4, 4)
    assert layer.backward(y).shape == (0, 5, 6, 3)
    assert not layer.kernel.grad.any()


def test_the_memory_of_a_convolution_does_not_grow_with_the_image():
    x = np.zeros((1, 400, 400, 3), np.float32)
    layer = mt.Conv2D(4, 7, padding="same").initialize(x.shape[1:])
    tracemalloc.start()
    y = layer(x)
    layer.backward(y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20 + 6 * (x.nbytes + y.nbytes)  # the columns of the whole are 94 MB


def test_frozen_batch_normalization_uses_its_moving_statistics_and_keeps_them(rng):
    """As in Keras: a frozen part of a network does the same for whatever batch it sees."""
    layer = mt.BatchNormalization()
    layer.train()
    layer(rng.normal(size=(6, 3)))
    for parameter in (layer.gamma, layer.beta):
        parameter.trainable = False
    kept, x = layer.moving_mean.value.copy(), rng.normal(2, 3, (5, 3)).astype(np.float32)
    dy = rng.normal(size=(5, 3)).astype(np.float32)
    learning = layer(x), layer.backward(dy)
    layer.eval()
    np.testing.assert_array_equal(learning, (layer(x), layer.backward(dy)))
    np.testing.assert_array_equal(layer.moving_mean.value, kept)


@pytest.mark.parametrize(
    "layer", [mt.BatchNormalization(epsilon=1e-60), mt.LayerNormalization(epsilon=1e-60)], ids=repr
)
def test_equal_numbers_are_normalised_to_0_with_an_epsilon_that_float32_lacks(layer):
    y = layer.clone().train()(np.full((4, 3), 2, np.float32))
    np.testing.assert_array_equal(y, np.zeros((4, 3)))
