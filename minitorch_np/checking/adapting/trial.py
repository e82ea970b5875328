"""Trial: two runs of somebody else's code, on a copy, with all arrays in it before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.adapting.between_calls import before_forward, record_updates, stacked
from minitorch_np.checking.adapting.calls import GRADIENT_LISTS, PARAMETER_LISTS, low
from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.gradient_names import is_of_input
from minitorch_np.checking.adapting.sources import Part, Source, parts_of
from minitorch_np.checking.arrays_inside import Path, copied, find, get, is_number, leaves, places, put
from minitorch_np.checking.subject import GlobalRandomness, State
from minitorch_np.checking.truth import rms

_OUTPUTS = (
    "output", "outputs", "out", "y", "Y", "a", "A", "activation", "activations", "result", "z", "Z", "y_hat", "y_pred", "prediction",
)  # fmt: skip
_TRIAL_RATE = 0.125
_SMALL = 1e-5  # of the differences that tell which gradient is whose
_TRIALS = 300  # arrays that are changed to see whether y depends on them


class Trial:
    """Runs the code twice, on a copy, each time on other data.

    Args:
        x: in the layout of the code.
        output: the attribute of y, if the caller named it.
        dx: the attribute or the returned part that is dx, if the caller named it.
    """

    def __init__(self, code: Code, x: NDArray, output: str | None, dx: str | None) -> None:
        self.code, self.x = code, x
        self.tried: dict[Path, bool] = {}
        rng = np.random.default_rng(0)
        self.root = root = copied(code.root)
        other = _other(x, rng)
        self.returned_y = code.forward(root, x.copy())
        self.recorded = record_updates(root)
        self.ready = copied(root)  # with the parameters that only forward makes
        self.fresh = before_forward(code, x, self.ready)
        self.before = _snapshot(root)
        self.places = places(root)
        self.output = self._find_output(output)
        y = np.asarray(self._y(self.returned_y))
        self.failed = ""
        self.returned: Any = None
        self.dy = code.upstream(y.shape, rng)
        try:
            self.returned = code.backward(root, self.dy.copy(), x.copy(), self.returned_y, y, _TRIAL_RATE)
        except Exception as error:  # the check itself reports it
            self.failed = f"{type(error).__name__}: {error}"
        given = {path: [value for value, _ in calls] for path, calls in self.recorded.items()}
        self.updates = {  # by the place of a parameter, the optimiser inside the object that is given it
            path: optimiser
            for group in self.places for path in group for optimiser, values in given.items()
            if any(value is get(root, path) for value in values)
        }  # fmt: skip
        self.after = _snapshot(root)
        self.returned_parts = parts_of(self.returned, code.return_names())
        self.parts = self.returned_parts + self._listed_parts()
        self.gradient_places = places(root)
        self.partners = self._partners()
        try:
            if self.fresh is not None:
                self.root = root = copied(self.fresh)
            again = code.forward(root, other)
            self.later = _snapshot(root)
            y = np.asarray(self._y(again))
            code.backward(root, rng.normal(size=y.shape), other, again, y, _TRIAL_RATE)
        except Exception:  # as above
            self.later = self.after
        self.last = _snapshot(root)
        self.written = {
            path
            for old, new in ((self.before, self.after), (self.later, self.last))
            for path, value in new.items()
            if is_number(value) and not equal(old.get(path), value)
        }
        self.dx = self._find_dx(dx)

    # y and dx

    def _find_output(self, named: str | None) -> Source:
        if named is not None:
            path = find(self.root, named)
            if path is None:
                raise ValueError(f"adapt: {self.code.name} has no attribute {named!r} after forward.")
            return Source("attribute", [path])
        returned = self.returned_y
        if returned is None:
            found = leaves(self.root)
            for name in _OUTPUTS:
                for path, value in found.items():
                    if path and path[-1] == name and len(path) == 1 and isinstance(value, np.ndarray):
                        return Source("attribute", [path])
            raise ValueError(
                f"gradcheck: {self.code.name}'s forward returns nothing, and no attribute looks like y. Name it: adapt(…, output='…')."
            )
        if isinstance(returned, (tuple, list)):
            first = next(
                (path for path, value in leaves(returned).items() if isinstance(value, (np.ndarray, np.generic))), None
            )
            if first is not None and isinstance(returned, tuple):
                return Source("returned", [first])
        return Source("returned", [()])

    def _y(self, returned: Any) -> Any:
        return self.output.read(self.root, returned)

    def _find_dx(self, named: str | None) -> Source:
        if named is not None:
            part = next((part for part in self.returned_parts if part.name == named), None)
            path = find(self.root, named)
            if part is not None:
                return part.source
            if path is None:
                raise ValueError(f"adapt: backward of {self.code.name} makes no {named!r}.")
            return Source("attribute", [path])
        named_so = [part for part in self.returned_parts if is_of_input(part.name, self.code.x_name)]
        named_so.sort(key=lambda part: part.value is not None and not self._is_like_x(part.value))
        if named_so:  # of another shape than x, it is wrong, but it is dx
            return named_so[0].source
        if isinstance(self.returned, (np.ndarray, np.generic, float)):
            of_x = self.x.dtype.kind == "f" or self._is_like_x(self.returned)
            return Source("returned", [()]) if of_x else Source("missing")
        if self._is_like_x(stacked(self.returned)):
            return Source("returned", [()])
        for part in self.returned_parts:  # {"x": dx, "w": dw}
            if low(part.name) == low(self.code.x_name) and self._is_like_x(part.value):
                return part.source
        arrays = [part for part in self.returned_parts if is_number(part.value)]
        fitting = [part for part in arrays if self._is_like_x(part.value) and part.partner is None]
        if fitting and not isinstance(self.returned, dict):
            return fitting[0].source
        first = self.code.returns_dx_first and isinstance(self.returned, tuple)
        if arrays and first and arrays[0].path == (0,) and not arrays[0].name:
            return arrays[0].source
        found = [
            path for path in self.last
            if path in self.written and is_of_input(path[-1], self.code.x_name) and self._is_like_x(self.last[path])
        ]  # fmt: skip
        return Source("attribute", found[:1]) if found else Source("missing")

    def _is_like_x(self, value: Any) -> bool:
        return is_number(value) and np.shape(value) == self.x.shape

    # Parameters

    def _listed_parts(self) -> list[Part]:
        """The gradients that methods of the object list, beside its parameters or in the order of another method's parameters."""
        listed = self.code.listed(self.root)
        gradients = [part for name in listed if name in GRADIENT_LISTS for part in parts_of(listed[name], [], name)]
        parameters = [value for name in listed if name in PARAMETER_LISTS for value in leaves(listed[name]).values()]
        if [np.shape(part.value) for part in gradients] == [np.shape(value) for value in parameters]:
            for part, value in zip(gradients, parameters, strict=True):
                part.partner = value
        beside = [part for name in listed if name in PARAMETER_LISTS for part in parts_of(listed[name], [], name)]
        return gradients + [part for part in beside if part.partner is not None]

    def _partners(self) -> dict[Path, Source]:
        """By the place of a parameter, the gradient that stands beside it in a list of pairs."""
        return {
            path: part.source
            for paths in self.gradient_places
            for part in self.parts
            if part.partner is not None and part.partner is get(self.root, paths[0])
            for path in paths
        }

    def aliases(self, path: Path) -> list[Path]:
        return next((group for group in self.places if path in group), [path])

    def written_to(self, path: Path) -> Source:
        group = next((group for group in self.gradient_places if path in group), [path])
        return Source("attribute", [path, *(other for other in group if other != path)])

    def update_of(self, paths: list[Path]) -> Source | None:
        """The optimiser inside the object that is given the array."""
        found = next((self.updates[path] for path in paths if path in self.updates), None)
        return Source("optimiser", [found]) if found is not None else None

    def follows_batch(self, path: Path) -> bool:
        """Whether the array has another shape for another number of examples, as a state has that forward makes anew."""
        root = copied(self.code.root)
        try:
            self.code.forward(root, np.concatenate([self.x, self.x[:1]]))
        except Exception:  # the code does not bear another number
            return False
        return np.shape(get(root, path)) != np.shape(get(self.root, path))

    def is_made_by_forward(self, paths: list[Path]) -> bool:
        """Whether forward puts a value of its own into the place, whatever was there before, as into a cache."""
        root = copied(self.ready if self.fresh is None else self.fresh)
        value = get(root, paths[0])
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or self.is_in_y(paths):
            return False
        for path in paths:
            put(root, path, value + 1)
        try:
            self.code.forward(root, self.x.copy())
        except Exception:  # the code does not bear other values there
            return False
        return not equal(get(root, paths[0]), value + 1)

    def is_fixed(self, path: Path) -> bool:
        """Whether the object that holds the array says that it is not trained."""
        return getattr(get(self.root, path[:-1]), "trainable", None) is False

    def error_of(self, paths: list[Path], gradient: Any) -> float:
        """How far a gradient is from the slope of y, along one direction, relative to both."""
        value = np.asarray(get(self.ready, paths[0]), float)
        direction = np.random.default_rng(2).normal(size=value.shape)
        slopes = []
        for sign in (1, -1):
            root = copied(self.ready if self.fresh is None else self.fresh)
            for path in paths:
                put(root, path, value + sign * _SMALL * direction)
            slopes.append(sign * float((np.asarray(self._y(self.code.forward(root, self.x.copy()))) * self.dy).sum()))
        true, told = sum(slopes) / (2 * _SMALL), float((np.reshape(gradient, value.shape) * direction).sum())
        return abs(true - told) / (abs(true) + abs(told) + 1e-300)

    def is_in_y(self, paths: list[Path]) -> bool:
        """Whether y changes with the array."""
        if paths[0] not in self.tried and len(self.tried) < _TRIALS:
            self.tried[paths[0]] = self._changes_y(paths)
        return self.tried.get(paths[0], False)

    def _changes_y(self, paths: list[Path]) -> bool:
        state, randomness = State(self.root), GlobalRandomness()
        try:
            first = np.array(self._y(self.code.forward(self.root, self.x.copy())))
            state.restore()
            randomness.restore()
            value = np.asarray(get(self.root, paths[0]), float)
            value = value + 0.01 * rms(value) * np.random.default_rng(1).normal(size=value.shape)
            for path in paths:
                put(self.root, path, value)
            second = np.array(self._y(self.code.forward(self.root, self.x.copy())))
            return first.shape == second.shape and not np.array_equal(first, second, equal_nan=True)
        except Exception:  # the code does not bear other values there
            return False
        finally:
            state.restore()
            randomness.restore()


def _snapshot(root: Any) -> dict[Path, Any]:
    return {path: np.array(value) if isinstance(value, np.ndarray) else value for path, value in leaves(root).items()}


def equal(a: Any, b: Any) -> bool:
    return is_number(a) and is_number(b) and np.shape(a) == np.shape(b) and np.array_equal(a, b, equal_nan=True)


def _other(x: NDArray, rng: np.random.Generator) -> NDArray:
    """Other inputs of the same shape and kind."""
    turned = np.flip(x).copy()
    return turned * (1 - 0.2 * rng.uniform(size=x.shape)) if x.dtype.kind == "f" else turned
