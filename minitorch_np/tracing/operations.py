"""Operations: the derivative of each, and what goes back through it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.tracing.errors import TraceError

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.tracing.graph import Node

_LARGEST_JACOBIAN = 4_000_000  # elements
_STEP = 1e-60

# The derivative from the input u and the output v. That of other functions is computed by complex step.
UNARY: dict[str, Callable[[Any, Any], Any]] = {
    "negative": lambda u, v: -np.ones_like(u),
    "exp": lambda u, v: v,
    "expm1": lambda u, v: v + 1,
    "log": lambda u, v: 1 / u,
    "log1p": lambda u, v: 1 / (1 + u),
    "sqrt": lambda u, v: 0.5 / v,
    "cbrt": lambda u, v: v / (3 * u),
    "square": lambda u, v: 2 * u,
    "reciprocal": lambda u, v: -v * v,
    "absolute": lambda u, v: np.sign(u),
    "fabs": lambda u, v: np.sign(u),
    "tanh": lambda u, v: 1 - v * v,
    "sin": lambda u, v: np.cos(u),
    "cos": lambda u, v: -np.sin(u),
    "expit": lambda u, v: v * (1 - v),
    "log_expit": lambda u, v: -np.expm1(v),
    "deg2rad": lambda u, v: np.full_like(u, np.pi / 180),
    "rad2deg": lambda u, v: np.full_like(u, 180 / np.pi),
}


def _larger(a: NDArray, b: NDArray, v: NDArray) -> NDArray:
    return (a > b) + 0.5 * (a == b)


def _smaller(a: NDArray, b: NDArray, v: NDArray) -> NDArray:
    return (a < b) + 0.5 * (a == b)


def _of_base(a: NDArray, b: NDArray, v: NDArray) -> NDArray:
    if np.ndim(b) == 0 and b == 2:
        return 2 * a  # np.power takes a hundred times as long
    return np.where(b == 0, 0, b * np.power(a, np.where(b == 0, 1.0, b - 1)))


def _of_exponent(a: NDArray, b: NDArray, v: NDArray) -> NDArray:
    return v * np.log(np.where(a > 0, a, 1))


_MAXIMUM = (_larger, lambda a, b, v: _larger(b, a, v))
_MINIMUM = (_smaller, lambda a, b, v: _smaller(b, a, v))

# The derivatives to the first and to the second operand, from both and the output v.
BINARY: dict[str, tuple[Callable[[Any, Any, Any], Any], Callable[[Any, Any, Any], Any]]] = {
    "add": (lambda a, b, v: 1.0, lambda a, b, v: 1.0),
    "subtract": (lambda a, b, v: 1.0, lambda a, b, v: -1.0),
    "multiply": (lambda a, b, v: b, lambda a, b, v: a),
    "divide": (lambda a, b, v: 1 / b, lambda a, b, v: -v / b),
    "power": (_of_base, _of_exponent),
    "float_power": (_of_base, _of_exponent),
    "maximum": _MAXIMUM,
    "fmax": _MAXIMUM,
    "minimum": _MINIMUM,
    "fmin": _MINIMUM,
    "logaddexp": (lambda a, b, v: np.exp(a - v), lambda a, b, v: np.exp(b - v)),
    "hypot": (lambda a, b, v: a / v, lambda a, b, v: b / v),
    "arctan2": (lambda a, b, v: b / (a * a + b * b), lambda a, b, v: -a / (a * a + b * b)),
    "remainder": (lambda a, b, v: 1.0, lambda a, b, v: -np.floor(a / b)),
    "copysign": (lambda a, b, v: np.sign(a) * np.copysign(1.0, b), lambda a, b, v: 0.0),
}


def elementwise(node: Node) -> bool:
    """Whether each element of the result comes from one element of each operand."""
    return node.op == "where" or (isinstance(node.detail, np.ufunc) and node.op != "matmul")


def local_derivative(node: Node, k: int) -> Any:
    """The factor of an elementwise operation's k-th edge, or None for other operations."""
    values = [operand.value for operand in node.operands]
    if len(values) == 1 and elementwise(node):
        return _slope(node, values[0])
    if node.op in BINARY:
        return BINARY[node.op][k](values[0], values[1], node.value)
    if node.op == "where":
        return node.detail if k == 0 else ~node.detail
    return None


def pull_back(node: Node, k: int, g: NDArray, values: Sequence[NDArray] | None = None) -> NDArray:
    """What goes back to the k-th operand, if the node's cotangent is g.

    Args:
        values: other values of the operands, at which the derivative is taken.
    """
    v = [operand.value for operand in node.operands] if values is None else values
    if len(v) == 1 and elementwise(node):
        return g * _slope(node, v[0])
    if node.op in BINARY:
        return _to_operand(node, k, g * BINARY[node.op][k](v[0], v[1], node.value))
    if node.op in _PULL_BACK:
        return _PULL_BACK[node.op](node, k, g, v)
    columns = jacobian(node, v[0])
    return columns.T.dot(np.broadcast_to(g, node.value.shape).ravel()).reshape(node.operands[k].value.shape)


def _slope(node: Node, u: NDArray) -> Any:
    """The derivative of a function of one array, element by element."""
    known = UNARY.get(node.op)
    return node.detail(u + 1j * _STEP).imag / _STEP if known is None else known(u, node.value)


