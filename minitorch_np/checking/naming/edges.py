"""What authors write for one edge of backward: the way from the result of one operation to one of its operands."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming import reductions
from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.naming.arrays_at_hand import Arrays, GradientAt, Reference, fits, with_functions
from minitorch_np.checking.naming.backward import TrueBackward, same
from minitorch_np.checking.tracing.operations import local_derivative, pull_back, unbroadcast

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.tracing.graph import Node

PRODUCTS = ("matmul", "einsum")
_SIDES = ("maximum", "minimum", "where", "absolute")  # operations that take one side of a condition
HALF_OF_A_PRODUCT = (
    "one of the two paths through {place} is missing, that through {operand} or that through {other} (both give the same): "
    "half of the product rule"
)
_TO = "in the derivative of {place} with respect to {operand}"


class Edge:
    """The way back from a node to its k-th operand, in one setting and one iteration."""

    def __init__(self, backward: TrueBackward, node: Node, k: int) -> None:
        self.backward, self.node, self.k, self.operand = backward, node, k, node.operands[k]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.node.value.shape

    @property
    def local(self) -> NDArray | None:
        """The factor of an elementwise operation, None for other ones."""
        return local_derivative(self.node, self.k)

    def pull(self, gradient: NDArray) -> NDArray:
        """What truly goes back."""
        return pull_back(self.node, self.k, gradient)

    def times(self, gradient: NDArray, factor: NDArray | float) -> NDArray:
        """What goes back with this factor in place of the local derivative."""
        return unbroadcast(gradient * factor * np.ones(self.shape), self.operand.value.shape)

    def with_operand(self, gradient: NDArray, other: int, value: NDArray) -> NDArray:
        """What would go back if another operand had this value."""
        values = [operand.value for operand in self.node.operands]
        values[other] = value
        return pull_back(self.node, self.k, gradient, values)

    def array(self, reference: Reference) -> NDArray:
        return reference.value(self.backward, self.node.visit)

    @property
    def along(self) -> NDArray:
        """The largest elements of a maximum over axes, as a mask of its operand."""
        value = self.node.value
        return self.operand.value == (value if self.node.detail[1] else np.expand_dims(value, self.node.detail[0]))


def alternatives(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """All that may stand for one edge."""
    yield from paths(edge)
    if edge.node.operands[0] is edge.node.operands[-1] and len(edge.node.operands) > 1:
        return  # of x * x the two edges are one: the factor 2 is missing
    if edge.local is not None:
        yield from _factors(edge, arrays)
        yield from _sums(edge, arrays)
    if edge.node.op in PRODUCTS:
        yield from _operands(edge, arrays)
    if edge.node.op in ("sum", "mean", "max", "min"):
        yield from reductions.alternatives(edge)
    if callable(edge.node.detail):
        yield from reductions.of_matrix(edge)
    yield from _incoming(edge, arrays)


def paths(edge: Edge) -> Iterator[Alternative]:
    """The path is left out, or goes with another sign or factor."""
    if len(edge.node.operands) == 2 and edge.node.operands[0] is edge.node.operands[1]:
        says = "{operand} is used twice in {place}, but only one use is counted: the factor 2 is missing"
        yield Alternative(1.6, "missing factor", says, lambda e, g: 0 * e.pull(g), change="Multiply by 2.")
        return
    missing = "the path through {operand} in {place} is missing{when}: {operand} is taken as a constant there{source}"
    if edge.operand.leaf is not None:
        missing = "the path of {operand} through {place} is not counted{when}"
    change = "Add what goes back to {operand} from {place}."
    yield Alternative(1, "missing path", missing, lambda e, g: np.zeros(e.operand.value.shape), change=change)
    says = "the path through {operand} in {place} has the wrong sign{when}{source}"
    yield Alternative(1, "sign flipped", says, lambda e, g: e.pull(-g), change="Change the sign there.")
    if edge.operand.leaf is not None and len(edge.backward.users[edge.operand.index]) == 1:
        return  # a factor of its whole gradient
    says = "the path through {operand} in {place} is {factor}{when}{source}"
    price = 1.5 if edge.node.op == "mean" else 1.8
    change = "Without this factor it is right."
    yield Alternative(price, "constant factor", says, lambda e, g, c: c * e.pull(g), unknowns=1, change=change)


def _factors(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """The factor of an elementwise operation is missing, another one, or meets another array."""
    rule: Callable[..., NDArray]
    op, local = edge.node.op, edge.local
    if not np.all(local == 1):
        kind, says = "missing factor", f"{_TO} the factor {{other}} is missing"
        if op == "divide" and edge.k == 0:
            of_mean = not edge.node.operands[1].active and edge.node.operands[1].value.size == 1
            kind, says = "missing 1/m" if of_mean else kind, "the division by {other} in {place} is missing"
        elif op in _SIDES:
            says = "the mask of {place} is missing: the gradient passes on both sides"
        elif op != "multiply":
            kind = "derivative forgotten"
            says = "the derivative of {place} with respect to {operand} is missing: it is taken as 1"
        yield Alternative(1.4, kind, says, lambda e, g: e.times(g, 1.0))
    if op in _SIDES:
        says = "the mask of {place} is inverted"
        yield Alternative(2, "wrong mask", says, lambda e, g: e.times(g, 1 - e.local))
        says = "where {place} does not take {operand}, the slope is {number} instead of 0"
        if op != "absolute" and sum(operand.active for operand in edge.node.operands) == 1:
            yield Alternative(
                2, "wrong mask", says, lambda e, g, c: e.pull(g) + c * e.times(g, 1 - e.local), unknowns=1
            )
    for reference, array in arrays:
        if op in _SIDES and fits(array, edge.shape) and np.any(array > 0) and not np.all(array > 0):
            says = "the mask of {place} is made from {array} > 0, which is not the side that forward takes"
            rule = lambda e, g, r=reference: e.times(g, e.array(r) > 0)  # noqa: E731
            yield Alternative(2.6, "wrong mask", says, rule, reference)
    for extra, reference, array in with_functions(arrays, edge.backward):
        if not fits(array, edge.shape):
            continue
        if op == "multiply" and edge.array(reference) is not edge.node.operands[1 - edge.k].value:
            says = f"{_TO}, {{array}} is used instead of {{other}}"
            rule = lambda e, g, r=reference: e.times(g, e.array(r))  # noqa: E731
            yield Alternative(2.5 + extra, "wrong array", says, rule, reference)
        says = f"{_TO} there is an extra factor {{array}}"
        rule = lambda e, g, r=reference: e.times(g, e.local * e.array(r))  # noqa: E731
        yield Alternative(3.2 + extra, "extra factor", says, rule, reference)
        if np.all(array != 0):
            says = f"{_TO} the factor {{array}} is missing, or it is divided by {{array}} once too often"
            rule = lambda e, g, r=reference: e.times(g, e.local / e.array(r))  # noqa: E731
            yield Alternative(3.3 + extra, "missing factor", says, rule, reference)
    for axis in range(edge.operand.value.ndim):
        if edge.operand.value.shape[axis] > 1:
            says = f"on the way to {{operand}} in {{place}} a mean over axis {axis} is subtracted, which forward does not have"
            rule = lambda e, g, a=axis: e.pull(g) - e.pull(g).mean(a, keepdims=True)  # noqa: E731
            yield Alternative(3, "extra term", says, rule)


def _operands(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """A matrix product with another array, or with the right one turned around."""
    rule: Callable[..., NDArray]
    for j, other in enumerate(edge.node.operands):
        if j == edge.k:
            continue
        shape, square = other.value.shape, other.value.ndim > 1 and len(set(other.value.shape[-2:])) == 1
        due = f"{{other:{j}}}"
        if square:
            used = (
                "used instead of its transpose" if edge.node.op == "matmul" else "used with its last two axes exchanged"
            )
            says = f"in the gradient for {{operand}} in {{place}}, {due} is {used}"
            rule = lambda e, g, j=j: e.with_operand(g, j, e.node.operands[j].value.swapaxes(-1, -2))  # noqa: E731
            yield Alternative(2, "Jacobian transposed", says, rule)
        for reference, array in arrays:
            says = f"in the gradient for {{operand}} in {{place}}, {{array}} is used instead of {due}"
            if array.shape == shape and edge.array(reference) is not other.value:
                rule = lambda e, g, j=j, r=reference: e.with_operand(g, j, e.array(r))  # noqa: E731
                yield Alternative(2.5, "wrong array", says, rule, reference)
            if (
                array.ndim > 1
                and array.swapaxes(-1, -2).shape == shape
                and not (square and edge.array(reference) is other.value)
            ):
                rule = lambda e, g, j=j, r=reference: e.with_operand(g, j, e.array(r).swapaxes(-1, -2))  # noqa: E731
                yield Alternative(2.55, "wrong array", says.replace("{array}", "{array} transposed"), rule, reference)
        for axis in range(len(shape)):
            for says, turn in _turned(axis):
                says = f"in the gradient for {{operand}} in {{place}}, {due} is {says}"
                rule = lambda e, g, j=j, t=turn: e.with_operand(g, j, t(e.node.operands[j].value))  # noqa: E731
                yield Alternative(3, "wrong places", says, rule)


def _turned(axis: int) -> Iterator[tuple[str, Callable[[NDArray], NDArray]]]:
    """An array shifted or reversed along an axis, in words and as a function."""
    yield f"shifted by one along axis {axis}", lambda a: np.roll(a, 1, axis) if axis < a.ndim else a
    yield f"shifted by one along axis {axis}", lambda a: np.roll(a, -1, axis) if axis < a.ndim else a
    yield f"in reverse order along axis {axis}", lambda a: np.flip(a, axis) if axis < a.ndim else a


def _incoming(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """The gradient that comes in is another one, is turned around, or is not used at all."""
    rule: Callable[..., NDArray]
    backward, node = edge.backward, edge.node
    mine = backward.at[node.index]
    for site, group in backward.groups.items():
        gradient, at = backward.at.get(group[0].index), GradientAt(site)
        if gradient is None or site == node.site:
            continue
        if gradient.shape == edge.shape and not same(gradient, mine):
            says = "what goes back to {operand} from {place} is computed from {array} instead of {gradient}"
            yield Alternative(2.6, "wrong gradient", says, lambda e, g, r=at: e.pull(e.array(r)), at)
        if node.op in PRODUCTS and fits(gradient, edge.operand.value.shape) and group[0] is not edge.operand:
            says = "the gradient for {operand} is {array} as it is: it was not carried back through {place}"
            rule = lambda e, g, r=at: np.broadcast_to(e.array(r), e.operand.value.shape) + 0.0  # noqa: E731
            yield Alternative(2.6, "not carried back", says, rule, at)
    if node.op in (*PRODUCTS, "multiply"):
        for reference, array in arrays:
            if array.shape == edge.shape:
                says = "in the gradient for {operand} in {place}, {array} is used instead of {gradient}"
                yield Alternative(3.5, "wrong array", says, lambda e, g, r=reference: e.pull(e.array(r)), reference)
    if node.op in PRODUCTS and len(edge.shape) > 1 and edge.shape[-1] == edge.shape[-2]:
        says = "in the gradient for {operand} in {place}, the incoming gradient is transposed, which it must not be"
        yield Alternative(2, "Jacobian transposed", says, lambda e, g: e.pull(np.swapaxes(g, -1, -2)))
    for axis, size in enumerate(edge.shape):
        for says, turn in _turned(axis) if size > 1 else ():
            says = f"the gradient that comes back to {{place}} is {says}"
            yield Alternative(3, "wrong places", says, lambda e, g, t=turn: e.pull(t(g)))
    if node.value.size > 1:
        says = "in the gradient for {operand} in {place}, the incoming gradient is not used: it is taken as 1"
        yield Alternative(2.9, "gradient not used", says, lambda e, g: e.pull(np.ones(g.shape)))


def _sums(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """The operand is broadcast, so its gradient is a sum: over other axes, an average, or no sum at all."""
    shape, due = edge.shape, edge.operand.value.shape
    if shape == due:
        return
    lead = len(shape) - len(due)
    shared = tuple(i for i, size in enumerate(shape) if i < lead or (due[i - lead] == 1 and size != 1))
    axes = " and ".join(map(str, shared))
    says = f"{{operand}} is shared along axis {axes} in {{place}}, but its gradient is not summed over axis {axes}"
    kind = "not summed over the batch" if shared == (0,) else "not summed"
    yield Alternative(2, kind, says, lambda e, g: g * e.local * np.ones(e.shape))
    several = [axis for axis, size in enumerate(shape) if size > 1]
    for axis in several if lead else ():
        says = f"the gradient for {{operand}} in {{place}} is summed over axis {axis} instead of axis {axes}"
        if (axis,) != shared:
            yield Alternative(
                2.1, "summed over the wrong axis", says, lambda e, g, a=axis: (g * e.local * np.ones(e.shape)).sum(a)
            )
    outside: list[Reference | None] = [None, *(r for r, a in arrays if a.shape == due and np.all(a != 0))]
    for count in range(1, len(several) + 1):
        for over in itertools.combinations(several, count):
            if over == shared:
                continue
            where = (
                f"over axis {' and '.join(map(str, over))} instead of axis {axes}, along which {{operand}} is shared"
            )
            says = f"the gradient for {{operand}} in {{place}} is summed {where}"
            for reference in outside:
                for inverse in (False, True) if reference is not None or edge.node.op == "divide" else (False,):

                    def rule(e, g, over=over, r=reference, inverse=inverse):
                        factor = 1.0 if r is None else e.array(r)  # stands outside of the sum
                        factor = factor / e.operand.value if inverse else factor
                        return factor * _sum_over(g * e.local / factor * np.ones(e.shape), over, e.operand.value.shape)

                    price = 2 + 0.1 * count + (0.3 if reference is not None else 0) + (0.2 if inverse else 0)
                    yield Alternative(price, "summed over the wrong axis", says, rule)
            says = f"the gradient for {{operand}} in {{place}} is averaged {where}"

            def mean(e, g, over=over):
                wide = g * e.local * np.ones(e.shape)
                sizes = [np.prod([e.shape[i] for i in axes]) for axes in (shared, over)]
                return _sum_over(wide, over, e.operand.value.shape) * sizes[0] / sizes[1]

            yield Alternative(2.3 + 0.1 * count, "averaged over the wrong axis", says, mean)


def _sum_over(wide: NDArray, axes: tuple[int, ...], shape: tuple[int, ...]) -> NDArray:
    kept = wide.sum(axes)
    return kept if kept.shape == shape else wide.sum(axes, keepdims=True)
