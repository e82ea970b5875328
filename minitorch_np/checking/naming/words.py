"""Words: a change in the user's own words: the expression, its line, what was done, what is due."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.evidence import fraction, gradient_of
from minitorch_np.checking.naming import numpy_line
from minitorch_np.checking.naming.arrays_at_hand import Constant, Function, GradientAt, Kept, Leaf, Reference, Value
from minitorch_np.checking.naming.edges import Edge
from minitorch_np.checking.naming.factors import Factors
from minitorch_np.checking.naming.regions import Region, side
from minitorch_np.checking.tracing.source import Place

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.checking.naming.change import Change
    from minitorch_np.checking.naming.scenes import Scenes
    from minitorch_np.checking.naming.search import Found
    from minitorch_np.checking.tracing.graph import Node

_LONG = 60


class Words:
    """The sentence of what was found."""

    def __init__(self, backwards: tuple[TrueBackward, TrueBackward], scenes: Scenes) -> None:
        self.backward, self.scenes, self.factors = backwards[0], scenes, Factors(backwards)

    def sentence(self, found: Found) -> str:
        """Tensors first, then place, what was done and what is due."""
        tensors = " and ".join(", ".join(map(gradient_of, found.tensors)).rsplit(", ", 1))
        return f"{tensors}: {self.clause(found.change, found.constants)}"

    def clause(self, change: Change, constants: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
        if change.parts:
            first, second = change.parts
            return f"{self.clause(first, ((), ()))}; and {self.clause(second, constants)}"
        phrases = _Phrases(self, change, constants)
        pattern = re.compile(r"\{([a-z_]+)(?::([^}]*))?\}")
        return pattern.sub(lambda m: str(getattr(phrases, m[1])(*filter(None, [m[2]]))), change.alternative.says)

    def line(self, change: Change) -> str:
        """What goes back there, as NumPy in the user's variables; empty if it is no single step."""
        step = change.step
        if change.parts or not isinstance(step, Edge):
            return ""
        place = Place(step.node) if self.scenes.inside(step.node, step.k) else self.scenes.place(step.node)
        incoming = self._incoming(step.node, place)
        line = numpy_line.of_edge(step.node, step.k, place, incoming)
        if line is None:
            return ""
        name, right = line
        if len(right) > 2 * _LONG:
            return ""
        notes = [f"{incoming} being {self.gradient(step.node)}"] if incoming != "dy" else []
        notes += [f"dpart being the gradient for {self.operand(step.node, step.k)}"] if name == "dpart" else []
        missing = change.alternative.kind == "missing path" and step.operand.leaf is not None
        verb, equals = ("Add", "+=") if missing else ("Write", "=")
        return f"{verb} `{name} {equals} {right}`" + (f", {' and '.join(notes)}." if notes else ".")

    def _incoming(self, node: Node, place: Place) -> str:
        """A name for the gradient at a node that the expression does not use."""
        if np.array_equal(self.backward.at[node.index], self.backward.dy):
            return "dy"
        used = set(re.findall(r"[A-Za-z_]\w*", place.expression))
        names = (
            f"d{place.variable}" if place.variable and place.variable.isidentifier() else "g",
            "g",
            "grad",
            "upstream",
        )
        return next(name for name in names if name not in used)

    def name(self, node: Node) -> str:
        """The variable that holds a node, or its expression."""
        if node.leaf is not None:
            return node.leaf
        place, depth = self.scenes.place(node), self.scenes.depth(node)
        while place.statement.startswith("return") and depth + 1 < len(node.frames):
            if node.frames[depth][0].co_name in ("forward", "__call__"):
                break
            depth += 1  # what a helper returns has the name that its caller gives it
            place = Place(node, depth)
        return place.variable if place.variable and place.variable.isidentifier() else short(place.expression)

    def quoted(self, node: Node) -> str:
        """The name, or the line where there is no source."""
        name = self.name(node)
        return f"`{name}`" if name else f"the value of line {self.scenes.place(node).line}"

    def value(self, node: Node) -> str:
        """A value with the line that makes it."""
        name, place = self.name(node), self.scenes.place(node)
        if node.leaf is not None or not name:
            return self.quoted(node)
        statement = short(place.statement)
        return f"`{name}` (line {place.line}" + (f", `{statement}`)" if statement and statement != name else ")")

    def where(self, node: Node, k: int | None = None) -> str:
        """The expression and its line; within a helper, also the call. k: the operand that it is about."""
        place, depth = self.scenes.place(node), self.scenes.depth(node)
        if not place.expression:  # there is no source, as of code that was typed in
            return f"line {place.line}"
        at = f"`{short(place.expression)}` (line {place.line}"
        called = node.frames[depth][0].co_name not in ("forward", "__call__") and depth + 1 < len(node.frames)
        if called and node.frames[depth + 1][0].co_filename == place.file:
            caller = Place(node, depth + 1)
            at += f", called by `{short(caller.statement or caller.expression)}` in line {caller.line}"
        if not self.scenes.inside(node, k):
            return at + ")"
        inner = Place(node)
        return f"`{short(inner.expression)}` (line {inner.line}) inside {at})"

    def operand(self, node: Node, k: int) -> str:
        operand = node.operands[k]
        place = Place(node) if self.scenes.inside(node, k) else self.scenes.place(node)
        texts = place.operands[1:] if node.op == "where" and len(place.operands) == 3 else place.operands
        if len(texts) == len(node.operands) and node.op != "gather":
            return f"`{short(texts[k])}`"
        return self.quoted(operand) if operand.active else "a constant"

    def array(self, reference: Reference | None) -> str:
        """An array at hand: its name or its expression."""
        if reference is None:
            return ""
        if isinstance(reference, (Leaf, Kept)):
            return f"`{reference.name}`"
        if isinstance(reference, Function):
            inner = self.array(reference.base).strip("`")
            return "`" + reference.text.replace("{}", inner if inner.isidentifier() else f"({inner})") + "`"
        if isinstance(reference, Constant):
            return self.operand(self.backward.groups[reference.site][-1], reference.k)
        if isinstance(reference, Value):
            text = self.quoted(self.backward.groups[reference.site][-1])
            return f"{text} of the step before" if reference.steps else text
        if isinstance(reference, GradientAt):
            return self.gradient(self.backward.groups[reference.site][-1])
        raise TypeError(reference)

    def gradient(self, node: Node) -> str:
        if node is self.backward.output or np.array_equal(self.backward.at[node.index], self.backward.dy):
            return "dy itself"
        line = f" (line {self.scenes.place(node).line})" if self.name(node) else ""
        return f"the gradient at {self.quoted(node)}{line}"


