"""Convolutions, pooling and reordering: which place of dy belongs to which place of x."""

import numpy as np

from .base import UserLayer, normal


class ConvTranspose1D(UserLayer):
    """Every x[t] adds its three taps to y[2t], y[2t+1], y[2t+2] (stride 2). x is (batch, time, channels)."""

    shape = (2, 4, 3)
    weights = {"kernel": (lambda s: (3, s[-1], 2), normal), "bias": ((2,), "zeros")}
    bugs = {
        "stride forgotten in dx": "dx reads dy at every place t + tap, where forward wrote at 2 t + tap",
        "kernel taps reversed": "the taps of kernel.grad come in reverse order",
        "bias only over batch": "bias.grad is summed over the batch but not over time, whose axis it keeps",
        "kernel channels from x shifted": "kernel.grad pairs dy with the x of the step before",
        "dx misses last tap": "the last tap's term is missing in dx",
    }

    def forward(self, x):
        kernel = self.kernel.value
        steps = 2 * x.shape[1] - 1
        y = np.zeros((len(x), steps + 2, 2), np.result_type(x, kernel))
        for tap in range(3):
            y[:, tap : tap + steps : 2] += x @ kernel[tap]
        self.cache = x
        return y + self.bias.value

    def backward(self, dy):
        x, kernel, bug = self.cache, self.kernel.value, self.bug
        steps = 2 * x.shape[1] - 1
        read = [dy[:, tap : tap + steps : 2] for tap in range(3)]
        source = np.roll(x, 1, 1) if bug == "kernel channels from x shifted" else x
        dk = np.stack([np.einsum("ntc,ntf->cf", source, g) for g in read])
        self.kernel.grad = dk[::-1].copy() if bug == "kernel taps reversed" else dk
        self.bias.grad = dy.sum(0) if bug == "bias only over batch" else dy.sum((0, 1))
        if bug == "stride forgotten in dx":
            read = [dy[:, tap : tap + x.shape[1]] for tap in range(3)]
        return sum(read[tap] @ kernel[tap].T for tap in range(2 if bug == "dx misses last tap" else 3))


class OverlapMaxPool(UserLayer):
    """The largest of three neighbours, the windows one apart, so that they overlap."""

    shape = (4, 7)
    bugs = {
        "overwrites in overlap": "= for += where one x is the largest of several windows: only the last window's dy stays",
        "to the first": "the gradient goes to the first place of the window, not to the largest",
        "ties to window start": "the place in the window is cut at 1: a maximum at the last place gives its gradient to its neighbour",
    }

    def forward(self, x):
        windows = np.stack([x[:, i : i + 5] for i in range(3)], -1)
        place = windows.real.argmax(-1)
        self.cache = x.shape, place
        return np.take_along_axis(windows, place[..., None], -1)[..., 0]

    def backward(self, dy):
        shape, place = self.cache
        dx = np.zeros(shape, dy.dtype)
        if self.bug == "to the first":
            place = place * 0
        if self.bug == "ties to window start":
            place = np.minimum(place, 1)
        rows = np.arange(shape[0])
        for t in range(5):
            if self.bug == "overwrites in overlap":
                dx[rows, t + place[:, t]] = dy[:, t]
            else:
                dx[rows, t + place[:, t]] += dy[:, t]
        return dx


class PixelShuffle(UserLayer):
    """Channels to space: (h, w, 4 c) -> (2 h, 2 w, c)."""

    shape = (2, 2, 3, 8)
    bugs = {
        "block order swapped": "the two places within a block are taken in the wrong order: right numbers at wrong places",
        "channels first": "the channels come before the block's width: right numbers at wrong places",
        "plain reshape": "dy is only reshaped: right numbers at wrong places, the axes' order is not undone",
    }

    def forward(self, x):
        n, h, w, c = x.shape
        self.cache = x.shape
        return x.reshape(n, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, c // 4)

    def backward(self, dy):
        n, h, w, c = self.cache
        if self.bug == "plain reshape":
            return dy.reshape(n, h, w, c).copy()
        axes = {"block order swapped": (0, 1, 3, 4, 2, 5), "channels first": (0, 1, 3, 5, 2, 4)}
        blocks = dy.reshape(n, h, 2, w, 2, c // 4)
        return blocks.transpose(axes.get(self.bug, (0, 1, 3, 2, 4, 5))).reshape(n, h, w, c)


CLASSES = [ConvTranspose1D, OverlapMaxPool, PixelShuffle]
