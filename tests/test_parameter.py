"""Parameter: a value that is its own, keeps its shape, and is not an array."""

import copy
import pickle

import numpy as np
import pytest

import minitorch_np as mt


def test_assigning_a_value_copies_it(rng):
    online, target = (mt.Dense(3).initialize((4,), seed) for seed in (0, 1))
    target.kernel.value = online.kernel.value
    kept = online.kernel.value.copy()
    online.kernel.value += 1
    np.testing.assert_array_equal(target.kernel.value, kept)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_value_keeps_its_array_its_dtype_and_its_order(rng, order):
    parameter = mt.Parameter.sharing(np.zeros((3, 4), np.float32, order))
    array, given = parameter.value, rng.normal(size=(3, 4))
    parameter.value = given
    assert parameter.value is array
    np.testing.assert_array_equal(array, given.astype(np.float32))
    parameter.value -= 1
    assert parameter.value is array


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((4, 3)), r"Parameter\(shape=\(3, 4\), .*expected a value of shape \(3, 4\), got \(4, 3\)"),
        (0.0, r"got \(\)"),
        (np.zeros((3, 4), complex), "got complex128"),
        (np.full((3, 4), "1"), "got <U1"),
        (None, "value is None"),
        (mt.Parameter(np.zeros((3, 4))), r"write self\.kernel\.value"),
        (np.ma.masked_equal(np.zeros((3, 4)), 0), "masked"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value, message):
    parameter = mt.Parameter(np.ones((3, 4)))
    with pytest.raises(ValueError, match=message):
        parameter.value = value
    np.testing.assert_array_equal(parameter.value, 1)


def test_a_new_parameter_copies_what_it_is_given():
    array = np.ones(3)
    parameter, view = mt.Parameter(array), mt.Parameter.sharing(array)
    array += 1
    assert list(parameter.value) == [1, 1, 1]
    assert view.value is array
    assert mt.Parameter([1, 2]).value.dtype == np.float64


@pytest.mark.parametrize(
    "use",
    [
        lambda p, x: x @ p,
        lambda p, x: p @ x,
        lambda p, x: x + p,
        lambda p, x: 2 * p,
        lambda p, x: np.float32(2) * p,
        lambda p, x: -p,
        lambda p, x: p**2,
        lambda p, x: x - p,
        lambda p, x: x > p,
        lambda p, x: p[0],
        lambda p, x: list(p),
        lambda p, x: np.exp(p),
        lambda p, x: np.dot(x, p),
        lambda p, x: np.sum(p),
        lambda p, x: np.concatenate([x, p]),
        lambda p, x: np.asarray(p),
        lambda p, x: np.zeros_like(p),
        lambda p, x: np.einsum("ij,jk", x, p),
    ],
)
def test_a_forgotten_value_is_named(rng, use):
    with pytest.raises(TypeError, match=r"Parameter\(shape=\(3, 3\), .*write self\.kernel\.value, not self\.kernel"):
        use(mt.Parameter(rng.normal(size=(3, 3))), rng.normal(size=(3, 3)))


def test_a_forgotten_value_in_place_is_named():
    parameter = mt.Parameter(np.ones(2))
    with pytest.raises(TypeError, match=r"write self\.kernel\.value"):
        parameter -= 0.1
    with pytest.raises(TypeError, match=r"write self\.kernel\.value"):
        parameter[0] = 1


def test_attributes_that_do_not_exist_are_refused():
    parameter = mt.Parameter(np.ones(2))
    with pytest.raises(AttributeError, match=r"parameter\.trainable = False"):
        parameter.requires_grad = False
    with pytest.raises(AttributeError, match="trainble"):
        parameter.trainble = False
    with pytest.raises(AttributeError, match=r"Write parameter\.value\.T"):
        parameter.T  # noqa: B018 the access is the test


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_have_everything(rng, make):
    parameter = mt.Parameter(rng.normal(size=3), trainable=False)
    parameter.grad, parameter.regularizer = np.ones(3), mt.L2(0.1)
    other = make(parameter)
    np.testing.assert_array_equal(other.value, parameter.value)
    assert not other.trainable
    assert other.regularizer is not None
    assert list(other.grad) == [1, 1, 1]
