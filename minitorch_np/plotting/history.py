"""plot_history: the learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minitorch_np.plotting.figures import BLUE, ORANGE, add_grid, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_history(
    history: Mapping[str, Sequence[float]], measure: str = "loss", ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """The curve of one measure over the epochs, with that of the validation data if there is one.

    Raises:
        ValueError: the history has no such measure; the message lists those it has.
    """
    if measure not in history:
        raise ValueError(f"plot_history: the history has {', '.join(history)}, got {measure!r}.")
    ax = axes_or_new(ax, 7, 4.2)
    from matplotlib.ticker import MaxNLocator

    for name, color, label in ((measure, BLUE, "training"), (f"val_{measure}", ORANGE, "validation")):
        values = history.get(name, ())
        if len(values):
            width, marker = 2 if len(values) < 500 else 1, "o" if len(values) == 1 else ""
            ax.plot(range(1, len(values) + 1), values, marker, color=color, linewidth=width, label=label)
    ax.set(xlabel="epoch", ylabel=measure, title=title or f"{measure} per epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    if f"val_{measure}" in history:
        ax.legend(frameon=False)
    add_grid(ax)
    return ax
