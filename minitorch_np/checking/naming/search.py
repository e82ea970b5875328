"""Search: the simplest change to the true backward that gives all observed gradients, in two settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming import edges, regions, spots
from minitorch_np.checking.naming.arrays_at_hand import arrays_at_hand
from minitorch_np.checking.naming.backward import MATCH, TrueBackward
from minitorch_np.checking.naming.change import (
    ITERATIONS,
    Change,
    Constants,
    all_regions,
    at_edge,
    at_region,
    at_spot,
    both,
    carried,
    each_edge,
    region_key,
)  # fmt: skip
from minitorch_np.checking.naming.factors import Factors
from minitorch_np.checking.naming.scenes import Scenes

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.tracing.graph import Node
    from minitorch_np.checking.tracing.setting import Setting

_MARGIN = 0.5  # how much dearer than the first that explains everything others may be, to be looked at too
_FELT = 1.0  # what a change costs more that right gradients would feel too
_SIMPLE = 3.0  # if nothing up to this price explains everything, two changes at once are tried
_WRONG_TOGETHER = 2.7  # the dearest second change
_PATHS = ("missing path", "sign flipped")
_UNEXPECTED = (ValueError, IndexError, KeyError, ZeroDivisionError, TypeError, np.linalg.LinAlgError)


@dataclass
class Found:
    """A change that gives the observed gradients of these tensors in both settings.

    Attributes:
        constants: those that were solved for, by setting.
        whole: whether it explains all tensors, the right ones included.
    """

    change: Change
    constants: tuple[Constants, Constants]
    tensors: list[str]
    whole: bool

    @property
    def rank(self) -> tuple[bool, int, float, int]:
        """The order of likelihood: whole ones first, then the cheapest, then those next to the output."""
        return (not self.whole, -len(self.tensors), round(self.change.price, 3), -self.change.node.index)


class Search:
    """The search among all changes, by their price.

    Args:
        settings: two, with different data.
        until: the time.monotonic() at which it stops.
    """

    def __init__(self, settings: tuple[Setting, Setting], until: float) -> None:
        self.backwards = TrueBackward(settings[0]), TrueBackward(settings[1])
        self.first, self.second = self.backwards
        self.until = until
        self.scenes, self.factors = Scenes(self.first), Factors(self.backwards)
        self.names = [n for n in self.first.true if any(b.observed.get(n) is not None for b in self.backwards)]
        right = [set(b.met(b.true, self.names)) for b in self.backwards]
        self.wrong = [name for name in self.names if not all(name in r for r in right)]
        self.found: list[Found] = []

    def run(self, dearest: float | None = None) -> list[Found]:
        """What explains the wrong gradients, the likeliest first.

        Args:
            dearest: the highest price that is tried, for a search where another explanation is known.
        """
        if not self.wrong:
            return []
        with np.errstate(all="ignore"):
            changes = sorted(self._changes(), key=self._turn)
            self._try([change for change in changes if dearest is None or change.price <= dearest], None)
            if dearest is None and not any(found.whole and found.change.price <= _SIMPLE for found in self.found):
                self._pairs(
                    [change for change in changes if change.alternative.kind == "missing path" and not change.when]
                )
                self._second(changes)
        return sorted(self.found, key=lambda found: found.rank)

    def _turn(self, change: Change) -> float:
        """The price; more for a change that right gradients would feel too, which is tried later."""
        step = change.step
        below = step.operand if isinstance(step, edges.Edge) else getattr(step, "bottom", change.node)
        return change.price + (0 if self.first.leaves_of.get(below.index, set()) <= set(self.wrong) else _FELT)

    def _try(self, changes: list[Change], limit: float | None) -> float | None:
        """Try changes from the cheapest on, until one explains everything and no other is nearly as cheap."""
        best = None
        for change in changes:
            dear = best is not None and self._turn(change) > best + _MARGIN
            if dear or (limit is not None and change.price > limit) or time.monotonic() > self.until:
                break
            found = self._attempt(change)
            if found is not None:
                self.found.append(found)
                if found.whole and best is None:
                    best = change.price
        return best

    def _attempt(self, change: Change) -> Found | None:
        """Whether a change gives observed gradients, in both settings."""
        explained, whole, constants = list(self.wrong), True, []
        for backward in self.backwards:
            try:
                solved = self._solve(backward, change)
                if solved is None:
                    return None
                predicted = backward.predict(change.apply(backward, solved))
            except _UNEXPECTED:
                return None
            constants.append(solved)
            explained = backward.met(predicted, explained)
            whole = (
                whole
                and len(explained) == len(self.wrong)
                and len(backward.met(predicted, self.names)) == len(self.names)
            )
            if not explained:
                return None
        pair = constants[0], constants[1]
        return Found(change, pair, explained, whole) if self._nameable(change, pair) else None

    def _nameable(self, change: Change, constants: tuple[Constants, Constants]) -> bool:
        """Whether solved constants mean something: the same in both settings, or a size of the data."""
        if not constants[0]:
            return True
        a, b = np.array(constants[0]), np.array(constants[1])
        if change.alternative.kind == "constant factor":
            tried_apart = np.abs(a[0]) < 1e-9 or abs(a[0] + 1) < 1e-9
            in_block = "elsewhere" in change.alternative.says
            return (in_block or not tried_apart) and self.factors.words((a[0], b[0]), change.node) is not None
        return bool(np.allclose(a, b, rtol=1e-8, atol=1e-9)) and bool(np.any(np.abs(a) > 1e-9))

    def _solve(self, backward: TrueBackward, change: Change) -> Constants | None:
        """The constants of a change, by least squares: its gradients are affine in them."""
        count = change.alternative.unknowns
        if not count:
            return ()
        units = [tuple(float(i == j) for i in range(count)) for j in range(count)]
        base = backward.predict(change.apply(backward, (0.0,) * count))
        moved = [backward.predict(change.apply(backward, unit)) for unit in units]
        for names in [self.wrong, *([name] for name in self.wrong if len(self.wrong) > 1)]:
            given = [backward.observed[name] for name in names]
            known = [g for g, n in zip(given, names, strict=True) if g is not None and g.shape == base[n].shape]
            if len(known) < len(names):
                continue
            rest = _flat([g - base[n] for g, n in zip(known, names, strict=True)])
            columns = np.stack([_flat([m[n] - base[n] for n in names]) for m in moved], 1)
            solved = _least_squares(columns, rest)
            if solved is not None:
                return tuple(map(float, solved))
        return None

    def _pairs(self, missing: list[Change]) -> None:
        """Two paths at once, each with a factor of its own: their effects are known, so the factors are solved for."""
        names = [n for n in self.wrong if all(_shape(b.observed[n]) == b.true[n].shape for b in self.backwards)]
        effects: list[tuple[Change, list[NDArray]]] = []
        for change in missing if names else ():
            try:
                without = [b.predict(change.apply(b, ())) for b in self.backwards]
            except _UNEXPECTED:
                continue
            effect = [_flat([b.true[n] - w[n] for n in names]) for b, w in zip(self.backwards, without, strict=True)]
            if np.any(effect[0]):
                effects.append((change, effect))
        rest = [_flat([np.asarray(b.observed[n]) - b.true[n] for n in names]) for b in self.backwards] if names else []
        for i, (one, effect) in enumerate(effects):
            for other, more in effects[:i]:
                if time.monotonic() > self.until:
                    return
                solved = [_least_squares(np.stack([effect[s], more[s]], 1), rest[s]) for s in (0, 1)]
                if (
                    solved[0] is None
                    or solved[1] is None
                    or not np.allclose(solved[0], solved[1], rtol=1e-8, atol=1e-9)
                ):
                    continue
                if all(min(abs(c + 1), abs(c + 2)) < 1e-9 for c in solved[0]):  # both left out, or of the wrong sign
                    chosen = [self._alike(change, c + 1) for change, c in zip((one, other), solved[0], strict=True)]
                    found = self._attempt(both(chosen[0], chosen[1], one.price + other.price + 1))
                    self.found += [found] if found else []

    def _alike(self, change: Change, factor: float) -> Change:
        """The change that multiplies the same path by 0 or -1."""
        kind = "missing path" if abs(factor) < 1e-9 else "sign flipped"
        step = change.step
        return (
            next(at_edge(step, a) for a in edges.paths(step) if a.kind == kind)
            if isinstance(step, edges.Edge)
            else change
        )

    def _second(self, changes: list[Change]) -> None:
        """One change explains some tensors; the rest may be a second one."""
        partial = [f for f in self.found if not f.whole and not f.change.alternative.unknowns and not f.change.parts]
        for first in sorted(partial, key=lambda f: f.rank)[:3]:
            for second in changes:
                if second.price > _WRONG_TOGETHER or time.monotonic() > self.until:
                    break
                if second.alternative.unknowns or second.step is first.change.step:
                    continue
                found = self._attempt(both(first.change, second, first.change.price + second.price + 0.2))
                if found is not None and found.whole:
                    self.found.append(found)
                    return

    def _changes(self) -> Iterator[Change]:
        """Every alternative at every place that can reach a wrong gradient."""
        first, wrong, arrays = self.first, set(self.wrong), arrays_at_hand(self.first)
        for group, edge in each_edge(first):
            if edge.node.site not in self.second.groups or not first.leaves_of[edge.operand.index] & wrong:
                continue
            hidden = self.scenes.hidden(edge.node)
            extra = hidden + (0.3 if self.scenes.hidden(edge.operand) and not hidden else 0)
            for alternative in edges.alternatives(edge, arrays):
                if edge.node.part is not None and alternative.kind in _PATHS:
                    continue  # of `a, b = array`: said of the variable
                yield at_edge(edge, alternative).dearer(extra)
                if len(group) > 1 and alternative.kind in _PATHS and not alternative.unknowns:
                    yield from (at_edge(edge, alternative, when).dearer(extra + 0.5) for when in ITERATIONS if when)
        for site, group in first.groups.items():
            if site in self.second.groups and first.leaves_of[group[-1].index] & wrong and group[-1].index in first.at:
                yield from self._of_value(group)
        yield from self._of_regions(wrong, arrays)
        for name in self.wrong:
            leaf = first.leaves[name]
            yield from (at_spot(spots.Spot(first, leaf), a) for a in spots.of_tensor(first, leaf, arrays))

    def _of_value(self, group: list[Node]) -> Iterator[Change]:
        node = group[-1]
        spot, hidden = spots.Spot(self.first, node), self.scenes.hidden(node)
        unpacked = node.part is not None
        if len(self.first.users.get(group[0].index, [])) > 1 and (node.op != "gather" or unpacked) or unpacked:
            yield from (at_spot(spot, a).dearer(hidden) for a in spots.of_variable())
        if len(group) > 1 and node.op != "gather":
            yield carried(spot, spots.NOT_CARRIED).dearer(hidden)

    def _of_regions(self, wrong: set[str], arrays: list) -> Iterator[Change]:
        seen = set()
        for region in all_regions(self.first):
            key = region_key(region)
            if (
                key in seen
                or region.top.site not in self.second.groups
                or not np.any(self.first.at.get(region.top.index, 0))
            ):
                continue
            silent = not any(
                np.any(self.first.sent.get((region.top.index, k), 0)) for k in range(len(region.top.operands))
            )
            if silent or not self.first.leaves_of[region.bottom.index] & wrong:
                continue
            seen.add(key)
            hidden = self.scenes.hidden(region.top) or self.scenes.hidden(region.bottom)
            extra = 0.05 * (len(region.inside) - 1) + (0.7 if hidden else 0)
            for alternative in regions.alternatives(region, arrays):
                yield at_region(region, alternative).dearer(extra + self.scenes.hidden(region.top))


def _shape(array: NDArray | None) -> tuple[int, ...] | None:
    return None if array is None else array.shape


def _flat(arrays: list[NDArray]) -> NDArray:
    return np.concatenate([array.ravel() for array in arrays])


def _least_squares(columns: NDArray, rest: NDArray) -> NDArray | None:
    """The coefficients of columns that add up to the rest, to rounding; None if there are none, or not only one solution."""
    sizes = np.sqrt((columns**2).sum(0))
    if not np.all(sizes) or not np.isfinite(columns).all() or not np.isfinite(rest).all():
        return None
    solved, _, found, _ = np.linalg.lstsq(columns / sizes, rest, rcond=1e-10)
    if found < columns.shape[1]:
        return None
    solved = solved / sizes
    size = max(np.abs(rest).max(initial=0), np.abs(columns).max(initial=0))
    return solved if np.abs(columns @ solved - rest).max(initial=0) <= MATCH * size else None
