"""The catalogue: layers and losses with one planted bug each (WRONG), and right ones (RIGHT).

A change of one gradient is written as a function of the right one: `kernel=lambda right, layer, dy: right / len(dy)`;
the gradient that backward returns is called x. `slope` gives the wrong derivative of an activation from x and y. Other
bugs replace forward or backward.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minitorch_np import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    Dense,
    Flatten,
    Loss,
    MSELoss,
    ReLU,
    Rescaling,
    Sequential,
    Sigmoid,
    sigmoid,
)
from minitorch_np.base.functions import log_softmax

from .layers import (
    ELU,
    GELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    CumulativeSum,
    DotProductAttention,
    Dropout,
    GaussianDropout,
    HingeLoss,
    HuberLoss,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    RandomizedReLU,
    Residual,
    ScaleShift,
    SimpleRNN,
    Softmax,
    Softplus,
    Tanh,
    TwoBranches,
    join,
    scattered,
    split,
)

NAMES = (
    "never set", "all zero", "wrong shape", "not summed over the batch", "sign flipped", "averaged over the batch",
    "missing 1/m", "constant factor", "transposed", "Jacobian transposed", "wrong axis", "factor per row or column",
    "derivative forgotten", "derivative at the wrong argument", "wrong derivative", "wrong mask",
    "wrong slope on one side", "missing term", "extra term", "accumulates", "stale cache",
    "ignores the upstream gradient", "not linear in the upstream gradient", "writes into its arguments", "wrong dtype",
    "lost precision", "diagonal only", "leaks across examples", "draws anew in backward", "wrong operand",
    "wrong elements",
)  # fmt: skip


@dataclass
class Case:
    """One layer or loss; `shape` and what `data` takes and draws, (shape, rng) -> (x, y), see `draw`."""

    kind: str
    bug: str
    make: Callable[[], object]
    shape: tuple
    names: tuple[str, ...]
    data: Callable | None = None
    right: Callable[[], object] | None = None

    def draw(self, batch=5, seed=0):
        """x and y (None for a layer) of so many examples."""
        rng = np.random.default_rng([20, seed])  # no stream that a checker has too
        shape = (batch, *self.shape)
        return self.data(shape, rng) if self.data else (rng.normal(size=shape), None)

    def __str__(self):
        return f"{self.kind} {self.shape}: {self.bug}"


# Data


def regression(shape, rng):
    return rng.normal(size=shape), rng.normal(size=shape)


def scores(shape, rng):
    """Logits and targets 0 or 1."""
    return rng.normal(size=shape), rng.integers(0, 2, shape).astype(float)


def probabilities(shape, rng):
    return rng.uniform(0.1, 0.9, shape), rng.integers(0, 2, shape).astype(float)


def soft_probabilities(shape, rng):
    return rng.uniform(0.1, 0.9, shape), rng.uniform(0.1, 0.9, shape)


def margins(shape, rng):
    """Predictions and targets -1 or 1."""
    return rng.normal(size=shape), rng.choice([-1.0, 1.0], shape)


def classes(shape, rng):
    return rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])


def soft_classes(shape, rng):
    return rng.normal(size=shape), rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def with_zeros(shape, rng):
    """Every third element exactly 0."""
    x = rng.normal(size=shape)
    x.flat[::3] = 0
    return x, None


def wide(shape, rng):
    """Far into both tails."""
    return 30 * rng.normal(size=shape), None


def small(shape, rng):
    return 1e-3 * rng.normal(size=shape), None


LOSS_DATA = {
    MSELoss: regression,
    HuberLoss: regression,
    BCELoss: probabilities,
    BCEWithLogitsLoss: scores,
    HingeLoss: margins,
    CrossEntropyLoss: classes,
}


# How a wrong class is made


def wrong(made, shape, bug, *names, data=None, slope=None, forward=None, backward=None, **changes):
    """A case whose class derives from that of `made` and has the bug; `made` is (class, arguments...)."""
    base, *arguments = made
    if slope:
        forward, backward = keeping_x(base), lambda self, dy: dy * np.asarray(slope(*self.cache), dy.dtype)
    if changes:
        backward = changing(base, changes)
    methods = {"forward": forward, "backward": backward}
    cls = type(base.__name__, (base,), {name: method for name, method in methods.items() if method})
    return Case(
        base.__name__,
        bug,
        lambda: cls(*arguments),
        shape,
        names,
        data or LOSS_DATA.get(base),
        lambda: base(*arguments),
    )


def keeping_x(base):
    """A forward that keeps (x, y)."""

    def forward(self, x):
        y = base.forward(self, x)
        self.cache = x, y
        return y

    return forward


def changing(base, changes):
    """A backward that computes everything rightly and then changes some of it."""

    def backward(self, dy=None):
        dx = base.backward(self) if issubclass(base, Loss) else base.backward(self, dy)
        for name, change in changes.items():
            if name != "x":
                parameter = self.parameters()[name]
                parameter.grad = change(parameter.grad, self, dy)
        return changes["x"](dx, self, dy) if "x" in changes else dx

    return backward


def right(made, shape, note="", data=None):
    base, *arguments = made
    return Case(base.__name__, note, lambda: base(*arguments), shape, (), data or LOSS_DATA.get(base))


# Changes that suit many layers


def averaged(right, layer, dy):
    return right / len(dy)


def unset(right, layer, dy):
    return None


def zero(right, layer, dy):
    return np.zeros_like(right)


def negative(right, layer, dy):
    return -right


def first_transposed(right, layer, dy):
    return right.swapaxes(0, 1).copy()


def times(factor):
    return lambda right, layer, dy: right * factor


def element(place, factor):
    """One element times factor."""

    def change(right, layer, dy):
        changed = right.copy()
        changed[place] *= factor
        return changed

    return change


def decayed(name, rate):
    """Weight decay in the gradient of a parameter."""
    return lambda right, layer, dy: right + rate * layer.parameters()[name].value


def accumulating(name):
    """A gradient added to what stood there, which the first backward finds empty."""

    def change(right, layer, dy):
        total = vars(layer).setdefault("totals", {})
        total[name] = total.get(name, 0) + right
        return total[name].copy()

    return change


def adding(base, name):
    """A backward with `grad += ...`."""

    def backward(self, dy):
        before = self.parameters()[name].grad
        dx = base.backward(self, dy)
        if before is not None:
            self.parameters()[name].grad += before
        return dx

    return backward


def as_float32(right, layer, dy):
    return right.astype(np.float32)


def through_float32(right, layer, dy):
    return right.astype(np.float32).astype(right.dtype)


def as_float64(right, layer, dy):
    return right.astype(np.float64)


def in_halves(right, layer, dy):
    return right.astype(np.float16).astype(right.dtype)


# Stale caches


def once(base):
    """A forward whose cache is that of the first call for ever."""

    def forward(self, x):
        y = base.forward(self, x)
        self.cache = vars(self).setdefault("first", vars(self).get("_cache"))
        return y

    return forward


def once_per_shape(base):
    """A forward whose cache is kept for every input of the same shape."""

    def forward(self, x):
        y = base.forward(self, x)
        self.cache = vars(self).setdefault("kept", {}).setdefault(x.shape, vars(self).get("_cache"))
        return y

    return forward


def dense_old_kernel(self, dy):
    kernel = vars(self).setdefault("kernel_of_first_step", self.kernel.value.copy())
    Dense.backward(self, dy)
    return dy @ kernel.T


def loss_once(self, prediction, target):
    loss = MSELoss.forward(self, prediction, target)
    self.cache = vars(self).setdefault("first", vars(self).get("_cache"))
    return loss


# Writing into arrays


def relu_in_place(self, x):
    x[x.real < 0] = 0
    self.cache = x
    return x


def dropout_in_place(self, x):
    factor = self.draw(x) if self.training else np.ones_like(x.real)
    self.cache = factor
    x *= factor
    return x


def batch_norm_in_place(self, x):
    if self.training:
        x -= x.mean(axis=0)
    return BatchNorm.forward(self, x)


def tanh_into_dy(self, dy):
    y = self.cache
    dy *= 1 - y * y
    return dy


def dense_into_dy(self, dy):
    dx = Dense.backward(self, dy)
    dy *= len(dy)
    return dx


def softmax_into_cache(self, dy):
    y = self.cache
    dx = Softmax.backward(self, dy)
    y *= dy
    return dx


def sigmoid_into_cache(self, dy):
    y = self.cache
    y *= 1 - y
    return dy * y


def normalized_in_place(self, x):
    y = LayerNorm.forward(self, x)
    x -= x.mean(axis=-1, keepdims=True)
    return y


def mse_into_cache(self):
    difference = self.cache
    difference *= 2 / difference.size
    return difference


def huber_into_prediction(self, prediction, target):
    loss = HuberLoss.forward(self, prediction, target)
    prediction -= target
    return loss


# Dense


def dense_last_example(self, dy):
    dx = Dense.backward(self, dy)
    self.kernel.grad = np.outer(self.cache[-1], dy[-1])
    return dx


def dense_rows_reversed(self, dy):
    return Dense.backward(self, dy)[::-1].copy()


def dense_squeezed(self, dy):
    dx = Dense.backward(self, dy)
    self.bias.grad = dy.squeeze().sum(axis=0)
    return dx


# Activations and dropout


def random_anew(base):
    def backward(self, dy):
        return dy * self.draw(dy) if self.training else base.backward(self, dy)

    return backward


def unseeded_mask(self, dy):
    mask = np.random.default_rng().random(dy.shape) >= self.rate
    return dy * mask / (1 - self.rate) if self.training else dy


def random_slopes_anew(self, dy):
    slope = self.generator.uniform(1 / 8, 1 / 3, dy.shape) if self.training else 0.2
    return dy * np.where(self.cache == 1, 1, slope).astype(dy.dtype)


def dropout_in_inference(self, dy):
    return dy * self.cache if self.training else dy / (1 - self.rate)


def slope_by_difference(self, dy):
    x, _ = self.cache
    return dy * (np.tanh(x + 1e-6) - np.tanh(x)) / 1e-6


def softmax_sum(**options):
    def backward(self, dy):
        y = self.cache
        return y * (dy - (dy * y).sum(**options))

    return backward


# Normalization


def batch_norm(mean_term=1.0, variance_term=1.0, gamma=1, epsilon=None, always=False, axis=0):
    """Backward of BatchNorm with some of its terms."""

    def backward(self, dy):
        BatchNorm.backward(self, dy)
        normal, spread = self.cache
        dnormal = dy * self.gamma.value**gamma
        if self.training or always:
            shared = mean_term * dnormal.mean(axis=axis, keepdims=True)
            shared = shared + variance_term * normal * (dnormal * normal).mean(axis=axis, keepdims=True)
            dnormal = dnormal - shared
        if epsilon is not None and self.training:
            spread = np.sqrt(spread * spread - self.epsilon + epsilon)
        return dnormal / spread

    return backward


def layer_norm(mean_term=1.0, variance_term=1.0, gamma=1, spread=1, axis=-1):
    """Backward of LayerNorm with some of its terms."""

    def backward(self, dy):
        LayerNorm.backward(self, dy)
        normal, root = self.cache
        dnormal = dy * self.gamma.value**gamma
        mean = mean_term * dnormal.mean(axis=axis, keepdims=True)
        projection = variance_term * normal * (dnormal * normal).mean(axis=axis, keepdims=True)
        return (dnormal - mean - projection) / root**spread

    return backward


def layer_norm_diagonal(self, dy):
    LayerNorm.backward(self, dy)
    normal, spread = self.cache
    return dy * self.gamma.value * (1 - (1 + normal * normal) / dy.shape[-1]) / spread


def batch_norm_seeing_x(self, x):
    self.seen = x
    return BatchNorm.forward(self, x)


def batch_norm_diagonal(self, dy):
    right_dx = BatchNorm.backward(self, dy)
    normal, spread = self.cache
    diagonal = dy * self.gamma.value * (1 - (1 + normal * normal) / len(dy)) / spread
    return diagonal if self.training else right_dx


# Images


def conv_gradients(forward_kernel=False, shifted=False):
    """Backward of Conv2D with dx from the kernel unflipped, or the kernel's gradient from the next window."""

    def backward(self, dy):
        x = self.cache
        dx = Conv2D.backward(self, dy)
        if shifted:
            self.kernel.grad = np.roll(self.kernel.grad, 1, axis=0)
        if forward_kernel:
            dy = self.pad(dy)
            dx = sum(window @ self.kernel.value[place] for place, window in self.windows(dy))
        return dx.astype(x.dtype)

    return backward


