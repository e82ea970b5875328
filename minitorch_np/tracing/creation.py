"""What the traced thread gets instead of functions that NumPy does not hand over to a TracedArray.

Arrays that forward makes and then fills, `y = np.zeros(...)`, have to be traced; lists of traced numbers become a traced array; Python's
`math` computes on traced numbers. The functions are replaced wherever a module holds them, for the time of a trace. In all other threads,
and in NumPy's own code, the replacement passes the call on to the original.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib import stride_tricks

from minitorch_np.tracing.array import TracedArray, as_view, holds_traced, node_of, plain, stacked, wrap
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.graph import constant
from minitorch_np.tracing.products import sliding_product
from minitorch_np.tracing.recorder import is_replacing, paused

_lock = threading.Lock()
_held: dict[
    tuple[int, str], list[Any]
] = {}  # what is replaced now, by namespace and name: for how many traces, and the original

_CREATORS = [np.zeros, np.empty, np.ones, np.full, np.zeros_like, np.empty_like, np.ones_like, np.full_like]
_CONVERTERS = [np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray]
_OF_LISTS = [np.sum, np.mean, np.prod, np.max, np.min, np.dot]
_MATH: dict[Any, Callable[..., Any]] = {
    math.exp: np.exp, math.expm1: np.expm1, math.log: np.log, math.log1p: np.log1p, math.log2: np.log2, math.log10: np.log10,
    math.sqrt: np.sqrt, math.pow: np.power, math.fabs: np.absolute, math.tanh: np.tanh, math.sinh: np.sinh, math.cosh: np.cosh,
    math.sin: np.sin, math.cos: np.cos, math.tan: np.tan, math.atan: np.arctan, math.asin: np.arcsin, math.acos: np.arccos,
    math.atan2: np.arctan2, math.hypot: np.hypot, math.fsum: lambda numbers: sum(numbers),
}  # fmt: skip
_SCIPY = ["convolve", "correlate", "fftconvolve", "convolve2d", "correlate2d"]


def _creator(original: Any, *args: Any, **kwargs: Any) -> Any:
    with paused():
        made = original(*plain(args), **plain(kwargs))
    return wrap(constant(made)) if made.dtype.kind == "f" else made


def _converter(original: Any, values: Any, dtype: Any = None, **kwargs: Any) -> Any:
    if not holds_traced(values):
        return original(values, dtype, **kwargs)
    array = stacked(values)
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        return array.astype(dtype)
    return array.copy() if original is np.array and array is values else array


def _from_iterator(original: Any, values: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    values = list(values)
    return np.stack(values) if holds_traced(values) else original(values, dtype, *args, **kwargs)


def _of_list(original: Any, values: Any, *args: Any, **kwargs: Any) -> Any:
    return original(stacked(values) if holds_traced(values) else values, *args, **kwargs)


def _of_numbers(original: Any, *args: Any) -> Any:
    return _MATH[original](*args) if holds_traced(args) else original(*args)


def _as_strided(original: Any, x: Any, shape: Any = None, strides: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Numbers in memory of the same layout say which elements of the whole array were chosen."""
    if not isinstance(x, TracedArray):
        return original(x, shape, strides, *args, **kwargs)
    root = x
    while root.parent is not None:
        root = root.parent
    node, values = node_of(root), plain(root)
    with paused():
        numbers = np.empty_like(values, np.int64)
        numbers[...] = np.arange(1, values.size + 1).reshape(values.shape)
        if numbers.strides != values.strides or values.itemsize != numbers.itemsize:
            raise TraceError("as_strided of this array is not traced")
        first = plain(x).__array_interface__["data"][0] - values.__array_interface__["data"][0]
        shape, strides = (
            (x.shape if shape is None else tuple(shape)),
            (x.strides if strides is None else tuple(strides)),
        )
        places = np.ndarray(shape, np.int64, numbers.ravel("K"), first, strides)
        chosen = np.ndarray(shape, values.dtype, values.ravel("K"), first, strides)
    return as_view([node], chosen, np.array(places), root)


def _sliding(original: Any, a: Any, b: Any, mode: str = "full", *args: Any, **kwargs: Any) -> Any:
    if not holds_traced((a, b)):
        return original(a, b, mode, *args, **kwargs)
    if args or kwargs:
        raise TraceError(f"{original.__name__} with more than a mode is not traced")
    return sliding_product(original, a, b, mode)


