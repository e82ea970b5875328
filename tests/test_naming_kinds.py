"""The kinds of mistakes in code of strangers, each with what the first sentence must say, and must not."""

import numpy as np
import pytest

import minitorch_np as mt


class Theirs(mt.Layer):
    """Parameters by name and shape; subclasses write forward and backward."""

    shapes = {}

    def build(self, input_shape):
        for name, shape in self.shapes.items():
            setattr(self, name, self.add_parameter(shape, "glorot_uniform" if len(shape) > 1 else "ones"))


class SlopeWithoutAlpha(Theirs):
    def forward(self, x):
        self.x, self.y = x, np.where(x.real > 0, x, 1.5 * (np.exp(x) - 1))
        return self.y

    def backward(self, dy):
        return dy * np.where(self.x > 0, 1, self.y + 1)


class SquareForCube(Theirs):
    def forward(self, x):
        self.x, self.r = x, 1 / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 0.1)
        return x * self.r

    def backward(self, dy):
        along = np.mean(dy * self.x, axis=-1, keepdims=True)
        return dy * self.r - self.x * self.r**2 * along


class TwiceOneDirection(Theirs):
    """The weights' gradient of the second call is made from the first call's array."""

    shapes = {"W": (3, 2)}

    def through(self, x):
        return np.tanh(x @ self.W.value)

    def forward(self, x):
        z = x[:, ::-1] * 2
        self.x, self.z = x, z
        self.a, self.b = self.through(x), self.through(z)
        return self.a * 3 + self.b

    def backward(self, dy):
        da, db = 3 * dy * (1 - self.a**2), dy * (1 - self.b**2)
        self.W.grad = self.x.T @ da + self.x.T @ db
        return da @ self.W.value.T + 2 * (db @ self.W.value.T)[:, ::-1]


class TurnedKernel(Theirs):
    shapes = {"W": (2, 3, 3)}

    def forward(self, x):
        a, b = x[:, :3], x[:, 3:]
        self.cache = a, b
        return np.einsum("ni,kij,nj->nk", a, self.W.value, b)

    def backward(self, dy):
        a, b = self.cache
        self.W.grad = np.einsum("nk,ni,nj->kij", dy, a, b)
        da = np.einsum("nk,kij,nj->ni", dy, self.W.value, b)
        return np.hstack([da, np.einsum("nk,kji,ni->nj", dy, self.W.value, a)])


class Scaled(Theirs):
    """dx lacks the one number by which forward multiplies."""

    shapes = {"g": (1,)}

    def forward(self, x):
        self.x = x
        return self.g.value * x * np.sin(x)

    def backward(self, dy):
        self.g.grad = np.array([(dy * self.x * np.sin(self.x)).sum()])
        return dy * (np.sin(self.x) + self.x * np.cos(self.x))


class AveragedPositions(Theirs):
    shapes = {"b": (3,)}

    def forward(self, x):
        return x + self.b.value

    def backward(self, dy):
        self.b.grad = dy.mean(axis=1).sum(axis=0)
        return dy


class DerivativeElsewhere(Theirs):
    def forward(self, x):
        self.a, self.b = x[:, :3], x[:, 3:]
        return self.a * np.tanh(self.b)

    def backward(self, dy):
        return np.hstack([dy * np.tanh(self.b), dy * self.a * (1 - np.tanh(self.a) ** 2)])


def gelu(v):
    return 0.5 * v * (1 + np.tanh(0.8 * (v + 0.04 * v**3)))


def gelu_slope(v):
    t = np.tanh(0.8 * (v + 0.04 * v**3))
    return 0.5 * (1 + t) + 0.4 * v * (1 - t**2) * (1 + 0.12 * v**2)


class HelpersDerivativeElsewhere(Theirs):
    def forward(self, x):
        self.a, self.b = np.split(x, 2, axis=-1)
        return self.a * gelu(self.b)

    def backward(self, dy):
        return np.hstack([dy * gelu(self.b), dy * self.a * gelu_slope(self.a)])


class AveragesWithSums(Theirs):
    def forward(self, x):
        return x.reshape(len(x), 2, 3, 2).mean(axis=2)

    def backward(self, dy):
        return np.repeat(dy[:, :, None], 3, axis=2).reshape(len(dy), 6, 2)


