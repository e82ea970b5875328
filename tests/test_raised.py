"""Errors that are raised inside a user-defined forward or backward get the remedy."""

import numpy as np
import pytest

import minitorch_np as mt


class Lookup(mt.Layer):
    """y = table[x], with x as the model gives it, or as whole numbers; dL/dtable by the x that forward kept."""

    def __init__(self, look, rows=lambda x: x):
        self.look, self.rows = look, rows

    def build(self, input_shape):
        self.table = self.add_parameter((10, 3))
        self.words = [*range(10)]

    def forward(self, x):
        self.cache = x, {"rows": self.rows(x)}
        return self.look(self, x)

    def backward(self, dy):
        self.table.grad = np.zeros_like(self.table.value)
        np.add.at(self.table.grad, self.cache[1]["rows"], dy)


INDICES = {
    "rows": lambda self, x: self.table.value[x],
    "take": lambda self, x: np.take(self.table.value, x, axis=0),
    "one-hot": lambda self, x: np.eye(10)[x],
    "a number": lambda self, x: self.table.value[x[0, 0]],
    "a list": lambda self, x: np.array([[self.words[i]] for i in x[:, 0]]),
    "counts": lambda self, x: np.bincount(x.ravel())[None],
    "along an axis": lambda self, x: np.take_along_axis(self.table.value[:3], x % 3, axis=1),
    "a range": lambda self, x: np.array([[0.0] for _ in range(x[0, 0])]),
    "a shape": lambda self, x: np.zeros(x[0, 0]),
}


@pytest.mark.parametrize("kind", INDICES)
def test_x_as_an_index_is_answered_with_the_line_that_works(kind):
    x = np.arange(1, 7).reshape(3, 2)
    given = (
        r"Lookup\(.*\)\.forward: .*x holds whole numbers as float32, .*Write x\.astype\(int\), as mt\.Embedding does\.$"
    )
    for network in (Lookup(INDICES[kind]), mt.Sequential([Lookup(INDICES[kind]), mt.Flatten()])):
        with pytest.raises((IndexError, TypeError), match=given) as caught:
            network(x)
        assert str(caught.value).count("astype") == 1
    Lookup(lambda self, x: INDICES[kind](self, x.astype(int)))(x)


def test_x_as_an_index_in_backward_is_answered_too():
    x = np.arange(6).reshape(3, 2)
    layer = Lookup(lambda self, x: self.table.value[x.astype(int)])
    y = layer(x)
    with pytest.raises(IndexError, match=r"\.backward: .*Keep x\.astype\(int\) in forward, as mt\.Embedding does\.$"):
        layer.backward(y)
    layer = Lookup(layer.look, lambda x: x.astype(int))
    layer(x)
    layer.backward(y)
    np.testing.assert_allclose(layer.table.grad[:6], y.reshape(6, 3), rtol=1e-6)


def test_errors_of_other_indices_stay_as_they_are():
    whole = np.arange(6.0).reshape(3, 2)
    for look, x in (
        (lambda self, x: self.table.value[x.astype(int) + 100], whole),  # too large
        (lambda self, x: x + "a", whole),
    ):
        with pytest.raises((IndexError, TypeError)) as caught:
            Lookup(look)(x)
        assert "astype" not in str(caught.value)
