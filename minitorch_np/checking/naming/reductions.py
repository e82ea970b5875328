"""What authors write for a sum, a mean or a maximum over axes, and for an operation that is a matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.tracing.operations import expand, jacobian

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.edges import Edge


def alternatives(edge: Edge) -> Iterator[Alternative]:
    """A sum, mean or maximum over axes is undone in another way."""
    shape, (axes, _) = edge.operand.value.shape, edge.node.detail
    for axis, size in enumerate(shape):
        if (axis,) != axes and size > 1:
            along = " and ".join(map(str, axes))
            says = f"backward spreads the gradient of {{place}} along axis {axis} instead of axis {along}"

            def spread(e, g, axis=axis):
                wide = np.broadcast_to(expand(e.node, g), e.operand.value.shape)
                count = wide.size / max(e.node.value.size, 1) if e.node.op == "mean" else 1
                return wide.mean(axis, keepdims=True) * np.ones(wide.shape) / count

            yield Alternative(2.2, "wrong axis", says, spread)
    if edge.node.op not in ("max", "min"):
        return
    largest = "largest" if edge.node.op == "max" else "smallest"
    for price, says, rule in (
        (
            2,
            f"goes to all elements instead of to the {largest} alone",
            lambda e, g: expand(e.node, g) * np.ones(e.along.shape),
        ),
        (
            2.1,
            f"goes to all elements but the {largest}: the mask is inverted",
            lambda e, g: expand(e.node, g) * ~e.along,
        ),
        (
            2.2,
            f"is shared by all elements instead of going to the {largest} alone",
            lambda e, g: expand(e.node, g) * np.ones(e.along.shape) * e.node.value.size / e.along.size,
        ),
        (2.05, f"goes to the first element instead of to the {largest}", lambda e, g: _to_place(e, g, 0)),
        (2.06, f"goes to the last element instead of to the {largest}", lambda e, g: _to_place(e, g, -1)),
    ):
        yield Alternative(price, "wrong element", f"the gradient of {{place}} {says}", rule, change="{mask}")


def _to_place(edge: Edge, gradient: NDArray, place: int) -> NDArray:
    to = np.zeros(edge.operand.value.shape)
    chosen = slice(place, None) if place else slice(0, 1)
    to[tuple(chosen if axis in edge.node.detail[0] else slice(None) for axis in range(to.ndim))] = expand(
        edge.node, gradient
    )
    return to


def of_matrix(edge: Edge) -> Iterator[Alternative]:
    """An operation that is known by its Jacobian alone."""
    rule: Callable[..., NDArray]
    if edge.shape != edge.operand.value.shape:
        return
    says = "backward applies {place} once more, in the same direction; it must go the other way"
    rule = lambda e, g: (jacobian(e.node, e.operand.value) @ g.ravel()).reshape(g.shape)  # noqa: E731
    yield Alternative(2.2, "wrong direction", says, rule)
    says = "of {place} only the diagonal is used: what an element does to other places is missing"
    rule = lambda e, g: g * np.diagonal(jacobian(e.node, e.operand.value)).reshape(g.shape)  # noqa: E731
    yield Alternative(2.2, "diagonal only", says, rule)
