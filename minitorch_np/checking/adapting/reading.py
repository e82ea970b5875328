"""Reading: what the arrays of somebody else's code are, found out by running it: parameters, their gradients, y and dx.

A parameter is an array that forward leaves as it is, whatever x it gets. A gradient is an array that backward makes or changes, or
returns. The two belong together because the code lists them as a pair, or by their names, or else by their order or shape. If
backward changes the parameter itself, the gradient is what was taken away, divided by the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.gradient_names import match, match_last, plain
from minitorch_np.checking.adapting.in_order import in_likeliest_order, without_ones
from minitorch_np.checking.adapting.sources import Part, Source
from minitorch_np.checking.adapting.trial import Trial, equal
from minitorch_np.checking.arrays_inside import Path, find, get, is_floats, is_number, text

_CONSTANTS = (
    "mask", "running", "moving", "mean", "var", "std", "pe", "pos", "positional", "target", "targets", "labels", "eps", "t", "onehot",
    "state", "buffer", "history", "velocity", "momentum", "cos", "sin", "window", "scale_factor", "position",
)  # fmt: skip
Shape = tuple[int, ...]
Places = list[Path]  # all places of one array


@dataclass
class Reading:
    """The result: the places of each parameter, which may be several for one array, and the sources of y and the gradients.

    Attributes:
        guessed: gradients that were found by shape alone.
        unseen: arrays on which y depends, and for which no gradient was found, with their shapes.
        constants: the same, but with the names of constants, or outside of functions none of whose outer arrays has a gradient.
        unused: arrays on which y does not depend, and which have no gradient.
    """

    output: Source
    dx: Source
    parameters: dict[str, Places] = field(default_factory=dict)
    gradients: dict[str, Source] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    unseen: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, Shape] = field(default_factory=dict)
    unused: dict[str, Shape] = field(default_factory=dict)

    def add(self, paths: Places, gradient: Source) -> None:
        name = text(paths[0])
        self.parameters[name], self.gradients[name] = paths, gradient


class Reader:
    """Reads what was found by a trial.

    Args:
        pairs: the parameters and their gradients, if the caller named them.
    """

    def __init__(self, code: Code, trial: Trial, pairs: Mapping[str, str] | None) -> None:
        self.code, self.trial, self.pairs = code, trial, pairs
        self.reading = Reading(trial.output, trial.dx)

    def read(self) -> Reading:
        if self.pairs is not None:
            self._take_named(self.pairs)
            return self.reading
        rest = [
            paths
            for paths in self._constant_arrays()
            if not self._is_fixed(paths) and not self.trial.is_made_by_forward(paths)
        ]
        for rule in (self.trial.update_of, self._in_a_pair, self._attribute_by_name, self._returned_by_name):
            rest = self._apply(rule, rest)
        used = [paths for paths in rest if self.trial.is_in_y(paths)]
        unused = [paths for paths in rest if paths not in used]
        rest = self._apply(self._attribute_by_short_name, used, guess=True)
        rest = self._returned_in_order(rest)
        rest = self._apply(self._only_array_like, rest, guess=True)
        rest = self._apply(self._change, rest)
        self._leave_out(rest, unused)
        return self.reading

    def _take_named(self, pairs: Mapping[str, str]) -> None:
        for name, gradient in pairs.items():
            place = find(self.trial.root, name)
            if place is None:
                raise ValueError(f"adapt: {self.code.name} has no attribute {name!r}.")
            where = find(self.trial.root, gradient)
            part = next((part for part in self.trial.parts if part.name == gradient), None)
            if where is None and part is None and not self.trial.failed:
                raise ValueError(f"adapt: {self.code.name} has no attribute {gradient!r} after backward.")
            if where is not None:
                source = self.trial.written_to(where)
            else:
                source = part.source if part is not None else Source("returned", [()])
            self.reading.parameters[name], self.reading.gradients[name] = self.trial.aliases(place), source

    def _constant_arrays(self) -> list[Places]:
        """The arrays that a forward on other data leaves as they are; and floats that have a gradient."""
        trial, found = self.trial, []
        taken = set(trial.output.paths) if trial.output.kind == "attribute" else set()
        for path, value in trial.later.items():
            before = trial.before.get(path)
            if not path or path in taken or not is_number(value) or not is_number(before):
                continue
            paths = trial.aliases(path)
            taken.update(paths)
            is_parameter = is_floats(value) and not (self.code.takes_parameters and np.size(value) == 1)
            if not is_parameter and np.size(value):
                is_parameter = bool(self._attribute_by_name(paths) or self._returned_by_name(paths))
            if is_parameter and equal(trial.after.get(path), value):
                found.append(paths)
        return found

    def _apply(
        self, rule: Callable[[Places], Source | None], rest: list[Places], *, guess: bool = False
    ) -> list[Places]:
        """Take the arrays for which a rule finds the gradient; returns the others."""
        left = []
        for paths in rest:
            source = rule(paths)
            if source is None:
                left.append(paths)
                continue
            self.reading.add(paths, source)
            if guess:
                self.reading.guessed.add(text(paths[0]))
        return left

    def _is_fixed(self, paths: Places) -> bool:
        """Whether the array is of an object that says that it is not trained."""
        fixed = self.trial.is_fixed(paths[0])
        if fixed and self.trial.is_in_y(paths):
            self.reading.constants[text(paths[0])] = self._shape(paths)
        return fixed

    # The rules, from the surest to the least sure

    def _in_a_pair(self, paths: Places) -> Source | None:
        """[(W, dW), (b, db)], returned by backward or listed by a method."""
        return self.trial.partners.get(paths[0])

    def _attribute_by_name(self, paths: Places) -> Source | None:
        """self.dW beside self.W, grads["W"] beside params["W"], w.grad beside w.data."""
        trial = self.trial
        fitting = [other for path in paths for other in trial.last if match(other, path) and other not in paths]
        fitting.sort(key=lambda other: (other not in trial.written, trial.last[other] is None))
        if not fitting or (fitting[0] not in trial.written and not trial.is_in_y(paths)):
            return None
        return trial.written_to(fitting[0])

    def _returned_by_name(self, paths: Places) -> Source | None:
        """`return dx, dW, db`, or {"dW": …}; also what a method returns that lists gradients."""
        for part in self.trial.parts:
            is_free = part.source != self.reading.dx and (part.value is None or is_number(part.value))
            if part.name and is_free and any(match_last(part.name, path) for path in paths):
                return part.source
        return None

    def _attribute_by_short_name(self, paths: Places) -> Source | None:
        """self.dW beside self.weights."""
        for path in paths:
            for other in self._written_like(paths):
                if match(other, path, shortened=True):
                    return self.trial.written_to(other)
        return None

    def _returned_in_order(self, rest: list[Places]) -> list[Places]:
        """Arrays without a name of a parameter, in what backward returned: in the order of the parameters, or by shape."""
        taken = [self.reading.dx, *self.reading.gradients.values()]
        parts = [
            part
            for part in self.trial.parts
            if part.source not in taken
            and (part.source.paths != [()] or self.reading.dx.kind == "missing")
            and (is_number(part.value) or part.value is None)
        ]
        by_path = {part.path: part for part in parts}

        def error(order: list[Path]) -> float:
            return sum(self.trial.error_of(p, by_path[path].value) for p, path in zip(rest, order, strict=True))

        shapes = [without_ones(self._shape(paths)) for paths in rest]
        order = in_likeliest_order({path: np.shape(part.value) for path, part in by_path.items()}, shapes, error)
        parts = [by_path[path] for path in order]
        given = [without_ones(np.shape(part.value)) for part in parts]
        if len(parts) == len(rest) and (shapes == given or sorted(shapes) != sorted(given)):
            for paths, part in zip(rest, parts, strict=True):
                self.reading.add(paths, part.source)
            return []

        def only_part_of_the_shape(paths: Places) -> Source | None:
            fitting: list[Part] = [
                part for part, shape in zip(parts, given, strict=True) if shape == without_ones(self._shape(paths))
            ]
            alone = len(fitting) == 1 and shapes.count(without_ones(self._shape(paths))) == 1
            return fitting[0].source if alone else None

        return self._apply(only_part_of_the_shape, rest)

    def _only_array_like(self, paths: Places) -> Source | None:
        """The one array of this shape that backward writes, if there is also only one parameter of this shape left."""
        fitting = self._written_like(paths)
        alone = len({id(get(self.trial.root, other)) for other in fitting}) == 1
        twins = [
            other
            for other in self._constant_arrays()
            if other != paths and self._shape(other) == self._shape(paths) and self.trial.is_in_y(other)
        ]
        return self.trial.written_to(fitting[0]) if alone and not twins else None

    def _change(self, paths: Places) -> Source | None:
        """Backward makes the step: the parameter itself changes."""
        before, after = self.trial.before, self.trial.after
        changed = any(path in before and not equal(before[path], after.get(path)) for path in paths)
        return Source("update") if changed else None

    # What has no gradient

    def _leave_out(self, rest: list[Places], unused: list[Places]) -> None:
        """Sort the arrays that have no gradient: those on which y depends, and the others."""
        gradients = {path for source in self.reading.gradients.values() for path in source.paths}
        self.reading.unused = {text(paths[0]): self._shape(paths) for paths in unused if paths[0] not in gradients}
        outside = self.code.is_outside and not self.reading.gradients
        for paths in rest:
            name, words = text(paths[0]), {word for step in paths[0] for word in plain(step).lower().split("_")}
            if self.code.takes_parameters:
                self.reading.add(paths, Source("missing"))
            elif outside or words.intersection(_CONSTANTS) or self.trial.follows_batch(paths[0]):
                self.reading.constants[name] = self._shape(paths)
            else:
                self.reading.unseen[name] = self._shape(paths)

    def _shape(self, paths: Places) -> Shape:
        return np.shape(self.trial.later[paths[0]])

    def _written_like(self, paths: Places) -> Places:
        """The arrays of the parameter's shape that backward writes, and that are neither taken nor values of forward."""
        trial, sources = self.trial, (self.reading.dx, *self.reading.gradients.values())
        taken = [path for source in sources if source.kind == "attribute" for path in source.paths]
        taken += [path for own in self.reading.parameters.values() for path in own]
        return [
            path
            for path, value in trial.last.items()
            if path in trial.written and path not in paths and path not in taken and np.shape(value) == self._shape(paths)
            and not (path in trial.later and not equal(trial.after.get(path), trial.later[path]))  # a value of forward
        ]  # fmt: skip
