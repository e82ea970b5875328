"""Initialisers: the distributions they promise."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import initializers


@pytest.mark.parametrize(
    ("name", "variance"), [("he_normal", 2 / 400), ("lecun_normal", 1 / 400), ("glorot_uniform", 2 / (400 + 300))]
)
def test_variance_is_that_of_the_paper(name, variance, rng):
    values = initializers.find(name)((400, 300), rng)
    assert values.shape == (400, 300)
    assert values.var() == pytest.approx(variance, rel=0.02)
    assert abs(values.mean()) < 4 * np.sqrt(variance / values.size)


def test_normals_are_cut_at_two_deviations(rng):
    values = initializers.he_normal((200, 200), rng)
    assert np.abs(values).max() <= 2 * np.sqrt(2 / 200) / 0.8796


def test_a_convolution_counts_its_window():
    assert initializers.fans((3, 3, 16, 32)) == (144, 288)


def test_a_callable_is_taken_as_it_is():
    layer = mt.Dense(2, kernel_initializer=lambda shape, rng: np.full(shape, 0.5)).initialize((3,))
    np.testing.assert_array_equal(layer.kernel.value, np.full((3, 2), 0.5, np.float32))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="glorot_uniform, he_normal, lecun_normal, zeros, ones or a callable"):
        mt.Dense(2, kernel_initializer="gloro").initialize((3,))


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"returned shape \(2, 3\), expected \(3, 2\)"):
        mt.Dense(2, kernel_initializer=lambda shape, rng: np.zeros(shape[::-1])).initialize((3,))