class Recurrent(Theirs):
    shapes = {"W": (3, 2), "U": (2, 2)}

    def forward(self, x):
        self.x, self.h = x, [np.zeros((len(x), 2), x.dtype)]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ self.W.value + self.h[-1] @ self.U.value))
        return np.stack(self.h[1:], axis=1)

    def before(self, t):
        return self.h[t]

    def added(self, later, dz):
        return dz @ self.U.value.T

    def result(self, t):
        return self.h[t + 1]

    def backward(self, dy):
        dW, dU, dx, later = np.zeros((3, 2)), np.zeros((2, 2)), np.zeros_like(self.x), np.zeros_like(dy[:, 0])
        for t in reversed(range(dy.shape[1])):
            dz = (dy[:, t] + later) * (1 - self.result(t) ** 2)
            dW, dU = dW + self.x[:, t].T @ dz, dU + self.before(t).T @ dz
            dx[:, t] = dz @ self.W.value.T
            later = self.added(later, dz)
        self.W.grad, self.U.grad = dW, dU
        return dx


class AddedUp(Recurrent):
    def added(self, later, dz):
        return later + dz @ self.U.value.T


class WrapsAround(Recurrent):
    def before(self, t):
        return self.h[1:][t - 1]  # of t = 0 the last


class KeepsOneStep(Recurrent):
    """What forward keeps of a step is overwritten by the next one."""

    def backward(self, dy):
        dW, dU, dx, later = np.zeros((3, 2)), np.zeros((2, 2)), np.zeros_like(self.x), 0
        for t in reversed(range(dy.shape[1])):
            dz = (dy[:, t] + later) * (1 - self.h[-1] ** 2)
            dW, dU = dW + self.x[:, -1].T @ dz, dU + self.h[-2].T @ dz
            dx[:, t], later = dz @ self.W.value.T, dz @ self.U.value.T
        self.W.grad, self.U.grad = dW, dU
        return dx


class PreviousResult(Recurrent):
    def result(self, t):
        return self.h[t]


class Masked:
    def forward(self, x):
        self.mask = x.real > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class OneLayerLeftOut(Theirs):
    """Of two layers that a loop runs, the first is not undone."""

    def forward(self, x):
        self.layers = [Masked(), Masked()]
        y = x
        for layer in self.layers:
            y = 0.5 - layer.forward(y)
        return y

    def backward(self, dy):
        return self.layers[1].backward(dy)


class SmallestInstead(Theirs):
    def forward(self, x):
        self.x = x
        return x.reshape(len(x), 2, 3).max(axis=2)

    def backward(self, dy):
        windows = self.x.reshape(len(dy), 2, 3)
        return (dy[..., None] * (windows == windows.min(axis=2, keepdims=True))).reshape(self.x.shape)


class ToAllPieces(Theirs):
    def forward(self, x):
        self.shape = x.shape
        return np.take_along_axis(x, x.real.argmax(axis=1)[:, None], axis=1)[:, 0]

    def backward(self, dy):
        return np.broadcast_to(dy[:, None], self.shape) + 0.0


class PaddingCutWrongly(Theirs):
    """A causal convolution with gaps of one, as a sum."""

    def forward(self, x):
        padded = np.pad(x, ((0, 0), (4, 0), (0, 0)))
        return padded[:, 4:] + 0.3 * padded[:, 2:-2] + 3 * padded[:, :-4]

    def backward(self, dy):
        dx = np.zeros((len(dy), dy.shape[1] + 4, dy.shape[2]))
        dx[:, 4:] += dy
        dx[:, 2:-2] += 0.3 * dy
        dx[:, :-4] += 3 * dy
        return dx[:, :-4]


class TiledForRepeated(Theirs):
    def forward(self, x):
        return np.repeat(x, 2, axis=1)

    def backward(self, dy):
        return dy.reshape(len(dy), 2, -1, dy.shape[2]).sum(axis=1)


class WindowStandsStill(Theirs):
    shapes = {"w": (3, 2)}

    def forward(self, x):
        self.x, n = x, x.shape[1] - 2
        return sum(x[:, k : k + n] * self.w.value[k] for k in range(3))

    def backward(self, dy):
        n, dx, dw = dy.shape[1], np.zeros_like(self.x), np.zeros((3, 2))
        for k in range(3):
            dx[:, k : k + n] += dy * self.w.value[k]
            dw[k] = (dy * self.x[:, :n]).sum((0, 1))
        self.w.grad = dw
        return dx


class FirstOfWindow(Theirs):
    def forward(self, x):
        return x.reshape(len(x), 2, 2, 2, 2).mean(axis=(2, 4))

    def backward(self, dy):
        dx = np.zeros((len(dy), 4, 4))
        dx[:, ::2, ::2] = dy / 4
        return dx


class ExchangedWeights(Theirs):
    shapes = {"V": (3, 2), "W": (3, 2)}

    def forward(self, x):
        self.x, self.a, self.b = x, np.tanh(x @ self.V.value), np.exp(x @ self.W.value)
        return self.a * self.b

    def backward(self, dy):
        da, db = dy * self.b * (1 - self.a**2), dy * self.a * self.b
        self.V.grad, self.W.grad = self.x.T @ da, self.x.T @ db
        return da @ self.W.value.T + db @ self.V.value.T


