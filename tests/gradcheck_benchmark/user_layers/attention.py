"""Attention: x enters twice, as what is summed and as what says how much of it."""

import numpy as np

from .base import UserLayer, normal, softmax


class AttentionPooling(UserLayer):
    """Additive attention over time: a = softmax_t(tanh(x W) u), y = sum_t a_t x_t. x is (batch, time, features)."""

    shape = (3, 4, 2)
    weights = {"W": (lambda s: (s[-1], 3), normal), "u": ((3,), normal)}
    bugs = {
        "score path missing": "dx holds the summed values alone: the path x -> scores -> weights is missing",
        "value path missing": "dx holds the path through the scores alone: the values' own a * dy is missing",
        "softmax jacobian diagonal": "of softmax's Jacobian only the diagonal a (1 - a) is used: the terms between times are missing",
        "softmax over batch": "softmax's backward sums over the batch, where forward normalised over time",
        "tanh' missing": "the derivative of tanh is missing in the path through the scores",
        "u grad from x W": "u.grad is made from x W, where tanh(x W) is due",
    }

    def forward(self, x):
        z = x @ self.W.value
        a = softmax(np.tanh(z) @ self.u.value, 1)
        self.cache = x, z, a
        return (a[..., None] * x).sum(1)

    def backward(self, dy):
        (x, z, a), bug = self.cache, self.bug
        t = np.tanh(z)
        da = (x * dy[:, None]).sum(-1)
        ds = a * (da - (da * a).sum(0 if bug == "softmax over batch" else 1, keepdims=True))
        if bug == "softmax jacobian diagonal":
            ds = a * (1 - a) * da
        self.u.grad = np.einsum("nt,ntk->k", ds, z if bug == "u grad from x W" else t)
        dz = ds[..., None] * self.u.value
        if bug != "tanh' missing":
            dz = dz * (1 - t * t)
        self.W.grad = np.einsum("ntc,ntk->ck", x, dz)
        values, scores = a[..., None] * dy[:, None], dz @ self.W.value.T
        if bug == "score path missing":
            return values
        return scores if bug == "value path missing" else values + scores


CLASSES = [AttentionPooling]
