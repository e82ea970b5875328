"""Code of somebody else that does more than compute: it makes the step, keeps what it saw, returns gradients in its own way."""

import itertools

import numpy as np
import pytest

import minitorch_np as mt

adapt = mt.gradcheck.adapt
W, B = np.random.default_rng(1).normal(size=(3, 4)), np.random.default_rng(2).normal(size=4)


def check(target, x=(5, 3), y=None):
    return mt.gradcheck(target, x, y, raise_exception=False)


def bias(d, bug, axis=0):
    """The gradient of a bias; wrong, it is averaged."""
    return d.mean(axis=axis) if bug else d.sum(axis=axis)


class Dense:
    """x @ W + b."""

    def __init__(self, bug, w=W, b=B):
        self.bug, self.W, self.b = bug, w.copy(), b.copy()

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, bias(d, self.bug)
        return d @ self.W.T


class Rule:
    """SGD with momentum for one array."""

    def __init__(self, learning_rate=0.1, momentum=0.9):
        self.learning_rate, self.momentum, self.velocity = learning_rate, momentum, None

    def update(self, w, grad):
        self.velocity = grad if self.velocity is None else self.momentum * self.velocity + (1 - self.momentum) * grad
        return w - self.learning_rate * self.velocity


class Stepping(Dense):
    """Makes the step in backward, each array with an optimiser of its own."""

    def __init__(self, bug=False):
        super().__init__(bug)
        self.rule_of_w, self.rule_of_b = Rule(), Rule()

    def backward(self, d):
        dx = d @ self.W.T
        gradient, of_bias = self.x.T @ d, bias(d, self.bug)
        self.W = self.rule_of_w.update(self.W, gradient)
        self.b = self.rule_of_b.update(self.b, of_bias)
        return dx


class Delta:
    """Turns a gradient into a step."""

    learn_rate = 0.01

    def __init__(self):
        self.learn_rate = 0.01

    def __call__(self, gradient):
        return -self.learn_rate * gradient


class Nested(Dense):
    """Makes the step in backward; the learning rate is in an object inside, and b is replaced by a new array."""

    def __init__(self, bug=False):
        super().__init__(bug)
        self.opt = Delta()

    def backward(self, d):
        dx = d @ self.W.T
        self.W += self.x.T @ self.opt(d)
        self.b = self.b + bias(self.opt(d), self.bug)
        return dx


class Keeping:
    """Every forward appends to lists, every backward goes through all of them; a part of it does the same."""

    def __init__(self, bug=False, inner=None):
        self.bug, self.inner = bug, inner
        self.params = {} if inner else {"w": W.copy(), "b": B.copy()}
        self.grads = {name: np.zeros_like(value) for name, value in self.params.items()}
        self.seen = {"x": []}

    def forward(self, x):
        self.seen["x"].append(x)
        return self.inner.forward(x) * 2 if self.inner else x @ self.params["w"] + self.params["b"]

    def backward(self, d):
        d = d if isinstance(d, list) else [d]
        if self.inner:
            return self.inner.backward([2 * one for one in d])
        for one, x in zip(d, self.seen["x"], strict=True):
            self.grads["w"] += x.T @ one
            self.grads["b"] += bias(one, self.bug)
        found = [one @ self.params["w"].T for one in d]
        return found[0] if len(found) == 1 else found


class Resetting(Keeping):
    """A method that looks like a reset, and takes away what backward needs."""

    def zero_grad(self):
        self.seen = {}


class Cell:
    """One step of a recurrent layer: it counts its steps, keeps each of them, and adds the next step's gradient to that from above."""

    def __init__(self, bug=False):
        self.bug, self.W, self.U, self.b = bug, W.copy(), np.eye(4) / 2, B.copy()
        self.kept, self.steps, self.current, self.later = {"x": [], "h": []}, 0, 0, None

    def zero_grad(self):
        self.kept, self.later = {"x": [], "h": []}, []

    def forward(self, x):
        self.steps, self.current = self.steps + 1, self.current + 1
        if not self.kept["h"]:
            self.kept["h"].append(np.zeros((len(x), 4)))
        self.kept["x"].append(x)
        self.kept["h"].append(np.tanh(x @ self.W + self.kept["h"][-1] @ self.U + self.b))
        return self.kept["h"][-1]

    def backward(self, d):
        self.current -= 1
        t = self.current
        d = d if self.later is None else d + self.later
        d = d * (1 - self.kept["h"][t + 1] ** 2)
        self.dW, self.dU, self.db = self.kept["x"][t].T @ d, self.kept["h"][t].T @ d, bias(d, self.bug)
        self.later = d @ self.U.T
        return d @ self.W.T


