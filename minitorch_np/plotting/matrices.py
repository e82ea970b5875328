"""Matrices as colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.plotting.figures import pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def heat_map(values: ArrayLike, ax: Axes | None = None, *, title: str = "") -> Axes:
    """A matrix as colours, dark where it is 0, with a scale beside it."""
    if ax is None:
        ax = pyplot().subplots(figsize=(6, 4), layout="constrained")[1]
    picture = ax.imshow(np.atleast_2d(values), cmap="inferno", aspect="auto", interpolation="nearest", vmin=0)
    ax.figure.colorbar(picture, ax=ax)
    ax.set_title(title)
    return ax
