"""Unused: methods of a person's own model that another framework calls, and fit does not."""

from __future__ import annotations

import inspect
import warnings

from minitorch_np.base.answers import line_for
from minitorch_np.base.callers import caller

_HOOKS = (
    "train_step", "test_step", "predict_step", "training_step", "validation_step", "compute_loss", "compute_metrics",
    "configure_optimizers",
)  # fmt: skip


def warn_of_unused(model: object, who: str) -> None:
    """Warn of each method that only another framework calls."""
    for name in _HOOKS:
        if inspect.isfunction(inspect.getattr_static(model, name, None)):
            line = line_for(type(model), f".{name}")
            warnings.warn(f"{who} does not call {type(model).__name__}.{name}. {line}", stacklevel=caller())
