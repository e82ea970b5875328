"""A wrong backward is told as one change to the true one, with the author's own expression and line."""

import inspect
import time

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.checking.evidence import same
from minitorch_np.checking.naming.backward import TrueBackward
from minitorch_np.checking.naming.edges import Edge
from minitorch_np.checking.naming.name_bug import name_bug
from minitorch_np.checking.naming.setting import settings


class Scaled(mt.Layer):
    """y = gain * tanh(x @ W) / length, with length over the features."""

    bug = ""

    def build(self, input_shape):
        self.W = self.add_parameter((input_shape[-1], 4), "glorot_uniform")
        self.gain = self.add_parameter((4,), "ones")

    def forward(self, x):
        z = x @ self.W.value
        t = np.tanh(z)
        length = np.sqrt((t * t).mean(-1, keepdims=True) + 0.1)
        h = t / length
        self.cache = x, t, length, h
        return h * self.gain.value

    def backward(self, dy):
        (x, t, length, h), bug = self.cache, self.bug
        self.gain.grad = (dy * (t if bug == "t for h" else h)).sum(0)
        dh = dy if bug == "gain forgotten" else dy * self.gain.value
        along = (dh * h).sum(0 if bug == "wrong axis" else -1, keepdims=True) / t.shape[-1]
        if bug == "summed":
            along = along * t.shape[-1]
        through_length = 0 if bug == "length constant" else h * along
        if bug == "length sign":
            through_length = -through_length
        dt = (dh - through_length) / length
        dz = dt if bug == "no tanh'" else dt * (1 - t) if bug == "1 - t" else dt * (1 - t * t)
        self.W.grad = x.T @ (dy if bug == "dy for dz" else dz)
        return dz @ self.W.value.T


class Gathered(mt.Layer):
    """Rows of a table, reversed in time, with a mask."""

    bug = ""

    def build(self, input_shape):
        self.table = self.add_parameter((6, 3), "glorot_uniform")

    def forward(self, x):
        picked = self.table.value[[0, 2, 2, 5]]
        y = (x + picked).transpose(0, 2, 1)
        self.cache = y > 0
        return np.where(y > 0, y, 0.1 * y)

    def backward(self, dy):
        bug, mask = self.bug, self.cache
        dy = dy * np.where(~mask if bug == "inverted" else mask, 1, 0.1)
        dx = dy.reshape(len(dy), 4, 3) if bug == "reshaped" else dy.transpose(0, 2, 1)
        self.table.grad = np.zeros(self.table.shape, dx.dtype)
        if bug == "overwritten":
            self.table.grad[[0, 2, 2, 5]] += dx.sum(0)
        else:
            np.add.at(self.table.grad, [0, 2, 2, 5], dx.sum(0))
        return dx


class Recurrence(mt.Layer):
    """h[t] = tanh(x[t] + h[t-1] @ U)."""

    bug = ""

    def build(self, input_shape):
        self.U = self.add_parameter((3, 3), "glorot_uniform")

    def forward(self, x):
        h, states = np.zeros((len(x), 3), x.dtype), []
        for t in range(x.shape[1]):
            states.append(h)
            h = np.tanh(x[:, t] + h @ self.U.value)
        self.cache = [*states, h]
        return h

    def backward(self, dy):
        states, dU, dx, dh = self.cache, np.zeros((3, 3), dy.dtype), [], dy
        for t in reversed(range(len(states) - 1)):
            da = dh * (1 - states[t + 1] ** 2)
            dU += states[t + 1 if self.bug == "h of this step" else t].T @ da
            dh = da @ (self.U.value if self.bug == "U not transposed" else self.U.value.T)
            if self.bug == "not carried":
                dh = 0 * dh
            dx.append(da)
        self.U.grad = dU
        return np.stack(dx[::-1], 1)


