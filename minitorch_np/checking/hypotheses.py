"""Hypotheses: the ways in which a gradient can be wrong, each as a prediction of the wrong gradient.

They are general: a factor (one, one per row or column, a known array), a transpose, another axis or operand, a mask, a
side, a missing term or an extra one. Each returns the name of the bug, what was observed and the change to make, or None
where its prediction does not match to rounding. HYPOTHESES is their order, the simplest first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.checking import terms
from minitorch_np.checking.evidence import Evidence, Found, factor, fraction, gradient_of, same, times


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


def dy_alone(e: Evidence) -> Found:
    c = factor(e.given, e.dy) if e.name == "x" and e.dy.shape == e.given.shape else None
    if c is None:
        return None
    return (
        "derivative forgotten",
        f"dx is dy{times(c)}: the layer's own derivative is missing.",
        "Multiply dy by dy/dx.",
    )


def transposed(e: Evidence) -> Found:
    for axes in itertools.permutations(range(e.true.ndim)):
        if axes != tuple(range(e.true.ndim)) and e.true.transpose(axes).shape == e.given.shape:
            c = factor(e.given, e.true.transpose(axes))
            if c is not None:
                text = f"It is the true gradient with its axes in the order {axes}{times(c)}."
                return "transposed", text, "Swap them back."
    return None


def jacobian_transposed(e: Evidence) -> Found:
    if e.jacobian.shape[0] != e.jacobian.shape[1] or e.elementwise:
        return None
    if factor(e.given.ravel(), e.jacobian.T @ e.dy.ravel()) is None:
        return None
    return "Jacobian transposed", "It is J dy instead of J^T dy.", "Transpose the kernel in dx: dy @ kernel.T."


def diagonal_only(e: Evidence) -> Found:
    if e.name != "x" or e.jacobian.shape[0] != e.jacobian.shape[1] or e.elementwise:
        return None
    if not same(e.given, (np.diagonal(e.jacobian) * e.dy.ravel()).reshape(e.given.shape)):
        return None
    change = "Every output depends on every input of its example: add the terms off the diagonal."
    return "diagonal only", "It is the diagonal of the Jacobian times dy.", change


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
    for form, function in FORMS.items():
        for name, array in (("x", e.x), ("y", e.y), ("dy", e.dy)):
            values = function(array)
            if values.shape == e.given.shape and np.isfinite(values).all():
                yield form, form.format(name, name), values


def another_derivative(e: Evidence) -> Found:
    """dx = dy * (a known function of x, y or dy) in a layer that works element by element."""
    if e.name != "x" or not e.elementwise or e.differs.sum() < 3:
        return None
    where, known = e.differs, list(_forms(e))
    true = [(form, text) for form, text, values in known if same(e.slope[where], values[where])]
    wanted = f"dy/dx is {true[0][1]}." if true else "Take the derivative of forward."
    for form, text, values in known:
        values = values[where]
        if not np.ptp(values) or not same(e.given[where], e.dy[where] * values):
            continue
        if "> 0" in form or "< 0" in form:
            return "wrong mask", f"dx is dy * {text}.", wanted
        part = "" if where.all() else " where it is wrong"
        name = "derivative at the wrong argument" if form in dict(true) else "wrong derivative"
        return name, f"dx is dy * {text}{part}.", wanted
    return None


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
    return "wrong mask", text, "Mask with the condition that forward used, on the same array."


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
    if e.name != "x" or e.x.shape != e.given.shape or e.differs.sum() < 2:
        return None
    nonzero = e.true != 0
    if np.any(e.given[~nonzero]):
        return None
    for side, where in _sides(e):
        inside, outside = nonzero & where, nonzero & ~where
        if inside.sum() < 2 or not outside.any():
            continue
        c, other = factor(e.given[inside], e.true[inside]), factor(e.given[outside], e.true[outside])
        if c is None or other is None or abs(c - 1) < 1e-9:
            continue
        if abs(other - 1) < 1e-9:
            text = f"Where {side} it is the true one times {fraction(c)}; elsewhere it is right."
            return "wrong slope on one side", text, f"Correct the slope for {side}."
        if abs(c * other - 1) < 1e-9:
            return "wrong mask", f"The slopes of {side} and of the rest are exchanged.", "Reverse the condition."
    wrong = e.differs
    c = factor(e.given[wrong], e.true[wrong]) if e.of_loss and wrong.sum() > 2 and not wrong.all() else None
    if c is None:
        return None
    text = f"Where it is wrong it is the true one times {fraction(c)}; elsewhere it is right."
    name = "sign flipped" if abs(c + 1) < 1e-9 else "wrong slope on one side"
    return name, text, "Look at the condition that separates these elements from the others."


def known_factor(e: Evidence) -> Found:
    for name, array in e.broadcastable():
        c = factor(e.given, e.true * array)
        if c is not None and np.ptp(array) > 1e-6 * np.abs(array).max():
            text = f"It is the true gradient times {name}{times(c, ' and ')}."
            if e.name == "x" and array.shape == e.given.shape:
                return "wrong derivative", text, f"Remove the factor {name}."
            return "factor per row or column", text, f"Remove the factor {name}, or divide by it."
    return None


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
    if e.elementwise and differs.sum() > 2 and any(np.array_equal(differs, side) for _, side in _sides(e)):
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
    if first.of_loss and first.name == "x" and not _rows_are_distributions(first):
        text = "No known mistake turns the true gradient into this one."
        return "wrong derivative", text, "Derive the loss again, term by term."
    if first.name != "x" or not first.elementwise or not (first.dy.all() and second.dy.all()):
        return None
    if not same(first.given / first.dy, second.given / second.dy):
        return None
    text = "dx is dy times a function of x, but not the derivative of forward."
    return "wrong derivative", text, "Derive dy/dx of forward again."


def _rows_are_distributions(e: Evidence) -> bool:
    """Whether each row of the target is a distribution, such as one-hot: then the outputs of an example are not independent."""
    target = e.others.get("target")
    return target is not None and target.ndim > 1 and target.shape[-1] > 1 and np.allclose(target.sum(axis=-1), 1)


HYPOTHESES: list[Callable[[Evidence], Found]] = [
    all_zero, one_factor, lost_precision, dy_alone, transposed, another_derivative, jacobian_transposed, diagonal_only,
    terms.one_index_alone, terms.own_place_alone, wrong_mask, two_slopes, terms.known_term, terms.wrong_axis,
    terms.wrong_operand, terms.centred_otherwise, known_factor, axis_factor, terms.term_constant_over_axis, few_elements,
]  # fmt: skip
