"""Products of recurrent layers, on arrays (time, units, batch)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from minitorch_np.base.blocks import later
from minitorch_np.base.functions import SMALL_PRODUCT
from minitorch_np.base.shapes import NDArray

Result = TypeVar("Result")
Returned = TypeVar("Returned")

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


def done_behind(
    walk: Generator[int, None, Returned], work: Callable[[slice], Result], blocks: Sequence[slice]
) -> tuple[list[Result], Returned]:
    """work(block) for each block of steps, done by another core while `walk` goes on with earlier steps.

    walk goes back in time and yields each step t that is complete; a block is complete with its first step. Returns the results, and
    what walk returns.
    """
    first_steps, jobs = {block.start: block for block in blocks}, []
    returned: list[Returned] = []

    def all_steps() -> Generator[int]:
        returned.append((yield from walk))

    try:
        for t in all_steps():
            if t in first_steps:
                jobs.append(later(work, first_steps[t]))
        return [job.result() for job in jobs], returned[0]
    finally:
        for job in jobs:
            job.stop()
