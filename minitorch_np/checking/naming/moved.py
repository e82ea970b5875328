"""Moved: right numbers at wrong places. Each number is followed from where it belongs to where it was put."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minitorch_np.checking.naming.index_maps import inverse_index, tiled
from minitorch_np.checking.naming.matrix import TOLERANCE, Finding, Matrix, Shape, coordinates

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

_REMEDY = "Use the index of forward."
_AXIS_WORDS = 2  # how many ways to say it are tried for each axis


class Moves(NamedTuple):
    """Numbers with their places: of output (axes x numbers) each belongs at `due` and stands at `put`.

    Attributes:
        shape: of the array in which they stand. of: its name. outputs: the shape of the array whose elements send them. by: its name.
    """

    output: NDArray
    due: NDArray
    put: NDArray
    shape: Shape
    of: str
    outputs: Shape
    by: str


def moved(matrix: Matrix) -> Iterator[Finding]:
    """What belongs to one element stands at another; or dy is read at another place."""
    for turned, m in ((False, matrix), (True, matrix.transposed())):
        pairs = (_whole_rows(m) or _by_value(m)) if matrix.linear else None
        if pairs is None or (pairs[1] == pairs[2]).all():
            continue
        output, due, put = pairs
        names = ("dy", matrix.name) if turned else (matrix.name, "dy")
        found = Moves(
            coordinates(m.outputs)[:, output],
            coordinates(m.shape)[:, due],
            coordinates(m.shape)[:, put],
            m.shape,
            names[0],
            m.outputs,
            names[1],
        )
        for key, words in describe(found):
            says = (
                f"dy is read at the wrong places for the elements of {matrix.name}: {words}"
                if turned
                else f"its numbers are right, but at wrong places: what dy sends back is {words}"
            )
            yield Finding(("moved", turned, key), says, change="" if turned else _REMEDY)


def misread(matrix: Matrix) -> Iterator[Finding]:
    """Every number of the matrix is an element of one array, a parameter or x, and another element of it is due."""
    due = matrix.due
    given = np.abs(matrix.seen) > TOLERANCE * matrix.size
    both = due & given
    if not matrix.linear or not both.any() or both.sum() < (due | given).sum() / 2:
        return
    _, output = np.nonzero(both)
    for name, leaf in matrix.setting.graph.leaves.items():
        if name == matrix.name or leaf.value.size < 4:
            continue
        right, wrong = (_found_in(leaf.value, numbers[both]) for numbers in (matrix.true, matrix.seen))
        if (
            right is None
            or wrong is None
            or (right == wrong).all()
            or _found_in(leaf.value, matrix.seen[given]) is None
        ):
            continue
        axes = coordinates(leaf.value.shape)
        found = Moves(
            coordinates(matrix.outputs)[:, output],
            axes[:, right],
            axes[:, wrong],
            leaf.value.shape,
            name,
            matrix.outputs,
            "dy",
        )
        for key, words in describe(found):
            yield Finding(
                ("misread", name, key), f"in the product with dy, {name} is read at the wrong places: {words}"
            )


def _found_in(array: NDArray, numbers: NDArray) -> NDArray | None:
    """The places of the numbers in an array without equal elements; None if one is not there."""
    order = np.argsort(array.ravel())
    values = array.ravel()[order]
    size = np.abs(values).max()
    if np.diff(values).min(initial=np.inf) < 1e-6 * size:
        return None
    after = np.clip(np.searchsorted(values, numbers), 1, len(values) - 1)
    nearest = np.where(np.abs(values[after] - numbers) < np.abs(values[after - 1] - numbers), after, after - 1)
    return order[nearest] if (np.abs(values[nearest] - numbers) <= TOLERANCE * size).all() else None


def _whole_rows(matrix: Matrix) -> tuple[NDArray, NDArray, NDArray] | None:
    """Each row of what was seen is another row of the true matrix, and one only."""
    to = []
    for place, row in enumerate(matrix.seen):
        if matrix.same(row, matrix.true[place]).all():
            to.append(place)
            continue
        rows = np.nonzero(matrix.same(matrix.true, row).all(1))[0]
        if len(rows) != 1:
            return None
        to.append(int(rows[0]))
    put = np.arange(len(to))
    moved = np.array(to)
    some = matrix.due[moved].any(1)  # rows of zeros say nothing
    first = np.array([np.argmax(matrix.due[row]) for row in moved])
    return (first[some], moved[some], put[some]) if some.sum() > 2 else None


def _by_value(matrix: Matrix) -> tuple[NDArray, NDArray, NDArray] | None:
    """(output, place due, place put) of every number: by its value, else by the place of its output's whole window."""
    moves: list[tuple[int, int, int]] = []
    whole = cut = 0
    for output, (true, seen) in enumerate(zip(matrix.true.T, matrix.seen.T, strict=True)):
        due, put = (np.nonzero(np.abs(column) > TOLERANCE * matrix.size)[0] for column in (true, seen))
        if not len(due) and not len(put):
            continue
        if not len(due) or not len(put):
            return None
        by_due, by_put = due[np.argsort(true[due])], put[np.argsort(seen[put])]
        if len(due) == len(put) and np.diff(true[by_due]).min(initial=np.inf) > 1e-6 * matrix.size:
            if not matrix.same(true[by_due], seen[by_put]).all():
                return None
            moves += zip([output] * len(due), by_due, by_put, strict=True)
            whole += 1
            continue
        window = _window(matrix, true, seen, due, put)
        if window is None:
            return None
        moves += [(output, int(a), int(b)) for a, b in zip(*window, strict=True)]
        complete = len(window[0]) == max(len(due), len(put))
        whole, cut = whole + complete, cut + (not complete)
    if not moves or 2 * whole < cut:  # a window that is cut at the border proves little
        return None
    output, due, put = np.array(moves).T
    return output, due, put


