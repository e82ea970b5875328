"""plot_filters: the kernels of the first layer as images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.plotting.figures import grid_or_new, show_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer


def plot_filters(
    layer: Layer | ArrayLike,
    image_shape: tuple[int, ...] | None = None,
    axes: Sequence[Axes] | None = None,
    *,
    columns: int = 8,
    most: int = 64,
) -> NDArray:
    """The kernel of a first layer, one image for each output; returns the array of axes.

    Each filter is scaled by its largest weight. A filter of one channel is red where bright pixels increase the output, blue where
    they decrease it, and white where they have no effect. A filter of three channels has the colours that increase the output, on
    grey.

    Args:
        layer: a built layer with a `kernel`, or the kernel itself: (height, width, channels, outputs) of a convolution,
            (inputs, outputs) of a Dense layer.
        image_shape: for a Dense layer, the shape of the images that it takes, (height, width[, 1 or 3]).
        axes: at least as many axes as filters, or None for a new figure.
        columns: the filters in a row of a new figure. most: the most filters to show.
    """
    filters = _as_images(layer, image_shape)[:most]
    places = grid_or_new("plot_filters", "filters", len(filters), axes, columns, cell=1.1, title=0.0)
    for weights, ax in zip(filters, places, strict=False):
        scaled = weights / max(float(np.abs(weights).max()), 1e-30)
        show_image(ax, scaled if scaled.shape[2] == 1 else (scaled + 1) / 2, lowest=-1, cmap="RdBu_r")
    return places


def _as_images(layer: Layer | ArrayLike, image_shape: tuple[int, ...] | None) -> NDArray:
    """(outputs, height, width, channels)."""
    parameter = getattr(layer, "kernel", None if hasattr(layer, "forward") else layer)
    if parameter is None:
        raise ValueError(
            f"plot_filters: {type(layer).__name__} has no kernel. Give the first layer that has one, such as model[1]."
        )
    kernel = np.asarray(getattr(parameter, "value", parameter))
    if kernel.ndim == 2:
        if image_shape is None or len(image_shape) not in (2, 3) or math.prod(image_shape) != len(kernel):
            raise ValueError(
                f"plot_filters: a kernel {kernel.shape} takes {len(kernel)} numbers, got image_shape={image_shape}. Give the shape "
                "(height, width[, channels]) of its input images."
            )
        kernel = kernel.reshape(*image_shape, *[1] * (3 - len(image_shape)), -1)
    if kernel.ndim != 4 or kernel.shape[2] not in (1, 3):
        raise ValueError(
            f"plot_filters: expected a built layer, or a kernel (height, width, 1 or 3, outputs) or (inputs, outputs), got "
            f"{kernel.shape or type(layer).__name__}. Only a first layer's filters are images."
        )
    return np.moveaxis(kernel, 3, 0)
