"""OwnArrays: the float arrays of an object or a dictionary, by name, to read and to replace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray

_DEPTH = 5  # of objects in objects


@dataclass
class Place:
    """Where something is held: in an attribute, under a key or an index, or as the value of a Parameter."""

    holder: Any
    key: Any

    def read(self) -> Any:
        if isinstance(self.holder, (dict, list, tuple)):
            return self.holder[self.key]
        return getattr(self.holder, self.key)

    def write(self, array: NDArray) -> None:
        if isinstance(self.holder, Parameter):
            self.holder.replace(array)
        elif isinstance(self.holder, (dict, list)):
            self.holder[self.key] = array
        elif isinstance(self.holder, tuple):
            raise ValueError("An array in a tuple cannot be replaced. Hold the parameters in a list or a dictionary.")
        else:
            setattr(self.holder, self.key, array)


class OwnArrays:
    """The float arrays that are found below an object: in attributes, dictionaries, lists, and objects in these.

    Attributes:
        names: such as "W1", "params['W1']" or "layers[0].W"; the keys of a dictionary of arrays are its names.
    """

    def __init__(self, root: Any) -> None:
        plain = isinstance(root, Mapping) and all(isinstance(key, str) for key in root)
        found: set[int] = set()
        self.places = dict(_places(root, "", found, _DEPTH, plain=plain))

    @property
    def names(self) -> list[str]:
        return list(self.places)

    @property
    def size(self) -> int:
        return sum(array.size for array in self.current().values())

    def current(self) -> dict[str, NDArray]:
        """The arrays themselves."""
        return {name: place.read() for name, place in self.places.items()}

    def values(self) -> dict[str, NDArray]:
        """Copies of the arrays, in float64."""
        return {name: np.array(array, np.float64) for name, array in self.current().items()}

    def put(self, values: Mapping[str, Any]) -> None:
        """Put other arrays in their places."""
        for name, place in self.places.items():
            if name in values:
                place.write(np.asanyarray(values[name]))

    def keep(self, names: Iterable[str]) -> None:
        """Forget all arrays but these."""
        self.places = {name: self.places[name] for name in names}

    def to_float64(self) -> None:
        for name, array in self.current().items():
            if array.dtype != np.float64:
                self.places[name].write(array.astype(np.float64))


def _places(item: Any, name: str, found: set[int], depth: int, *, plain: bool) -> Iterator[tuple[str, Place]]:
    if depth == 0 or id(item) in found:
        return
    found.add(id(item))
    for label, place in _children(item, name, plain=plain):
        child = place.read()
        if not isinstance(child, np.ndarray):
            yield from _places(child, label, found, depth - 1, plain=False)
        elif child.dtype.kind == "f" and child.size and id(child) not in found:
            found.add(id(child))
            yield label, place


def _children(item: Any, name: str, *, plain: bool) -> Iterator[tuple[str, Place]]:
    """What an object holds, each with its name. The names of a plain dictionary are its keys."""
    if isinstance(item, Parameter):
        yield name, Place(item, "value")
    elif isinstance(item, dict):
        for key in item:
            yield key if plain else f"{name}[{key!r}]", Place(item, key)
    elif isinstance(item, (list, tuple)):
        for index in range(len(item)):
            yield f"{name}[{index}]", Place(item, index)
    elif hasattr(item, "__dict__") and not isinstance(item, type) and not hasattr(item, "__code__"):
        for key in list(vars(item)):
            yield f"{name}.{key}" if name else key, Place(item, key)