class Layered:
    """A net whose backward returns a list for each layer, the last one first."""

    def __init__(self, bug=False, sizes=(3, 4, 4, 4)):
        rng = np.random.default_rng(5)
        self.layers = [{"W": rng.normal(size=(n, m)), "b": np.zeros((1, m))} for n, m in itertools.pairwise(sizes)]
        self.bug = bug

    def forward(self, x):
        self.values = [x]
        for layer in self.layers:
            self.values.append(np.tanh(self.values[-1] @ layer["W"] + layer["b"]))
        return self.values[-1]

    def backward(self, d):
        found = []
        for layer, x, y in zip(self.layers[::-1], self.values[-2::-1], self.values[:0:-1], strict=True):
            d = d * (1 - y**2)
            found.append([x.T @ d, bias(d, self.bug)])
            d = d @ layer["W"].T
        return found


class TwoInputs:
    """x holds two inputs; backward returns a list with a gradient for each."""

    def __init__(self, bug=False):
        self.bug = bug

    def forward(self, x):
        self.x = x
        return np.tanh(x[0] * x[1])

    def backward(self, d):
        d = d * (1 - np.tanh(self.x[0] * self.x[1]) ** 2)
        return [d * self.x[1], d * self.x[1 if self.bug else 0]]


@pytest.mark.parametrize(
    ("make", "x", "names"),
    [
        (Stepping, (5, 3), {"W", "b"}),
        (Nested, (5, 3), {"W", "b"}),
        (Keeping, (5, 3), {"params.w", "params.b"}),
        (Resetting, (5, 3), {"params.w", "params.b"}),
        (Cell, (5, 3), {"W", "U", "b"}),
        (lambda bug: Keeping(inner=Keeping(bug)), (5, 3), {"inner.params.w", "inner.params.b"}),
        (Layered, (5, 3), {f"layers.{n}.{name}" for n in range(3) for name in "Wb"}),
        (lambda bug: Layered(bug, (4, 4, 4)), (5, 4), {f"layers.{n}.{name}" for n in range(2) for name in "Wb"}),
        (TwoInputs, np.random.default_rng(6).normal(size=(2, 5, 3)), set()),
    ],
)
def test_objects_that_do_more_than_compute(make, x, names):
    right, wrong = check(make(False), x), check(make(True), x)
    assert right.verdict == "pass", right
    assert set(right.tensors) - {"x"} == names
    assert wrong.verdict == "fail"
    assert all(name == "x" or name.endswith("b") for name, result in wrong.tensors.items() if result.verdict == "fail")


def test_the_object_that_was_given_is_not_changed():
    for layer in (Stepping(), Nested()):
        check(layer)
        assert np.array_equal(layer.W, W)
    assert layer.opt.learn_rate == 0.01


def test_the_cache_may_stand_before_other_results_of_forward():
    def forward(x, gamma):
        mean, size = x.mean(axis=0), np.sqrt((x**2).mean(axis=0))
        cache = (x, gamma, size)
        return gamma * x / size, cache, mean, size

    def backward(d, cache):
        x, gamma, size = cache
        dx = gamma * (d / size - x * (d * x).mean(axis=0) / size**3)
        return dx, (d * x / size).sum(axis=0)

    assert check(adapt(forward, backward, {"gamma": np.ones(3)}))
    wrong = adapt(forward, lambda d, cache: (backward(d, cache)[0], (d * cache[0]).sum(axis=0)), {"gamma": np.ones(3)})
    assert check(wrong).verdict == "fail"


def test_of_whole_numbers_a_backward_alone_is_that_of_the_table():
    def lookup(x, table):
        return table[x] * 1.0, (x, table)

    def backward(d, cache):
        found = np.zeros_like(cache[1])
        np.add.at(found, cache[0], d)
        return found

    def last_one_wins(d, cache):
        found = np.zeros_like(cache[1])
        found[cache[0]] += d
        return found

    x, table = np.random.default_rng(7).integers(0, 4, (5, 6)), np.random.default_rng(8).normal(size=(4, 3))
    assert check(adapt(lookup, backward, {"table": table}), x)
    assert check(adapt(lookup, last_one_wins, {"table": table}), x).verdict == "fail"


