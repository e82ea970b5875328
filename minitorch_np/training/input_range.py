"""InputRange: the ranges of the training examples, to notice an input that is unlike them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minitorch_np.base.several import Several
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.state import as_state

_MOST = 1000


class InputRange:
    """The ranges of values, mean and standard deviation over about 1000 training examples.

    With arrays these are spread evenly over all examples; with a source they are the first ones.

    Attributes:
        ranges: three pairs [least, largest]; an empty list before the first batch.
        count: the number of examples in them.
    """

    def __init__(self, ranges: list[list[float]] | None = None) -> None:
        self.ranges: list[list[float]] = ranges or []
        self.count: int = 0

    def get_state(self) -> dict[str, Any]:
        return {"ranges": as_state(self.ranges), "count": self.count}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned."""
        self.ranges = [[float(low), float(high)] for low, high in state["ranges"]]
        self.count = int(state["count"])

    def look(self, x: NDArray) -> None:
        """Extend the ranges by a batch. Large batches are subsampled evenly. Several inputs have no ranges."""
        if self.count >= _MOST or isinstance(x, Several):
            return
        some = x[:: max(1, len(x) // _MOST)]
        self.count += len(some)
        found = [[float(part.min()), float(part.max())] for part in _values_means_deviations(some)]
        if self.ranges:
            found = [[min(a, c), max(b, d)] for (a, b), (c, d) in zip(self.ranges, found, strict=True)]
        self.ranges = found

    def difference(self, x: NDArray) -> str | None:
        """How one example leaves the training ranges of values, mean and standard deviation, or None.

        Values and mean may leave their range by half its width. The standard deviation may be half the smallest, or one and a half
        times the largest.
        """
        if len(self.ranges) != 3:
            return None
        parts = [[float(part.min()), float(part.max())] for part in _values_means_deviations(x[None])]
        for name, (low, high), (least, most) in zip(("values are", "mean is"), parts, self.ranges, strict=False):
            if low < least - (most - least) / 2 or high > most + (most - least) / 2:
                return f"its {name} {_listed(low, high)}; in training: {_listed(least, most)}"
        (spread, _), (least, most) = parts[2], self.ranges[2]
        if not least / 2 <= spread <= 1.5 * most:
            return f"its standard deviation is {spread:.4g}; in training: {_listed(least, most)}"
        return None


def _values_means_deviations(x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """All values, the mean and the standard deviation of each example. In float64 if squares overflow in the dtype of x."""
    flat = x.reshape(len(x), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = flat.mean(axis=1), flat.std(axis=1)
    if not np.isfinite(spread).all():
        mean, spread = flat.mean(axis=1, dtype=np.float64), flat.std(axis=1, dtype=np.float64)
    return flat, mean, spread


def _listed(low: float, high: float) -> str:
    return f"{low:.4g}" if low == high else f"between {low:.4g} and {high:.4g}"
