"""Further forms in which people write layers, nets and losses: the parameters are seen, the right version passes, the wrong one fails.

Each form is called in one line. In the wrong version the gradient of the bias is averaged over the batch.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
from test_adapt import B, W, X, Y, bias, check

import minitorch_np as mt

adapt = mt.gradcheck.adapt
W2, B2 = np.random.default_rng(5).normal(size=(4, 2)), np.random.default_rng(6).normal(size=2)
Y2 = np.random.default_rng(7).normal(size=(5, 2))
FORMS = {}


def form(*names):
    """A form, with the names of its parameters in the report; without names, x alone is looked at."""

    def take(make):
        FORMS[make.__name__] = make, names
        return make

    return take


# Where the arrays are


@form("_W", "_b")
def private_attributes_behind_properties(bug):
    class Layer:
        def __init__(self):
            self._W, self._b, self._gW, self._gb = W.copy(), B.copy(), None, None

        W = property(lambda self: self._W)
        b = property(lambda self: self._b)

        def forward(self, x):
            self._x = x
            return x @ self.W + self.b

        def backward(self, d):
            self._gW, self._gb = self._x.T @ d, bias(d, bug)
            return d @ self.W.T

    return Layer(), (5, 3)


@form("gamma_", "beta_")
def names_with_underscores_at_the_end(bug):
    class Scale:
        def __init__(self):
            self.gamma_, self.beta_ = B.copy(), B.copy()

        def forward(self, X):
            self.X_ = X
            return X * self.gamma_ + self.beta_

        def backward(self, dY):
            self.dgamma_, self.dbeta_ = (dY * self.X_).sum(axis=0), bias(dY, bug)
            return dY * self.gamma_

    return Scale(), (5, 4)


@form("theta")
def one_matrix_with_the_bias_in_its_first_row(bug):
    class Linear:
        def __init__(self):
            self.theta = np.vstack([B, W])

        def forward(self, x):
            self.A = np.hstack([np.ones((len(x), 1)), x])
            return self.A @ self.theta

        def backward(self, delta):
            self.grad = self.A.T @ delta
            self.grad[0] = bias(delta, bug)
            return delta @ self.theta[1:].T

    return Linear(), (5, 3)


@form("w", "b")
def slots(bug):
    class Layer:
        __slots__ = ("b", "db", "dw", "w", "x")

        def __init__(self):
            self.w, self.b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.w + self.b

        def backward(self, dout):
            self.dw, self.db = self.x.T @ dout, bias(dout, bug)
            return dout @ self.w.T

    return Layer(), (5, 3)


@form("weight.value", "bias.value")
def a_dataclass_of_dataclasses(bug):
    @dataclasses.dataclass
    class Param:
        value: np.ndarray
        gradient: np.ndarray | None = None

    @dataclasses.dataclass
    class Linear:
        weight: Param
        bias: Param

        def forward(self, x):
            self.x = x
            return x @ self.weight.value + self.bias.value

        def backward(self, d):
            self.weight.gradient, self.bias.gradient = self.x.T @ d, bias(d, bug)
            return d @ self.weight.value.T

    return Linear(Param(W.copy()), Param(B.copy())), (5, 3)


@form("params.W", "params.b")
def parameters_in_a_named_tuple(bug):
    class Params(NamedTuple):
        W: np.ndarray
        b: np.ndarray

    class Layer:
        def __init__(self):
            self.params, self.grads = Params(W.copy(), B.copy()), None

        def forward(self, x):
            self.x = x
            return x @ self.params.W + self.params.b

        def backward(self, d):
            self.grads = Params(self.x.T @ d, bias(d, bug))
            return d @ self.params.W.T

    return Layer(), (5, 3)


@form("params.0", "params.1")
def a_tuple_of_arrays(bug):
    class Layer:
        def __init__(self):
            self.params = (W.copy(), B.copy())
            self.grads = (0 * W, 0 * B)

        def forward(self, x):
            self.x = x
            return x @ self.params[0] + self.params[1]

        def backward(self, d):
            self.grads[0][:], self.grads[1][:] = self.x.T @ d, bias(d, bug)
            return d @ self.params[0].T

    return Layer(), (5, 3)


@form("params.W", "params.b")
def a_dictionary_of_the_class(bug):
    class Layer:
        params: ClassVar = {"W": W.copy(), "b": B.copy()}
        grads: ClassVar = {}

        def forward(self, x):
            self.x = x
            return x @ self.params["W"] + self.params["b"]

        def backward(self, d):
            self.grads["W"], self.grads["b"] = self.x.T @ d, bias(d, bug)
            return d @ self.params["W"].T

    return Layer(), (5, 3)


@form("W", "b")
def arrays_of_the_class(bug):
    class Layer:
        W, b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, d):
            self.dW, self.db = self.x.T @ d, bias(d, bug)
            return d @ self.W.T

    return Layer(), (5, 3)


@form("weights.1", "weights.2", "biases.1", "biases.2")
def dictionaries_with_the_numbers_of_the_layers(bug):
    class Net:
        def __init__(self):
            self.weights, self.biases = {1: W.copy(), 2: W2.copy()}, {1: B.copy(), 2: B2.copy()}
            self.dweights, self.dbiases = {}, {}

        def forward(self, x):
            self.a = {0: x}
            for n in (1, 2):
                self.a[n] = np.tanh(self.a[n - 1] @ self.weights[n] + self.biases[n])
            return self.a[2]

        def backward(self, d):
            for n in (2, 1):
                d = d * (1 - self.a[n] ** 2)
                self.dweights[n], self.dbiases[n] = self.a[n - 1].T @ d, bias(d, bug)
                d = d @ self.weights[n].T
            return d

    return Net(), (5, 3)


@form("weights.0", "weights.1", "biases.0", "biases.1")
def lists_whose_gradients_backward_makes_anew(bug):
    class Network:  # in the manner of Nielsen's book
        def __init__(self):
            self.weights, self.biases = [W.copy(), W2.copy()], [B.copy(), B2.copy()]

        def feedforward(self, x):
            self.activations = [x]
            for w, b in zip(self.weights, self.biases, strict=True):
                x = np.tanh(x @ w + b)
                self.activations.append(x)
            return x

        def backprop(self, delta):
            nabla_w, nabla_b = [0 * w for w in self.weights], [0 * b for b in self.biases]
            for n in (1, 0):
                delta = delta * (1 - self.activations[n + 1] ** 2)
                nabla_w[n], nabla_b[n] = self.activations[n].T @ delta, bias(delta, bug)
                delta = delta @ self.weights[n].T
            return delta, nabla_w, nabla_b

    return Network(), (5, 3)


@form("theta")
def all_parameters_in_one_vector(bug):
    class Flat:
        def __init__(self):
            self.theta = np.concatenate([W.ravel(), B])
            self.grad = np.zeros_like(self.theta)

        def forward(self, x):
            self.x = x
            return x @ self.theta[:12].reshape(3, 4) + self.theta[12:]

        def backward(self, d):
            self.grad = np.concatenate([(self.x.T @ d).ravel(), bias(d, bug)])
            return d @ self.theta[:12].reshape(3, 4).T

    return Flat(), (5, 3)


@form("cells.0.p.W", "cells.0.p.b", "cells.1.p.W", "cells.1.p.b")
def objects_in_objects_in_a_list(bug):
    class Holder:
        pass

    class Cell:
        def __init__(self, w, b):
            self.p, self.g = Holder(), Holder()
            self.p.W, self.p.b = w.copy(), b.copy()

        def run(self, x):
            self.x = x
            return x @ self.p.W + self.p.b

        def back(self, d):
            self.g.W, self.g.b = self.x.T @ d, bias(d, bug)
            return d @ self.p.W.T

    class Net:
        def __init__(self):
            self.cells = [Cell(W, B), Cell(W2, B2)]

        def forward(self, x):
            for cell in self.cells:
                x = cell.run(x)
            return x

        def backward(self, d):
            for cell in self.cells[::-1]:
                d = cell.back(d)
            return d

    return Net(), (5, 3)


# How the gradients are handed over


@form("W", "b")
def parameters_that_come_in_pairs_with_their_gradients(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()
            self.gradient_of_W, self.gradient_of_b = 0 * W, 0 * B

        def parameters(self):
            yield self.W, self.gradient_of_W
            yield self.b, self.gradient_of_b

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, d):
            self.gradient_of_W[...], self.gradient_of_b[...] = self.x.T @ d, bias(d, bug)
            return d @ self.W.T

    return Layer(), (5, 3)


@form("kernel", "shift")
def pairs_from_parameters_whose_names_say_nothing(bug):
    class Layer:
        def __init__(self):
            self.kernel, self.shift, self.one, self.two = B.copy(), B.copy(), 0 * B, 0 * B

        def parameters(self):
            return [(self.kernel, self.two), (self.shift, self.one)]

        def forward(self, x):
            self.x = x
            return x * self.kernel + self.shift

        def backward(self, d):
            self.two, self.one = (d * self.x).sum(axis=0), bias(d, bug)
            return d * self.kernel

    return Layer(), (5, 4)


@form("W", "b")
def gradients_before_dx_in_a_tuple(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            return self.x.T @ dout, bias(dout, bug), dout @ self.W.T

    return Layer(), (5, 3)


@form("W", "b")
def dx_and_a_dictionary_of_gradients(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            return dout @ self.W.T, {"W": self.x.T @ dout, "b": bias(dout, bug)}

    return Layer(), (5, 3)


@form("W", "b")
def a_dictionary_of_gradients_and_dx(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, x):
            return x @ self.W + self.b, x

        def backward(self, dout, cache):
            grads = {"dW": cache.T @ dout, "db": bias(dout, bug)}
            return grads, dout @ self.W.T

    return Layer(), (5, 3)


@form("W", "b")
def a_list_of_pairs(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            return dout @ self.W.T, [(self.W, self.x.T @ dout), (self.b, bias(dout, bug))]

    return Layer(), (5, 3)


@form("W", "b")
def an_object_as_the_result_of_backward(bug):
    class Grads(NamedTuple):
        x: np.ndarray
        W: np.ndarray
        b: np.ndarray

    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            return Grads(dout @ self.W.T, self.x.T @ dout, bias(dout, bug))

    return Layer(), (5, 3)


@form("W", "b")
def a_method_that_hands_over_the_gradients(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, dout):
            self.dout = dout
            return dout @ self.W.T

        def get_params(self):
            return {"W": self.W, "b": self.b}

        def get_grads(self):
            return {"W": self.x.T @ self.dout, "b": bias(self.dout, bug)}

    return Layer(), (5, 3)


@form("layers.0.w", "layers.0.b", "layers.1.w", "layers.1.b")
def a_net_whose_layers_step_within_backward(bug):
    class Dense:
        def __init__(self, w, b):
            self.w, self.b = w.copy(), b.copy()

        def forward(self, x):
            self.x = x
            return x @ self.w + self.b

        def backward(self, d, lr):
            dx = d @ self.w.T
            self.w = self.w - lr * (self.x.T @ d)
            self.b = self.b - lr * bias(d, bug)
            return dx

    class Net:
        def __init__(self):
            self.layers = [Dense(W, B), Dense(W2, B2)]

        def forward(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def backward(self, grad, lr):
            for layer in reversed(self.layers):
                grad = layer.backward(grad, lr)
            return grad

    return Net(), (5, 3)


@form("w1", "b1", "w2", "b2")
def a_net_with_the_loss_in_backward_and_no_dx(bug):
    class Net:
        def __init__(self):
            self.w1, self.b1, self.w2, self.b2 = W.copy(), B.copy(), W2.copy(), B2.copy()

        def forward(self, x):
            self.x = x
            self.h = np.tanh(x @ self.w1 + self.b1)
            self.out = self.h @ self.w2 + self.b2
            return self.out

        def loss(self, x, y):
            return 0.5 * np.sum((self.forward(x) - y) ** 2)

        def backward(self, x, y):
            self.forward(x)
            d = self.out - y
            self.dw2, self.db2 = self.h.T @ d, bias(d, bug)
            d = d @ self.w2.T * (1 - self.h**2)
            self.dw1, self.db1 = x.T @ d, bias(d, bug)

    return Net(), X, Y2


@form("W", "b")
def a_net_that_returns_cost_and_gradients(bug):
    class Net:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def cost_and_gradients(self, X, Y):
            d = X @ self.W + self.b - Y
            return 0.5 * np.sum(d**2), self.gradients(X, d)

        def gradients(self, X, d):
            return {"dW": X.T @ d, "db": bias(d, bug)}

    net = Net()
    return net.cost_and_gradients, X, Y


# Functions


def relu_affine(x, params):
    z = x @ params["W"] + params["b"]
    return np.where(z.real > 0, z, 0), (x, z, params)


@form("params.W", "params.b")
def functions_with_a_dictionary_of_parameters(bug):
    def net_forward(x, params):
        return relu_affine(x, params)

    def net_backward(dout, cache):
        x, z, params = cache
        dz = dout * (z > 0)
        return {"W": x.T @ dz, "b": bias(dz, bug), "x": dz @ params["W"].T}

    return adapt(net_forward, net_backward, {"W": W, "b": B}), (5, 3)


@form("W1", "b1", "W2", "b2")
def functions_of_a_net_with_gradients_by_name(bug):
    def forward(x, W1, b1, W2, b2):
        h = np.tanh(x @ W1 + b1)
        return h @ W2 + b2, (x, h, W1, W2)

    def backward(dout, cache):
        x, h, W1, W2 = cache
        grads = {"W2": h.T @ dout, "b2": bias(dout, bug)}
        dh = dout @ W2.T * (1 - h**2)
        grads["W1"], grads["b1"] = x.T @ dh, bias(dh, bug)
        return dh @ W1.T, grads

    return adapt(forward, backward, {"W1": W, "b1": B, "W2": W2, "b2": B2}), (5, 3)


@form("w", "b")
def functions_with_the_gradients_first(bug):
    def fc_forward(x, w, b):
        return x @ w + b, (x, w, b)

    def fc_backward(dout, cache):
        x, w, _b = cache
        return (x.T @ dout, bias(dout, bug)), dout @ w.T

    return adapt(fc_forward, fc_backward, {"w": W, "b": B}), (5, 3)


@form("w", "b")
def functions_without_a_cache(bug):
    def linear(x, w, b):
        return x @ w + b

    def linear_backward(grad_out, x, w, b):
        return grad_out @ w.T, x.T @ grad_out, bias(grad_out, bug)

    return adapt(linear, linear_backward, {"w": W, "b": B}), (5, 3)


@form("w", "b")
def a_function_that_returns_its_backward(bug):
    def linear(x, w, b):
        def backward(dout):
            return dout @ w.T, x.T @ dout, bias(dout, bug)

        return x @ w + b, backward

    return adapt(linear, parameters={"w": W, "b": B}), (5, 3)


@form("parameters.W", "parameters.b")
def closures_over_the_parameters(bug):
    parameters, gradients, memory = {"W": W.copy(), "b": B.copy()}, {}, {}

    def forward(x):
        memory["x"] = x
        return x @ parameters["W"] + parameters["b"]

    def backward(d):
        gradients["W"], gradients["b"] = memory["x"].T @ d, bias(d, bug)
        return d @ parameters["W"].T

    return (forward, backward), (5, 3)


@form("W", "b")
def a_course_with_columns(bug):
    def linear_forward(A, W, b):
        return W @ A + b, (A, W, b)

    def linear_backward(dZ, cache):
        A_prev, W, _b = cache
        m = A_prev.shape[1]
        return W.T @ dZ, dZ @ A_prev.T / m, dZ.sum(axis=1, keepdims=True) / (m if not bug else 1)

    return adapt(linear_forward, linear_backward, {"W": W.T, "b": B[:, None]}), (3, 6)


@form("parameters.W1", "parameters.b1", "parameters.W2", "parameters.b2")
def a_course_with_columns_as_a_class(bug):
    class Network:
        def __init__(self):
            self.parameters = {"W1": W.T.copy(), "b1": B[:, None], "W2": W2.T.copy(), "b2": B2[:, None]}

        def forward_propagation(self, X):
            p = self.parameters
            A1 = np.tanh(p["W1"] @ X + p["b1"])
            self.cache = {"A0": X, "A1": A1}
            return p["W2"] @ A1 + p["b2"]

        def backward_propagation(self, dZ2):
            m, p = dZ2.shape[1], self.parameters
            dZ1 = p["W2"].T @ dZ2 * (1 - self.cache["A1"] ** 2)
            self.grads = {
                "dW2": dZ2 @ self.cache["A1"].T / m, "db2": dZ2.sum(axis=1, keepdims=True) / m,
                "dW1": dZ1 @ self.cache["A0"].T / m, "db1": dZ1.sum(axis=1, keepdims=True) / (1 if bug else m),
            }  # fmt: skip
            return p["W1"].T @ dZ1

    return Network(), (3, 6)


@form("w", "b")
def methods_of_a_class_that_is_only_a_name(bug):
    class Affine:
        @staticmethod
        def forward(ctx, x, w, b):
            ctx["saved"] = x, w
            return x @ w + b

        @staticmethod
        def backward(ctx, grad_output):
            x, w = ctx["saved"]
            return grad_output @ w.T, x.T @ grad_output, bias(grad_output, bug)

    ctx = {}
    return adapt(Affine, parameters={"w": W, "b": B}, arguments={"ctx": ctx}), (5, 3)


# Nets with their loss, and forms that are rare


@form("W", "b")
def a_net_whose_loss_takes_the_prediction(bug):
    class Net:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def forward(self, X):
            self.X = X
            self.out = X @ self.W + self.b
            return self.out

        def compute_loss(self, y_hat, y):
            return 0.5 * np.sum((y_hat - y) ** 2)

        def backward(self, X, y, y_hat):
            self.dW, self.db = X.T @ (y_hat - y), bias(y_hat - y, bug)

    return Net(), X, Y


@form("W", "b")
def a_net_whose_gradient_is_a_tuple_without_names(bug):
    class Net:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def loss(self, X, y):
            return np.mean((X @ self.W + self.b - y) ** 2)

        def gradient(self, X, y):
            d = 2 * (X @ self.W + self.b - y) / y.size
            return X.T @ d, bias(d, bug)

    return Net(), X, Y


@form("W", "b")
def loss_and_gradients_in_one_tuple(bug):
    class Net:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def loss(self, X, y=None):
            d = X @ self.W + self.b - y
            return 0.5 * np.sum(d * d), X.T @ d, bias(d, bug)

    return Net(), X, Y


@form("layers.0.W", "layers.0.b", "layers.1.W", "layers.1.b")
def a_net_with_layers_and_the_loss(bug):
    class Dense:
        def __init__(self, w, b):
            self.W, self.b = w.copy(), b.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W + self.b

        def backward(self, d):
            self.dW, self.db = self.x.T @ d, bias(d, bug)
            return d @ self.W.T

    class Net:
        def __init__(self):
            self.layers = [Dense(W, B), Dense(W2, B2)]

        def forward(self, X):
            for layer in self.layers:
                X = layer.forward(X)
            return X

        def loss(self, X, y):
            self.y = self.forward(X)
            return 0.5 * np.sum((self.y - y) ** 2)

        def backward(self, X, y):
            d = self.y - y
            for layer in reversed(self.layers):
                d = layer.backward(d)

    return Net(), X, Y2


@form("p.W", "p.b")
def a_loss_of_outer_parameters(bug):
    p = {"W": W.copy(), "b": B.copy()}

    def loss(X, y):
        return 0.5 * np.sum((X @ p["W"] + p["b"] - y) ** 2)

    def gradient(X, y):
        d = X @ p["W"] + p["b"] - y
        return {"W": X.T @ d, "b": bias(d, bug)}

    return (loss, gradient), X, Y


@form("w", "b")
def numbers_as_parameters(bug):
    class Line:
        def __init__(self):
            self.w, self.b = 0.5, 0.1

        def forward(self, x):
            self.x = x
            return self.w * x + self.b

        def backward(self, d):
            self.dw, self.db = np.sum(self.x * d), np.mean(d) if bug else np.sum(d)
            return self.w * d

    return Line(), (5, 1)


@form("weights.0", "weights.1")
def an_array_of_arrays(bug):
    class Layer:
        def __init__(self):
            self.weights, self.dweights = np.empty(2, object), np.empty(2, object)
            self.weights[:] = [W.copy(), B.copy()]

        def forward(self, x):
            self.x = x
            return x @ self.weights[0] + self.weights[1]

        def backward(self, d):
            self.dweights[0], self.dweights[1] = self.x.T @ d, bias(d, bug)
            return d @ self.weights[0].T

    return Layer(), (5, 3)


@form("w", "b")
def lists_of_numbers(bug):
    class Layer:
        def __init__(self):
            self.w, self.b = W.tolist(), B.tolist()

        def forward(self, x):
            self.x = x
            return np.array(
                [[sum(v * w[j] for v, w in zip(row, self.w, strict=True)) + self.b[j] for j in range(4)] for row in x]
            )

        def backward(self, d):
            self.dw, self.db = (self.x.T @ d).tolist(), bias(d, bug).tolist()
            return d @ np.array(self.w).T

    return Layer(), (5, 3)


@form("W", "b")
def a_layer_that_returns_its_backward(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def __call__(self, X):
            def backprop(dY):
                self.d_W, self.d_b = X.T @ dY, bias(dY, bug)
                return dY @ self.W.T

            return X @ self.W + self.b, backprop

    return Layer(), (5, 3)


@form("W", "b")
def a_layer_with_a_vjp(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def __call__(self, x):
            self.x = x
            return x @ self.W + self.b

        def vjp(self, g):
            self.W_bar, self.b_bar = self.x.T @ g, bias(g, bug)
            return g @ self.W.T

    return Layer(), (5, 3)


@form("n.W", "n.b")
def functions_around_an_object(bug):
    class Net:
        def __init__(self):
            self.W, self.b = W.copy(), B.copy()

        def run(self, x):
            self.x = x
            return x @ self.W + self.b

        def back(self, d):
            self.dW, self.db = self.x.T @ d, bias(d, bug)
            return d @ self.W.T

    n = Net()
    return (lambda x: n.run(x), lambda d: n.back(d)), (5, 3)


@form("W", "b")
def two_methods_of_an_object(bug):
    (run, _), x = functions_around_an_object(bug)
    n = run.__closure__[0].cell_contents
    return (n.run, n.back), x


@form("W", "b")
def functions_on_variables_of_their_module(bug):
    module = {"W": W.copy(), "b": B.copy(), "bug": bug, "bias": bias, "__name__": "notebook"}
    source = """