# For each planted bug: what the first sentence must hold, the tensors first.
PLANTED = [
    (Scaled, "length constant", ["dx and W.grad", "`length`", "`t / length`", "missing", "constant"]),
    (Scaled, "length sign", ["dx and W.grad", "`length`", "`t / length`", "wrong sign"]),
    (Scaled, "summed", ["dx and W.grad", "multiplied by the number of elements averaged (4)", "forward averages"]),
    (Scaled, "wrong axis", ["dx and W.grad", "`length`", "summed over axis 0", "instead of axis 1"]),
    (Scaled, "no tanh'", ["dx and W.grad", "the derivative of `np.tanh(z)`", "missing"]),
    (Scaled, "1 - t", ["dx and W.grad", "the derivative of `np.tanh(z)`", "`1 - t`", "`1 - t**2`"]),
    (Scaled, "gain forgotten", ["dx and W.grad", "`h * self.gain.value`", "the factor `self.gain.value` is missing"]),
    (Scaled, "t for h", ["gain.grad", "`h * self.gain.value`", "`t` is used instead of `h`"]),
    (Scaled, "dy for dz", ["W.grad", "`x @ self.W.value`", "dy itself instead of the gradient at `z`"]),
    (
        Gathered,
        "inverted",
        ["dx and table.grad", "np.where(y > 0, y, 0.1 * y)", "0.1 and 1", "instead of 1 and 0.1", "Write 1 and 0.1"],
    ),
    (Gathered, "reshaped", ["dx and table.grad", "transpose(0, 2, 1)", "only reshaped"]),
    (Gathered, "overwritten", ["table.grad", "self.table.value[[0, 2, 2, 5]]", "only one of its gradients"]),
    (Recurrence, "not carried", ["dx and U.grad", "`h`", "`h @ self.U.value`", "missing"]),
    (
        Recurrence,
        "U not transposed",
        ["dx and U.grad", "`h @ self.U.value`", "`self.U.value` is used instead of its transpose"],
    ),
    (
        Recurrence,
        "h of this step",
        ["U.grad", "`h @ self.U.value`", "`h` of this step is used instead of `h` of the step before"],
    ),
]
SHAPES = {Scaled: (5, 3), Gathered: (5, 4, 3), Recurrence: (4, 5, 3)}


def layer_with(cls, bug=""):
    layer = type(cls.__name__, (cls,), {"bug": bug, "__module__": __name__})()
    return layer.initialize(SHAPES[cls][1:], 0, np.float64)


def data(cls, seed=1):
    return np.random.default_rng(seed).normal(size=SHAPES[cls])


@pytest.mark.parametrize(("cls", "bug", "words"), PLANTED, ids=lambda value: value if isinstance(value, str) else None)
def test_the_first_sentence_tells_the_bug_in_the_authors_words(cls, bug, words):
    report = mt.gradcheck(layer_with(cls, bug), data(cls), raise_exception=False)
    said = str(report.diagnosis)
    assert said.startswith(words[0] + ":")
    assert not [word for word in words if word not in said], said
    assert not [word for word in ("cotangent", "gather", " edge", "node") if word in said], said


def test_without_a_source_the_line_is_told_and_nothing_is_quoted():
    code = """
class Typed(mt.Layer):
    def forward(self, x):
        size = np.sqrt((x * x).mean(-1, keepdims=True))
        self.cache = size
        return x / size

    def backward(self, dy):
        return dy / self.cache
"""
    names = {"mt": mt, "np": np, "__name__": "typed"}
    exec(compile(code, "<typed>", "exec"), names)
    said = mt.gradcheck(names["Typed"](), (5, 3), raise_exception=False).diagnosis.detail
    assert (
        said
        == "dx: the path through the value of line 4 in line 6 is missing: the value of line 4 is taken as a constant there."
    )


def test_the_line_is_that_of_the_source():
    said = name_bug(layer_with(Scaled, "length constant"), data(Scaled))[0].detail
    lines, start = inspect.getsourcelines(Scaled.forward)
    number = start + next(i for i, line in enumerate(lines) if "h = t / length" in line)
    assert f"`t / length` (line {number})" in said


