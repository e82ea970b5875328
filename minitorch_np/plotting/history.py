"""The learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minitorch_np.plotting.figures import pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = {"": "#2f6fb0", "val_": "#d9722e"}
_LABELS = {"": "training", "val_": "validation"}


def plot_history(
    history: Mapping[str, Sequence[float]], measure: str = "loss", ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """The curve of one measure over the epochs, with that of the validation data where there is one.

    Raises:
        ValueError: the history has no such measure; it names those it has.
    """
    if measure not in history:
        raise ValueError(f"plot_history: the history has {', '.join(history)}, got {measure!r}.")
    if ax is None:
        ax = pyplot().subplots(figsize=(7, 4.2), layout="constrained")[1]
    for prefix, color in _COLORS.items():
        if values := history.get(prefix + measure):
            width = 2 if len(values) < 500 else 1
            ax.plot(range(1, len(values) + 1), values, color=color, linewidth=width, label=_LABELS[prefix])
    ax.set(xlabel="epoch", ylabel=measure, title=title or f"{measure} per epoch")
    if f"val_{measure}" in history:
        ax.legend(frameon=False)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
