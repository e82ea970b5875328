"""What a TracedArray notes when a ufunc is called on it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.tracing.array import UFUNC, TracedArray, as_node, gather, node_of, plain, wrap, write
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.operations import BINARY, UNARY
from minitorch_np.tracing.recorder import paused, record

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

# Their results are constant between steps.
_STEPS = {
    "greater", "less", "greater_equal", "less_equal", "equal", "not_equal", "sign", "signbit", "isnan", "isfinite", "isinf", "floor",
    "ceil", "rint", "trunc", "floor_divide", "heaviside", "logical_not", "logical_and", "logical_or", "logical_xor",
}  # fmt: skip
_SAME = {"positive", "conjugate", "real"}
_REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "fmax": "max", "fmin": "min"}


def _ufunc(ufunc: np.ufunc, method: str, inputs: Any, out: Any, where: Any, axis: Any, keepdims: bool) -> Any:
    name = ufunc.__name__
    if name == "logaddexp" and method == "reduce" and where is True:
        return into(out, _log_sum_exp(inputs[0], axis, keepdims))
    if name in _STEPS or (method == "reduce" and name not in _REDUCTIONS):
        return _step(ufunc, method, inputs, out, axis, keepdims)
    if method == "reduce" and where is True:
        return into(out, reduce(_REDUCTIONS[name], inputs[0], axis, keepdims))
    if method == "__call__":
        return into(out, _chosen(where, _call(ufunc, inputs), out))
    if method == "at" and name in ("add", "subtract"):
        return _add_at(inputs[0], plain(inputs[1]), inputs[2] if name == "add" else np.negative(inputs[2]))
    if method == "outer":
        first, second = inputs
        return ufunc(np.reshape(first, np.shape(first) + (1,) * np.ndim(second)), second)
    if method == "accumulate":
        node = as_node(inputs[0])
        return wrap(
            record(
                f"np.{name}.accumulate", [node], ufunc.accumulate(node.value, axis), lambda v: ufunc.accumulate(v, axis)
            )
        )
    raise TraceError(f"np.{name}.{method} is not traced")


UFUNC.append(_ufunc)


def _call(ufunc: np.ufunc, inputs: Any) -> TracedArray:
    name = ufunc.__name__
    if name in _SAME:
        return wrap(as_node(inputs[0]))
    if name not in UNARY and name not in BINARY and name != "matmul":
        analytic = ufunc.nin == 1 and "D->D" in ufunc.types  # its derivative is computed by complex step
        if not analytic:
            raise TraceError(f"np.{name} is not traced")
    nodes = [as_node(value) for value in inputs]
    with np.errstate(all="ignore"):  # the first forward has warned
        value = ufunc(*(node.value for node in nodes))
    return wrap(record(name, nodes, value, ufunc))


def _step(ufunc: np.ufunc, method: str, inputs: Any, out: Any, axis: Any, keepdims: bool) -> Any:
    more = {"axis": axis, "keepdims": keepdims} if method == "reduce" else {}
    result = getattr(ufunc, method)(*plain(inputs), **more)
    if isinstance(out, TracedArray):
        out[...] = result
    elif out is not None:
        np.copyto(out, result, casting="unsafe")
    return result if out is None else out


def _chosen(where: Any, result: Any, out: Any) -> Any:
    """The result where a ufunc's `where` says so, else what was in `out`."""
    if where is True:
        return result
    if out is None:
        raise TraceError("a ufunc with where, but without out")
    return np.where(where, result, out)


def into(out: Any, result: Any) -> Any:
    """Write a result into `out`, if it is given, as `np.exp(x, out=y)` and `y += x` do."""
    if out is None:
        return result
    if not isinstance(out, TracedArray):
        raise TraceError("a result is written into an array that was made outside of forward")
    node = node_of(result)
    if node.value.shape != out.shape:
        node = node_of(gather(lambda array: np.broadcast_to(array, out.shape), [result]))
    np.copyto(plain(out), node.value, casting="unsafe")
    write(out, node)
    return out


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    return tuple(one % ndim for one in (axis if isinstance(axis, (tuple, list)) else (axis,)))


def reduce(op: str, array: Any, axis: Any = None, keepdims: Any = False) -> TracedArray:
    """The sum, mean, product, largest or smallest along axes."""
    node = as_node(array)
    axes, keepdims = axes_of(axis, node.value.ndim), bool(keepdims == 1)
    value = getattr(node.value, op)(axis=axes, keepdims=keepdims)
    return wrap(record(op, [node], value, (axes, keepdims)))


def _log_sum_exp(array: Any, axis: Any, keepdims: Any) -> Any:
    largest = plain(array).max(axis=axis, keepdims=True)
    summed = np.log(reduce("sum", np.exp(array - largest), axis, keepdims))
    return summed + (largest if keepdims else np.reshape(largest, summed.shape))


def _add_at(array: Any, key: Any, values: Any) -> None:
    """array[key] += values, where an element that is named several times gets all of them."""
    if not isinstance(array, TracedArray):
        raise TraceError("np.add.at into an array that was made outside of forward")
    base, new = node_of(array), as_node(values)
    placed = functools.partial(_placed, np.arange(array.size).reshape(array.shape)[key], array.shape)
    with paused():
        value = placed(new.value)
    put = record("np.add.at", [new], value, placed)
    np.add.at(plain(array), key, new.value)
    write(array, record("add", [base, put], plain(array), np.add, step="whole"))


def _placed(places: NDArray, shape: tuple[int, ...], values: NDArray) -> NDArray:
    whole = np.zeros(int(np.prod(shape)), values.dtype)
    np.add.at(whole, places.ravel(), np.broadcast_to(values, places.shape).ravel())
    return whole.reshape(shape)
