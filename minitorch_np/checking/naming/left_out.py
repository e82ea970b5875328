"""Left out: every number of the matrix is right or 0. Which ones are there?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.naming.matrix import Finding, Matrix, coordinates
from minitorch_np.checking.naming.parts import block, elements

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_LOOPS = {
    "first": " (a loop that ends after one round, or an index that does not move)",
    "last": " (what was there is overwritten, or the assignment stands after the loop)",
}


def left_out(matrix: Matrix) -> Iterator[Finding]:
    """Outputs, uses of an element, elements or places of a window that give nothing."""
    due, right = matrix.due, matrix.same(matrix.seen, matrix.true)
    there = right & due
    if not matrix.linear or not (right | matrix.same(matrix.seen, 0)).all() or (there == due).all() or not there.any():
        return
    yield from _outputs(matrix, there)
    yield from _writers(matrix, there)
    yield from _rows(matrix, there)
    yield from _in_window(matrix, there)
    yield from _in_window(matrix.transposed(), there.T)


def _outputs(matrix: Matrix, there: NDArray) -> Iterator[Finding]:
    """Each output sends all that is due, or nothing."""
    used = matrix.due.any(0)
    whole, none = (there == matrix.due).all(0) & used, ~there.any(0)
    if not (whole | none).all():
        return
    only = [_only(words) for words in block(whole.reshape(matrix.outputs), "dy")]
    without = [
        Finding(("without", words), f"what comes from dy at {words} is missing, the rest is right")
        for words in block((none & used).reshape(matrix.outputs), "dy")
    ]
    yield from only + without if whole.sum() <= none.sum() else without + only


def _only(words: str) -> Finding:
    loop = next((why for end, why in _LOOPS.items() if words.startswith(f"the {end} place of")), "")
    return Finding(("only", words), f"only dy at {words} is sent back, the rest of dy is not used{loop}")


def _writers(matrix: Matrix, there: NDArray) -> Iterator[Finding]:
    """Of several outputs that an element serves, only the last in the order of some loops (or the first) sends its gradient."""
    axes = [axis for axis, count in enumerate(matrix.outputs) if count > 1]
    for count in range(1, len(axes) + 1):
        for order in itertools.permutations(axes, count):
            rest = [axis for axis in range(len(matrix.outputs)) if axis not in order]
            lay = [0, *(axis + 1 for axis in (*rest, *order))]

            def ordered(array: NDArray, lay: list[int] = lay, loops: int = count) -> NDArray:
                array = array.reshape(-1, *matrix.outputs).transpose(lay)
                return array.reshape(*array.shape[: array.ndim - loops], -1)

            due, kept = ordered(matrix.due), ordered(there)
            rank = np.arange(due.shape[-1])
            last = due & (rank == np.where(due, rank, -1).max(-1, keepdims=True))
            first = due & (rank == np.where(due, rank, len(rank)).min(-1, keepdims=True))
            for word, one in (("last", last), ("first", first)):
                if (one == kept).all():
                    along = f" along axis {' and '.join(map(str, sorted(order)))}" if rest else ""
                    yield Finding(
                        ("writer", word, tuple(sorted(order))),
                        f"an element of {matrix.name} that several outputs{along} use gets only the {word} of their gradients: "
                        "they must be added",
                        change="Write `+=` instead of `=`; where an index holds the same number twice, use np.add.at.",
                    )


def _rows(matrix: Matrix, there: NDArray) -> Iterator[Finding]:
    """Each element has its whole gradient, or 0."""
    used = matrix.due.any(1)
    whole, none = (there == matrix.due).all(1), ~there.any(1)
    if not (whole | none).all():
        return
    if whole.sum() <= none.sum():
        for words in block((whole & used).reshape(matrix.shape), matrix.name):
            yield Finding(("rows only", words), f"only {words} has its gradient, all other elements are 0")
    for mask in (np.asarray(used & none), np.asarray(none)):
        for words in elements(matrix, mask):
            yield Finding(("rows", words), f"is 0 {words}, which is not the true gradient; the rest is right")


def _in_window(matrix: Matrix, there: NDArray) -> Iterator[Finding]:
    """Of the window that an output reads (or that an element sends to), some places are there for all outputs, the others for none."""
    row, output = np.nonzero(matrix.due)
    places = coordinates(matrix.shape)[:, row]
    kept = there[row, output]
    for axis in range(len(matrix.shape)):
        start = window_starts(matrix, places[axis], output)
        if start is None:
            continue
        local = places[axis] - start
        on, off = sorted(set(local[kept])), sorted(set(local[~kept]))
        if not on or not off or set(on) & set(off):
            continue
        of, reader = ("dy", f"an element of {matrix.name}") if matrix.turned else (matrix.name, "an output")
        missing = f"place{'s' if len(off) > 1 else ''} {', '.join(str(place) for place in off)}"
        yield Finding(
            ("window", matrix.turned, axis, tuple(map(int, off))),
            f"of the window along {of}'s axis {axis} to which {reader} belongs, {missing} of 0 to {max(on + off)} "
            f"{'is' if len(off) == 1 else 'are'} left out; the rest is right",
        )


def window_starts(matrix: Matrix, places: NDArray, output: NDArray) -> NDArray | None:
    """For each number the first place of its output's window along one axis. A window that is cut at the border begins outside.

    None if the windows are not equally wide, or do not lie an equal step apart.
    """
    count = int(np.prod(matrix.outputs))
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, output, places)
    np.maximum.at(last, output, places)
    used = last >= first
    width = (last - first)[used].max(initial=0)
    full = used & (last - first == width)
    if width < 1 or full.sum() < 2:
        return None
    columns = np.vstack([coordinates(matrix.outputs), np.ones(count)]).T
    steps = np.linalg.lstsq(columns[full], first[full], rcond=None)[0]
    start = np.round(columns @ steps)
    inside = (start <= first)[used].all() and (start + width >= last)[used].all()
    return start[output].astype(int) if inside and (start == first)[full].all() else None