class MixedWithoutShares(Theirs):
    shapes = {"G": (3, 2), "W": (2, 3, 2)}

    def forward(self, x):
        p = 1 / (1 + np.exp(-(x @ self.G.value)))
        o = np.tanh(np.einsum("bd,edu->beu", x, self.W.value))
        self.cache = x, p, o
        return np.einsum("be,beu->bu", p, o)

    def backward(self, dy):
        x, p, o = self.cache
        da = dy[:, None] * (1 - o**2)  # p is missing
        ds = np.einsum("bu,beu->be", dy, o) * p * (1 - p)
        self.W.grad, self.G.grad = np.einsum("bd,beu->edu", x, da), x.T @ ds
        return ds @ self.G.value.T + np.einsum("beu,edu->bd", da, self.W.value)


class ScoresNotTransposed(Theirs):
    """y = (x A) (x B)^T; the gradient at y is not transposed on its way to x B."""

    shapes = {"A": (3, 2), "B": (3, 2)}

    def forward(self, x):
        self.x, self.q, self.k = x, x @ self.A.value, x @ self.B.value
        return self.q @ self.k.transpose(0, 2, 1)

    def backward(self, dy):
        dq, dk = dy @ self.k, dy @ self.q
        self.A.grad, self.B.grad = (np.einsum("bti,btj->ij", self.x, d) for d in (dq, dk))
        return dq @ self.A.value.T + dk @ self.B.value.T


CASES = {
    SlopeWithoutAlpha: ((5, 4), ("the derivative where x < 0 is 1 + y instead of 1.5 * exp(x)",), ("slope is",)),
    SquareForCube: ((4, 3), ("np.sqrt(", "Write `1 / (2 *"), ("square root",)),
    TwiceOneDirection: ((5, 3), ("`x` is used instead of", "called by"), ("the step before",)),
    Scaled: ((5, 4), ("divided by `g`: this factor is missing",), ("constant factor",)),
    AveragedPositions: ((5, 4, 3), ("divided by 4 (4 is the length of axis 1 of y",), ()),
    DerivativeElsewhere: (
        (5, 6),
        ("the derivative of `np.tanh(self.b)`", "is taken at `self.a` instead of at `self.b`"),
        (),
    ),
    HelpersDerivativeElsewhere: (
        (5, 6),
        ("the derivative of `gelu(self.b)`", "taken at `self.a` instead of at `self.b`"),
        (),
    ),
    AveragesWithSums: ((4, 6, 2), ("multiplied by the number of elements averaged (3)",), ("constant factor",)),
    AddedUp: ((3, 4, 3), ("is added up over the steps on the way back",), ()),
    WrapsAround: ((3, 4, 3), ("which for the first step is the last one: index -1",), ()),
    KeepsOneStep: ((3, 4, 3), ("undone with the arrays of the last step", "in a list"), ()),
    PreviousResult: ((3, 4, 3), ("made from another array than",), ()),
    OneLayerLeftOut: ((5, 4), ("the factor `self.mask` is missing in the first iteration",), ()),
    SmallestInstead: ((5, 6), ("goes to the smallest element instead of the largest",), ()),
    ToAllPieces: ((5, 3), ("gradients go to all places along axis 1, not only to the one that was picked",), ()),
    PaddingCutWrongly: (
        (3, 8, 2),
        ("is 4 places too late along axis 1", "padding is cut off at the wrong place"),
        (),
    ),
    TiledForRepeated: ((3, 4, 2), ("at i % 4 along axis 1", "instead of at i // 2"), ()),
    WindowStandsStill: ((3, 6, 2), ("w.grad: the numbers of the first place along axis 0", "does not move"), ()),
    FirstOfWindow: ((3, 4, 4), ("only every second place from 0 on of x's axis 1",), ("mask",)),
    MixedWithoutShares: ((5, 3), ("dx and W.grad", "the factor `p` is missing"), ()),
    ScoresNotTransposed: ((2, 4, 3), ("dx and B.grad", "is used instead of its transpose"), ()),
    ExchangedWeights: (
        (5, 3),
        ("`self.V.value` and `W` are exchanged: `self.V.value` belongs to `x @ self.V.value`",),
        (),
    ),
    TurnedKernel: ((5, 6), ("`W` is used with its last two axes exchanged",), ()),
}


@pytest.mark.parametrize("cls", CASES, ids=lambda cls: cls.__name__)
def test_the_diagnosis_names_the_mistake(cls):
    shape, words, not_words = CASES[cls]
    report = mt.gradcheck(cls(), shape, raise_exception=False)
    assert report.verdict == "fail"
    said = str(report.diagnosis)
    assert all(word in said for word in words), said
    assert not any(word in said for word in not_words), said
