"""Graphs of nodes, PyTorch and JAX: handed over as they are."""

import numpy as np
import pytest
from test_adapt import W, check

import minitorch_np as mt

adapt = mt.gradcheck.adapt


def engine(bug):
    """A node of one number, which adds up its gradients."""

    class Value:
        def __init__(self, data, parents=()):
            self.data, self.grad, self.parents, self.send = data, 0.0, parents, lambda: None

        def __add__(self, other):
            other = other if isinstance(other, Value) else Value(other)
            out = Value(self.data + other.data, (self, other))

            def send():
                self.grad += out.grad
                other.grad += out.grad

            out.send = send
            return out

        __radd__ = __add__

        def __mul__(self, other):
            out = Value(self.data * other.data, (self, other))

            def send():
                self.grad += other.data * out.grad
                other.grad = other.grad + (self.data + bug) * out.grad

            out.send = send
            return out

        def tanh(self):
            out = Value(np.tanh(self.data), (self,))

            def send():
                self.grad += (1 - out.data**2) * out.grad

            out.send = send
            return out

        def backward(self):
            order, seen = [], set()

            def visit(node):
                if node not in seen:
                    seen.add(node)
                    for parent in node.parents:
                        visit(parent)
                    order.append(node)

            visit(self)
            self.grad = 1.0
            for node in reversed(order):
                node.send()

    return Value


def neurons(value, outputs):
    class MLP:
        def __init__(self):
            rng = np.random.default_rng(0)
            self.rows = [[value(v) for v in rng.normal(size=3)] for _ in range(outputs)]

        def __call__(self, x):
            outs = [sum((w * v for w, v in zip(row, x, strict=True)), value(0.1)).tanh() for row in self.rows]
            return outs[0] if len(outs) == 1 else outs

        def parameters(self):
            return [w for row in self.rows for w in row]

    return MLP()


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_model_of_nodes(outputs):
    report = check(neurons(engine(0), outputs), (4, 3))
    assert report.verdict == "pass", report
    assert len(report.tensors) == 1 + 3 * outputs
    assert check(neurons(engine(1), outputs), (4, 3)).verdict == "fail"


def test_a_formula_of_nodes():
    for bug, verdict in ((0, "pass"), (1, "fail")):
        assert check(adapt(lambda a, b: (a * b + a).tanh() * b, node=engine(bug)), (4, 2)).verdict == verdict


class Node:
    """A node of an array, with a gradient that backward takes or that is set before."""

    def __init__(self, data, back=None):
        self.data, self.grad, self.back = np.asarray(data), None, back

    def backward(self, out_grad=None):
        self.grad = np.ones_like(self.data) if out_grad is None else out_grad.data
        if self.back is not None:
            self.back(self.grad)


@pytest.mark.parametrize("bug", [False, True])
def test_a_model_of_nodes_that_hold_arrays(bug):
    class Linear:
        def __init__(self):
            self.weight = Node(W)

        def parameters(self):
            return [self.weight]

        def __call__(self, x):
            def back(g):
                x.backward(Node(g @ self.weight.data.T))
                self.weight.backward(Node(x.data.T @ g / (5 if bug else 1)))

            return Node(x.data @ self.weight.data, back)

    report = check(Linear())
    assert len(report.tensors) == 2
    assert report.verdict == ("fail" if bug else "pass"), report


def test_torch_functions_and_modules():
    torch = pytest.importorskip("torch", reason="needs PyTorch")

    def square(bug):
        class Square(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, w):
                ctx.save_for_backward(x, w)
                return x * x * w

            @staticmethod
            def backward(ctx, g):
                x, w = ctx.saved_tensors
                return 2 * x * w * g, None if bug else (x * x * g).sum(0)

        return Square

    assert check(adapt(square(False), parameters={"w": W[0]}), (5, 4))
    report = check(adapt(square(True), parameters={"w": W[0]}), (5, 4))
    assert (report.verdict, report.diagnosis.tensor) == ("fail", "w")

    class Net(torch.nn.Module):
        def __init__(self, bug):
            super().__init__()
            self.linear, self.w, self.f = torch.nn.Linear(3, 4), torch.nn.Parameter(torch.ones(4)), square(bug)

        def forward(self, x):
            return self.f.apply(torch.relu(self.linear(x)), self.w)

    report = check(Net(False))
    assert report.verdict == "pass", report
    assert set(report.tensors) == {"x", "w", "linear.weight", "linear.bias"}
    assert check(Net(True)).verdict == "fail"


def test_jax_functions():
    jax = pytest.importorskip("jax", reason="needs JAX")

    def sine(sign):
        f = jax.custom_vjp(lambda x: jax.numpy.sin(x))
        f.defvjp(lambda x: (jax.numpy.sin(x), jax.numpy.cos(x)), lambda c, g: (sign * g * c,))
        return f

    report = check(sine(1))
    assert report.verdict == "pass", report
    assert check(sine(-1)).diagnosis.name == "sign flipped"
