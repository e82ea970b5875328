"""Code: a check sum of what functions and classes do, to find out whether their code has changed."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

_PACKAGE = __name__.partition(".")[0]
_PLAIN = (bool, int, float, complex, str, bytes, np.generic)
_NOT_CODE = {
    "__doc__",
    "__module__",
    "__qualname__",
    "__name__",
    "__firstlineno__",
    "__static_attributes__",
    "__dict__",
    "__weakref__",
}


def sum_of_code(*things: Any, arrays: bool = False) -> str:
    """SHA-256 over what the things do: bytecode and constants of functions and of those they call, their defaults, the numbers and
    text that they read from outside, and the methods of user-defined classes.

    Names, comments, line numbers, and values that may change while a program runs (lists, dictionaries, files) do not count.

    Args:
        arrays: whether arrays that a function reads from outside count too.

    Source: the Python data model, "code objects" and "user-defined functions".
    """
    from hashlib import sha256

    found = sha256()
    seen: set[int] = set()
    for thing in things:
        for part in _parts(thing, arrays, seen):
            found.update(part.encode("utf-8", "backslashreplace") + b"\0")
    return found.hexdigest()


def _parts(thing: Any, arrays: bool, seen: set[int]) -> Iterator[str]:
    if thing is None or thing is ... or isinstance(thing, _PLAIN):
        yield f"{type(thing).__name__} {thing!r}"
        return
    if isinstance(thing, (tuple, frozenset)):
        yield f"{type(thing).__name__} of {len(thing)}"
        for item in sorted(thing, key=repr) if isinstance(thing, frozenset) else thing:
            yield from _parts(item, arrays, seen)
        return
    if isinstance(thing, np.ndarray):
        if arrays and thing.dtype.kind in "biufc":
            from hashlib import sha256

            yield f"{thing.dtype.str} {thing.shape} {sha256(np.ascontiguousarray(thing).data).hexdigest()}"
        return
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, CodeType):
        yield from _of_code(thing, arrays, seen)
    elif hasattr(thing, "is_guarded"):  # a layer's own method, with the checks of this package around it
        yield from _parts(thing.__wrapped__, arrays, seen)
    elif isinstance(thing, FunctionType):
        yield from _of_function(thing, arrays, seen)
    elif isinstance(thing, MethodType):
        yield from _parts(thing.__func__, arrays, seen)
    elif isinstance(thing, functools.partial):
        yield from _parts((thing.func, thing.args, tuple(sorted(thing.keywords.items()))), arrays, seen)
    elif isinstance(thing, (staticmethod, classmethod)) or hasattr(thing, "__wrapped__"):
        yield from _parts(thing.__wrapped__, arrays, seen)
    elif isinstance(thing, property):
        yield from _parts((thing.fget, thing.fset), arrays, seen)
    elif isinstance(thing, type):
        yield from _of_class(thing, arrays, seen)
    elif isinstance(thing, (BuiltinFunctionType, ModuleType)):
        yield thing.__name__
    else:
        yield from _parts(type(thing), arrays, seen)
        for value in _settings(thing):
            yield from _parts(value, arrays, seen)


def _of_code(code: CodeType, arrays: bool, seen: set[int]) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_freevars} {code.co_varnames[: code.co_argcount]}"
    for constant in code.co_consts:
        yield from _parts(constant, arrays, seen)


def _of_function(function: FunctionType, arrays: bool, seen: set[int]) -> Iterator[str]:
    if _is_of(function, _PACKAGE):
        yield f"{function.__module__}.{function.__qualname__}"
        return
    code = function.__code__
    yield from _parts(code, arrays, seen)
    yield from _parts(function.__defaults__, arrays, seen)
    yield from _parts(tuple(sorted((function.__kwdefaults__ or {}).items())), arrays, seen)
    if code.co_filename.startswith(_installed()):
        return
    _, stored = _outer_names(code)
    for name, value in sorted(outer_values(function).items()):
        if name not in stored:
            yield name
            yield from _parts(value, arrays, seen)


def outer_values(function: FunctionType) -> dict[str, Any]:
    """The values that a function reads from outside, by name: from the functions around it, and from its module."""
    code, found = function.__code__, {}
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=False))
    for name in _outer_names(code)[0] - {"__class__"}:
        try:
            found[name] = cells[name].cell_contents if name in cells else function.__globals__[name]
        except (KeyError, ValueError):  # a built-in name, or one that is not bound yet
            continue
    return found


def _outer_names(code: CodeType) -> tuple[set[str], set[str]]:
    """The names from outside that a function, and those written inside it, read and set."""
    read, stored = set(code.co_freevars), set()
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL":
            read.add(step.argval)
        elif step.opname == "STORE_GLOBAL" or (step.opname == "STORE_DEREF" and step.argval in code.co_freevars):
            stored.add(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more, set_inside = _outer_names(inner)
            read |= more - {*code.co_cellvars}
            stored |= set_inside - {*code.co_cellvars}
    return read, stored


def _of_class(cls: type, arrays: bool, seen: set[int]) -> Iterator[str]:
    for base in cls.__mro__:
        if _is_of(base, _PACKAGE) or is_installed(base):
            yield f"{base.__module__}.{base.__qualname__}"
            continue
        yield base.__name__
        for name, value in sorted(vars(base).items()):
            if name in _NOT_CODE or name.startswith("_abc") or isinstance(value, (list, dict, set)):
                continue
            yield name
            if callable(value) or isinstance(value, (*_PLAIN, tuple, frozenset, property, staticmethod, classmethod)):
                yield from _parts(value, arrays, seen)


def _settings(thing: Any) -> list[Any]:
    """Numbers and text that an object was given when it was made; its other attributes may change while a program runs.

    Objects of this package and of classes derived from it are left out: their config describes them.
    """
    held = {
        name: value for name, value in getattr(thing, "__dict__", {}).items() if isinstance(value, (*_PLAIN, tuple))
    }
    if any(_is_of(base, _PACKAGE) for base in type(thing).__mro__) or is_installed(type(thing)):
        return []
    arguments = inspect.signature(type(thing)).parameters
    return [held[name] for name in arguments if name in held] or list(held.values())


@functools.cache
def _installed() -> tuple[str, ...]:
    """The folders of the standard library and of installed packages."""
    import sysconfig

    return tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def is_installed(cls: type) -> bool:
    """Whether a class comes from the standard library or from an installed package."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    return cls.__module__.partition(".")[0] in sys.stdlib_module_names or file.startswith(_installed())


def _is_of(thing: Any, package: str) -> bool:
    return (getattr(thing, "__module__", None) or "").partition(".")[0] == package
