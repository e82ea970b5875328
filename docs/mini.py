"""The whole idea on one page: layers, a loss, an optimiser, the training loop and a gradient check, in plain NumPy.

Read it after docs/from_functions_to_layers.md, from top to bottom. `python docs/mini.py` checks the gradients of a small network
and trains it. Each class names its counterpart in the package, which has more checks, more options and more speed. With the same
first weights and the same order of examples, both give the same losses; tests/test_mini.py compares them.

Throughout, L is the loss, dy means dL/dy and dx means dL/dx. One row of x is one example.
"""

import numpy as np


class Parameter:
    """An array that is learnt, and the gradient of the loss with respect to it. In the package: base/parameter.py."""

    def __init__(self, value):
        self.value = value
        self.grad = None


class Layer:
    """A function of x that knows its derivative: forward(x) -> y and backward(dy) -> dx. In the package: layer.py."""

    def forward(self, x):
        """Compute y, and keep what backward needs."""
        raise NotImplementedError

    def backward(self, dy):
        """Set the gradient of each parameter, and return dx. Call it after forward."""
        raise NotImplementedError

    def parameters(self):
        """The attributes of this layer that are parameters."""
        return [value for value in vars(self).values() if isinstance(value, Parameter)]


class Dense(Layer):
    """y = x @ kernel + bias, for x of shape (batch, inputs) and y of shape (batch, units). In the package: layers/dense.py."""

    def __init__(self, inputs, units, rng):
        limit = np.sqrt(6 / (inputs + units))  # Glorot & Bengio 2010, equation 16
        self.kernel = Parameter(rng.uniform(-limit, limit, (inputs, units)))
        self.bias = Parameter(np.zeros(units))

    def forward(self, x):
        self.x = x
        return x @ self.kernel.value + self.bias.value

    def backward(self, dy):
        self.kernel.grad = self.x.T @ dy
        self.bias.grad = dy.sum(axis=0)
        return dy @ self.kernel.value.T


class ReLU(Layer):
    """y = max(x, 0). In the package: layers/rectifiers.py."""

    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * (self.x > 0)


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)). In the package: layers/activations.py."""

    def forward(self, x):
        z = np.exp(-np.abs(x))  # at most 1, so nothing overflows
        self.y = np.where(x >= 0, 1, z) / (1 + z)  # for x < 0 this is exp(x) / (1 + exp(x)), the same number
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


class Sequential(Layer):
    """A list of layers; each one takes the output of the layer before it. In the package: sequential.py."""

    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer.parameters()]


class BCELoss:
    """L = mean of -(t log p + (1 - t) log(1 - p)), p the prediction and t the target. In the package: losses/binary.py."""

    def forward(self, p, t):
        self.p, self.t = p, t
        with np.errstate(divide="ignore"):  # log(0) is -inf, which NumPy warns of; the maximum replaces it by -100
            log_p, log_not_p = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
        return -(t * log_p + (1 - t) * log_not_p).mean()

    def backward(self):
        """dL/dp = (p - t) / (p (1 - p) size). Only the loss divides by size, because it takes the mean; the layers sum."""
        return (self.p - self.t) / (np.maximum(self.p * (1 - self.p), 1e-12) * self.p.size)


class SGD:
    """velocity = momentum * velocity + grad; value = value - learning_rate * velocity. In the package: optimizers/sgd.py."""

    def __init__(self, parameters, learning_rate, momentum=0.0):
        self.parameters, self.learning_rate, self.momentum = parameters, learning_rate, momentum
        self.velocities = [np.zeros_like(parameter.value) for parameter in parameters]

    def step(self):
        for parameter, velocity in zip(self.parameters, self.velocities, strict=True):
            velocity *= self.momentum
            velocity += parameter.grad
            parameter.value -= self.learning_rate * velocity


def fit(model, loss, optimizer, x, t, epochs, batch_size, rng):
    """Train, and return the mean loss of each epoch. In the package: training/loop.py."""
    history = []
    for _ in range(epochs):
        order = rng.permutation(len(x))  # each epoch shuffles the examples
        total = 0.0
        for start in range(0, len(x), batch_size):
            rows = order[start : start + batch_size]
            batch_loss = loss.forward(model.forward(x[rows]), t[rows])
            model.backward(loss.backward())
            optimizer.step()
            total += batch_loss * len(rows)  # the last batch may be smaller, and then counts less
        history.append(total / len(x))
    return history


def gradient_check(model, loss, x, t, h=1e-5):
    """The largest difference between a gradient of backward and (L(value + h) - L(value - h)) / 2h. In the package: checking/."""
    loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    worst = 0.0
    for parameter in model.parameters():
        for place in np.ndindex(parameter.value.shape):
            value = parameter.value[place]
            parameter.value[place] = value + h
            above = loss.forward(model.forward(x), t)
            parameter.value[place] = value - h
            below = loss.forward(model.forward(x), t)
            parameter.value[place] = value
            worst = max(worst, abs((above - below) / (2 * h) - parameter.grad[place]))
    return worst


if __name__ == "__main__":
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (200, 2))
    t = (x[:, [0]] * x[:, [1]] > 0).astype(float)  # (200, 1): 1 where both numbers have the same sign, else 0

    model = Sequential([Dense(2, 16, rng), ReLU(), Dense(16, 1, rng), Sigmoid()])
    print(f"largest error of a gradient: {gradient_check(model, BCELoss(), x, t):.1e}")

    optimizer = SGD(model.parameters(), learning_rate=0.1, momentum=0.9)
    history = fit(model, BCELoss(), optimizer, x, t, epochs=100, batch_size=20, rng=rng)
    for epoch in (1, 10, 100):
        print(f"epoch {epoch:3}: loss {history[epoch - 1]:.4f}")
    print(f"right answers: {np.mean((model.forward(x) > 0.5) == t):.1%}")
