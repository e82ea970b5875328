"""State that a user-defined layer keeps in a plain attribute: it is resumed, and saving without it is warned of."""

import re
import warnings
from collections import deque

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.state import as_state, same
from minitorch_np.saving.own_state import own_state


class Tally:
    """A user-defined object with a number in it."""

    def __init__(self):
        self.value = 0.0


def layer(init, forward, y="x"):
    """A layer with these lines in its constructor and its forward."""
    lines = [
        "class Mine(mt.Layer):",
        f"    def __init__(self): {init}",
        "    def forward(self, x):",
        "        self.cache = 1",
        *(f"        {line}" for line in forward.split("\n")),
        f"        return {y}",
        "    def backward(self, dy): return dy",
    ]
    namespace = {"mt": mt, "np": np, "deque": deque, "Tally": Tally, "__name__": "program"}
    exec("\n".join(lines), namespace)
    return namespace["Mine"]()


STATE = {
    "added in place": ("self.total = np.zeros(1)", "self.total += np.abs(x).sum()"),
    "a moving average": ("self.total = np.zeros(1)", "self.total = 0.9 * self.total + x.mean()"),
    "one element": ("self.n = np.zeros(2, int)", "self.n[0] += 1"),
    "a counter": ("self.count = 0", "self.count += 1"),
    "a counter that steers": ("self.count = 0", "self.count += 1", "x * (1 + self.count)"),
    "in a list": ("self.sums = [np.zeros(3)]", "self.sums[0] = self.sums[0] + x.mean(axis=0)"),
    "in a dictionary": ("self.sums = {'a': np.zeros(3)}", "self.sums['a'] += x.mean(axis=0)"),
    "in a tuple": ("self.pair = (0, 1.0)", "self.pair = (self.pair[0] + 1, self.pair[1])"),
    "in a queue": ("self.last = deque(maxlen=2)", "self.last.append(x.mean())", "x - np.mean(self.last)"),
    "in a list that grows": ("self.h = []", "self.h.append(float(x.mean()))", "x - np.mean(self.h)"),
    "in a dictionary that grows": (
        "self.d = {}",
        "self.d[len(self.d)] = x.mean()",
        "x * len(self.d) + sum(self.d.values())",
    ),
    "in an object": ("self.tally = Tally()", "self.tally.value += 1"),
    "a NumPy number": ("self.m = np.float32(0)", "self.m = np.float32(0.9) * self.m + x.mean()"),
    "the batch before": ("self.last = None", "last = x if self.last is None else self.last\nself.last = x", "x - last"),
    "a memory": ("self.h = None", "self.h = x if self.h is None else np.tanh(self.h + x)", "self.h"),
    "a maximum": ("self.most = -np.inf", "self.most = max(self.most, float(x.max()))", "x / self.most"),
    "a minimum": ("self.least = np.inf", "self.least = min(self.least, float(x.min()))"),
    "a switch": ("self.turned = False", "self.turned = not self.turned"),
    "round and round": ("self.place = 0", "self.place = (self.place + 1) % 5"),
    "a place in a table": ("self.place = 0", "self.place += 1", "x + np.arange(99)[self.place]"),
    "while learning": ("self.total = 0.0", "if self.training: self.total = 0.5 * self.total + float(x.sum())"),
}
NO_STATE = {
    "a constant": ("self.c = np.ones(3)", "pass", "x * self.c"),
    "a setting": ("self.units = 3", "pass"),
    "the input": ("pass", "self.x = x"),
    "a mask": ("pass", "self.mask = x > 0\nself.out = x * self.mask", "self.out"),
    "sizes": ("pass", "self.shape, self.n = x.shape, len(x)"),
    "a table made once": ("self.made = {}", "if x.shape not in self.made: self.made[x.shape] = x * 0 + 1", "x * self.made[x.shape]"),
    "a work space": (
        "self.space = None",
        "if self.space is None or self.space.shape != x.shape: self.space = np.empty_like(x)\nnp.multiply(x, 2, out=self.space)",
        "self.space.copy()",
    ),
    "a larger work space": ("self.space = np.zeros((64, 3))", "self.space[: len(x)] = x", "self.space[: len(x)].copy()"),
    "a generator": ("self.rng = np.random.default_rng(0)", "self.m = self.rng.random(x.shape)", "x * self.m"),
    "the layer's generator": ("pass", "self.m = self.generator.random(x.shape)", "x * self.m"),
    "a generator from elsewhere": ("pass", "self.m = np.random.default_rng().random(x.shape)", "x * self.m"),
    "a dictionary of both": ("self.d = {'x': None, 's': 2.0}", "self.d['x'] = x", "x * self.d['s']"),
    "a list made anew": ("self.acts = []", "self.acts = [x]\nself.acts.append(2 * x)"),
    "a list emptied": ("self.acts = []", "self.acts.clear()\nself.acts.append(2 * x)"),
    "a list that nothing reads": ("self.seen = []", "self.seen.append(float(x.mean()))"),
    "begun": ("self.begun = False", "self.begun = True"),
    "statistics of the batch": ("pass", "self.stats = {'mean': x.mean(), 'std': x.std()}"),
    "a forward that fails": ("self.n = 0", "self.n += 1\nif x.any(): raise ValueError(x)"),
}  # fmt: skip


