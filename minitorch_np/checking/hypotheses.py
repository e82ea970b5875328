"""Hypotheses: what the numbers of a wrong gradient say, where neither a probe nor the graph of forward gives a name.

Each is a prediction of the wrong gradient. It returns the name of the bug, what was observed and the change to make, or None where its
prediction does not match to rounding. HYPOTHESES is their order, the simplest first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from minitorch_np.checking.evidence import Evidence, Found, factor, fraction, gradient_of, same


def all_zero(e: Evidence) -> Found:
    if np.any(e.given):
        return None
    return "all zero", "Every element is 0.", f"Compute {gradient_of(e.name)} from dy."


def one_factor(e: Evidence) -> Found:
    c = factor(e.given, e.true)
    return None if c is None else ("constant factor", f"{c:.9g}", "")


def lost_precision(e: Evidence) -> Found:
    size, error = np.abs(e.true).max(initial=0), np.abs(e.given - e.true)
    is_half, is_single = (np.array_equal(e.given.astype(kind), e.given) for kind in (np.float16, np.float32))
    typical = np.median(error[e.true != 0] / np.abs(e.true[e.true != 0])) if np.any(e.true) else 0.0
    scattered = np.count_nonzero(error) > 0.7 * e.given.size and 1e-11 < typical < 1e-6
    in_half = is_half and typical < 1e-2 and error.max(initial=0) < 1e-2 * size
    if not in_half and not ((is_single or scattered) and error.max(initial=0) < 1e-5 * size):
        return None
    text = "It agrees with the true gradient only to the digits of a number of lower precision, such as float32."
    return "lost precision", text, "Keep the dtype of x and dy throughout; no astype and no float32 constants."


def diagonal_only(e: Evidence) -> Found:
    if e.name != "x" or e.jacobian.shape[0] != e.jacobian.shape[1] or e.elementwise:
        return None
    if not same(e.given, (np.diagonal(e.jacobian) * e.dy.ravel()).reshape(e.given.shape)):
        return None
    change = "Every output depends on every input of its example: add the terms off the diagonal."
    return "diagonal only", "It is the diagonal of the Jacobian times dy.", change


def wrong_mask(e: Evidence) -> Found:
    """An element is 0 where the true one is not, or the other way round, and all others are right."""
    differs = e.differs
    one_is_zero = (e.given == 0) != (e.true == 0)
    if not differs.any() or not one_is_zero[differs].all():
        return None
    filled = differs & (e.true == 0)
    if filled.any() and e.given.shape == e.dy.shape:
        ratio = e.given[filled] / e.dy[filled]
        if np.ptp(ratio) > 1e-9 * np.abs(ratio).max():
            return None
    if not filled.any() and differs.sum() < max(3, 0.1 * e.given.size):
        return None
    text = "Elements are 0 where the true ones are not, or the other way round; all others are right."
    if np.array_equal(e.given != 0, e.dy > 0):
        text = "It is 0 where dy is not above 0: the mask is made from dy."
    elif not e.elementwise and not e.of_loss and e.name == "x":
        return "wrong elements", f"{text} Gradients go to other elements than those that forward picked.", ""
    return "wrong mask", text, "Mask with the condition that forward used, on the same array."


def extra_term(e: Evidence) -> Found:
    """The true gradient plus a multiple of the tensor's own value, plus a constant."""
    difference = (e.given - e.true).ravel()
    table = np.stack([e.value.ravel(), np.ones(e.value.size)], axis=1)
    factors = np.linalg.lstsq(table, difference, rcond=None)[0]
    if e.value.size < 3 or not np.any(difference) or not same(difference, table @ factors, 1e-8):
        return None
    of_value, constant = (c if abs(c) > 1e-9 * np.abs(factors).max() else 0 for c in factors)
    added = ([f"{fraction(of_value)} times {e.name}"] if of_value else []) + ([fraction(constant)] if constant else [])
    text = f"It is the true gradient plus {' plus '.join(added)}."
    return (
        "extra term",
        text,
        "Remove that term." + (" Weight decay belongs to the optimiser." if e.name != "x" else ""),
    )


def axis_factor(e: Evidence) -> Found:
    """A factor that is the same along some axes and not along the others."""
    nonzero = np.abs(e.true) > 1e-12 * np.abs(e.true).max(initial=0)
    elsewhere = np.abs(e.given[~nonzero]).max(initial=0)
    if e.given.ndim < 2 or nonzero.mean() < 0.5 or elsewhere > 1e-9 * np.abs(e.given).max(initial=0):
        return None
    ratio = np.where(nonzero, e.given / e.true, np.nan)
    if np.nanmax(ratio) - np.nanmin(ratio) <= 1e-9 * np.nanmax(np.abs(ratio)):
        return None
    axes = range(e.given.ndim)
    for count in range(e.given.ndim - 1, 0, -1):
        for along in itertools.combinations(axes, count):
            if nonzero.sum(axis=along).min() < 2:
                continue
            low, high = np.nanmin(ratio, axis=along), np.nanmax(ratio, axis=along)
            if (high - low <= 1e-9 * np.abs(high)).all():
                over = ", ".join(str(axis) for axis in axes if axis not in along)
                text = f"It is the true gradient times a different factor for each index of axis {over}."
                return "factor per row or column", text, "Look for a missing or an extra factor along that axis."
    return None


def few_elements(e: Evidence) -> Found:
    differs = e.differs
    if not differs.any() or differs.sum() > 0.5 * e.given.size or e.given.size < 3 or e.of_loss:
        return None
    if e.elementwise and differs.sum() > 2 and any(np.array_equal(differs, side) for side in (e.x < 0, e.x > 0)):
        return None  # a side, not single elements
    lines = []
    for axis, size in enumerate(e.given.shape):
        rest = tuple(other for other in range(e.given.ndim) if other != axis)
        hit = np.flatnonzero(differs.any(axis=rest))
        if len(hit) < size:
            lines.append(f"index {', '.join(map(str, hit[:6]))}{' …' if len(hit) > 6 else ''} of axis {axis}")
    where = " and ".join(lines) or "scattered"
    return "wrong elements", f"Only some elements are wrong: {where}.", "Look at what is special about these places."


def own_derivative(first: Evidence, second: Evidence) -> Found:
    """A wrong derivative that is none of the known functions, of an elementwise layer or of a loss."""
    if first.of_loss and first.name == "x":
        text = "No known mistake turns the true gradient into this one."
        return "wrong derivative", text, "Derive the loss again, term by term."
    if first.name != "x" or not first.elementwise or not (first.dy.all() and second.dy.all()):
        return None
    if not same(first.given / first.dy, second.given / second.dy):
        return None
    slope = np.diagonal(first.jacobian).reshape(first.x.shape)
    error = np.abs(first.given / first.dy - slope)
    place = np.unravel_index(int(error.argmax()), error.shape)
    taken, due = first.given[place] / first.dy[place], slope[place]
    text = f"At x = {first.x[place]:.4g}, dy/dx is taken as {taken:.4g} instead of {due:.4g}. It is a function of x, but another one."
    return "wrong derivative", text, "Derive dy/dx of forward again."


HYPOTHESES: list[Callable[[Evidence], Found]] = [
    all_zero, one_factor, lost_precision, diagonal_only, wrong_mask, extra_term, axis_factor, few_elements,
]  # fmt: skip
