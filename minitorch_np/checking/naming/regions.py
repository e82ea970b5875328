"""What authors write for several steps at once: a function made of elementwise steps, or of steps that only move elements."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming import elsewhere
from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.naming.arrays_at_hand import Arrays, Reference, fits
from minitorch_np.checking.naming.formulas import FORMULAS, Formula
from minitorch_np.tracing.operations import elementwise, pull_back

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.tracing.graph import Node


class Region:
    """The nodes between a value and the one value that they are all computed from, in one setting and iteration.

    Attributes:
        top: the result. bottom: the value below. inside: the nodes between them, with the top.
        kind: "elementwise" or "moves".
    """

    def __init__(self, backward: TrueBackward, kind: str, top: Node, bottom: Node, inside: frozenset[int]) -> None:
        self.backward, self.kind, self.top, self.bottom, self.inside = backward, kind, top, bottom, inside

    @property
    def steps(self) -> list[Node]:
        """The nodes inside, in the order of forward."""
        start, end = (self.backward.position[node.index] for node in (self.bottom, self.top))
        return [node for node in self.backward.nodes[start : end + 1] if node.index in self.inside]

    def pull(self, gradient: NDArray) -> NDArray:
        """What truly goes back from the top to the bottom."""
        gradients = {self.top.index: gradient}
        for node in reversed(self.steps):
            for k, operand in enumerate(node.operands):
                if operand.active and node.index in gradients:
                    more = pull_back(node, k, gradients[node.index])
                    gradients[operand.index] = gradients.get(operand.index, 0) + more
        return gradients.get(self.bottom.index, np.zeros(self.bottom.value.shape))

    @property
    def slope(self) -> NDArray:
        """The derivative of an elementwise region."""
        return self.pull(np.ones(self.top.value.shape))

    def replay(self, value: NDArray) -> NDArray:
        """The function of an elementwise region, of another value."""
        results = {self.bottom.index: value}
        for node in self.steps:
            a = [results.get(operand.index, operand.value) for operand in node.operands]
            if node.op == "where":
                results[node.index] = np.where(node.detail, *a)
            elif node.op in ("absolute", "fabs"):
                results[node.index] = np.where(a[0].real > 0, a[0], -a[0])
            else:
                results[node.index] = node.detail(*a)
        return results[self.top.index]

    def slope_at(self, value: NDArray) -> NDArray:
        """The derivative of an elementwise region where its bottom has another value."""
        return self.replay(value + 1e-60j).imag / 1e-60

    def sources(self) -> NDArray:
        """For each element of the top, the number of the element of the bottom that it is, or -1."""
        shape = self.bottom.value.shape
        numbers = {self.bottom.index: np.arange(self.bottom.value.size).reshape(shape)}
        for node in self.steps:
            operands = [numbers.get(o.index, np.full(o.value.shape, -1)).ravel() for o in node.operands]
            numbers[node.index] = np.concatenate([[-1], *operands])[node.detail]
        return numbers[self.top.index]

    def place(self, sources: NDArray, gradient: NDArray, how: str = "add") -> NDArray:
        """Put the gradients of the top's elements at these elements of the bottom."""
        flat, known = np.zeros(self.bottom.value.size), sources >= 0
        to, what = sources[known], np.broadcast_to(gradient, sources.shape)[known]
        if how == "last":
            flat[to] = what
        else:
            np.add.at(flat, to, what)
        if how == "mean":
            flat /= np.maximum(np.bincount(to, minlength=flat.size), 1)
        return flat.reshape(self.bottom.value.shape)

    def array(self, reference: Reference) -> NDArray:
        return reference.value(self.backward, self.top.visit)


def regions(backward: TrueBackward) -> Iterator[Region]:
    """Every region: all paths from its top down lead through its bottom."""
    for top in backward.nodes:
        if not (elementwise(top) or top.op == "gather"):
            continue
        kind = "moves" if top.op == "gather" else "elementwise"
        inside, below = {top.index}, {operand.index: operand for operand in top.operands if operand.active}
        while below:
            bottom = below[max(below, key=backward.position.__getitem__)]
            alike = kind == "moves" or bottom.value.shape == top.value.shape
            if len(below) == 1 and alike:
                yield Region(backward, kind, top, bottom, frozenset(inside))
            if bottom.leaf is not None or not (
                bottom.op == "gather" if kind == "moves" else elementwise(bottom) and alike
            ):
                break
            del below[bottom.index]
            inside.add(bottom.index)
            below |= {operand.index: operand for operand in bottom.operands if operand.active}


