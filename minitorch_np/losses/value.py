"""The number that loss(prediction, target) returns: NumPy's, which also answers the methods of PyTorch's and Keras's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import table

# Arithmetic with them gives NumPy's own numbers. They have no other base: NumPy 2.4 crashes where a number has one before its own.


class _Float32(np.float32):
    __slots__ = ()


class _Float64(np.float64):
    __slots__ = ()


if not TYPE_CHECKING:  # with it, type checkers would accept every attribute

    def _missing(self, name):
        line = table().get(f"LossValue.{name}", "")
        raise AttributeError(f"a loss is a number and has no attribute {name!r}. {line}".rstrip(), name=name, obj=self)

    _Float32.__getattr__ = _Float64.__getattr__ = _missing


def as_value(loss: Any) -> Any:
    """A float32 or a float64 that answers; anything else as it is."""
    kind = type(loss)
    return _Float32(loss) if kind is np.float32 else _Float64(loss) if kind is np.float64 else loss
