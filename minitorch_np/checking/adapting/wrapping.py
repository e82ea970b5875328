"""Functions of somebody else, wrapped.

Some keep their arrays outside, in variables of the function around them or of their module: they are made to use copies of these. Others
return their value together with its gradient, or with a function that is their backward.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.arrays_inside import is_closed, is_floats, leaves

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

Variables = dict[str, Any]


def outer_variables(*functions: Any) -> Variables:
    """The variables that functions use from outside and that hold data, by name; {} if there is no array among them.

    The functions that they call are looked into as well, if they are of the same module.
    """
    found: Variables = {}
    pending = [one for one in functions if isinstance(one, types.FunctionType)]
    for function in pending:
        for name, value in _used(function):
            if isinstance(value, types.FunctionType):
                pending += [value] if value.__globals__ is function.__globals__ and value not in pending else []
            elif not is_closed(value):
                found[name] = value
    return found if any(is_floats(value) for value in leaves(found).values()) else {}


def on_variables(function: Any, variables: Variables) -> Any:
    """The function, made to read and to write these variables in place of those outside."""
    if not isinstance(function, types.FunctionType):
        return function

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        made = _Rebuilt(function, variables)
        try:
            return made.function(*arguments, **named)
        finally:
            made.write_back(variables)

    return called


def with_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """The forward of a function that returns its value and its gradient, or its value and its own backward."""

    @functools.wraps(function)
    def forward(*arguments: Any, **named: Any) -> tuple[Any, Any]:
        returned = function(*arguments, **named)
        if not isinstance(returned, (tuple, list)) or len(returned) < 2:
            raise ValueError(
                f"gradcheck: {getattr(function, '__name__', 'function')} returns {type(returned).__name__}. A function alone returns its "
                "value and its gradient; otherwise give the backward too: gradcheck((forward, backward), x)."
            )
        value, *rest = returned
        return np.asarray(value) if isinstance(value, (int, float)) else value, rest[0] if len(rest) == 1 else rest

    return forward


def returns_a_function(function: Any) -> bool:
    """Whether a function makes another one inside, which may be its backward."""
    constants = getattr(getattr(function, "__code__", None), "co_consts", ())
    made = [one.co_name for one in constants if isinstance(one, types.CodeType)]
    return any(name == "<lambda>" or not name.startswith("<") for name in made)


def pull(dout: NDArray, cache: Any) -> Any:
    """The backward of such a function."""
    if callable(cache):
        return cache(dout)
    if isinstance(cache, dict):
        return (
            {name: pull(dout, value) for name, value in cache.items()}
            if len(cache) > 1
            else pull(dout, *cache.values())
        )
    if isinstance(cache, (list, tuple)):
        return tuple(pull(dout, value) for value in cache)
    return dout * np.asarray(cache)


class _Rebuilt:
    """A function, and those that it calls, with other variables outside."""

    def __init__(self, function: types.FunctionType, variables: Variables) -> None:
        self.module = function.__globals__
        self.globals = {**self.module, **variables}
        self.cells = {name: types.CellType(value) for name, value in variables.items()}
        self.made: dict[types.FunctionType, types.FunctionType] = {}
        self.late: list[Callable[[], None]] = []  # functions may refer to each other
        self.function = self._anew(function)
        for fill in self.late:
            fill()

    def _anew(self, value: Any) -> Any:
        """A function of the same module anew; anything else as it is."""
        if not isinstance(value, types.FunctionType) or value.__globals__ is not self.module:
            return value
        if value not in self.made:
            code = value.__code__
            free = tuple(map(self._cell, code.co_freevars, value.__closure__ or ()))
            twin = self.made[value] = types.FunctionType(code, self.globals, value.__name__, value.__defaults__, free)
            twin.__kwdefaults__ = value.__kwdefaults__
            for name, used in _used(value):
                if isinstance(used, types.FunctionType) and name in self.module:
                    self.late.append(functools.partial(self._fill_global, name, used))
        return self.made[value]

    def _cell(self, name: str, cell: Any) -> Any:
        """The cell of a variable; of a function, a new one that is filled later."""
        content = _content(cell)
        if name not in self.cells and isinstance(content, types.FunctionType):
            self.cells[name] = types.CellType(None)
            self.late.append(functools.partial(self._fill_cell, name, content))
        return self.cells.get(name, cell)

    def _fill_global(self, name: str, function: types.FunctionType) -> None:
        self.globals[name] = self._anew(function)

    def _fill_cell(self, name: str, function: types.FunctionType) -> None:
        self.cells[name].cell_contents = self._anew(function)

    def write_back(self, variables: Variables) -> None:
        """What the functions assigned."""
        enclosed = {name for one in self.made for name in one.__code__.co_freevars}
        for name in variables:
            variables[name] = _content(self.cells[name]) if name in enclosed else self.globals[name]


def _used(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The outer variables of a function with their values; None for one that it makes itself."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, _content(cell)
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        for step in dis.get_instructions(code):
            known = step.argval in function.__globals__ if step.opname.endswith("_GLOBAL") else False
            if known or step.opname == "STORE_GLOBAL":
                yield step.argval, function.__globals__.get(step.argval)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None
