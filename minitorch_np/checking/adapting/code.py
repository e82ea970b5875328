"""Code: somebody else's forward and backward, called with what their arguments want."""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minitorch_np.checking.adapting.calls import (
    GRADIENT_LISTS,
    PARAMETER_LISTS,
    RESETS,
    Call,
    backward_call,
    forward_call,
    is_cache,
    method_of,
    parameters_of,
)
from minitorch_np.checking.adapting.wrapping import on_variables, outer_variables
from minitorch_np.checking.arrays_inside import copied


class Code:
    """A pair of functions, or of methods of an object.

    Args:
        root: the object; for functions, their further arguments by name. What is inside may be a parameter. Without further
            arguments, the variables that the functions use from outside.
        forward, backward: the functions, or the names of the methods.
        arguments: further arguments that are passed as they are.
    """

    returns_dx_first = True  # in a tuple, even if it has another shape than x

    def __init__(
        self,
        root: Any,
        forward: Callable[..., Any] | str,
        backward: Callable[..., Any] | str,
        arguments: Mapping[str, Any],
    ) -> None:
        self.root, self.given_forward, self.given_backward, self.given = root, forward, backward, dict(arguments)
        self.is_pair = not isinstance(forward, str)
        self.resets = True  # whether to call a method such as zero_grad before each forward
        outside = outer_variables(forward, backward) if self.is_pair and not root else {}
        self.is_outside = bool(outside)
        self.root = outside or root
        known = self._known(root)
        self.forward_call: Call = forward_call(self._function(forward, root), known, self.name)
        self.backward_call: Call = backward_call(
            self._function(backward, root), known, self.forward_call, self.name, is_pair=self.is_pair
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Code:
        twin = copy.copy(self)
        twin.root = copied(self.root)
        return twin

    @property
    def name(self) -> str:
        if self.is_pair:
            return getattr(self.given_forward, "__name__", "forward")
        return type(self.root).__name__

    @property
    def takes_parameters(self) -> bool:
        """Whether the parameters are arguments of functions."""
        return self.is_pair and not self.is_outside

    @property
    def x_name(self) -> str:
        """What forward calls its x."""
        return next((name.strip("/") for name, role in self.forward_call.roles.items() if role == "x"), "x")

    @property
    def takes_rate(self) -> bool:
        return "rate" in self.backward_call.roles.values()

    def upstream(self, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        """A gradient from above, for a trial."""
        return rng.normal(size=shape)

    def forward(self, root: Any, x: Any, *, training: bool = True) -> Any:
        """What forward returns."""
        if not self.is_pair:
            if isinstance(getattr(root, "training", None), bool):
                with contextlib.suppress(AttributeError):
                    root.training = training
            reset = method_of(root, RESETS)
            if self.resets and reset and not parameters_of(getattr(root, reset)):
                with contextlib.suppress(Exception):  # an object that has not run yet may have nothing to reset
                    getattr(root, reset)()
        values = self._values(root) | {"x": x, "training": training}
        positional, named = self.forward_call.arguments(values, "x")
        return self._function(self.given_forward, root)(*positional, **named)

    def backward(self, root: Any, dy: Any, x: Any, returned: Any, y: Any, rate: float) -> Any:
        """What backward returns.

        Args:
            x, returned, y: of the forward before: what it was given, what it returned, and its outputs.
        """
        extras = list(returned[1:]) if isinstance(returned, (tuple, list)) else []
        values = self._values(root) | {"dy": dy, "x": x, "y": y, "rate": rate, "training": True}
        values["cache"] = cache = self._cache_of(extras)
        values |= {f"extra {number}": extra for number, extra in enumerate(extras)}
        if (
            self.is_pair and extras and len(self.backward_call.roles) == 2
        ):  # backward(dout, cache), whatever the name of the cache
            values |= {role: cache for role in self.backward_call.roles.values() if role != "dy"}
        elif self.is_pair and not extras and "extra 0" in self.backward_call.roles.values():
            raise ValueError(
                f"gradcheck: backward of {self.name} takes {', '.join(self.backward_call.roles)}, and forward returns no cache to hand it. "
                "Name its arguments as forward's, or return (out, cache) from forward."
            )
        positional, named = self.backward_call.arguments(values, "dy")
        if self.backward_call.plain and extras:
            positional.append(cache)
        return self._function(self.given_backward, root)(*positional, **named)

    def listed(self, root: Any) -> dict[str, Any]:
        """What the object's methods tell that list its parameters or gradients, by the name of the method."""
        found = {}
        for name in () if self.is_pair else (*PARAMETER_LISTS, *GRADIENT_LISTS):
            with contextlib.suppress(Exception):  # it takes arguments, or is no method for this
                found[name] = called(root, name)
        return found

    def _cache_of(self, extras: list[Any]) -> Any:
        """Which of the values that forward returns besides y is the cache: the one of that name, the only collection, or the last."""
        if len(extras) < 2:  # reading the source takes longer than many a backward
            return extras[0] if extras else None
        names = returned_names(self._function(self.given_forward, self.root))[1:]
        named = [extra for name, extra in zip(names, extras, strict=False) if is_cache(name)]
        collections = [extra for extra in extras if isinstance(extra, (tuple, list, dict))]
        chosen = named if len(named) == 1 else collections if len(collections) == 1 else extras[-1:]
        return chosen[0] if chosen else None

    def return_names(self) -> list[str]:
        """The variables that backward returns as a tuple, from its source; [] if they are not known."""
        return returned_names(self._function(self.given_backward, self.root))

    def _values(self, root: Any) -> dict[str, Any]:
        return {f"given {name}": value for name, value in self._known(root).items()}

    def _known(self, root: Any) -> dict[str, Any]:
        """The further arguments by name."""
        return dict(root) | self.given if self.takes_parameters else self.given

    def _function(self, function: Callable[..., Any] | str, root: Any) -> Callable[..., Any]:
        if isinstance(function, str):
            return getattr(root, function)
        return on_variables(function, root) if self.is_outside else function


def called(root: Any, method: str) -> Any:
    """What a method without arguments returns; what it yields, as a list."""
    told = getattr(root, method)()
    return list(told) if isinstance(told, Iterator) else told


def returned_names(function: Callable[..., Any]) -> list[str]:
    """The variables in the last `return a, b, c` of a function."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    if not tree.body or not isinstance(tree.body[0], ast.FunctionDef):
        return []
    names: list[str] = []
    pending: list[ast.AST] = list(tree.body[0].body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            names = [getattr(e, "id", getattr(e, "attr", "")) for e in node.value.elts]
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            pending += ast.iter_child_nodes(node)
    return names
