"""Diagnosis: predict the wrong gradient under one hypothesis after the other; name the first that matches to rounding.

The hypotheses are general: a factor (one, per row or column, or a known array), a transpose, another axis, another
operand, a mask, a term too few or too many. A name is given only when it holds for two independent upstream gradients.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.evidence import Evidence, factor, fits, fraction, same

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Diagnosis:
    """What is wrong with one tensor's gradient.

    Attributes:
        name: the kind of bug, such as "averaged over the batch".
        tensor: "x" or the parameter's name.
        detail: what was seen. change: what to write instead.
    """

    name: str
    tensor: str
    detail: str
    change: str

    def __str__(self) -> str:
        return f"{self.name} ({gradient_of(self.tensor)}): {self.detail} {self.change}"


Found = tuple[str, str, str] | None


def gradient_of(tensor: str) -> str:
    return "dx" if tensor == "x" else f"{tensor}.grad"


def diagnose(
    pair: tuple[Evidence, Evidence], factor_elsewhere: Callable[[], tuple[int, float | None]]
) -> Diagnosis | None:
    """The simplest hypothesis that explains both pieces of evidence, or None.

    Args:
        factor_elsewhere: (batch, c) for another batch size, if the gradient is the truth times one factor there too.
    """
    first, second = pair
    for hypothesis in HYPOTHESES:
        found, again = hypothesis(first), hypothesis(second)
        if found is None or again is None or found != again:
            continue
        name, detail, change = found
        if name == "constant factor":
            name, detail, change = _explain_factor(first, factor_elsewhere)
        return Diagnosis(name, first.name, detail, change)
    return None


def _explain_factor(
    evidence: Evidence, factor_elsewhere: Callable[[], tuple[int, float | None]]
) -> tuple[str, str, str]:
    """A scalar factor, settled by a second batch size: batch and features may be equal by chance."""
    c = factor(evidence.a, evidence.r) or 0.0
    seen = f"Every element is the true one times {fraction(c)}."
    here, (there, other) = evidence.batch, factor_elsewhere()
    what = gradient_of(evidence.name)
    if other is not None and here != there:
        if abs(c * here - other * there) < 1e-9 * abs(c * here) and abs(c - other) > 1e-9 * abs(c):
            left = c * here
            rest = "" if abs(left - 1) < 1e-9 else f", and times {fraction(left)} besides"
            return (
                "averaged over the batch",
                f"{seen} With a batch of {there} it becomes {fraction(other)}: it follows 1 / batch{rest}.",
                f"Sum {what} over the batch; dy already carries the loss's 1/m.",
            )
        if abs(c / here - other / there) < 1e-9 * abs(c / here) and abs(c - other) > 1e-9 * abs(c):
            left = c / here
            rest = "" if abs(left - 1) < 1e-9 else f", and times {fraction(left)} besides"
            return (
                "missing 1/m",
                f"{seen} With a batch of {there} it becomes {fraction(other)}: it grows with the batch{rest}.",
                f"Divide {what} by the number of elements that the mean is taken over.",
            )
    if abs(c + 1) < 1e-9:
        return "sign flipped", "Every element is the true one times -1.", f"Change the sign of {what}."
    if other is not None and abs(c - other) > 1e-9 * abs(c):
        seen += f" With a batch of {there} it becomes {fraction(other)}."
    name = "sign flipped" if c < 0 and abs(abs(c) - 1) < 1e-9 else "constant factor"
    return name, seen, f"Multiply {what} by {fraction(1 / c)}, or take the factor out where it came in."


# The hypotheses, simplest first. Each returns a name, what was seen and the change to make, or None.


def all_zero(e: Evidence) -> Found:
    if np.any(e.a):
        return None
    return "all zero", "Every element is 0.", f"Compute {gradient_of(e.name)} from dy."


def one_factor(e: Evidence) -> Found:
    return None if factor(e.a, e.r) is None else ("constant factor", "", "")


def lost_precision(e: Evidence) -> Found:
    size = np.abs(e.r).max(initial=0)
    error = np.abs(e.a - e.r)
    with np.errstate(over="ignore"):
        in_float32 = np.array_equal(e.a.astype(np.float32), e.a)
    typical = np.median(error[e.r != 0] / np.abs(e.r[e.r != 0])) if np.any(e.r) else 0.0
    scattered = np.count_nonzero(error) > 0.7 * e.a.size and 1e-11 < typical < 1e-6
    if not (in_float32 or scattered) or not error.max(initial=0) < 1e-5 * size:
        return None
    return (
        "lost precision",
        "It agrees with the truth only to about as many digits as float32 has.",
        "Keep the dtype of x and dy throughout; no astype(np.float32) and no float32 constants.",
    )


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


def dy_alone(e: Evidence) -> Found:
    if e.name != "x" or e.g.shape != e.a.shape or factor(e.a, e.g) is None:
        return None
    c = factor(e.a, e.g) or 0.0
    times = "" if abs(c - 1) < 1e-9 else f" times {fraction(c)}"
    return "derivative forgotten", f"dx is dy{times}: the layer's own derivative is missing.", "Multiply dy by dy/dx."


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
    if e.name != "x" or not e.elementwise:
        return None
    right = {form for form, _, values in _forms(e) if same(e.slope, values)}
    for form, text, values in _forms(e):
        if np.ptp(values) and same(e.a, e.g * values):
            due = next((name for _, name, true in _forms(e) if same(e.slope, true)), "")
            wanted = f"dy/dx is {due}." if due else "Take the derivative of forward."
            if form in right:
                return "derivative at the wrong argument", f"dx is dy * {text}.", wanted
            if "> 0" in form or "< 0" in form:
                return None  # a mask, which has a hypothesis of its own
            return "wrong derivative", f"dx is dy * {text}.", wanted
    return None


def wrong_mask(e: Evidence) -> Found:
    """Zeros where there should be none, or the other way round, and all the rest right."""
    differs = ~(np.abs(e.a - e.r) <= 1e-9 * (np.abs(e.a) + np.abs(e.r)))
    one_is_zero = (e.a == 0) != (e.r == 0)
    if not differs.any() or not one_is_zero[differs].all() or not ((e.a == 0).any() and (e.a != 0).any()):
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


def two_slopes(e: Evidence) -> Found:
    """Right in some elements, and off by one factor in all the others."""
    differs = ~(np.abs(e.a - e.r) <= 1e-9 * (np.abs(e.a) + np.abs(e.r)))
    live = e.r != 0
    if (
        e.name != "x"
        or e.x.shape != e.a.shape
        or differs.sum() < 2
        or not (live & ~differs).any()
        or not live[differs].all()
    ):
        return None
    ratio = e.a[differs] / e.r[differs]
    if np.ptp(ratio) > 1e-9 * np.abs(ratio).max() or not np.abs(ratio).max():
        return None
    for side, where in (("x < 0", e.x < 0), ("x > 0", e.x > 0)):
        if np.array_equal(differs, where & live):
            text = f"Where {side} it is the true one times {fraction(float(ratio[0]))}; elsewhere it is right."
            return "wrong slope on one side", text, f"Correct the slope for {side}."
    return None


def known_factor(e: Evidence) -> Found:
    for name, array in e.broadcastable():
        c = factor(e.a, e.r * array)
        if c is not None and np.ptp(array) > 1e-6 * np.abs(array).max():
            times = "" if abs(c - 1) < 1e-9 else f" and {fraction(c)}"
            return (
                "factor per row or column",
                f"It is the true gradient times {name}{times}.",
                f"Take {name} out, or divide by it.",
            )
    return None


def axis_factor(e: Evidence) -> Found:
    if e.a.ndim < 2:
        return None
    live = np.abs(e.r) > 1e-12 * np.abs(e.r).max(initial=0)
    if live.mean() < 0.5 or not same(e.a[~live], 0 * e.a[~live] + e.r[~live]):
        return None
    with np.errstate(all="ignore"):
        ratio = np.where(live, e.a / e.r, np.nan)
    for axis in range(e.a.ndim):
        rest = tuple(other for other in range(e.a.ndim) if other != axis)
        if live.sum(axis=rest).min() < 2:
            continue
        low, high = np.nanmin(ratio, axis=rest), np.nanmax(ratio, axis=rest)
        if (high - low <= 1e-9 * np.abs(high)).all():
            what = "row" if axis == 0 else "column" if axis == e.a.ndim - 1 else f"index of axis {axis}"
            return (
                "factor per row or column",
                f"Each {what} is the true one times a factor of its own.",
                "Look for an array along that axis that is missing or too many.",
            )
    return None


def known_term(e: Evidence) -> Found:
    difference = e.a - e.r
    candidates = [(gradient_of(e.name).removesuffix(".grad"), e.value), *e.known(), ("a constant", np.ones(()))]
    for name, array in candidates:
        if fits(array, e.a):
            full = np.broadcast_to(array, e.a.shape)
            c = factor(difference, full)
            if c is not None:
                label = e.name if array is e.value else name
                decay = " Weight decay belongs to the optimiser." if array is e.value and e.name != "x" else ""
                if name == "dy" and e.name == "x" and abs(c + 1) < 1e-9:
                    return (
                        "missing term",
                        "dy itself is missing from dx.",
                        "Add dy: the path around the layers has slope 1.",
                    )
                return (
                    "extra term",
                    f"It is the true gradient plus {fraction(c)} times {label}.{decay}",
                    "Leave that term out.",
                )
    return None


def term_constant_over_axis(e: Evidence) -> Found:
    """A - R does not change along an axis, or is along it a multiple of the centred x: the terms of a normalisation."""
    difference = e.a - e.r
    if e.a.ndim < 2 or not np.abs(difference).max() > 1e-9 * np.abs(e.r).max():
        return None
    for axis in (0, e.a.ndim - 1):
        if e.a.shape[axis] < 3:
            continue
        over = "the batch" if axis == 0 else "the features"
        if same(difference, np.broadcast_to(difference.mean(axis=axis, keepdims=True), e.a.shape), 1e-8):
            return (
                "missing term",
                f"A - R is constant over {over}.",
                f"The mean over {over} depends on x too: add its term.",
            )
        if e.name == "x":
            centred = e.x - e.x.mean(axis=axis, keepdims=True)
            norm = (centred * centred).sum(axis=axis, keepdims=True)
            if norm.all() and same(
                difference, centred * ((difference * centred).sum(axis=axis, keepdims=True) / norm), 1e-8
            ):
                return (
                    "missing term",
                    f"A - R is a multiple of x - mean over {over}.",
                    f"The variance over {over} depends on x too: add its term.",
                )
            offset = difference - difference.mean(axis=axis, keepdims=True)
            if norm.all() and same(offset, centred * ((offset * centred).sum(axis=axis, keepdims=True) / norm), 1e-8):
                return (
                    "missing term",
                    f"A - R is a constant plus a multiple of x - mean over {over}.",
                    f"Mean and variance over {over} depend on x too.",
                )
    return None


def _products(e: Evidence) -> Iterator[tuple[str, NDArray]]:
    """dy, and dy times what forward had."""
    yield "dy", e.g
    with np.errstate(all="ignore"):
        for name, array in (("x", e.x), ("y", e.y)):
            if array.shape == e.g.shape:
                yield f"dy * {name}", e.g * array
                for axis in {0, array.ndim - 1}:
                    deviation = array.std(axis=axis, keepdims=True)
                    if deviation.all():
                        yield (
                            f"dy * normalised {name}",
                            e.g * (array - array.mean(axis=axis, keepdims=True)) / deviation,
                        )


def wrong_axis(e: Evidence) -> Found:
    if e.name == "x":
        return None
    for name, array in _products(e):
        for count in range(1, array.ndim + 1):
            for axes in itertools.combinations(range(array.ndim), count):
                total = array.sum(axis=axes)
                if total.size == e.a.size and total.size > 1:
                    c = factor(e.a.ravel(), total.ravel())
                    if c is not None and factor(total.ravel(), e.r.ravel()) is None:
                        return (
                            "wrong axis",
                            f"It is ({name}) summed over the axes {axes}.",
                            "Sum over the batch, axis 0, and the positions.",
                        )
    return None


def wrong_operand(e: Evidence) -> Found:
    if e.a.ndim != 2 or e.name == "x":
        return None
    rows = {name: array.reshape(-1, array.shape[-1]) for name, array in e.known() if array.ndim >= 2}
    for (p_name, p), (q_name, q) in itertools.product(rows.items(), rows.items()):
        if len(p) != len(q) or (p.shape[1], q.shape[1]) != e.a.shape:
            continue
        product = p.T @ q
        if factor(e.a, product) is not None and factor(product, e.r) is None:
            return (
                "wrong operand",
                f"It is {p_name}.T @ {q_name}.",
                "Take the arrays that forward multiplied: x.T @ dy.",
            )
    return None


def few_elements(e: Evidence) -> Found:
    scale = np.abs(e.a) + np.abs(e.r)
    differs = ~(np.abs(e.a - e.r) <= 1e-10 * scale + 1e-13 * scale.max(initial=0))
    if not differs.any() or differs.sum() > 0.5 * e.a.size or e.a.size < 3:
        return None
    lines = []
    for axis, size in enumerate(e.a.shape):
        rest = tuple(other for other in range(e.a.ndim) if other != axis)
        hit = np.flatnonzero(differs.any(axis=rest))
        if len(hit) < size and e.a.ndim:
            lines.append(f"index {', '.join(map(str, hit[:6]))}{' …' if len(hit) > 6 else ''} of axis {axis}")
    where = " and ".join(lines) or "scattered"
    return "wrong elements", f"Only some elements are wrong: {where}.", "Look at what is special about these places."


HYPOTHESES: list[Callable[[Evidence], Found]] = [
    all_zero, one_factor, lost_precision, dy_alone, transposed, another_derivative, jacobian_transposed, diagonal_only,
    wrong_mask, two_slopes, known_term, wrong_axis, wrong_operand, known_factor, axis_factor, term_constant_over_axis,
    few_elements,
]  # fmt: skip
