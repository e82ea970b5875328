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


def grid(count: int, columns: int) -> NDArray:
    """Axes of a new figure for so many pictures, row by row; those in the last row that are left over come too."""
    columns = max(1, min(count, columns))
    rows = max(1, math.ceil(count / columns))
    _, axes = pyplot().subplots(
        rows, columns, figsize=(1.9 * columns + 0.2, 2.1 * rows + 0.4), squeeze=False, layout="constrained"
    )
    return axes.ravel()
