"""check_optimizer on update rules in other forms, against a rule by name."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import check_optimizer
from minitorch_np.checking import OptimizerError


class Dictionaries:
    """Momentum, with two dictionaries."""

    def __init__(self, lr=0.1, mu=0.9, wrong=False):
        self.lr, self.mu, self.v, self.wrong = lr, mu, None, wrong

    def update(self, params, grads):
        if self.v is None:
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.v[key] = self.mu * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key] * (self.lr if self.wrong else 1)


class Arrays:
    """Adam, for one array."""

    def __init__(self, lr=0.01, multiply=False):
        self.lr, self.m, self.v, self.t, self.multiply = lr, 0.0, 0.0, 0, multiply

    def update(self, w, dw):
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * dw
        self.v = 0.999 * self.v + 0.001 * dw**2
        c1, c2 = 1 - 0.9**self.t, 1 - 0.999**self.t
        if self.multiply:
            return w - self.lr * self.m * c1 / (np.sqrt(self.v * c2) + 1e-8)
        return w - self.lr * self.m / c1 / (np.sqrt(self.v / c2) + 1e-8)


class OfLayers:
    """SGD with momentum, for a layer with weights and biases."""

    def __init__(self, learning_rate=0.1, momentum=0.5):
        self.learning_rate, self.momentum = learning_rate, momentum

    def pre_update_params(self):
        self.current_learning_rate = self.learning_rate

    def update_params(self, layer):
        if not hasattr(layer, "weight_momentums"):
            layer.weight_momentums, layer.bias_momentums = np.zeros_like(layer.weights), np.zeros_like(layer.biases)
        layer.weight_momentums = self.momentum * layer.weight_momentums - self.current_learning_rate * layer.dweights
        layer.bias_momentums = self.momentum * layer.bias_momentums - self.current_learning_rate * layer.dbiases
        layer.weights += layer.weight_momentums
        layer.biases += layer.bias_momentums


def rmsprop(w, dw, config=None):
    config = dict(config or {"lr": 0.01, "cache": np.zeros_like(w)})
    config["cache"] = 0.9 * config["cache"] + 0.1 * dw**2
    return w - config["lr"] * dw / (np.sqrt(config["cache"]) + 1e-8), config


def lists(params, grads):
    for p, g in zip(params, grads, strict=True):
        p -= 0.1 * g


class Lists:
    lr = 0.1

    def step(self, params, grads):
        if not isinstance(params, list):
            raise TypeError("lists are expected")
        lists(params, grads)


class Stacking:
    """RMSprop for one array, with attributes for its settings; on lists it would stack them into one array."""

    def __init__(self, learning_rate=0.05, decay_rate=0.7, eps=1e-6, forgets=False):
        self.learning_rate, self.decay_rate, self.eps, self.forgets, self.mean = (
            learning_rate,
            decay_rate,
            eps,
            forgets,
            None,
        )

    def update(self, w, grad):
        old = 0.0 if self.mean is None or self.forgets else self.mean
        self.mean = self.decay_rate * old + (1 - self.decay_rate) * np.power(grad, 2)
        return w - self.learning_rate * grad / np.sqrt(self.mean + self.eps)


class SumOfSquares:
    """Adagrad, whose sum starts at 0, as in the paper."""

    def __init__(self, rate=0.1, power=0.5):
        self.rate, self.power, self.sums = rate, power, {}

    def update(self, params, grads):
        for key in params:
            self.sums[key] = self.sums.get(key, 0) + grads[key] ** 2
            params[key] -= self.rate * grads[key] / (self.sums[key] ** self.power + 1e-7)


class ByIndex:
    """Momentum with a number for each layer, and optional biases."""

    def __init__(self, learning_rate=0.1, momentum=0.8, shared=False):
        self.learning_rate, self.momentum, self.shared, self.velocity = learning_rate, momentum, shared, {}

    def update(self, layer_index, weights, weights_grad, bias=None, bias_grad=None):
        key = 0 if self.shared else layer_index
        self.velocity[key] = self.momentum * self.velocity.get(key, 0) - self.learning_rate * weights_grad
        weights += self.velocity[key]


class Called:
    """Adam, called with a name for its cache; the settings are in a dictionary, and step counts."""

    def __init__(self, lr=0.02, count=True):
        self.hyperparameters, self.cache, self.cur_step, self.count = {"lr": lr, "decay1": 0.8}, {}, 0, count

    def step(self):
        self.cur_step += 1

    def __call__(self, param, param_grad, param_name, cur_loss=None):
        m, v, t = self.cache.get(param_name, (0.0, 0.0, 0))
        t = t + 1 if self.count else 1
        m, v = 0.8 * m + 0.2 * param_grad, 0.999 * v + 0.001 * param_grad**2
        self.cache[param_name] = m, v, t
        return param - self.hyperparameters["lr"] * m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


class OfNets:
    """SGD that asks a network for its pairs of arrays."""

    def __init__(self, lr=0.1, sign=-1):
        self.lr, self.sign = lr, sign

    def step(self, net):
        for value, gradient in net.params_and_grads():
            value += self.sign * self.lr * gradient


class OfLists:
    """SGD that looks into the dictionaries of a network's layers."""

    lr = 0.1

    def step(self, model):
        for layer in model.layers:
            for key in layer.params:
                layer.params[key] = layer.params[key] - self.lr * layer.grads[key]


