"""Noise: random in training, the identity otherwise."""

import numpy as np
import pytest

import minitorch_np as mt

NOISY = [mt.Dropout(0.3), mt.SpatialDropout2D(0.3), mt.GaussianNoise(0.5)]
every_noise = pytest.mark.parametrize("layer", NOISY, ids=repr)


def started(layer, shape, seed=1):
    return layer.clone().initialize(shape, seed, np.float64)


@every_noise
def test_nothing_happens_in_inference_mode(layer, rng):
    x = rng.normal(size=(6, 5, 4, 3))
    layer = started(layer, x.shape[1:]).eval()
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)


@every_noise
def test_the_mean_stays_and_every_forward_draws_anew(layer):
    x = np.ones((200, 4, 4, 50))
    layer = started(layer, x.shape[1:])
    first, second = layer(x), layer(x)
    assert first.mean() == pytest.approx(1, abs=0.03)
    assert not np.array_equal(first, second)


def test_dropout_drops_its_share_and_scales_the_rest():
    y = started(mt.Dropout(0.3), (1000,))(np.full((1000, 1000), 2.0))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.002)
    np.testing.assert_allclose(y[y != 0], 2 / 0.7, rtol=1e-15)


def test_dropout_goes_back_through_the_mask_of_its_forward(rng):
    x, dy = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    layer = started(mt.Dropout(0.4), (5,))
    y = layer(x)
    np.testing.assert_allclose(layer.backward(dy), dy * (y / x), rtol=1e-14, atol=1e-14)


def test_spatial_dropout_drops_whole_channels(rng):
    x = rng.uniform(1, 2, (50, 4, 3, 20))
    dropped = started(mt.SpatialDropout2D(0.3), x.shape[1:])(x) == 0
    np.testing.assert_array_equal(dropped.all(axis=(1, 2)), dropped.any(axis=(1, 2)))
    assert dropped.mean() == pytest.approx(0.3, abs=0.05)


def test_gaussian_noise_has_its_deviation():
    y = started(mt.GaussianNoise(0.5), (1000,))(np.zeros((1000, 1000)))
    assert y.std() == pytest.approx(0.5, abs=0.002)
    assert abs(y.mean()) < 0.002


@every_noise
def test_a_seed_repeats_the_noise_and_moves_no_other_generator(layer, rng):
    x = rng.normal(size=(6, 5, 4, 3))
    np.testing.assert_array_equal(started(layer, x.shape[1:])(x), started(layer, x.shape[1:])(x))
    with_noise, without = (
        mt.Sequential([mt.Input((5, 4, 3)), *first, mt.Flatten(), mt.Dense(3)], rng=4)
        for first in ([layer.clone()], [])
    )
    for ours, theirs in zip(with_noise.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_spatial_dropout_wants_images():
    with pytest.raises(
        ValueError, match=r"expected inputs of shape \(batch, height, width, channels\), got \(batch, 5\)"
    ):
        mt.Sequential([mt.Input((5,)), mt.SpatialDropout2D(0.5)])
