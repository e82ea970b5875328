"""Reading: what the arrays of somebody else's code are, found out by running it: parameters, their gradients, y and dx.

A parameter is an array that forward leaves as it is, whatever x it gets. A gradient is an array that backward makes or changes, or
returns. The two belong together by their names, or else by their order or shape. If backward changes the parameter itself, the
gradient is what was taken away, divided by the learning rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.gradient_names import match, match_last, plain
from minitorch_np.checking.adapting.trial import Source, Trial, equal
from minitorch_np.checking.arrays_inside import Path, find, get, is_floats, is_number, text

_CONSTANTS = (
    "mask", "running", "moving", "mean", "var", "std", "pe", "pos", "positional", "target", "targets", "labels", "eps", "t", "onehot",
    "state", "buffer", "history", "velocity", "momentum", "cos", "sin", "window", "scale_factor", "position",
)  # fmt: skip


@dataclass
class Reading:
    """The result: the places of each parameter, which may be several for one array, and the sources of y and the gradients.

    Attributes:
        guessed: gradients that were found by shape alone.
        unseen: arrays on which y depends, and for which no gradient was found, with their shapes.
        constants: the same, but with the names of constants.
    """

    output: Source
    dx: Source
    parameters: dict[str, list[Path]] = field(default_factory=dict)
    gradients: dict[str, Source] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)
    unseen: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: list[str] = field(default_factory=list)

    def add(self, paths: list[Path], gradient: Source) -> None:
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
        else:
            self._take_found()
        return self.reading

    def _take_named(self, pairs: Mapping[str, str]) -> None:
        for name, gradient in pairs.items():
            place = find(self.trial.root, name)
            if place is None:
                raise ValueError(f"adapt: {self.code.name} has no attribute {name!r}.")
            where = find(self.trial.root, gradient)
            part = next((path for path, (key, _) in self.trial.parts.items() if key == gradient), None)
            if where is None and part is None and not self.trial.failed:
                raise ValueError(f"adapt: {self.code.name} has no attribute {gradient!r} after backward.")
            source = self.trial.written_to(where) if where is not None else Source("returned", [part or ()])
            self.reading.parameters[name], self.reading.gradients[name] = self.trial.aliases(place), source

    def _take_found(self) -> None:
        kept = [
            paths
            for paths in self._constant_arrays()
            if paths[0] != self.trial.output.paths[0] or self.trial.output.kind != "attribute"
        ]
        rest = self._match(kept, self._attribute_of, set())
        rest = self._match(rest, self._part_of, set())
        rest = [paths for paths in rest if self.trial.is_in_y(paths)]
        rest = self._match(rest, self._short_attribute_of, self.reading.guessed)
        rest = self._match_in_order(rest)
        rest = self._match(rest, self._only_array_like, self.reading.guessed)
        for paths in rest:
            if any(
                not equal(self.trial.before.get(path), self.trial.after.get(path))
                for path in paths
                if path in self.trial.before
            ):
                self.reading.add(paths, Source("update"))
            elif self.code.is_pair:
                self.reading.add(paths, Source("missing"))
            elif any(word in _CONSTANTS for step in paths[0] for word in plain(step).lower().split("_")):
                self.reading.constants.append(text(paths[0]))
            else:
                self.reading.unseen[text(paths[0])] = np.shape(self.trial.after[paths[0]])

    def _match(self, rest: list[list[Path]], source_of: Any, guessed: set[str]) -> list[list[Path]]:
        """Take those for which a source is found; returns the others."""
        left = []
        for paths in rest:
            source = source_of(paths)
            if source is None:
                left.append(paths)
            else:
                self.reading.add(paths, source)
                guessed.add(text(paths[0]))
        return left

    def _constant_arrays(self) -> list[list[Path]]:
        """The arrays that a forward on other data leaves as they are, each with all its places; and floats that have a gradient."""
        found: list[list[Path]] = []
        taken: set[Path] = set()
        for path, value in self.trial.later.items():
            if path in taken or not is_number(value) or path not in self.trial.before or not path:
                continue
            paths = self.trial.aliases(path)
            taken.update(paths)
            scalar = not is_floats(value) or (self.code.is_pair and np.size(value) == 1)
            if equal(self.trial.after.get(path), value) and is_number(self.trial.before[path]) and (
                not scalar or (np.size(value) and (self._attribute_of(paths) or self._part_of(paths)))
            ):  # fmt: skip
                found.append(paths)
        return found

    def _attribute_of(self, paths: list[Path]) -> Source | None:
        fitting = [other for path in paths for other in self.trial.last if match(other, path) and other not in paths]
        fitting.sort(key=lambda other: (other not in self.trial.written, self.trial.last[other] is None))
        if not fitting or (fitting[0] not in self.trial.written and not self.trial.is_in_y(paths)):
            return None
        return self.trial.written_to(fitting[0])

    def _short_attribute_of(self, paths: list[Path]) -> Source | None:
        shape = np.shape(self.trial.last[paths[0]])
        fitting = [
            other for path in paths for other in self.trial.last
            if match(other, path, shortened=True) and other in self.trial.written and np.shape(self.trial.last[other]) == shape and self._is_free(other)
        ]  # fmt: skip
        return self.trial.written_to(fitting[0]) if fitting else None

    def _part_of(self, paths: list[Path]) -> Source | None:
        for part, (name, value) in self.trial.parts.items():
            if not name or part in self.reading.dx.paths or not (value is None or is_number(value)):
                continue
            if any(match_last(name, path) for path in paths):
                return Source("returned", [part])
        return None

    def _match_in_order(self, rest: list[list[Path]]) -> list[list[Path]]:
        """Parts of what backward returns that have no name of a parameter: in the order of the parameters, or by their shapes."""
        used = [
            path
            for source in (self.reading.dx, *self.reading.gradients.values())
            if source.kind == "returned"
            for path in source.paths
        ]
        parts = [
            path
            for path, (_, value) in self.trial.parts.items()
            if path not in used and path and (is_number(value) or value is None)
        ]
        shapes = [np.shape(self.trial.last[paths[0]]) for paths in rest]
        given = [np.shape(self.trial.parts[part][1]) for part in parts]
        if len(parts) != len(rest) or (sorted(shapes) == sorted(given) and shapes != given):
            left = []
            for paths, shape in zip(rest, shapes, strict=True):
                fitting = [part for part, other in zip(parts, given, strict=True) if other == shape]
                if len(fitting) == 1 and shapes.count(shape) == 1:
                    self.reading.add(paths, Source("returned", fitting))
                else:
                    left.append(paths)
            return left
        for paths, part in zip(rest, parts, strict=True):
            self.reading.add(paths, Source("returned", [part]))
        return []

    def _only_array_like(self, paths: list[Path]) -> Source | None:
        """The one array of this shape that backward writes, if there is also only one parameter of this shape left."""
        shape = np.shape(self.trial.last[paths[0]])
        fitting = [
            other for other in self.trial.last
            if other in self.trial.written and np.shape(self.trial.last[other]) == shape and self._is_free(other) and other not in paths
        ]  # fmt: skip
        alone = len({id(get(self.trial.root, other)) for other in fitting}) == 1
        twins = [
            p
            for p in self._constant_arrays()
            if np.shape(self.trial.last[p[0]]) == shape and p != paths and self.trial.is_in_y(p)
        ]
        return self.trial.written_to(fitting[0]) if alone and not twins else None

    def _is_free(self, path: Path) -> bool:
        """Whether an array that backward writes is neither taken nor a value of forward."""
        taken = [
            p
            for source in (self.reading.dx, *self.reading.gradients.values())
            if source.kind == "attribute"
            for p in source.paths
        ]
        own = [p for paths in self.reading.parameters.values() for p in paths]
        by_forward = path in self.trial.later and not equal(self.trial.after.get(path), self.trial.later[path])
        return path not in taken and path not in own and not by_forward
