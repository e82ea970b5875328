"""Shifted: the whole gradient stands some places too far, and what falls out at the border is lost, as when padding is cut off wrongly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.matrix import Finding, Matrix

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_FARTHEST = 6


def shifted(matrix: Matrix) -> Iterator[Finding]:
    """The rows of the matrix are those of elements some places before or after, along one axis or along two alike."""
    if not matrix.linear:
        return
    true, seen = (numbers.reshape(*matrix.shape, -1) for numbers in (matrix.true, matrix.seen))
    long = [axis for axis, count in enumerate(matrix.shape) if count > 2]
    for count in (1, 2):
        for axes in itertools.combinations(long, count):
            farthest = min(_FARTHEST, *(matrix.shape[axis] // 2 for axis in axes))
            for shift in (sign * size for size in range(1, farthest + 1) for sign in (1, -1)):
                if _is_shifted(matrix, true, seen, axes, shift):
                    along = f"ax{'i' if count == 1 else 'e'}s {' and '.join(map(str, axes))}"
                    places = f"{abs(shift)} place{'s' if abs(shift) > 1 else ''} too {'late' if shift > 0 else 'early'}"
                    yield Finding(
                        ("shifted", axes, shift),
                        f"all of it is {places} along {along}, and what falls out is lost: padding is cut off at the wrong "
                        "place, or not at all",
                    )


def _is_shifted(matrix: Matrix, true: NDArray, seen: NDArray, axes: tuple[int, ...], shift: int) -> bool:
    ends = (slice(shift, None), slice(None, -shift)) if shift > 0 else (slice(None, shift), slice(-shift, None))
    to, of = (tuple(end if axis in axes else slice(None) for axis in range(true.ndim)) for end in ends)
    moves = bool(np.any(true[of])) and not matrix.same(true[of], true[to]).all()
    return moves and bool(matrix.same(seen[to], true[of]).all())
