"""What authors do to the whole gradient at one value: a variable of forward with all its uses, or x or a parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.alternative import Alternative
from minitorch_np.checking.naming.arrays_at_hand import Arrays, GradientAt, Leaf, Reference, fits, with_functions

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.tracing.graph import Node


class Spot:
    """One value of forward, in one setting and one iteration."""

    def __init__(self, backward: TrueBackward, node: Node) -> None:
        self.backward, self.node = backward, node

    def array(self, reference: Reference) -> NDArray:
        return reference.value(self.backward, self.node.visit)


def of_variable() -> Iterator[Alternative]:
    """All that may stand for the gradient at a variable that is used several times."""
    says = "{value} is taken as a constant: every path through it is missing"
    yield Alternative(1.05, "missing path", says, lambda s, g: 0 * g)
    yield Alternative(1.05, "sign flipped", "the gradient at {value} has the wrong sign", lambda s, g: -g)
    yield Alternative(1.75, "constant factor", "the gradient at {value} is {factor}", lambda s, g, c: c * g, unknowns=1)


def of_tensor(backward: TrueBackward, leaf: Node, arrays: Arrays) -> Iterator[Alternative]:
    """All that may stand for the gradient of x or of a parameter."""
    rule: Callable[..., NDArray]
    shape = leaf.value.shape
    yield Alternative(1.3, "sign flipped", "the whole gradient has the wrong sign", lambda s, g: -g)
    yield Alternative(1.7, "constant factor", "the whole gradient is {factor}", lambda s, g, c: c * g, unknowns=1)
    for axis, size in enumerate(shape):
        if size < 2:
            continue
        for price, says, rule in (
            (2.8, "in reverse order", lambda s, g, a=axis: np.flip(g, a)),
            (2.8, "shifted by one", lambda s, g, a=axis: np.roll(g, 1, a)),
            (2.8, "shifted by one", lambda s, g, a=axis: np.roll(g, -1, a)),
        ):
            yield Alternative(price, "wrong places", f"the right numbers are {says} along axis {axis}", rule)
        if size % 2 == 0 and size > 2:
            rule = lambda s, g, a=axis: np.roll(g, g.shape[a] // 2, a)  # noqa: E731
            yield Alternative(2.8, "wrong places", f"its two halves along axis {axis} are exchanged", rule)
        for other in range(axis):
            rule = lambda s, g, a=axis, b=other: np.swapaxes(g, a, b)  # noqa: E731
            says = "it is transposed" if len(shape) == 2 else f"axes {other} and {axis} are exchanged"
            change = "Transpose it: `.T`." if len(shape) == 2 else f"Exchange them back: `.swapaxes({other}, {axis})`."
            yield Alternative(2.8, "transposed", says, rule, change=change)
    for extra, reference, array in with_functions(arrays, backward):
        if not fits(array, shape) or array is leaf.value:
            continue
        says = "the right gradient is multiplied by {array}, an extra factor"
        yield Alternative(2.7 + extra, "extra factor", says, lambda s, g, r=reference: g * s.array(r), reference)
        if np.all(array != 0):
            says = "the factor {array} is missing, or it is divided by {array} once too often"
            yield Alternative(2.7 + extra, "missing factor", says, lambda s, g, r=reference: g / s.array(r), reference)
    yield from _of_another_value(backward, leaf)


def _of_another_value(backward: TrueBackward, leaf: Node) -> Iterator[Alternative]:
    """The gradient at another value stands there, or is added; and a multiple of the tensor itself is added."""
    for site, group in backward.groups.items():
        if group[0].value.shape != leaf.value.shape or len(group) > 1 or group[0].index not in backward.at:
            continue
        at = GradientAt(site)
        says, change = "{one_path}", "Carry back what is left out, and add it."
        yield Alternative(2.3, "not carried back", says, lambda s, g, r=at: s.array(r), at, change=change)
        says = "{array}, times {number}, is added: an extra term"
        yield Alternative(2.9, "extra term", says, lambda s, g, c, r=at: g + c * s.array(r), at, unknowns=1)
    itself = Leaf(str(leaf.leaf))
    says = "{array} times {number} is added, a term that forward does not have"
    yield Alternative(2.6, "extra term", says, lambda s, g, c: g + c * s.array(itself), itself, unknowns=1)


_SAYS = "what {value} passes on to the next step is not carried back: the path from a step to the one before is missing"
_ADDED = (
    "what {value} passes on to the next step is added up over the steps on the way back, instead of that of the step after "
    "alone (+= for =)"
)
_WITH_LAST = "every step of the loop is undone with the arrays of the last step: the cache holds one step, or the last one is read"
WITH_LAST = Alternative(
    2.0, "wrong step", _WITH_LAST, lambda s, g: g, change="Keep the arrays of every step, in a list."
)
_ONLY_LAST = "of the terms that {top} adds up, only the last one gets its gradient"
ONLY_LAST = Alternative(1.02, "missing path", _ONLY_LAST, lambda e, g: 0 * e.pull(g))
ADDED_UP = Alternative(2.2, "added up over the steps", _ADDED, lambda s, g: g)  # the rule is in change.added_up
NOT_CARRIED = Alternative(1.02, "missing path", _SAYS, lambda e, g: 0 * e.pull(g))  # of each edge to the next step
