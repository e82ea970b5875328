"""The decision boundary of a model on data of two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.losses.probabilities import probabilities as of_outputs
from minitorch_np.plotting.figures import pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

_COLORS = ("#2f6fb0", "#d9722e", "#3a9a5b", "#8a5fb5", "#c2a01e", "#c94f7c", "#4bb3b8", "#7a6a5a", "#8fae3c", "#666666")


def plot_decision_boundary(
    model: Any,
    x: ArrayLike,
    y: ArrayLike,
    class_names: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    resolution: int = 200,
    title: str | None = None,
) -> Axes:
    """What the model answers everywhere around the points x, coloured by class, the fainter the less sure it is.

    Args:
        model: has `predict`. One output is the probability of class 1, several are those of each class; of a model whose loss
            takes logits, logits; of one that takes margins, margins, of which 1 and -1 are sure.
        x, y: points (n, 2) and their class numbers (n,), drawn on top.
        class_names: by number, for the legend; None leaves it out.
        resolution: points along each side of the picture at which the model is asked.
    """
    points, classes = np.asarray(x), np.ravel(y).astype(int)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(classes):
        raise ValueError(
            f"plot_decision_boundary: expected points (n, 2) and n class numbers, got {points.shape} and {classes.shape}."
        )
    if ax is None:
        ax = pyplot().subplots(figsize=(5.5, 5.5), layout="constrained")[1]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = 0.53 * max(float(np.ptp(points, axis=0).max()), 1e-6)
    (left, bottom), (right, top) = middle - half, middle + half
    across, up = np.linspace(left, right, resolution), np.linspace(bottom, top, resolution)
    field = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    shares = probabilities(model, field).reshape(resolution, resolution, -1)
    many = max(shares.shape[2], classes.max(initial=0) + 1)
    colors = np.array([_rgb(number) for number in range(many)])
    mixed = 1 - 0.5 * (1 - shares @ colors[: shares.shape[2]])  # half way to white
    ax.imshow(mixed, origin="lower", extent=(left, right, bottom, top), interpolation="bilinear")
    for number in range(1, shares.shape[2]):  # the border between the classes from this number on and those before it
        ahead = shares[..., number:].max(axis=2) - shares[..., :number].max(axis=2)
        if ahead.min() < 0 < ahead.max():
            ax.contour(across, up, ahead, levels=[0], colors="#333333", linewidths=0.8)
    for number in np.unique(classes):
        chosen = points[classes == number]
        label = None if class_names is None else class_names[number]
        ax.scatter(
            chosen[:, 0], chosen[:, 1], s=14, color=colors[number], edgecolor="white", linewidth=0.5, label=label
        )
    if class_names is not None:
        ax.legend(frameon=True, framealpha=0.9, loc="upper right")
    ax.set(xticks=[], yticks=[], title=title or "")
    return ax


def probabilities(model: Any, x: NDArray) -> NDArray:
    """(n, classes), from what the model predicts."""
    predicted = np.asarray(model.predict(x)).reshape(len(x), -1).astype(float)
    loss: Any = getattr(model, "loss", None)
    if getattr(loss, "from_logits", False) and not loss.probabilistic:
        predicted, loss = (1 + predicted) / 2, None
    shares = np.clip(of_outputs(predicted, loss), 0, 1)
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)  # of outputs that are questions of their own


def _rgb(number: int) -> list[float]:
    code = _COLORS[number % len(_COLORS)]
    return [int(code[place : place + 2], 16) / 255 for place in (1, 3, 5)]
