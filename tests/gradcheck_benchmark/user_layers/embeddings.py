"""Embeddings: rows of a table picked by whole numbers; the same row may be picked many times."""

import numpy as np

from .base import UserLayer, normal


class TokenAndPosition(UserLayer):
    """y[n, t] = table[i[n, t]] + position[t], and position alone where i = 0 (padding). i holds whole numbers."""

    shape = (5, 4)
    weights = {"table": ((6, 3), normal), "position": (lambda s: (s[-1], 3), normal)}
    bugs = {
        "fancy +=": "table.grad[i] += dy counts a token that comes up more than once only once (np.add.at is due)",
        "averaged over uses": "a token's gradient is divided by how often it comes up, where its uses should be summed",
        "padding counted": "the padding's row gets a gradient although forward does not use it: the mask is forgotten",
        "one step late": "each token gets the dy of the step before its own",
        "position averaged": "position.grad is averaged over the batch, where it should be summed",
    }

    @classmethod
    def data(cls, rng):
        return rng.integers(0, 6, cls.shape), None

    def forward(self, i):
        if not np.array_equal(i, i.astype(int)):
            raise ValueError("TokenAndPosition takes whole numbers.")
        i = i.astype(int)
        self.cache = i
        return self.table.value[i] * (i > 0)[..., None] + self.position.value

    def backward(self, dy):
        i, bug = self.cache, self.bug
        self.position.grad = dy.mean(0) if bug == "position averaged" else dy.sum(0)
        dtable = np.zeros(self.table.shape, dy.dtype)
        d = np.roll(dy, 1, 1) if bug == "one step late" else dy
        if bug != "padding counted":
            d = d * (i > 0)[..., None]
        if bug == "fancy +=":
            dtable[i] += d
        else:
            np.add.at(dtable, i, d)
        if bug == "averaged over uses":
            dtable /= np.maximum(np.bincount(i.ravel(), minlength=len(dtable)), 1)[:, None].astype(dy.dtype)
        self.table.grad = dtable


CLASSES = [TokenAndPosition]
