"""Sources: where an array is found after a run of somebody else's code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minitorch_np.checking.adapting.code import called
from minitorch_np.checking.arrays_inside import Path, get, is_table, leaves, text, walk


@dataclass
class Source:
    """Where an array is found after a run.

    Attributes:
        kind: in an "attribute" of the object, in what backward "returned", in what a method returns when it is "called", in an
            "update" of the parameter, in a call of an "optimiser" inside the object, or nowhere ("missing").
        paths: its places there; several for one array in several attributes. A path of "called" begins with the method's name.
    """

    kind: str
    paths: list[Path] = field(default_factory=list)

    def read(self, root: Any, returned: Any) -> Any:
        """The array, in an object and in what its backward returned; None if it is not there."""
        if self.kind == "missing":
            return None
        path = self.paths[0]
        if self.kind == "called":
            found = get(called(root, path[0]), path[1:])
        else:
            found = get(returned if self.kind == "returned" else root, path)
        return np.array(found, float) if is_table(found) else found

    def shown(self) -> str:
        path = text(self.paths[0]) if self.paths else ""
        if self.kind == "returned":
            return f"returned[{path}]" if path else "returned"
        if self.kind == "called":
            return f"{self.paths[0][0]}()" + (f"[{text(self.paths[0][1:])}]" if len(self.paths[0]) > 1 else "")
        return {
            "attribute": path, "update": "its change", "missing": "none", "optimiser": f"given to {path}",
        }[self.kind]  # fmt: skip


@dataclass
class Part:
    """An array that backward, or a method that lists gradients, returned.

    Attributes:
        name: the key, or the variable that was returned; "" if there is none.
        value: the array, or None.
        partner: the array with which it is paired, as in [(W, dW), (b, db)]; or None.
    """

    source: Source
    name: str
    value: Any
    partner: Any = None

    @property
    def path(self) -> Path:
        return self.source.paths[0]


def parts_of(returned: Any, names: list[str], method: str | None = None) -> list[Part]:
    """The arrays in what was returned.

    Args:
        names: of the variables, if a tuple was returned.
        method: the method that returned it, if that is not backward.
    """
    partners = dict(_pairs(returned))
    is_named = isinstance(returned, (tuple, list)) and len(names) == len(returned)
    found = []
    for path, value in leaves(returned).items():
        name = str(path[-1]) if path and not isinstance(path[-1], int) else ""
        if is_named and len(path) == 1 and isinstance(path[0], int):
            name = names[path[0]]
        source = Source("returned", [path]) if method is None else Source("called", [(method, *path)])
        found.append(Part(source, name, value, partners.get(path)))
    return found


def _pairs(returned: Any) -> Iterator[tuple[Path, Any]]:
    """The second of each pair of two arrays of one shape, by its path, with the first."""
    for path, item in walk(returned):
        if isinstance(item, (tuple, list)) and len(item) == 2 and not hasattr(item, "_fields"):
            first, second = item
            if isinstance(first, np.ndarray) and isinstance(second, np.ndarray) and first.shape == second.shape:
                yield (*path, 1), first
