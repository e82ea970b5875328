"""Other gradient checkers on the same layers and losses; each reports "pass" or "fail".

Where the real function takes a NumPy function with its backward, it is called, with its defaults:

- PyTorch: torch.autograd.gradcheck on a torch.autograd.Function around forward and backward. "PyTorch" gets x and every
  parameter as inputs, which a Function needs to have gradients for them; "PyTorch, x only" is what a user of
  gradcheck(module, x) has, which does not take a module's parameters as arguments.
- JAX: jax.test_util.check_vjp, which is what check_grads(modes=("rev",), order=1) calls, with its f_vjp from our
  backward instead of jax.vjp, in double precision. A forward-mode rule or a second order does not exist here.
- autograd: autograd.test_util.check_grads(modes=["rev"], order=1) of an extend.primitive with our backward as its vjp.
- CS231n: eval_numerical_gradient_array and rel_error of the course's assignments, h = 1e-5, on x and every parameter
  with a random upstream gradient. The notes call errors up to 1e-4 fine with kinks and 1e-7 good; fails above 1e-5.

Each is called once, as its users do: in double precision, in training mode, with the parameters as they were built.
PyTorch sums a gradient that still has the batch's axis, so there it is not a bug. Every forward draws the same random
numbers (a user who knows of dropout seeds it), each backward but CS231n's meets the cache of its own forward, however
many came after it, and an exception of any kind counts as "fail": the user is warned.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Callable

import numpy as np

from minitorch_np import Loss


class NothingToCheck(Exception):
    """Neither x nor a parameter is an argument."""


class Function:
    """A layer or loss as a function of several arrays: x if it holds floats, then the trainable parameters."""

    def __init__(self, target, x, y, *, with_parameters=True):
        self.target = copy.deepcopy(target)
        self.y = y
        self.fixed = None if x.dtype.kind == "f" else x  # whole numbers, which have no derivative
        self.parameters = []
        if not isinstance(target, Loss):
            self.target.initialize(x.shape[1:], 0, np.float64)
            self.target.forward(x.copy())  # layers that make a generator in their first forward have it now
            if with_parameters:
                self.parameters = [one for one in self.target.parameters().values() if one.trainable]
        self.generators = [(one, copy.deepcopy(one.bit_generator.state)) for one in self._generators()]
        self.arguments = [] if self.fixed is not None else [x.copy()]
        self.arguments += [parameter.value.copy() for parameter in self.parameters]
        if not self.arguments:
            raise NothingToCheck

    def __call__(self, *arguments):
        x, *values = arguments if self.fixed is None else (self.fixed, *arguments)
        for generator, state in self.generators:
            generator.bit_generator.state = state
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.replace(value)
        return np.asarray(self.target.forward(x) if self.y is None else self.target.forward(x, self.y))

    def frozen(self):
        """A copy, with the cache of the last forward."""
        return copy.deepcopy(self)

    def backward(self, dy):
        """The gradients of the arguments."""
        if self.y is None:
            dx = [self.target.backward(dy)]
            return (dx if self.fixed is None else []) + [parameter.grad for parameter in self.parameters]
        return [dy * self.target.backward()]

    def _generators(self):
        if isinstance(self.target, Loss):
            return []
        return [node._generator for _, node in self.target.walk() if getattr(node, "_generator", None) is not None]


def pytorch(target, x, y, *, with_parameters=True):
    import torch

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            y = torch.from_numpy(np.array(function(*(tensor.detach().numpy() for tensor in tensors))))
            ctx.function = function.frozen()
            return y

        @staticmethod
        def backward(ctx, dy):
            found = ctx.function.backward(dy.numpy())
            return tuple(None if one is None else torch.from_numpy(np.array(one)) for one in found)

    function = Function(target, x, y, with_parameters=with_parameters)
    inputs = [torch.from_numpy(array.copy()).requires_grad_() for array in function.arguments]
    return torch.autograd.gradcheck(Wrapped.apply, inputs)


def pytorch_x_only(target, x, y):
    return pytorch(target, x, y, with_parameters=False)


def jax(target, x, y):
    import jax
    from jax.test_util import check_vjp

    def with_backward(*arguments):
        y = function(*arguments)
        frozen = function.frozen()

        def backward(dy):
            zeros = [np.zeros_like(argument) for argument in arguments]
            found = zip(frozen.backward(np.asarray(dy)), zeros, strict=True)
            return tuple(zero if gradient is None else gradient for gradient, zero in found)

        return y, backward

    function = Function(target, x, y)
    with jax.enable_x64(True):
        check_vjp(function, with_backward, tuple(function.arguments))
    return True


def autograd(target, x, y):
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    def vector_jacobian(number):
        def make(out, *arguments):
            frozen = function.frozen()
            return lambda dy: frozen.backward(np.asarray(dy))[number]

        return make

    function = Function(target, x, y)
    wrapped = primitive(lambda *arguments: function(*arguments))
    defvjp(wrapped, *map(vector_jacobian, range(len(function.arguments))))
    state = np.random.get_state()  # noqa: NPY002 autograd draws its directions from it
    np.random.seed(0)  # noqa: NPY002
    try:
        check_grads(wrapped, tuple(range(len(function.arguments))), modes=["rev"], order=1)(*function.arguments)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return True


def cs231n(target, x, y):
    function = Function(target, x, y)
    out = function(*function.arguments)
    dy = np.random.default_rng(0).normal(size=out.shape) if y is None else np.ones(())
    found = function.backward(dy)
    for number, argument in enumerate(function.arguments):
        numerical = np.zeros_like(argument)
        for place in np.ndindex(argument.shape):
            kept = argument[place]
            argument[place] = kept + 1e-5
            above = function(*function.arguments).copy()
            argument[place] = kept - 1e-5
            below = function(*function.arguments).copy()
            argument[place] = kept
            numerical[place] = np.sum((above - below) * dy) / 2e-5
        error = np.abs(found[number] - numerical) / np.maximum(1e-8, np.abs(found[number]) + np.abs(numerical))
        if not np.max(error) <= 1e-5:
            return False
    return True


RIVALS = {
    "PyTorch": ("torch", pytorch),
    "PyTorch, x only": ("torch", pytorch_x_only),
    "JAX": ("jax", jax),
    "autograd": ("autograd", autograd),
    "CS231n": ("numpy", cs231n),
}


def installed() -> dict[str, Callable[..., str]]:
    """The checkers whose library is there, by name, each (target, x, y) -> "pass" or "fail"."""
    return {name: judging(rule) for name, (module, rule) in RIVALS.items() if importlib.util.find_spec(module)}


def judging(rule):
    def judge(target, x, y=None):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                return "pass" if rule(target, x, y) else "fail"
            except NothingToCheck:
                return "nothing to check"
            except Exception:
                return "fail"

    return judge