_DERIVATIVES: dict[str, Formula] = {
    "y * (1 - y)": lambda x, y: y * (1 - y),
    "1 - y**2": lambda x, y: 1 - y * y,
    "1 - y": lambda x, y: 1 - y,
    "(1 - y)**2": lambda x, y: (1 - y) ** 2,
    "1 / (1 + x)**2": lambda x, y: 1 / (1 + x) ** 2,
    "1 + y": lambda x, y: 1 + y,
    "1 - x**2": lambda x, y: 1 - x * x,
    "x * (1 - x)": lambda x, y: x * (1 - x),
    **FORMULAS,
}
_PRICES = {"y * (1 - y)": 1.3, "1 - y**2": 1.3, "y": 1.9, "1 - y": 1.9}  # of the frequent ones
_OF = "the derivative of {place} with respect to {bottom}"
_OF_SIGMOID_AND_TANH = ("y * (1 - y)", "1 - y**2")  # whose results are between -1 and 1


def true_formula(region: Region) -> str:
    """The derivative of an elementwise region from x, the value below, and y, the result; "" if it is none of the common ones."""
    slope, values = region.slope, (region.bottom.value, region.top.value)
    within = 1e-12 * np.abs(slope).max(initial=0)
    return next((text for text, f in _DERIVATIVES.items() if np.allclose(slope, f(*values), 1e-9, within)), "")


def alternatives(region: Region, arrays: Arrays) -> Iterator[Alternative]:
    """All that may stand for one region."""
    if region.kind == "moves":
        yield from _moves(region)
    else:
        more = (elsewhere.alternatives(region, arrays), _extra_factor(region, arrays))
        for alternative in itertools.chain(_derivatives(region), _slopes(region), *more):
            yield replace(alternative, change=alternative.change or "{derivative}")


def _derivatives(region: Region) -> Iterator[Alternative]:
    """The derivative is missing, another formula, or taken of another value."""
    rule: Callable[..., NDArray]
    if len(region.inside) > 1:  # of one operation, its edge says so
        yield Alternative(
            1.4, "derivative forgotten", f"{_OF} is missing: it is taken as 1", lambda r, g: g * np.ones(g.shape)
        )
    if len(region.inside) == 1 and np.all(region.slope == 1):
        return  # of `x - 1` nobody takes a derivative
    for text, formula in _DERIVATIVES.items():
        if np.isfinite(formula(region.bottom.value, region.top.value)).all():
            known = text in _OF_SIGMOID_AND_TANH and region.top.op != "tanh" and len(region.inside) > 1
            known = known and np.abs(region.top.value).max() <= 1
            says = f"{_OF} is taken as {{formula:{text}}}"
            rule = lambda r, g, f=formula: g * f(r.bottom.value, r.top.value)  # noqa: E731
            yield Alternative(_PRICES.get(text, 2.1) - 0.5 * known, "another derivative", says, rule)
    for price, says, rule in (
        (2.3, "is taken as the function of its own result, {top}", lambda r, g: g * r.replay(r.top.value)),
        (2.4, "is taken at its result {top} instead of at {bottom}", lambda r, g: g * r.slope_at(r.top.value)),
        (2.6, "is multiplied by the sign of {bottom}", lambda r, g: g * r.slope * np.sign(r.bottom.value)),
    ):
        yield Alternative(price, "another derivative", f"{_OF} {says}", rule)


def _slopes(region: Region) -> Iterator[Alternative]:
    """The derivative is a constant, or one on each side of a condition."""
    says = f"{_OF} is taken as the constant {{number}}"
    yield Alternative(2.5, "another derivative", says, lambda r, g, c: g * c, unknowns=1)
    if region.top.op in ("where", "maximum", "minimum", "absolute"):
        says = f"{_OF} is {{numbers}} on its two sides instead of {{slopes}}"
        rule = lambda r, g, a, b: g * np.where(side(r.top), a, b)  # noqa: E731
        yield Alternative(2.1, "wrong slopes", says, rule, unknowns=2, change="Write {slopes}, one for each side.")


