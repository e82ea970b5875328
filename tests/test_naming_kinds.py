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


CASES = {
    SlopeWithoutAlpha: ((5, 4), ("the derivative where x < 0 is 1 + y instead of 1.5 * exp(x)",), ("slope is",)),
    SquareForCube: ((4, 3), ("np.sqrt(", "Write `1 / (2 *"), ("square root",)),
    TwiceOneDirection: ((5, 3), ("`x` is used instead of", "called by"), ("the step before",)),
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
