"""Combinators: what they compute, how their parts are called, and branches that do not fit."""

import numpy as np
import pytest

import minitorch_np as mt


def test_residual_adds_what_came_in(rng):
    layer = mt.Residual([mt.Dense(4), mt.Tanh(), mt.Dense(5)]).initialize((5,), 1, np.float64)
    x = rng.normal(size=(3, 5))
    first, _, last = layer.layers
    np.testing.assert_allclose(layer(x), x + np.tanh(x @ first.kernel.value) @ last.kernel.value)


def test_branches_are_added_and_joined(rng):
    x = rng.normal(size=(3, 5))
    for cls, together in ((mt.Add, np.add), (mt.Concatenate, lambda a, b: np.concatenate([a, b], 1))):
        layer = cls([[], [mt.Dense(4), mt.Dense(5)]]).initialize((5,), 1, np.float64)
        first, last = layer.branches[1]
        np.testing.assert_allclose(layer(x), together(x, x @ first.kernel.value @ last.kernel.value))


def test_names_say_the_branch():
    model = mt.Sequential(
        [mt.Input((4,)), mt.Concatenate([mt.Dense(2), [mt.Dense(2), mt.Dense(3)], [mt.Residual([mt.Dense(4)])]])]
    )
    assert [name for name in model.parameters() if name.endswith("kernel")] == [
        "concatenate_1.branches.dense_1.kernel",
        "concatenate_1.branches.2.dense_1.kernel",
        "concatenate_1.branches.2.dense_2.kernel",
        "concatenate_1.branches.3.residual_1.dense_1.kernel",
    ]


def test_a_clone_shares_no_layer():
    layer = mt.Add([mt.Dense(3), [mt.Dense(3), mt.ReLU()]])
    inside = [[node for _, node in one.walk()] for one in (layer, layer.clone())]
    assert not {id(node) for node in inside[0]} & {id(node) for node in inside[1]}
    assert repr(layer) == repr(layer.clone()) == "Add(branches=[Dense(units=3), [Dense(units=3), ReLU()]])"


@pytest.mark.parametrize(
    "block",
    [
        mt.Residual([mt.Dense(6), mt.ReLU(), mt.Dense(4)]),
        mt.Add([[], mt.Dense(4)]),
        mt.Concatenate([[], [mt.Dense(3)]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.filterwarnings("ignore:.*Keras has no")
def test_they_train_and_are_saved(block, first, rng, tmp_path):
    x, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 1))
    before = [] if first else [mt.Dense(4)]
    model = mt.Sequential([mt.Input((4,)), *before, block.clone(), mt.Dense(1)], rng=1)
    model.compile(mt.SGD(0.01), mt.MSELoss())
    history = model.fit(x, y, epochs=20)
    assert history["loss"][-1] < history["loss"][0]
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "m.keras").predict(x), model.predict(x))
    model.summary()


def test_dx_that_is_not_used_is_not_computed(rng):
    for layer in (mt.Residual([mt.Dense(5)]), mt.Add([[], mt.Dense(5)]), mt.Concatenate([mt.Dense(5), []])):
        y = layer(rng.normal(size=(3, 5)))
        layer.wants_dx = False
        assert layer.backward(y) is None
        assert not any(node.wants_dx for _, node in layer.walk())
        layer.wants_dx = True
        assert layer.backward(y).shape == (3, 5)


class Forgetful(mt.Layer):
    """y = x, with a backward that forgets to return dx."""

    def forward(self, x):
        return x

    def backward(self, dy):
        pass


@pytest.mark.parametrize(
    "block", [mt.Residual([Forgetful()]), mt.Add([[], Forgetful()]), mt.Concatenate([[], Forgetful()])], ids=repr
)
def test_a_branch_without_dx_leaves_no_partial_sum(block, rng):
    model = mt.Sequential([mt.Input((4,)), mt.Dense(4), block, mt.Dense(1)]).compile(mt.SGD(0.01), mt.MSELoss())
    with pytest.raises(ValueError, match="backward returned None, and the layers before it need dL/dx"):
        model.fit(rng.normal(size=(8, 4)), rng.normal(size=8))


def test_dropout_inside_follows_the_mode(rng):
    layer, x = mt.Residual([mt.Dropout(0.5)]), rng.normal(size=(3, 5))
    assert not np.array_equal(layer(x), 2 * x)
    np.testing.assert_array_equal(layer.eval()(x), 2 * x)


MISTAKES = [
    (lambda: mt.Residual([]), "Residual: expected a list of at least one layer"),
    (lambda: mt.Residual(mt.Dense(3)), "Residual: expected a list of layers, got Dense"),
    (lambda: mt.Residual([mt.ReLU]), r"Residual: ReLU is a class\. Write ReLU\(\)"),
    (lambda: mt.Add([]), "Add: expected a list of branches, each a layer or a list of layers"),
    (lambda: mt.Add(mt.Dense(3)), "Add: expected a list of branches"),
    (lambda: mt.Add([[], "relu"]), "Add, branch 2: expected a list of layers, got 'relu'"),
    (lambda: mt.Concatenate([[], [3]]), "Concatenate, branch 2: expected layers, got 3"),
    (lambda: mt.Concatenate([mt.Dense(3)], axis=0), "Concatenate: axis is an int other than 0"),
]


@pytest.mark.parametrize(("make", "message"), MISTAKES)
def test_what_is_no_branch_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_one_layer_in_two_branches_is_refused():
    dense = mt.Dense(3)
    with pytest.raises(ValueError, match="is in branches twice"):
        mt.Add([[dense], [dense, mt.ReLU()]])
    with pytest.raises(ValueError, match="is in one model twice"):
        mt.Add([[dense], [mt.Residual([dense])]])


SHAPES = [
    (mt.Residual([mt.Dense(3)]), r"x has shape \(batch, 5\), its layers make \(batch, 3\) of it.* or use Add\("),
    (mt.Add([[], mt.Dense(4)]), r"Add: branch 1 gives \(batch, 5\), branch 2 gives \(batch, 4\)"),
    (mt.Concatenate([[], mt.Dense(4)], axis=2), r"Concatenate: expected inputs with axis 2, got shape \(batch, 5\)"),
    (mt.Add([[], [mt.Dense(5), mt.Softmax(axis=2)]]), r"Add, branch 2: Softmax\(axis=2\): expected inputs with axis 2"),
]


@pytest.mark.parametrize(("layer", "message"), SHAPES)
def test_shapes_that_do_not_fit_are_told_before_any_data(layer, message):
    with pytest.raises(ValueError, match=message):
        mt.Sequential([mt.Input((5,)), layer])


def test_joined_branches_differ_in_one_axis_only():
    with pytest.raises(
        ValueError, match=r"branch 1 gives \(batch, 2, 5\), branch 2 gives \(batch, 2, 3\)\. Only their axis 1"
    ):
        mt.Sequential([mt.Input((2, 5)), mt.Concatenate([[], mt.Dense(3)], axis=1)])
