"""Augmentation: what is random, what it does to an image, and that it is the identity in inference."""

import numpy as np
import pytest

import minitorch_np as mt

SHAPE = (6, 5, 2)
LAYERS = [mt.RandomFlip(), mt.RandomTranslation(0.3, 0.3), mt.RandomBrightness(0.3, (0, 1))]


def trained(layer, seed=0):
    return layer.clone().initialize(SHAPE, seed, np.float64).train()


@pytest.fixture
def images(rng):
    return rng.uniform(size=(200, *SHAPE))


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_nothing_changes_in_use_and_every_draw_is_another_while_training(layer, images):
    layer = trained(layer)
    assert not np.array_equal(layer(images), layer(images))
    np.testing.assert_array_equal(layer.eval()(images), images)
    model = mt.Sequential([mt.Input(SHAPE), layer.clone()], dtype="float64")
    np.testing.assert_array_equal(model.predict(images), images)


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_each_image_is_changed_by_itself(layer, images):
    same = np.broadcast_to(images[:1], images.shape)
    y = trained(layer)(same)
    assert len(np.unique(y.reshape(len(y), -1).round(12), axis=0)) > 3


@pytest.mark.parametrize(("mode", "kinds"), [("horizontal", 2), ("vertical", 2), ("horizontal_and_vertical", 4)])
def test_flips_mirror_half_of_the_images(images, mode, kinds):
    y = trained(mt.RandomFlip(mode))(images)
    flips = [lambda x: x, lambda x: x[:, ::-1], lambda x: x[::-1], lambda x: x[::-1, ::-1]]
    found = [
        next(k for k, flip in enumerate(flips) if np.array_equal(flip(x), z)) for x, z in zip(images, y, strict=True)
    ]
    shares = np.bincount(found, minlength=4) / len(found)
    np.testing.assert_allclose(shares[shares > 0], 1 / kinds, atol=0.1)
    assert (shares > 0).sum() == kinds
    assert (shares[1] > 0, shares[2] > 0) == (mode != "vertical", mode != "horizontal")


def pad_mode(fill_mode):
    return {"reflect": "symmetric", "nearest": "edge"}.get(fill_mode, fill_mode)


@pytest.mark.parametrize("fill_mode", ["reflect", "nearest", "wrap", "constant"])
def test_whole_shifts_are_those_of_a_padded_image(images, fill_mode):
    """2 of 5 columns to the right and 3 of 6 rows up."""
    layer = mt.RandomTranslation((-0.5, -0.5), (0.4, 0.4), fill_mode, fill_value=0.25)
    options = {"constant_values": 0.25} if fill_mode == "constant" else {}
    padded = np.pad(images, ((0, 0), (0, 3), (2, 0), (0, 0)), pad_mode(fill_mode), **options)
    np.testing.assert_allclose(trained(layer)(images), padded[:, 3:, :5], atol=1e-12)


def test_half_a_pixel_is_the_mean_of_its_neighbours(images):
    y = trained(mt.RandomTranslation(0.0, (0.1, 0.1)))(images)
    np.testing.assert_allclose(y[:, :, 1:], (images[:, :, 1:] + images[:, :, :-1]) / 2, atol=1e-12)


def test_shifts_stay_within_their_limits():
    line = np.zeros((500, 20, 1, 1))
    line[:, 10] = 1
    centre = (trained(mt.RandomTranslation((-0.1, 0.3), 0.0, "constant"))(line)[..., 0, 0] * np.arange(20)).sum(axis=1)
    assert 8 <= centre.min() < 8.2
    assert 15.8 < centre.max() <= 16


def test_brightness_shifts_all_pixels_of_an_image_alike_and_cuts(images):
    y = trained(mt.RandomBrightness(0.5, (0, 1)))(images)
    assert (y.min(), y.max()) == (0, 1)
    for x, z in zip(images, y, strict=True):
        inside = (z > 0) & (z < 1)
        assert np.ptp((z - x)[inside]) < 1e-12
        assert abs((z - x)[inside].mean()) <= 0.5


def test_pixels_stay_float32(images):
    for layer in LAYERS:
        assert trained(layer)(images.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mt.RandomFlip("sideways"), r"RandomFlip: mode is 'horizontal', 'vertical' or .*got 'sideways'"),
        (lambda: mt.RandomTranslation(2, 0.1), r"RandomTranslation: height_factor is between -1 and 1.*got 2"),
        (lambda: mt.RandomTranslation(0.1, (0.2, 0.1)), r"width_factor is between -1 and 1, the lower limit first"),
        (lambda: mt.RandomTranslation(0.1, 0.1, "mirror"), "fill_mode is 'reflect', 'nearest', 'wrap' or 'constant'"),
        (lambda: mt.RandomTranslation(0.1, 0.1, interpolation="cubic"), "interpolation is 'bilinear' or 'nearest'"),
        (lambda: mt.RandomBrightness("a"), r"RandomBrightness: factor is a share such as 0\.1"),
        (lambda: mt.RandomBrightness(0.1, (1, 0)), r"value_range is \(lowest, highest\)"),
        (lambda: mt.Sequential([mt.Input((5,)), mt.RandomFlip()]), r"expected inputs of shape \(batch, height, width, channels\), got \(batch, 5\)\. .*before Flatten"),
    ],
)  # fmt: skip
def test_mistakes_are_reported(make, message):
    with pytest.raises(ValueError, match=message):
        make()
