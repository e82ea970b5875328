"""Losses of somebody else, and networks that compute loss and gradients from x and the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.adapting.calls import LOSS, LOSS_GRADIENT, Call, loss_call, method_of, owner_of
from minitorch_np.checking.adapting.code import returned_names
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.adapting.gradient_names import is_of_input, match_last
from minitorch_np.checking.adapting.in_order import in_likeliest_order, without_ones
from minitorch_np.checking.adapting.sources import parts_of
from minitorch_np.checking.arrays_inside import Path, get, is_floats, is_number, leaves, put, text
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.losses import LossLayer

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class ForeignLoss(Foreign, LossLayer):
    """loss(prediction, target) and its gradient; or a network's loss(x, y) and the gradients of its parameters.

    Args:
        target: the object, or the function.
        value, gradient: the names of its methods, or the functions; gradient is None if value returns both.
        y: the targets.
        arguments: further arguments that are passed as they are.
    """

    shared = ("value_method", "gradient_method", "wide", "lacking")

    def __init__(
        self,
        target: Any,
        value: Callable[..., Any] | str,
        gradient: Callable[..., Any] | str | None,
        y: NDArray,
        arguments: Mapping[str, Any],
    ) -> None:
        Foreign.__init__(self)
        LossLayer.__init__(self, target, y)
        self.root, self.given = target, dict(arguments)
        self.value_method, self.gradient_method = value, gradient
        self.value_call: Call = loss_call(self._function(value), self.given, self._name())
        self.gradient_call: Call | None = None
        if gradient is not None:
            self.gradient_call = loss_call(self._function(gradient), self.given, self._name(), upstream=True)
        self.places: dict[str, list[Path]] = {}
        self.parts: dict[str, Path] = {}
        self.dx: Path | None = None
        self.from_attribute = False
        self.reduction = "none"
        self.left_out: dict[str, tuple[int, ...]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = super().__deepcopy__(memo)
        copy.loss = copy.root
        return copy

    def meet(self, x: NDArray) -> NDArray:
        x = np.asarray(x, np.float64)
        root = self.root
        found = (
            {path: value for path, value in leaves(root).items() if is_floats(value) and path}
            if not callable(root) or hasattr(root, "__dict__")
            else {}
        )
        first = self._value(x)
        if np.ndim(first) and np.size(first) > 1:
            self.reduction = "sum"
            self.reduction = self._nearest_reduction(x)
        gradients, names = self._gradients(x, np.asarray(first))
        parts = {part.path: (part.name, part.value) for part in parts_of(gradients, names)}
        ids: dict[int, list[Path]] = {}
        for path in found:
            ids.setdefault(id(get(root, path)), []).append(path)
        unnamed: list[list[Path]] = []
        for paths in ids.values():
            if not np.array_equal(found[paths[0]], get(root, paths[0])):
                continue
            part = next(
                (p for p, (name, _) in parts.items() if name and any(match_last(name, path) for path in paths)), None
            )
            if part is not None:
                self._take(paths, part)
            elif self._moves(x, paths):
                unnamed.append(paths)
        self._take_in_order(x, unnamed, parts)
        self.dx = self._find_dx(x, gradients, parts)
        self.know_shapes(x, first)
        return x

    def _take(self, paths: list[Path], part: Path) -> None:
        name = text(paths[0])
        self.places[name], self.parts[name] = sorted(paths, key=len), part
        self.values[name] = Parameter.sharing(np.array(get(self.root, paths[0]), np.float64))

    def _take_in_order(self, x: NDArray, rest: list[list[Path]], parts: dict[Path, tuple[str, Any]]) -> None:
        """Parameters whose gradients have no names, in the order in which they were returned."""
        used = list(self.parts.values())
        free = {part: value for part, (_, value) in parts.items() if part not in used and is_number(value)}
        shapes = [np.shape(get(self.root, paths[0])) for paths in rest]

        def error(order: list[Path]) -> float:
            return sum(self._error_of(x, paths, free[part]) for paths, part in zip(rest, order, strict=True))

        order = in_likeliest_order({part: np.shape(value) for part, value in free.items()}, shapes, error)
        fits = [without_ones(np.shape(free[part])) for part in order] == [without_ones(shape) for shape in shapes]
        for number, paths in enumerate(rest):
            if fits:
                self._take(paths, order[number])
            else:
                self.left_out[text(paths[0])] = shapes[number]

    def _error_of(self, x: NDArray, paths: list[Path], gradient: NDArray) -> float:
        """How far a gradient is from the slope of the loss along one direction, relative to both."""
        value = np.array(get(self.root, paths[0]))
        direction = np.random.default_rng(2).normal(size=value.shape)
        losses = []
        for sign in (1, -1):
            for path in paths:
                put(self.root, path, value + sign * 1e-5 * direction)
            losses.append(float(np.sum(self._value(x))))
        for path in paths:
            put(self.root, path, value)
        true, told = (losses[0] - losses[1]) / 2e-5, float((np.reshape(gradient, value.shape) * direction).sum())
        return abs(true - told) / (abs(true) + abs(told) + 1e-300)

    def _find_dx(self, x: NDArray, gradients: Any, parts: dict[Path, tuple[str, Any]]) -> Path | None:
        used = list(self.parts.values())
        x_name = next((name for name, role in self.value_call.roles.items() if role == "x"), "x")
        free = {path: pair for path, pair in parts.items() if path not in used and is_number(pair[1])}
        named = next((path for path, (name, _) in free.items() if name and is_of_input(name, x_name)), None)
        shaped = next((path for path, (_, value) in free.items() if np.shape(value) == x.shape), None)
        only = next(iter(free), None) if not self.values else None
        return next((path for path in (named, shaped, only) if path is not None), None)

    def _moves(self, x: NDArray, paths: list[Path]) -> bool:
        """Whether the loss changes with the array."""
        value = np.array(get(self.root, paths[0]))
        before = np.array(self._value(x))
        for path in paths:
            put(self.root, path, value + 0.01 * np.random.default_rng(1).normal(size=value.shape))
        after = np.array(self._value(x))
        for path in paths:
            put(self.root, path, value)
        return not np.array_equal(before, after)

    def _nearest_reduction(self, x: NDArray) -> str:
        """A loss for each example: whether the gradient is that of their sum or of their mean."""
        direction = np.random.default_rng(0).normal(size=x.shape)
        gradients, _ = self._gradients(x, np.asarray(self._value(x)))
        parts = leaves(gradients)
        dx = next((value for value in parts.values() if np.shape(value) == x.shape), None)
        slope = (np.asarray(self._value(x + 1e-6 * direction)) - np.asarray(self._value(x - 1e-6 * direction))) / 2e-6
        told = 0.0 if dx is None else float((np.asarray(dx) * direction).sum())
        return "mean" if abs(told - slope.mean()) < abs(told - slope.sum()) else "sum"

    def forward(self, x: NDArray) -> NDArray:
        for name, paths in self.places.items():
            for path in paths:
                put(self.root, path, self.values[name].value.copy())
        value = np.asarray(self._value(x))
        self._x = x
        return (
            value.mean() if self.reduction == "mean" else value.sum() if self.reduction == "sum" else value.reshape(())
        )

    def backward(self, dy: NDArray) -> Any:
        gradients, _ = self._gradients(self._x, None)
        for name, part in self.parts.items():
            gradient = get(gradients, part)
            if is_number(gradient):
                gradient = self.narrow(gradient_of(name), self.in_shape(name, dy * np.asarray(gradient)))
            self.values[name].grad = gradient if is_number(gradient) else None
        dx = None if self.dx is None else get(gradients, self.dx)
        return self.narrow("dx", dy * np.asarray(dx)) if is_number(dx) else None

    def _value(self, x: NDArray) -> Any:
        values = self._roles(x)
        positional, named = self.value_call.arguments(values, "x")
        returned = self._function(self.value_method)(*positional, **named)
        self._returned = returned
        if self.gradient_method is None or isinstance(returned, tuple):
            if not isinstance(returned, (tuple, list)) or len(returned) < 2:
                raise ValueError(
                    f"gradcheck: {self._name()} returns {type(returned).__name__} for x and y, expected the loss and its gradients."
                )
            return next((item for item in returned if is_number(item) and np.ndim(item) == 0), returned[0])
        return returned

    def _gradients(self, x: NDArray, value: NDArray | None) -> tuple[Any, list[str]]:
        """What holds the gradients, and the names of its parts."""
        if self.gradient_method is None:
            if value is None:
                self._value(x)
            rest = [item for item in self._returned if isinstance(item, (dict, list, tuple)) or np.ndim(item)]
            names = returned_names(self._function(self.value_method))
            return (rest[0] if len(rest) == 1 else tuple(rest)), names[1:] if len(rest) > 1 else []
        call = self.gradient_call
        values = self._roles(x) | {"dy": np.float64(1)}
        own = getattr(self.root, "output", None)
        if isinstance(own, np.ndarray) and own.shape == x.shape:  # softmax and loss in one class take back the softmax
            values["x"] = own
        positional, named = call.arguments(values, "x") if call is not None else ([], {})
        function = self._function(self.gradient_method)
        returned = function(*positional, **named)
        if returned is None:
            return self._attributes(x), []
        return returned, returned_names(function)

    def _attributes(self, x: NDArray) -> dict[str, Any]:
        """The attributes of an object whose backward returns nothing."""
        return {
            text(path): value
            for path, value in leaves(self.root).items()
            if is_number(value)
            and path[-1] not in ("output", "x")
            and (is_of_input(path[-1], "x") or str(path[-1]).startswith(("d", "grad")))
        }

    def _roles(self, x: NDArray) -> dict[str, Any]:
        return {f"given {name}": value for name, value in self.given.items()} | {
            "x": x, "y": self.target, "training": True, "rate": 1.0,
        }  # fmt: skip

    def _function(self, function: Callable[..., Any] | str) -> Callable[..., Any]:
        return getattr(self.root, function) if isinstance(function, str) else function

    def checked(self, wrt: Any) -> Any:
        return list(self.values) if self.dx is None and self.values and wrt == "all" else wrt

    def looked_at(self) -> str:
        seen = ["x"] if self.dx is not None else []
        left = f"; left out: {', '.join(f'{n} {s}' for n, s in self.left_out.items())}" if self.left_out else ""
        reduced = (
            f"; the loss is the {self.reduction} of what it returns for each example"
            if self.reduction != "none"
            else ""
        )
        seen += [f"{name} ({text(part) or 'returned'})" for name, part in self.parts.items()]
        return f"looked at: {', '.join(seen)}{left}{reduced}"

    def remarks(self) -> list[str]:
        return [
            f"{name} {shape} was not checked: the loss depends on it, and no gradient of it was found."
            for name, shape in self.left_out.items()
        ]

    def _name(self) -> str:
        name = getattr(self.root, "__name__", type(self.root).__name__)
        whole = isinstance(self.value_method, str) and self.gradient_method is None
        return f"{name}.{self.value_method}" if whole else name

    def __repr__(self) -> str:
        return self._name()


def adapt_loss(target: Any, y: NDArray, arguments: Mapping[str, Any] | None = None) -> LossLayer:
    """What has a loss of x and y: a loss, a network with its loss, a function that returns loss and gradients, or a pair of functions.

    Raises:
        ValueError: no method looks like a loss or its gradient.
    """
    given = dict(arguments or {})
    value, gradient = target if isinstance(target, tuple) else (target, None)
    owner = owner_of(value)
    if owner is not None and (gradient is None or owner is owner_of(gradient)):
        return ForeignLoss(owner, value.__name__, gradient.__name__ if gradient is not None else None, y, given)
    if gradient is not None:
        return ForeignLoss(value, value, gradient, y, given)
    if (
        callable(target)
        and not isinstance(target, type)
        and method_of(target, LOSS_GRADIENT) is None
        and not hasattr(type(target), "loss")
    ):
        return ForeignLoss(target, target, None, y, given)
    value, gradient = method_of(target, LOSS), method_of(target, LOSS_GRADIENT)
    if value is None:
        raise ValueError(
            f"gradcheck: {type(target).__name__} has no method for a loss of x and y, such as forward(prediction, target) or loss(x, y). "
            "For functions write gradcheck((loss, gradient), prediction, y)."
        )
    return ForeignLoss(target, value, gradient, y, given)
