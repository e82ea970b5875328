"""Gradients that a function returns without names: in the order of the parameters, or from the last layer to the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minitorch_np.base.shapes import Shape
    from minitorch_np.checking.arrays_inside import Path


def in_likeliest_order(
    parts: dict[Path, Shape], shapes: list[Shape], error: Callable[[list[Path]], float]
) -> list[Path]:
    """The parts of what was returned as they are, or, if those of the last layer come first, from the first layer on.

    Args:
        parts: their shapes, by their paths.
        shapes: of the parameters.
        error: how far the gradients are from the true ones in an order; asked only where both orders fit.
    """
    found, wanted = list(parts), [without_ones(shape) for shape in shapes]
    groups = {path[0] for path in found if len(path) > 1}
    if len(groups) < 2 or len(found) != len(shapes) or not all(isinstance(group, int) for group in groups):
        return found
    turned = sorted(found, key=lambda path: -path[0])
    orders = [order for order in (found, turned) if [without_ones(parts[path]) for path in order] == wanted]
    return min(orders, key=error) if len(orders) > 1 else (orders or [found])[0]


def without_ones(shape: Shape) -> Shape:
    """The shape without an axis of length 1 in front, which broadcasting adds."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
