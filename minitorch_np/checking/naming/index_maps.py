"""Index maps: moves along one axis that follow an index the wrong way round."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.checking.naming.moved import Moves


def tiled(moves: Moves, axis: int, steps: list[int]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Blocks of equal elements are taken for copies of the whole axis, or the other way round."""
    due, put, count = moves.due[axis], moves.put[axis], moves.shape[axis]
    for j in steps:
        times, output = moves.outputs[j] // count, moves.output[j]
        ways = {"i // {times}": output // max(times, 1), "i % {count}": output % count}
        for (right, a), (wrong, b) in itertools.permutations(ways.items()):
            if times > 1 and (due == a).all() and (put == b).all():
                names = {"times": times, "count": count}
                yield (
                    ("tiled", j, right),
                    f"at {wrong.format(**names)} along axis {axis} of {moves.of} instead of at {right.format(**names)}, i being "
                    f"the index along axis {j} of {moves.by} (np.tile and np.repeat, or two axes of a reshape, are exchanged)",
                )


def inverse_index(moves: Moves, axis: int, steps: list[int]) -> Iterator[tuple[tuple[object, ...], str]]:
    """Output i belongs at index[i], and stands where index is i."""
    count = moves.shape[axis]
    for j in steps:
        if moves.outputs[j] != count:
            continue
        due, put = np.full(count, -1), np.full(count, -1)
        due[moves.output[j]], put[moves.output[j]] = moves.due[axis], moves.put[axis]
        one = (due[moves.output[j]] == moves.due[axis]).all() and (put[moves.output[j]] == moves.put[axis]).all()
        if one and (due >= 0).all() and (put >= 0).all() and (due[put] == np.arange(count)).all():
            yield (
                ("inverse", j),
                f"along axis {axis} of {moves.of} by the inverse of forward's index: the index is on the wrong side "
                "(dx = dy[index] instead of dx[index] = dy, or the other way round)",
            )
