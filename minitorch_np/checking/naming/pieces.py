"""Pieces: the derivative of an elementwise layer, piece by piece, as one or two terms of x and y."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minitorch_np.checking.naming.formulas import FORMULAS
from minitorch_np.checking.naming.matrix import TOLERANCE, Finding, Matrix
from minitorch_np.checking.naming.parts import sides

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


_OWN = "(the right one)**2"


class _Piece(NamedTuple):
    """A sum of terms with their factors."""

    terms: tuple[str, ...]
    factors: tuple[float, ...]

    def __str__(self) -> str:
        parts = []
        for term, factor in zip(self.terms, self.factors, strict=True):
            number = f"{factor:.5g}"
            sign = {"1": "", "-1": "-"}.get(number)
            parts.append(number if term == "1" else f"{sign}{term}" if sign is not None else f"{number} * {term}")
        return " + ".join(parts).replace("+ -", "- ") or "0"


def pieces(matrix: Matrix) -> Iterator[Finding]:
    """The derivative that was taken, where it is wrong, and the one that is due; the formulas with the fewest terms first."""
    if not _elementwise(matrix):
        return
    due, seen = np.diagonal(matrix.true), np.diagonal(matrix.seen)
    wrong = ~matrix.same(seen, due)
    *named, whole = _parts(matrix).items()
    found: list[tuple[int, Finding]] = []
    for (words, side), (opposite, other) in zip(named[::2], named[1::2], strict=True):
        for first, second in itertools.product(_fits(matrix, seen, side), _fits(matrix, seen, other)):
            terms = len(first.terms) + len(second.terms)
            if terms < 4 and wrong[side].any() and wrong[other].any():
                says = f"the derivative is {first} {words} and {second} {opposite}{_due(matrix, due, [side, other])}"
                found.append((terms, _finding({words: first, opposite: second}, says)))
    for words, side in [*named, whole]:
        for taken in _fits(matrix, seen, side) if wrong[side].any() and not wrong[~side].any() else ():
            says = f"the derivative{words and ' '}{words} is {taken}{_due(matrix, due, [side])}"
            found.append((len(taken.terms), _finding({words: taken}, says)))
    yield from (finding for _, finding in sorted(found, key=lambda item: item[0]))


def _elementwise(matrix: Matrix) -> bool:
    if matrix.shape != matrix.outputs or len(matrix.true) < 2 or not matrix.linear:
        return False
    apart = ~np.eye(len(matrix.true), dtype=bool)
    return bool(matrix.same(matrix.true[apart], 0).all() and matrix.same(matrix.seen[apart], 0).all())


def _parts(matrix: Matrix) -> dict[str, NDArray]:
    """The sides by their words, each followed by the opposite one; "" for all, at the end."""
    return {words: side.ravel() for words, side in sides(matrix)} | {"": np.ones(len(matrix.true), bool)}


def _finding(taken: dict[str, _Piece], says: str) -> Finding:
    def holds(matrix: Matrix) -> bool:
        """Whether another setting has this derivative on these sides, and the right one elsewhere."""
        parts = _parts(matrix)
        if not _elementwise(matrix) or not parts.keys() >= taken.keys():
            return False
        expected = np.diagonal(matrix.true).copy()
        for words, piece in taken.items():
            columns = _columns(matrix, parts[words])
            numbers = (factor * columns[term] for term, factor in zip(piece.terms, piece.factors, strict=True))
            expected[parts[words]] = sum(numbers, np.zeros(parts[words].sum()))
        return bool(matrix.same(np.diagonal(matrix.seen), expected).all())

    terms = "".join(term for piece in taken.values() for term in piece.terms)
    return Finding(("pieces", *taken), says + (" (y: the output)" if "y" in terms else ""), holds)


def _due(matrix: Matrix, due: NDArray, regions: list[NDArray]) -> str:
    """What is due in each region, where it is a simple formula."""
    formulas = [str(next(iter(_fits(matrix, due, side, own=False)), "")) for side in regions]
    if not all(formulas):
        return ""
    return f" instead of {' and '.join(formulas)}"


def _columns(matrix: Matrix, side: NDArray) -> dict[str, NDArray]:
    """The values of each term on one side."""
    y, due = matrix.setting.graph.output.value.ravel()[side], np.diagonal(matrix.true)[side]
    x = matrix.value.ravel()[side]
    with np.errstate(all="ignore"):
        return {"1": np.ones_like(x), _OWN: due * due} | {text: formula(x, y) for text, formula in FORMULAS.items()}


def _fits(matrix: Matrix, derivative: NDArray, side: NDArray, *, own: bool = True) -> list[_Piece]:
    """The formulas with the fewest terms that give the derivative on one side; own: also the square of the right one."""
    values, size = derivative[side], np.abs(derivative[side]).max(initial=0)
    if matrix.same(values, 0).all():
        return [_Piece((), ())]
    columns = {
        term: column
        for term, column in _columns(matrix, side).items()
        if np.isfinite(column).all() and np.any(column) and (own or term != _OWN)
    }
    found: list[_Piece] = []
    for count in (1, 2):
        for terms in itertools.combinations(columns, count):
            if found or len(values) < count + 3 or (count > 1 and _OWN in terms):
                continue
            table = np.stack([columns[term] for term in terms], 1)
            factors, _, rank, _ = np.linalg.lstsq(table, values, rcond=1e-10)
            if (
                rank == count
                and np.abs(table @ factors - values).max() <= TOLERANCE * size
                and np.abs(factors).max() < 1e3
            ):
                found.append(_Piece(terms, tuple(map(float, factors))))
    return found
