"""Hypotheses: the ways in which a gradient can be wrong, each as a prediction.

They are general: a factor (one, one per row or column, a known array), a transpose, another axis or operand, a mask, a
side, a term too few or too many. Each returns a name, what was seen and the change to make, or None where the
prediction does not match to rounding. They stand in order, the simplest first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking import terms
from minitorch_np.checking.evidence import Evidence, Found, factor, fraction, gradient_of, same

if TYPE_CHECKING:
    from numpy.typing import NDArray


def all_zero(e: Evidence) -> Found:
    if np.any(e.a):
        return None
    return "all zero", "Every element is 0.", f"Compute {gradient_of(e.name)} from dy."


def one_factor(e: Evidence) -> Found:
    c = factor(e.a, e.r)
    return None if c is None else ("constant factor", f"{c:.9g}", "")


def lost_precision(e: Evidence) -> Found:
    size, error = np.abs(e.r).max(initial=0), np.abs(e.a - e.r)
    with np.errstate(over="ignore"):
        coarse = {kind: np.array_equal(e.a.astype(kind).astype(float), e.a) for kind in (np.float32, np.float16)}
    typical = np.median(error[e.r != 0] / np.abs(e.r[e.r != 0])) if np.any(e.r) else 0.0
    scattered = np.count_nonzero(error) > 0.7 * e.a.size and 1e-11 < typical < 1e-6
    in_half = coarse[np.float16] and typical < 1e-2 and error.max(initial=0) < 1e-2 * size
    if not in_half and not ((coarse[np.float32] or scattered) and error.max(initial=0) < 1e-5 * size):
        return None
    return (
        "lost precision",
        "It agrees with the truth only to as many digits as a shorter number has.",
        "Keep the dtype of x and dy throughout; no astype and no float32 constants.",
    )


def dy_alone(e: Evidence) -> Found:
    if e.name != "x" or e.g.shape != e.a.shape or factor(e.a, e.g) is None:
        return None
    c = factor(e.a, e.g) or 0.0
    times = "" if abs(c - 1) < 1e-9 else f" times {fraction(c)}"
    return "derivative forgotten", f"dx is dy{times}: the layer's own derivative is missing.", "Multiply dy by dy/dx."


def transposed(e: Evidence) -> Found:
    for axes in itertools.permutations(range(e.r.ndim)):
        if axes != tuple(range(e.r.ndim)) and e.r.transpose(axes).shape == e.a.shape:
            c = factor(e.a, e.r.transpose(axes))
            if c is not None:
                times = "" if abs(c - 1) < 1e-9 else f" times {fraction(c)}"
                return (
                    "transposed",
                    f"It is the true gradient with its axes in the order {axes}{times}.",
                    "Swap them back.",
                )
    return None


def jacobian_transposed(e: Evidence) -> Found:
    if e.jacobian.shape[0] != e.jacobian.shape[1] or e.elementwise:
        return None
    if factor(e.a.ravel(), e.jacobian.T @ e.g.ravel()) is None:
        return None
    return "Jacobian transposed", "It is J dy where J^T dy is due.", "Transpose the kernel in dx: dy @ kernel.T."


def diagonal_only(e: Evidence) -> Found:
    if e.name != "x" or e.jacobian.shape[0] != e.jacobian.shape[1] or e.elementwise:
        return None
    if not same(e.a, (np.diagonal(e.jacobian) * e.g.ravel()).reshape(e.a.shape)):
        return None
    return (
        "diagonal only",
        "It is the diagonal of the Jacobian times dy.",
        "Every output depends on every input of its example: add the terms off the diagonal.",
    )


FORMS: dict[str, Callable[[Any], Any]] = {
    "{} * (1 - {})": lambda v: v * (1 - v),
    "1 - {} ** 2": lambda v: 1 - v * v,
    "{} * (1 + {})": lambda v: v * (1 + v),
    "1 + {} ** 2": lambda v: 1 + v * v,
    "1 - {}": lambda v: 1 - v,
    "1 + {}": lambda v: 1 + v,
    "{}": lambda v: v,
    "2 * {}": lambda v: 2 * v,
    "{} ** 2": lambda v: v * v,
    "exp({})": np.exp,
    "exp(-{})": lambda v: np.exp(-v),
    "cos({})": np.cos,
    "sin({})": np.sin,
    "1 / {}": lambda v: 1 / v,
    "-1 / {} ** 2": lambda v: -1 / v**2,
    "sqrt({})": lambda v: np.sqrt(np.abs(v)),
    "sigmoid({})": lambda v: 1 / (1 + np.exp(-v)),
    "sigmoid({0}) * (1 - sigmoid({0}))": lambda v: 1 / (1 + np.exp(-v)) / (1 + np.exp(v)),
    "tanh({})": np.tanh,
    "1 - tanh({}) ** 2": lambda v: 1 - np.tanh(v) ** 2,
    "({} > 0)": lambda v: (v > 0) * 1.0,
    "({} < 0)": lambda v: (v < 0) * 1.0,
    "sign({})": np.sign,
}


def _forms(e: Evidence) -> Iterator[tuple[str, str, NDArray]]:
    with np.errstate(all="ignore"):
        for form, function in FORMS.items():
            for name, array in (("x", e.x), ("y", e.y), ("dy", e.g)):
                values = function(array)
                if values.shape == e.a.shape and np.isfinite(values).all():
                    yield form, form.format(name, name), values


def another_derivative(e: Evidence) -> Found:
    """dx = dy * (a known function of x, y or dy) in a layer that works element by element."""
    if e.name != "x" or not e.elementwise or e.differs.sum() < 3:
        return None
    where = e.differs
    right = {form for form, _, values in _forms(e) if same(e.slope[where], values[where])}
    due = next((name for _, name, true in _forms(e) if same(e.slope[where], true[where])), "")
    wanted = f"dy/dx is {due}." if due else "Take the derivative of forward."
    for form, text, values in _forms(e):
        values = values[where]
        if not np.ptp(values) or not same(e.a[where], e.g[where] * values):
            continue
        if "> 0" in form or "< 0" in form:
            return "wrong mask", f"dx is dy * {text}.", wanted
        part = "" if where.all() else " where it is wrong"
        name = "derivative at the wrong argument" if form in right else "wrong derivative"
        return name, f"dx is dy * {text}{part}.", wanted
    return None


def wrong_mask(e: Evidence) -> Found:
    """Zeros where there should be none, or the other way round, and all the rest right."""
    differs = e.differs
    one_is_zero = (e.a == 0) != (e.r == 0)
    if not differs.any() or not one_is_zero[differs].all():
        return None
    filled = differs & (e.r == 0)
    if filled.any() and e.a.shape == e.g.shape:
        ratio = e.a[filled] / e.g[filled]
        if np.ptp(ratio) > 1e-9 * np.abs(ratio).max():
            return None
    if not filled.any() and differs.sum() < max(3, 0.1 * e.a.size):
        return None
    return (
        "wrong mask",
        "Elements are 0 where the true ones are not, or the other way round; all others are right.",
        "Mask with the condition that forward used, on the same array.",
    )


def _sides(e: Evidence) -> Iterator[tuple[str, NDArray]]:
    yield "x < 0", e.x < 0
    yield "x > 0", e.x > 0
    target = e.others.get("target")
    if target is not None and target.shape == e.x.shape:
        yield "x < target", e.x < target
        yield "x > target", e.x > target
        yield "target = 0", target == 0
        yield "target = 1", target == 1


def two_slopes(e: Evidence) -> Found:
    """The true gradient times a constant on one side, and right, or times another constant, on the other."""
    if e.name != "x" or e.x.shape != e.a.shape or e.differs.sum() < 2:
        return None
    live = e.r != 0
    if np.any(e.a[~live]):
        return None
    for side, where in _sides(e):
        inside, outside = live & where, live & ~where
        if inside.sum() < 2 or not outside.any():
            continue
        c, other = factor(e.a[inside], e.r[inside]), factor(e.a[outside], e.r[outside])
        if c is None or other is None or abs(c - 1) < 1e-9:
            continue
        if abs(other - 1) < 1e-9:
            text = f"Where {side} it is the true one times {fraction(c)}; elsewhere it is right."
            return "wrong slope on one side", text, f"Correct the slope for {side}."
        if abs(c * other - 1) < 1e-9:
            return "wrong mask", f"The slopes of {side} and of the rest are exchanged.", "Turn the condition round."
    wrong = e.differs
    c = factor(e.a[wrong], e.r[wrong]) if e.loss and wrong.sum() > 2 and not wrong.all() else None
    if c is None:
        return None
    text = f"Where it is wrong it is the true one times {fraction(c)}; elsewhere it is right."
    name = "sign flipped" if abs(c + 1) < 1e-9 else "wrong slope on one side"
    return name, text, "Look at the condition that parts these elements from the others."


def known_factor(e: Evidence) -> Found:
    for name, array in e.broadcastable():
        c = factor(e.a, e.r * array)
        if c is not None and np.ptp(array) > 1e-6 * np.abs(array).max():
            times = "" if abs(c - 1) < 1e-9 else f" and {fraction(c)}"
            text = f"It is the true gradient times {name}{times}."
            if e.name == "x" and array.shape == e.a.shape:
                return "wrong derivative", text, f"Take {name} out."
            return "factor per row or column", text, f"Take {name} out, or divide by it."
    return None


def axis_factor(e: Evidence) -> Found:
    """A factor that is the same along some axes and not along the others."""
    live = np.abs(e.r) > 1e-12 * np.abs(e.r).max(initial=0)
    if e.a.ndim < 2 or live.mean() < 0.5 or np.abs(e.a[~live]).max(initial=0) > 1e-9 * np.abs(e.a).max(initial=0):
        return None
    with np.errstate(all="ignore"):
        ratio = np.where(live, e.a / e.r, np.nan)
    if np.nanmax(ratio) - np.nanmin(ratio) <= 1e-9 * np.nanmax(np.abs(ratio)):
        return None
    axes = range(e.a.ndim)
    for count in range(e.a.ndim - 1, 0, -1):
        for along in itertools.combinations(axes, count):
            if live.sum(axis=along).min() < 2:
                continue
            low, high = np.nanmin(ratio, axis=along), np.nanmax(ratio, axis=along)
            if (high - low <= 1e-9 * np.abs(high)).all():
                over = ", ".join(str(axis) for axis in axes if axis not in along)
                text = f"It is the true gradient times a factor for each index of axis {over}."
                return (
                    "factor per row or column",
                    text,
                    "Look for an array along that axis that is missing or too many.",
                )
    return None


def few_elements(e: Evidence) -> Found:
    differs = e.differs
    if not differs.any() or differs.sum() > 0.5 * e.a.size or e.a.size < 3 or e.loss:
        return None
    if e.elementwise and differs.sum() > 2 and any(np.array_equal(differs, side) for _, side in _sides(e)):
        return None  # a side, not single elements
    lines = []
    for axis, size in enumerate(e.a.shape):
        rest = tuple(other for other in range(e.a.ndim) if other != axis)
        hit = np.flatnonzero(differs.any(axis=rest))
        if len(hit) < size:
            lines.append(f"index {', '.join(map(str, hit[:6]))}{' …' if len(hit) > 6 else ''} of axis {axis}")
    where = " and ".join(lines) or "scattered"
    return "wrong elements", f"Only some elements are wrong: {where}.", "Look at what is special about these places."


def own_derivative(first: Evidence, second: Evidence) -> Found:
    """A layer that works element by element, or a loss, with a derivative that is none of the known ones."""
    if first.loss and first.name == "x" and not _rows_of_shares(first):
        return "wrong derivative", "It is no known change of the true gradient.", "Derive the loss again, term by term."
    if first.name != "x" or not first.elementwise or not (first.g.all() and second.g.all()):
        return None
    if not same(first.a / first.g, second.a / second.g):
        return None
    return "wrong derivative", "dx is dy times a function of x, but of another than forward's.", "Derive forward again."


def _rows_of_shares(e: Evidence) -> bool:
    """Whether the target's rows are one-hot or shares: then an example's outputs belong together."""
    target = e.others.get("target")
    return target is not None and target.ndim > 1 and target.shape[-1] > 1 and np.allclose(target.sum(axis=-1), 1)


HYPOTHESES: list[Callable[[Evidence], Found]] = [
    all_zero, one_factor, lost_precision, dy_alone, transposed, another_derivative, jacobian_transposed, diagonal_only,
    terms.one_index_alone, terms.own_place_alone, wrong_mask, two_slopes, terms.known_term, terms.wrong_axis,
    terms.wrong_operand, terms.centred_otherwise, known_factor, axis_factor, terms.term_constant_over_axis, few_elements,
]  # fmt: skip
