"""Functions that several files share. Each takes complex arguments and extreme values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np

from minitorch_np.base.blocks import in_blocks, inside_all_cores, slices
from minitorch_np.base.shapes import NDArray, Shape


def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(-x)), accurate in both tails, and without overflow.

    Only exp(-|x|) is computed, which cannot overflow: for negative x, exp(x) / (1 + exp(x)) is the same number. The sign s
    selects one of the two forms by arithmetic, which is ten times as fast as np.where on mixed signs.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    s = np.copysign(1, x.real)
    z = np.exp(-s * x)
    return (1 + s + (1 - s) * z) / (2 * (1 + z))


def softplus(x: NDArray) -> NDArray:
    """log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|)): without overflow, and accurate for small values.

    >>> softplus(np.array([-1000.0, 0.0, 1000.0])).round(4)
    array([0.000e+00, 6.931e-01, 1.000e+03])
    """
    return np.maximum(x, 0) + np.log1p(np.exp(np.minimum(x, -x)))


def softmax(x: NDArray, axis: int = -1) -> NDArray:
    """exp(x_k) / sum_j exp(x_j) along the axis. The maximum is subtracted first, so nothing overflows."""
    z = np.exp(x - x.max(axis=axis, keepdims=True))
    return z / sums(z, (axis,), keepdims=True)


def log_softmax(x: NDArray, axis: int = -1) -> NDArray:
    """log(exp(x_k) / sum_j exp(x_j)) along the axis. The maximum is subtracted first, so nothing overflows."""
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(sums(np.exp(shifted), (axis,), keepdims=True))


# exp(z^2) erfc(z) for 0 <= z <= 6 as a polynomial in t = (z - 3) / (z + 3), lowest power first. These are the minimax
# polynomials, fitted with 50 digits; the largest errors of erf are 4e-18 and 3e-10.
_ERFC = {
    np.dtype(np.float64): (
        0.1790011511814205, -0.3262335600423472, 0.2456038016996375, -0.15011593707079074, 0.07166582888974857,
        -0.024392568346207504, 0.004268759388998615, 0.000706303539759084, -0.0006010655843905824,
        3.7074697280068704e-05, 5.172616532751217e-05, -2.6377596463690317e-05, -1.832741122896627e-05,
        -2.8478525538585115e-06, 3.1925606623343475e-07, 1.0625690321523299e-07,
    ),
    np.dtype(np.float32): (
        0.17900048006560434, -0.3262421946470398, 0.2455684457880082, -0.15012656634456562, 0.07201746019180964,
        -0.023162123939620496, 0.00624966028569359, 0.0023669315935844013,
    ),
}  # fmt: skip


def erf(x: NDArray) -> NDArray:
    """2 / sqrt(pi) times the integral of exp(-u^2) from 0 to x. Its derivative is 2 / sqrt(pi) exp(-x^2).

    Absolute error at most 1e-15, in float32 5e-7. With z = |x| the formula is 1 - exp(-z^2) P((z - 3) / (z + 3)), the form
    of Shepherd & Laframboise 1981 (Math. Comp. 36, 249), with a shorter polynomial for float32. For negative x,
    erf(-x) = -erf(x); for z > 6 the result is 1 to the last digit. The formula is analytic, so x may be complex.

    >>> erf(np.array([-np.inf, 0.5, 1.0]))
    array([-1.        ,  0.52049988,  0.84270079])
    """
    s = np.copysign(1, x.real)
    z = np.minimum(s * x, 6)
    t = 1 - 6 / (z + 3)
    coefficients = _ERFC.get(x.real.dtype, _ERFC[np.dtype(np.float64)])
    tail = coefficients[-1] * t
    for coefficient in coefficients[-2:0:-1]:
        tail += coefficient
        tail *= t
    return s * (1 - (tail + coefficients[0]) * np.exp(-z * z))


# Adding many float32 numbers one after the other loses digits: a million times 0.1 gives 100958. Summing blocks first, and then
# the sums of the blocks, keeps them, as pairwise summation does (Higham 1993, The accuracy of floating point summation). NumPy
# sums pairwise along the axis that is contiguous in memory, and one after the other along every other axis.
_BLOCK, _FEW = 128, 32

# OpenBLAS is fastest at products of at most this number of multiplications, which it does without packing, on processors with AVX-512.
SMALL_PRODUCT = 10**6
# From this many multiplications on, a product is worth a second thread.
_LARGE_PRODUCT = 2**23


def sums(x: NDArray, axes: Iterable[int], keepdims: bool = False) -> NDArray:
    """x.sum(axis=axes), as exact as pairwise summation along any axis, and faster where the axis is not the last.

    >>> (sums(np.full((1, 2**20, 3), 0.1, np.float32), (1,)) / 2**20).round(6)
    array([[0.1, 0.1, 0.1]], dtype=float32)
    """
    places = sorted(axis % x.ndim for axis in axes)
    first, last = places[0], places[-1]
    if last - first >= len(places):  # the axes are not neighbours: sum over the last by itself, then over the others
        return sums(sums(x, (last,), keepdims=True), places[:-1], keepdims).reshape(_without(x.shape, places, keepdims))
    if last == x.ndim - 1 and x.flags.c_contiguous:
        return x.sum(axis=tuple(places), keepdims=keepdims)
    shape = x.shape
    total = _middle_sums(
        x.reshape(math.prod(shape[:first]), math.prod(shape[first : last + 1]), math.prod(shape[last + 1 :]))
    )
    return total.reshape(_without(shape, places, keepdims))


def channel_sums(x: NDArray) -> NDArray:
    """The sums over all axes but the last."""
    if x.ndim == 2 and len(x) <= _FEW and x.dtype.itemsize >= 4:  # a fast path, for the steps of small networks
        return np.add.reduce(x, axis=0)
    return _middle_sums(x.reshape(1, -1, x.shape[-1]))[0]


def channel_products(x: NDArray, y: NDArray) -> NDArray:
    """channel_sums(x * y) of two matrices, without an array for the products."""
    if len(x) <= 2 * _BLOCK:
        return np.einsum("rc,rc->c", x, y)
    (x_blocks, y_blocks), rest = _blocks(_BLOCK, x, y)
    return channel_sums(np.einsum("brc,brc->bc", x_blocks, y_blocks)) + np.einsum("rc,rc->c", *rest)


def product(x: NDArray, kernel: NDArray) -> NDArray:
    """x @ kernel. Inside `all_cores`, where BLAS has one thread, a large product is computed in blocks."""
    if not _is_large(x, kernel):
        return x @ kernel
    return _product_in_blocks(x.reshape(-1, len(kernel)), kernel).reshape(*x.shape[:-1], kernel.shape[1])


def row_products(x: NDArray, y: NDArray, order: Literal["C", "F"] = "C") -> NDArray:
    """x^T y, the sum over all rows of x_i y_j: the gradient of a kernel."""
    if len(x) <= 128 * _BLOCK:  # BLAS alone is accurate enough for so few rows
        return _product_in_blocks(x.T, y, order) if _is_large(x, y) else np.matmul(x.T, y, order=order)
    (x_blocks, y_blocks), rest = _blocks(32 * _BLOCK, x, y)
    total = sums(np.matmul(x_blocks.swapaxes(1, 2), y_blocks), (0,)) + rest[0].T @ rest[1]
    return np.asarray(total, order=order)


def _is_large(x: NDArray, y: NDArray) -> bool:
    """Whether a product with so many multiplications is computed in blocks."""
    return x.size * y.shape[1] >= _LARGE_PRODUCT and inside_all_cores()


def _product_in_blocks(x: NDArray, y: NDArray, order: Literal["C", "F"] = "C") -> NDArray:
    """x @ y in blocks of rows, or of columns if there are more of these."""
    total = np.empty((len(x), y.shape[1]), np.result_type(x, y), order)
    longer = max(total.shape)

    def rows(part: slice) -> None:
        np.matmul(x[part], y, out=total[part])

    def columns(part: slice) -> None:
        np.matmul(x, y[:, part], out=total[:, part])

    in_blocks(rows if len(total) == longer else columns, slices(longer, max(64, -(-longer // 16))))
    return total


def segment_sums(rows: NDArray, starts: NDArray) -> NDArray:
    """The sums of rows[starts[0] : starts[1]], rows[starts[1] : starts[2]], … up to the last row; starts begins with 0.

    >>> segment_sums(np.array([[1.0], [2.0], [3.0]]), np.array([0, 2]))
    array([[3.],
           [3.]])
    """
    if np.diff(starts, append=len(rows)).max() > _BLOCK:
        cuts = np.union1d(starts, np.arange(0, len(rows), _BLOCK))
        rows, starts = np.add.reduceat(rows, cuts, axis=0), np.searchsorted(cuts, starts)
        return segment_sums(rows, starts)
    return np.add.reduceat(rows, starts, axis=0)


def _without(shape: Shape, axes: list[int], keepdims: bool) -> Shape:
    """The shape of a sum over these axes."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _middle_sums(x: NDArray) -> NDArray:
    """(before, size, after) -> (before, after): a vector of ones times each matrix, which reads the memory in order."""
    size, after = x.shape[1:]
    if x.dtype.itemsize < 4:  # half precision, bool and small ints
        return x.sum(axis=1, dtype=np.float32).astype(x.dtype)
    if after == 1:
        return np.add.reduce(np.ascontiguousarray(x), axis=1)
    if size <= _FEW:
        return np.add.reduce(x, axis=1)
    if size <= 2 * _BLOCK:
        return np.ones(size, x.dtype) @ x
    whole = size // _BLOCK * _BLOCK
    parts = np.ones(_BLOCK, x.dtype) @ x[:, :whole].reshape(len(x), -1, _BLOCK, after)
    total = _middle_sums(parts.astype(np.result_type(x, np.float64)))  # few numbers, so float64 costs nothing
    if whole < size:
        total += np.ones(size - whole, x.dtype) @ x[:, whole:]
    return total.astype(x.dtype)


