"""Reshape, Permute and Normalization: what they compute, and what they refuse."""

import contextlib

import numpy as np
import pytest

import minitorch_np as mt


def test_reshape_fills_in_what_is_left(rng):
    x = rng.normal(size=(3, 4, 6))
    np.testing.assert_array_equal(mt.Reshape((2, -1, 3))(x), x.reshape(3, 2, 4, 3))
    assert mt.Reshape((2, -1, 3)).compute_output_shape((4, 6)) == (2, 4, 3)


def test_permute_counts_from_1(rng):
    x = rng.normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(mt.Permute((3, 1, 2))(x), x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [5, (0, 2), (-1, -1), (2, -3), (2.0,), None, (True, 2)])
def test_reshape_wants_a_shape(shape):
    with pytest.raises(ValueError, match="Reshape: target_shape is a tuple of positive ints"):
        mt.Reshape(shape)


@pytest.mark.parametrize("dims", [(0, 1), (1, 1), (1, 3), (), 2])
def test_permute_wants_every_axis_once(dims):
    with pytest.raises(ValueError, match="Permute: dims names every axis from 1 once"):
        mt.Permute(dims)


def test_shapes_that_do_not_fit_are_told_before_any_data():
    with pytest.raises(ValueError, match=r"an example of shape \(4, 3\) has 12 numbers, which do not fill \(5, -1\)"):
        mt.Sequential([mt.Input((4, 3)), mt.Reshape((5, -1))])
    with pytest.raises(
        ValueError, match=r"Permute\(dims=\(2, 1\)\): expected examples with 2 axes, got .*\(batch, 4\)"
    ):
        mt.Sequential([mt.Input((4,)), mt.Permute((2, 1))])


DATA = np.random.default_rng(3).normal(1e4, [1.0, 5.0, 1e-3], size=(3000, 7, 3))


@pytest.mark.parametrize("axis", [-1, 2, 1, (1, 2), None])
@pytest.mark.parametrize("first", ["adapt", "build"])
@pytest.mark.parametrize("form", ["array", "batches"])
def test_adapted_to_data_they_have_mean_0_and_variance_1(axis, first, form):
    layer = mt.Normalization(axis)
    if first == "build":
        layer.initialize(DATA.shape[1:], 0, np.float64)
    layer.adapt(DATA if form == "array" else ((part, None) for part in np.array_split(DATA, 11)))
    y = layer(DATA)
    over = {-1: (0, 1), 2: (0, 1), 1: (0, 2), (1, 2): 0, None: None}[axis]
    np.testing.assert_allclose(y.mean(axis=over), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=over), 1, atol=1e-10)
    np.testing.assert_allclose(layer.adapt_mean.value, DATA.mean(axis=over), rtol=1e-14)
    np.testing.assert_allclose(layer.adapt_variance.value, DATA.var(axis=over), rtol=1e-9)


def test_float32_data_far_from_0_are_measured_in_float64():
    data = (1e5 + np.random.default_rng(0).normal(size=(5000, 2))).astype(np.float32)
    layer = mt.Normalization().adapt(data).initialize((2,), dtype=np.float32)
    np.testing.assert_allclose(layer.adapt_variance.value, data.astype(float).var(axis=0), rtol=1e-6)


def test_it_is_part_of_the_model_and_of_its_file(tmp_path, rng):
    x = rng.normal(5, 3, size=(50, 4))
    model = mt.Sequential([mt.Input((4,)), mt.Normalization(), mt.Dense(1)], rng=1)
    model.layers[1].adapt(x)
    model.compile(mt.SGD(0.1), mt.MSELoss()).fit(x, x[:, :1], epochs=3)
    np.testing.assert_allclose(model.layers[1].adapt_mean.value, x.mean(axis=0), rtol=1e-6)
    model.save_weights(tmp_path / "m.weights.h5")
    other = mt.Sequential([mt.Input((4,)), mt.Normalization(), mt.Dense(1)], rng=2)
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_given_numbers_are_used():
    layer = mt.Normalization(mean=[1.0, 2.0], variance=[4.0, 0.0])
    np.testing.assert_allclose(layer(np.array([[3.0, 2.0 + 1e-7]])), [[1.0, 1.0]])
    assert not layer.parameters()


