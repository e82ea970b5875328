"""Products of recurrent layers, on arrays (time, units, batch)."""

from __future__ import annotations

from minitorch_np.base.functions import SMALL_PRODUCT
from minitorch_np.base.shapes import NDArray

# Groups of fewer rows than this are slower on processors without AVX-512.
_FEW_ROWS = 128


def columns(array: NDArray) -> NDArray:
    """(time, units, batch) as (units, time * batch).

    >>> import numpy as np
    >>> columns(np.arange(8).reshape(2, 2, 2))
    array([[0, 1, 4, 5],
           [2, 3, 6, 7]])
    """
    return array.swapaxes(0, 1).reshape(array.shape[1], -1)


def stacked(matrix: NDArray, batch: int) -> NDArray:
    """The rows of a matrix in groups, (groups, rows, columns): np.matmul(stacked(matrix, batch), state) is matrix @ state in groups.

    The groups are so small that OpenBLAS takes the product with a state of (columns, batch) as it is, on processors with AVX-512. For
    larger products it copies both matrices first, into an order in which it reads them more than once.
    """
    rows, columns = matrix.shape
    groups = 1
    while rows // groups * columns * batch > SMALL_PRODUCT and rows % (2 * groups) == 0 and rows // groups > _FEW_ROWS:
        groups *= 2
    return matrix.reshape(groups, rows // groups, columns)
