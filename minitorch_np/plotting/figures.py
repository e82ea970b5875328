"""The axes of a plot: those that are given, or those of a new figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from minitorch_np.base.shapes import NDArray

BLUE, ORANGE = "#2f6fb0", "#d9722e"


def pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError("Plots need matplotlib: pip install 'minitorch-np[plot]'") from None
    return plt


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or those of a new figure of this size in inches."""
    return pyplot().subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def grid_or_new(
    who: str, what: str, count: int, axes: Sequence[Axes] | None, columns: int, cell: float = 1.9, title: float = 0.2
) -> NDArray:
    """At least `count` axes: the given ones, or those of a new figure, row by row. Axes beyond `count` are hidden.

    Args:
        who, what: the function and what it draws on each axes, for the error.
        cell: the width of each axes in inches. title: what the height is larger by.

    Raises:
        ValueError: fewer axes are given.
    """
    if axes is None:
        columns = max(1, min(count, columns))
        rows = max(1, math.ceil(count / columns))
        size = (cell * columns + 0.2, (cell + title) * rows + 2 * title)
        axes = pyplot().subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")[1]
    places = np.atleast_1d(np.asarray(axes, object)).ravel()
    if len(places) < count:
        raise ValueError(f"{who}: {count} {what} and {len(places)} axes. Give at least {count} axes, or none.")
    for ax in places[count:]:
        ax.axis("off")
    return places


def add_grid(ax: Axes) -> None:
    """Faint lines behind the data, and a frame of two sides alone."""
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def show_image(ax: Axes, image: NDArray, lowest: float = 0.0, cmap: str = "gray") -> None:
    """Draw an image of shape (height, width[, channels]) without axes; cmap colours one channel from `lowest` to 1."""
    ax.axis("off")
    one_channel = image.ndim == 2 or image.shape[2] == 1
    shown = image.reshape(image.shape[:2]) if one_channel else image
    ax.imshow(shown, cmap=cmap if one_channel else None, vmin=lowest, vmax=1, interpolation="nearest")
