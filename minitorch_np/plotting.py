"""Plots: matplotlib axes in, matplotlib axes out; no display is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

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
        ax = _pyplot().subplots(figsize=(7, 4.2), layout="constrained")[1]
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


def heat_map(values: ArrayLike, ax: Axes | None = None, *, title: str = "") -> Axes:
    """A matrix as colours, dark where it is 0, with a scale beside it."""
    if ax is None:
        ax = _pyplot().subplots(figsize=(6, 4), layout="constrained")[1]
    picture = ax.imshow(np.atleast_2d(values), cmap="inferno", aspect="auto", interpolation="nearest", vmin=0)
    ax.figure.colorbar(picture, ax=ax)
    ax.set_title(title)
    return ax


def plot_images(
    images: ArrayLike, titles: Sequence[str] | None = None, axes: Sequence[Axes] | None = None, *, columns: int = 5
) -> NDArray:
    """Pictures (n, height, width[, 1 or 3]) in a grid, each under its title; returns the array of axes.

    Whole numbers are taken as 0..255 (0..16 in pictures no brighter than that), fractions as 0..1.

    Args:
        axes: at least as many axes as pictures, or None for a new figure.
        columns: pictures in a row of a new figure.
    """
    pictures = np.asarray(images)
    if pictures.ndim not in (3, 4) or pictures.ndim == 4 and pictures.shape[3] not in (1, 3):
        raise ValueError(
            f"plot_images: expected pictures (n, height, width[, 1 or 3]), got {pictures.shape}. Write image[None] for one."
        )
    if titles is not None and len(titles) != len(pictures):
        raise ValueError(f"plot_images: {len(pictures)} pictures and {len(titles)} titles.")
    places = _grid(len(pictures), columns) if axes is None else np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
    if len(places) < len(pictures):
        raise ValueError(f"plot_images: {len(pictures)} pictures and {len(places)} axes.")
    top = _brightest(pictures)
    for ax in places:
        ax.axis("off")
    for index, (picture, ax) in enumerate(zip(pictures, places, strict=False)):
        grey = picture.ndim == 2 or picture.shape[2] == 1
        scaled = np.clip((picture.squeeze(-1) if grey and picture.ndim == 3 else picture) / top, 0, 1)
        ax.imshow(scaled, cmap="gray" if grey else None, vmin=0, vmax=1, interpolation="nearest")
        if titles is not None:
            ax.set_title(titles[index], fontsize=9)
    return places


def plot_mislabeled(
    images: ArrayLike,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    class_names: Sequence[str],
    axes: Sequence[Axes] | None = None,
    *,
    most: int = 20,
) -> NDArray:
    """The pictures whose predicted class is wrong, with prediction and truth; returns the array of axes.

    Args:
        y_true, y_pred: class numbers (n,).
        most: how many to show at the most.
    """
    pictures, truth, predicted = np.asarray(images), np.ravel(y_true).astype(int), np.ravel(y_pred).astype(int)
    if not len(pictures) == len(truth) == len(predicted):
        raise ValueError(
            f"plot_mislabeled: {len(pictures)} pictures, {len(truth)} true and {len(predicted)} predicted classes."
        )
    wrong = np.flatnonzero(truth != predicted)
    titles = [f"predicted {class_names[predicted[i]]}\nis {class_names[truth[i]]}" for i in wrong[:most]]
    places = plot_images(pictures[wrong[:most]], titles, axes)
    if len(places):
        shown = "" if len(wrong) <= most else f", the first {most} of them"
        places[0].figure.suptitle(f"{len(wrong)} of {len(truth)} pictures mislabelled{shown}", fontsize=12)
    return places


def _grid(count: int, columns: int) -> NDArray:
    columns = max(1, min(count, columns))
    rows = max(1, math.ceil(count / columns))
    _, axes = _pyplot().subplots(
        rows, columns, figsize=(1.9 * columns + 0.2, 2.1 * rows + 0.4), squeeze=False, layout="constrained"
    )
    return axes.ravel()


def _brightest(pictures: NDArray) -> float:
    if pictures.dtype.kind == "f":
        return 1.0
    return 16.0 if pictures.max(initial=0) <= 16 else 255.0


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as pyplot
    except ImportError:
        raise ImportError("Plots need matplotlib: pip install 'minitorch-np[plot]'") from None
    return pyplot
