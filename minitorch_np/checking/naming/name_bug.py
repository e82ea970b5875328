"""name_bug: the diagnosis of wrong gradients, from the graph of the user's own forward."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import factor
from minitorch_np.checking.naming.edges import HALF_OF_A_PRODUCT
from minitorch_np.checking.naming.places import DERIVATIVE, OWN_OUTPUT, name_places
from minitorch_np.checking.naming.search import Found, Search
from minitorch_np.checking.naming.setting import Setting, settings
from minitorch_np.checking.naming.uses import name_uses
from minitorch_np.checking.naming.words import Words

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer

_NODES = 2_000  # the largest graph that is searched
# Up to this price a change of the graph that explains everything says more than the places of numbers,
_SIMPLE = 3.5
_PLAIN = 2.05  # up to this one more than the derivative of an elementwise layer, which is seen as it is,
_PLAINEST = 1.9  # and up to this one more than that each output is taken for itself


def name_bug(layer: Layer, x: NDArray, seconds: float = 4.0) -> list[Diagnosis]:
    """The change that explains most of the wrong gradients, then what explains the rest.

    Nothing if forward cannot be traced, or if no change is found.

    Args:
        seconds: the computing time that it may take. It does not count what other programs take, so that a name does not depend on them.
    """
    until = time.thread_time() + seconds
    try:
        pair = settings(layer, x)
    except Exception:  # TraceError; and a user-defined forward or backward may raise anything on other data
        return []
    if len(pair[0].graph.nodes) > _NODES:
        return []
    try:
        return _named(pair, until)
    except Exception:  # the search meets code of every kind; without a name the verdict still holds
        return []


def _named(pair: tuple[Setting, Setting], until: float) -> list[Diagnosis]:
    search = Search(pair, until)
    by_uses = name_uses(search.backwards, search.wrong)
    if by_uses:
        return by_uses
    placed = name_places(pair, search.wrong)
    found = search.run(_SIMPLE if _tensors(placed).issuperset(search.wrong) else None)
    placed = [diagnosis for diagnosis in placed if not _simpler(found, diagnosis)]
    known = _tensors(placed)
    by_graph = [_diagnosis(search, f) for f in _chosen(search, found) if not known.issuperset(f.tensors)]
    return [*placed, *by_graph]


def _tensors(diagnoses: list[Diagnosis]) -> set[str]:
    return {name for diagnosis in diagnoses for name in diagnosis.tensors}


def _simpler(found: list[Found], placed: Diagnosis) -> bool:
    """Whether a change of the graph explains everything, and says more than what the numbers of a tensor show."""
    price = {DERIVATIVE: _PLAIN, OWN_OUTPUT: _PLAINEST}.get(placed.name, _SIMPLE)
    some = placed.name == DERIVATIVE  # two bugs at once: the graph explains each in turn
    whole = {name for f in found if (f.whole or some) and f.change.price <= price for name in f.tensors}
    return whole.issuperset(placed.tensors)


def _chosen(search: Search, found: list[Found]) -> list[Found]:
    """The likeliest for each wrong tensor."""
    chosen: list[Found] = []
    left = set(search.wrong)
    for candidate in found:
        told = candidate.whole or candidate.change.price <= _PLAIN  # of some tensors, a rare change is a coincidence
        if told and left.intersection(candidate.tensors):
            left.difference_update(candidate.tensors)
            if not _needs_no_graph(search, candidate):
                chosen.append(_one_of_two(candidate, found))
    return chosen


def _needs_no_graph(search: Search, found: Found) -> bool:
    """Whether one tensor alone is wrong, by its sign or a factor that follows the batch size: the numbers alone tell that in fewer words."""
    if found.change.alternative.kind not in ("constant factor", "sign flipped", "missing 1/m"):
        return False
    if found.change.node.leaf is not None:
        first, second = found.constants or ((), ())
        return not first or not search.factors.is_named((first[0], second[0]), found.change.node)
    name = found.tensors[0]
    factors = [factor(np.asarray(b.observed[name], float), b.true[name]) for b in search.backwards]
    if len(search.wrong) > 1 or factors[0] is None or factors[1] is None:
        return False
    return found.change.alternative.kind == "sign flipped" or abs(factors[0] - factors[1]) > 1e-9 * abs(factors[0])


def _one_of_two(found: Found, others: list[Found]) -> Found:
    """Of two operands whose loss gives the same numbers, both are named."""
    change = found.change
    twins = [
        other
        for other in others
        if other.change.node is change.node
        and other.change.alternative.kind == change.alternative.kind == "missing path"
        if other.whole == found.whole
        and other.tensors == found.tensors
        and not other.change.parts
        and not other.change.when
    ]
    if len(twins) < 2 or len(change.node.operands) != 2 or change.parts:
        return found
    return replace(found, change=replace(change, alternative=replace(change.alternative, says=HALF_OF_A_PRODUCT)))


def _diagnosis(search: Search, found: Found) -> Diagnosis:
    words = Words(search.backwards, search.scenes)
    names = tuple(found.tensors)
    zero = not any(np.any(search.first.observed[name]) for name in names)
    return Diagnosis(
        "all zero" if zero else found.change.alternative.kind,
        names[0],
        words.sentence(found) + ".",
        words.remedy(found.change),
        names,
    )
