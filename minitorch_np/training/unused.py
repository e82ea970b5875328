"""Unused: what a person has written or set, and fit does not use: methods that another framework calls, a frozen Input."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING

from minitorch_np.base.answers import line_for
from minitorch_np.base.callers import caller

if TYPE_CHECKING:
    from minitorch_np.layer import Layer

_HOOKS = (
    "train_step", "test_step", "predict_step", "training_step", "validation_step", "compute_loss", "compute_metrics",
    "configure_optimizers",
)  # fmt: skip


def warn_of_unused(model: Layer, who: str) -> None:
    """Warn of each method that only another framework calls, and of a first layer without parameters that alone is frozen."""
    for name in _HOOKS:
        if inspect.isfunction(inspect.getattr_static(model, name, None)):
            line = line_for(type(model), f".{name}")
            warnings.warn(f"{who} does not call {type(model).__name__}.{name}. {line}", stacklevel=caller())
    layers = list(model.sublayers().values())
    if len(layers) > 1 and not layers[0]._trainable and layers[1]._trainable and not layers[0].count_params():
        warnings.warn(
            f"{who}: model.layers[0] is {layers[0]!r}, which has no parameters, so trainable=False changes nothing. The next layer is "
            f"model.layers[1], {layers[1]!r}.",
            stacklevel=caller(),
        )
