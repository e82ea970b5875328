"""The arrays that an author of backward has at hand, named so that the same one is found in another setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.backward import TrueBackward


class Reference(Protocol):
    """An array that exists in every setting, and in every iteration of a loop."""

    def value(self, backward: TrueBackward, visit: int) -> NDArray: ...


@dataclass(frozen=True)
class Leaf:
    """x or a parameter."""

    name: str

    def value(self, backward: TrueBackward, visit: int) -> NDArray:
        return backward.leaves[self.name].value


@dataclass(frozen=True)
class Kept:
    """A float array that the layer keeps under a name, such as a cached mask."""

    name: str

    def value(self, backward: TrueBackward, visit: int) -> NDArray:
        return backward.setting.kept[self.name]


@dataclass(frozen=True)
class Value:
    """What one place of the source computes, in the same iteration or `steps` later.

    Attributes:
        wraps: before the first iteration comes the last one, as with index t - 1 where t is 0.
    """

    site: object
    steps: int = 0
    wraps: bool = False

    def value(self, backward: TrueBackward, visit: int) -> NDArray:
        group = backward.groups[self.site]
        place = visit + self.steps if len(group) > 1 else 0
        if self.wraps:
            return group[place % len(group)].value
        return group[min(place, len(group) - 1)].value if place >= 0 else np.zeros_like(group[0].value)


@dataclass(frozen=True)
class Constant:
    """An operand that does not depend on x or a parameter."""

    site: object
    k: int

    def value(self, backward: TrueBackward, visit: int) -> NDArray:
        group = backward.groups[self.site]
        return group[min(visit, len(group) - 1)].operands[self.k].value


@dataclass(frozen=True)
class GradientAt:
    """The gradient at another place of the source."""

    site: object

    def value(self, backward: TrueBackward, visit: int) -> NDArray:
        group = backward.groups[self.site]
        return backward.gradient_at(group[min(visit, len(group) - 1)])


@dataclass(frozen=True)
class Function:
    """A common function of an array at hand."""

    text: str
    base: Reference

    def value(self, backward: TrueBackward, visit: int) -> NDArray:
        return FUNCTIONS[self.text](self.base.value(backward, visit))


FUNCTIONS: dict[str, Callable[[NDArray], NDArray]] = {
    "1 - {}": lambda v: 1 - v,
    "{} * (1 - {})": lambda v: v * (1 - v),
    "1 - {}**2": lambda v: 1 - v * v,
    "{}**2": lambda v: v * v,
    "({} > 0)": lambda v: (v > 0) * 1.0,
    "({} < 0)": lambda v: (v < 0) * 1.0,
    "sign({})": np.sign,
}
_OF_SHARES = ("1 - {}", "{} * (1 - {})")  # of numbers from 0 to 1, such as a gate
_OF_BOTH_SIGNS = ("({} > 0)", "({} < 0)", "sign({})")
_MANY = 60  # in a graph of more nodes, functions of the arrays at hand are not tried
_OF_FUNCTION = 0.4  # what a function of an array costs more than the array
Arrays = list[tuple[Reference, "NDArray"]]


def arrays_at_hand(backward: TrueBackward) -> Arrays:
    """Leaves, what the layer keeps, values of forward (in a loop also those of the iteration before) and its constants."""
    found: Arrays = [(Leaf(name), leaf.value) for name, leaf in backward.leaves.items()]
    for site, group in backward.groups.items():
        node = group[0]
        found.append((Value(site), node.value))
        if len(group) > 1:
            found.append((Value(site, -1), node.value))
            if any(user.visit == 1 for user, _ in backward.users.get(node.index, [])):
                found.append((Value(site, -1, wraps=True), node.value))
        found += [
            (Constant(site, k), operand.value)
            for k, operand in enumerate(node.operands)
            if not operand.active and operand.value.size > 1
        ]
    known = [array for _, array in found]
    for name, array in backward.setting.kept.items():
        if not any(array.shape == other.shape and np.array_equal(array, other) for other in known):
            found.append((Kept(name), array))
    return found


def with_functions(arrays: Arrays, backward: TrueBackward) -> Iterator[tuple[float, Reference, NDArray]]:
    """(what it costs more, reference, array) of each array at hand and, in a small graph, of common functions of them."""
    for reference, array in arrays:
        yield 0, reference, array
    for reference, array in arrays if len(backward.nodes) < _MANY else ():
        if array.size < 2 or (isinstance(reference, Value) and reference.steps):
            continue
        # The signs of a parameter are the same in both settings, and prove little.
        drawn = not isinstance(reference, Leaf) or reference.name == "x"
        both_signs = drawn and bool(np.any(array > 0)) and bool(np.any(array < 0))
        share = bool(np.all((array >= 0) & (array <= 1)))
        for text, function in FUNCTIONS.items():
            if (both_signs or text not in _OF_BOTH_SIGNS) and (share or text not in _OF_SHARES):
                yield _OF_FUNCTION, Function(text, reference), function(array)


def fits(array: NDArray, shape: tuple[int, ...]) -> bool:
    """Whether a proper array broadcasts to a shape."""
    try:
        return array.size > 1 and np.broadcast_shapes(array.shape, shape) == shape
    except ValueError:
        return False