def _replacements() -> dict[Any, Callable[..., Any]]:
    """The replacement of each function."""
    table = (
        dict.fromkeys(_CREATORS, _creator) | dict.fromkeys(_CONVERTERS, _converter) | dict.fromkeys(_OF_LISTS, _of_list)
    )
    table |= {np.fromiter: _from_iterator} | dict.fromkeys(_MATH, _of_numbers) | {stride_tricks.as_strided: _as_strided}
    signal = sys.modules.get("scipy.signal")
    table |= {getattr(signal, name): _sliding for name in _SCIPY} if signal is not None else {}
    return {original: _for_traced_thread(original, function) for original, function in table.items()}


def _for_traced_thread(original: Any, function: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def replacement(*args: Any, **kwargs: Any) -> Any:
        return function(original, *args, **kwargs) if is_replacing() else original(*args, **kwargs)

    return replacement


class _FloatClass(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, float)


class _Float(float, metaclass=_FloatClass):
    """`float` for a module of the user's: a traced number stays one. Everything else is as with `float`."""

    dtype = np.dtype(np.float64)

    def __new__(cls, value: Any = 0.0) -> Any:
        traced = is_replacing() and isinstance(value, TracedArray) and value.size == 1
        return value.reshape(()) if traced else float(value)


_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_SOURCES = (
    "numpy",
    "math",
    "numpy.lib.stride_tricks",
    "scipy.signal",
)  # the modules that the replaced functions belong to


def _namespaces() -> Iterator[tuple[dict[str, Any], bool]]:
    """The names of every module but those inside NumPy and SciPy, and whether it is code of the user's or of this package."""
    for name, module in list(sys.modules.items()):
        inside = name.startswith(("numpy.", "scipy.")) and name not in _SOURCES
        names = getattr(module, "__dict__", None)
        if not inside and not name.startswith(__package__) and type(names) is dict:
            file = getattr(module, "__file__", None) or ""
            own = name.partition(".")[0] == __package__.partition(".")[0]
            yield names, own or name == "__main__" or bool(file and not file.startswith(_LIBRARIES))


def _namespaces_of(function: Any) -> Iterator[tuple[dict[str, Any], bool]]:
    """Those that a function of the user's may use: the modules that the replaced functions belong to, and all of the user's own."""
    sources = {id(vars(sys.modules[name])) for name in _SOURCES if name in sys.modules}
    own = getattr(inspect.unwrap(function), "__globals__", {})
    for names, of_user in _namespaces():
        of_package = names.get("__name__", "").partition(".")[0] == __package__.partition(".")[0]
        if names is not own and (id(names) in sources or (of_user and not of_package)):
            yield names, of_user
    yield own, True


class Replacements:
    """The places in which functions are replaced for the time of a trace.

    Args:
        function: the function of the user's that is traced; only what it may use is replaced then, which takes a fraction of the time.
            None for every module.
    """

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        self.places: list[tuple[dict[str, Any], str, Any, Any]] = []
        table = {id(original): replacement for original, replacement in _replacements().items()}
        with _lock:
            for names, of_user in _namespaces() if function is None else _namespaces_of(function):
                if of_user and ("float" not in names or (id(names), "float") in _held):
                    self.places.append((names, "float", None, _Float))
                for name, value in list(names.items()):
                    held = _held.get((id(names), name))
                    original = value if held is None else held[1]
                    replacement = table.get(id(original))
                    if replacement is not None:
                        self.places.append((names, name, original, replacement))

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Inside the `with` block the functions are replaced. Other threads may be inside, too; the last one puts them back."""
        with _lock:
            for names, name, original, replacement in self.places:
                held = _held.get((id(names), name))
                if held is None:
                    _held[id(names), name] = [1, original]
                    names[name] = replacement
                else:
                    held[0] += 1
        try:
            yield
        finally:
            with _lock:
                for names, name, original, _ in self.places:
                    held = _held[id(names), name]
                    held[0] -= 1
                    if held[0]:
                        continue
                    del _held[id(names), name]
                    if original is None:
                        del names[name]
                    else:
                        names[name] = original
