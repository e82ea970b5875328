"""plot_decision_boundary: the classes that a model predicts on data of two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from minitorch_np.losses.probabilities import probabilities
from minitorch_np.plotting.figures import BLUE, ORANGE, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray

_COLORS = (BLUE, ORANGE, "#3a9a5b", "#8a5fb5", "#c2a01e", "#c94f7c", "#4bb3b8", "#7a6a5a", "#8fae3c", "#666666")


class Predictor(Protocol):
    """A Model, or any object with `predict`."""

    def predict(self, x: NDArray, /) -> NDArray: ...


def plot_decision_boundary(
    model: Predictor,
    x: ArrayLike,
    y: ArrayLike,
    class_names: Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    resolution: int = 200,
    title: str | None = None,
) -> Axes:
    """The model's predictions everywhere around the points x, coloured by class, fainter where they are less sure.

    Args:
        model: a Model, or an object with `predict`. One output is the probability of class 1, several are those of each class; logits if the model's loss
            takes logits; margins if it takes margins, where 1 and -1 are sure.
        x, y: points (n, 2) and their class numbers (n,), drawn on top.
        class_names: by number, for the legend; None leaves it out.
        resolution: predictions along each side of the plot.
    """
    points, classes = np.asarray(x), np.ravel(y).astype(int)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(classes):
        raise ValueError(
            f"plot_decision_boundary: expected points (n, 2) and n class numbers, got {points.shape} and {classes.shape}."
        )
    ax = axes_or_new(ax, 5.5, 5.5)
    from matplotlib.colors import to_rgb

    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = 0.53 * max(float(np.ptp(points, axis=0).max()), 1e-6)
    (left, bottom), (right, top) = middle - half, middle + half
    across, up = np.linspace(left, right, resolution), np.linspace(bottom, top, resolution)
    field = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    shares = _probabilities(model, field).reshape(resolution, resolution, -1)
    many = max(shares.shape[2], classes.max(initial=0) + 1)
    colors = np.array([to_rgb(_COLORS[number % len(_COLORS)]) for number in range(many)])
    mixed = 1 - 0.5 * (1 - shares @ colors[: shares.shape[2]])  # half-way to white
    ax.imshow(mixed, origin="lower", extent=(left, right, bottom, top), interpolation="bilinear")
    for number in range(
        1, shares.shape[2]
    ):  # the border between the classes from this number on and the classes before it
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


def _probabilities(model: Predictor, x: NDArray) -> NDArray:
    """(n, classes), from the predictions of the model."""
    predicted = np.asarray(model.predict(x)).reshape(len(x), -1).astype(float)
    loss: Any = getattr(model, "loss", None)
    if getattr(loss, "from_logits", False) and not loss.probabilistic:
        predicted, loss = (1 + predicted) / 2, None
    shares = np.clip(probabilities(predicted, loss), 0, 1)
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)  # independent outputs may add up to more than 1