def affine(x):
    return x @ W + b

def forward(x):
    global last
    last = x
    return affine(x)

def backward(d):
    global dW, db
    dW, db = last.T @ d, bias(d, bug)
    return d @ W.T
"""
    exec(source, module)
    before = {name: id(value) for name, value in module.items() if name != "__builtins__"}
    MODULES.append((module, before))
    return (module["forward"], module["backward"]), (5, 3)


MODULES: list = []


# One example, frameworks


@form("W", "b")
def one_vector(bug):
    class Layer:
        def __init__(self):
            self.W, self.b = W.T.copy(), B.copy()

        def forward(self, x):
            self.x = x
            return self.W @ x + self.b

        def backward(self, d):
            self.dW, self.db = np.outer(d, self.x), d / (3 if bug else 1)
            return self.W.T @ d

    return Layer(), (3,)


@form("filters", "bias")
def one_picture_through_a_convolution(bug):
    class Conv3x3:
        def __init__(self):
            self.filters, self.bias = np.random.default_rng(0).normal(size=(2, 3, 3)) / 9, B2.copy()

        def forward(self, image):
            self.last_input = image
            h, w = image.shape
            out = np.zeros((h - 2, w - 2, 2), image.dtype)
            for i in range(h - 2):
                for j in range(w - 2):
                    out[i, j] = (image[i : i + 3, j : j + 3] * self.filters).sum(axis=(1, 2)) + self.bias
            return out

        def backward(self, d_out):
            d_image, self.d_filters = np.zeros_like(self.last_input), np.zeros_like(self.filters)
            self.d_bias = bias(d_out.reshape(-1, 2), bug)
            h, w, _ = d_out.shape
            for i in range(h):
                for j in range(w):
                    self.d_filters += d_out[i, j][:, None, None] * self.last_input[i : i + 3, j : j + 3]
                    d_image[i : i + 3, j : j + 3] += (d_out[i, j][:, None, None] * self.filters).sum(axis=0)
            return d_image

    return Conv3x3(), (6, 7)


@form("linear.weight", "linear.bias", "shift")
def a_module_of_pytorch_with_a_function(bug):
    torch = pytest.importorskip("torch", reason="needs PyTorch")

    class Shift(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, b):
            return x + b

        @staticmethod
        def backward(ctx, g):
            return g, g.mean(0) if bug else g.sum(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.shift = torch.nn.Linear(3, 4), torch.nn.Parameter(torch.ones(4))

        def forward(self, x):
            return Shift.apply(torch.tanh(self.linear(x)), self.shift)

    return Net(), (5, 3)


@form("w", "b")
def a_function_of_jax(bug):
    jax = pytest.importorskip("jax", reason="needs JAX")

    @jax.custom_vjp
    def affine(x, w, b):
        return x @ w + b

    def backward(saved, g):
        x, w = saved
        return g @ w.T, x.T @ g, bias(g, bug)

    affine.defvjp(lambda x, w, b: (x @ w + b, (x, w)), backward)
    return adapt(affine, parameters={"w": W, "b": B}), (5, 3)


@pytest.mark.parametrize("name", FORMS)
def test_parameters_are_seen_and_right_passes_and_wrong_fails(name):
    make, names = FORMS[name]
    right, wrong = (check(*make(bug)) for bug in (False, True))
    assert right.verdict == "pass", right
    assert set(right.tensors) - {"x"} == {short(name) for name in names}, right
    assert wrong.verdict == "fail", wrong
    assert set(wrong.tensors) == set(right.tensors)


def test_the_variables_of_a_module_are_not_changed():
    check(*functions_on_variables_of_their_module(False))
    module, before = MODULES[-1]
    assert {name: id(value) for name, value in module.items() if name != "__builtins__"} == before
    np.testing.assert_array_equal(module["W"], W)


def test_a_net_whose_loss_is_not_known_is_asked_for_it():
    class Net:
        def forward(self, X):
            return X @ W

        def backward(self, y):
            return None

    with pytest.raises(ValueError, match=r"Net has forward\(x\), and no loss of which backward is the gradient"):
        check(Net(), X, Y)


def short(name):
    return name.removesuffix(".value")
