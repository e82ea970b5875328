"""Figures: where plots are drawn when no axes are given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("Plots need matplotlib: pip install 'minitorch-np[plot]'") from None
    return plt


def grid(count: int, columns: int, cell: float = 1.9, title: float = 0.2) -> NDArray:
    """Axes of a new figure for so many pictures of `cell` inches, `title` more in height, row by row, with those that are left over in the last row."""
    columns = max(1, min(count, columns))
    rows = max(1, math.ceil(count / columns))
    _, axes = pyplot().subplots(
        rows,
        columns,
        figsize=(cell * columns + 0.2, (cell + title) * rows + 2 * title),
        squeeze=False,
        layout="constrained",
    )
    return axes.ravel()
