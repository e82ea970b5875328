"""Layers and losses that the package has not, each one right, for the catalogue to break."""

from __future__ import annotations

import math

import numpy as np

from minitorch_np import Layer, Loss, Model, sigmoid
from minitorch_np.layers import Dense


class Tanh(Layer):
    """y = tanh(x)."""

    def forward(self, x):
        y = np.tanh(x)
        self.cache = y
        return y

    def backward(self, dy):
        y = self.cache
        return dy * (1 - y * y)


class Softplus(Layer):
    """y = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))."""

    def forward(self, x):
        self.cache = x
        return np.maximum(x, 0) + np.log1p(np.exp(-np.maximum(x, -x)))

    def backward(self, dy):
        return dy * sigmoid(self.cache)


class LeakyReLU(Layer):
    """y = x where x > 0, slope x elsewhere."""

    def __init__(self, slope=0.1):
        self.slope = slope

    def forward(self, x):
        self.cache = x
        return np.where(x.real > 0, x, self.slope * x)

    def backward(self, dy):
        return np.where(self.cache > 0, dy, self.slope * dy)


class ELU(Layer):
    """y = x where x > 0, alpha (exp(x) - 1) elsewhere."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def forward(self, x):
        y = np.where(x.real > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        self.cache = x, y
        return y

    def backward(self, dy):
        x, y = self.cache
        return np.where(x > 0, dy, dy * (y + self.alpha))


class GELU(Layer):
    """y = x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3)."""

    rate = math.sqrt(2 / math.pi)

    def forward(self, x):
        bend = np.tanh(self.rate * (x + 0.044715 * x * x * x))
        self.cache = x, bend
        return 0.5 * x * (1 + bend)

    def backward(self, dy):
        x, bend = self.cache
        inner = self.rate * (1 + 3 * 0.044715 * x * x)
        return dy * 0.5 * (1 + bend + x * (1 - bend * bend) * inner)


class Softmax(Layer):
    """y_k = exp(x_k) / sum_j exp(x_j) over the last axis."""

    def forward(self, x):
        power = np.exp(x - x.real.max(axis=-1, keepdims=True))
        y = power / power.sum(axis=-1, keepdims=True)
        self.cache = y
        return y

    def backward(self, dy):
        y = self.cache
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


class ScaleShift(Layer):
    """y = gamma x + beta, one gamma and beta for each feature."""

    def __init__(self, gamma_initializer="ones"):
        self.gamma_initializer = gamma_initializer

    def build(self, input_shape):
        self.gamma = self.add_parameter(input_shape[-1:], self.gamma_initializer)
        self.beta = self.add_parameter(input_shape[-1:], "zeros")

    def forward(self, x):
        self.cache = x
        return x * self.gamma.value + self.beta.value

    def backward(self, dy):
        x = self.cache
        batch = tuple(range(dy.ndim - 1))
        self.gamma.grad = (dy * x).sum(axis=batch)
        self.beta.grad = dy.sum(axis=batch)
        return dy * self.gamma.value


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per feature over all other axes.

    While training, mean and variance are the batch's, and the running ones follow; otherwise they are the running ones.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, gamma_initializer="ones"):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma_initializer = gamma_initializer

    def build(self, input_shape):
        features = input_shape[-1:]
        self.gamma = self.add_parameter(features, self.gamma_initializer)
        self.beta = self.add_parameter(features, "zeros")
        self.running_mean = self.add_parameter(features, "zeros", trainable=False)
        self.running_variance = self.add_parameter(features, "ones", trainable=False)

    def forward(self, x):
        mean, variance = self.running_mean.value, self.running_variance.value
        if self.training:
            axes = tuple(range(x.ndim - 1))
            mean = x.mean(axis=axes)
            variance = ((x - mean) * (x - mean)).mean(axis=axes)
            self._follow(self.running_mean, mean)
            self._follow(self.running_variance, variance)
        spread = np.sqrt(variance + self.epsilon)
        normal = (x - mean) / spread
        self.cache = normal, spread
        return self.gamma.value * normal + self.beta.value

    def backward(self, dy):
        normal, spread = self.cache
        axes = tuple(range(dy.ndim - 1))
        self.gamma.grad = (dy * normal).sum(axis=axes)
        self.beta.grad = dy.sum(axis=axes)
        dnormal = dy * self.gamma.value
        if self.training:
            dnormal = dnormal - dnormal.mean(axis=axes) - normal * (dnormal * normal).mean(axis=axes)
        return dnormal / spread

    def _follow(self, running, statistic):
        running.value = self.momentum * running.value + (1 - self.momentum) * statistic.real


class LayerNorm(Layer):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with each example's statistics over the last axis."""

    def __init__(self, epsilon=1e-5, gamma_initializer="ones"):
        self.epsilon = epsilon
        self.gamma_initializer = gamma_initializer

    def build(self, input_shape):
        self.gamma = self.add_parameter(input_shape[-1:], self.gamma_initializer)
        self.beta = self.add_parameter(input_shape[-1:], "zeros")

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self.epsilon)
        normal = centred / spread
        self.cache = normal, spread
        return self.gamma.value * normal + self.beta.value

    def backward(self, dy):
        normal, spread = self.cache
        batch = tuple(range(dy.ndim - 1))
        self.gamma.grad = (dy * normal).sum(axis=batch)
        self.beta.grad = dy.sum(axis=batch)
        dnormal = dy * self.gamma.value
        mean = dnormal.mean(axis=-1, keepdims=True)
        return (dnormal - mean - normal * (dnormal * normal).mean(axis=-1, keepdims=True)) / spread