class _Phrases:
    """What the places in a sentence stand for."""

    def __init__(self, words: Words, change: Change, constants: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        self.words, self.change, self.constants = words, change, constants
        self.step, self.node = change.step, change.node

    @property
    def region(self) -> Region:
        if not isinstance(self.step, Region):
            raise TypeError(f"{self.change.alternative.says!r} is said of a region")
        return self.step

    @property
    def k(self) -> int:
        return getattr(self.step, "k", 0)

    def when(self) -> str:
        return self.change.when

    def place(self) -> str:
        return self.words.where(self.node, getattr(self.step, "k", None))

    def operand(self) -> str:
        return self.words.operand(self.node, self.k)

    def other(self, number: str = "") -> str:
        """Another operand; if the array in its place has the same words, with what tells the two apart."""
        k = int(number) if number else 1 - self.k if self.k < 2 else 0
        name, reference = self.words.operand(self.node, k), self.change.alternative.array
        if not isinstance(reference, Value) or name != self.words.array(reference):
            return name
        operand = self.node.operands[k]
        return f"{name} of the step before" if operand.site == reference.site else self.words.where(operand)

    def array(self) -> str:
        says, reference = self.change.alternative.says, self.change.alternative.array
        name = self.words.array(reference)
        with_other = re.search(r"\{other(?::(\d))?\}", says)
        if not with_other or not isinstance(reference, Value):
            return name
        other = self.other(with_other[1] or "")
        if other == f"{name} of the step before":
            return f"{name} of this step"
        return self.words.where(self.words.backward.groups[reference.site][-1]) if name in other != name else name

    def gradient(self) -> str:
        return self.words.gradient(self.node)

    def value(self) -> str:
        return self.words.value(self.node)

    def top(self) -> str:
        return self.words.quoted(self.node)

    def bottom(self) -> str:
        bottom = self.region.bottom
        if bottom.frames and bottom.frames == self.node.frames:  # a step within one call, such as the sum within a norm
            return f"the argument of its {self.node.op}"
        return self.words.quoted(bottom)

    def source(self) -> str:
        """Where the operand comes from, if from another line."""
        operand, scenes = self.node.operands[self.k], self.words.scenes
        if operand.leaf is not None or not operand.active or scenes.hidden(self.node) >= 0.3:
            return ""
        if scenes.place(operand).line == scenes.place(self.node).line:
            return ""
        place = scenes.place(operand)
        return f" (it comes from line {place.line}, `{short(place.statement)}`)" if place.statement else ""

    def factor(self) -> str:
        first, second = self.constants
        return self.words.factors.words((first[0], second[0]), self.node) or ""

    def number(self) -> str:
        return fraction(self.constants[0][0])

    def numbers(self) -> str:
        return " and ".join(f"{c:.5g}" for c in self.constants[0])

    def slopes(self) -> str:
        slope, first = self.region.slope, np.broadcast_to(side(self.node), self.node.value.shape)
        return " and ".join(_one_number(slope[where]) for where in (first, ~first))

    def due(self) -> str:
        """The true derivative, if the region is one operation."""
        if len(self.region.inside) > 1:
            return ""
        if self.node.op == "multiply" and self.node.operands[0] is not self.node.operands[1]:
            k = self.node.operands.index(self.region.bottom)
            return f" (it is {self.words.operand(self.node, 1 - k)})"
        text = numpy_line.derivative(self.node, self.words.name(self.region.bottom), self.words.name(self.node))
        return f" (it is `{text}`)" if text and self.words.name(self.node) else ""

    def formula(self, text: str) -> str:
        """A formula of x and y, which are a region's bottom and top."""
        names = {"x": self.words.name(self.region.bottom), "y": self.words.name(self.node)}
        if not all(names.values()):
            return f"`{text}` (x being what goes in, y what comes out)"
        named = {key: name if name.isidentifier() else f"({name})" for key, name in names.items()}
        return "`" + re.sub(r"\b[xy]\b", lambda m: named[m[0]], text) + "`"

    def other_paths(self) -> str:
        """The paths of a tensor besides the one that stands alone."""
        reference = self.change.alternative.array
        if not isinstance(reference, GradientAt):
            raise TypeError(reference)
        alone = self.words.backward.groups[reference.site][-1]
        users = [user for user, _ in self.words.backward.users.get(self.node.index, [])]
        others = dict.fromkeys(self.words.where(user) for user in users if user is not alone)
        if alone not in users or not others:
            return ": it has not gone through the rest"
        return f": the other paths of {self.node.leaf}, through {' and '.join(list(others)[:3])}, are left out"


def _one_number(values: NDArray) -> str:
    different = set(np.round(values.ravel(), 9))
    return f"{different.pop():.5g}" if len(different) == 1 else "another function"


def short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:30]} … {text[-26:]}"
