"""Places: names of bugs from backward as a matrix, for code whose backward is other algebra than the graph of its forward.

Backward is affine in dy: a call with dy = 0 and one for each output show where each of its numbers is put. A name is what relates these
numbers to the true ones, in two settings alike.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.naming.left_out import left_out
from minitorch_np.checking.naming.matrix import Finding, Matrix, coordinates, matrices
from minitorch_np.checking.naming.moved import misread, moved
from minitorch_np.checking.naming.parts import elements
from minitorch_np.checking.naming.pieces import pieces
from minitorch_np.checking.naming.shifted import shifted
from minitorch_np.tracing.source import Place

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.setting import Setting

DERIVATIVE = "wrong derivative"  # the kind of bug of an elementwise layer
_MOVED = "wrong places"
OWN_OUTPUT = "diagonal only"  # a graph names the same by one of its sums, which explains less
_FINDINGS = 20  # how many findings of a rule are looked at


def name_places(settings: tuple[Setting, Setting], failed: list[str], seconds: float = 1.5) -> list[Diagnosis]:
    """A diagnosis for the wrong gradients that a matrix explains; one for all tensors of which the same is to be said.

    Args:
        settings: two, with other data. failed: the tensors whose gradients are wrong. seconds: the time that the matrices may take.
    """
    until = time.thread_time() + seconds
    said: dict[tuple[str, str, str, str], list[str]] = {}
    with np.errstate(all="ignore"):
        try:
            first, second = ({m.name: m for m in matrices(setting, failed, until)} for setting in settings)
        except Exception:  # a user's backward may raise anything for a dy that is 0 in most places
            return []
        for name in failed:
            found = _explain(first[name], second[name], _RULES) if name in first and name in second else None
            if found is None and name in first and name in second:
                before, other = first[name].before_activation(), second[name].before_activation()
                found = _explain(before, other, _FOLLOWED) if before and other else None
            if found is not None:
                kind, finding = found
                said.setdefault((kind, finding.says, finding.change, _line(first[name])), []).append(name)
    return [_diagnosis(*what, names) for what, names in said.items()]


def _diagnosis(kind: str, says: str, change: str, line: str, names: list[str]) -> Diagnosis:
    tensors = " and ".join(", ".join(map(gradient_of, names)).rsplit(", ", 1))
    remedy = f"{change} {line}".strip() if kind == _MOVED else change or line
    return Diagnosis(kind, names[0], f"{tensors}: {says}.", remedy, tuple(names))


def _explain(first: Matrix, second: Matrix, rules: dict[_Rule, str]) -> tuple[str, Finding] | None:
    """The kind of bug, and the first finding of the first rule that gives the same for both."""
    for rule, kind in rules.items():
        found = list(itertools.islice(rule(first), _FINDINGS))
        others = list(itertools.islice(rule(second), _FINDINGS)) if any(f.holds is None for f in found) else []
        for finding in found:
            if finding.holds(second) if finding.holds else any(_alike(finding.key, other.key) for other in others):
                return kind, finding
    return None


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_alike(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-7 * max(abs(a), abs(b), 1e-9)
    return bool(a == b)


def _line(matrix: Matrix) -> str:
    """Where forward first uses the tensor."""
    leaf = matrix.setting.graph.leaves[matrix.name]
    for node in matrix.setting.graph.nodes:
        if leaf in node.operands and node.frames:
            place = Place(node)
            if place.line and len(place.expression) < 80:
                return f"Forward uses {matrix.name} in `{place.expression}` (line {place.line})."
    return ""


def _dy_not_used(matrix: Matrix) -> Iterator[Finding]:
    """The gradient does not depend on dy, and is what dy = 1 gives: everywhere, or in a part."""
    if matrix.linear:
        return
    any_due, ones = matrix.due.any(1), matrix.true.sum(1)
    fixed = matrix.same(matrix.seen, 0).all(1) & any_due
    right = matrix.same(matrix.seen, matrix.true).all(1) & matrix.same(matrix.at_zero, 0)
    if not (fixed | right).all() or not matrix.same(matrix.at_zero, ones)[fixed].all():
        return
    says, change = "it is what dy = 1 gives", "Multiply by dy."
    if not (right & any_due).any():
        yield Finding(("dy not used",), f"the incoming gradient is not used: {says}", change=change)
    for mask in (np.asarray(fixed), np.asarray(~right)):
        for words in elements(matrix, mask):
            yield Finding(("dy not used", words), f"the incoming gradient is not used {words}: {says}", change=change)


def _own_output_alone(matrix: Matrix) -> Iterator[Finding]:
    """Each element has the term of the output at its own place, and not those of the other outputs that it changes."""
    if matrix.shape != matrix.outputs or len(matrix.true) < 2 or not matrix.linear:
        return
    own = np.diag(np.diagonal(matrix.true))
    if not matrix.same(matrix.seen, own).all() or matrix.same(matrix.true, own).all():
        return
    element, output = np.nonzero(matrix.due)
    places = coordinates(matrix.shape)
    axes = [axis for axis, along in enumerate(places) if (along[element] != along[output]).any()]
    along = f"along {'axis' if len(axes) == 1 else 'axes'} {' and '.join(map(str, axes))}"
    says = f"each element has only the term of the output at its own place, but {matrix.name} changes the other outputs {along} too"
    yield Finding(("own output",), says, change=_softmax(matrix, axes) or "Add the terms of the other outputs.")


def _softmax(matrix: Matrix, axes: list[int]) -> str:
    """The gradient of a softmax, if it is one."""
    setting = matrix.setting
    y, dy = setting.graph.output.value, setting.dy
    if len(axes) != 1 or not np.allclose(setting.true[matrix.name], y * (dy - (dy * y).sum(axes[0], keepdims=True))):
        return ""
    return f"Write `dx = y * (dy - (dy * y).sum(axis={axes[0]}, keepdims=True))`, y being what forward returns."


def _one_number(matrix: Matrix) -> Iterator[Finding]:
    """The gradient is summed over axes of the tensor itself; or dy is summed, averaged or read at one place along an axis."""
    if not matrix.linear:
        return
    for turned, m in ((False, matrix), (True, matrix.transposed())):
        axes = [axis for axis, count in enumerate(m.shape) if count > 1]
        true, seen = (numbers.reshape(*m.shape, -1) for numbers in (m.true, m.seen))
        for count in range(1, len(axes) + 1):
            for over in itertools.combinations(axes, count):
                total = true.sum(over, keepdims=True)
                ends = [np.zeros_like(true), np.zeros_like(true)]
                for end, place in zip(ends, (slice(0, 1), slice(-1, None)), strict=True):
                    end[tuple(place if axis in over else slice(None) for axis in range(true.ndim))] = total
                same = np.broadcast_to(total, true.shape)
                ways = {"summed": same, "averaged": same / np.prod([m.shape[axis] for axis in over])}
                if turned:
                    ways |= dict(zip(("first", "last"), ends, strict=True))
                else:
                    ways |= {end: _of_end(true, over, end) for end in ("first", "last")}
                for how, numbers in ways.items():
                    size = max(np.abs(seen).max(), np.abs(numbers).max())
                    if m.same(seen, numbers, size).all() and not m.same(seen, true, size).all():
                        yield Finding(("one number", turned, how, over), _one_number_words(matrix, turned, how, over))


def _of_end(true: NDArray, over: tuple[int, ...], end: str) -> NDArray:
    """The numbers of the first or the last place along some axes, at all places."""
    place = slice(0, 1) if end == "first" else slice(-1, None)
    return np.broadcast_to(true[tuple(place if axis in over else slice(None) for axis in range(true.ndim))], true.shape)


def _one_number_words(matrix: Matrix, turned: bool, how: str, over: tuple[int, ...]) -> str:
    along = f"axis {' and '.join(map(str, over))}"
    if turned and how in ("first", "last"):
        return f"dy's {how} place along {along} is used for all outputs along it; each must use its own"
    if turned:
        return f"dy is {how} over {along} first, and all outputs along it get that one number; each must use its own"
    if how in ("first", "last"):
        return f"the numbers of the {how} place along {along} of {matrix.name} are at all places along it: an index does not move"
    return f"it is {how} over {along} of {matrix.name} too, and is that one number everywhere along it"


_Rule = Callable[[Matrix], Iterator[Finding]]
_RULES: dict[_Rule, str] = {
    _dy_not_used: "upstream gradient not used",
    pieces: DERIVATIVE,
    _own_output_alone: OWN_OUTPUT,
    _one_number: "sum over a wrong axis",
    left_out: "gradients left out",
    moved: _MOVED,
    misread: _MOVED,
    shifted: _MOVED,
}
# rules for the columns behind an activation
_FOLLOWED: dict[_Rule, str] = {left_out: _RULES[left_out], moved: _RULES[moved], misread: _RULES[misread]}