def _blocks(length: int, *matrices: NDArray) -> tuple[list[NDArray], list[NDArray]]:
    """The rows of each matrix in blocks of this length, (blocks, length, columns), and the rows that are left."""
    whole = len(matrices[0]) // length * length
    return [m[:whole].reshape(-1, length, m.shape[1]) for m in matrices], [m[whole:] for m in matrices]


def too_far_apart(near: NDArray, deviation: NDArray, dtype: np.dtype) -> str:
    """A warning, for data near these numbers with these standard deviations, that the dtype is too coarse; "" if it is not.

    >>> too_far_apart(np.array([1.7e9]), np.array([2.3]), np.dtype(np.float32))[:58]
    'in float32 numbers near 1.7e+09 are 128 apart, and the dat'
    """
    apart = np.spacing(np.abs(near).astype(dtype)).astype(float)
    lost = np.ravel((deviation > 0) & (apart > deviation / 16))
    if not lost.any():
        return ""
    worst = lost.argmax()
    return (
        f"in {dtype} numbers near {np.ravel(near)[worst]:.6g} are {np.ravel(apart)[worst]:g} apart, and the data have a standard "
        f"deviation of {np.ravel(deviation)[worst]:.4g} there, most of which is lost. Subtract a constant first, as in x - x.min(), "
        'or give the model dtype="float64".'
    )
