"""Composites: several paths from one array to the output."""

import numpy as np

from .base import UserLayer, features, normal, positive, sigmoid, square


class Highway(UserLayer):
    """y = h t + x (1 - t), h = relu(x W), t = sigmoid(x T + b)."""

    weights = {"W": (square, normal), "T": (square, normal), "b": (features, lambda s, rng: np.full(s, -1.0))}
    bugs = {
        "carry missing": "the direct path x (1 - t) is missing in dx",
        "gate from h only": "the gate's gradient is dy * h, where dy * (h - x) is due: the carry's part of the product rule is missing",
        "gate without sigmoid'": "the derivative of the gate's sigmoid is missing",
        "T from dy": "T.grad is x.T @ dy, where dy should first have gone through the gate",
        "relu mask missing": "the derivative of the relu is missing",
    }

    def forward(self, x):
        a = x @ self.W.value
        h, t = np.where(a.real > 0, a, 0 * a), sigmoid(x @ self.T.value + self.b.value)
        self.cache = x, a, h, t
        return h * t + x * (1 - t)

    def backward(self, dy):
        (x, a, h, t), bug = self.cache, self.bug
        da = dy * t if bug == "relu mask missing" else dy * t * (a > 0)
        dt = dy * (h if bug == "gate from h only" else h - x)
        if bug != "gate without sigmoid'":
            dt = dt * t * (1 - t)
        self.W.grad, self.b.grad = x.T @ da, dt.sum(0)
        self.T.grad = x.T @ (dy if bug == "T from dy" else dt)
        dx = da @ self.W.value.T + dt @ self.T.value.T
        return dx if bug == "carry missing" else dx + dy * (1 - t)


class RBF(UserLayer):
    """y[n, k] = exp(-g_k |x_n - c_k|^2)."""

    shape = (6, 3)
    weights = {"c": (lambda s: (4, s[-1]), normal), "g": ((4,), positive)}
    bugs = {
        "factor 2": "the 2 of the square's derivative is missing, in dx and in c.grad",
        "centre sign": "c.grad has the wrong sign",
        "g without distance": "g.grad is the sum of dy * y, where dy * y * distance^2 is due",
        "gamma missing in dx": "the factor g is missing in dx and in c.grad",
        "exp missing": "the derivative of exp, y itself, is missing everywhere",
    }

    def forward(self, x):
        d = x[:, None] - self.c.value
        distance = (d * d).sum(-1)
        y = np.exp(-self.g.value * distance)
        self.cache = d, distance, y
        return y

    def backward(self, dy):
        (d, distance, y), bug = self.cache, self.bug
        e = dy if bug == "exp missing" else dy * y
        self.g.grad = -(e if bug == "g without distance" else e * distance).sum(0)
        if bug != "gamma missing in dx":
            e = e * self.g.value
        f = e[..., None] * d * (1 if bug == "factor 2" else 2)
        self.c.grad = -f.sum(0) if bug == "centre sign" else f.sum(0)
        return -f.sum(1)


class TiedAutoencoder(UserLayer):
    """y = tanh(x W) W.T: the same W twice."""

    weights = {"W": (lambda s: (s[-1], 3), normal)}
    bugs = {
        "only the encoder use": "W.grad counts the first use of W alone",
        "only the decoder use": "W.grad counts the second use of W alone",
        "decoder not transposed": "the second use's part of W.grad is x.T @ h, where dy.T @ h is due",
        "tanh' missing": "the derivative of tanh is missing",
    }

    def forward(self, x):
        h = np.tanh(x @ self.W.value)
        self.cache = x, h
        return h @ self.W.value.T

    def backward(self, dy):
        (x, h), bug = self.cache, self.bug
        da = dy @ self.W.value
        if bug != "tanh' missing":
            da = da * (1 - h * h)
        encoder, decoder = x.T @ da, (x if bug == "decoder not transposed" else dy).T @ h
        self.W.grad = {"only the encoder use": encoder, "only the decoder use": decoder}.get(bug, encoder + decoder)
        return da @ self.W.value.T


CLASSES = [Highway, RBF, TiedAutoencoder]