class Dropout(Layer):
    """While training y = x mask / (1 - rate), where the mask is 0 with probability rate; otherwise y = x."""

    def __init__(self, rate=0.4):
        self.rate = rate

    def draw(self, x):
        """The factor by which each element is multiplied."""
        return (self.generator.random(x.shape) >= self.rate).astype(x.real.dtype) / (1 - self.rate)

    def forward(self, x):
        factor = self.draw(x) if self.training else np.ones_like(x.real)
        self.cache = factor
        return x * factor

    def backward(self, dy):
        return dy * self.cache


class GaussianDropout(Dropout):
    """While training y = x (1 + rate n) with n standard normal; otherwise y = x."""

    def draw(self, x):
        return 1 + self.rate * self.generator.normal(size=x.shape).astype(x.real.dtype)


class RandomizedReLU(Layer):
    """y = x where x > 0, slope x elsewhere; while training the slopes are drawn between 1/8 and 1/3."""

    def forward(self, x):
        shape, dtype = x.shape, x.real.dtype
        slope = (
            self.generator.uniform(1 / 8, 1 / 3, shape).astype(dtype) if self.training else np.full(shape, 0.2, dtype)
        )
        factor = np.where(x.real > 0, np.ones_like(slope), slope)
        self.cache = factor
        return x * factor

    def backward(self, dy):
        return dy * self.cache


class CumulativeSum(Layer):
    """y_t = x_1 + ... + x_t along axis 1."""

    def forward(self, x):
        return np.cumsum(x, axis=1)

    def backward(self, dy):
        return np.flip(np.cumsum(np.flip(dy, 1), axis=1), 1)


class Conv2D(Layer):
    """y = the correlation of x with a kernel, plus bias; `padding` zeros are put around x.

    Shapes: x (batch, height, width, channels), kernel (size, size, channels, filters), bias (filters,).
    """

    def __init__(self, filters, size=2, padding=0):
        self.filters = filters
        self.size = size
        self.padding = padding

    def build(self, input_shape):
        self.kernel = self.add_parameter((self.size, self.size, input_shape[-1], self.filters), "glorot_uniform")
        self.bias = self.add_parameter((self.filters,), "zeros")

    def windows(self, x):
        """For each place of the kernel its index, and the part of x (or of dx) that it meets."""
        height, width = (length - self.size + 1 for length in x.shape[1:3])
        for i, j in np.ndindex(self.size, self.size):
            yield (i, j), x[:, i : i + height, j : j + width]

    def pad(self, x):
        around = (self.padding, self.padding)
        return np.pad(x, ((0, 0), around, around, (0, 0)))

    def crop(self, x):
        end = -self.padding or None
        return x[:, self.padding : end, self.padding : end]

    def forward(self, x):
        x = self.pad(x)
        self.cache = x
        return sum(window @ self.kernel.value[place] for place, window in self.windows(x)) + self.bias.value

    def backward(self, dy):
        x = self.cache
        dx = np.zeros_like(x)
        self.kernel.grad = np.empty_like(self.kernel.value)
        for place, window in self.windows(x):
            self.kernel.grad[place] = np.tensordot(window, dy, ((0, 1, 2), (0, 1, 2)))
        for place, window in self.windows(dx):
            window += dy @ self.kernel.value[place].T
        self.bias.grad = dy.sum(axis=(0, 1, 2))
        return self.crop(dx)


