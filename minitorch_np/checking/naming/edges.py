"""What authors write for one edge of backward: the way from the result of one operation to one of its operands.

Each function yields the mistakes of one kind, which `alternatives` puts together. A rule gets the edge in the setting and iteration in
which it is tried, and the gradient that comes in; it returns what goes back to the operand.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming import reductions
from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.naming.arrays_at_hand import Arrays, GradientAt, Reference, Value, fits, with_functions
from minitorch_np.checking.naming.backward import TrueBackward, same
from minitorch_np.tracing.operations import local_derivative, pull_back, unbroadcast

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.tracing.graph import Node

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

    def differs(self, reference: Reference, k: int) -> bool:
        """Whether an array at hand is not the k-th operand, in some iteration at least."""
        wraps = isinstance(reference, Value) and reference.wraps
        return wraps or self.array(reference) is not self.node.operands[k].value


def alternatives(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """All that may stand for one edge."""
    yield from paths(edge)
    if edge.node.operands[0] is edge.node.operands[-1] and len(edge.node.operands) > 1:
        return  # of x * x the two edges are one: the factor 2 is missing
    if edge.local is not None:
        yield from _missing_factor(edge)
        if edge.node.op in _SIDES:
            yield from _wrong_mask(edge)
        yield from _with_arrays(edge, arrays)
        yield from _mean_subtracted(edge)
        yield from _sums(edge, arrays)
    if edge.node.op in PRODUCTS:
        yield from _operands(edge, arrays)
    if edge.node.op in ("max", "min"):
        yield from reductions.of_largest(edge)
    if callable(edge.node.detail) and not isinstance(edge.node.detail, np.ufunc):
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


def _missing_factor(edge: Edge) -> Iterator[Alternative]:
    """The factor of an elementwise operation is taken as 1."""
    op, kind, says = edge.node.op, "missing factor", f"{_TO} the factor {{other}} is missing"
    if np.all(edge.local == 1):
        return
    if op == "divide" and edge.k == 0:
        of_mean = not edge.node.operands[1].active and edge.node.operands[1].value.size == 1
        kind, says = "missing 1/m" if of_mean else kind, "the division by {other} in {place} is missing"
    elif op in _SIDES:
        says = "the mask of {place} is missing: the gradient passes on both sides"
    elif op != "multiply":
        kind = "derivative forgotten"
        says = "the derivative of {place} with respect to {operand} is missing: it is taken as 1"
    yield Alternative(1.4, kind, says, lambda e, g: e.times(g, 1.0))


def _wrong_mask(edge: Edge) -> Iterator[Alternative]:
    """An operation that takes one side of a condition has its mask inverted, or a slope on the other side too."""
    yield Alternative(2, "wrong mask", "the mask of {place} is inverted", lambda e, g: e.times(g, 1 - e.local))
    if edge.node.op != "absolute" and sum(operand.active for operand in edge.node.operands) == 1:
        says = "where {place} does not take {operand}, the slope is {number} instead of 0"
        rule = lambda e, g, c: e.pull(g) + c * e.times(g, 1 - e.local)  # noqa: E731
        yield Alternative(2, "wrong mask", says, rule, unknowns=1)


def _with_arrays(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """The factor of an elementwise operation is another array, or has an array at hand too many or too few."""
    rule: Callable[..., NDArray]
    for extra, reference, array in with_functions(arrays, edge.backward):
        if not fits(array, edge.shape):
            continue
        if edge.node.op == "multiply" and edge.differs(reference, 1 - edge.k):
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


def _mean_subtracted(edge: Edge) -> Iterator[Alternative]:
    for axis, size in enumerate(edge.operand.value.shape):
        if size > 1:
            says = f"on the way to {{operand}} in {{place}} a mean over axis {axis} is subtracted, which forward does not have"
            rule = lambda e, g, a=axis: e.pull(g) - e.pull(g).mean(a, keepdims=True)  # noqa: E731
            yield Alternative(3, "extra term", says, rule)


def _operands(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """A matrix product with another array, or with the right one transposed."""
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
        if edge.node.op == "einsum":
            says = f"in the gradient for {{operand}} in {{place}}, the factor {due} is missing"
            rule = lambda e, g, j=j: e.with_operand(g, j, np.ones(e.node.operands[j].value.shape))  # noqa: E731
            yield Alternative(1.9, "missing factor", says, rule)
        for reference, array in arrays:
            says = f"in the gradient for {{operand}} in {{place}}, {{array}} is used instead of {due}"
            if array.shape == shape and edge.differs(reference, j):
                rule = lambda e, g, j=j, r=reference: e.with_operand(g, j, e.array(r))  # noqa: E731
                yield Alternative(2.5, "wrong array", says, rule, reference)


def _incoming(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """The gradient that comes in is another one, or is not used at all."""
    rule: Callable[..., NDArray]
    backward, node = edge.backward, edge.node
    mine = backward.at[node.index]
    for site, group in backward.groups.items():
        gradient, at = backward.at.get(group[0].index), GradientAt(site)
        if gradient is None or site == node.site:
            continue
        if gradient.shape == edge.shape and not same(gradient, mine) and not _is_one_path(group[0], node):
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
        says = "in the gradient for {operand} in {place}, the incoming gradient is used instead of its transpose, or the other way round"
        yield Alternative(2, "Jacobian transposed", says, lambda e, g: e.pull(np.swapaxes(g, -1, -2)))
    if node.value.size > 1:
        says = "in the gradient for {operand} in {place}, the incoming gradient is not used: it is taken as 1"
        yield Alternative(2.9, "gradient not used", says, lambda e, g: e.pull(np.ones(g.shape)))


def _is_one_path(user: Node, node: Node) -> bool:
    """Whether a value is a sum in which a node's elements are: then its gradient is what comes along some of the node's paths."""
    seen, pending = {user.index}, [user]
    while pending:
        value = pending.pop()
        below = value.operands if value.op in ("gather", "add", "subtract") else []
        if any(operand is node for operand in below):
            return True
        pending += [operand for operand in below if operand.active and operand.index not in seen]
        seen.update(operand.index for operand in below)
    return False


def _sums(edge: Edge, arrays: Arrays) -> Iterator[Alternative]:
    """The operand is broadcast, so its gradient is a sum: over other axes, or no sum at all."""
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
    outside: list[Reference | None] = [None, *(r for r, a in arrays if a.shape == due and np.all(a != 0))]
    for count in range(1, len(several) + 1):
        for over in itertools.combinations(several, count):
            if over == shared:
                continue
            says = (
                f"the gradient for {{operand}} in {{place}} is summed over axis {' and '.join(map(str, over))} "
                f"instead of axis {axes}, along which {{operand}} is shared"
            )
            for reference in outside:
                for inverse in (False, True) if reference is not None or edge.node.op == "divide" else (False,):

                    def rule(e, g, over=over, r=reference, inverse=inverse):
                        factor = 1.0 if r is None else e.array(r)  # stands outside of the sum
                        factor = factor / e.operand.value if inverse else factor
                        return factor * _sum_over(e, g * e.local / factor * np.ones(e.shape), over)

                    price = 2 + 0.1 * count + (0.3 if reference is not None else 0) + (0.2 if inverse else 0)
                    yield Alternative(price, "summed over the wrong axis", says, rule)


def _sum_over(edge: Edge, wide: NDArray, axes: tuple[int, ...]) -> NDArray:
    """The sum as the gradient of a parameter, which may get another shape; of other values it must broadcast."""
    due = edge.operand.value.shape
    total = wide.sum(axes, keepdims=len(due) == wide.ndim)
    return total if edge.operand.leaf is not None or total.shape == due else wide.sum(axes, keepdims=True)
