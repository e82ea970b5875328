"""Phrases: what the places in a sentence of the search stand for, such as {operand} and {place}."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.evidence import fraction
from minitorch_np.checking.naming import numpy_line
from minitorch_np.checking.naming.arrays_at_hand import GradientAt, Value
from minitorch_np.checking.naming.regions import Region, side, true_formula

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.change import Change
    from minitorch_np.checking.naming.words import Words

LONG = 60


class Phrases:
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

    def derivative(self) -> str:
        """The true derivative of a region, to be written in place of the wrong one; or what to do if it is no common formula."""
        if (
            self.node.op == "multiply"
            and self.region.bottom in self.node.operands
            and self.node.operands[0] is not self.node.operands[1]
        ):
            return f"Write {self.words.operand(self.node, 1 - self.node.operands.index(self.region.bottom))}."
        text = numpy_line.derivative(self.node, "x", "y") if len(self.region.inside) == 1 else ""
        text = text or true_formula(self.region)
        return f"Write {self.formula(text)}." if text else f"Write the derivative of {self.place()}."

    def formula(self, text: str) -> str:
        """A formula of x and y, which are a region's bottom and top."""
        names = {"x": self.words.name(self.region.bottom), "y": self.words.name(self.node)}
        if not all(names.values()):
            return f"`{text}` (x being what goes in, y what comes out)"
        named = {key: numpy_line.bracketed(name) for key, name in names.items()}
        return "`" + re.sub(r"\b[xy]\b", lambda m: named[m[0]], text) + "`"

    def mask(self) -> str:
        """Where a maximum over axes was taken from, in NumPy."""
        single = len(self.words.scenes.place(self.node).operands) == 1
        mask = numpy_line.mask(self.node, self.operand().strip("`")) if single else ""
        return f"Multiply it by the mask {f'`{mask}`' if mask else 'of the elements that forward took'}."

    def adding(self) -> str:
        """The call of np.add.at that adds to indexed elements."""
        place, leaf = self.words.scenes.place(self.node), self.region.bottom.leaf
        values = self.words.incoming(self.node, place)
        call = numpy_line.adding(place.expression, f"d{leaf.rpartition('.')[2]}", values) if leaf is not None else ""
        notes = "" if values == "dy" or not call else f", {values} being {self.gradient()}"
        write = f"Begin with zeros and write `{call}`{notes}" if call else "Add with np.add.at"
        return f"{write}: `=` and `+=` with an index keep only one."

    def one_path(self) -> str:
        """The one path of a tensor that is counted, and those that are not."""
        reference = self.change.alternative.array
        if not isinstance(reference, GradientAt):
            raise TypeError(reference)
        alone = self.words.backward.groups[reference.site][-1]
        users = [user for user, _ in self.words.backward.users.get(self.node.index, [])]
        others = dict.fromkeys(self.words.where(user) for user in users if user is not alone)
        if alone not in users or not others:
            return f"it is {self.array()} alone: that must still be carried back to {self.node.leaf}"
        paths = "path" if len(others) == 1 else "paths"
        return (
            f"only the path of {self.node.leaf} through {self.words.where(alone)} is counted: its other {paths}, through "
            f"{' and '.join(list(others)[:3])}, {'is' if len(others) == 1 else 'are'} left out"
        )


def _one_number(values: NDArray) -> str:
    different = set(np.round(values.ravel(), 9))
    return f"{different.pop():.5g}" if len(different) == 1 else "another function"


def short(text: str) -> str:
    return text if len(text) <= LONG else f"{text[:30]} … {text[-26:]}"
