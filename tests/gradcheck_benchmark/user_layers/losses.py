"""Losses: backward has no dy, and the mean's 1/m belongs to it."""

import numpy as np

from .base import UserLoss


class QuantileLoss(UserLoss):
    """The mean of 0.8 d where d = target - prediction > 0, and -0.2 d elsewhere."""

    bugs = {
        "q and 1-q swapped": "the slopes of the two sides are exchanged",
        "sign": "the sign is wrong everywhere",
        "not divided": "the mean's 1/m is missing",
        "median": "both sides have the slope 0.5, as if the quantile were the median",
    }

    def forward(self, p, t):
        d = t - p
        self.cache = d
        return np.where(d.real > 0, 0.8 * d, -0.2 * d).mean()

    def backward(self):
        d, bug = self.cache, self.bug
        above, below = {"q and 1-q swapped": (0.2, 0.8), "median": (0.5, 0.5)}.get(bug, (0.8, 0.2))
        g = np.where(d > 0, d.dtype.type(-above), d.dtype.type(below))
        if bug != "not divided":
            g = g / d.size
        return -g if bug == "sign" else g


class PoissonNLL(UserLoss):
    """The mean of exp(p) - t p: p is the logarithm of the rate."""

    bugs = {
        "log input forgotten": "1 - t / p: the derivative for a rate, where p is the rate's logarithm",
        "target sign": "exp(p) + t: the target's term has the wrong sign",
        "not divided": "the mean's 1/m is missing",
    }

    @classmethod
    def data(cls, rng):
        return rng.normal(size=cls.shape), rng.poisson(2.0, cls.shape) * 1.0

    def forward(self, p, t):
        self.cache = p, t
        return (np.exp(p) - t * p).mean()

    def backward(self):
        (p, t), bug = self.cache, self.bug
        g = np.exp(p) - t
        if bug == "log input forgotten":
            g = 1 - t / p
        if bug == "target sign":
            g = np.exp(p) + t
        return g if bug == "not divided" else g / p.size


class DiceLoss(UserLoss):
    """1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1)."""

    bugs = {
        "denominator constant": "the denominator is treated as a constant: the second term of the quotient rule is missing",
        "factor 2 missing": "half of it: the 2 is missing",
        "sign": "the sign is wrong everywhere",
    }

    @classmethod
    def data(cls, rng):
        return rng.uniform(0.1, 0.9, cls.shape), (rng.random(cls.shape) < 0.5) * 1.0

    def forward(self, p, t):
        both, total = (p * t).sum(), p.sum() + t.sum() + 1
        self.cache = t, both, total
        return 1 - (2 * both + 1) / total

    def backward(self):
        t, both, total = self.cache
        g = -2 * t / total
        if self.bug != "denominator constant":
            g = g + (2 * both + 1) / total**2
        return {"sign": -g, "factor 2 missing": g / 2}.get(self.bug, g)


class ContrastiveLoss(UserLoss):
    """Two embeddings a | b side by side, d = |a - b|: the mean of t d^2 + (1 - t) max(0, 2 - d)^2; np.linalg.norm."""

    shape = (6, 4)
    bugs = {
        "margin part sign": "the margin's term has the wrong sign",
        "second embedding same sign": "the second embedding gets the first one's gradient: its sign is missing",
        "distance not divided": "the derivative of the distance, (a - b) / d, lacks the 1 / d",
        "similar part missing": "the term of the similar pairs, t d^2, is missing",
    }

    @classmethod
    def data(cls, rng):
        return rng.normal(size=cls.shape) * 0.7, rng.integers(0, 2, cls.shape[0]) * 1.0

    def forward(self, p, t):
        a, b = np.split(p, 2, 1)
        d = np.linalg.norm(a - b, axis=1)
        self.cache = a - b, d, t
        return (t * d * d + (1 - t) * np.maximum(0, 2 - d) ** 2).mean()

    def backward(self):
        (e, d, t), bug = self.cache, self.bug
        margin = 2 * (1 - t) * np.maximum(0, 2 - d)
        slope = margin if bug == "margin part sign" else -margin
        if bug != "similar part missing":
            slope = slope + 2 * t * d
        g = (slope if bug == "distance not divided" else slope / d)[:, None] * e / len(d)
        return np.concatenate([g, g if bug == "second embedding same sign" else -g], 1)


class KLNormal(UserLoss):
    """mu | log variance against the standard normal: the mean over the batch of -1/2 sum(1 + l - mu^2 - e^l)."""

    shape = (5, 4)
    bugs = {
        "logvar sign": "the half of the log variance has the wrong sign",
        "mu doubled": "the half of mu is twice too large",
        "exp forgotten": "l stands in the half of the log variance, where exp(l) is due",
        "minus 1 forgotten": "the term of l itself, a constant, is missing in the half of the log variance",
    }

    def forward(self, p, t):
        mu, log_variance = np.split(p, 2, 1)
        self.cache = mu, log_variance
        return -0.5 * (1 + log_variance - mu * mu - np.exp(log_variance)).sum() / len(p)

    def backward(self):
        (mu, log_variance), bug = self.cache, self.bug
        dmu = 2 * mu if bug == "mu doubled" else mu
        dl = 0.5 * (log_variance if bug == "exp forgotten" else np.exp(log_variance))
        if bug != "minus 1 forgotten":
            dl = dl - 0.5
        return np.concatenate([dmu, -dl if bug == "logvar sign" else dl], 1) / len(mu)


CLASSES = [QuantileLoss, PoissonNLL, DiceLoss, ContrastiveLoss, KLNormal]