def test_dx_of_another_shape_is_not_overlooked():
    def forward(x, w):
        return x * w, (x, w)

    def backward(d, cache):
        x, w = cache
        dx, dw = (d * w)[:, 0:-0], (d * x).sum(axis=0)
        return dx, dw

    report = check(adapt(forward, backward, {"w": np.ones(3)}))
    assert report.verdict == "fail"
    assert report.tensors["x"].verdict == "fail"


def test_axes_that_broadcasting_adds_are_a_remark():
    class Row(Dense):
        def __init__(self, keep):
            super().__init__(False, b=B[None] if not keep else B)
            self.keep = keep

        def backward(self, d):
            self.dW, self.db = self.x.T @ d, d.sum(axis=0, keepdims=self.keep)
            return d @ self.W.T

    right = check(Row(keep=False))
    assert right.verdict == "pass"
    assert "has shape (4,), and b (1, 4)" in " ".join(right.remarks)
    assert check(Row(keep=True)).verdict == "fail"  # b -= rate * db would not fit


def test_what_says_that_it_is_not_trained_is_a_constant():
    class Scaled(Dense):
        trainable = True

        def backward(self, d):
            self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)
            return d @ self.W.T

    layer = Scaled(False)
    assert check(layer).verdict == "fail"
    layer.trainable = False
    report = check(layer)
    assert report.verdict == "pass"
    assert "left out: W (3, 4), b (4,)" in report.looked_at


def test_a_state_that_follows_the_batch_is_no_parameter():
    class Recurrent(Dense):
        def forward(self, x):
            if getattr(self, "start", np.zeros((0, 4))).shape[0] != len(x):
                self.start = np.zeros((len(x), 4))
            return super().forward(x) + self.start

    report = check(Recurrent(False))
    assert report.verdict == "pass"
    assert "left out: start (" in report.looked_at
    assert check(Recurrent(True)).verdict == "fail"


class Masked:
    """Dropout with an argument for the mode; in inference it scales, and backward keeps the last mask."""

    def __init__(self, knows=False, bug=False):
        self.knows, self.bug, self.mask = knows, bug, None

    def forward(self, x, training=True):
        if training:
            self.mask = np.random.rand(*x.shape) > 0.4  # noqa: NPY002
        elif self.knows:
            self.mask = np.ones(x.shape)
        return x * (self.mask if training else 0.6)

    def backward(self, d):
        return d * self.mask * (0.5 if self.bug else 1)


class Keeps:
    """Keeps what backward needs only in training, and forgets it at each reset."""

    def __init__(self, bug=False):
        self.bug, self.x = bug, None

    def clear_grad(self):
        self.x = None

    def forward(self, data, training=False):
        if training:
            self.x = data
        return data**3

    def backward(self, d):
        return (2 if self.bug else 3) * d * self.x**2


def test_a_backward_that_finds_nothing_after_inference_gets_a_remark():
    report = check(Keeps())
    assert report.verdict == "pass"
    assert "or finds nothing" in " ".join(report.remarks)
    assert check(Keeps(bug=True)).verdict == "fail"


def test_a_backward_that_is_for_training_alone_gets_a_remark():
    report = check(Masked())
    assert report.verdict == "pass"
    assert "still belongs to the last forward in training mode" in " ".join(report.remarks)
    assert check(Masked(bug=True)).verdict == "fail"
    assert check(Masked(knows=True)).setting == "in inference mode"  # what it kept is of that forward, and wrong


def test_a_square_batch_of_a_layer_that_begins_with_equal_parameters():
    def forward(x, w, b):
        return np.einsum("nchw,fc->nfhw", x, w) + b[:, None, None], (x, w)

    def backward(d, cache):
        x, w = cache
        return np.einsum("nfhw,fc->nchw", d, w), np.einsum("nfhw,nchw->fc", d, x), d.sum(axis=(0, 2, 3))

    assert check(adapt(forward, backward, {"w": W[:2, :2].copy(), "b": np.zeros(2)}), (2, 2, 3, 3))


class Padding:
    """Adds into an array: with np.empty, to whatever was in memory before."""

    def __init__(self, empty):
        self.make = np.empty if empty else np.zeros

    def forward(self, x):
        return x[:, :-1] + x[:, 1:]

    def backward(self, d):
        dx = self.make((len(d), d.shape[1] + 1, d.shape[2]))
        np.add.at(dx, (slice(None), slice(None, -1)), d)
        np.add.at(dx, (slice(None), slice(1, None)), d)
        return dx


@pytest.mark.parametrize("shape", [(3, 4, 2), (4, 9, 8), (2, 40, 12)])
def test_memory_that_was_never_set_is_found_each_time(shape):
    for _ in range(3):
        report = check(Padding(empty=True), shape)
        assert report.diagnosis.name == "memory that was never set"
        assert check(Padding(empty=False), shape)


