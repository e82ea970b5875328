"""Candidates: every alternative at every place of forward that can reach a wrong gradient, each as a change with its price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming import edges, regions, spots
from minitorch_np.checking.naming.arrays_at_hand import arrays_at_hand
from minitorch_np.checking.naming.change import (
    ITERATIONS,
    Change,
    added_up,
    all_regions,
    at_edge,
    at_region,
    at_spot,
    carried,
    each_edge,
    exchanged,
    region_key,
    undone_with_last,
)

if TYPE_CHECKING:
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.checking.naming.regions import Region
    from minitorch_np.checking.naming.scenes import Scenes
    from minitorch_np.tracing.graph import Node

_PATHS = ("missing path", "sign flipped")
_FORGOTTEN = (
    "missing factor",
    "derivative forgotten",
    "Jacobian transposed",
)  # also in one of a few iterations, such as layers
_FEW = 4
# What a change costs more
_IN_SOME_ITERATIONS = 0.5
_HIDDEN_OPERAND = 0.3  # the value below an edge is an inner step of a helper
_HIDDEN_REGION = 0.7
_PART = 0.3  # a region of several steps that is only a part of an expression
_STEP_OF_REGION = 0.05  # for each step of a region after the first


class Candidates:
    """The changes that a search tries.

    Args:
        first, second: the true backwards of the two settings; what exists in one of them alone is left out.
        wrong: the tensors whose gradients are wrong.
    """

    def __init__(self, first: TrueBackward, second: TrueBackward, wrong: list[str], scenes: Scenes) -> None:
        self.first, self.second, self.wrong, self.scenes = first, second, wrong, scenes
        self.arrays = arrays_at_hand(first)

    def all(self) -> Iterator[Change]:
        yield from self._of_edges()
        yield from exchanged(self.first, self.wrong)
        yield from undone_with_last(self.first, spots.WITH_LAST)
        yield from self._of_values()
        yield from self._of_regions()
        for name in self.wrong:
            spot = spots.Spot(self.first, self.first.leaves[name])
            yield from (at_spot(spot, a) for a in spots.of_tensor(self.first, spot.node, self.arrays))

    def _reaches(self, below: Node) -> bool:
        """Whether a wrong gradient passes through this value."""
        return not self.first.leaves_of[below.index].isdisjoint(self.wrong)

    def _of_edges(self) -> Iterator[Change]:
        for group, edge in each_edge(self.first):
            if edge.node.site not in self.second.groups or not self._reaches(edge.operand):
                continue
            extra = self.scenes.hidden(edge.node)
            extra = extra or (_HIDDEN_OPERAND if self.scenes.hidden(edge.operand) else 0)
            for alternative in edges.alternatives(edge, self.arrays):
                path = alternative.kind in _PATHS
                if path and edge.node.part is not None:
                    continue  # of `a, b = array`: said of the variable
                yield at_edge(edge, alternative).dearer(extra)
                once = path or (alternative.kind in _FORGOTTEN and len(group) <= _FEW and alternative.array is None)
                if once and len(group) > 1 and not alternative.unknowns:
                    for when in filter(None, ITERATIONS):
                        yield at_edge(edge, alternative, when).dearer(extra + _IN_SOME_ITERATIONS)

    def _of_values(self) -> Iterator[Change]:
        """Of what is used several times, and of what a loop carries on."""
        for site, group in self.first.groups.items():
            node = group[-1]
            if site not in self.second.groups or not self._reaches(node) or node.index not in self.first.at:
                continue
            spot, hidden = spots.Spot(self.first, node), self.scenes.hidden(node)
            unpacked = node.part is not None
            shared = len(self.first.users.get(group[0].index, [])) > 1 and node.op != "gather"
            if shared or unpacked:
                yield from (at_spot(spot, a).dearer(hidden) for a in spots.of_variable())
            if len(group) > 1 and node.op != "gather":
                users = self.first.users.get(group[0].index, [])
                is_sum = node.op == "add" and any(user.site == site for user, _ in users)
                yield carried(spot, spots.ONLY_LAST if is_sum else spots.NOT_CARRIED).dearer(hidden)
                yield added_up(spot, spots.ADDED_UP).dearer(hidden)

    def _of_regions(self) -> Iterator[Change]:
        seen = set()
        for region in all_regions(self.first):
            key = region_key(region)
            if key in seen or region.top.site not in self.second.groups or not self._reaches(region.bottom):
                continue
            if not self._passes_a_gradient(region):
                continue
            seen.add(key)
            hidden = self.scenes.hidden(region.top)
            extra = hidden + _STEP_OF_REGION * (len(region.inside) - 1)
            extra += _PART * (len(region.inside) > 1 and not self.scenes.is_named(region.top))
            extra += _HIDDEN_REGION if hidden or self.scenes.hidden(region.bottom) else 0
            yield from (at_region(region, a).dearer(extra) for a in regions.alternatives(region, self.arrays))

    def _passes_a_gradient(self, region: Region) -> bool:
        at, sent, top = self.first.at, self.first.sent, region.top.index
        passed = (sent.get((top, k), 0) for k in range(len(region.top.operands)))
        return bool(np.any(at.get(top, 0))) and any(np.any(gradient) for gradient in passed)
