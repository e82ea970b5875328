"""Search: the simplest change to the true backward that gives all observed gradients, in two settings.

The idea: forward has been traced, so the true backward is a graph in which each step has a line of the user's source. An author who gets
backward wrong gets one step wrong: a path is left out, a factor is missing, a sum goes over another axis. `Candidates` lists these changes,
each with a price, which says how unlikely it is. The search tries them from the cheapest on: it follows the changed backward and compares
the gradients with the observed ones. A change that gives all gradients to rounding, the right ones included, in two settings with other
data, is the name of the bug. If no cheap one does, two changes at once are tried.

To read on: `backward.py` (the true backward, and gradients with a detour), `candidates.py` (all changes), `edges.py`, `regions.py` and
`spots.py` (the mistakes that authors make at one step, at several, at one value), `words.py` (the sentence).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.backward import TrueBackward
from minitorch_np.checking.naming.candidates import Candidates
from minitorch_np.checking.naming.change import DOES_NOT_FIT, Change, Constants, both
from minitorch_np.checking.naming.edges import Edge
from minitorch_np.checking.naming.factors import Factors
from minitorch_np.checking.naming.scenes import Scenes
from minitorch_np.checking.naming.solving import solve
from minitorch_np.checking.naming.two_paths import two_paths

if TYPE_CHECKING:
    from minitorch_np.checking.naming.setting import Setting

_MARGIN = 0.5  # how much dearer than the first that explains everything others may be, to be tried too
_FELT = 1.0  # what a change costs more, in the order of trying, that right gradients would feel too
_SIMPLE = 3.0  # if nothing up to this price explains everything, two changes at once are tried
_SECOND = 2.7  # the dearest second change
_TOGETHER = 0.2  # what two changes cost more than both


@dataclass
class Found:
    """A change that gives the observed gradients of these tensors in both settings.

    Attributes:
        constants: those that were solved for, by setting.
        whole: whether it gives all gradients, the right ones included.
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
        settings: two, with other data.
        until: the time.thread_time() at which it stops.

    Attributes:
        wrong: the tensors whose gradients are wrong.
        found: the changes that explain some of them.
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
            candidates = Candidates(self.first, self.second, self.wrong, self.scenes)
            half = (time.thread_time() + self.until) / 2
            changes = sorted(takewhile(lambda _: time.thread_time() < half, candidates.all()), key=self._turn)
            self._try_one(change for change in changes if dearest is None or change.price <= dearest)
            if dearest is None and not any(found.whole and found.change.price <= _SIMPLE for found in self.found):
                self._try_two(changes)
        return sorted(self.found, key=lambda found: found.rank)

    def _turn(self, change: Change) -> float:
        """The order of trying: by price, and later where a change would be felt in right gradients too."""
        step = change.step
        below = step.operand if isinstance(step, Edge) else getattr(step, "bottom", change.node)
        return change.price + (0 if self.first.leaves_of.get(below.index, set()) <= set(self.wrong) else _FELT)

    def _try_one(self, changes: Iterable[Change]) -> None:
        """Try changes from the cheapest on, until one explains everything and no other is nearly as cheap."""
        best = None
        for change in changes:
            if time.thread_time() > self.until or (best is not None and self._turn(change) > best + _MARGIN):
                return
            found = self._attempt(change)
            if found is not None:
                self.found.append(found)
                if found.whole and best is None:
                    best = change.price

    def _try_two(self, changes: list[Change]) -> None:
        """Two paths at once; else one change explains some tensors, and a second one the rest."""
        for change in two_paths(self.backwards, self.wrong, changes, self.until):
            found = self._attempt(change)
            self.found += [found] if found else []
        partial = [f for f in self.found if not f.whole and not f.change.alternative.unknowns and not f.change.parts]
        for first in sorted(partial, key=lambda f: f.rank)[:3]:
            found = self._with_second(first.change, changes)
            if found is not None:
                self.found.append(found)
                return

    def _with_second(self, first: Change, changes: list[Change]) -> Found | None:
        """The first change that explains everything together with this one."""
        for second in changes:
            if second.price > _SECOND or time.thread_time() > self.until:
                return None
            if second.alternative.unknowns or second.step is first.step:
                continue
            found = self._attempt(both(first, second, first.price + second.price + _TOGETHER))
            if found is not None and found.whole:
                return found
        return None

    def _attempt(self, change: Change) -> Found | None:
        """Whether a change gives observed gradients, in both settings."""
        explained, whole, constants = list(self.wrong), True, []
        for backward in self.backwards:
            try:
                solved = solve(backward, change, self.wrong)
                if solved is None:
                    return None
                predicted = backward.predict(change.apply(backward, solved))
            except DOES_NOT_FIT:
                return None
            constants.append(solved)
            explained = backward.met(predicted, explained)
            if not explained:
                return None
            whole = whole and len(backward.met(predicted, self.names)) == len(self.names)
        pair = constants[0], constants[1]
        return Found(change, pair, explained, whole) if self._nameable(change, pair) else None

    def _nameable(self, change: Change, constants: tuple[Constants, Constants]) -> bool:
        """Whether solved constants mean something: the same in both settings, or a size of the data."""
        if not constants[0]:
            return True
        a, b = np.array(constants[0]), np.array(constants[1])
        if change.alternative.kind == "constant factor":
            has_other_name = np.abs(a[0]) < 1e-9 or abs(a[0] + 1) < 1e-9  # a missing path, a wrong sign
            return not has_other_name and self.factors.words((a[0], b[0]), change.node) is not None
        return bool(np.allclose(a, b, rtol=1e-8, atol=1e-9)) and bool(np.any(np.abs(a) > 1e-9))
