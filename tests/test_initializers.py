"""Initialisers: the distributions they promise."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import initializers
from minitorch_np.initializers import (
    Constant,
    Identity,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("he_normal", 2 / 400),
        ("he_uniform", 2 / 400),
        ("lecun_normal", 1 / 400),
        ("lecun_uniform", 1 / 400),
        ("glorot_uniform", 2 / 700),
        ("glorot_normal", 2 / 700),
        ("variance_scaling", 1 / 400),
        ("random_normal", 0.05**2),
        ("random_uniform", 0.1**2 / 12),
        ("truncated_normal", (0.05 * 0.8796) ** 2),
        (VarianceScaling(3.0, "fan_out", "uniform"), 3 / 300),
        (RandomNormal(0, 2.0), 4.0),
        (VarianceScaling(0.5, "fan_avg", "untruncated_normal"), 0.5 / 350),
        (TruncatedNormal(stddev=1), 0.8796**2),
    ],
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
    with pytest.raises(
        ValueError, match=r"expected one of glorot_uniform, glorot_normal, .*, orthogonal, identity or a callable"
    ):
        mt.Dense(2, kernel_initializer="gloro").initialize((3,))


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"returned shape \(2, 3\), expected \(3, 2\)"):
        mt.Dense(2, kernel_initializer=lambda shape, rng: np.zeros(shape[::-1])).initialize((3,))


@pytest.mark.parametrize(
    ("cut", "uncut"),
    [(TruncatedNormal(1.0, 0.5), 0.5), (VarianceScaling(), np.sqrt(1 / 200) / 0.8796)],
    ids=repr,
)
def test_what_is_cut_reaches_to_two_deviations_and_no_further(cut, uncut, rng):
    values = cut((200, 200), rng) - getattr(cut, "mean", 0)
    assert 1.95 * uncut < np.abs(values).max() <= 2.0001 * uncut


def test_uniform_numbers_stay_between_their_limits(rng):
    values = RandomUniform(2.0, 3.0)((100, 100), rng)
    assert values.min() >= 2
    assert values.max() < 3
    assert values.mean() == pytest.approx(2.5, abs=0.02)


@pytest.mark.parametrize("name", ["he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "glorot_uniform"])
def test_named_ones_are_cases_of_variance_scaling(name):
    who, distribution = name.split("_")
    mode = "fan_avg" if who == "glorot" else "fan_in"
    scaling = VarianceScaling(
        2.0 if who == "he" else 1.0, mode, "uniform" if distribution == "uniform" else "truncated_normal"
    )
    first, second = np.random.default_rng(1), np.random.default_rng(1)
    np.testing.assert_allclose(initializers.find(name)((3, 3, 4, 5), first), scaling((3, 3, 4, 5), second), rtol=1e-14)


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (3, 3, 2, 4), (1, 1, 2, 6)])
def test_orthogonal_rows_or_columns(shape, rng):
    matrix = Orthogonal(2.0)(shape, rng).reshape(-1, shape[-1])
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(min(matrix.shape)), atol=1e-13)


def test_orthogonal_favours_no_sign(rng):
    firsts = [Orthogonal()((2, 2), rng)[0, 0] for _ in range(500)]
    assert abs(np.mean(firsts)) < 0.15


def test_constants_and_identity(rng):
    np.testing.assert_array_equal(Constant(3)((2, 3), rng), np.full((2, 3), 3.0))
    np.testing.assert_array_equal(Identity(2.0)((2, 3), rng), [[2, 0, 0], [0, 2, 0]])


def test_they_are_saved_with_the_model(tmp_path):
    layer = mt.Dense(2, kernel_initializer=RandomNormal(stddev=0.2), bias_initializer=Constant(0.5))
    assert repr(layer) == (
        "Dense(units=2, kernel_initializer=RandomNormal(stddev=0.2), bias_initializer=Constant(value=0.5))"
    )
    mt.Sequential([mt.Input((3,)), layer]).save(tmp_path / "m.keras")
    assert repr(mt.load_model(tmp_path / "m.keras").layers[1]) == repr(layer)


MISTAKES = [
    (lambda: RandomUniform(1, 0), "RandomUniform: minval is at most maxval"),
    (lambda: VarianceScaling(mode="fan"), "mode is 'fan_in', 'fan_out' or 'fan_avg', got 'fan'"),
    (lambda: VarianceScaling(distribution="normal"), "distribution is 'truncated_normal', .*, got 'normal'"),
    (lambda: Orthogonal()((3,), None), r"Orthogonal\(\): expected a shape of at least two axes, got \(3,\)"),
    (lambda: Identity()((3, 3, 3), None), r"Identity\(\): expected a shape of two axes"),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_arguments_are_checked(call, message):
    with pytest.raises(ValueError, match=message):
        call()
