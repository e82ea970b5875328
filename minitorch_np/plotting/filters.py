"""Filters: what the first layer of a network looks for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.plotting.figures import grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


def plot_filters(
    layer: Any,
    image_shape: tuple[int, ...] | None = None,
    axes: Sequence[Axes] | None = None,
    *,
    columns: int = 8,
    most: int = 64,
) -> NDArray:
    """The kernel of a first layer, one picture for each output; returns the array of axes.

    Each filter is scaled by its own largest weight. One of a single channel is red where brightness speaks for the output, blue
    where it speaks against it, and white where it makes no difference; one of three channels is in the colours it looks for,
    on grey.

    Args:
        layer: a built layer with a `kernel`, or the kernel itself: (height, width, channels, outputs) of a convolution,
            (inputs, outputs) of a Dense layer.
        image_shape: of the pictures that a Dense layer sees, (height, width[, 1 or 3]).
        axes: at least as many axes as filters, or None for a new figure.
        columns: filters in a row of a new figure. most: how many to show at the most.
    """
    filters = _as_pictures(layer, image_shape)[:most]
    places = (
        grid(len(filters), columns, cell=1.1, title=0.0)
        if axes is None
        else np.atleast_1d(np.asarray(axes, object)).ravel()
    )
    if len(places) < len(filters):
        raise ValueError(f"plot_filters: {len(filters)} filters and {len(places)} axes.")
    for ax in places:
        ax.axis("off")
    for weights, ax in zip(filters, places, strict=False):
        scaled = weights / max(float(np.abs(weights).max()), 1e-30)
        if scaled.shape[2] == 1:
            ax.imshow(scaled[..., 0], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
        else:
            ax.imshow((scaled + 1) / 2, interpolation="nearest")
    return places


def _as_pictures(layer: Any, image_shape: tuple[int, ...] | None) -> NDArray:
    """(outputs, height, width, channels)."""
    parameter = getattr(layer, "kernel", None if hasattr(layer, "forward") else layer)
    if parameter is None:
        raise ValueError(
            f"plot_filters: {type(layer).__name__} has no kernel. Give its first layer that has one, model[1] say."
        )
    kernel = np.asarray(getattr(parameter, "value", parameter))
    if kernel.ndim == 2:
        if image_shape is None or len(image_shape) not in (2, 3) or math.prod(image_shape) != len(kernel):
            raise ValueError(
                f"plot_filters: a kernel {kernel.shape} takes {len(kernel) if kernel.ndim else 0} numbers, got "
                f"image_shape={image_shape}. Give the shape (height, width[, channels]) of the pictures that they are."
            )
        kernel = kernel.reshape(*image_shape, *[1] * (3 - len(image_shape)), -1)
    if kernel.ndim != 4 or kernel.shape[2] not in (1, 3):
        raise ValueError(
            f"plot_filters: expected a built layer, or a kernel (height, width, 1 or 3, outputs) or (inputs, outputs), got "
            f"{kernel.shape or type(layer).__name__}. Only a first layer's filters are pictures."
        )
    return np.moveaxis(kernel, 3, 0)
