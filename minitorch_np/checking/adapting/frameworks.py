"""Functions and modules of PyTorch, and functions of JAX. Both are imported only when the object comes from there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.arrays_inside import is_number

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class TorchCode(Foreign):
    """A torch.autograd.Function with its further arguments, or a torch.nn.Module.

    Each backward runs forward again, so that no tensor with a history is kept. Random numbers are the same in every forward.
    """

    shared = ("target", "wide")

    def __init__(self, target: Any, parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.target, self.given = target, dict(arguments)
        self.is_module = not isinstance(target, type)
        self.constants = {name: value for name, value in parameters.items() if not is_number(np.asarray(value))}
        self.order = [*parameters]
        floats = {name: np.asarray(_numpy(value)) for name, value in parameters.items() if name not in self.constants}
        if self.is_module:
            floats = {name: _numpy(value) for name, value in target.named_parameters() if value.requires_grad}
        self.values = {name: Parameter.sharing(np.array(value, np.float64)) for name, value in floats.items()}

    def meet(self, x: NDArray) -> NDArray:
        whole = x.dtype.kind in "biu"
        self.know_shapes(x, self.forward(x if whole else x.astype(np.float64)))
        return x if whole else x.astype(np.float64)

    def forward(self, x: NDArray) -> NDArray:
        self.kept = x.copy()
        y, _, _ = self._run()
        return np.asarray(_numpy(y))

    def backward(self, dy: NDArray) -> Any:
        import torch

        y, x, leaves = self._run()
        wanted = ([x] if x.requires_grad else []) + list(leaves.values())
        found = torch.autograd.grad(y, wanted, torch.tensor(dy), allow_unused=True)
        gradients = [None if gradient is None else np.array(_numpy(gradient)) for gradient in found]
        dx = gradients.pop(0) if x.requires_grad else None
        for name, gradient in zip(leaves, gradients, strict=True):
            self.values[name].grad = gradient
        return dx

    def _run(self) -> tuple[Any, Any, dict[str, Any]]:
        """y, x and the parameters as tensors."""
        import torch

        x = torch.tensor(self.kept, requires_grad=self.kept.dtype.kind in "fc")
        leaves = {name: torch.tensor(parameter.value, requires_grad=True) for name, parameter in self.values.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                if self.is_module:
                    module = self.target
                    module.train(self.training)
                    dtype = x.dtype if x.requires_grad else torch.float64
                    buffers = {
                        name: b.detach().clone().to(dtype) if b.is_floating_point() else b.detach().clone()
                        for name, b in module.named_buffers()
                    }
                    y = torch.func.functional_call(module, {**leaves, **buffers}, (x, *self.given.values()))
                else:
                    others = [leaves.get(name, self.constants.get(name)) for name in self.order]
                    y = self.target.apply(x, *others, *self.given.values())
            except RuntimeError as error:
                if any(t.is_complex() for t in (x, *leaves.values())):
                    raise TypeError(f"complex numbers: {error}") from error
                raise
        return (y[0] if isinstance(y, tuple) else y), x, leaves

    def looked_at(self) -> str:
        names = ", ".join(["x", *self.values])
        return f"looked at, with the gradients of torch.autograd: {names}"

    def __repr__(self) -> str:
        return self.target.__name__ if isinstance(self.target, type) else type(self.target).__name__


class JaxCode(Foreign):
    """A function of JAX, such as one with custom_vjp, with its further arguments."""

    shared = ("function", "wide")

    def __init__(self, function: Any, parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.function, self.given = function, dict(arguments)
        self.values = {name: Parameter.sharing(np.array(value, np.float64)) for name, value in parameters.items()}

    def meet(self, x: NDArray) -> NDArray:
        x = np.asarray(x, np.float64)
        self.know_shapes(x, self.forward(x))
        return x

    def forward(self, x: NDArray) -> NDArray:
        import jax

        self.kept = x.copy()
        with _in_float64(jax):
            return np.array(self.function(x, *(p.value for p in self.values.values()), *self.given.values()))

    def backward(self, dy: NDArray) -> Any:
        import jax

        def function(x: Any, *values: Any) -> Any:
            return self.function(x, *values, *self.given.values())

        with _in_float64(jax):
            y, pull = jax.vjp(function, self.kept, *(p.value for p in self.values.values()))
            found = pull(jax.numpy.asarray(dy, y.dtype))
            dx, *gradients = [np.array(gradient) for gradient in found]
        for parameter, gradient in zip(self.values.values(), gradients, strict=True):
            parameter.grad = gradient
        return dx

    def looked_at(self) -> str:
        return f"looked at, with the gradients of jax.vjp: {', '.join(['x', *self.values])}"

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


def _in_float64(jax: Any) -> Any:
    """A `with` block in which JAX keeps float64; its name depends on the version."""
    return jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64()


def is_torch(target: Any) -> bool:
    """Whether it is a Function or a Module of PyTorch. PyTorch is not imported for that."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return isinstance(target, torch.nn.Module) or (
        isinstance(target, type) and issubclass(target, torch.autograd.Function)
    )


def is_jax(target: Any) -> bool:
    """Whether it is a function that JAX made: custom_vjp, custom_jvp, jit."""
    return (
        callable(target)
        and not isinstance(target, type)
        and type(target).__module__.partition(".")[0] in ("jax", "jaxlib")
    )


def _numpy(value: Any) -> Any:
    return value.detach().numpy() if hasattr(value, "detach") else value