def look_ahead(w, dw, config=None):
    """Nesterov's momentum."""
    config = dict(config or {"learning_rate": 0.1, "momentum": 0.9})
    old = config.get("velocity", np.zeros_like(w))
    config["velocity"] = config["momentum"] * old - config["learning_rate"] * dw
    return w - config["momentum"] * old + (1 + config["momentum"]) * config["velocity"], config


class MyAdam(mt.Optimizer):
    """A subclass of Optimizer without a closed form."""

    def __init__(self, learning_rate=0.01, power=1):
        self.power = power
        super().__init__(learning_rate)

    def update(self, parameter, state):
        m, v = (state.setdefault(key, np.zeros_like(parameter.value)) for key in "mv")
        m += 0.1 * (parameter.grad - m)
        v += 0.001 * (parameter.grad**2 - v)
        t = self.iteration
        parameter.value -= self.rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7) ** self.power


@pytest.mark.parametrize(
    ("optimizer", "rule"),
    [
        (Dictionaries(), mt.SGD(0.1, momentum=0.9)),
        (Arrays(), "adam"),
        (Arrays(0.02), mt.Adam(0.02)),
        (OfLayers(), mt.SGD(0.1, momentum=0.5)),
        (rmsprop, mt.RMSprop(0.01, rho=0.9)),
        (rmsprop, "rmsprop"),
        (Lists(), "sgd"),
        (Stacking(), "rmsprop"),
        (SumOfSquares(), "adagrad"),
        (ByIndex(), "momentum"),
        (ByIndex(momentum=0.0), "sgd"),
        (Called(), "adam"),
        (Called(), mt.Adam(0.02, beta_1=0.8)),
        (OfNets(), "sgd"),
        (OfLists(), "sgd"),
        (look_ahead, "nesterov"),
        (MyAdam(), "adam"),
        (mt.SGD(0.3), "sgd"),
    ],
)
def test_right_rules_pass(optimizer, rule):
    check_optimizer(optimizer, rule)


@pytest.mark.parametrize(
    ("optimizer", "rule", "message"),
    [
        (Dictionaries(wrong=True), mt.SGD(0.1, momentum=0.9), "multiplied by 1 - momentum"),
        (Dictionaries(mu=0.5), mt.SGD(0.1, momentum=0.9), r"after step 2(?s:.*)Earlier steps were right"),
        (Dictionaries(lr=-0.1), mt.SGD(0.1, momentum=0.9), "wrong sign"),
        (Arrays(multiply=True), "adam", "after step 1"),
        (MyAdam(power=2), "adam", "after step 1"),
        (Stacking(forgets=True), "rmsprop", r"after step 2(?s:.*)is lost from one step to the next"),
        (SumOfSquares(power=1), "adagrad", "after step 1"),
        (ByIndex(shared=True), "momentum", "after step 1"),
        (Called(count=False), "adam", "after step 2"),
        (OfNets(sign=1), "sgd", "wrong sign"),
        (look_ahead, "momentum", "steps of Nesterov momentum"),
    ],
)
def test_wrong_rules_are_found(optimizer, rule, message):
    with pytest.raises(OptimizerError, match=message):
        check_optimizer(optimizer, rule)


@pytest.mark.parametrize(
    ("optimizer", "rule", "message"),
    [
        (object(), "sgd", "learning rate of object is not found"),
        (object(), mt.SGD(0.1), "object is not understood. Give an Optimizer"),
        (Arrays(), "adams", "adams"),
        (Arrays(), 3, "closed_form is a function, an optimiser"),
        (lists, "rmsprop", "learning rate of lists is not found. Give the rule with it"),
    ],
)
def test_what_is_not_understood_is_asked_for(optimizer, rule, message):
    with pytest.raises(ValueError, match=message):
        check_optimizer(optimizer, rule)


class OfFormula:
    """Adam without a part of it."""

    def __init__(self, without):
        self.lr, self.without, self.t, self.m, self.v = 0.01, without, 0, {}, {}

    def update(self, params, grads):
        self.t += 1
        for k, g in grads.items():
            self.m[k] = 0.9 * self.m.get(k, 0) + 0.1 * g
            self.v[k] = 0.999 * self.v.get(k, 0) + 0.001 * g**2
            m = self.m[k] if "m" in self.without else self.m[k] / (1 - 0.9**self.t)
            v = self.v[k] if "v" in self.without else self.v[k] / (1 - 0.999**self.t)
            params[k] -= self.lr * m / ((v if "root" in self.without else np.sqrt(v)) + 1e-8)


@pytest.mark.parametrize(
    ("without", "bug", "change"),
    [
        ("m v", "the bias correction of m and v is missing", "Divide m by 1 - beta_1**t and v by 1 - beta_2**t"),
        ("m", "the bias correction of m is missing", "Divide m by 1 - beta_1**t"),
        ("v", "the bias correction of v is missing", "Divide v by 1 - beta_2**t"),
        ("root", "the square root of v is missing", "Divide by np.sqrt(v) + epsilon"),
    ],
)
def test_what_is_missing_in_adam_is_named_and_hint_decides_how_much_is_told(without, bug, change):
    check_optimizer(OfFormula(""), "adam")
    for hint in range(4):
        with pytest.raises(OptimizerError) as error:
            check_optimizer(OfFormula(without), "adam", hint=hint)
        text = str(error.value)
        assert text.startswith("check_optimizer: OfFormula")
        assert ("expected" in text, bug in text, change in text) == (hint >= 1, hint >= 2, hint >= 3)
