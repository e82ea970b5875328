"""Learning curves: plot_history over the epochs, plot_rate_test over the learning rate."""

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
        # Where some epochs are not validated, the others are joined.
        points = [(epoch, value) for epoch, value in enumerate(history.get(name, ()), 1) if value == value]
        if points:
            width, marker = 2 if len(points) < 500 else 1, "o" if len(points) == 1 else ""
            ax.plot(*zip(*points, strict=True), marker, color=color, linewidth=width, label=label)
    ax.set(xlabel="epoch", ylabel=measure, title=title or f"{measure} per epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    if f"val_{measure}" in history:
        ax.legend(frameon=False)
    add_grid(ax)
    return ax


def plot_rate_test(rates: Sequence[float], losses: Sequence[float], ax: Axes | None = None) -> Axes:
    """The loss over the learning rate of its step, on a logarithmic axis, as tuning.rate_test gives them."""
    ax = axes_or_new(ax, 7, 4.2)
    ax.plot(rates, losses, color=BLUE, linewidth=2)
    ax.set(xscale="log", xlabel="learning rate", ylabel="loss (smoothed)", title="learning rate range test")
    add_grid(ax)
    return ax
