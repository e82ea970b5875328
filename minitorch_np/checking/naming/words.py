"""Words: a change in the user's own words: the expression, its line, what was done, what is due."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.naming import numpy_line
from minitorch_np.checking.naming.arrays_at_hand import Constant, Function, GradientAt, Kept, Leaf, Reference, Value
from minitorch_np.checking.naming.edges import Edge
from minitorch_np.checking.naming.factors import Factors
from minitorch_np.checking.naming.phrases import LONG, Phrases, short
from minitorch_np.checking.naming.spots import Spot
from minitorch_np.tracing.source import Place

if TYPE_CHECKING:
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.checking.naming.change import Change
    from minitorch_np.checking.naming.scenes import Scenes
    from minitorch_np.checking.naming.search import Found
    from minitorch_np.tracing.graph import Node


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
        says = change.alternative.says
        return self._filled(says if "{when}" in says else says + "{when}", change, constants)

    def remedy(self, change: Change) -> str:
        """What to write instead: as NumPy in the user's variables if it is a single step, else in words."""
        if change.parts:
            return " ".join(filter(None, map(self.remedy, change.parts)))
        line = "" if change.alternative.kind == "constant factor" else self._line(change)
        return line or self._filled(change.alternative.change, change, ((), ()))

    def _filled(self, text: str, change: Change, constants: tuple[tuple[float, ...], tuple[float, ...]]) -> str:
        phrases = Phrases(self, change, constants)
        pattern = re.compile(r"\{([a-z_]+)(?::([^}]*))?\}")
        return pattern.sub(lambda m: str(getattr(phrases, m[1])(*filter(None, [m[2]]))), text)

    def _line(self, change: Change) -> str:
        """What goes back there, as NumPy in the user's variables; empty if it is no single step."""
        step = change.step
        if isinstance(step, Spot) and step.node.leaf is not None:
            users = self.backward.users.get(step.node.index, [])
            step = Edge(self.backward, *users[0]) if len(users) == 1 else step
        if not isinstance(step, Edge):
            return ""
        place = Place(step.node) if self.scenes.inside(step.node, step.k) else self.scenes.place(step.node)
        incoming = self.incoming(step.node, place)
        line = numpy_line.of_edge(step.node, step.k, place, incoming)
        if line is None:
            return ""
        name, right = line
        if name == "dpart" and step.operand.leaf is not None:
            name = gradient_of(step.operand.leaf)
        if len(right) > 2 * LONG:
            return ""
        inner = self.scenes.inside(step.node, step.k) and place.expression
        at = f"the gradient at `{short(place.expression)}`" if inner else self.gradient(step.node)
        notes = [f"{incoming} being {at}"] if incoming != "dy" else []
        notes += [f"dpart being the gradient for {self.operand(step.node, step.k)}"] if name == "dpart" else []
        missing = change.alternative.kind == "missing path" and step.operand.leaf is not None
        verb, equals = ("Add", "+=") if missing else ("Write", "=")
        looped = len(self.backward.groups.get(step.node.site, ())) > 1
        loop = " Do so in every step, from the last to the first." if looped and change.when == "" else ""
        return f"{verb} `{name} {equals} {right}`" + (f", {' and '.join(notes)}." if notes else ".") + loop

    def incoming(self, node: Node, place: Place) -> str:
        """A name for the gradient at a node that the expression does not use."""
        if np.array_equal(self.backward.at[node.index], self.backward.dy):
            return "dy"
        variable = place.variable.removeprefix("self.")
        used = set(re.findall(r"[A-Za-z_]\w*", place.expression))
        names = (
            f"d{variable}" if variable.isidentifier() else "g",
            "g",
            "grad",
            "upstream",
        )
        return next(name for name in names if name not in {*used, "dy"})

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
        return place.variable if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", place.variable) else short(place.expression)

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
            if reference.wraps:
                return f"{text} of the step before (which for the first step is the last one: index -1)"
            return f"{text} of the step before" if reference.steps else text
        if isinstance(reference, GradientAt):
            return self.gradient(self.backward.groups[reference.site][-1])
        raise TypeError(reference)

    def gradient(self, node: Node) -> str:
        if node is self.backward.output or np.array_equal(self.backward.at[node.index], self.backward.dy):
            return "dy itself"
        line = f" (line {self.scenes.place(node).line})" if self.name(node) else ""
        return f"the gradient at {self.quoted(node)}{line}"
