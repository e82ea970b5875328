"""The methods of a TracedArray that NumPy would run without asking: they are NumPy's functions of the same name, or moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_np.tracing.array import TracedArray, gather, node_of, plain, wrap
from minitorch_np.tracing.errors import TraceError

_FUNCTIONS = [
    "sum", "mean", "prod", "max", "min", "var", "std", "argmax", "argmin", "argsort", "dot", "clip", "cumsum", "cumprod", "repeat", "take",
    "diagonal", "swapaxes", "squeeze", "ravel", "copy", "round", "any", "all", "nonzero", "searchsorted", "trace", "compress",
]  # fmt: skip
_REFUSED = ["put", "partition", "resize", "setfield", "choose", "byteswap", "__complex__"]


def _function(name: str) -> Callable[..., Any]:
    function = getattr(np, name)
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _move(name: str) -> Callable[..., Any]:
    method = getattr(np.ndarray, name)
    return lambda self, *args, **kwargs: gather(lambda array: method(array, *args, **kwargs), [self])


def _refuse(name: str) -> Callable[..., Any]:
    def method(self: TracedArray, *args: Any) -> Any:
        raise TraceError(f"ndarray.{name} is not traced")

    return method


def _astype(
    self: TracedArray, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: Any = True, copy: Any = True
) -> Any:
    """The same numbers, in float64; whole numbers and comparisons have no derivative."""
    if np.dtype(dtype).kind in "fc":
        return wrap(node_of(self)) if copy else self
    return plain(self).astype(dtype)


def _view(self: TracedArray, dtype: Any = None, type: Any = None) -> Any:
    if dtype not in (None, np.ndarray, np.dtype(np.float64), np.float64, float):
        raise TraceError("ndarray.view in another dtype is not traced")
    return gather(lambda array: array.view(), [self])


def _sort(self: TracedArray, axis: int = -1, kind: Any = None) -> None:
    self[...] = np.sort(self, axis, kind)


def _fill(self: TracedArray, value: Any) -> None:
    self[...] = value


def _item(self: TracedArray, *args: Any) -> Any:
    if not args:
        return self.reshape(())
    return self.reshape(-1)[args[0]] if len(args) == 1 and np.ndim(args[0]) == 0 else self[args]


def _tolist(self: TracedArray) -> Any:
    return [self[n].tolist() for n in range(len(self))] if self.ndim else self


for _name in _FUNCTIONS:
    setattr(TracedArray, _name, _function(_name))
for _name in ("reshape", "transpose", "flatten"):
    setattr(TracedArray, _name, _move(_name))
for _name in _REFUSED:
    setattr(TracedArray, _name, _refuse(_name))
for _name, _method in (
    ("astype", _astype), ("view", _view), ("sort", _sort), ("fill", _fill), ("item", _item), ("tolist", _tolist),
    ("conj", lambda self: self), ("conjugate", lambda self: self), ("__copy__", lambda self: wrap(node_of(self))),
):  # fmt: skip
    setattr(TracedArray, _name, _method)
for _name, _getter in (
    ("T", lambda self: self.transpose()), ("mT", lambda self: self.swapaxes(-1, -2)), ("flat", lambda self: self.reshape(-1)),
    ("real", lambda self: self), ("imag", lambda self: np.zeros(self.shape)),
):  # fmt: skip
    setattr(TracedArray, _name, property(_getter))
