"""Parts: a set of an array's elements in words, such as "the last place of axis 1"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.tracing.source import Place

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.matrix import Matrix


def block(mask: NDArray, of: str) -> Iterator[str]:
    """A mask that is made of whole places along each axis, in several ways to say it; of: whose axes these are."""
    if not mask.any() or mask.all():
        return
    along = [np.nonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))[0] for axis in range(mask.ndim)]
    if np.prod([len(places) for places in along]) != mask.sum():
        return
    if mask.ndim > 1 and mask.sum() == 1:
        yield f"place {[int(places[0]) for places in along]}"
    parts = [(axis, places) for axis, places in enumerate(along) if len(places) < mask.shape[axis]]
    for fewest in (True, False):
        yield " and ".join(
            f"{_places(places, mask.shape[axis], fewest=fewest)} of {of}'s axis {axis}" for axis, places in parts
        )


def _places(places: NDArray, count: int, *, fewest: bool) -> str:
    """Indices along an axis in words. Of a half, the one that is named: it itself, or what is left."""
    number, left = len(places), count - len(places)
    first, last = bool(places[-1] == number - 1), bool(places[0] == left)
    if first or last:
        if (number <= left) == fewest:
            end = "first" if first else "last"
            return f"the {end} place" if number == 1 else f"the {end} {number} places"
        end = "last" if first else "first"
        return f"all but the {end} place" if left == 1 else f"all but the {end} {left} places"
    steps = set(np.diff(places))
    if len(steps) == 1 and steps != {1} and places[-1] + min(steps) >= count:
        return f"every {min(steps)}th place from {places[0]} on".replace("2th", "second").replace("3th", "third")
    return f"place {places[0]}" if number == 1 else f"places {', '.join(map(str, places))}"


def elements(matrix: Matrix, mask: NDArray) -> Iterator[str]:
    """A set of the tensor's elements in words: one side of a where, one sign, a block."""
    mask = mask.reshape(matrix.shape)
    for words, side in sides(matrix):
        if (side == mask).all():
            yield words
    for words in block(mask, matrix.name):
        yield f"at {words}"


def sides(matrix: Matrix) -> Iterator[tuple[str, NDArray]]:
    """The parts into which the tensor is divided by its sign and by forward's conditions; a part and the rest come in turn."""
    value = matrix.value.reshape(matrix.shape)
    if (value > 0).any() and (value < 0).any():
        yield f"where {matrix.name} > 0", value > 0
        yield f"where {matrix.name} < 0", ~(value > 0)
    for node in matrix.setting.graph.nodes:
        condition = node.detail if node.op == "where" else None
        if condition is None or np.shape(condition) != matrix.shape or not np.any(condition) or np.all(condition):
            continue
        place = Place(node)
        words = f"`{place.operands[0]}`" if len(place.operands) == 3 else f"the condition in line {place.line}"
        yield f"where {words} holds", np.asarray(condition, bool)
        yield f"where {words} does not hold", ~np.asarray(condition, bool)