def conv_uncropped(self, dy):
    return self.pad(Conv2D.backward(self, dy))


def max_pool_to_smallest(self, x):
    y = MaxPool2D.forward(self, x)
    self.cache = split(x).real.argmin(axis=-1)[..., None], x.shape
    return y


def max_pool_to_all(self, dy):
    _, shape = self.cache
    return join(np.repeat(dy[..., None], 4, axis=-1), shape)


def max_pool_to_next(self, dy):
    chosen, shape = self.cache
    dwindows = np.zeros((*dy.shape, 4), dy.dtype)
    np.put_along_axis(dwindows, (chosen + 1) % 4, dy[..., None], axis=-1)
    return join(dwindows, shape)


# Sequences


def rnn(through_time=True, derivative=True, transposed=True, at_sums=False, after=False, bias_axes=(0, 1)):
    """Backward of SimpleRNN with one of its parts wrong."""

    def backward(self, dy):
        x, states = self.cache
        before, y = states[:, :-1], states[:, 1:]
        dsums = np.zeros_like(dy)
        through = np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            state = np.arctanh(y[:, t]) if at_sums else y[:, t]
            dsums[:, t] = (dy[:, t] + through) * (1 - state * state if derivative else 1)
            through = dsums[:, t] @ (self.recurrent.value.T if transposed else self.recurrent.value) * through_time
        self.kernel.grad = np.tensordot(x, dsums, ((0, 1), (0, 1)))
        self.recurrent.grad = np.tensordot(y if after else before, dsums, ((0, 1), (0, 1)))
        self.bias.grad = dsums.sum(axis=bias_axes)
        return dsums @ self.kernel.value.T

    return backward


def attention_unscaled(self, dy):
    q_, k_, v_ = DotProductAttention.projections(self, dy)
    return q_ * self.units**0.5, k_ * self.units**0.5, v_


def attention_case(bug, *names, units=3, shape=(4, 3), **replaced):
    """A case of attention with some of its methods replaced."""
    cls = type("DotProductAttention", (DotProductAttention,), replaced)
    return Case("DotProductAttention", bug, lambda: cls(units), shape, names, None, lambda: DotProductAttention(units))


def attention_without(*missing):
    """dx without the paths through some of query, key and value."""

    def backward(self, dy):
        DotProductAttention.backward(self, dy)
        paths = dict(zip(("query", "key", "value"), self.projections(dy), strict=True))
        return sum(gradient @ getattr(self, name).value.T for name, gradient in paths.items() if name not in missing)

    return backward


def attention_diagonal_scores(self, dy):
    *_, v, weights = self.cache
    return (dy @ v.swapaxes(1, 2)) * weights * (1 - weights) / self.units**0.5


def attention_scores_over_queries(self, dy):
    *_, v, weights = self.cache
    dweights = dy @ v.swapaxes(1, 2)
    return weights * (dweights - (dweights * weights).sum(axis=1, keepdims=True)) / self.units**0.5


def attention_swapped(self, dy):
    q_, k_, v_ = DotProductAttention.projections(self, dy)
    return k_, q_, v_


# Models


def nested(kind, bug, shape, wrap, inner, *names):
    """A case in which the wrong layer of another case is inside a model."""
    return Case(kind, bug, lambda: wrap(inner.make()), shape, names, None, lambda: wrap(inner.right()))


def branches_right_only(self, dy):
    left, right = self.cache
    self.left.backward(dy * right)
    return self.right.backward(dy * left)


def branches_swapped(self, dy):
    left, right = self.cache
    return self.left.backward(dy * left) + self.right.backward(dy * right)


D3, D4, SQUARE = (Dense, 3), (Dense, 4), (Dense, 5)
CONV, SAME, IMAGE = (Conv2D, 3), (Conv2D, 2, 3, 1), (4, 5, 2)
NORM, SCATTERED_NORM, SCATTERED_SHIFT = (BatchNorm,), (BatchNorm, 0.9, 1e-5, scattered), (ScaleShift, scattered)
SCATTERED_LAYER_NORM = (LayerNorm, 1e-5, scattered)
RNN, MASK = (SimpleRNN, 4), (Dropout, 0.4)