def _extra_factor(region: Region, arrays: Arrays) -> Iterator[Alternative]:
    for reference, array in arrays:
        if not fits(array, region.top.value.shape):
            continue
        says = f"{_OF} has an extra factor {{array}}"
        yield Alternative(3.1, "extra factor", says, lambda r, g, a=reference: g * r.slope * r.array(a), reference)


def side(node: Node) -> NDArray:
    """Where an operation with a condition takes its first side."""
    if node.op == "where":
        return node.detail
    a, b = node.operands[0].value, node.operands[1].value if len(node.operands) == 2 else 0
    return a < b if node.op == "minimum" else a > b


def _moves(region: Region) -> Iterator[Alternative]:
    """The gradients of moved elements go to other places, or are put together in another way."""
    rule: Callable[..., NDArray]
    top, bottom = region.top.value.shape, region.bottom.value.shape
    back = "on the way back through {place} to {bottom}, "
    several = "an element of {bottom} that {place} uses several times gets "
    for price, how, says in (
        (2, "last", "only one of its gradients: they must be added"),
        (2.2, "mean", "the average of its gradients instead of their sum"),
    ):
        rule = lambda r, g, how=how: r.place(r.sources(), g, how)  # noqa: E731
        yield Alternative(price, "not added up", several + says, rule, change="{adding}")
    for axis, size in enumerate(bottom):
        for says, to in _PLACES.items() if size > 1 else ():
            rule = lambda r, g, a=axis, f=to: r.place(_moved(r.sources(), r.bottom.value.shape, a, f), g)  # noqa: E731
            yield Alternative(2.5, "wrong places", f"{back}gradients go to {says.format(axis=axis)}", rule)
        picked = size > 1 and region.bottom.value.size > region.top.value.size
        for says, spread in _TO_ALL.items() if picked else ():
            rule = lambda r, g, a=axis, f=spread: f(r.pull(g), a) + np.zeros(r.bottom.value.shape)  # noqa: E731
            yield Alternative(2.45, "wrong places", f"{back}{says.format(axis=axis)}", rule)
    if region.top.value.size == region.bottom.value.size:
        says = back + (
            "the gradient is passed on as it came: the new order that forward gives to the elements is not undone"
            if top == bottom
            else "the gradient is only reshaped, which does not undo the order of the axes"
        )
        yield Alternative(2, "axes not undone", says, lambda r, g: g.reshape(r.bottom.value.shape))
        for order in itertools.permutations(range(len(top))) if 2 < len(top) < 7 else ():
            if len(region.inside) < 3 and (len(region.inside) == 2 or tuple(top[i] for i in order) == bottom):
                says = f"{back}the gradient is transposed by {order}, which is not the inverse of forward's order"
                rule = lambda r, g, o=order: g.transpose(o).reshape(r.bottom.value.shape)  # noqa: E731
                yield Alternative(2.5, "axes not undone", says, rule)


_PLACES: dict[str, Callable[[NDArray, int], NDArray]] = {
    "the first place along axis {axis}, not to the one that was picked": lambda at, last: 0 * at,
    "the place one later along axis {axis}": lambda at, last: (at + 1) % (last + 1),
    "places along axis {axis} that end one too early: what was picked at the last place goes to the one before": (
        lambda at, last: np.minimum(at, last - 1)
    ),
}


_TO_ALL: dict[str, Callable[[NDArray, int], NDArray]] = {
    "gradients go to all places along axis {axis}, not only to the one that was picked": lambda g, axis: g.sum(
        axis, keepdims=True
    ),
    "gradients are shared by all places along axis {axis} instead of going to the one that was picked": lambda g, axis: (
        g.mean(axis, keepdims=True)
    ),
}


def _moved(sources: NDArray, shape: tuple[int, ...], axis: int, to: Callable[[NDArray, int], NDArray]) -> NDArray:
    """The numbers of the sources, with another place along one axis."""
    known = sources >= 0
    at = list(np.unravel_index(np.where(known, sources, 0), shape))
    at[axis] = to(at[axis], shape[axis] - 1)
    return np.where(known, np.ravel_multi_index(at, shape), -1)
