"""Hypotheses about a gradient as a sum: missing and extra terms, wrong axes, wrong operands."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.evidence import Evidence, Found, factor, fits, fraction, gradient_of, same


def one_index_alone(e: Evidence) -> Found:
    """Only the terms of one example, or of one index of another axis, instead of the sum over all."""
    if e.of_loss or e.elementwise:
        return None
    for axis in range(e.y.ndim):
        if e.y.shape[axis] < 2:
            continue
        for index in (0, -1):
            g = np.zeros_like(e.dy)
            place = (slice(None),) * axis + (index,)
            g[place] = e.dy[place]
            if same(e.given, (e.jacobian @ g.ravel()).reshape(e.given.shape)) and np.any(e.given):
                which = "first" if index == 0 else "last"
                if axis == 0:
                    text = f"It is the gradient of the {which} example alone."
                    return "not summed over the batch", text, f"Sum {gradient_of(e.name)} over the batch."
                return "missing term", f"Only the {which} index of axis {axis} of dy enters.", "Sum over that axis too."
    return None


def own_place_alone(e: Evidence) -> Found:
    """Only the terms in which x and y have the same index of an axis, such as the same time step."""
    if e.name != "x" or e.of_loss:
        return None
    for axis in range(1, min(e.x.ndim, e.y.ndim)):
        if e.x.shape[axis] != e.y.shape[axis] or e.x.shape[axis] < 2:
            continue
        here, there = (np.indices(array.shape)[axis].ravel() for array in (e.x, e.y))
        kept = e.jacobian * (here[:, None] == there[None, :])
        if np.any(kept != e.jacobian) and same(e.given, (kept @ e.dy.ravel()).reshape(e.given.shape)):
            text = f"It has only the terms in which x and y have the same index of axis {axis}."
            change = f"Later outputs depend on earlier inputs along axis {axis}: carry their gradient back."
            return "missing term", text, change
    return None


def known_term(e: Evidence) -> Found:
    """The true gradient plus a multiple of a known array."""
    difference = e.given - e.true
    if e.name != "x":
        full = np.stack([e.value.ravel(), np.ones(e.value.size)], axis=1)
        fit = np.linalg.lstsq(full, difference.ravel(), rcond=None)[0]
        if e.value.size > 2 and np.any(difference) and same(difference.ravel(), full @ fit, 1e-8):
            text = f"It is the true gradient plus {fraction(fit[0])} times {e.name}"
            text += f" plus {fraction(fit[1])}." if abs(fit[1]) > 1e-9 * np.abs(fit).max() else "."
            return "extra term", text, "Remove that term. Weight decay belongs to the optimiser."
    for name, array, missing in _terms(e):
        if not fits(array, e.given):
            continue
        c = factor(difference, np.broadcast_to(array, e.given.shape))
        if c is None:
            continue
        if missing(c):
            return "missing term", f"The term {fraction(-c)} times {name} is missing.", "Add it."
        return "extra term", f"It is the true gradient plus {fraction(c)} times {name}.", "Remove that term."
    return None


def _terms(e: Evidence) -> Iterator[tuple[str, NDArray, Callable[[float], bool]]]:
    """Arrays that may be a term, each with the test of its factor that tells a missing term from an extra one."""
    never, negative, always = (lambda c: False), (lambda c: c < 0), (lambda c: True)
    yield "dy", e.dy, negative
    target = e.others.get("target")
    if target is not None and target.shape == e.x.shape:
        exponential = np.exp(e.x - e.x.max(axis=-1, keepdims=True))
        for name, array in (
            ("target", target),
            ("1 - target", 1 - target),
            ("sigmoid(x)", 1 / (1 + np.exp(-e.x))),
            ("softmax(x)", exponential / exponential.sum(axis=-1, keepdims=True)),
            ("target / x", target / e.x),
            ("(1 - target) / (1 - x)", (1 - target) / (1 - e.x)),
        ):
            yield name, array, always
    yield from ((name, array, never) for name, array in e.known() if name not in ("dy", "target"))
    yield "1", np.ones(()), never


def _by_output(e: Evidence) -> NDArray | None:
    """What every output adds to the gradient of a parameter, if no output depends on two of its elements."""
    if e.name == "x" or e.of_loss or (np.count_nonzero(e.jacobian, axis=0) > 1).any():
        return None
    return (e.jacobian.sum(axis=0) * e.dy.ravel()).reshape(e.y.shape)


def wrong_axis(e: Evidence) -> Found:
    """The right terms, summed over the wrong axes."""
    terms = _by_output(e)
    if terms is None:
        return None
    for count in range(1, terms.ndim + 1):
        for axes in itertools.combinations(range(terms.ndim), count):
            total = terms.sum(axis=axes)
            if total.size != e.given.size or total.size < 2:
                continue
            if factor(e.given.ravel(), total.ravel()) is not None and factor(total.ravel(), e.true.ravel()) is None:
                text = f"The right terms are summed over the axes {axes}."
                return "wrong axis", text, "Sum over the batch, axis 0, and the positions."
    return None


def wrong_operand(e: Evidence) -> Found:
    """A product of the wrong arrays."""
    if e.name == "x":
        return None
    if e.given.ndim == 2:
        rows = {name: array.reshape(-1, array.shape[-1]) for name, array in e.known() if array.ndim >= 2}
        for (p_name, p), (q_name, q) in itertools.product(rows.items(), rows.items()):
            if len(p) != len(q) or (p.shape[1], q.shape[1]) != e.given.shape:
                continue
            product = p.T @ q
            if factor(e.given, product) is not None and factor(product, e.true) is None:
                return "wrong operand", f"It is {p_name}.T @ {q_name}.", "Use the arrays that forward multiplied."
    for name, array in _products(e):
        for axes in (tuple(range(array.ndim - e.given.ndim)), tuple(range(array.ndim - e.given.ndim, array.ndim))):
            if not axes or array.ndim <= e.given.ndim:
                continue
            total = array.sum(axis=axes)
            if total.shape != e.given.shape or total.size < 2:
                continue
            if factor(e.given, total) is not None and factor(total, e.true) is None:
                kind = "wrong operand" if axes[0] == 0 else "wrong axis"
                text = f"It is ({name}) summed over the axes {axes}."
                return kind, text, "Use the array by which forward multiplied this parameter."
    return None


def _products(e: Evidence) -> Iterator[tuple[str, NDArray]]:
    yield "dy", e.dy
    for name, array in (("x", e.x), ("y", e.y)):
        if array.shape == e.dy.shape:
            yield f"dy * {name}", e.dy * array


def centred_otherwise(e: Evidence) -> Found:
    """The gradient of softmax, y (dy - s), with a wrong s: it is the sum of dy y over the features."""
    if e.name != "x" or e.x.shape != e.y.shape or e.of_loss or e.x.ndim < 2:
        return None
    for axis in range(e.y.ndim):
        if same(e.given, e.y * (e.dy - (e.dy * e.y).sum(axis=axis, keepdims=True))):
            name = "leaks across examples" if axis == 0 else "wrong axis"
            return name, f"The sum of dy * y is over axis {axis}.", "Sum over the axis that forward normalises."
        if same(e.given, e.y * (e.dy - e.dy.sum(axis=axis, keepdims=True))):
            return "wrong operand", "The sum is of dy instead of dy * y.", "Sum dy * y."
    return None


def term_constant_over_axis(e: Evidence) -> Found:
    """The error is, along an axis, a multiple of a known array: a term through a sum, a mean or a variance is missing."""
    difference = e.given - e.true
    if e.name != "x" or e.given.ndim < 2 or not np.abs(difference).max() > 1e-9 * np.abs(e.true).max():
        return None
    for axis in (0, e.given.ndim - 1):
        if e.given.shape[axis] < 3:
            continue
        over = "the batch" if axis == 0 else "the features"
        centred = e.x - e.x.mean(axis=axis, keepdims=True)
        for name, parts in (
            ("1", (np.ones_like(e.x),)),
            ("y", (e.y,) if e.y.shape == e.x.shape else ()),
            ("x - mean", (centred,)),
            ("x - mean, plus a constant", (centred, np.ones_like(e.x))),
        ):
            if parts and _spanned(difference, parts, axis):
                text = f"Along {over}, backward minus true is a multiple of {name}."
                return (
                    "missing term",
                    text,
                    f"forward computes a sum, mean or variance over {over}, which depends on x too: add its term.",
                )
    return None


def _spanned(difference: NDArray, parts: tuple[NDArray, ...], axis: int) -> bool:
    """Whether the difference is a linear combination of the parts along the axis."""
    lines = np.moveaxis(difference, axis, -1).reshape(-1, difference.shape[axis])
    bases = [np.moveaxis(part, axis, -1).reshape(lines.shape) for part in parts]
    rest = np.empty_like(lines)
    for number, line in enumerate(lines):
        basis = np.stack([base[number] for base in bases], axis=1)
        rest[number] = line - basis @ np.linalg.lstsq(basis, line, rcond=None)[0]
    return lines.shape[1] > len(parts) + 1 and bool(np.abs(rest).max() <= 1e-9 * np.abs(lines).max())