def test_an_error_about_none_is_not_called_accumulating():
    class Unpacks(Dense):
        def backward(self, d):
            rows, columns = self.nothing()
            return d @ self.W.T[rows:columns]

        def nothing(self):
            return None

    report = check(Unpacks(False))
    assert report.verdict == "fail"
    assert "cannot unpack non-iterable NoneType" in str(report)
    assert not report.diagnoses


# Losses, slopes and nodes


class Net:
    """Loss and gradients in one method: of each layer a list, the last one first."""

    def __init__(self, bug=False):
        rng = np.random.default_rng(9)
        self.layers = [[rng.normal(size=(3, 4)), np.zeros((1, 4))], [rng.normal(size=(4, 3)), np.zeros((1, 3))]]
        self.bug = bug

    def train_step(self, x, y):
        (w0, b0), (w1, b1) = self.layers
        hidden = np.tanh(x @ w0 + b0)
        error = hidden @ w1 + b1 - y
        d = error @ w1.T * (1 - hidden**2)
        grads = [[hidden.T @ error, error.sum(axis=0)], [], [x.T @ d, bias(d, self.bug)]]
        return (error**2).sum() / 2, grads


def test_a_method_that_returns_loss_and_gradients_without_names():
    x, y = np.random.default_rng(1).normal(size=(5, 3)), np.random.default_rng(2).normal(size=(5, 3))
    report = check(Net().train_step, x, y)
    assert report.verdict == "pass"
    assert set(report.tensors) == {"layers.0.0", "layers.0.1", "layers.1.0", "layers.1.1"}
    wrong = check(Net(bug=True).train_step, x, y)
    assert [name for name, result in wrong.tensors.items() if result.verdict == "fail"] == ["layers.0.1"]


class OfLast:
    """The derivative at what forward had last; an array for x it cannot take."""

    def __init__(self, factor=1):
        self.factor = factor

    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def derivative(self, x=None):
        y = x if x else self.y
        return self.factor * (1 - y**2)


class OfOutput:
    """backward is the derivative as a function of y, without a gradient from above."""

    def forward(self, data):
        return 1 / (1 + np.exp(-data))

    def backward(self, data):
        return data * (1 - data)


class OfWhatItKept:
    """backward takes anything, and looks at what forward kept alone."""

    def __init__(self, factor=1):
        self.factor = factor

    def forward(self, data):
        self.last = data
        return data**3

    def backward(self, *_):
        return self.factor * 3 * self.last**2


def test_slopes_in_three_more_forms():
    assert check(OfWhatItKept())
    assert check(OfWhatItKept(2)).verdict == "fail"
    assert check(OfLast())
    assert check(OfLast(2)).verdict == "fail"
    report = check(OfOutput())
    assert report.verdict == "pass"
    assert "taken as a function of y" in report.looked_at


def test_a_backward_whose_argument_is_called_x_too_is_no_slope():
    class Negative:
        def forward(self, x):
            return -2.0 * x

        def backward(self, x):
            return -2.0 * x

    assert check(Negative())


class Late(Dense):
    """Makes its arrays in the first forward; until then, the property that lists them raises."""

    def __init__(self, bug=False):
        self.bug, self.made = bug, {}

    @property
    def parameters(self):
        return [self.made["W"], self.made["b"]]

    def __call__(self, x):
        return self.forward(x)

    def forward(self, x):
        if not self.made:
            self.made = {"W": W.copy(), "b": B.copy()}
        self.x = x
        return x @ self.made["W"] + self.made["b"]

    def backward(self, d):
        self.gradients = {"W": self.x.T @ d, "b": bias(d, self.bug)}
        return d @ self.made["W"].T


def test_a_property_that_raises_before_the_first_forward():
    right, wrong = check(Late()), check(Late(bug=True))
    assert right.verdict == "pass", right
    assert len(right.tensors) == 3
    assert wrong.verdict == "fail"


def test_a_value_of_forward_that_does_not_follow_x_is_no_parameter():
    class Products(Dense):
        def forward(self, x):
            self.k = np.arange(16.0).reshape(4, 4) / 8 - 1
            return super().forward(x) @ self.k

        def backward(self, d):
            self.dk = d.T @ d
            return super().backward(d @ self.k.T)

    right, wrong = check(Products(False)), check(Products(True))
    assert right.verdict == "pass", right
    assert set(right.tensors) == {"x", "W", "b"}
    assert wrong.verdict == "fail"
