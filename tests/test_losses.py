"""Losses: values, gradients, extreme inputs, and targets that do not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np.configurable import Configurable, is_built_in


def problem(loss, rng, shape=(6, 4)):
    """A prediction and a target that the loss takes."""
    if isinstance(loss, mt.BCELoss):
        return rng.uniform(0.05, 0.95, shape), rng.uniform(size=shape)
    if isinstance(loss, mt.CrossEntropyLoss):
        return rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])
    return rng.normal(size=shape), rng.uniform(size=shape)


LOSSES = [mt.MSELoss(), mt.BCELoss(), mt.BCEWithLogitsLoss(), mt.CrossEntropyLoss(), mt.CrossEntropyLoss(0.1)]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def test_every_loss_of_the_package_is_here():
    known = {cls for cls in Configurable.registry.values() if issubclass(cls, mt.Loss) and is_built_in(cls)}
    assert known - {mt.Loss} == {type(loss) for loss in LOSSES}


@every_loss
def test_gradients_are_right(loss, rng):
    mt.assert_gradients(loss, *problem(loss, rng))


@every_loss
def test_float32_stays_float32_and_nothing_is_changed(loss, rng):
    prediction, target = problem(loss, rng)
    prediction = prediction.astype(np.float32)
    target = target if target.dtype.kind == "i" else target.astype(np.float32)
    prediction.flags.writeable = target.flags.writeable = False
    assert loss(prediction, target).dtype == np.float32
    assert loss.backward().dtype == np.float32


@every_loss
def test_backward_before_forward_names_the_loss(loss):
    with pytest.raises(RuntimeError, match=r"\.backward: there is no cache to read"):
        loss.clone().backward()


def test_bce_is_finite_and_silent_at_0_and_1():
    loss, p, t = mt.BCELoss(), np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    assert loss(p, t) == 50
    assert np.isfinite(loss.backward()).all()


def test_logits_of_1000_are_exact():
    loss, x, t = mt.BCEWithLogitsLoss(), np.array([[1000.0], [-1000.0]]), np.array([[0.0], [0.0]])
    assert loss(x, t) == 500
    np.testing.assert_array_equal(loss.backward(), [[0.5], [0.0]])
    assert mt.CrossEntropyLoss()(np.array([[1000.0, 0.0]]), np.array([1])) == 1000


@given(st.lists(st.tuples(st.floats(-30, 30), st.sampled_from([0.0, 1.0])), min_size=1, max_size=20))
def test_both_binary_losses_agree(pairs):
    x, t = (np.array(column)[:, None] for column in zip(*pairs, strict=True))
    assert mt.BCELoss()(mt.sigmoid(x), t) == pytest.approx(mt.BCEWithLogitsLoss()(x, t), rel=1e-3, abs=1e-12)


def test_class_numbers_and_one_hot_rows_mean_the_same(rng):
    x, numbers = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    first, second = mt.CrossEntropyLoss(0.1), mt.CrossEntropyLoss(0.1)
    assert first(x, numbers) == second(x, np.eye(4)[numbers])
    np.testing.assert_array_equal(first.backward(), second.backward())


@pytest.mark.parametrize("loss", [mt.MSELoss(), mt.BCELoss(), mt.BCEWithLogitsLoss()], ids=repr)
def test_a_vector_is_never_broadcast_against_a_column(loss):
    with pytest.raises(
        ValueError, match=r"expected a target of the prediction's shape \(5, 1\), got \(5,\)\. They are never"
    ):
        loss(np.full((5, 1), 0.5), np.ones(5))


def test_probabilities_outside_0_and_1_are_refused():
    with pytest.raises(
        ValueError, match=r"expected probabilities between 0 and 1, got 1\.5\. End the network with Sigmoid"
    ):
        mt.BCELoss()(np.array([[1.5]]), np.array([[1.0]]))


def test_prepare_makes_a_column_of_a_vector():
    assert mt.BCELoss().prepare(np.array([0, 1]), (1,), np.dtype("f4")).shape == (2, 1)


def test_labels_outside_0_and_1_are_listed():
    with pytest.raises(ValueError, match=r"expected targets 0 and 1 \(or between\), got -1, 1\. Map the labels first"):
        mt.BCELoss().prepare(np.array([-1, 1, -1]), (1,), np.dtype("f4"))


def test_a_single_class_is_warned_of():
    with pytest.warns(UserWarning, match="every target is 1; a model can learn only that"):
        mt.BCELoss().prepare(np.array([1, 1]), (1,), np.dtype("f4"))


def test_class_numbers_must_fit_the_outputs():
    with pytest.raises(ValueError, match="expected class numbers 0 to 2, got 3"):
        mt.CrossEntropyLoss().prepare(np.array([0, 3]), (3,), np.dtype("f4"))


def test_class_numbers_against_several_sigmoids_name_the_right_loss():
    with pytest.raises(ValueError, match=r"For class numbers use CrossEntropyLoss\(\)"):
        mt.BCELoss().prepare(np.array([0, 3]), (10,), np.dtype("f4"))


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_label_smoothing_is_a_share(share):
    with pytest.raises(ValueError, match="label_smoothing"):
        mt.CrossEntropyLoss(share)