DENSE = [
    wrong(D3, (4,), "kernel's gradient never set", "never set", kernel=unset),
    wrong(D3, (4,), "bias's gradient never set", "never set", bias=unset),
    wrong(D3, (4,), "backward returns nothing", "never set", x=unset),
    wrong(D3, (4,), "dx all zero", "all zero", x=zero),
    wrong(D3, (4,), "bias with keepdims", "wrong shape", bias=lambda right, layer, dy: right[None]),
    wrong(D3, (4,), "dx transposed, not square", "wrong shape", "transposed", x=lambda right, layer, dy: right.T),
    wrong(D3, (4,), "kernel dy^T x, not square", "wrong shape", "transposed", kernel=first_transposed),
    wrong(SQUARE, (5,), "kernel dy^T x", "transposed", kernel=first_transposed),
    wrong(D4, (4,), "kernel dy^T x", "transposed", kernel=first_transposed),
    wrong(D3, (4,), "bias not summed", "not summed over the batch", bias=lambda right, layer, dy: dy.copy()),
    wrong(D3, (4,), "kernel from the last example", "not summed over the batch", backward=dense_last_example),
    wrong(D3, (4,), "bias from the first example", "not summed over the batch", bias=lambda right, layer, dy: dy[0]),
    wrong(D3, (4,), "bias - instead of +", "sign flipped", bias=negative),
    wrong(D4, (4,), "kernel's sign", "sign flipped", kernel=negative),
    wrong(D3, (4,), "kernel averaged", "averaged over the batch", kernel=averaged),
    wrong(D3, (5,), "kernel averaged, as many features as examples", "averaged over the batch", kernel=averaged),
    wrong(D3, (4,), "bias averaged", "averaged over the batch", bias=averaged),
    wrong(D3, (4,), "kernel and bias averaged", "averaged over the batch", kernel=averaged, bias=averaged),
    wrong(D3, (2, 4), "bias averaged, with time", "averaged over the batch", bias=averaged),
    wrong(D3, (4,), "dx averaged", "averaged over the batch", x=averaged),
    wrong(D3, (4,), "dx divided by the units", "constant factor", x=times(1 / 3)),
    wrong((Dense, 7), (4,), "kernel 7 times", "constant factor", kernel=times(7)),
    wrong(D3, (4,), "kernel over m - 1", "constant factor", "missing 1/m", kernel=lambda right, layer, dy: right * (len(dy) / max(len(dy) - 1, 0.5))),
    wrong(SQUARE, (5,), "dx with the kernel untransposed", "Jacobian transposed", x=lambda right, layer, dy: dy @ layer.kernel.value),
    wrong(D4, (3, 4), "dx with the kernel untransposed", "Jacobian transposed", x=lambda right, layer, dy: dy @ layer.kernel.value),
    wrong(SQUARE, (4,), "bias summed over the units", "wrong axis", "wrong shape", bias=lambda right, layer, dy: dy.sum(axis=1)),
    wrong((Dense, 3), (3, 4), "bias summed over examples and units", "wrong axis", bias=lambda right, layer, dy: dy.sum(axis=(0, 2))),
    wrong(D3, (2, 4), "kernel only from the last time", "missing term", kernel=lambda right, layer, dy: layer.cache[:, -1].T @ dy[:, -1]),
    wrong(D3, (4,), "weight decay in the kernel", "extra term", kernel=decayed("kernel", 0.01)),
    wrong(D3, (4,), "bias plus its decay", "extra term", bias=decayed("bias", 0.1)),
    wrong(D3, (4,), "dx plus x", "extra term", x=lambda right, layer, dy: right + 0.1 * layer.cache),
    wrong(D3, (4,), "kernel accumulates", "accumulates", kernel=accumulating("kernel")),
    wrong(D3, (4,), "bias accumulates", "accumulates", bias=accumulating("bias")),
    wrong(D3, (4,), "kernel.grad += ...", "accumulates", backward=adding(Dense, "kernel")),
    wrong(D3, (2, 4), "bias.grad += ...", "accumulates", backward=adding(Dense, "bias")),
    wrong(D3, (4,), "dx accumulates while shapes agree", "accumulates", x=lambda right, layer, dy: accumulating(right.shape)(right, layer, dy)),
    wrong(D3, (4,), "keeps the first x", "stale cache", forward=once_per_shape(Dense)),
    wrong(D3, (4,), "dx from the kernel of the first step", "stale cache", backward=dense_old_kernel),
    wrong(D3, (4,), "bias counts the examples", "ignores the upstream gradient", bias=lambda right, layer, dy: np.full_like(right, len(dy))),
    wrong(D3, (4,), "dx for a gradient of ones", "ignores the upstream gradient", x=lambda right, layer, dy: np.ones_like(dy) @ layer.kernel.value.T),
    wrong(D3, (4,), "kernel clipped to 1/2", "not linear in the upstream gradient", kernel=lambda right, layer, dy: np.clip(right, -0.5, 0.5)),
    wrong(D3, (4,), "kernel of norm 1", "not linear in the upstream gradient", kernel=lambda right, layer, dy: right / np.sqrt((right * right).sum())),
    wrong(D3, (4,), "bias from |dy|", "not linear in the upstream gradient", bias=lambda right, layer, dy: np.abs(dy).sum(axis=0)),
    wrong(D3, (4,), "dy multiplied in place", "writes into its arguments", backward=dense_into_dy),
    wrong(D3, (4,), "kernel in float32", "wrong dtype", "lost precision", kernel=as_float32),
    wrong(D3, (4,), "bias in float64", "wrong dtype", bias=as_float64),
    wrong(D3, (4,), "kernel through float32", "lost precision", kernel=through_float32),
    wrong(D3, (4,), "dx rounded to 6 digits", "lost precision", x=lambda right, layer, dy: right.round(6)),
    wrong(D4, (4,), "dx with the kernel's diagonal", "diagonal only", x=lambda right, layer, dy: dy * np.diag(layer.kernel.value)),
    wrong(D3, (4,), "dx of the examples reversed", "leaks across examples", backward=dense_rows_reversed),
    wrong(D3, (4,), "dx plus the mean over the batch", "leaks across examples", x=lambda right, layer, dy: right + right.mean(axis=0)),
    wrong(D4, (4,), "kernel y^T dy", "wrong operand", kernel=lambda right, layer, dy: (layer.cache @ layer.kernel.value + layer.bias.value).T @ dy),
    wrong(D4, (4,), "bias from x", "wrong operand", "ignores the upstream gradient", bias=lambda right, layer, dy: layer.cache.sum(axis=0)),
    wrong(D3, (4,), "dx with the kernel's gradient for the kernel", "wrong operand", "not linear in the upstream gradient", x=lambda right, layer, dy: dy @ layer.kernel.grad.T),
    wrong(D3, (4,), "one element of the kernel wrong by 1e-3", "wrong elements", kernel=element((2, 1), 1.001)),
    wrong(D3, (4,), "last element of the bias zero", "wrong elements", "wrong mask", bias=element(-1, 0)),
    wrong(D3, (4,), "last row of the kernel zero", "wrong elements", "wrong mask", kernel=element(-1, 0)),
    wrong(D3, (4,), "one element of dx of the wrong sign", "wrong elements", x=element((0, 2), -1)),
    wrong(D3, (4,), "bias squeezed, wrong for a batch of 1", "wrong shape", backward=dense_squeezed),
    wrong(D3, (4,), "dx squeezed, wrong for a batch of 1", "wrong shape", x=lambda right, layer, dy: right.squeeze()),
    wrong(D3, (4,), "bias zero for a batch of 1", "all zero", bias=lambda right, layer, dy: right * (len(dy) > 1)),
]  # fmt: skip