class MaxPool2D(Layer):
    """y = the largest x in each 2 x 2 window; x (batch, height, width, channels) of even height and width."""

    def forward(self, x):
        windows = split(x)
        chosen = windows.real.argmax(axis=-1)[..., None]
        self.cache = chosen, x.shape
        return np.take_along_axis(windows, chosen, axis=-1)[..., 0]

    def backward(self, dy):
        chosen, shape = self.cache
        dwindows = np.zeros((*dy.shape, 4), dy.dtype)
        np.put_along_axis(dwindows, chosen, dy[..., None], axis=-1)
        return join(dwindows, shape)


class AveragePool2D(Layer):
    """y = the mean of x in each 2 x 2 window; x (batch, height, width, channels) of even height and width."""

    def forward(self, x):
        return split(x).mean(axis=-1)

    def backward(self, dy):
        return dy.repeat(2, axis=1).repeat(2, axis=2) / 4


def split(x):
    """(batch, height, width, channels) -> (batch, height / 2, width / 2, channels, 4): the 2 x 2 windows."""
    batch, height, width, channels = x.shape
    windows = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return windows.transpose(0, 1, 3, 5, 2, 4).reshape(batch, height // 2, width // 2, channels, 4)


def join(windows, shape):
    """The inverse of split."""
    batch, height, width, channels = shape
    windows = windows.reshape(batch, height // 2, width // 2, channels, 2, 2)
    return windows.transpose(0, 1, 4, 2, 5, 3).reshape(shape)


class SimpleRNN(Layer):
    """h_t = tanh(x_t kernel + h_{t-1} recurrent + bias) from h_0 = 0; y is every h_t.

    Shapes: x (batch, time, features) -> y (batch, time, units).
    """

    def __init__(self, units):
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_parameter((input_shape[-1], self.units))
        self.recurrent = self.add_parameter((self.units, self.units))
        self.bias = self.add_parameter((self.units,), "zeros")

    def forward(self, x):
        states = [np.zeros((len(x), self.units), x.dtype)]
        for t in range(x.shape[1]):
            sums = x[:, t] @ self.kernel.value + states[-1] @ self.recurrent.value + self.bias.value
            states.append(np.tanh(sums))
        self.cache = x, np.stack(states, axis=1)
        return np.stack(states[1:], axis=1)

    def backward(self, dy):
        x, states = self.cache
        before, y = states[:, :-1], states[:, 1:]
        dsums = np.zeros_like(dy)
        through = np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            dsums[:, t] = (dy[:, t] + through) * (1 - y[:, t] * y[:, t])
            through = dsums[:, t] @ self.recurrent.value.T
        self.kernel.grad = np.tensordot(x, dsums, ((0, 1), (0, 1)))
        self.recurrent.grad = np.tensordot(before, dsums, ((0, 1), (0, 1)))
        self.bias.grad = dsums.sum(axis=(0, 1))
        return dsums @ self.kernel.value.T


class DotProductAttention(Layer):
    """y = softmax(q k^T / sqrt(units)) v with q, k, v = x query, x key, x value.

    Shapes: x (batch, time, features) -> y (batch, time, units).
    """

    def __init__(self, units):
        self.units = units

    def build(self, input_shape):
        shape = (input_shape[-1], self.units)
        self.query, self.key, self.value = (self.add_parameter(shape) for _ in range(3))

    def forward(self, x):
        q, k, v = x @ self.query.value, x @ self.key.value, x @ self.value.value
        scores = q @ k.swapaxes(1, 2) / math.sqrt(self.units)
        power = np.exp(scores - scores.real.max(axis=-1, keepdims=True))
        weights = power / power.sum(axis=-1, keepdims=True)
        self.cache = x, q, k, v, weights
        return weights @ v

    def dscores(self, dy):
        """dL/d(q k^T)."""
        *_, v, weights = self.cache
        dweights = dy @ v.swapaxes(1, 2)
        return weights * (dweights - (dweights * weights).sum(axis=-1, keepdims=True)) / math.sqrt(self.units)

    def projections(self, dy):
        """dL/dq, dL/dk, dL/dv."""
        _, q, k, _, weights = self.cache
        dscores = self.dscores(dy)
        return dscores @ k, dscores.swapaxes(1, 2) @ q, weights.swapaxes(1, 2) @ dy

    def backward(self, dy):
        x = self.cache[0]
        dx = np.zeros_like(x)
        for parameter, gradient in zip((self.query, self.key, self.value), self.projections(dy), strict=True):
            parameter.grad = np.tensordot(x, gradient, ((0, 1), (0, 1)))
            dx += gradient @ parameter.value.T
        return dx


class Residual(Layer):
    """y = x + branch(x), where the branch keeps the shape of x: a layer, or a Dense of so many units."""

    def __init__(self, inner):
        self.inner = inner
        self.branch = Dense(inner) if isinstance(inner, int) else inner

    def build(self, input_shape):
        self.branch.ensure_built(input_shape)

    def forward(self, x):
        return x + self.branch.forward(x)

    def backward(self, dy):
        return dy + self.branch.backward(dy)


class TwoBranches(Model):
    """y = left(x) right(x), two Dense layers whose outputs are multiplied."""

    def __init__(self, units, rng=0, dtype="float64"):
        super().__init__(rng, dtype)
        self.units = units
        self.left, self.right = Dense(units), Dense(units)

    def build(self, input_shape):
        self.left.ensure_built(input_shape)
        self.right.ensure_built(input_shape)

    def forward(self, x):
        left, right = self.left.forward(x), self.right.forward(x)
        self.cache = left, right
        return left * right

    def backward(self, dy):
        left, right = self.cache
        return self.left.backward(dy * right) + self.right.backward(dy * left)


class HuberLoss(Loss):
    """L = mean of d^2 / 2 where |d| <= delta and delta (|d| - delta / 2) elsewhere, with d = prediction - target."""

    def __init__(self, delta=0.8):
        self.delta = delta

    def forward(self, prediction, target):
        target = self._matched(prediction, target)
        difference = prediction - target
        size = np.maximum(difference, -difference)
        self.cache = difference
        square, straight = difference * difference / 2, self.delta * (size - self.delta / 2)
        return np.where(size.real <= self.delta, square, straight).mean()

    def backward(self):
        difference = self.cache
        return np.clip(difference, -self.delta, self.delta) / difference.size


class HingeLoss(Loss):
    """L = mean of max(0, 1 - t p) for targets t of -1 and 1."""

    def forward(self, prediction, target):
        target = self._matched(prediction, target)
        self.cache = prediction, target
        return np.maximum(1 - target * prediction, 0).mean()

    def backward(self):
        prediction, target = self.cache
        return np.where(target * prediction < 1, -target, np.zeros_like(target)) / prediction.size


class Scaled(Layer):
    """y = factor target(x): the same layer with gradients of another size."""

    def __init__(self, target, factor):
        self.target = target
        self.factor = factor

    def build(self, input_shape):
        self.target.ensure_built(input_shape)

    def forward(self, x):
        return self.target.forward(x) * self.factor

    def backward(self, dy):
        return self.target.backward(dy * self.factor)


class ScaledLoss(Loss):
    """L = factor target(prediction, target): the same loss with gradients of another size."""

    def __init__(self, loss, factor):
        self.loss = loss
        self.factor = factor

    def forward(self, prediction, target):
        return self.loss.forward(prediction, target) * self.factor

    def backward(self):
        return self.loss.backward() * self.factor


def scaled(target, factor):
    """The layer or loss times factor; itself where that is 1."""
    if factor == 1:
        return target
    return ScaledLoss(target, factor) if isinstance(target, Loss) else Scaled(target, factor)


def scattered(shape, rng):
    """An initializer for gamma: different from feature to feature, and away from 0."""
    return rng.uniform(0.5, 2, shape) * rng.choice([-1.0, 1.0], shape)
