"""The number that loss(prediction, target) returns: NumPy's, which also answers the methods of PyTorch's and Keras's tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import table

# They have no other base: NumPy 2.4 crashes where a number has one before its own.


class _Float32(np.float32):
    __slots__ = ()


class _Float64(np.float64):
    __slots__ = ()


if not TYPE_CHECKING:  # with it, type checkers would accept every attribute

    def _missing(self, name):
        line = table().get(f"LossValue.{name}", "")
        raise AttributeError(f"a loss is a number and has no attribute {name!r}. {line}".rstrip(), name=name, obj=self)

    def _answering(method):
        """NumPy's arithmetic, so that (a + b) / 2 answers as a and b do."""

        def computed(self, *others):
            return as_value(method(self, *others))

        return computed

    for _kind in (_Float32, _Float64):
        _kind.__getattr__ = _missing
        for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "neg"):
            setattr(_kind, f"__{_name}__", _answering(getattr(_kind.__base__, f"__{_name}__")))


def as_value(loss: Any) -> Any:
    """A float32 or a float64 that answers; anything else as it is."""
    kind = type(loss)
    return _Float32(loss) if kind is np.float32 else _Float64(loss) if kind is np.float64 else loss
