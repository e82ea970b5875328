"""What authors write for a maximum over axes, and for an operation that is known by its Jacobian alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.tracing.operations import expand, jacobian

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.edges import Edge


def of_largest(edge: Edge) -> Iterator[Alternative]:
    """The gradient of a maximum or minimum goes to all elements."""
    largest, smallest = ("largest", "smallest") if edge.node.op == "max" else ("smallest", "largest")
    says = f"the gradient of {{place}} goes to all elements instead of to the {largest} alone"
    yield Alternative(
        2, "wrong element", says, lambda e, g: expand(e.node, g) * np.ones(e.operand.value.shape), change="{mask}"
    )
    says = f"the gradient of {{place}} is shared by all elements instead of going to the {largest} alone"
    rule = lambda e, g: expand(e.node, g) * np.ones(e.operand.value.shape) * e.node.value.size / e.operand.value.size  # noqa: E731
    yield Alternative(2.2, "wrong element", says, rule, change="{mask}")
    says = f"the gradient of {{place}} goes to the {smallest} element instead of the {largest}"
    yield Alternative(2.04, "wrong element", says, lambda e, g: expand(e.node, g) * _opposite(e), change="{mask}")


def _opposite(edge: Edge) -> NDArray:
    """The smallest elements of a maximum over axes, or the largest of a minimum."""
    value, (axes, _) = edge.operand.value, edge.node.detail
    return np.asarray(value == (value.min if edge.node.op == "max" else value.max)(axes, keepdims=True))


def of_matrix(edge: Edge) -> Iterator[Alternative]:
    """An operation that is known by its Jacobian alone."""
    if edge.shape != edge.operand.value.shape:
        return
    says = "backward applies {place} once more, in the same direction; it must go the other way"
    rule = lambda e, g: (jacobian(e.node, e.operand.value) @ g.ravel()).reshape(g.shape)  # noqa: E731
    yield Alternative(2.2, "wrong direction", says, rule)
    says = "of {place} only the diagonal is used: what an element does to other places is missing"
    rule = lambda e, g: g * np.diagonal(jacobian(e.node, e.operand.value)).reshape(g.shape)  # noqa: E731
    yield Alternative(2.2, "diagonal only", says, rule)
