"""Graphs: code whose nodes differentiate themselves, such as micrograd's Value: `.data`, `.grad` and `.backward()`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.evidence import gradient_of

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class NodeGraph(Foreign):
    """A function or a model of nodes. Each backward builds the graph anew, as a second backward through one graph adds up.

    Args:
        formula: takes the nodes of one example as a list (or each as an argument), or one node with the whole x; returns a node.
        node: the class of the nodes.
    """

    shared = ("node", "wide")
    forgotten = ("cache",)

    def __init__(self, formula: Any, node: Callable[..., Any]) -> None:
        super().__init__()
        self.formula, self.node = formula, node
        self.name = getattr(formula, "__name__", type(formula).__name__)
        self.single_numbers = False

    def meet(self, x: NDArray) -> NDArray:
        x = np.asarray(x, np.float64)
        try:
            self._evaluate(x)
        except Exception:  # the nodes hold one number each
            self.single_numbers = True
        for name, parameter in self._nodes():
            self.values[name] = Parameter.sharing(np.array(parameter.data, np.float64))
        self.know_shapes(x, self.forward(x))
        return x

    def forward(self, x: NDArray) -> NDArray:
        self.kept = x.copy()
        for name, parameter in self._nodes():
            if name in self.values:
                value = self.values[name].value
                parameter.data = value.copy() if value.ndim else value[()]
        return self.narrow("y", self._evaluate(x))

    def _evaluate(self, x: NDArray) -> NDArray:
        """y as numbers.

        Raises:
            ValueError: a node with the whole x gives another number of examples.
        """
        if self.single_numbers:
            outs = [self._call([self.node(number) for number in row]) for row in x]
            y = np.array([[one.data for one in out] if isinstance(out, (list, tuple)) else out.data for out in outs])
            return y.astype(np.float64) if y.dtype.kind in "biu" else y  # a node may hold a whole 0
        y = np.asarray(_array(self.formula(self.node(x))))
        if y.shape[:1] not in ((), x.shape[:1]):
            raise ValueError("another number of examples")
        return y

    def _call(self, row: list[Any]) -> Any:
        if inspect.isfunction(self.formula) and len(inspect.signature(self.formula).parameters) == len(row) > 1:
            return self.formula(*row)
        return self.formula(row)

    def backward(self, dy: NDArray) -> NDArray:
        dx, gradients = self._of_numbers(dy) if self.single_numbers else self._of_array(dy)
        for name, gradient in gradients.items():
            self.values[name].grad = self.narrow(gradient_of(name), gradient)
        return self.narrow("dx", dx)

    def _of_numbers(self, dy: NDArray) -> tuple[NDArray, dict[str, Any]]:
        """Add up over examples and outputs. Each has a graph of its own: the gradients of one backward are in all its nodes."""
        own = dict(self._nodes())
        gradients: dict[str, Any] = {name: np.zeros(parameter.shape) for name, parameter in self.values.items()}
        dx = np.zeros(self.kept.shape)
        for example, upstream in enumerate(dy.reshape(len(self.kept), -1)):
            for number, factor in enumerate(upstream):
                for parameter in own.values():
                    parameter.grad = 0.0
                leaves = [self.node(value) for value in self.kept[example]]
                out = self._call(leaves)
                (out[number] if isinstance(out, (list, tuple)) else out).backward()
                dx[example] += factor * np.array([float(leaf.grad) for leaf in leaves])
                for name, parameter in own.items():
                    gradients[name] = gradients[name] + factor * float(parameter.grad)
        return dx, gradients

    def _of_array(self, dy: NDArray) -> tuple[NDArray, dict[str, Any]]:
        own = dict(self._nodes())
        for parameter in own.values():
            parameter.grad = None
        leaf = self.node(self.kept)
        self._start(self.formula(leaf), dy)
        return np.array(_array(leaf.grad)), {name: _array(parameter.grad) for name, parameter in own.items()}

    def _start(self, out: Any, dy: NDArray) -> None:
        """Backward from dy: as an argument, as the gradient set before, or through sum(out * dy)."""
        arguments = [
            name
            for name in inspect.signature(out.backward).parameters
            if "grad" in name.lower() and "retain" not in name.lower() and "create" not in name.lower()
        ]
        if arguments:
            try:
                out.backward(self.node(dy))
            except (TypeError, AttributeError):
                out.backward(dy)
        elif np.ndim(dy) == 0 or not hasattr(out, "sum"):
            out.grad = self.node(dy) if hasattr(self.node(dy), "creator") else dy
            out.backward()
        else:
            (out * self.node(dy)).sum().backward()

    def _nodes(self) -> Iterator[tuple[str, Any]]:
        """The parameters of a model, which its method `parameters` lists."""
        found = getattr(self.formula, "parameters", None)
        listed = found() if callable(found) else []
        for number, parameter in enumerate(listed.values() if isinstance(listed, dict) else listed):
            yield f"parameters.{number}", parameter

    def looked_at(self) -> str:
        count = len(self.values)
        told = f"{count} parameters by parameters()" if count else "no parameters found"
        return f"looked at: x (.grad of its nodes), {told}; every backward runs on a new graph"

    def __repr__(self) -> str:
        return self.name


def node_class(target: Any) -> Callable[..., Any] | None:
    """The class of the nodes of a model that lists its parameters, such as micrograd's MLP; else None."""
    if isinstance(target, type) or not callable(target):
        return None
    try:  # a property of somebody else may raise before the first forward
        found = getattr(target, "parameters", None)
        if not callable(found) or hasattr(target, "backward"):
            return None
        listed = list(found())
    except Exception:
        return None
    kinds = {type(one) for one in listed}
    fitting = len(kinds) == 1 and all(hasattr(listed[0], name) for name in ("data", "grad", "backward"))
    return kinds.pop() if fitting else None


def _array(value: Any) -> Any:
    """The array in a node, which may hold another node; an array or None as it is."""
    while value is not None and not isinstance(value, (np.ndarray, np.generic, float)):
        value = value.data
    return value
