"""Windows of a time series: the examples of a network that predicts what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.validation import check_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray


@answers_foreign_arguments
def windows(series: ArrayLike, length: int, horizon: int = 1, stride: int = 1) -> tuple[NDArray, NDArray]:
    """All windows of a series, and for each the value that is to be predicted.

    x[i] is series[i * stride : i * stride + length], and y[i] the value `horizon` steps after the last one of this window.

    >>> x, y = windows([10, 20, 30, 40, 50], 3)
    >>> x[..., 0], y
    (array([[10, 20, 30],
           [20, 30, 40]]), array([40, 50]))

    Args:
        series: (time,) or (time, features).
        length: steps in a window.
        horizon: how many steps ahead y is; 1 is the next step.
        stride: steps from one window to the next.

    Returns:
        x: (n, length, features), features being 1 for a series (time,), as recurrent layers take it; Flatten() before Dense.
        y: (n,) for a series (time,), else (n, features); y[:, 0] predicts one of the features.

    Raises:
        ValueError: the series has another number of axes, or is too short for one window and its y.
    """
    for name, value in (("length", length), ("horizon", horizon), ("stride", stride)):
        check_whole("windows", name, value, 1)
    values = as_numbers(series, "series", "windows")
    if values.ndim not in (1, 2):
        raise ValueError(f"windows: expected a series of shape (time,) or (time, features), got {values.shape}.")
    last = len(values) - length - horizon
    if last < 0:
        raise ValueError(
            f"windows: a series of {len(values)} steps is too short for a window of {length} and a value {horizon} after it."
        )
    starts = np.arange(0, last + 1, stride)
    steps = values if values.ndim == 2 else values[:, np.newaxis]
    return steps[starts[:, np.newaxis] + np.arange(length)], values[starts + length + horizon - 1]
