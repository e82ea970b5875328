"""Two paths at once that are left out or have the wrong sign.

The effect of each path on the gradients is known, so the two factors are solved for: every pair of paths costs one small least squares
problem, in place of a backward for each pair and each factor.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming import edges
from minitorch_np.checking.naming.change import DOES_NOT_FIT, Change, at_edge, both
from minitorch_np.checking.naming.solving import flat, least_squares

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.backward import TrueBackward

_FACTORS = {-1: "missing path", -2: "sign flipped"}  # how often the effect of a path is added to the true gradients
_TOGETHER = 1.0  # what two changes cost more than both


def two_paths(
    backwards: tuple[TrueBackward, TrueBackward], wrong: list[str], changes: list[Change], until: float
) -> Iterator[Change]:
    """Pairs of paths that explain the wrong gradients in both settings.

    Args:
        changes: all changes, of which those that leave out a path are combined.
        until: the time.thread_time() at which it stops.
    """
    names = [name for name in wrong if all(_has_its_shape(backward, name) for backward in backwards)]
    if not names:
        return
    rest = [flat([np.asarray(b.observed[n]) - b.true[n] for n in names]) for b in backwards]
    missing = [change for change in changes if change.alternative.kind == "missing path" and not change.when]
    effects = [(change, effect) for change in missing if (effect := _effect(backwards, names, change)) is not None]
    for (one, first), (other, second) in itertools.combinations(effects, 2):
        if time.thread_time() > until:
            return
        solved = [least_squares(np.stack(pair, 1), r) for *pair, r in zip(first, second, rest, strict=True)]
        kinds = [_kinds(factors) for factors in solved if factors is not None]
        if len(kinds) == 2 and kinds[0] == kinds[1] and all(kinds[0]):
            parts = [_of_kind(change, kind) for change, kind in zip((one, other), kinds[0], strict=True)]
            yield both(parts[0], parts[1], one.price + other.price + _TOGETHER)


def _has_its_shape(backward: TrueBackward, name: str) -> bool:
    given = backward.observed[name]
    return given is not None and given.shape == backward.true[name].shape


def _effect(backwards: tuple[TrueBackward, TrueBackward], names: list[str], change: Change) -> list[NDArray] | None:
    """What a path adds to the gradients in each setting; None if it is nothing."""
    try:
        without = [backward.predict(change.apply(backward, ())) for backward in backwards]
    except DOES_NOT_FIT:
        return None
    effect = [flat([b.true[n] - w[n] for n in names]) for b, w in zip(backwards, without, strict=True)]
    return effect if np.any(effect[0]) else None


def _kinds(factors: NDArray) -> list[str]:
    return [next((kind for due, kind in _FACTORS.items() if abs(c - due) < 1e-9), "") for c in factors]


def _of_kind(change: Change, kind: str) -> Change:
    step = change.step
    if not isinstance(step, edges.Edge):
        return change
    return next(at_edge(step, alternative) for alternative in edges.paths(step) if alternative.kind == kind)
