"""Solving: the constants of a change, such as a factor, from the observed gradients, which are affine in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.backward import MATCH, TrueBackward

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.change import Change, Constants


def solve(backward: TrueBackward, change: Change, wrong: list[str]) -> Constants | None:
    """The constants with which a change gives the wrong gradients, all of them or else one; None if there are none."""
    count = change.alternative.unknowns
    if not count:
        return ()
    units = [tuple(float(i == j) for i in range(count)) for j in range(count)]
    base = backward.predict(change.apply(backward, (0.0,) * count))
    moved = [backward.predict(change.apply(backward, unit)) for unit in units]
    for names in [wrong, *([name] for name in wrong if len(wrong) > 1)]:
        given = [backward.observed[name] for name in names]
        known = [g for g, n in zip(given, names, strict=True) if g is not None and g.shape == base[n].shape]
        if len(known) < len(names):
            continue
        rest = flat([g - base[n] for g, n in zip(known, names, strict=True)])
        columns = np.stack([flat([m[n] - base[n] for n in names]) for m in moved], 1)
        solved = least_squares(columns, rest)
        if solved is not None:
            return tuple(map(float, solved))
    return None


def least_squares(columns: NDArray, rest: NDArray) -> NDArray | None:
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


def flat(arrays: list[NDArray]) -> NDArray:
    return np.concatenate([array.ravel() for array in arrays])
