"""Change: one alternative at one place of the source, which can be applied to every setting."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.naming.arrays_at_hand import Leaf, Reference, Value
from minitorch_np.checking.naming.backward import Detour, Rule, TrueBackward
from minitorch_np.checking.naming.edges import Edge
from minitorch_np.checking.naming.regions import Region, regions
from minitorch_np.checking.naming.spots import Spot
from minitorch_np.tracing.operations import pull_back

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.tracing.graph import Node

# Which iterations of a loop, in words: the whole loop, or all but its ends.
ITERATIONS: dict[str, Callable[[int, int], bool]] = {
    "": lambda visit, last: True,
    " in the first iteration": lambda visit, last: visit == 0,
    " in the last iteration": lambda visit, last: visit == last,
    " in all iterations but the first": lambda visit, last: visit > 0,
    " in all iterations but the last": lambda visit, last: visit < last,
}
# What a change may raise in a setting that it does not fit.
DOES_NOT_FIT = (ValueError, IndexError, KeyError, ZeroDivisionError, TypeError, np.linalg.LinAlgError)
Constants = tuple[float, ...]
Apply = Callable[[TrueBackward, Constants], Detour]


@dataclass
class Change:
    """An alternative at one place.

    Attributes:
        price: of the alternative, and of a place that is hard to see.
        step: the edge, region or spot in the first setting, which the sentence is about.
        apply: (setting's backward, constants) -> the detour.
        when: the iterations of a loop, in words.
    """

    price: float
    alternative: Alternative
    step: Edge | Region | Spot
    apply: Apply
    when: str = ""
    parts: list[Change] = field(default_factory=list)

    @property
    def node(self) -> Node:
        return self.step.top if isinstance(self.step, Region) else self.step.node

    def dearer(self, by: float) -> Change:
        return replace(self, price=self.price + by)


def at_edge(edge: Edge, alternative: Alternative, when: str = "") -> Change:
    """The alternative at this edge in all iterations, or in some."""
    site, ks = edge.node.site, [edge.k]
    if len(edge.node.operands) == 2 and edge.node.operands[0] is edge.node.operands[1]:
        ks = [0] if alternative.kind == "missing factor" else [0, 1]

    def apply(backward: TrueBackward, constants: Constants) -> Detour:
        group = backward.groups[site]
        chosen = [n for visit, n in enumerate(group) if ITERATIONS[when](visit, len(group) - 1)]
        return Detour(
            edges={
                (node.index, k): _bound(alternative, Edge(backward, node, k), constants)
                for node in chosen
                for k in ks
                if node.operands[k].active
            }
        )

    return Change(alternative.price, alternative, edge, apply, when)


def at_spot(spot: Spot, alternative: Alternative) -> Change:
    """The alternative for the gradient at this value, in all iterations."""
    site, leaf = spot.node.site, spot.node.leaf

    def apply(backward: TrueBackward, constants: Constants) -> Detour:
        nodes = [backward.leaves[leaf]] if leaf is not None else backward.groups[site]
        return Detour(nodes={node.index: _bound(alternative, Spot(backward, node), constants) for node in nodes})

    return Change(alternative.price, alternative, spot, apply)


def at_region(region: Region, alternative: Alternative) -> Change:
    """The alternative for all steps from the region's top to its bottom, in all iterations."""
    site, key = region.top.site, region_key(region)

    def apply(backward: TrueBackward, constants: Constants) -> Detour:
        alike = [r for r in all_regions(backward) if r.top.site == site and region_key(r) == key]
        if len({r.top.index for r in alike}) != len(backward.groups[site]):
            raise KeyError(site)
        return Detour(regions={r.top.index: (r.bottom, _bound(alternative, r, constants)) for r in alike})

    return Change(alternative.price, alternative, region, apply)


def region_key(region: Region) -> tuple[object, ...]:
    """What makes the regions of two iterations, or of two settings, the same."""
    bottom = region.bottom
    return (region.top.site, bottom.leaf if bottom.leaf is not None else bottom.site)


def all_regions(backward: TrueBackward) -> list[Region]:
    known: list[Region] | None = vars(backward).get("regions")
    if known is None:
        known = vars(backward)["regions"] = list(regions(backward))
    return known


def carried(spot: Spot, alternative: Alternative) -> Change:
    """What a value passes on to the next iteration is not carried back."""
    site = spot.node.site

    def apply(backward: TrueBackward, constants: Constants) -> Detour:
        edges: dict[tuple[int, int], Rule] = {
            (user.index, k): _bound(alternative, Edge(backward, user, k), constants)
            for node in backward.groups[site]
            for user, k in backward.users.get(node.index, [])
            if len(backward.groups[user.site]) > 1 and user.visit == node.visit + 1
        }
        return Detour(edges=edges)

    return Change(alternative.price, alternative, spot, apply)


def added_up(spot: Spot, alternative: Alternative) -> Change:
    """What comes back from the next iteration is added to what came from all later ones, as by `dh_next += ...`."""
    site = spot.node.site

    def apply(backward: TrueBackward, constants: Constants) -> Detour:
        group = backward.groups[site]
        total: dict[str, NDArray] = {}

        def of_node(node: Node) -> Rule:
            own = sum(
                backward.sent.get((user.index, k), 0 * node.value)
                for user, k in backward.users.get(node.index, [])
                if user.visit == node.visit or len(backward.groups[user.site]) < len(group)
            )

            def rule(gradient: NDArray) -> NDArray:
                if node is group[-1]:
                    total.clear()
                total["later"] = total.get("later", 0 * gradient) + gradient - own
                return own + total["later"]

            return rule

        return Detour(nodes={node.index: of_node(node) for node in group})

    return Change(alternative.price, alternative, spot, apply)


def undone_with_last(backward: TrueBackward, alternative: Alternative) -> Iterator[Change]:
    """Every iteration of a loop is undone with the arrays of the last one, which alone were kept."""
    loops = {len(group): group for group in backward.groups.values() if len(group) > 1 and group[0].op != "gather"}
    for group in loops.values():

        def apply(backward: TrueBackward, constants: Constants, site: object = group[0].site) -> Detour:
            count = len(backward.groups[site])
            edges: dict[tuple[int, int], Rule] = {
                (node.index, k): _of_node(steps[-1], k)
                for steps in backward.groups.values()
                if len(steps) == count and steps[0].op != "gather"
                for node in steps
                for k, operand in enumerate(node.operands)
                if operand.active and steps[-1].operands[k].active
            }
            return Detour(edges=edges)

        yield Change(alternative.price, alternative, Spot(backward, group[-1]), apply)


def _of_node(node: Node, k: int) -> Rule:
    return lambda gradient: pull_back(node, k, gradient)


def both(first: Change, second: Change, price: float) -> Change:
    """Two changes at once; constants that are solved for belong to the second."""

    def apply(backward: TrueBackward, constants: Constants) -> Detour:
        return first.apply(backward, ()) | second.apply(backward, constants)

    return Change(price, second.alternative, second.step, apply, parts=[first, second])


def exchanged(backward: TrueBackward, wrong: list[str]) -> Iterator[Change]:
    """Of two products with the same array, each goes back with the other's matrix."""
    products = [edge for _, edge in each_edge(backward) if edge.node.op == "matmul" and edge.k == 0]
    for one, other in itertools.combinations(products, 2):
        matrices = [edge.node.operands[1] for edge in (one, other)]
        if (
            not np.array_equal(one.operand.value, other.operand.value)
            or matrices[0].value.shape != matrices[1].value.shape
        ):
            continue
        if backward.leaves_of[one.operand.index].isdisjoint(wrong) or matrices[0] is matrices[1]:
            continue
        references = [Leaf(m.leaf) if m.leaf else Value(m.site) for m in matrices]
        says = "in the gradient for {operand}, {other} and {array} are exchanged: {other} belongs to {place}"
        changes = [
            at_edge(edge, Alternative(2.9, "wrong array", says, _with(reference), reference))
            for edge, reference in zip((one, other), reversed(references), strict=True)
        ]
        yield replace(changes[0], apply=both(changes[0], changes[1], 0).apply)


def _with(reference: Reference) -> Callable[[Edge, NDArray], NDArray]:
    return lambda edge, gradient: edge.with_operand(gradient, 1, edge.array(reference))


def _bound(alternative: Alternative, step: Edge | Region | Spot, constants: Constants) -> Callable[[NDArray], NDArray]:
    return lambda gradient: alternative.rule(step, gradient, *constants)


def each_edge(backward: TrueBackward) -> Iterator[tuple[list[Node], Edge]]:
    """Every place of the source with its edges, each once: that of the last iteration in which it carries a gradient."""
    for group in backward.groups.values():
        for k in range(len(group[0].operands)):
            used = [n for n in group if n.operands[k].active and np.any(backward.sent.get((n.index, k), 0))]
            if used:
                yield group, Edge(backward, used[0], k)