def unbroadcast(g: NDArray, shape: tuple[int, ...]) -> NDArray:
    """g summed over the axes along which an operand of this shape was broadcast."""
    if g.ndim > len(shape):
        g = g.sum(tuple(range(g.ndim - len(shape))))
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and g.shape[axis] != 1)
    return g.sum(axes, keepdims=True) if axes else g


def expand(node: Node, g: NDArray) -> NDArray:
    """g with axes of length 1 where a reduction removed them."""
    axes, keepdims = node.detail
    reduced = g.ndim < node.operands[0].value.ndim  # not so if a sum was left out, further up, in a wrong backward
    return np.expand_dims(g, axes) if reduced and not keepdims and axes else g


def jacobian(node: Node, v: NDArray) -> NDArray:
    """d result / d operand by complex step, for a function of one array that is analytic."""
    if node.value.size * v.size > _LARGEST_JACOBIAN:
        raise TraceError(f"{node.op} of {v.size} numbers has too large a Jacobian")
    own = v is node.operands[0].value
    if own and node.memo:
        return node.memo[0]
    columns = np.zeros((node.value.size, v.size))
    for place in range(v.size):
        at = v.astype(complex)
        at.flat[place] += 1j * _STEP
        columns[:, place] = node.detail(at).imag.ravel() / _STEP
    if own:
        node.memo[0] = columns
    return columns


def _to_operand(node: Node, k: int, g: NDArray) -> NDArray:
    # A wrong backward may have left out a sum further up: then g is larger than the node, and stays so.
    shape = node.operands[k].value.shape
    return g if shape in (g.shape, node.value.shape) else unbroadcast(g, shape)


def _where(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    return unbroadcast(np.where(local_derivative(node, k), g, 0), v[k].shape)


def _gather(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    """Each element's gradient is added to where the element came from."""
    shape, size = v[k].shape, v[k].size
    if k not in node.memo:
        start = 1 + sum(operand.value.size for operand in node.operands[:k])
        sources = node.detail.ravel()
        here = np.flatnonzero((sources >= start) & (sources < start + size))
        to = sources[here] - start
        whole = len(to) == size == len(sources) and bool((to == np.arange(size)).all())
        node.memo[k] = here, to, whole, not len(to) or int(np.bincount(to).max()) == 1
    here, to, whole, once = node.memo[k]
    if np.shape(g) != node.value.shape:
        g = np.broadcast_to(g, node.value.shape)
    if whole:
        return g.reshape(shape)
    if once:
        placed = np.zeros(size, g.dtype)
        placed[to] = g.ravel()[here]
        return placed.reshape(shape)
    return np.bincount(to, g.ravel()[here], size).reshape(shape)


def _sum(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    return np.broadcast_to(expand(node, np.asarray(g)), v[0].shape)


def _mean(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    return _sum(node, k, g / (v[0].size / max(node.value.size, 1)), v)


def _largest(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    axes = node.detail[0]
    chosen = v[0] == expand(node, node.value)
    return expand(node, g) * chosen / chosen.sum(axes, keepdims=True)


def _product(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    """The product of the others: also where one of them is 0."""
    axes, zero = node.detail[0], v[0] == 0
    others = np.where(zero, 1.0, v[0])
    zeros = np.count_nonzero(zero, axis=axes, keepdims=True)
    alone = (zeros == 0) | ((zeros == 1) & zero)  # else another one is 0
    return expand(node, g) * alone * np.prod(others, axis=axes, keepdims=True) / others


def _matmul(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    a, b = v
    left, right = a if a.ndim > 1 else a[None, :], b if b.ndim > 1 else b[:, None]
    g = np.asarray(g)
    if b.ndim == 1:
        g = g[..., None]
    if a.ndim == 1:
        g = g[..., None, :]
    whole = g @ np.swapaxes(right, -1, -2) if k == 0 else np.swapaxes(left, -1, -2) @ g
    operand = (left, right)[k]
    return unbroadcast(whole, operand.shape).reshape(v[k].shape)


def _einsum(node: Node, k: int, g: NDArray, v: Sequence[NDArray]) -> NDArray:
    """The operands change roles with the result: for "ij,jk->ik", dL/da is einsum("ik,jk->ij", g, b)."""
    terms, result = node.detail.split("->")
    terms = terms.split(",")
    others = [(term, array) for j, (term, array) in enumerate(zip(terms, v, strict=True)) if j != k]
    known = set(result).union(*(term for term, _ in others))
    sizes = dict(zip(terms[k], v[k].shape, strict=True))
    others += [(letter, np.ones(size)) for letter, size in sizes.items() if letter not in known]
    target = "".join(sizes)
    found = np.einsum(",".join([result, *(term for term, _ in others)]) + "->" + target, g, *(a for _, a in others))
    if target == terms[k]:
        return np.broadcast_to(found, v[k].shape)
    whole = np.zeros(v[k].shape)  # one letter several times: the diagonal
    whole[(np.arange(len(found)),) * v[k].ndim] = found
    return whole


_PULL_BACK: dict[str, Callable[[Node, int, Any, Sequence[NDArray]], NDArray]] = {
    "where": _where,
    "gather": _gather,
    "sum": _sum,
    "mean": _mean,
    "max": _largest,
    "min": _largest,
    "prod": _product,
    "matmul": _matmul,
    "einsum": _einsum,
}
