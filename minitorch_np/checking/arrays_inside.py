"""The arrays inside an object: where they are, as paths such as ("layers", 0, "W"), to read and to replace them."""

from __future__ import annotations

import contextlib
import copy
import random
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

Path = tuple[Any, ...]

_CLOSED = (
    type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType,
    random.Random, str, bytes, bool, int, complex, np.dtype,
)  # fmt: skip
_NOT_THEIRS = ("builtins", "numpy", "enum", __name__.partition(".")[0])  # whose classes hold no parameters
_CONTAINERS = (dict, list, tuple)
_DEPTH = 8
_MOST = 5_000  # places that are looked at; a larger object is a graph of its calculations


def leaves(root: Any) -> dict[Path, Any]:
    """The arrays, floats and Nones inside an object, a list, a tuple or a dictionary, by their paths; an array alone has the path ().

    A list of floats, or of such lists of one length, counts as an array.
    """
    found: dict[Path, Any] = {}
    for path, item in walk(root):
        if is_number(item) or item is None:
            found[path] = item
        elif is_table(item):
            found[path] = np.array(item, float)
    return found


def places(root: Any) -> list[list[Path]]:
    """All places of each array inside an object, the shortest path first."""
    groups: dict[int, list[Path]] = {}
    for path, value in leaves(root).items():
        if isinstance(value, np.ndarray):
            groups.setdefault(id(get(root, path)), []).append(path)
    return [sorted(paths, key=len) for paths in groups.values()]


def is_number(value: Any) -> bool:
    """Whether it is an array of numbers, or a float."""
    return isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiuc")


def is_table(value: Any) -> bool:
    """Whether it is a list of floats, or of such lists of one length."""
    if not isinstance(value, list) or not value:
        return False
    if isinstance(value[0], list):
        return all(is_table(row) and len(row) == len(value[0]) for row in value)
    return all(isinstance(item, (float, np.floating)) for item in value)


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
        elif not isinstance(item, _CONTAINERS) and hasattr(item, word):
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
        elif isinstance(root, (list, tuple, np.ndarray)) and isinstance(step, int):
            root = root[step] if step < len(root) else None
        else:
            root = getattr(root, step, None) if isinstance(step, str) else None
    return root


def put(root: Any, path: Path, value: Any) -> None:
    """Set what is at a path. A tuple that holds it is replaced by one with the other member."""
    holder, step = get(root, path[:-1]), path[-1]
    if isinstance(holder, Parameter):
        holder.replace(value)
    elif isinstance(holder, (dict, list, np.ndarray)):
        holder[step] = value
    elif isinstance(holder, tuple):
        steps = [name for name, _ in _members(holder)]
        members = [value if name == step else old for name, old in zip(steps, holder, strict=True)]
        put(root, path[:-1], type(holder)(*members) if hasattr(holder, "_fields") else tuple(members))
    elif holder is not None:
        try:
            setattr(holder, step, value)
        except AttributeError:  # a frozen dataclass
            object.__setattr__(holder, step, value)


def copied(target: Any) -> Any:
    """A deep copy, in which objects have their own copies of the arrays and containers that their class holds.

    What refuses to be copied, such as a tensor with a history, is None in the copy: the next forward makes it anew.
    """
    try:
        twin = copy.deepcopy(target)
    except Exception:  # whatever a class of somebody else raises
        twin = copy.copy(target)
        for name, value in list(getattr(target, "__dict__", {}).items()):
            try:
                setattr(twin, name, copy.deepcopy(value))
            except Exception:  # as above
                setattr(twin, name, None)
    shared: dict[int, Any] = {}
    for _, item in list(walk(twin)):
        for name, value in () if is_closed(item) else of_class(item):
            with contextlib.suppress(Exception):  # as above
                setattr(item, name, copy.deepcopy(value, shared))
    return twin


class FloatArrays:
    """The float arrays inside an object or a dictionary, by name, to read and to replace.

    Attributes:
        names: such as "W1", "params.W1" or "layers.0.W".
    """

    def __init__(self, root: Any) -> None:
        self.root = root
        self.places = {text(paths[0]): paths for paths in places(root) if is_floats(get(root, paths[0]))}

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def current(self) -> dict[str, NDArray]:
        """The arrays themselves."""
        return {name: get(self.root, paths[0]) for name, paths in self.places.items()}

    def values(self) -> dict[str, NDArray]:
        """Copies of the arrays, in float64."""
        return {name: np.array(array, np.float64) for name, array in self.current().items()}

    def put(self, values: Mapping[str, Any]) -> None:
        """Put other arrays in their places."""
        for name, paths in self.places.items():
            for path in paths if name in values else ():
                put(self.root, path, np.asanyarray(values[name]))

    def keep(self, names: Iterable[str]) -> None:
        """Forget all arrays but these."""
        self.places = {name: self.places[name] for name in names}


def walk(root: Any) -> Iterator[tuple[Path, Any]]:
    """Everything inside an object, each object once, and what is nearest first."""
    seen: set[int] = set()
    pending: list[tuple[Path, Any]] = [((), root)]
    while pending and len(seen) < _MOST:
        path, item = pending.pop(0)
        yield path, item
        is_leaf = is_number(item) or item is None or is_closed(item) or is_table(item)
        if not is_leaf and id(item) not in seen and len(path) < _DEPTH:
            seen.add(id(item))
            pending += [((*path, step), member) for step, member in _members(item)]


def is_closed(item: Any) -> bool:
    return isinstance(item, _CLOSED) or type(item).__module__.startswith("numpy.random")


def _members(item: Any) -> Iterator[tuple[Any, Any]]:
    """What is directly inside an object, each with its step: a key, an index, or the name of an attribute."""
    if isinstance(item, dict):
        yield from item.items()
    elif isinstance(item, tuple) and hasattr(item, "_fields"):
        yield from zip(item._fields, item, strict=True)
    elif isinstance(item, (list, tuple)) or (isinstance(item, np.ndarray) and item.dtype == object and item.ndim == 1):
        yield from enumerate(item)
    elif isinstance(item, Parameter):
        yield "value", item.value
    elif not is_closed(item):
        yield from getattr(item, "__dict__", {}).items()
        yield from in_slots(item).items()
        yield from of_class(item)


def in_slots(item: Any) -> dict[str, Any]:
    """The attributes that an object keeps in `__slots__`."""
    found = {}
    for cls in type(item).__mro__:
        names = vars(cls).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if not name.startswith("__") and hasattr(item, name):
                found[name] = getattr(item, name)
    return found


def of_class(item: Any) -> Iterator[tuple[str, Any]]:
    """The arrays and containers that an object has from its class, if the class is of somebody else."""
    own = getattr(item, "__dict__", {})
    for cls in type(item).__mro__:
        if cls.__module__.partition(".")[0] in _NOT_THEIRS:
            continue
        for name, value in vars(cls).items():
            if isinstance(value, (*_CONTAINERS, np.ndarray)) and not name.startswith("__") and name not in own:
                yield name, value
