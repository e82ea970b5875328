"""Engines of nodes in the manner of micrograd: a mistake at a value that is used several times gets its name."""

import numpy as np
import pytest
from test_adapt import check

import minitorch_np as mt

SHAPE = (4, 3)
OVERWRITTEN, AT_EACH_USE, TOO_EARLY = (
    "is overwritten",
    "sends its gradient on once for each use",
    "before all its uses have sent their parts",
)


def engine(mistake):
    """A class of nodes, of numbers or of arrays, with one mistake or none."""

    class Value:
        def __init__(self, data, parents=(), method=""):
            self.data, self.grad, self.parents, self.method, self.send = data, 0.0, parents, method, lambda: ()

        def made(self, data, parents, method, send):
            out = Value(data, parents, method)
            out.send = lambda: send(out.grad)
            return out

        def __add__(self, other):
            return self.made(self.data + other.data, (self, other), "add", lambda g: (g, g))

        def __mul__(self, other):
            return self.made(self.data * other.data, (self, other), "mul", lambda g: (g * other.data, g * self.data))

        def tanh(self):
            e = np.exp(2 * self.data)
            t = (e - 1) / (e + 1)
            return self.made(t, (self,), "tanh", lambda g: (g * (1 - t * t),))

        def give(self):
            for parent, part in zip(self.parents, self.send(), strict=True):
                overwrites = mistake == "overwrite" or mistake == f"overwrite in {self.method}"
                parent.grad = part if overwrites else parent.grad + part

        def backward(self, grad=1.0):
            self.grad = grad.data if isinstance(grad, Value) else grad
            if mistake == "recursion":
                return self.recurse()
            order, seen = [], set()

            def visit(node):
                if node not in seen:
                    seen.add(node)
                    order.extend([node] if mistake == "depth first" else [])
                    for parent in node.parents:
                        visit(parent)
                    order.extend([node] if mistake != "depth first" else [])

            visit(self)
            for node in order if mistake == "depth first" else order[::-1]:
                node.give()
            return None

        def recurse(self):
            self.give()
            for parent in self.parents:
                parent.recurse()

    return Value


def numbers(v):
    m = v[0] * v[0]
    n = m + v[1]
    return (n * m).tanh() + n * v[2]


def array(x):
    h = x * x
    n = (h + x).tanh()
    return n * h + h * x


@pytest.mark.parametrize("formula", [numbers, array])
@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("", ""), ("overwrite", OVERWRITTEN), ("overwrite in add", OVERWRITTEN), ("overwrite in mul", OVERWRITTEN),
        ("recursion", AT_EACH_USE), ("depth first", TOO_EARLY),
    ],
)  # fmt: skip
def test_mistakes_at_values_that_are_used_several_times(formula, mistake, said):
    report = check(mt.gradcheck.adapt(formula, node=engine(mistake)), SHAPE)
    assert report.verdict == ("fail" if mistake else "pass"), report
    if mistake:
        assert report.diagnosis.name == "used several times", report
        assert said in report.diagnosis.detail
        if mistake.startswith("overwrite in"):
            assert f"in `__{mistake.split()[-1]}__`" in report.diagnosis.detail


def test_a_mistake_within_one_operator_gets_another_name():
    class Value(engine("")):
        def __mul__(self, other):
            return self.made(self.data * other.data, (self, other), "mul", lambda g: (g * other.data, -g * self.data))

        def made(self, data, parents, method, send):
            out = Value(data, parents, method)
            out.send = lambda: send(out.grad)
            return out

    report = check(mt.gradcheck.adapt(lambda v: v[0] * v[1], node=Value), SHAPE)
    assert report.verdict == "fail"
    assert report.diagnosis.name != "used several times"
