"""Normalisations: what forward divides by depends on x (or on the weights) too."""

import numpy as np

from .base import UserLayer, features, normal, positive


class RMSNorm(UserLayer):
    """y = scale * x / sqrt(mean(x^2) + eps), over the features."""

    weights = {"scale": (features, "ones")}
    bugs = {
        "rms constant": "the root mean square is treated as a constant: the term through it is missing",
        "scale not in projection": "the term through the rms is made from dy, where dy * scale is due",
        "sum for mean": "the term through the rms has the sum over the features where the mean is due: n times too large",
        "as layernorm": "a mean of dy is subtracted as in layer normalisation: forward subtracts no mean, so a term too many",
    }

    def forward(self, x):
        rms = np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
        self.cache = x / rms, rms
        return x / rms * self.scale.value

    def backward(self, dy):
        h, rms = self.cache
        self.scale.grad = (dy * h).sum(0)
        dh = dy * self.scale.value
        if self.bug == "rms constant":
            return dh / rms
        along = (dy if self.bug == "scale not in projection" else dh) * h
        along = along.sum(-1, keepdims=True) if self.bug == "sum for mean" else along.mean(-1, keepdims=True)
        mean = dh.mean(-1, keepdims=True) if self.bug == "as layernorm" else 0
        return (dh - mean - h * along) / rms


class WeightNormDense(UserLayer):
    """y = x @ (g v / |v|) + bias, with |v| the length of each column of v."""

    shape = (5, 3)
    weights = {"v": (lambda s: (s[-1], 4), normal), "g": ((4,), positive), "bias": ((4,), "zeros")}
    bugs = {
        "no projection": "|v| is treated as a constant in v.grad: the part of dw along v is not taken out",
        "g grad with v": "g.grad is the sum of dw * v, where dw * v / |v| is due",
        "v grad without g": "the factor g is missing in v.grad",
        "v grad over norm squared": "v.grad is divided by |v|^2, where |v| is due",
        "norm over the wrong axis": "the projection in v.grad sums over the outputs, where it should over the inputs",
    }

    def forward(self, x):
        length = np.sqrt((self.v.value**2).sum(0))
        self.cache = x, length
        return x @ (self.v.value * self.g.value / length) + self.bias.value

    def backward(self, dy):
        (x, length), v, g, bug = self.cache, self.v.value, self.g.value, self.bug
        dw, unit = x.T @ dy, v / length
        self.bias.grad = dy.sum(0)
        self.g.grad = (dw * (v if bug == "g grad with v" else unit)).sum(0)
        along = unit * (dw * unit).sum(0)
        if bug == "no projection":
            along = 0
        if bug == "norm over the wrong axis":
            along = unit * (dw * unit).sum(1, keepdims=True)
        outer = 1 if bug == "v grad without g" else g
        self.v.grad = outer / (length**2 if bug == "v grad over norm squared" else length) * (dw - along)
        return dy @ (v * g / length).T


class LayerNormVar(UserLayer):
    """Layer normalisation as many write it: x.var(...) in forward, which a complex step does not follow."""

    weights = {"gamma": (features, "ones"), "beta": (features, "zeros")}
    bugs = {
        "variance constant": "the variance is treated as a constant: the term through it is missing",
        "mean and variance constant": "mean and variance are treated as constants: both terms are missing",
        "mean constant": "the mean is treated as a constant: the term through it is missing",
    }

    def forward(self, x):
        std = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        h = (x - x.mean(-1, keepdims=True)) / std
        self.cache = h, std
        return h * self.gamma.value + self.beta.value

    def backward(self, dy):
        h, std = self.cache
        self.gamma.grad, self.beta.grad = (dy * h).sum(0), dy.sum(0)
        dh = dy * self.gamma.value
        mean = 0 if self.bug in ("mean constant", "mean and variance constant") else dh.mean(-1, keepdims=True)
        var = (
            0
            if self.bug in ("variance constant", "mean and variance constant")
            else h * (dh * h).mean(-1, keepdims=True)
        )
        return (dh - mean - var) / std


class L2NormLinalg(UserLayer):
    """y = x / |x|, with np.linalg.norm in forward, which a complex step does not follow."""

    bugs = {"norm constant": "|x| is treated as a constant: the part of dy along y is not taken out"}

    def forward(self, x):
        length = np.linalg.norm(x, axis=1, keepdims=True)
        self.cache = x / length, length
        return x / length

    def backward(self, dy):
        y, length = self.cache
        along = 0 if self.bug else y * (dy * y).sum(1, keepdims=True)
        return (dy - along) / length


class GroupNormVar(UserLayer):
    """The features in two groups, each brought to mean 0 and variance 1; .var in forward."""

    shape = (3, 6)
    bugs = {"var constant": "the groups' variances are treated as constants: the term through them is missing"}

    def forward(self, x):
        groups = x.reshape(len(x), 2, 3)
        std = np.sqrt(groups.var(2, keepdims=True) + 1e-5)
        h = (groups - groups.mean(2, keepdims=True)) / std
        self.cache = h, std
        return h.reshape(x.shape)

    def backward(self, dy):
        h, std = self.cache
        dh = dy.reshape(h.shape)
        var = 0 if self.bug else h * (dh * h).mean(2, keepdims=True)
        return ((dh - dh.mean(2, keepdims=True) - var) / std).reshape(dy.shape)


CLASSES = [RMSNorm, WeightNormDense, LayerNormVar, L2NormLinalg, GroupNormVar]