ACTIVATIONS = [
    wrong((Tanh,), (4,), "dx all zero", "all zero", x=zero),
    wrong((Tanh,), (4,), "averaged over the batch", "averaged over the batch", x=averaged),
    wrong((Tanh,), (4,), "dx = dy", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((Tanh,), (4,), "1 - x^2", "derivative at the wrong argument", slope=lambda x, y: 1 - x * x),
    wrong((Tanh,), (4,), "1 - tanh(y)^2", "derivative at the wrong argument", slope=lambda x, y: 1 - np.tanh(y) ** 2),
    wrong((Tanh,), (4,), "1 - y", "wrong derivative", slope=lambda x, y: 1 - y),
    wrong((Tanh,), (2, 3), "1 + y^2", "wrong derivative", slope=lambda x, y: 1 + y * y),
    wrong((Tanh,), (4,), "y^2 - 1", "sign flipped", x=negative),
    wrong((Tanh,), (4,), "dy changed in place", "writes into its arguments", backward=tanh_into_dy),
    wrong((Tanh,), (4,), "keeps the first y", "stale cache", forward=once_per_shape(Tanh)),
    wrong((Tanh,), (4,), "adds the derivative", "not linear in the upstream gradient", "ignores the upstream gradient", x=lambda right, layer, dy: dy + 1 - layer.cache**2),
    wrong((Tanh,), (4,), "ignores dy", "ignores the upstream gradient", x=lambda right, layer, dy: 1 - layer.cache**2),
    wrong((Tanh,), (4,), "derivative by a forward difference", "lost precision", forward=keeping_x(Tanh), backward=slope_by_difference),
    wrong((Tanh,), (4,), "dx in float32", "wrong dtype", "lost precision", x=as_float32),
    wrong((Sigmoid,), (4,), "dx = dy", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((Sigmoid,), (4,), "x (1 - x)", "derivative at the wrong argument", slope=lambda x, y: x * (1 - x)),
    wrong((Sigmoid,), (4,), "s'(y)", "derivative at the wrong argument", slope=lambda x, y: sigmoid(y) * (1 - sigmoid(y))),
    wrong((Sigmoid,), (4,), "y (1 + y)", "wrong derivative", slope=lambda x, y: y * (1 + y)),
    wrong((Sigmoid,), (4,), "1 - y^2", "wrong derivative", slope=lambda x, y: 1 - y * y),
    wrong((Sigmoid,), (3, 2), "y without 1 - y", "wrong derivative", slope=lambda x, y: y),
    wrong((Sigmoid,), (4,), "y (y - 1)", "sign flipped", x=negative),
    wrong((Sigmoid,), (4,), "ignores dy", "ignores the upstream gradient", x=lambda right, layer, dy: layer.cache * (1 - layer.cache)),
    wrong((Sigmoid,), (4,), "dy squared", "not linear in the upstream gradient", x=lambda right, layer, dy: right * dy),
    wrong((Sigmoid,), (4,), "dy clipped to 1", "not linear in the upstream gradient", x=lambda right, layer, dy: layer.cache * (1 - layer.cache) * np.clip(dy, -1, 1)),
    wrong((Sigmoid,), (4,), "output and cache changed in backward", "writes into its arguments", backward=sigmoid_into_cache),
    wrong((Sigmoid,), (4,), "keeps the first y", "stale cache", forward=once(Sigmoid)),
    wrong((Sigmoid,), (4,), "dx in float64", "wrong dtype", x=as_float64),
    wrong((Sigmoid,), (4,), "rounded to half precision", "lost precision", x=in_halves),
    wrong((ReLU,), (6,), "mask inverted", "wrong mask", slope=lambda x, y: x <= 0),
    wrong((ReLU,), (6,), "mask from dy", "wrong mask", "not linear in the upstream gradient", x=lambda right, layer, dy: dy * (dy > 0)),
    wrong((ReLU,), (6,), "mask x > 1/2", "wrong mask", slope=lambda x, y: x > 0.5),
    wrong((ReLU,), (6,), "mask shifted by one", "wrong mask", slope=lambda x, y: np.roll(y > 0, 1, axis=-1)),
    wrong((ReLU,), (6,), "mask of the first example", "wrong mask", slope=lambda x, y: (y > 0)[:1]),
    wrong((ReLU,), (6,), "dx = dy", "derivative forgotten", "wrong mask", x=lambda right, layer, dy: dy.copy()),
    wrong((ReLU,), (6,), "returns the mask", "ignores the upstream gradient", x=lambda right, layer, dy: (layer.cache > 0).astype(dy.dtype)),
    wrong((ReLU,), (6,), "y dy", "wrong derivative", slope=lambda x, y: y),
    wrong((ReLU,), (6,), "x changed in place", "writes into its arguments", forward=relu_in_place),
    wrong((ReLU,), (6,), "2 at x = 0", "wrong elements", "wrong derivative", "wrong mask", data=with_zeros, slope=lambda x, y: np.where(x == 0, 2, x > 0)),
    wrong((ReLU,), (2, 3), "the last row of every example zero", "wrong mask", "wrong elements", x=element((slice(None), -1), 0)),
    wrong((LeakyReLU,), (6,), "slope squared", "wrong slope on one side", slope=lambda x, y: np.where(x > 0, 1, 0.01)),
    wrong((LeakyReLU, 0.2), (6,), "slope 1", "wrong slope on one side", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((LeakyReLU, 0.2), (6,), "slope 0.201", "wrong slope on one side", slope=lambda x, y: np.where(x > 0, 1, 0.201)),
    wrong((LeakyReLU,), (6,), "slope 0", "wrong mask", "wrong slope on one side", slope=lambda x, y: x > 0),
    wrong((LeakyReLU,), (6,), "sign where x < 0", "wrong slope on one side", slope=lambda x, y: np.where(x > 0, 1, -0.1)),
    wrong((LeakyReLU,), (6,), "slopes exchanged", "wrong mask", slope=lambda x, y: np.where(x > 0, 0.1, 1)),
    wrong((LeakyReLU,), (6,), "averaged over the batch", "averaged over the batch", x=averaged),
    wrong((ELU, 0.5), (6,), "alpha applied twice where x < 0", "wrong slope on one side", slope=lambda x, y: np.where(x > 0, 1, 0.5 * (y + 0.5))),
    wrong((ELU,), (6,), "x + alpha where x < 0", "derivative at the wrong argument", "wrong derivative", slope=lambda x, y: np.where(x > 0, 1, x + 1)),
    wrong((ELU,), (6,), "y where x < 0", "wrong derivative", "missing term", slope=lambda x, y: np.where(x > 0, 1, y)),
    wrong((ELU,), (6,), "exp(y) where x < 0", "derivative at the wrong argument", "wrong derivative", slope=lambda x, y: np.where(x > 0, 1, np.exp(y))),
    wrong((ELU,), (6,), "keeps the first x and y", "stale cache", forward=once_per_shape(ELU)),
    wrong((Softplus,), (4,), "s(y)", "derivative at the wrong argument", slope=lambda x, y: sigmoid(y)),
    wrong((Softplus,), (4,), "s(-x)", "derivative at the wrong argument", "wrong derivative", slope=lambda x, y: sigmoid(-x)),
    wrong((Softplus,), (4,), "s(x) (1 - s(x))", "wrong derivative", slope=lambda x, y: sigmoid(x) * (1 - sigmoid(x))),
    wrong((Softplus,), (4,), "tanh(x)", "wrong derivative", slope=lambda x, y: np.tanh(x)),
    wrong((Softplus,), (4,), "1 where x > 0", "wrong derivative", "wrong slope on one side", "derivative forgotten", slope=lambda x, y: np.where(x > 0, 1, sigmoid(x))),
    wrong((GELU,), (4,), "dx = dy", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((GELU,), (4,), "missing 1/2", "constant factor", x=times(2)),
    wrong((GELU,), (4,), "no term from the inner derivative", "missing term", "wrong derivative", backward=lambda self, dy: dy * 0.5 * (1 + self.cache[1])),
    wrong((GELU,), (4,), "x^2 without its 3", "wrong derivative", "missing term", backward=lambda self, dy: dy * 0.5 * (1 + self.cache[1] + self.cache[0] * (1 - self.cache[1] ** 2) * self.rate * (1 + 0.044715 * self.cache[0] ** 2))),
    wrong((GELU,), (4,), "dx = y dy", "wrong derivative", slope=lambda x, y: y),
    wrong((Rescaling, 0.25, 1.0), (4,), "dx = dy", "derivative forgotten", "constant factor", x=lambda right, layer, dy: dy.copy()),
    wrong((Rescaling, 0.25), (2, 3), "scale applied twice", "constant factor", x=times(0.25)),
    wrong((Rescaling, 3.0), (4,), "divided by the scale", "constant factor", x=times(1 / 9)),
    wrong((Rescaling, 2.0, -1.0), (4,), "offset in the derivative", "extra term", "constant factor", "ignores the upstream gradient", "not linear in the upstream gradient", x=lambda right, layer, dy: right - 1),
    wrong((Flatten,), (2, 3), "dy not reshaped", "wrong shape", x=lambda right, layer, dy: dy),
    wrong((Flatten,), (3, 3), "columns first", "transposed", "wrong elements", "wrong axis", x=lambda right, layer, dy: right.swapaxes(1, 2)),
    wrong((Flatten,), (2, 3), "examples reversed", "leaks across examples", x=lambda right, layer, dy: right[::-1]),
    wrong((Softmax,), (4,), "y (1 - y)", "diagonal only", backward=lambda self, dy: dy * self.cache * (1 - self.cache)),
    wrong((Softmax,), (3, 4), "y (1 - y)", "diagonal only", backward=lambda self, dy: dy * self.cache * (1 - self.cache)),
    wrong((Softmax,), (4,), "without the sum", "missing term", backward=lambda self, dy: dy * self.cache),
    wrong((Softmax,), (4,), "dx = dy", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((Softmax,), (4,), "sum over the batch", "wrong axis", "leaks across examples", backward=softmax_sum(axis=0)),
    wrong((Softmax,), (4,), "sum over everything", "leaks across examples", "wrong axis", backward=softmax_sum()),
    wrong((Softmax,), (3, 4), "sum over the middle axis", "wrong axis", backward=softmax_sum(axis=1, keepdims=True)),
    wrong((Softmax,), (4,), "sign", "sign flipped", x=negative),
    wrong((Softmax,), (4,), "output changed in backward", "writes into its arguments", backward=softmax_into_cache),
    wrong((Softmax,), (4,), "the sum of dy without y", "wrong operand", "wrong derivative", backward=lambda self, dy: self.cache * (dy - dy.sum(axis=-1, keepdims=True))),
]  # fmt: skip

DROPOUT = [
    wrong(MASK, (6,), "not scaled in backward", "constant factor", x=lambda right, layer, dy: right * (0.6 if layer.training else 1)),
    wrong(MASK, (6,), "scaled twice", "constant factor", x=lambda right, layer, dy: right / (0.6 if layer.training else 1)),
    wrong(MASK, (6,), "mask inverted", "wrong mask", x=lambda right, layer, dy: dy * (layer.cache == 0) / 0.6 if layer.training else right),
    wrong(MASK, (6,), "dx = dy", "derivative forgotten", "wrong mask", x=lambda right, layer, dy: dy.copy()),
    wrong(MASK, (6,), "returns the mask", "ignores the upstream gradient", x=lambda right, layer, dy: layer.cache.astype(dy.dtype)),
    wrong(MASK, (6,), "draws a new mask", "draws anew in backward", backward=random_anew(Dropout)),
    wrong(MASK, (6,), "a new mask from a fresh generator", "draws anew in backward", backward=unseeded_mask),
    wrong(MASK, (6,), "x changed in place", "writes into its arguments", forward=dropout_in_place),
    wrong(MASK, (6,), "scaled in inference", "constant factor", backward=dropout_in_inference),
    wrong(MASK, (6,), "zero in inference", "all zero", x=lambda right, layer, dy: right * layer.training),
    wrong(MASK, (6,), "dx in float64", "wrong dtype", x=as_float64),
    wrong(MASK, (6,), "mask of the first batch", "stale cache", "wrong mask", forward=once_per_shape(Dropout)),
    wrong((GaussianDropout,), (6,), "draws new noise", "draws anew in backward", backward=random_anew(GaussianDropout)),
    wrong((GaussianDropout,), (6,), "dx = dy", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((GaussianDropout,), (6,), "noise without 1", "missing term", "wrong derivative", x=lambda right, layer, dy: right - dy * layer.training),
    wrong((RandomizedReLU,), (6,), "draws new slopes", "draws anew in backward", backward=random_slopes_anew),
    wrong((RandomizedReLU,), (6,), "mean slope while training", "wrong slope on one side", "wrong derivative", x=lambda right, layer, dy: np.where(layer.cache == 1, dy, 0.2 * dy)),
    wrong((RandomizedReLU,), (6,), "slope 0", "wrong mask", x=lambda right, layer, dy: dy * (layer.cache == 1)),
]  # fmt: skip

NORMALIZATION = [
    wrong(SCATTERED_SHIFT, (4,), "dx = dy", "factor per row or column", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((ScaleShift,), (4,), "dx = dy, gamma of ones", "factor per row or column", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong(SCATTERED_SHIFT, (2, 4), "gamma applied twice", "factor per row or column", x=lambda right, layer, dy: right * layer.gamma.value),
    wrong(SCATTERED_SHIFT, (4,), "dx divided by gamma", "factor per row or column", x=lambda right, layer, dy: dy / layer.gamma.value),
    wrong(SCATTERED_SHIFT, (4,), "gamma not summed", "not summed over the batch", gamma=lambda right, layer, dy: dy * layer.cache),
    wrong(SCATTERED_SHIFT, (4,), "gamma averaged", "averaged over the batch", gamma=averaged),
    wrong(SCATTERED_SHIFT, (4,), "gamma from y", "wrong operand", gamma=lambda right, layer, dy: (dy * (layer.cache * layer.gamma.value + layer.beta.value)).sum(axis=0)),
    wrong(SCATTERED_SHIFT, (4,), "gamma without x", "wrong operand", "derivative forgotten", gamma=lambda right, layer, dy: dy.sum(axis=0)),
    wrong(SCATTERED_SHIFT, (4,), "gamma never set", "never set", gamma=unset),
    wrong(SCATTERED_SHIFT, (4,), "beta never set", "never set", beta=unset),
    wrong(SCATTERED_SHIFT, (4,), "sign of beta", "sign flipped", beta=negative),
    wrong(SCATTERED_SHIFT, (4, 4), "beta summed over batch and features", "wrong axis", beta=lambda right, layer, dy: dy.sum(axis=(0, 2))),
    wrong(SCATTERED_SHIFT, (4,), "gamma.grad += ...", "accumulates", backward=adding(ScaleShift, "gamma")),
    wrong(SCATTERED_SHIFT, (4,), "gamma pulled to 1", "extra term", gamma=lambda right, layer, dy: right + 0.1 * (layer.gamma.value - 1)),
    wrong(SCATTERED_SHIFT, (4,), "half of gamma", "constant factor", gamma=times(0.5)),
    wrong(SCATTERED_SHIFT, (4,), "keeps the first x", "stale cache", forward=once_per_shape(ScaleShift)),
    wrong(NORM, (4,), "no mean term", "missing term", backward=batch_norm(mean_term=0)),
    wrong(SCATTERED_NORM, (4,), "no variance term", "missing term", backward=batch_norm(variance_term=0)),
    wrong(SCATTERED_NORM, (4,), "neither term: statistics as constants", "missing term", backward=batch_norm(mean_term=0, variance_term=0)),
    wrong(SCATTERED_NORM, (4,), "half the variance term", "missing term", backward=batch_norm(variance_term=0.5)),
    wrong(NORM, (4,), "gamma missing, which is 1", "factor per row or column", backward=batch_norm(gamma=0)),
    wrong(SCATTERED_NORM, (4,), "gamma missing", "factor per row or column", backward=batch_norm(gamma=0)),
    wrong(SCATTERED_NORM, (4,), "gamma applied twice", "factor per row or column", backward=batch_norm(gamma=2)),
    wrong(SCATTERED_NORM, (4,), "not divided by the deviation", "factor per row or column", x=lambda right, layer, dy: right * layer.cache[1]),
    wrong(SCATTERED_NORM, (4,), "divided by the variance", "factor per row or column", x=lambda right, layer, dy: right / layer.cache[1]),
    wrong(SCATTERED_NORM, (4,), "epsilon missing", "factor per row or column", backward=batch_norm(epsilon=0.0)),
    wrong((BatchNorm, 0.9, 0.1, scattered), (4,), "another epsilon", "factor per row or column", backward=batch_norm(epsilon=1e-5)),
    wrong(SCATTERED_NORM, (4,), "dx = dy", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong(SCATTERED_NORM, (4,), "means over the features", "wrong axis", "missing term", backward=batch_norm(axis=1)),
    wrong(SCATTERED_NORM, (4,), "the training formula in inference", "extra term", "leaks across examples", backward=batch_norm(always=True)),
    wrong(SCATTERED_NORM, (4,), "gamma averaged", "averaged over the batch", gamma=averaged),
    wrong(SCATTERED_NORM, (3, 4), "beta averaged over the batch, not time", "averaged over the batch", beta=averaged),
    wrong(SCATTERED_NORM, (4,), "gamma not summed", "not summed over the batch", gamma=lambda right, layer, dy: dy * layer.cache[0]),
    wrong(SCATTERED_NORM, (4,), "gamma with keepdims", "wrong shape", gamma=lambda right, layer, dy: right[None]),
    wrong(SCATTERED_NORM, (4,), "gamma from x", "wrong operand", forward=batch_norm_seeing_x, gamma=lambda right, layer, dy: (dy * layer.seen).sum(axis=0)),
    wrong(SCATTERED_NORM, (4,), "gamma from y", "wrong operand", gamma=lambda right, layer, dy: (dy * (layer.cache[0] * layer.gamma.value + layer.beta.value)).sum(axis=0)),
    wrong(SCATTERED_NORM, (4,), "beta never set in inference", "never set", beta=lambda right, layer, dy: right if layer.training else None),
    wrong(SCATTERED_NORM, (4,), "x centred in place", "writes into its arguments", forward=batch_norm_in_place),
    wrong(SCATTERED_NORM, (4,), "the Jacobian's diagonal", "diagonal only", backward=batch_norm_diagonal),
    wrong(SCATTERED_NORM, (4,), "one feature wrong by 1e-3", "wrong elements", "factor per row or column", x=element((slice(None), 2), 1.001)),
    wrong(SCATTERED_NORM, (4,), "gamma plus its decay", "extra term", gamma=decayed("gamma", 0.01)),
    wrong(SCATTERED_NORM, (4,), "keeps the first statistics", "stale cache", forward=once_per_shape(BatchNorm)),
    wrong((LayerNorm,), (4,), "no mean term", "missing term", backward=layer_norm(mean_term=0)),
    wrong(SCATTERED_LAYER_NORM, (4,), "no variance term", "missing term", backward=layer_norm(variance_term=0)),
    wrong(SCATTERED_LAYER_NORM, (3, 4), "statistics as constants", "missing term", backward=layer_norm(mean_term=0, variance_term=0)),
    wrong(SCATTERED_LAYER_NORM, (4,), "gamma missing", "factor per row or column", "missing term", backward=layer_norm(gamma=0)),
    wrong(SCATTERED_LAYER_NORM, (4,), "not divided by the deviation", "factor per row or column", backward=layer_norm(spread=0)),
    wrong(SCATTERED_LAYER_NORM, (3, 4), "divided by the variance", "factor per row or column", backward=layer_norm(spread=2)),
    wrong(SCATTERED_LAYER_NORM, (4,), "means over the batch", "wrong axis", "leaks across examples", backward=layer_norm(axis=0)),
    wrong(SCATTERED_LAYER_NORM, (4,), "means over everything", "leaks across examples", "wrong axis", backward=layer_norm(axis=(0, 1))),
    wrong(SCATTERED_LAYER_NORM, (4,), "the Jacobian's diagonal", "diagonal only", backward=layer_norm_diagonal),
    wrong(SCATTERED_LAYER_NORM, (4,), "gamma all zero", "all zero", gamma=zero),
    wrong(SCATTERED_LAYER_NORM, (4,), "gamma averaged", "averaged over the batch", gamma=averaged),
    wrong(SCATTERED_LAYER_NORM, (4,), "x centred in place", "writes into its arguments", forward=normalized_in_place),
    wrong(SCATTERED_LAYER_NORM, (5,), "gamma summed over the features", "wrong axis", "wrong shape", gamma=lambda right, layer, dy: (dy * layer.cache[0]).sum(axis=1)),
]  # fmt: skip

IMAGES = [
    wrong(CONV, IMAGE, "bias never set", "never set", bias=unset),
    wrong(CONV, IMAGE, "kernel all zero", "all zero", kernel=zero),
    wrong(SAME, IMAGE, "dx with its padding", "wrong shape", backward=conv_uncropped),
    wrong(CONV, IMAGE, "bias not summed over the batch", "not summed over the batch", bias=lambda right, layer, dy: dy.sum(axis=(1, 2))),
    wrong(CONV, IMAGE, "bias not summed over places", "wrong shape", bias=lambda right, layer, dy: dy.sum(axis=0)),
    wrong(CONV, IMAGE, "sign of the kernel", "sign flipped", kernel=negative),
    wrong(CONV, IMAGE, "kernel averaged", "averaged over the batch", kernel=averaged),
    wrong(CONV, IMAGE, "bias averaged over batch and places", "averaged over the batch", "constant factor", bias=lambda right, layer, dy: dy.mean(axis=(0, 1, 2))),
    wrong(CONV, IMAGE, "kernel averaged over the places", "constant factor", kernel=lambda right, layer, dy: right / (dy.shape[1] * dy.shape[2])),
    wrong(CONV, IMAGE, "kernel's rows and columns exchanged", "transposed", kernel=first_transposed),
    wrong((Conv2D, 2), IMAGE, "kernel's channels and filters exchanged", "transposed", kernel=lambda right, layer, dy: right.swapaxes(2, 3).copy()),
    wrong((Conv2D, 1, 3, 1), (4, 4, 1), "dx with the kernel not flipped", "Jacobian transposed", backward=conv_gradients(forward_kernel=True)),
    wrong((Conv2D, 2, 3, 1), (4, 3, 2), "dx with the kernel not flipped", "Jacobian transposed", backward=conv_gradients(forward_kernel=True)),
    wrong(CONV, IMAGE, "kernel's windows off by one", "wrong operand", "wrong elements", backward=conv_gradients(shifted=True)),
    wrong((Conv2D, 3, 2), (4, 4, 2), "bias summed over batch, rows, filters", "wrong axis", bias=lambda right, layer, dy: dy.sum(axis=(0, 1, 3))),
    wrong(SAME, IMAGE, "dx zero at the right border", "wrong mask", "wrong elements", x=element((slice(None), slice(None), -1), 0)),
    wrong(SAME, IMAGE, "dx half at the upper border", "wrong elements", "factor per row or column", x=element((slice(None), 0), 0.5)),
    wrong(CONV, IMAGE, "last row of the kernel zero", "wrong mask", "wrong elements", kernel=element(-1, 0)),
    wrong(CONV, IMAGE, "one weight wrong by 1e-3", "wrong elements", kernel=element((1, 0, 1, 2), 1.001)),
    wrong(CONV, IMAGE, "weight decay in the kernel", "extra term", kernel=decayed("kernel", 0.001)),
    wrong(CONV, IMAGE, "bias.grad += ...", "accumulates", backward=adding(Conv2D, "bias")),
    wrong(CONV, IMAGE, "keeps the first x", "stale cache", forward=once_per_shape(Conv2D)),
    wrong(CONV, IMAGE, "bias counts examples and places", "ignores the upstream gradient", bias=lambda right, layer, dy: np.full_like(right, dy[..., 0].size)),
    wrong(CONV, IMAGE, "kernel in float32", "wrong dtype", "lost precision", kernel=as_float32),
    wrong((MaxPool2D,), (4, 6, 2), "to the smallest", "wrong mask", forward=max_pool_to_smallest),
    wrong((MaxPool2D,), (4, 6, 2), "to all four", "wrong mask", "derivative forgotten", backward=max_pool_to_all),
    wrong((MaxPool2D,), (4, 4, 2), "to the next place", "wrong mask", backward=max_pool_to_next),
    wrong((MaxPool2D,), (4, 4, 2), "to a quarter", "constant factor", x=times(0.25)),
    wrong((MaxPool2D,), (4, 4, 2), "dx of the size of y", "wrong shape", x=lambda right, layer, dy: dy),
    wrong((MaxPool2D,), (4, 4, 2), "the first batch's places", "stale cache", forward=once_per_shape(MaxPool2D)),
    wrong((MaxPool2D,), (4, 4, 2), "dx all zero", "all zero", x=zero),
    wrong((AveragePool2D,), (4, 6, 2), "not divided by 4", "constant factor", x=times(4)),
    wrong((AveragePool2D,), (4, 6, 2), "divided by 2", "constant factor", x=times(2)),
    wrong((AveragePool2D,), (4, 4, 2), "dx of the size of y", "wrong shape", x=lambda right, layer, dy: dy / 4),
    wrong((AveragePool2D,), (4, 4, 2), "only to places on the diagonal", "wrong mask", x=lambda right, layer, dy: right * (np.indices(right.shape)[1:3].sum(axis=0) % 2 == 0)),
    wrong((AveragePool2D,), (4, 4, 2), "ignores dy", "ignores the upstream gradient", x=lambda right, layer, dy: np.full_like(right, 0.25)),
    wrong((AveragePool2D,), (4, 4, 2), "rows exchanged with columns", "transposed", "wrong elements", "wrong axis", x=lambda right, layer, dy: right.swapaxes(1, 2)),
]  # fmt: skip

SEQUENCES = [
    wrong((CumulativeSum,), (5,), "sums forwards", "Jacobian transposed", backward=lambda self, dy: np.cumsum(dy, axis=1)),
    wrong((CumulativeSum,), (5, 2), "sums forwards", "Jacobian transposed", backward=lambda self, dy: np.cumsum(dy, axis=1)),
    wrong((CumulativeSum,), (5,), "dx = dy", "diagonal only", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((CumulativeSum,), (5, 2), "sums over the features", "wrong axis", x=lambda right, layer, dy: np.flip(np.cumsum(np.flip(dy, 2), axis=2), 2)),
    wrong((CumulativeSum,), (5,), "without dy_t itself", "missing term", x=lambda right, layer, dy: right - dy),
    wrong((CumulativeSum,), (5,), "sums over the examples", "leaks across examples", "wrong axis", x=lambda right, layer, dy: np.flip(np.cumsum(np.flip(dy, 0), axis=0), 0)),
    wrong(RNN, (3, 2), "no gradient through time", "missing term", backward=rnn(through_time=False)),
    wrong((SimpleRNN, 3), (4, 3), "through time with the kernel untransposed", "Jacobian transposed", "transposed", "missing term", backward=rnn(transposed=False)),
    wrong(RNN, (3, 2), "tanh's derivative forgotten", "derivative forgotten", "wrong derivative", backward=rnn(derivative=False)),
    wrong(RNN, (3, 2), "derivative at the sums", "derivative at the wrong argument", "wrong derivative", backward=rnn(at_sums=True)),
    wrong(RNN, (3, 2), "recurrent kernel from h_t", "wrong operand", backward=rnn(after=True)),
    wrong(RNN, (3, 2), "recurrent kernel transposed", "transposed", recurrent=first_transposed),
    wrong(RNN, (3, 2), "recurrent kernel never set", "never set", recurrent=unset),
    wrong(RNN, (3, 2), "bias averaged", "averaged over the batch", bias=averaged),
    wrong(RNN, (3, 2), "bias not summed over the batch", "not summed over the batch", backward=rnn(bias_axes=1)),
    wrong(RNN, (3, 2), "recurrent kernel plus decay", "extra term", recurrent=decayed("recurrent", 0.01)),
    wrong(RNN, (3, 2), "kernel accumulates", "accumulates", kernel=accumulating("kernel")),
    wrong(RNN, (3, 2), "kernel clipped to 1", "not linear in the upstream gradient", kernel=lambda right, layer, dy: np.clip(right, -1, 1)),
    wrong(RNN, (3, 2), "first dx zero", "wrong mask", "wrong elements", x=element((slice(None), 0), 0)),
    wrong(RNN, (3, 2), "keeps the first states", "stale cache", forward=once_per_shape(SimpleRNN)),
    attention_case("scores not scaled in backward", "constant factor", "missing term", projections=attention_unscaled),
    attention_case("no path through the value", "missing term", backward=attention_without("value")),
    attention_case("no path through the key", "missing term", backward=attention_without("key")),
    attention_case("only the path through the value", "missing term", units=2, backward=attention_without("query", "key")),
    attention_case("softmax's diagonal", "diagonal only", "missing term", dscores=attention_diagonal_scores),
    attention_case("softmax's sum over the queries", "wrong axis", "missing term", dscores=attention_scores_over_queries),
    attention_case("query and key exchanged", "wrong operand", units=2, shape=(3, 4), projections=attention_swapped),
    wrong((DotProductAttention, 3), (4, 3), "query's kernel transposed", "transposed", query=first_transposed),
    wrong((DotProductAttention, 2), (4, 3), "key never set", "never set", key=unset),
    wrong((DotProductAttention, 2), (4, 3), "value averaged", "averaged over the batch", value=averaged),
    wrong((DotProductAttention, 2), (4, 3), "dx in float64", "wrong dtype", x=as_float64),
    wrong((Residual, 4), (4,), "no path around", "missing term", x=lambda right, layer, dy: right - dy),
    wrong((Residual, 4), (4,), "only the path around", "missing term", "derivative forgotten", x=lambda right, layer, dy: dy.copy()),
    wrong((Residual, 4), (4,), "the path around twice", "extra term", x=lambda right, layer, dy: right + dy),
    wrong((Residual, 4), (4,), "both paths averaged", "constant factor", x=times(0.5)),
    wrong((Residual, 4), (4,), "dx with the kernel untransposed", "Jacobian transposed", x=lambda right, layer, dy: dy + dy @ layer.branch.kernel.value),
    wrong((TwoBranches, 3), (4,), "only the right branch's dx", "missing term", backward=branches_right_only),
    wrong((TwoBranches, 3), (4,), "the branches' outputs exchanged", "wrong operand", backward=branches_swapped),
]  # fmt: skip

LOSSES = [
    wrong((MSELoss,), (3,), "not divided by the size", "missing 1/m", x=lambda right, loss, _: right * right.size),
    wrong((MSELoss,), (3,), "missing 2", "constant factor", x=times(0.5)),
    wrong((MSELoss,), (3,), "divided by the examples only", "missing 1/m", "constant factor", x=times(3)),
    wrong((MSELoss,), (1,), "target - prediction", "sign flipped", x=negative),
    wrong((MSELoss,), (3,), "|d| for d", "wrong derivative", "sign flipped", "wrong slope on one side", x=lambda right, loss, _: np.abs(right)),
    wrong((MSELoss,), (3,), "sign of d", "wrong derivative", x=lambda right, loss, _: np.sign(right) / right.size),
    wrong((MSELoss,), (3,), "one row too many", "wrong shape", x=lambda right, loss, _: right.ravel()),
    wrong((MSELoss,), (3,), "divided by m twice", "averaged over the batch", x=lambda right, loss, _: right / len(right)),
    wrong((MSELoss,), (3,), "keeps the first difference", "stale cache", forward=loss_once),
    wrong((MSELoss,), (3,), "cache changed in backward", "writes into its arguments", backward=mse_into_cache),
    wrong((MSELoss,), (3,), "in float32", "wrong dtype", "lost precision", x=as_float32),
    wrong((MSELoss,), (3,), "last example zero", "wrong mask", "wrong elements", x=element(-1, 0)),
    wrong((BCELoss,), (1,), "p - t, fused with a sigmoid that is not there", "wrong derivative", x=lambda right, loss, _: (loss.cache[0] - loss.cache[1]) / right.size),
    wrong((BCELoss,), (3,), "1 - t term dropped", "missing term", "wrong mask", x=lambda right, loss, _: -loss.cache[1] / loss.cache[0] / right.size),
    wrong((BCELoss,), (3,), "1 - t term dropped, soft targets", "missing term", data=soft_probabilities, x=lambda right, loss, _: -loss.cache[1] / loss.cache[0] / right.size),
    wrong((BCELoss,), (3,), "not divided by the size", "missing 1/m", x=lambda right, loss, _: right * right.size),
    wrong((BCELoss,), (3,), "sign", "sign flipped", x=negative),
    wrong((BCELoss,), (3,), "sign of the 1 - t term", "wrong slope on one side", "sign flipped", x=lambda right, loss, _: -np.abs(right)),
    wrong((BCELoss,), (3,), "1e-3 in the denominator", "wrong derivative", "lost precision", x=lambda right, loss, _: (loss.cache[0] - loss.cache[1]) / (loss.cache[0] * (1 - loss.cache[0]) + 1e-3) / right.size),
    wrong((BCEWithLogitsLoss,), (3,), "x - t", "derivative at the wrong argument", "wrong derivative", x=lambda right, loss, _: (loss.cache[0] - loss.cache[1]) / right.size),
    wrong((BCEWithLogitsLoss,), (3,), "times s(1 - s)", "wrong derivative", x=lambda right, loss, _: right * sigmoid(loss.cache[0]) * (1 - sigmoid(loss.cache[0]))),
    wrong((BCEWithLogitsLoss,), (3,), "without the target", "missing term", x=lambda right, loss, _: sigmoid(loss.cache[0]) / right.size),
    wrong((BCEWithLogitsLoss,), (1,), "not divided by m", "missing 1/m", x=lambda right, loss, _: right * len(right)),
    wrong((BCEWithLogitsLoss,), (3,), "t - s", "sign flipped", x=negative),
    wrong((BCEWithLogitsLoss,), (3,), "decay of the logits", "extra term", x=lambda right, loss, _: right + 0.01 * loss.cache[0]),
    wrong((CrossEntropyLoss,), (4,), "not divided by m", "missing 1/m", x=lambda right, loss, _: right * len(right)),
    wrong((CrossEntropyLoss,), (2, 4), "divided by the batch, not by time", "missing 1/m", "constant factor", x=times(2)),
    wrong((CrossEntropyLoss,), (4,), "divided by classes too", "constant factor", x=times(0.25)),
    wrong((CrossEntropyLoss,), (4,), "t - p", "sign flipped", x=negative),
    wrong((CrossEntropyLoss,), (4,), "only p", "missing term", x=lambda right, loss, _: np.exp(loss.cache[0]) / len(right)),
    wrong((CrossEntropyLoss,), (4,), "only - t", "missing term", x=lambda right, loss, _: -loss.cache[1] / len(right)),
    wrong((CrossEntropyLoss,), (4,), "log p - t", "derivative at the wrong argument", "wrong derivative", x=lambda right, loss, _: (loss.cache[0] - loss.cache[1]) / len(right)),
    wrong((CrossEntropyLoss,), (4,), "- t / p, as of probabilities", "wrong derivative", x=lambda right, loss, _: -loss.cache[1] / np.exp(loss.cache[0]) / len(right)),
    wrong((CrossEntropyLoss,), (4,), "softmax over the batch", "wrong axis", "leaks across examples", x=lambda right, loss, _: (np.exp(log_softmax(loss.cache[0].T).T) - loss.cache[1]) / len(right)),
    wrong((CrossEntropyLoss,), (4,), "divided by m twice", "averaged over the batch", x=lambda right, loss, _: right / len(right)),
    wrong((CrossEntropyLoss, 0.1), (4,), "targets smoothed in forward only", "missing term", "extra term", "wrong elements", x=lambda right, loss, _: (np.exp(loss.cache[0]) - (loss.cache[1] > 0.5)) / len(right)),
    wrong((HuberLoss,), (4,), "not divided by the size", "missing 1/m", x=lambda right, loss, _: right * right.size),
    wrong((HuberLoss,), (4,), "delta missing where |d| is large", "wrong slope on one side", x=lambda right, loss, _: np.where(np.abs(loss.cache) > loss.delta, np.sign(loss.cache) / right.size, right)),
    wrong((HuberLoss,), (4,), "d everywhere", "derivative forgotten", "wrong derivative", "wrong mask", x=lambda right, loss, _: loss.cache / right.size),
    wrong((HuberLoss,), (4,), "zero where |d| is large", "wrong mask", x=lambda right, loss, _: right * (np.abs(loss.cache) <= loss.delta)),
    wrong((HuberLoss,), (4,), "the sign lost where |d| is large", "wrong elements", "wrong mask", "sign flipped", x=lambda right, loss, _: np.where(np.abs(loss.cache) > loss.delta, np.abs(right), right)),
    wrong((HuberLoss,), (4,), "2 d", "constant factor", x=times(2)),
    wrong((HuberLoss,), (4,), "prediction changed in place", "writes into its arguments", forward=huber_into_prediction),
    wrong((HingeLoss,), (4,), "mask inverted", "wrong mask", x=lambda right, loss, _: -loss.cache[1] * (right == 0) / right.size),
    wrong((HingeLoss,), (4,), "mask t p < 0", "wrong mask", x=lambda right, loss, _: right * (loss.cache[0] * loss.cache[1] < 0)),
    wrong((HingeLoss,), (4,), "- t everywhere", "wrong mask", "derivative forgotten", x=lambda right, loss, _: -loss.cache[1] / right.size),
    wrong((HingeLoss,), (4,), "not divided by the size", "missing 1/m", x=lambda right, loss, _: right * right.size),
    wrong((HingeLoss,), (4,), "+ t", "sign flipped", x=negative),
    wrong((HingeLoss,), (4,), "- p for - t", "wrong operand", "wrong derivative", x=lambda right, loss, _: np.where(right != 0, -loss.cache[0], 0) / right.size),
]  # fmt: skip


def find(kind, bug):
    return next(case for case in (*DENSE, *ACTIVATIONS, *NORMALIZATION) if (case.kind, case.bug) == (kind, bug))


def behind_dense(layer):
    return Sequential([Dense(4), layer, Dense(2)], rng=0, dtype="float64")


NESTED = [
    nested("Sequential", "kernel averaged in its middle", (3,), behind_dense, find("Dense", "kernel averaged"), "averaged over the batch"),
    nested("Sequential", "sigmoid's y (1 + y) in its middle", (3,), behind_dense, find("Sigmoid", "y (1 + y)"), "wrong derivative"),
    nested("Sequential", "inverted ReLU in its middle", (3,), behind_dense, find("ReLU", "mask inverted"), "wrong mask"),
    nested("Sequential", "BatchNorm without its mean term", (3,), behind_dense, find("BatchNorm", "no mean term"), "missing term"),
    nested("Residual", "tanh's derivative forgotten inside", (4,), Residual, find("Tanh", "dx = dy"), "derivative forgotten"),
    nested("Residual", "kernel of the inner Dense of the wrong sign", (4,), Residual, find("Dense", "kernel's sign"), "sign flipped"),
]  # fmt: skip

WRONG = [*DENSE, *ACTIVATIONS, *DROPOUT, *NORMALIZATION, *IMAGES, *SEQUENCES, *LOSSES, *NESTED]

RIGHT = [
    right((Dense, 3), (4,)),
    right((Dense, 4), (4,)),
    right((Dense, 5), (5,)),
    right((Dense, 1), (1,)),
    right((Dense, 3, False), (2, 4)),
    right((Dense, 6), (4,), "small inputs", small),
    right((ReLU,), (6,)),
    right((ReLU,), (6,), "exact zeros", with_zeros),
    right((ReLU,), (6,), "inputs of 1e-3", small),
    right((ReLU,), (2, 3, 2), "exact zeros", with_zeros),
    right((Sigmoid,), (4,)),
    right((Sigmoid,), (4,), "saturated", wide),
    right((Tanh,), (2, 3)),
    right((Tanh,), (4,), "small inputs", small),
    right((LeakyReLU,), (6,)),
    right((LeakyReLU, 0.3), (6,), "exact zeros", with_zeros),
    right((ELU, 0.5), (6,)),
    right((ELU,), (6,), "exact zeros", with_zeros),
    right((Softplus,), (4,)),
    right((Softplus,), (4,), "saturated", wide),
    right((GELU,), (4,)),
    right((Softmax,), (4,)),
    right((Softmax,), (3, 4)),
    right((Softmax,), (4,), "saturated", wide),
    right((Rescaling, 1 / 255), (2, 3)),
    right((Flatten,), (2, 3, 2)),
    right((ScaleShift,), (4,)),
    right(SCATTERED_SHIFT, (2, 3)),
    right(NORM, (4,)),
    right(SCATTERED_NORM, (3, 4)),
    right(SCATTERED_NORM, (2, 3, 2)),
    right((LayerNorm,), (4,)),
    right(SCATTERED_LAYER_NORM, (3, 4)),
    right(MASK, (6,)),
    right((Dropout, 0.9), (2, 3)),
    right((GaussianDropout,), (6,)),
    right((RandomizedReLU,), (6,)),
    right(CONV, IMAGE),
    right(SAME, (4, 3, 2)),
    right((Conv2D, 1, 1), (3, 3, 2)),
    right((MaxPool2D,), (4, 6, 2)),
    right((AveragePool2D,), (4, 6, 2)),
    right((CumulativeSum,), (5,)),
    right((CumulativeSum,), (4, 2)),
    right(RNN, (3, 2)),
    right((SimpleRNN, 3), (4, 3)),
    right((DotProductAttention, 3), (4, 3)),
    right((DotProductAttention, 2), (3, 4)),
    right((Residual, 4), (4,)),
    right((TwoBranches, 3), (4,)),
    right((MSELoss,), (3,)),
    right((MSELoss,), (2, 3)),
    right((BCELoss,), (1,)),
    right((BCELoss,), (3,), "soft targets", soft_probabilities),
    right((BCEWithLogitsLoss,), (3,)),
    right((CrossEntropyLoss,), (4,)),
    right((CrossEntropyLoss, 0.1), (2, 4)),
    right((CrossEntropyLoss,), (4,), "soft targets", soft_classes),
    right((HuberLoss,), (4,)),
    right((HingeLoss,), (4,)),
    Case("Sequential", "", lambda: Sequential([Dense(4), BatchNorm(), Tanh(), Dense(2)], rng=0, dtype="float64"), (3,), ()),
    Case("Sequential", "bias before Softmax", lambda: Sequential([Dense(4), Softmax(), Dense(2)], rng=0, dtype="float64"), (3,), ()),
    Case("Residual", "around a Tanh", lambda: Residual(Tanh()), (4,), ()),
]  # fmt: skip
