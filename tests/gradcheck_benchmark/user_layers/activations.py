"""Activations: element by element, or in two halves."""

import numpy as np

from .base import UserLayer, sigmoid


class SELU(UserLayer):
    """y = L x where x > 0, L A (exp(x) - 1) elsewhere."""

    shape = (6, 5)
    L, A = 1.0507, 1.67326
    bugs = {
        "lambda forgotten on the right": "the slope where x > 0 is 1, where it should be L",
        "alpha forgotten on the left": "the factor A is missing where x < 0",
        "y for y + la": "y, where the derivative for x < 0 is y + L A: a constant is missing",
        "slope at 0 side": "the slopes of the two sides are exchanged",
    }

    def forward(self, x):
        left = self.L * self.A * np.expm1(np.where(x.real > 0, 0 * x, x))
        y = np.where(x.real > 0, self.L * x, left)
        self.cache = x, y
        return y

    def backward(self, dy):
        (x, y), bug = self.cache, self.bug
        right, left = self.L, y + self.L * self.A
        if bug == "lambda forgotten on the right":
            right = 1
        if bug == "alpha forgotten on the left":
            left = left / self.A
        if bug == "y for y + la":
            left = y
        return dy * np.where(x < 0 if bug == "slope at 0 side" else x > 0, right, left)


class GLU(UserLayer):
    """Gated linear unit: x = a | b side by side, y = a sigmoid(b)."""

    shape = (5, 6)
    bugs = {
        "halves swapped": "the gradients of the two halves are put together in the wrong order",
        "no sigmoid derivative": "in the gate's half the derivative of the sigmoid is missing",
        "no a factor": "in the gate's half the factor a is missing",
        "gate half zero": "the gate's half gets no gradient at all",
        "value half missing gate": "in the value's half the factor sigmoid(b) is missing: it is dy itself",
    }

    def forward(self, x):
        a, b = np.split(x, 2, -1)
        s = sigmoid(b)
        self.cache = a, s
        return a * s

    def backward(self, dy):
        (a, s), bug = self.cache, self.bug
        da, db = dy * s, dy * a * s * (1 - s)
        if bug == "no sigmoid derivative":
            db = dy * a
        if bug == "no a factor":
            db = dy * s * (1 - s)
        if bug == "gate half zero":
            db = db * 0
        if bug == "value half missing gate":
            da = dy * 1
        return np.concatenate([db, da] if bug == "halves swapped" else [da, db], -1)


class Softsign(UserLayer):
    """y = x / (1 + |x|), with np.abs, which a complex step does not follow."""

    shape = (5, 3)
    bugs = {
        "not squared": "1 / (1 + |x|), where the derivative is 1 / (1 + |x|)^2",
        "sign kept": "the derivative is multiplied by sign(x): wrong for negative x",
        "1+x without abs": "1 / (1 + x)^2: the absolute value is forgotten, wrong for negative x",
        "1-y^2": "the derivative of tanh, 1 - y^2, instead of softsign's own",
    }

    def forward(self, x):
        self.cache = x
        return x / (1 + np.abs(x))

    def backward(self, dy):
        x = self.cache
        d = 1 + np.abs(x)
        if self.bug == "not squared":
            return dy / d
        if self.bug == "sign kept":
            return dy * np.sign(x) / d**2
        if self.bug == "1+x without abs":
            return dy / (1 + x) ** 2
        if self.bug == "1-y^2":
            return dy * (1 - (x / d) ** 2)
        return dy / d**2


class SignedSquare(UserLayer):
    """y = x |x|."""

    bugs = {"magnitude constant": "|x| is treated as a constant: half of the derivative 2 |x| is missing"}

    def forward(self, x):
        self.cache = x
        return x * np.abs(x)

    def backward(self, dy):
        return dy * np.abs(self.cache) * (1 if self.bug else 2)


CLASSES = [SELU, GLU, Softsign, SignedSquare]
