"""What a TracedArray notes in NumPy's and SciPy's products: einsum, tensordot, dot, convolve."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from minitorch_np.tracing.array import TracedArray, as_node, plain, wrap
from minitorch_np.tracing.errors import TraceError
from minitorch_np.tracing.functions import handles
from minitorch_np.tracing.graph import constant
from minitorch_np.tracing.recorder import record
from minitorch_np.tracing.ufuncs import into, reduce

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@handles(np.einsum)
def _einsum(subscripts: Any, *operands: Any, out: Any = None, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str):
        raise TraceError("np.einsum with lists of axes is not traced")
    nodes = [as_node(operand) for operand in operands]
    full = _subscripts(subscripts.replace(" ", ""), [node.value.ndim for node in nodes])
    return into(out, wrap(record("einsum", nodes, np.einsum(full, *(node.value for node in nodes)), full)))


def _subscripts(subscripts: str, dimensions: list[int]) -> str:
    """The same with letters for the dots and with the result's letters."""
    given, arrow, result = subscripts.partition("->")
    terms = given.split(",")
    if not arrow:
        counts = Counter(given.replace(",", "").replace(".", ""))
        dots = "..." if "..." in given else ""
        result = dots + "".join(sorted(letter for letter, count in counts.items() if count == 1))
    free = [letter for letter in _LETTERS.upper() if letter not in subscripts]
    hidden = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, dimensions, strict=True)]
    letters = "".join(free[: max(hidden)])
    terms = [term.replace("...", letters[len(letters) - count :]) for term, count in zip(terms, hidden, strict=True)]
    if any(len(set(term)) not in (1, len(term)) for term in terms if term):
        raise TraceError(f"np.einsum({subscripts!r}) is not traced")
    return ",".join(terms) + "->" + result.replace("...", letters)


@handles(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    left, right = np.ndim(a), np.ndim(b)
    if isinstance(axes, int):
        of_a, of_b = list(range(left - axes, left)), list(range(axes))
    else:
        of_a, of_b = ([one] if isinstance(one, int) else list(one) for one in axes)
    first, second = list(_LETTERS[:left]), list(_LETTERS[left : left + right])
    for i, j in zip(of_a, of_b, strict=True):
        second[j] = first[i]
    shared = {first[i] for i in of_a}
    result = [letter for letter in first + second if letter not in shared]
    return _einsum(f"{''.join(first)},{''.join(second)}->{''.join(result)}", a, b)


@handles(np.dot)
def _dot(a: Any, b: Any, out: Any = None) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return into(out, a * b)
    return into(out, _tensordot(a, b, (-1, -2)) if np.ndim(b) > 2 else np.matmul(a, b))


@handles(np.inner)
def _inner(a: Any, b: Any) -> Any:
    return a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else _tensordot(a, b, (-1, -1))


@handles(np.vdot)
def _vdot(a: Any, b: Any) -> Any:
    return np.matmul(np.ravel(a), np.ravel(b))


@handles(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Any:
    return into(out, np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1)))


@handles(np.trace)
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return into(out, reduce("sum", np.diagonal(a, offset, axis1, axis2), -1))


def sliding_product(function: Any, a: Any, b: Any, mode: str) -> TracedArray:
    """A convolution or correlation of NumPy's or SciPy's, of any dimension, as a sum over the taps of b."""
    a, b = (one if isinstance(one, TracedArray) else wrap(constant(one)) for one in (a, b))
    expected = np.asarray(function(plain(a), plain(b), mode))
    if "conv" in function.__name__:
        b = b[(slice(None, None, -1),) * b.ndim]
    if mode != "valid":
        sides = [
            ((size - 1) // 2, size // 2) if "conv" in function.__name__ else (size // 2, (size - 1) // 2)
            for size in b.shape
        ]
        whole = [(size - 1, size - 1) for size in b.shape]
        a = np.pad(a, whole if mode == "full" else sides)
    sizes = [size - taps + 1 for size, taps in zip(a.shape, b.shape, strict=True)]
    total: Any = 0
    for tap in np.ndindex(*b.shape):
        total = total + b[tap] * a[tuple(slice(first, first + size) for first, size in zip(tap, sizes, strict=True))]
    if np.shape(total) != expected.shape or not np.allclose(plain(total), expected):
        raise TraceError(f"{function.__name__} is not traced in this form")
    return total


@handles(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    return sliding_product(np.convolve, a, v, mode)


@handles(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    return sliding_product(np.correlate, a, v, mode)
