"""plot_search: the score of each trial of a search, setting by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.plotting.figures import BLUE, ORANGE, add_grid, grid_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from minitorch_np.base.shapes import NDArray

_COLUMNS = 6  # the most different numbers that are drawn as columns
_WIDE = 50  # the least ratio of the largest to the smallest value on a logarithmic axis


def plot_search(table: Sequence[Mapping[str, Any]], objective: str, axes: Sequence[Axes] | None = None) -> NDArray:
    """The score of each trial against each of its settings; returns the array of axes.

    The best trial is orange, those that were stopped early are hollow, and those that diverged are crosses at the bottom.

    Args:
        table: `result.table` of a search, best first.
        objective: the name of the score.
        axes: at least as many axes as settings, or None for a new figure.
    """
    names = list(table[0]["settings"])
    places = grid_or_new("plot_search", "settings", len(names), axes, columns=3, cell=3.4)
    bottom = min([row["score"] for row in table if row["score"] is not None], default=0.0)
    for name, ax in zip(names, places, strict=False):
        positions = _positions([row["settings"][name] for row in table], ax)
        for row, position in reversed(list(zip(table, positions, strict=True))):  # the best on top
            _plot_trial(row, position, bottom, ax, best=row is table[0])
        ax.set(xlabel=name, ylabel=objective)
        add_grid(ax)
    return places


def _plot_trial(row: Mapping[str, Any], position: float, bottom: float, ax: Axes, *, best: bool) -> None:
    if row["score"] is None:
        ax.plot(position, bottom, "x", color="#999999", markersize=6)
        return
    color = ORANGE if best else BLUE
    face = "white" if row["status"] == "stopped" else color
    ax.plot(position, row["score"], "o", color=color, markerfacecolor=face, markersize=8 if best else 5)


def _positions(values: Sequence[Any], ax: Axes) -> Sequence[float]:
    """The places of values on the axis: numbers as they are; a few repeated numbers, and anything else, each in a column."""
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    different = sorted(set(values)) if numbers else sorted({str(value) for value in values})
    if numbers and (len(different) > _COLUMNS or len(different) * 2 > len(values)):
        if _is_logarithmic(values):
            ax.set_xscale("log")
        return values
    names = [str(value) for value in different]
    ax.set_xticks(range(len(names)), names, rotation=15 if max(map(len, names)) * len(names) > 30 else 0)
    ax.set_xlim(-0.5, len(names) - 0.5)
    columns = [names.index(str(value)) for value in values]
    return [column + 0.3 * (place * 0.618 % 1 - 0.5) for place, column in enumerate(columns)]  # side by side


def _is_logarithmic(values: Sequence[float]) -> bool:
    """Whether the median is nearer to the geometric middle of the values than to the arithmetic one."""
    low, middle, high = min(values), float(np.median(values)), max(values)
    if low <= 0 or high < _WIDE * low:
        return False
    return bool(abs(np.log(middle / low) / np.log(high / low) - 0.5) < abs((middle - low) / (high - low) - 0.5))
