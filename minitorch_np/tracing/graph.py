"""Graph: the operations of one forward, and the true backward through them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from types import CodeType
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.tracing.operations import pull_back

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

Site = tuple[Any, ...]


@dataclass(eq=False, slots=True)
class Node:
    """One operation, once.

    Attributes:
        op: the name of a ufunc ("multiply", "exp"), "sum", "mean", "max", "min", "prod", "matmul", "einsum", "where", "gather" for
            everything that only moves elements, "leaf", "constant", or the name of a function whose Jacobian is computed.
        operands: the nodes that it was computed from.
        value: a copy of the result.
        detail: what else the derivative needs. gather: for each element of the result the number of its source, counted from 1 through all
            operands, or 0 for a filler. Reductions: (axes, keepdims). where: the condition. einsum: the subscripts. A ufunc or a function:
            itself.
        leaf: the name, for "leaf".
        active: whether it depends on a leaf. Constants are not kept in the graph, and have index -1.
        index: rises in the order of forward.
        site: where in the code the operation is: equal for the iterations of a loop, and in another trace of the same forward.
        visit: how often the site had been visited before.
        frames: the user's functions that were running, the innermost first: code and the offset of the instruction.
        part: the position among several results of one expression, such as `a, b = np.split(x, 2)`.
    """

    op: str
    operands: list[Node]
    value: NDArray
    detail: Any = None
    leaf: str | None = None
    active: bool = False
    index: int = -1
    site: Site = ()
    visit: int = 0
    frames: tuple[tuple[CodeType, int], ...] = ()
    part: int | None = None
    memo: dict[int, Any] = field(default_factory=dict, repr=False)  # of pull_back

    def __post_init__(self) -> None:
        self.active = self.leaf is not None or any(operand.active for operand in self.operands)


def constant(value: Any) -> Node:
    """A node for numbers that depend on no leaf."""
    return Node("constant", [], np.array(value))


class Graph:
    """The operations between the leaves and the output.

    Attributes:
        nodes: in the order of forward, without those that the output does not depend on.
        leaves: the inputs and parameters by name.
        output: the node of y.
    """

    def __init__(self, recorded: list[Node], leaves: dict[str, Node], output: Node) -> None:
        self.leaves, self.output = leaves, output
        used = {output.index}
        for node in reversed(recorded):
            if node.index in used:
                used.update(operand.index for operand in node.operands if operand.active)
        self.nodes = [node for node in recorded if node.index in used]

    def sweep(
        self, dy: NDArray, without: Container[int] = ()
    ) -> tuple[dict[int, NDArray], dict[tuple[int, int], NDArray]]:
        """The true backward.

        Args:
            without: indices of nodes that pass nothing on to their operands.

        Returns:
            The cotangent dL/dnode of each node by its index, and what each edge adds to the cotangent of its operand, by the node's
            index and the operand's position. A node that nothing reaches has no entry.
        """
        cotangents: dict[int, NDArray] = {self.output.index: np.asarray(dy)}
        contributions: dict[tuple[int, int], NDArray] = {}
        for node in reversed(self.nodes):
            g = cotangents.get(node.index)
            if g is None or node.index in without:
                continue
            for k, operand in enumerate(node.operands):
                if operand.active:
                    part = contributions[node.index, k] = pull_back(node, k, g)
                    before = cotangents.get(operand.index)
                    cotangents[operand.index] = part if before is None else before + part
        return cotangents, contributions

    def gradients(self, dy: NDArray) -> dict[str, NDArray]:
        """dL/dleaf by the leaf's name."""
        cotangents, _ = self.sweep(dy)
        return {
            name: cotangents[leaf.index] if leaf.index in cotangents else np.zeros(leaf.value.shape)
            for name, leaf in self.leaves.items()
        }
