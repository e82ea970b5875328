"""TrueBackward: the true backward of one setting as a graph, and the gradients that another way through it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.tracing.operations import pull_back

if TYPE_CHECKING:
    from minitorch_np.checking.naming.setting import Setting
    from minitorch_np.tracing.graph import Node

MATCH = 1e-9  # gradients that differ by less than this part of their largest element are the same
Rule = Callable[[NDArray], NDArray]  # from the gradient at a node to what goes back from it
Gradients = dict[str, NDArray]


@dataclass
class Detour:
    """The places of a backward where the gradient goes another way.

    Attributes:
        edges: by (node, operand), what goes from the node to this operand.
        nodes: by node, what the gradient at the node becomes before it goes on.
        regions: by node, a node further down and what goes there in place of all that goes back from the first.
    """

    edges: dict[tuple[int, int], Rule] = field(default_factory=dict)
    nodes: dict[int, Rule] = field(default_factory=dict)
    regions: dict[int, tuple[Node, Rule]] = field(default_factory=dict)

    def __or__(self, other: Detour) -> Detour:
        return Detour(self.edges | other.edges, self.nodes | other.nodes, self.regions | other.regions)


class TrueBackward:
    """The true backward of one setting, with what the search asks of it again and again.

    Attributes:
        nodes: in the order of forward. groups: by site, the nodes that one place of the source made, one per iteration of a loop.
        users: by node, the (node, operand) pairs that use its value. leaves_of: by node, the leaves that it depends on.
        at: the gradient at each node. sent: what each edge (node, operand) brings to it.
        true, observed: by leaf, the true gradient and backward's.
        floor: gradients are compared beside at least this size: a term that is truly 0 is wrong by rounding only.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting, self.graph, self.dy = setting, setting.graph, np.asarray(setting.dy)
        self.leaves, self.output = self.graph.leaves, self.graph.output
        self.nodes = self._that_matter()
        self.at, self.sent = self.graph.sweep(self.dy)
        self.observed = setting.observed
        self.true = {name: self.at.get(leaf.index, np.zeros(leaf.value.shape)) for name, leaf in self.leaves.items()}
        self.floor = 1e-4 * max(float(np.abs(gradient).max(initial=0)) for gradient in self.true.values())
        self.position = {node.index: place for place, node in enumerate(self.nodes)}
        self.groups: dict[object, list[Node]] = {}
        self.users: dict[int, list[tuple[Node, int]]] = {}
        self.leaves_of: dict[int, set[str]] = {}
        self.changed: dict[int, NDArray] = {}
        for node in self.nodes:
            if node.leaf is None:
                self.groups.setdefault(node.site, []).append(node)
            used = [(k, operand) for k, operand in enumerate(node.operands) if operand.active]
            for k, operand in used:
                self.users.setdefault(operand.index, []).append((node, k))
            own = {node.leaf} if node.leaf is not None else set()
            self.leaves_of[node.index] = own.union(*(self.leaves_of[operand.index] for _, operand in used))

    def _that_matter(self) -> list[Node]:
        """The nodes without those whose paths cancel, such as the maximum that a softmax takes off for safety.

        Every change within a softmax would otherwise be seen through them.
        """
        nodes, graph = self.graph.nodes, self.graph
        true, _ = graph.sweep(self.dy)
        zero = np.zeros(())
        size = max(float(np.abs(true.get(leaf.index, zero)).max(initial=0)) for leaf in self.leaves.values())
        for node in [node for node in nodes if node.op in ("max", "min")]:
            cut, _ = graph.sweep(self.dy, without=(node.index,))
            if all(
                np.allclose(cut.get(leaf.index, 0), true.get(leaf.index, 0), rtol=1e-11, atol=1e-13 * size)
                for leaf in self.leaves.values()
            ):
                node.active = False
        live = {self.output.index}
        for node in reversed(nodes):
            if node.index in live:
                live.update(operand.index for operand in node.operands if operand.active)
        return [node for node in nodes if node.index in live and node.active]

    def gradient_at(self, node: Node) -> NDArray:
        """The gradient at a node, as the detour that is being followed has left it so far."""
        changed = self.changed.get(node.index)
        return self.at[node.index] if changed is None else self.at[node.index] + changed

    def predict(self, detour: Detour) -> Gradients:
        """The gradients of the leaves with a detour. Only the difference from the true backward is carried down."""
        changed: dict[int, NDArray] = {}
        misshapen: dict[str, NDArray] = {}
        self.changed = changed
        turned = {index for index, _ in detour.edges}
        starts = [self.position[index] for index in (*turned, *detour.nodes, *detour.regions)]
        for node in self.nodes[max(starts, default=-1) :: -1] if starts else ():
            true, difference = self.at.get(node.index), changed.get(node.index)
            if true is None:
                continue
            now = true if difference is None else true + difference
            if node.index in detour.nodes:
                now = detour.nodes[node.index](now)
                difference = changed[node.index] = now - true
            if node.index in detour.regions:
                target, rule = detour.regions[node.index]
                _add(changed, target.index, rule(now))
            elif difference is None and node.index not in turned:
                continue
            for k, operand in enumerate(node.operands):
                if not operand.active:
                    continue
                if node.index in detour.regions:
                    _add(changed, operand.index, -self.sent[node.index, k])
                elif (node.index, k) in detour.edges:
                    back = detour.edges[node.index, k](now)
                    if operand.leaf is not None and back.shape != operand.value.shape and self._used_once(operand):
                        misshapen[operand.leaf] = back
                    else:
                        _add(changed, operand.index, back - self.sent[node.index, k])
                elif difference is not None:
                    _add(changed, operand.index, pull_back(node, k, difference))
        return {
            name: self.true[name] + changed[leaf.index] if leaf.index in changed else self.true[name]
            for name, leaf in self.leaves.items()
        } | misshapen

    def _used_once(self, node: Node) -> bool:
        return len(self.users[node.index]) == 1

    def met(self, predicted: Gradients, names: list[str]) -> list[str]:
        """The tensors whose observed gradient is the predicted one, to rounding."""
        return [name for name in names if same(predicted.get(name), self.observed.get(name), self.floor)]


def _add(gradients: dict[int, NDArray], index: int, more: NDArray) -> None:
    gradients[index] = gradients[index] + more if index in gradients else more


def same(a: NDArray | None, b: NDArray | None, floor: float = 0.0) -> bool:
    """Equal to rounding beside the largest element."""
    if a is None or b is None or a.shape != b.shape:
        return False
    size = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)), floor)
    return bool(np.isfinite(size)) and bool((np.abs(a - b) <= MATCH * size).all())
