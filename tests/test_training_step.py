"""check_training_step: a step written by hand, right and with the mistakes that people make."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import check_training_step
from minitorch_np.checking import TrainingStepError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 2))


def parameters(dtype=np.float64):
    rng = np.random.default_rng(1)
    shapes = {"W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def cost(p, x, y):
    hidden = np.tanh(x @ p["W1"] + p["b1"])
    return ((hidden @ p["W2"] + p["b2"] - y) ** 2).mean()


def gradients(p, x, y):
    hidden = np.tanh(x @ p["W1"] + p["b1"])
    d2 = 2 * (hidden @ p["W2"] + p["b2"] - y) / y.size
    d1 = d2 @ p["W2"].T * (1 - hidden**2)
    return {"W1": x.T @ d1, "b1": d1.sum(0), "W2": hidden.T @ d2, "b2": d2.sum(0)}


def descend(rate=0.1, change=lambda g, p, x: g):
    def step(p, x, y):
        for name, gradient in gradients(p, x, y).items():
            p[name] -= rate * change(gradient, p[name], x)

    return step


class Net:
    """Two layers in attributes, with velocities and caches beside them."""

    def __init__(self):
        vars(self).update(parameters())
        self.velocity = {name: np.zeros_like(value) for name, value in parameters().items()}
        self.hidden = np.ones((5, 4))

    def values(self):
        return {name: getattr(self, name) for name in parameters()}

    def cost(self, x, y):
        self.hidden = np.tanh(x @ self.W1 + self.b1)
        return cost(self.values(), x, y)

    def train_step(self, x, y):
        for name, gradient in gradients(self.values(), x, y).items():
            self.velocity[name] = 0.9 * self.velocity[name] + gradient
            setattr(self, name, getattr(self, name) - 0.1 * self.velocity[name])


def test_right_steps_pass_in_every_form():
    check_training_step(descend(), cost, parameters(), X, Y, optimizer=mt.SGD(0.1))
    check_training_step(descend(0.01), cost, parameters(np.float32), X, Y, optimizer="sgd")
    net = Net()
    check_training_step(net.train_step, net.cost, net, X, Y, optimizer=mt.SGD(0.1, momentum=0.9))
    check_training_step(Net.train_step, Net.cost, net, X, Y, optimizer=mt.SGD(0.1, momentum=0.9))

    def returning(W1, b1, W2, b2, x, y):
        p = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
        return tuple(p[name] - 0.1 * gradient for name, gradient in gradients(p, x, y).items())

    check_training_step(returning, cost, parameters(), X, Y, optimizer=mt.SGD(0.1))


def test_a_layer_object_in_a_list_and_one_array():
    class Layer:
        def __init__(self):
            self.W = np.random.default_rng(2).normal(size=(3, 2))

    class Stack:
        def __init__(self):
            self.layers = [Layer()]

    def step(net, x, y):
        layer = net.layers[0]
        layer.W = layer.W - 0.1 * 2 * x.T @ (x @ layer.W - y) / y.size

    check_training_step(
        step, lambda net, x, y: ((x @ net.layers[0].W - y) ** 2).mean(), Stack(), X, Y, optimizer=mt.SGD(0.1)
    )

    def one(w, x, y):
        return w - 0.1 * 2 * x.T @ (x @ w - y) / y.size

    def squared(w, x, y):
        return ((x @ w - y) ** 2).mean()

    check_training_step(one, squared, {"w": np.ones((3, 2))}, X, Y, optimizer=mt.SGD(0.1))


def test_adam_written_by_hand():
    def adam(sign=1, power=1):
        state = {name: [np.zeros_like(value), np.zeros_like(value)] for name, value in parameters().items()}
        count = [0]

        def step(p, x, y):
            count[0] += 1
            for name, g in gradients(p, x, y).items():
                m, v = state[name]
                m[...], v[...] = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                t = count[0] ** power
                p[name] -= sign * 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)

        return step

    rule = mt.Adam(0.01)
    check_training_step(adam(), cost, parameters(), X, Y, optimizer=rule)
    with pytest.raises(TrainingStepError, match="step 2 is wrong"):
        check_training_step(adam(power=0), cost, parameters(), X, Y, optimizer=rule)


def test_nothing_is_changed_afterwards():
    net, p = Net(), parameters(np.float32)
    before = {name: array.tobytes() for name, array in [*net.values().items(), *net.velocity.items()]}
    check_training_step(net.train_step, net.cost, net, X, Y, optimizer=mt.SGD(0.1, momentum=0.9))
    assert {name: array.tobytes() for name, array in [*net.values().items(), *net.velocity.items()]} == before
    arrays = dict(p)
    check_training_step(descend(), cost, p, X, Y, optimizer=mt.SGD(0.1))
    assert all(p[name] is arrays[name] for name in p)
    assert p["W1"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g, p, x: -g, "goes uphill.*\n.*Subtract"),
        (lambda g, p, x: g / len(x), "divided by the batch size twice"),
        (lambda g, p, x: g * len(x), "a sum over the batch"),
        (lambda g, p, x: 2 * g, "2 times the right one"),
        (lambda g, p, x: g - 0.01 * p, "plus 0.001 times the parameter.*\n.*weights grow"),
        (lambda g, p, x: g + 0.01 * p, "plus -0.001 times the parameter.*\n.*give the rule with it"),
        (lambda g, p, x: g * np.cos(p), "No known mistake"),
    ],
)
def test_mistakes_of_one_step(change, message):
    with pytest.raises(TrainingStepError, match=r"(?s)step 1 is wrong.*" + message):
        check_training_step(descend(change=change), cost, parameters(), X, Y, optimizer=mt.SGD(0.1))


def test_decay_with_the_wrong_sign_or_left_out():
    rule = mt.SGD(0.1, weight_decay=0.01)
    check_training_step(descend(change=lambda g, p, x: g + 0.01 * p), cost, parameters(), X, Y, optimizer=rule)
    with pytest.raises(TrainingStepError, match="weight decay has the wrong sign"):
        check_training_step(descend(change=lambda g, p, x: g - 0.01 * p), cost, parameters(), X, Y, optimizer=rule)
    with pytest.raises(TrainingStepError, match="weight decay is missing"):
        check_training_step(descend(), cost, parameters(), X, Y, optimizer=rule)


def test_gradients_that_add_up():
    total = {name: np.zeros_like(value) for name, value in parameters().items()}

    def step(p, x, y):
        for name, gradient in gradients(p, x, y).items():
            total[name] += gradient
            p[name] -= 0.1 * total[name]

    with pytest.raises(TrainingStepError, match=r"step 2 is wrong.*\n.*\n.*gradients add up"):
        check_training_step(step, cost, parameters(), X, Y, optimizer=mt.SGD(0.1))


def test_new_arrays_that_are_lost():
    def step(W1, b1, W2, b2, x, y):
        p = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
        W1 = W1 - 0.1 * gradients(p, x, y)["W1"]  # and never returned

    with pytest.raises(TrainingStepError, match=r"did not change.*\n.*in place"):
        check_training_step(step, cost, parameters(), X, Y, optimizer=mt.SGD(0.1))


def test_update_before_backward():
    def step(p, x, y):
        hidden = np.tanh(x @ p["W1"] + p["b1"])
        d2 = 2 * (hidden @ p["W2"] + p["b2"] - y) / y.size
        p["W2"] -= 0.1 * hidden.T @ d2
        p["b2"] -= 0.1 * d2.sum(0)
        d1 = d2 @ p["W2"].T * (1 - hidden**2)  # with the new W2
        p["W1"] -= 0.1 * x.T @ d1
        p["b1"] -= 0.1 * d1.sum(0)

    with pytest.raises(TrainingStepError, match=r"wrong for W1, b1 \(W2, b2 are right\)(?s:.*)with the new W2"):
        check_training_step(step, cost, parameters(), X, Y, optimizer=mt.SGD(0.1))


def test_update_before_backward_in_three_layers_and_behind_a_transpose():
    rng = np.random.default_rng(3)
    weights = {"A": rng.normal(size=(4, 3)), "B": rng.normal(size=(4, 4)), "C": rng.normal(size=(2, 4))}

    def forward(p, x):
        first = np.tanh(x @ p["A"].T)
        second = np.tanh(first @ p["B"].T)
        return first, second, second @ p["C"].T

    def loss(p, x, y):
        return ((forward(p, x)[-1] - y) ** 2).mean()

    def step(p, x, y):
        first, second, out = forward(p, x)
        d = 2 * (out - y) / y.size
        p["C"] -= 0.1 * d.T @ second
        d = d @ p["C"] * (1 - second**2)
        p["B"] -= 0.1 * d.T @ first
        d = d @ p["B"] * (1 - first**2)
        p["A"] -= 0.1 * d.T @ x

    with pytest.raises(TrainingStepError, match=r"wrong for A, B \(C is right\)(?s:.*)the update came too early"):
        check_training_step(step, loss, weights, X, Y, optimizer=mt.SGD(0.1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, cost, parameters()), "step is a function, got 3"),
        ((descend(), cost, {}), "no parameters are found"),
        ((descend(), lambda p, x, y: x, parameters()), "cost returns one number, got an array of shape"),
        ((lambda: None, cost, parameters()), "takes 0 arguments. It is called as"),
        ((descend(), cost, {"W1": np.zeros((80, 80))}), "6,400 numbers, at most 5,000"),
    ],
)
def test_wrong_calls(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_training_step(*arguments, X, Y, optimizer=mt.SGD(0.1))
    with pytest.raises(ValueError, match="optimizer is one such as"):
        check_training_step(descend(), cost, parameters(), X, Y, optimizer=0.1)


def test_parameters_in_tuples_and_of_the_class_are_found():
    class Net:
        layers = ({"W": parameters()["W1"]},)

    def step(net, x, y):
        W = net.layers[0]["W"]
        W -= 0.1 * 2 * x.T @ (x @ W) / len(x)

    net = Net()
    check_training_step(
        step, lambda net, x, y: ((x @ net.layers[0]["W"]) ** 2).sum() / len(x), net, X, Y, optimizer=mt.SGD(0.1)
    )
    with pytest.raises(TrainingStepError, match=r"layers\.0\.W"):
        check_training_step(
            step, lambda net, x, y: ((x @ net.layers[0]["W"]) ** 2).sum(), net, X, Y, optimizer=mt.SGD(0.1)
        )
    np.testing.assert_array_equal(Net.layers[0]["W"], parameters()["W1"])


@pytest.mark.parametrize(
    ("hint", "told", "kept_back"),
    [
        (0, "check_training_step is WRONG", "step"),
        (1, "changed by", "uphill"),
        (2, "goes uphill", "Subtract"),
        (3, "Subtract the gradient", "no such text"),
    ],
)
def test_hint_decides_how_much_is_told(hint, told, kept_back):
    def step(p, x, y):
        p["w"] += 0.1 * 2 * x.T @ (x @ p["w"] - y) / y.size

    def cost(p, x, y):
        return ((x @ p["w"] - y) ** 2).mean()

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    with pytest.raises(TrainingStepError) as error:
        check_training_step(step, cost, {"w": rng.normal(size=(3, 2))}, x, y, optimizer=mt.SGD(0.1), hint=hint)
    text = str(error.value)
    assert told in text
    assert kept_back not in text.replace("check_training_step", "")
    with pytest.raises(ValueError, match="hint is 0, 1, 2 or 3"):
        check_training_step(step, cost, {"w": x}, x, y, optimizer="sgd", hint=4)
