"""The catalogue of the gradient checkers' benchmark: its right layers are right, its wrong ones observably wrong."""

import copy
from functools import partial

import numpy as np
import pytest
from gradcheck_benchmark import catalogue
from gradcheck_benchmark.layers import scaled
from numerical import derivative

from minitorch_np import Loss

STEP = 1e-30


def built(make, shape, dtype=np.float64, training=True):
    """The layer or loss with parameters that are nowhere all 0 or all 1."""
    target = make()
    if isinstance(target, Loss):
        return target
    target.initialize(shape, 0, dtype)
    rng = np.random.default_rng(1)
    for parameter in target.parameters().values():
        parameter.value = (parameter.value + 0.3 * rng.uniform(size=parameter.shape)).astype(dtype)
    return target.train() if training else target.eval()


def outputs(target, x, y):
    return np.asarray(target.forward(x) if y is None else target.forward(x, y))


def gradients(target, dy):
    """dx as "x", and every parameter's gradient."""
    if isinstance(target, Loss):
        return {"x": target.backward()}
    dx = target.backward(dy)
    trainable = {name: parameter for name, parameter in target.parameters().items() if parameter.trainable}
    return {"x": dx} | {name: parameter.grad for name, parameter in trainable.items()}


def objective(target, dy, x, y, name, array):
    """sum of dy * y, with x or one parameter replaced, from a state that stays as it is."""
    target = copy.deepcopy(target)
    if name != "x":
        target.parameters()[name].replace(array)
    return (outputs(target, array if name == "x" else x, y) * dy).sum()


def complex_step(function, array):
    """d function / d array, exact even beside a kink."""
    slope = np.zeros(array.shape)
    for place in np.ndindex(array.shape):
        changed = array.astype(complex)
        changed[place] += STEP * 1j
        slope[place] = function(changed).imag / STEP
    return slope


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("batch", [3, 1])
@pytest.mark.parametrize("case", catalogue.RIGHT, ids=str)
def test_right_layers_agree_with_the_derivative(case, batch, training):
    x, y = case.draw(batch)
    start = built(case.make, case.shape, training=training)
    target = copy.deepcopy(start)
    out = outputs(target, x, y)
    dy = np.random.default_rng(2).normal(size=out.shape) if y is None else np.ones(())
    for name, found in gradients(target, dy).items():
        value = x if name == "x" else start.parameters()[name].value
        smooth = value != 0  # where an input is exactly 0 there may be a kink, and no derivative
        function = partial(objective, start, dy, x, y, name)
        truth = complex_step(function, value)
        np.testing.assert_allclose(found[smooth], truth[smooth], rtol=1e-9, atol=1e-11, err_msg=name)
        if case.data is None and batch == 3:
            differences = derivative(lambda: function(value), value, 1e-4)  # noqa: B023 called at once
            np.testing.assert_allclose(found, differences, rtol=1e-7, atol=1e-8, err_msg=name)


def learn(target):
    """A step that no gradient decides: every parameter is changed."""
    if not isinstance(target, Loss):
        for parameter in target.parameters().values():
            parameter.value = parameter.value * parameter.value.dtype.type(1.25)


def transcripts(make, case):
    """What can be seen of a target: one list of arrays and facts for each batch size, mode and dtype."""
    for training, batch, dtype in (
        (True, 5, "f8"),
        (True, 5, "f4"),
        (True, 1, "f8"),
        (False, 5, "f8"),
        (True, 3, "f8"),
    ):
        target = built(make, case.shape, dtype, training)
        rng = np.random.default_rng(3)
        x, y = (
            array if array is None or array.dtype.kind in "iu" else array.astype(dtype) for array in case.draw(batch)
        )
        other = case.draw(batch, seed=4)[0].astype(dtype)
        gradients(target, rng.normal(size=outputs(target, other, y).shape).astype(dtype))
        learn(target)
        before = x.copy()
        out = outputs(target, x, y)
        seen = [out.copy(), x - before]
        for _ in range(2):
            dy = rng.normal(size=out.shape).astype(dtype)
            given = dy.copy()
            seen += [copy.deepcopy(gradient) for gradient in gradients(target, dy).values()]
            seen += [dy - given]
        yield dtype, [*seen, out]


def differ(one, other, dtype):
    if one is None or other is None:
        return one is not other
    if np.shape(one) != np.shape(other) or np.asarray(one).dtype != np.asarray(other).dtype:
        return True
    return dtype == "f8" and not np.allclose(one, other, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("case", catalogue.WRONG, ids=str)
def test_wrong_layers_differ_observably(case):
    right = transcripts(case.right, case)
    with np.errstate(all="ignore"):
        try:
            pairs = zip(transcripts(case.make, case), right, strict=True)
            assert any(differ(a, b, dtype) for (dtype, one), (_, two) in pairs for a, b in zip(one, two, strict=True))
        except ValueError as error:  # the bug is one of shapes
            assert "shape" in str(error) or "broadcast" in str(error), error  # noqa: PT017


@pytest.mark.parametrize("case", catalogue.WRONG, ids=str)
def test_a_bug_has_no_side_effect_that_its_names_do_not_mention(case):
    target = built(case.make, case.shape, np.float32)
    x, y = (array if array is None or array.dtype.kind in "iu" else array.astype(np.float32) for array in case.draw())
    given = x.copy()
    out = outputs(target, x, y)
    dy = np.random.default_rng(2).normal(size=out.shape).astype(np.float32)
    kept = dy.copy()
    try:
        first = copy.deepcopy(gradients(target, dy))
    except ValueError as error:  # the bug is one of shapes, which a layer says by itself
        assert "which has the shape of x" in str(error), error  # noqa: PT017
        return
    if "writes into its arguments" not in case.names:
        np.testing.assert_array_equal(x, given)
        np.testing.assert_array_equal(dy, kept)
        if not {"accumulates", "draws anew in backward"} & set(case.names):
            for one, other in zip(first.values(), gradients(target, dy).values(), strict=True):
                np.testing.assert_array_equal(one, other)
    if "wrong dtype" not in case.names:
        assert {gradient.dtype for gradient in first.values() if gradient is not None} == {np.dtype(np.float32)}


def test_the_catalogue_covers_every_name_and_many_kinds():
    assert len(catalogue.WRONG) >= 100
    assert len(catalogue.RIGHT) >= 30
    assert len({case.kind for case in catalogue.WRONG}) >= 17
    assert {case.names[0] for case in catalogue.WRONG} == set(catalogue.NAMES)
    assert {name for case in catalogue.WRONG for name in case.names} <= set(catalogue.NAMES)


def test_every_case_has_a_title_of_its_own():
    titles = [str(case) for case in catalogue.WRONG]
    assert len(set(titles)) == len(titles)


def test_scaled_multiplies_every_gradient():
    for case in (catalogue.RIGHT[0], catalogue.RIGHT[-9]):
        x, y = case.draw()
        once, small = (built(lambda factor=factor: scaled(case.make(), factor), case.shape) for factor in (1, 1e-5))  # noqa: B023
        dy = np.random.default_rng(2).normal(size=outputs(once, x, y).shape)
        outputs(small, x, y)
        pairs = zip(gradients(once, dy).values(), gradients(small, dy).values(), strict=True)
        for large, tiny in pairs:
            np.testing.assert_allclose(tiny, 1e-5 * large, rtol=1e-12)