def _window(matrix: Matrix, true: NDArray, seen: NDArray, due: NDArray, put: NDArray) -> tuple[NDArray, NDArray] | None:
    """The places of one output's numbers, if they are shifted together; some may have fallen out at the border."""
    axes, limit = coordinates(matrix.shape), np.array(matrix.shape)[:, None]
    largest = due[np.argmax(np.abs(true[due]))]
    shifts = [axes[:, put].min(1) - axes[:, due].min(1), axes[:, put].max(1) - axes[:, due].max(1)]
    shifts += [axes[:, p] - axes[:, largest] for p in put[matrix.same(seen[put], true[largest])][:4]]
    for shift in shifts:
        sources, targets = axes[:, put] - shift[:, None], axes[:, due] + shift[:, None]
        came, stayed = (((places >= 0) & (places < limit)).all(0) for places in (sources, targets))
        if not came.any():
            continue
        source = np.ravel_multi_index(tuple(sources[:, came]), matrix.shape)
        target = np.ravel_multi_index(tuple(targets[:, stayed]), matrix.shape)
        if matrix.same(true[source], seen[put[came]]).all() and matrix.same(seen[target], true[due[stayed]]).all():
            return source, put[came]
    return None


def describe(moves: Moves) -> Iterator[tuple[tuple[object, ...], str]]:
    """The map from the place due to the place put, axis by axis, the simplest first; several, as one axis allows several."""
    axes = [axis for axis in range(len(moves.shape)) if (moves.due[axis] != moves.put[axis]).any()]
    ways = [list(itertools.islice(_along(moves, axis), _AXIS_WORDS)) for axis in axes]
    for chosen in itertools.product(*ways):
        yield tuple((axis, key) for axis, (key, _) in zip(axes, chosen, strict=True)), _together(chosen, axes, moves.of)


def _together(chosen: Sequence[tuple[object, str]], axes: list[int], of: str) -> str:
    """The words for all axes; what is said of several axes alike is said once."""
    alike: dict[str, list[int]] = {}
    for axis, (_, text) in zip(axes, chosen, strict=True):
        alike.setdefault(text.replace(f"axis {axis} of {of}", "{axes}"), []).append(axis)
    return ", and ".join(
        text.replace("{axes}", f"{'axis' if len(axes) == 1 else 'axes'} {' and '.join(map(str, axes))} of {of}")
        for text, axes in alike.items()
    )


