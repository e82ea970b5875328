"""Copies of layers and models: a copy has the same weights, also if they are drawn after the copy was made."""

import copy
import pickle

import numpy as np
import pytest

import minitorch_np as mt


class Table(mt.Layer):
    """A layer with a parameter and a model inside."""

    def __init__(self):
        self.inside = mt.Sequential([mt.Dense(4)])

    def build(self, input_shape):
        self.kernel = self.add_parameter((4, 3))

    def forward(self, x):
        return self.inside(x) @ self.kernel.value

    def backward(self, dy):
        self.kernel.grad = np.zeros((4, 3), dy.dtype)
        return self.inside.backward(dy @ self.kernel.value.T)


class Own(mt.Model):
    """A model whose parts know their shapes, or do not."""

    def __init__(self, rng=None):
        super().__init__(rng)
        self.encoder, self.head = mt.Sequential([mt.Input((4,)), mt.Dense(3)]), mt.Dense(2)

    def forward(self, x):
        return self.head(self.encoder(x))

    def backward(self, dy):
        return self.encoder.backward(self.head.backward(dy))


KINDS = {
    "Sequential": lambda: mt.Sequential([mt.Input((4,)), mt.Dense(5), mt.Dropout(0.5), mt.Dense(2)]),
    "without a shape": lambda: mt.Sequential([mt.Dense(5), mt.ReLU()]),
    "in float64": lambda: mt.Sequential([mt.Dense(5)], dtype="float64"),
    "nested": lambda: mt.Sequential([mt.Sequential([mt.Dense(3)]), mt.Dense(2)]),
    "Graph": lambda: mt.Graph({"x": (4,)}, [("a", mt.Dense(3), "x")], "a"),
    "own model": Own,
    "with an own layer": lambda: mt.Sequential([Table(), mt.Dense(2)]),
    "layer": lambda: mt.Dense(3),
    "own layer": Table,
    "combinator": lambda: mt.Residual([mt.Dense(4)]),
}
COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "inside a list": lambda one: copy.deepcopy([one])[0],
    "copy of a copy": lambda one: copy.deepcopy(copy.deepcopy(one)),
}


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_is_made_before_the_weights_are_drawn_draws_the_same(kind, copied):
    x = np.random.default_rng(0).normal(size=(3, 4))
    one = KINDS[kind]()
    other = COPIES[copied](one)
    expected = one(x)
    np.testing.assert_array_equal(other(x), expected)
    assert other(x).dtype == KINDS[kind]()(x).dtype
    assert not np.array_equal(KINDS[kind]()(x), expected)  # a network that is no copy has other weights
    np.testing.assert_array_equal(copy.deepcopy(one)(x), expected)


def test_a_target_network_starts_with_the_weights_of_the_online_one_and_stays_when_that_learns():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 4)).astype("float32"), rng.normal(size=(20, 2)).astype("float32")
    online = KINDS["Sequential"]().compile("sgd", "mse")
    target = copy.deepcopy(online)
    before = online.predict(x)
    online.fit(x, y, epochs=2, progress=False)
    np.testing.assert_array_equal(target.predict(x), before)
    assert not np.array_equal(online.predict(x), before)


def test_copies_train_alike():
    x = np.random.default_rng(2).normal(size=(20, 4)).astype("float32")
    one = KINDS["Sequential"]().compile("sgd", "mse")
    other = copy.deepcopy(one)
    losses = [model.fit(x, x[:, :2], epochs=2, progress=False)["loss"] for model in (one, other)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("make", [lambda: mt.Sequential([mt.Input((4,)), mt.Dense(4)]), lambda: mt.Dense(4), Table])
def test_the_seed_of_a_model_decides_the_weights_of_copies_inside_it(make):
    """Copied layers in one model have different weights, the same in each run."""

    part, x = make(), np.random.default_rng(3).normal(size=(3, 4)).astype("float32")
    first, second = (mt.Sequential([copy.deepcopy(part), mt.Dense(4), copy.deepcopy(part)], rng=0) for _ in range(2))
    np.testing.assert_array_equal(first(x), second(x))
    kernels = [p.value for name, p in first.parameters().items() if name.endswith("kernel") and p.shape == (4, 4)]
    assert len(kernels) == (2 if make is Table else 3)
    assert all(not np.array_equal(a, b) for i, a in enumerate(kernels) for b in kernels[:i])


def test_a_clone_and_a_seed_that_is_given_draw_other_weights_than_the_copies():
    x = np.random.default_rng(4).normal(size=(3, 4))
    layer = mt.Dense(3)
    other = copy.deepcopy(layer)
    assert not np.array_equal(layer.clone()(x), layer(x))
    np.testing.assert_array_equal(other.initialize((4,), 5)(x), mt.Dense(3).initialize((4,), 5)(x))


def test_copying_a_built_network_adds_nothing_to_it():
    model = KINDS["Sequential"]()
    model.parameters()
    before = set(vars(model))
    copy.deepcopy(model)
    assert set(vars(model)) == before