def test_the_line_to_write_gives_the_right_gradient():
    diagnosis = name_bug(layer_with(Scaled, "length constant"), data(Scaled))[0]
    line = diagnosis.change.split("`")[1]
    first, _ = settings(layer_with(Scaled), data(Scaled))
    backward = TrueBackward(first)
    node = next(n for n in backward.nodes if n.op == "divide")
    names = {"t": node.operands[0].value, "length": node.operands[1].value, "dh": backward.at[node.index]}
    exec(line, {"np": np}, names)
    assert same(names["dlength"], Edge(backward, node, 1).pull(names["dh"]))


@pytest.mark.parametrize("cls", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_said_of_a_right_layer(cls, seed):
    assert name_bug(layer_with(cls), data(cls, seed)) == []


@pytest.mark.parametrize("cls", SHAPES)
@pytest.mark.parametrize("spoil", ["noise", "a tenth of noise", "tanh", "clipped"])
def test_nothing_is_said_of_gradients_without_a_reason(cls, spoil, monkeypatch):
    rng = np.random.default_rng(3)

    def spoilt(gradient):
        if spoil == "noise":
            return rng.normal(size=gradient.shape)
        if spoil == "a tenth of noise":
            return gradient * (1 + 0.1 * rng.normal(size=gradient.shape))
        return np.tanh(gradient) if spoil == "tanh" else np.clip(gradient, -0.2, 0.2)

    class Spoilt(cls):
        def backward(self, dy):
            dx = super().backward(dy)
            for parameter in self.parameters().values():
                parameter.grad = spoilt(parameter.grad)
            return spoilt(dx)

    layer = Spoilt().initialize(SHAPES[cls][1:], 0, np.float64)
    assert name_bug(layer, data(cls)) == []


def test_a_forward_that_cannot_be_traced_leaves_the_other_ways_of_naming():
    class Plain(mt.Layer):
        def forward(self, x):
            self.cache = x
            return np.fft.ifft(np.fft.fft(x)).real.astype(x.real.dtype)

        def backward(self, dy):
            return -dy

    assert name_bug(Plain(), np.random.default_rng(0).normal(size=(4, 3))) == []
    report = mt.gradcheck(Plain(), (4, 3), method="differences", raise_exception=False)
    assert report.diagnosis.name == "sign flipped"


def test_the_search_keeps_to_its_time():
    class Lost(Recurrence):
        def backward(self, dy):
            dx = super().backward(dy)
            self.U.grad = np.sin(37 * self.U.grad)
            return np.cos(29 * dx)

    layer = Lost().initialize((40, 3), 0, np.float64)
    start = time.thread_time()
    assert name_bug(layer, np.random.default_rng(0).normal(size=(4, 40, 3)), seconds=1.0) == []
    assert time.thread_time() - start < 3


@pytest.mark.parametrize(("units", "axis"), [(5, 1), (4, 1)], ids=["of the right shape", "of another shape"])
def test_a_sum_over_the_wrong_axis_is_named_whatever_shape_it_gives(units, axis):
    class Shifted(mt.Layer):
        def build(self, input_shape):
            self.offset = self.add_parameter((units,), "zeros")

        def forward(self, x):
            return x + self.offset.value

        def backward(self, dy):
            self.offset.grad = dy.sum(axis)
            return dy

    diagnosis = mt.gradcheck(
        Shifted(), np.random.default_rng(0).normal(size=(5, units)), raise_exception=False
    ).diagnosis
    assert diagnosis.name == "summed over the wrong axis"
    assert (
        "is summed over axis 1 instead of axis 0, along which `self.offset.value` is shared. Write `doffset = dy.sum(axis=0)`"
        in str(diagnosis)
    )


def test_a_factor_that_is_a_function_of_x_is_named():
    class Odds(mt.Loss):
        def forward(self, prediction, target):
            self.cache = prediction, target
            return -self.mean(target * np.log(prediction) + (1 - target) * np.log(1 - prediction))

        def backward(self):
            p, t = self.cache
            return (p - t) / p.size

    p = np.random.default_rng(0).uniform(0.2, 0.8, (6, 2))
    diagnosis = mt.gradcheck(Odds(), p, (p > 0.5) * 1.0, raise_exception=False).diagnosis
    assert str(diagnosis).startswith("dx: the right gradient is multiplied by `x * (1 - x)`, an extra factor")
