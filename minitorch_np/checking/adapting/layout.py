"""Layout: how somebody else's code arranges examples: as rows, as columns, or one alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape

LAYOUTS = ("rows", "columns", "one")


class Layout:
    """Turns arrays between rows of examples, which the check uses, and the layout of the code under test.

    Args:
        examples: "rows"; "columns", where the last axis counts the examples; "one", where x is one example without such an axis.
    """

    def __init__(self, examples: str = "rows") -> None:
        if examples not in LAYOUTS:
            raise ValueError(f"adapt: examples is one of {', '.join(map(repr, LAYOUTS))}, got {examples!r}.")
        self.examples = examples

    def theirs(self, rows: Any) -> Any:
        """From rows to the layout of the code under test."""
        if self.examples == "rows" or np.ndim(rows) == 0:
            return rows
        if self.examples == "columns":
            return np.moveaxis(rows, 0, -1)
        if len(rows) != 1:
            raise ValueError("This code takes one example at a time.")
        return rows[0]

    def ours(self, array: Any) -> Any:
        """From the layout of the code under test to rows."""
        if self.examples == "rows" or (np.ndim(array) == 0 and self.examples == "columns"):
            return array
        return np.moveaxis(array, -1, 0) if self.examples == "columns" else np.asarray(array)[None]

    def note(self) -> str:
        """What the report says of it."""
        return {
            "rows": "",
            "columns": "examples are columns of x (its last axis); below, x is turned, so that the first index counts the examples",
            "one": "x is one example; below, its first index is 0",
        }[self.examples]


def columns_not_rows(shape_of_y: Callable[[NDArray], Shape | None], x: NDArray) -> bool:
    """Whether a forward takes another number of columns of x, which y follows, and refuses another number of rows.

    Args:
        shape_of_y: the shape of y for an x, or None where forward refuses it.
    """
    if x.ndim != 2 or x.dtype.kind not in "fc":
        return False
    wide, tall = np.concatenate([x, x], axis=1)[:, : x.shape[1] + 1], np.concatenate([x, x], axis=0)[: x.shape[0] + 1]
    if shape_of_y(tall) is not None:
        return False
    shape = shape_of_y(wide)
    return shape is not None and len(shape) == 2 and shape[1] == wide.shape[1]
