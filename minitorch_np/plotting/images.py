"""Pictures, and what a model makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.plotting.figures import grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray


def plot_images(
    images: ArrayLike, titles: Sequence[str] | None = None, axes: Sequence[Axes] | None = None, *, columns: int = 5
) -> NDArray:
    """Pictures (n, height, width[, 1 or 3]) in a grid, each under its title; returns the array of axes.

    Numbers are taken as 0..255 (0..16 in pictures no brighter than that); fractions of which none is above 1 as 0..1.

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
    places = grid(len(pictures), columns) if axes is None else np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
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


def plot_most_wrong(
    images: ArrayLike,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    axes: Sequence[Axes] | None = None,
    *,
    most: int = 10,
) -> NDArray:
    """The pictures that the model is most wrong about: those whose true class it gives the least probability, hence the highest
    loss -log p; returns the array of axes.

    Args:
        y_true: class numbers (n,).
        probabilities: of class 1, (n,) or (n, 1), or of each class, (n, classes).
        most: how many to show at the most.
    """
    pictures, truth = np.asarray(images), np.ravel(y_true).astype(int)
    shares = np.asarray(probabilities, float).reshape(len(np.asarray(probabilities)), -1)
    if not len(pictures) == len(truth) == len(shares):
        raise ValueError(
            f"plot_most_wrong: {len(pictures)} pictures, {len(truth)} true classes and {len(shares)} probabilities."
        )
    if shares.min(initial=0) < 0 or shares.max(initial=0) > 1 + 1e-6:
        raise ValueError(
            f"plot_most_wrong: probabilities lie between 0 and 1, got {shares.min():.3g} to {shares.max():.3g}. "
            "Bring logits through the sigmoid, or the softmax, first."
        )
    if shares.shape[1] == 1:
        shares = np.concatenate([1 - shares, shares], axis=1)
    of_truth, predicted = shares[np.arange(len(truth)), truth], shares.argmax(axis=1)
    worst = np.argsort(of_truth, kind="stable")[:most]
    titles = [
        f"predicted {class_names[predicted[i]]} ({_percent(shares[i, predicted[i]])})\n"
        f"is {class_names[truth[i]]} ({_percent(of_truth[i])})"
        for i in worst
    ]
    places = plot_images(pictures[worst], titles, axes)
    if len(places):
        wrong = np.count_nonzero(predicted != truth)
        places[0].figure.suptitle(f"{wrong} of {len(truth)} wrong; the {len(worst)} with the highest loss", fontsize=12)
    return places


def _percent(share: float) -> str:
    """Whole per cents, but neither none nor all where it is not."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def _brightest(pictures: NDArray) -> float:
    if pictures.dtype.kind == "f" and pictures.max(initial=0) <= 1:
        return 1.0
    return 16.0 if pictures.max(initial=0) <= 16 else 255.0