def _along(moves: Moves, axis: int) -> Iterator[tuple[tuple[object, ...], str]]:
    """How the place along one axis depends on the place due and on the output."""
    due, put, output, count = moves.due[axis], moves.put[axis], moves.output, moves.shape[axis]
    here = f"axis {axis} of {moves.of}"
    gap = put - due
    others = [b for b in range(len(moves.shape)) if b != axis and moves.shape[b] > 1]
    steps = [j for j in range(len(output)) if moves.outputs[j] > 1]
    if (gap == gap[0]).all():
        yield ("shift", int(gap[0])), f"{_places(gap[0])} along {here}"
    if (put == count - 1 - due).all():
        yield ("reversed",), f"in reverse order along {here}"
    if (gap % count == gap[0] % count).all():
        shift = int(gap[0] % count)
        shift -= count * (shift > count / 2)
        yield ("rolled", shift), f"{_places(shift)} along {here}, around the end"
    for b in others:
        if moves.shape[b] == count and (put == moves.due[b]).all():
            first, second = sorted((axis, b))
            yield ("axes", first, second), f"with axes {first} and {second} of {moves.of} exchanged"
    for j in steps:
        solved = _whole_numbers([output[j]], gap)
        if solved is not None:
            yield ("stride", j, *solved), _stride(moves, axis, j, solved)
    if (put == put[0]).all():
        yield ("always", int(put[0])), f"always at {put[0]} along {here}"
    for j in steps:
        solved = _whole_numbers([output[j]], put)
        if solved is not None:
            place = f"{_term(*solved)} along {here}, i being the index along axis {j} of {moves.by}"
            yield ("picked", j, *solved), f"always at {place}, wherever it belongs"
    yield from tiled(moves, axis, steps)
    yield from _within_window(moves, axis, steps, others)
    yield from inverse_index(moves, axis, steps)


def _stride(moves: Moves, axis: int, j: int, solved: tuple[float, ...]) -> str:
    """The window of output j moves by another step than in forward."""
    due, output = moves.due[axis], moves.output[j]
    starts = np.array([due[output == place].min() for place in np.unique(output)])
    step = np.diff(starts).max(initial=0)  # windows that are cut at the border seem to move less
    start = starts[0] - step * np.unique(output)[0]
    new = step + solved[0]
    why = " (the stride is forgotten)" if new == 1 < step else " (always the first window)" if not new else ""
    put, belongs = _term(new, start + solved[1]), _term(step, start)
    index = "output i" if axis == j else f"index i of {moves.by}'s axis {j}"
    return f"at {put} instead of {belongs} for {index}{why}, along axis {axis} of {moves.of}"


def _within_window(
    moves: Moves, axis: int, steps: list[int], others: list[int]
) -> Iterator[tuple[tuple[object, ...], str]]:
    due, put, output = moves.due, moves.put[axis], moves.output
    here = f"axis {axis} of {moves.of}"
    for count in (1, 2):
        for chosen in itertools.combinations(steps, count):
            columns = [output[j] for j in chosen]
            solved = _whole_numbers(columns, put + due[axis])
            if solved is not None:
                yield ("mirrored",), f"in reverse order within its window along {here}"
            for b in others:
                solved = _whole_numbers(columns, put - due[b])
                if solved is not None:
                    first, second = sorted((axis, b))
                    yield (
                        ("axes in window", first, second),
                        f"with axes {first} and {second} of {moves.of} exchanged within its window",
                    )


def _whole_numbers(columns: list[NDArray], values: NDArray) -> tuple[float, ...] | None:
    """Factors of the columns and a constant, in whole numbers, that give the values exactly; every column must be needed."""
    table = np.stack([*columns, np.ones(len(values))], 1)
    solved = np.asarray(np.linalg.lstsq(table, values, rcond=None)[0]).round()
    exact = bool((table @ solved == values).all()) and bool(np.all(solved[:-1])) and len(values) > 2
    return tuple(float(number) for number in solved) if exact else None


def _places(gap: float) -> str:
    number = abs(int(gap))
    return f"{number} place{'s' if number > 1 else ''} too {'late' if gap > 0 else 'early'}"


def _term(step: float, start: float) -> str:
    """Text such as "2 * i + 1"."""
    if not step:
        return f"{start:g}"
    term = {1: "i", -1: "-i"}.get(int(step), f"{step:g} * i")
    return f"{term} {'+' if start > 0 else '-'} {abs(start):g}" if start else term
