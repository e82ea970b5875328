"""Factors: what a constant factor is, in words: a size of the data, a number that the layer keeps, or the number itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.evidence import fraction
from minitorch_np.tracing.source import Place

if TYPE_CHECKING:
    from minitorch_np.checking.naming.backward import TrueBackward
    from minitorch_np.tracing.graph import Node

_WITHIN = 1e-6
_COMMON = (0, 1, 2, -1, -2, 0.5)  # numbers that say nothing of where they come from
AVERAGED = "the number of elements averaged"
_POWERS = (
    ("multiplied by {n}", lambda n: n),
    ("divided by {n}", lambda n: 1 / n),
    ("multiplied by n / (n - 1), n being {n}", lambda n: n / (n - 1)),
    ("multiplied by (n - 1) / n, n being {n}", lambda n: (n - 1) / n),
    ("multiplied by the square of {n}", lambda n: n * n),
    ("divided by the square of {n}", lambda n: 1 / (n * n)),
    ("multiplied by the root of {n}", lambda n: n**0.5),
    ("divided by the root of {n}", lambda n: n**-0.5),
    ("multiplied by -1 times {n}", lambda n: -n),
    ("divided by -1 times {n}", lambda n: -1 / n),
    ("multiplied by 2 and divided by {n}", lambda n: 2 / n),
    ("multiplied by half of {n}", lambda n: n / 2),
)


class Factors:
    """The words for a factor that was solved for in two settings."""

    def __init__(self, backwards: tuple[TrueBackward, TrueBackward]) -> None:
        self.backwards = backwards

    def words(self, values: tuple[float, float], node: Node | None = None) -> str | None:
        """Such as "divided by the batch size", or None if the factor differs between the settings and is no size of them.

        Args:
            node: what the factor is at; the number of elements that it averages is a size too.
        """
        if abs(values[0]) < 1e-12:
            return "0"
        sizes = [(name, pair) for name, pair in self._sizes(node) if pair[0] != pair[1] or name == AVERAGED]
        for name, pair in sizes:
            for says, power in _POWERS if min(pair) > 1 else ():
                if _are(values, (power(pair[0]), power(pair[1]))):
                    summed = node is not None and node.op == "mean" and name == AVERAGED and says == _POWERS[0][0]
                    return says.format(n=f"{name} ({pair[0]})") + (": summed, where forward averages" if summed else "")
        named = self._scalar(values)
        if named is not None:
            return named
        if not _are(values, (values[0], values[0])):
            for name, pair in sizes:
                for due, of in sizes:
                    if min(*pair, *of) > 1 and _are(values, (of[0] / pair[0], of[1] / pair[1])):
                        return f"divided by {name} ({pair[0]}), instead of by {due} ({of[0]})"
            return None
        return self._number(values[0], whole=node is not None and node.leaf is not None)

    def is_named(self, values: tuple[float, float], node: Node) -> bool:
        """Whether the factor is more than a number or a power of the batch size."""
        words = self.words(values, node) or ""
        averaged = words.startswith("divided by") and " (" in words
        return "`" in words or (averaged and "the batch size" not in words and "the number of" not in words)

    def _scalar(self, values: tuple[float, float]) -> str | None:
        """A single number that forward computes with, in the author's words."""
        scalars = dict(self._scalars())
        for text, (a, b) in scalars.items():
            if _are(values, (1 / a, 1 / b)):
                return f"divided by `{text}`: this factor is missing, or it is divided by it once too often"
        for text, pair in scalars.items():
            if _are(values, pair):
                return f"multiplied by `{text}` once too often"
        return None

    def _scalars(self) -> Iterator[tuple[str, tuple[float, float]]]:
        """Values of one element in forward, but for the most common numbers, in both settings."""
        first, second = self.backwards
        for name, leaf in first.leaves.items():
            if leaf.value.size == 1:
                yield name, (leaf.value.item(), second.leaves[name].value.item())
        for site, group in first.groups.items():
            node, other = group[0], second.groups.get(site, group)[0]
            place = Place(node)
            texts = (
                [*place.operands, place.variable or place.expression]
                if len(place.operands) == len(node.operands)
                else []
            )
            for text, a, b in zip(texts, [*node.operands, node], [*other.operands, other], strict=False):
                if a.value.size == b.value.size == 1 and text and len(text) < 40:
                    pair = float(a.value.item()), float(b.value.item())
                    if pair[0] not in _COMMON and all(np.isfinite(pair)) and all(pair):
                        yield text, pair

    def _sizes(self, node: Node | None) -> Iterator[tuple[str, tuple[int, int]]]:
        """Sizes by name, in both settings."""
        first, second = self.backwards
        xs = [b.leaves["x"].value if "x" in b.leaves else b.output.value for b in self.backwards]
        ys = [b.output.value for b in self.backwards]
        if node is not None and node.op in ("mean", "sum") and node.site in second.groups:
            counts = [n.operands[0].value.size // max(n.value.size, 1) for n in (node, second.groups[node.site][0])]
            yield AVERAGED, (counts[0], counts[1])
        yield "the batch size", (xs[0].shape[0] if xs[0].ndim else 1, xs[1].shape[0] if xs[1].ndim else 1)
        yield "the number of elements", (xs[0].size, xs[1].size)
        yield "the number of outputs", (ys[0].size, ys[1].size)
        for name, (a, b) in (("x", xs), ("y", ys)):
            for axis in range(1, min(a.ndim, b.ndim)):
                yield f"the length of axis {axis} of {name}", (a.shape[axis], b.shape[axis])
        for n in first.nodes:
            if n.op == "mean" and n.site in second.groups:
                counts = [m.operands[0].value.size // max(m.value.size, 1) for m in (n, second.groups[n.site][0])]
                yield AVERAGED, (counts[0], counts[1])

    def _number(self, value: float, *, whole: bool) -> str:
        for name, number in self._kept():
            for says, due in (
                (f"multiplied by {name}", number),
                (f"divided by {name}", 1 / number),
                (f"multiplied by -{name}", -number),
                (f"multiplied by 1 - {name}", 1 - number),
            ):
                if due and abs(value / due - 1) < 1e-9:
                    return says
        for number in range(2, 400):
            where = self._where(number, whole=whole)
            if abs(value * number - 1) < 1e-9:
                return f"divided by {number}{where}"
            if abs(value / number - 1) < 1e-9:
                return f"multiplied by {number}{where}"
        return f"multiplied by {fraction(value)}"

    def _where(self, number: int, *, whole: bool) -> str:
        """Which axes have this length in both settings; of a whole gradient, also how many outputs share an element."""
        if number == 2 and not whole:
            return ""
        axes = []
        for name in ("y", *self.backwards[0].leaves):
            nodes = [b.output if name == "y" else b.leaves[name] for b in self.backwards]
            shapes = [node.value.shape for node in nodes]
            axes += [f"axis {a} of {name}" for a, (m, n) in enumerate(zip(*shapes, strict=False)) if m == n == number]
        facts = [f"{number} is the length of {' and of '.join(axes[:3])}"] if axes else []
        shapes = [b.output.value.shape for b in self.backwards]
        for first, last in itertools.combinations(range(1, len(shapes[0]) + 1) if whole else (), 2):
            if last > first + 1 and all(np.prod(shape[first:last]) == number for shape in shapes):
                facts.append(f"{number} is the number of places along axes {first} to {last - 1} of y")
        x = self.backwards[0].leaves.get("x")
        if whole and x is not None and self.backwards[0].output.value.size == number * x.value.size:
            facts.append(f"each element of x serves {number} outputs")
        return f" ({', and '.join(facts)})" if facts else ""

    def _kept(self) -> Iterator[tuple[str, float]]:
        """The numbers that the layer keeps under a name, such as a slope."""
        layer = self.backwards[0].setting.subject.layer
        for owner in (getattr(layer, "loss", layer),):
            for name in dict.fromkeys([*vars(owner), *dir(type(owner))]):
                value = vars(owner).get(name, getattr(type(owner), name, None))
                if name.startswith("_") or isinstance(value, bool) or not isinstance(value, (int, float)):
                    continue
                if value not in _COMMON and np.isfinite(value):
                    yield name, float(value)


def _are(values: tuple[float, float], due: tuple[float, float]) -> bool:
    return all(abs(v - d) < _WITHIN * abs(v) for v, d in zip(values, due, strict=True))