MISTAKES = [
    ({"axis": 0}, "axis is an int other than 0"),
    ({"axis": 1.5}, "axis is an int other than 0"),
    ({"mean": [1.0]}, "give mean and variance or neither"),
    ({"mean": [1.0], "variance": [1.0, 2.0]}, "mean and variance have one shape"),
    ({"mean": [[1.0]], "variance": [[1.0]]}, "mean and variance have one shape"),
    ({"mean": 0.0, "variance": -1.0}, "a variance is at least 0"),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_arguments_of_normalization_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        mt.Normalization(**options)


def test_data_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"adapt found means of shape \(3,\), expected \(4,\)"):
        mt.Sequential([mt.Input((4,)), mt.Normalization().adapt(DATA)]).parameters()
    with pytest.raises(ValueError, match=r"adapt found means of shape \(3,\), expected \(4,\)"):
        mt.Normalization().initialize((4,)).adapt(DATA)
    with pytest.raises(ValueError, match="the data have no examples"):
        mt.Normalization().adapt(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="mean and variance are given already"):
        mt.Normalization(mean=0.0, variance=1.0).adapt(DATA)
    with pytest.raises(ValueError, match=r"expected inputs with axis 3, got shape \(batch, 4\)"):
        mt.Sequential([mt.Input((4,)), mt.Normalization(3)])


def classifier(*layers):
    return mt.Sequential([*layers, mt.Dense(1)], rng=0).compile(mt.SGD(1e-6), mt.MSELoss())


def nested(*layers):
    return mt.Sequential([mt.Input((4, 4, 1)), *layers, mt.Flatten()])


@pytest.mark.parametrize(
    ("layers", "raw"),
    [
        ((nested(mt.Rescaling(1 / 255)),), False),
        ((mt.Sequential([nested(mt.Rescaling(1 / 255))]),), False),
        ((mt.Input((4, 4, 1)), mt.RandomFlip(), mt.Rescaling(1 / 255), mt.Flatten()), False),
        ((mt.Input((4, 4, 1)), mt.Flatten(), mt.BatchNormalization()), False),
        ((nested(),), True),
        ((mt.Sequential([nested()]), mt.ReLU()), True),
        ((mt.Input((4, 4, 1)), mt.MaxPooling2D(), mt.Flatten()), True),
    ],
)
def test_raw_pixels_are_warned_of_where_the_first_weights_see_them(layers, raw):
    x, y = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype(np.uint8), np.zeros(20)
    model = classifier(*layers)
    with pytest.warns(UserWarning, match="like raw pixels") if raw else contextlib.nullcontext():
        model.fit(x, y)


def test_a_normalization_that_was_never_adapted_is_warned_of(rng):
    x, y = 100 * rng.normal(size=(300, 3)) + 50, np.zeros(300)
    with pytest.warns(
        UserWarning, match=r"Normalization\(\) was never adapted, so it passes its inputs on as they are"
    ):
        classifier(mt.Input((3,)), mt.Normalization()).fit(x, y)
    with pytest.warns(UserWarning, match="was never adapted"):
        classifier(mt.Sequential([mt.Input((3,)), mt.Normalization()])).fit([(x, y)])
    classifier(mt.Input((3,)), mt.Normalization().adapt(x)).fit(x, y)
    classifier(mt.Input((3,)), mt.Normalization(mean=50.0, variance=1e4)).fit(x, y)
    classifier(mt.Input((3,)), mt.Normalization()).fit((x - 50) / 100, y)


def test_numbers_that_float32_cannot_tell_apart_are_warned_of():
    t = (1_700_000_000 + np.arange(8))[:, None]
    due = ((t - t.mean()) / t.std()).ravel()
    layer = mt.Normalization().adapt(t)
    with pytest.warns(UserWarning, match=r"in float32 numbers near 1\.7e\+09 are 128 apart.*dtype=\"float64\""):
        mt.Sequential([mt.Input((1,)), layer]).predict(t)
    with pytest.warns(UserWarning, match="are 128 apart"):
        mt.Normalization().initialize((1,)).adapt(t)
    with pytest.warns(UserWarning, match="are 128 apart"):
        mt.Normalization(mean=[1.7e9], variance=[5.0]).initialize((1,))
    with pytest.warns(UserWarning, match="x: in float32 numbers near"):
        mt.Sequential([mt.Input((1,)), mt.Dense(1)]).compile(mt.SGD(1e-20), mt.MSELoss()).fit(t, np.zeros(8))
    exact = mt.Sequential([mt.Input((1,)), mt.Normalization().adapt(t)], dtype="float64")
    np.testing.assert_allclose(exact.predict(t).ravel(), due, atol=1e-6)
    shifted = t - t.min()
    easy = mt.Sequential([mt.Input((1,)), mt.Normalization().adapt(shifted)])
    np.testing.assert_allclose(easy.predict(shifted).ravel(), due, atol=1e-6)
