"""Order and interpolation on traced arrays: sorting, medians, quantiles, np.interp. The order and the places are those of the values."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from minitorch_np.tracing.array import FUNCTIONS, holds_traced, plain
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.functions import handles


@handles(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None) -> Any:
    if axis is None:
        a, axis = a.ravel(), 0
    return np.take_along_axis(a, np.argsort(plain(a), axis, kind), axis)


@handles(np.median)
def _median(a: Any, axis: Any = None, out: Any = None, overwrite_input: Any = False, keepdims: Any = False) -> Any:
    if axis is None:
        middle = _median(a.ravel(), 0)
        return middle.reshape((1,) * a.ndim) if keepdims else middle
    last = a.shape[axis] - 1
    return np.take(sort(a, axis), sorted({last // 2, last - last // 2}), axis).mean(axis, keepdims=keepdims)


@handles(np.quantile)
def _quantile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: Any = False, method: Any = "linear",
              keepdims: Any = False, *, weights: Any = None) -> Any:  # fmt: skip
    """lower + (upper - lower) t, of the two neighbours of place q (n - 1) in the sorted array."""
    if method != "linear" or weights is not None or out is not None or holds_traced(q) or isinstance(axis, tuple):
        raise TraceError("np.quantile is traced for one axis, without method, weights and out")
    if axis is None:
        found = _quantile(a.ravel(), q, 0)
        return found.reshape(np.shape(q) + (1,) * a.ndim) if keepdims else found
    ordered = np.moveaxis(sort(a, axis), axis, 0)
    places = np.asarray(q, float) * (len(ordered) - 1)
    lower = np.floor(places).astype(int)
    part = (places - lower).reshape(places.shape + (1,) * (ordered.ndim - 1))
    below, above = np.take(ordered, lower, 0), np.take(ordered, np.minimum(lower + 1, len(ordered) - 1), 0)
    found = below + (above - below) * part
    return np.expand_dims(found, axis % a.ndim + places.ndim) if keepdims else found


@handles(np.percentile)
def _percentile(a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: Any = False, method: Any = "linear",
                keepdims: Any = False, *, weights: Any = None) -> Any:  # fmt: skip
    return _quantile(a, np.asarray(q, float) / 100, axis, out, overwrite_input, method, keepdims, weights=weights)


@handles(np.interp)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """The straight line between the two neighbours of x; left and right of them a constant."""
    xp, at = np.asarray(plain(xp), float), np.asarray(plain(x))
    if period is not None or len(xp) < 2:
        raise TraceError("np.interp with a period, or with one point, is not traced")
    lower = np.clip(np.searchsorted(xp, at, "right") - 1, 0, len(xp) - 2)
    below, above = np.take(fp, lower), np.take(fp, lower + 1)
    y = below + (above - below) * ((x - xp[lower]) / (xp[lower + 1] - xp[lower]))
    y = np.where(at < xp[0], fp[0] if left is None else left, y)
    return np.where(at > xp[-1], fp[-1] if right is None else right, y)


def _refuse_transform(args: Any, kwargs: Any) -> NoReturn:
    raise TraceError(
        "np.fft gives complex numbers, which are not traced; multiply by the matrix of the transform instead: F = "
        "np.fft.rfft(np.eye(n)), then re, im = x @ F.real, x @ F.imag"
    )


for _name in ("fft", "ifft", "rfft", "irfft", "fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"):
    FUNCTIONS[getattr(np.fft, _name)] = _refuse_transform
