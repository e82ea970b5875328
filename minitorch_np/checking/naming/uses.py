"""Engines of nodes that differentiate themselves, such as micrograd: what they do wrong at a value that is used several times.

Such an engine goes through the values of forward and adds, for each, its part to the gradients of the values that it was made from. It
has to add, and it has to wait until all uses of a value have sent their parts. Here its walk is repeated on the graph of forward, with
each of the usual mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.tracing.operations import pull_back

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.tracing.graph import Node

Sent = list[tuple["Node", "NDArray"]]  # what a value sends to the values that it was made from
Walk = Callable[
    ["Engine", "Node", "NDArray"], dict[int, "NDArray"]
]  # from an output and its gradient to the gradients of all values

_OPERATORS = (
    "__add__",
    "__radd__",
    "__mul__",
    "__rmul__",
    "__matmul__",
    "__sub__",
    "__truediv__",
    "__pow__",
    "__neg__",
)
_STEPS = 20_000  # of one walk, which may take exponentially many
_SEVERAL = "a value that is used several times"
_TOPOLOGICAL = "Go through the values in topological order: each value after all values that were made from it."


def name_uses(backwards: tuple[TrueBackward, TrueBackward], wrong: list[str]) -> list[Diagnosis]:
    """The mistake that gives all gradients in both settings; nothing if the code is no engine, or makes another mistake."""
    engines = [Engine(backward) for backward in backwards]
    if not all(engine.is_engine for engine in engines):
        return []
    found: dict[str, str] = {}  # of each kind of mistake, by what is to be changed, the first that fits
    for walk, says, change in _mistakes(engines[0]):
        if change not in found and all(engine.gives_what_is_observed(walk) for engine in engines):
            found[change] = says
    if not found:
        return []
    tensors = " and ".join(", ".join(map(gradient_of, wrong)).rsplit(", ", 1))
    says = f"{tensors}: {'; or '.join(found.values())}."
    return [Diagnosis("used several times", wrong[0], says, " ".join(found), tuple(wrong))]


class Engine:
    """The values of an engine, in one forward: the results that its operators return.

    The further operations within an operator are no values: `x.tanh()` may be computed from exponentials.
    """

    def __init__(self, backward: TrueBackward) -> None:
        self.backward = backward
        self.is_engine = any(_method(node) in _OPERATORS for node in backward.nodes)
        self.values = {node.index for node in backward.nodes if self._is_value(node)}
        self.steps = 0

    def _is_value(self, node: Node) -> bool:
        users = [user for user, _ in self.backward.users.get(node.index, [])]
        if node.op in ("gather", "leaf") and all(user.op == "gather" for user in users):
            return False  # x and its rows, of which an engine of numbers takes the elements
        return node is self.backward.output or any(_call(user) != _call(node) for user in users)

    def sent_by(self, value: Node, gradient: NDArray) -> Sent:
        """What a value sends on, in the order of its operands; through what is no value, to values and leaves."""
        self.steps += 1
        if self.steps > _STEPS:
            raise OverflowError
        if len(value.operands) == 2 and value.operands[0] is value.operands[1]:  # v * v sends to v twice
            return [(operand, pull_back(value, k, gradient)) for k, operand in enumerate(value.operands)]
        inner = {value.index: (value, gradient)}
        found: dict[int, tuple[Node, NDArray]] = {}
        while inner:
            node, g = inner.pop(max(inner))
            for k, operand in enumerate(node.operands):
                if operand.active:
                    to = found if operand.index in self.values or operand.leaf is not None else inner
                    before = to[operand.index][1] if operand.index in to else 0
                    to[operand.index] = operand, before + pull_back(node, k, g)
        return [*found.values()]

    def parents(self, value: Node) -> list[Node]:
        return [node for node, _ in self.sent_by(value, np.zeros(value.value.shape)) if node.index in self.values]

    def gives_what_is_observed(self, walk: Walk) -> bool:
        self.steps = 0
        try:
            return len(self.backward.met(self.gradients(walk), [*self.backward.leaves])) == len(self.backward.leaves)
        except (OverflowError, RecursionError):
            return False

    def gradients(self, walk: Walk) -> dict[str, NDArray]:
        """The gradients of the leaves: what reaches them from the last gradients of the values."""
        found = {name: np.zeros(leaf.value.shape) for name, leaf in self.backward.leaves.items()}
        by_index = {node.index: node for node in self.backward.nodes}
        output, dy = self.backward.output, self.backward.dy
        for out, seed in [(output, dy)] if output.op != "gather" else self.sent_by(output, dy):
            for index, gradient in walk(self, out, seed).items():
                value = by_index[index]
                for leaf, part in [(value, gradient)] if value.leaf is not None else self.sent_by(value, gradient):
                    if leaf.leaf is not None and (leaf is value or leaf.index not in self.values):
                        found[leaf.leaf] = found[leaf.leaf] + part
        return found


def _mistakes(engine: Engine) -> Iterator[tuple[Walk, str, str]]:
    """The usual mistakes, each as a walk, with what is said of it and what to change."""
    methods = dict.fromkeys(
        _method(n) or "" for n in engine.backward.nodes if n.index in engine.values and n.op != "gather"
    )
    for chosen in (tuple(methods), *((method,) for method in methods)):
        where = "" if len(chosen) > 1 else f" in `{chosen[0]}`"
        says = f"the gradient of {_SEVERAL} is overwritten{where}, where the parts of all its uses must be added (= for +=)"
        for turned in (False, True):
            walk = _in_order(_topological(turned), overwritten_by=chosen)
            yield walk, says, "Write `grad += …` for each value that takes part."
    says = f"{_SEVERAL} sends its gradient on once for each use, and each time all that has come so far"
    for turned in (False, True):
        for at_once in (False, True):
            yield _at_each_use(turned, at_once), says, _TOPOLOGICAL
    says = (
        f"{_SEVERAL} sends its gradient on before all its uses have sent their parts; what comes later is not passed on"
    )
    for turned in (False, True):
        for order in (_depth_first(turned), _breadth_first(turned)):
            yield _in_order(order), says, _TOPOLOGICAL


# Walks


def _in_order(order: Callable[[Engine, Node], list[Node]], overwritten_by: tuple[str, ...] = ()) -> Walk:
    """Each value once; the methods that are named overwrite gradients where others add."""

    def walk(engine: Engine, out: Node, seed: NDArray) -> dict[int, NDArray]:
        gradients = {out.index: seed}
        for value in order(engine, out):
            if value.index not in gradients:
                continue
            for operand, part in engine.sent_by(value, gradients[value.index]):
                if operand.index in engine.values:
                    before = 0 if _method(value) in overwritten_by else gradients.get(operand.index, 0)
                    gradients[operand.index] = before + part
        return gradients

    return walk


def _at_each_use(turned: bool, at_once: bool) -> Walk:
    """Each use sends on, by recursion, all that its value has got so far.

    Args:
        at_once: whether a value gives all its parts before the first of them is sent on.
    """

    def walk(engine: Engine, out: Node, seed: NDArray) -> dict[int, NDArray]:
        gradients = {out.index: seed}

        def send(value: Node) -> None:
            sent = [(o, part) for o, part in engine.sent_by(value, gradients[value.index]) if o.index in engine.values]
            sent = sent[::-1] if turned else sent
            for operand, part in sent:
                gradients[operand.index] = gradients.get(operand.index, 0) + part
                if not at_once:
                    send(operand)
            for operand, _ in sent if at_once else ():
                send(operand)

        send(out)
        return gradients

    return walk


# Orders. `turned` takes the operands of a value from the last to the first.


def _topological(turned: bool) -> Callable[[Engine, Node], list[Node]]:
    def order(engine: Engine, out: Node) -> list[Node]:
        found: list[Node] = []
        seen: set[int] = set()

        def visit(value: Node) -> None:
            if value.index not in seen:
                seen.add(value.index)
                for parent in engine.parents(value)[:: -1 if turned else 1]:
                    visit(parent)
                found.append(value)

        visit(out)
        return found[::-1]

    return order


def _depth_first(turned: bool) -> Callable[[Engine, Node], list[Node]]:
    def order(engine: Engine, out: Node) -> list[Node]:
        found: dict[int, Node] = {}

        def visit(value: Node) -> None:
            if value.index not in found:
                found[value.index] = value
                for parent in engine.parents(value)[:: -1 if turned else 1]:
                    visit(parent)

        visit(out)
        return [*found.values()]

    return order


def _breadth_first(turned: bool) -> Callable[[Engine, Node], list[Node]]:
    def order(engine: Engine, out: Node) -> list[Node]:
        found = {out.index: out}
        queue = [out]
        for value in queue:
            for parent in engine.parents(value)[:: -1 if turned else 1]:
                if parent.index not in found:
                    found[parent.index] = parent
                    queue.append(parent)
        return queue

    return order


def _method(node: Node) -> str | None:
    """The method in which an operation runs, if it is one of an object."""
    code = node.frames[0][0] if node.frames else None
    return code.co_name if code is not None and code.co_varnames[:1] == ("self",) and code.co_argcount < 3 else None


def _call(node: Node) -> tuple[object, int]:
    """The call of a method to which an operation belongs."""
    return (node.frames[1:] if node.frames else None), node.visit
