"""Images: alone, the mislabelled ones, and the ones with the highest loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.plotting.figures import grid_or_new, show_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray


def plot_images(
    images: ArrayLike, titles: Sequence[str] | None = None, axes: Sequence[Axes] | None = None, *, columns: int = 5
) -> NDArray:
    """Images (n, height, width[, 1 or 3]) in a grid, each under its title; returns the array of axes.

    Fractions up to 1 are taken as 0..1, other numbers up to 16 as 0..16, and all others as 0..255.

    Args:
        axes: at least as many axes as images, or None for a new figure.
        columns: the images in a row of a new figure.
    """
    images = np.asarray(images)
    if images.ndim not in (3, 4) or images.ndim == 4 and images.shape[3] not in (1, 3):
        raise ValueError(
            f"plot_images: expected images (n, height, width[, 1 or 3]), got {images.shape}. For one image write image[None]."
        )
    _check_lengths("plot_images", {"images": images, "titles": images if titles is None else titles})
    places = grid_or_new("plot_images", "images", len(images), axes, columns)
    brightest = images.max(initial=0)
    top = 1.0 if images.dtype.kind == "f" and brightest <= 1 else 16.0 if brightest <= 16 else 255.0
    for index, (image, ax) in enumerate(zip(images, places, strict=False)):
        show_image(ax, np.clip(image / top, 0, 1))
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
    """The images whose predicted class is wrong, with prediction and truth; returns the array of axes.

    Args:
        y_true, y_pred: class numbers (n,).
        most: the most images to show.
    """
    images, truth, predicted = np.asarray(images), _class_numbers(y_true), _class_numbers(y_pred)
    _check_lengths("plot_mislabeled", {"images": images, "true classes": truth, "predicted classes": predicted})
    wrong = np.flatnonzero(truth != predicted)
    titles = [f"predicted {class_names[predicted[i]]}\nis {class_names[truth[i]]}" for i in wrong[:most]]
    shown = "" if len(wrong) <= most else f", the first {most} of them"
    title = f"{len(wrong)} of {len(truth)} images mislabelled{shown}"
    return _plot_chosen(images[wrong[:most]], titles, axes, title)


def plot_most_wrong(
    images: ArrayLike,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    axes: Sequence[Axes] | None = None,
    *,
    most: int = 10,
) -> NDArray:
    """The images with the highest loss -log p, where p is the predicted probability of the true class; returns the array of axes.

    Args:
        y_true: class numbers (n,).
        probabilities: of class 1, (n,) or (n, 1), or of each class, (n, classes).
        most: the most images to show.
    """
    images, truth = np.asarray(images), _class_numbers(y_true)
    shares = np.asarray(probabilities, float).reshape(len(np.asarray(probabilities)), -1)
    _check_lengths("plot_most_wrong", {"images": images, "true classes": truth, "probabilities": shares})
    if shares.min(initial=0) < 0 or shares.max(initial=0) > 1 + 1e-6:
        raise ValueError(
            f"plot_most_wrong: probabilities are between 0 and 1, got {shares.min():.3g} to {shares.max():.3g}. "
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
    wrong = np.count_nonzero(predicted != truth)
    title = f"{wrong} of {len(truth)} wrong; the {len(worst)} with the highest loss"
    return _plot_chosen(images[worst], titles, axes, title)


def _plot_chosen(images: NDArray, titles: Sequence[str], axes: Sequence[Axes] | None, title: str) -> NDArray:
    places = plot_images(images, titles, axes)
    if not len(places):
        return places
    figure = places[0].figure
    text = figure.suptitle(title, fontsize=12)
    if axes is None:  # the title needs a row of its own, and may be wider than one or two images
        needed = text.get_window_extent()
        width, height = figure.get_size_inches()
        figure.set_size_inches(max(width, needed.width / figure.dpi + 0.2), height + 2 * needed.height / figure.dpi)
    return places


def _check_lengths(who: str, given: dict[str, Sequence[Any] | NDArray]) -> None:
    if len({len(values) for values in given.values()}) > 1:
        counts = ", ".join(f"{len(values)} {what}" for what, values in given.items())
        raise ValueError(f"{who}: got {counts}. Give as many of each.")


def _class_numbers(classes: Any) -> NDArray:
    return np.ravel(classes).astype(int)


def _percent(share: float) -> str:
    """Whole per cents; 0% and 100% only if they are exact."""
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"
