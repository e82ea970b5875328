"""Places: where arrays are inside an object of somebody else, as paths such as ("layers", 0, "W")."""

from __future__ import annotations

import contextlib
import copy
import random
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

Path = tuple[Any, ...]

_CLOSED = (
    type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
    random.Random, str, bytes, bool, int, complex, np.dtype,
)  # fmt: skip
_DEPTH = 8
_MOST = 5_000  # places that are looked at; a larger object is a graph of its calculations


def leaves(root: Any) -> dict[Path, Any]:
    """The arrays, floats and Nones inside an object, a list, a tuple or a dictionary, by their paths; an array alone has the path ()."""
    found: dict[Path, Any] = {}
    seen: set[int] = set()
    pending: list[tuple[Path, Any]] = [((), root)]
    while pending and len(seen) < _MOST:
        path, item = pending.pop(0)
        if is_number(item) or item is None:
            found[path] = item
        elif not _is_closed(item) and id(item) not in seen and len(path) < _DEPTH:
            seen.add(id(item))
            pending += [((*path, step), member) for step, member in _members(item)]
    return found


def is_number(value: Any) -> bool:
    """Whether it is an array of numbers, or a float."""
    return isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiuc")


def is_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim > 0 and value.size > 0


def text(path: Path) -> str:
    """The path as a dotted name, without a last `.data` or `.value`."""
    shown = path[:-1] if len(path) > 1 and str(path[-1]).strip("_") in ("data", "value", "array", "values") else path
    return ".".join(map(str, shown))


def find(root: Any, name: str) -> Path | None:
    """The path that a dotted name stands for, or None."""
    path: Path = ()
    item = root
    for word in name.split("."):
        steps = {str(step): step for step, _ in _members(item)}
        if word in steps:
            step: Any = steps[word]
        elif not isinstance(item, (dict, list, tuple)) and hasattr(item, word):
            step = word  # a property
        else:
            return None
        path, item = (*path, step), get(item, (step,))
    if not is_number(item) and item is not None:
        for last in ("data", "value"):
            if hasattr(item, last):
                return (*path, last)
    return path


def get(root: Any, path: Path) -> Any:
    """What is at a path, or None."""
    for step in path:
        if isinstance(root, dict):
            root = root.get(step)
        elif isinstance(root, (list, tuple)):
            root = root[step] if isinstance(step, int) and step < len(root) else None
        else:
            root = getattr(root, step, None) if isinstance(step, str) else None
    return root


def put(root: Any, path: Path, value: Any) -> None:
    """Set what is at a path. Members of tuples cannot be set."""
    holder = get(root, path[:-1])
    if isinstance(holder, (dict, list)):
        holder[path[-1]] = value
    elif holder is not None and not isinstance(holder, tuple):
        setattr(holder, path[-1], value)


def copied(target: Any) -> Any:
    """A deep copy. What refuses to be copied, such as a tensor with a history, is None in the copy: the next forward makes it anew."""
    with contextlib.suppress(Exception):
        return copy.deepcopy(target)
    twin = copy.copy(target)
    for name, value in list(getattr(target, "__dict__", {}).items()):
        try:
            setattr(twin, name, copy.deepcopy(value))
        except Exception:  # whatever a class of somebody else raises
            setattr(twin, name, None)
    return twin


def _is_closed(item: Any) -> bool:
    return isinstance(item, _CLOSED) or type(item).__module__.startswith("numpy.random")


def _members(item: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(item, dict):
        yield from item.items()
    elif isinstance(item, (list, tuple)):
        yield from enumerate(item)
    elif not _is_closed(item):
        yield from getattr(item, "__dict__", {}).items()
        for cls in type(item).__mro__:
            names = cls.__dict__.get("__slots__", ())
            for name in (names,) if isinstance(names, str) else names:
                if not name.startswith("__") and hasattr(item, name):
                    yield name, getattr(item, name)