def model_of(mine):
    model = mt.Sequential([mt.Input((3,)), mt.Sequential([mine]), mt.Dense(1)], rng=0)
    model.compile(mt.SGD(0.01), mt.MSELoss()).parameters()
    return model


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=40)


@pytest.mark.parametrize("lines", STATE.values(), ids=STATE)
def test_state_in_a_plain_attribute_is_warned_of_when_the_model_is_saved(lines, tmp_path):
    model = model_of(layer(*lines))
    before = repr(vars(model.layers[1].layers[0]))
    line = r'Mine\.(\w+) is state that forward changes.* self\.\1 = self\.add_parameter\(.*, "zeros", trainable=False\)'
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.save(tmp_path / "m.keras")  # it also warns that Keras does not know the layer
    assert [one.filename for one in caught if re.search(line, str(one.message))] == [__file__]
    with pytest.warns(UserWarning, match=line):
        model.save_weights(tmp_path / "m.weights.h5")
    assert repr(vars(model.layers[1].layers[0])) == before


@pytest.mark.parametrize("lines", NO_STATE.values(), ids=NO_STATE)
def test_what_forward_makes_anew_or_never_changes_is_no_state(lines, tmp_path):
    model = model_of(layer(*lines))
    assert own_state(model) == {}
    model.save_weights(tmp_path / "m.weights.h5")


@pytest.mark.parametrize("lines", [case for name, case in STATE.items() if name != "in an object"])
def test_state_in_a_plain_attribute_is_resumed(lines, data, tmp_path):
    straight, first, second = (model_of(layer(*lines)) for _ in range(3))
    straight.fit(*data, epochs=4, batch_size=8)
    first.fit(*data, epochs=2, batch_size=8, resume=tmp_path / "kept")
    second.fit(*data, epochs=4, batch_size=8, resume=tmp_path / "kept")
    mine, due = (vars(model.layers[1].layers[0]) for model in (second, straight))
    for name in own_state(straight)["sequential_1.mine_1"]:
        assert same(as_state(mine[name]), as_state(due[name]))
        assert type(mine[name]) is type(due[name])
    for weight, due in zip(second.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, due)


def test_state_that_a_checkpoint_cannot_hold_is_refused_before_training(data, tmp_path):
    model = model_of(layer(*STATE["in an object"]))
    with pytest.raises(ValueError, match=r"fit\(resume=…\): Mine\.tally is state .* self\.tally = self\.add_parameter"):
        model.fit(*data, resume=tmp_path / "kept")
    assert model.optimizer.iteration == 0


def test_state_of_the_shape_of_a_batch_is_found_after_training_too(data):
    model = model_of(layer(*STATE["a memory"]))
    model.fit(*data, batch_size=8)
    assert own_state(model) == {"sequential_1.mine_1": ["h"]}


def test_a_model_of_ones_own_is_looked_at_as_a_layer_is(data):
    class Counting(mt.Model):
        def __init__(self, rng=None, dtype="float32"):
            super().__init__(rng, dtype)
            self.dense, self.calls, self.scale = mt.Dense(1), 0, 2.0

        def forward(self, x):
            self.calls += 1
            return self.dense(x * self.scale)

        def backward(self, dy):
            return self.dense.backward(dy) * self.scale

    model = Counting(rng=0).compile(mt.Adam(0.01), mt.MSELoss(), ["mae"])
    model.fit(*data)
    assert own_state(model) == {"": ["calls"]}


@pytest.mark.parametrize("trained", [False, True])
def test_layers_inside_layers_are_looked_at_whether_they_are_built_or_not(data, trained):
    class Outer(mt.Layer):
        def __init__(self, layers):
            self.inner = layers

        def forward(self, x):
            return self.inner[0](x)

        def backward(self, dy):
            return self.inner[0].backward(dy)

    def mine():
        return layer(*STATE["a counter"])

    for block in (Outer([mine()]), mt.Residual([mt.Dense(3), Outer([mine()])])):
        model = model_of(block)
        if trained:
            model.fit(*data)
        assert list(own_state(model).values()) == [["count"]]


def test_layers_that_take_whole_numbers_of_a_range_are_looked_at():
    class Lookup(mt.Layer):
        def __init__(self):
            self.count = 0

        def build(self, input_shape):
            self.rows = self.add_parameter((8, 2))

        def forward(self, x):
            self.count += 1
            rows = x.astype(int)
            self.cache = rows
            return self.rows.value[rows].sum(axis=1)

        def backward(self, dy):
            self.rows.grad = np.zeros_like(self.rows.value)

    assert list(own_state(model_of(Lookup())).values()) == [["count"]]
