"""Matrices as colours: heat_map and plot_confusion_matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.metrics import confusion_matrix
from minitorch_np.plotting.figures import axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def heat_map(
    values: ArrayLike,
    ax: Axes | None = None,
    *,
    title: str = "",
    xlabel: str = "column",
    ylabel: str = "row",
    label: str = "value",
) -> Axes:
    """A matrix as colours, with a colour scale: dark where it is 0. With negative values, white where it is 0, red above, blue below.

    Args:
        label: the name of the values, beside the scale.
    """
    ax = axes_or_new(ax, 6, 4)
    rows = np.atleast_2d(values)
    drawn = ax.imshow(rows, cmap="inferno", aspect="auto", interpolation="nearest", vmin=0)
    if rows.min(initial=0) < 0:
        largest = np.abs(rows).max()
        drawn.set(cmap="RdBu_r", clim=(-largest, largest))
    ax.figure.colorbar(drawn, ax=ax, label=label)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    for axis, size in ((ax.xaxis, rows.shape[1]), (ax.yaxis, rows.shape[0])):
        axis.set_ticks(range(0, size, -(-size // 10)))
    return ax


def plot_confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, class_names: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """How often each class (row) was predicted as each class (column): counts, coloured by their share of the row.

    Args:
        y_true, y_pred: class numbers (n,).
        class_names: by number; None for the numbers themselves.
    """
    counts = confusion_matrix(y_true, y_pred, None if class_names is None else len(class_names))
    names = [str(number) for number in range(len(counts))] if class_names is None else list(class_names)
    size = 2.5 + 0.45 * len(names)
    ax = axes_or_new(ax, size + 0.4, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        color = "white" if shares[row, column] > 0.5 else "black"
        ax.text(column, row, f"{counts[row, column]}", ha="center", va="center", color=color, fontsize=9)
    ax.set_xticks(range(len(names)), names)
    if len(names) > 3 and max(map(len, names)) > 3:
        ax.tick_params(axis="x", rotation=45)
        for label in ax.get_xticklabels():  # each name ends below its column
            label.set(horizontalalignment="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="predicted", ylabel="true", title=f"{np.trace(counts)} of {counts.sum()} right")
    ax.tick_params(length=0)
    ax.spines[:].set_color("#bbbbbb")
    return ax
