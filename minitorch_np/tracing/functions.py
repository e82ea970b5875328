"""What a TracedArray notes when one of NumPy's functions is called on it.

Functions that only move elements are one operation, `gather`. Others are computed from traced steps. A function that is written in
Python in NumPy, and is not in the table, is run as it is: it calls what is in the table. The rest raises TraceError.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minitorch_np.tracing.array import FUNCTIONS, TracedArray, as_node, gather, holds_traced, plain, wrap
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.graph import constant
from minitorch_np.tracing.recorder import record
from minitorch_np.tracing.ufuncs import into, reduce

_MOVES = [
    np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.ravel, np.squeeze, np.expand_dims, np.flip, np.fliplr, np.flipud,
    np.roll, np.rot90, np.take, np.take_along_axis, np.compress, np.extract, np.delete, np.repeat, np.tile, np.broadcast_to, np.split,
    np.array_split, np.hsplit, np.vsplit, np.dsplit, np.diagonal, np.diag, np.diagflat, np.tril, np.triu, np.resize, np.matrix_transpose,
    np.atleast_1d, np.atleast_2d, np.atleast_3d, sliding_window_view, *([np.unstack] if hasattr(np, "unstack") else []),
]  # fmt: skip
_JOINS = [np.concatenate, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack]
_CONSTANT = [
    np.argmax, np.argmin, np.argsort, np.argwhere, np.shape, np.ndim, np.size, np.result_type, np.isclose, np.allclose, np.array_equal,
    np.can_cast, np.shares_memory, np.may_share_memory, np.unique, np.nonzero, np.flatnonzero, np.count_nonzero, np.any, np.all,
    np.searchsorted, np.digitize, np.iscomplexobj, np.isrealobj, np.isreal, np.iscomplex, np.min_scalar_type, np.round, np.around,
    np.array_repr, np.array_str, np.array2string,
]  # fmt: skip
_LIKE = [np.zeros_like, np.empty_like, np.ones_like, np.full_like]


def _move(function: Any, args: Any, kwargs: Any) -> Any:
    """One argument is moved, an array or a list of arrays: the first that is traced."""
    place = next((n for n, value in enumerate(args) if holds_traced(value)), None)
    if place is None:
        raise TraceError(f"np.{function.__name__} with an array by name is not traced")
    before, after = plain(args[:place]), plain(args[place + 1 :])
    return gather(lambda array: function(*before, array, *after, **plain(kwargs)), [args[place]])


def _join(function: Any, args: Any, kwargs: Any) -> Any:
    parts = [part if isinstance(part, TracedArray) else wrap(constant(part)) for part in args[0]]
    more = {name: value for name, value in kwargs.items() if name == "axis"}
    joined = gather(lambda *given: function(given, *args[1:2], **more), parts)
    return into(kwargs.get("out"), joined)


def _constant(function: Any, args: Any, kwargs: Any) -> Any:
    return function(*plain(args), **plain(kwargs))


def _like(function: Any, args: Any, kwargs: Any) -> Any:
    made = _constant(function, args, kwargs)
    return wrap(constant(made)) if made.dtype.kind == "f" else made


for _handler, _functions in ((_move, _MOVES), (_join, _JOINS), (_constant, _CONSTANT), (_like, _LIKE)):
    for _function in _functions:
        FUNCTIONS[_function] = functools.partial(_handler, _function)


def handles(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            FUNCTIONS[function] = lambda args, kwargs: handler(*args, **kwargs)
        return handler

    return register


def _reduction(op: str) -> Callable[..., Any]:
    def handler(
        a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, where: Any = True
    ) -> Any:
        if where is not True and op != "sum":
            raise TraceError(f"np.{op} with where is not traced")
        return into(out, reduce(op, a if where is True else np.where(where, a, 0), axis, keepdims))

    return handler


def _extreme(op: str) -> Callable[..., Any]:
    def handler(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = None) -> Any:
        found = reduce(op, a, axis, keepdims)
        if initial is not None:
            found = getattr(np, op + "imum")(found, initial)
        return into(out, found)

    return handler


for _op in ("sum", "mean", "prod"):
    handles(getattr(np, _op))(_reduction(_op))
for _op, _also in (("max", np.amax), ("min", np.amin)):
    handles(getattr(np, _op), _also)(_extreme(_op))


@handles(np.var)
def _var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False, mean: Any = None
) -> Any:
    """By its formula, so that the path through the mean exists."""
    deviation = a - (a.mean(axis, keepdims=True) if mean is None else mean)
    squares = deviation * deviation
    if not ddof:
        return into(out, reduce("mean", squares, axis, keepdims))
    total = reduce("sum", squares, axis, keepdims)
    return into(out, total / (a.size / max(total.size, 1) - ddof))


@handles(np.std)
def _std(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False, mean: Any = None
) -> Any:
    return into(out, np.sqrt(_var(a, axis, None, None, ddof, keepdims, mean)))


@handles(np.cov)
def _cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None, fweights: Any = None,
    aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    if fweights is not None or aweights is not None:
        raise TraceError("np.cov with weights is not traced")
    given = [m] if y is None else [m, y]
    rows = [np.atleast_2d(one) if rowvar or np.ndim(one) == 1 else np.transpose(one) for one in given]
    x = np.concatenate(rows, 0) if y is not None else rows[0]
    x = x - x.mean(axis=1, keepdims=True)
    return np.squeeze(x @ x.T / (x.shape[1] - (not bias if ddof is None else ddof)))


@handles(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    covariance = _cov(x, y, rowvar)
    deviation = np.sqrt(np.diag(covariance))
    return covariance / np.outer(deviation, deviation)


@handles(np.where)
def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    condition = np.asarray(plain(condition))
    if x is None:
        return np.where(condition)
    nodes = [as_node(x), as_node(y)]
    return wrap(record("where", nodes, np.where(condition, nodes[0].value, nodes[1].value), condition.astype(bool)))


@handles(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    chosen = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        chosen = _where(condition, choice, chosen)
    return chosen


@handles(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    a = a if low is None else np.maximum(a, low)
    return into(out, a if high is None else np.minimum(a, high))


@handles(np.pad)
def _pad(
    array: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = 0, reflect_type: Any = "even"
) -> Any:
    if mode == "constant":
        return gather(
            lambda v: np.pad(v, pad_width, constant_values=constant_values),
            [array],
            numbering=lambda v: np.pad(v, pad_width),
        )
    if mode not in ("edge", "reflect", "symmetric", "wrap") or reflect_type != "even":
        raise TraceError(f"np.pad with mode {mode!r} is not traced")
    return gather(lambda v: np.pad(v, pad_width, mode), [array])


@handles(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
    return tuple(np.broadcast_to(array, shape) for array in arrays)


@handles(np.block)
def _block(arrays: Any) -> Any:
    """Lists are joined along the last axis, lists of lists along the one before."""

    def depth(item: Any) -> int:
        return 1 + depth(item[0]) if isinstance(item, list) else 0

    def joined(item: Any) -> Any:
        return (
            np.concatenate([joined(part) for part in item], -depth(item))
            if isinstance(item, list)
            else np.atleast_1d(item)
        )

    return joined(arrays)


@handles(np.nan_to_num)
def _nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    return _where(np.isfinite(x), x, np.nan_to_num(plain(x), nan=nan, posinf=posinf, neginf=neginf))


@handles(np.real, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.real_if_close)
def _itself(a: Any) -> Any:
    return a


@handles(np.copy)
def _copy(a: Any, order: Any = "K", subok: Any = False) -> Any:
    return wrap(as_node(a))


@handles(np.copyto)
def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if not isinstance(dst, TracedArray):
        raise TraceError("np.copyto into an array that was made outside of forward")
    into(dst, np.where(where, src, dst) if where is not True else wrap(as_node(src)))


def _whole(function: Any) -> Callable[..., Any]:
    """A function of one array whose Jacobian is computed by complex step."""

    def handler(a: Any, *rest: Any) -> Any:
        node = as_node(a)
        return wrap(
            record(f"np.{function.__name__}", [node], function(node.value, *rest), lambda v: function(v, *rest))
        )

    return handler


for _function in (np.linalg.inv, np.linalg.det, np.linalg.matrix_power):
    handles(_function)(_whole(_function))


def _cumulative(function: Any) -> Callable[..., Any]:
    return lambda a, axis=None, dtype=None, out=None: into(out, _whole(function)(a, axis))


for _function in (np.cumsum, np.cumprod):
    handles(_function)(_cumulative(_function))


@handles(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    return np.linalg.inv(a) @ b


@handles(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    vectors = isinstance(axis, int) or (axis is None and x.ndim == 1)
    if ord is None or (ord == 2 and vectors) or (ord == "fro" and not vectors):
        squares = reduce("sum", x * x, axis, keepdims)
        zero = plain(squares) == 0
        if zero.any():  # there the norm has no derivative; 0 is in its subdifferential, and what PyTorch takes
            return np.where(zero, 0.0, np.sqrt(np.where(zero, 1.0, squares)))
        return np.sqrt(squares)
    if vectors and ord in (1, np.inf):
        return reduce("sum" if ord == 1 else "max", np.absolute(x), axis, keepdims)
    raise TraceError(f"np.linalg.norm with ord={ord} is not traced")
