"""Dot: products of two arrays, added up along an axis of each; and the cosine of the angle between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, flag
from minitorch_np.layer import Layer
from minitorch_np.layers.activations import Tanh
from minitorch_np.layers.combinators import Branch, _Combinator, differing, require_two
from minitorch_np.layers.dense import Dense
from minitorch_np.layers.guards import places
from minitorch_np.layers.masks import Mask


class Dot(_Combinator):
    """y = the products of two arrays, added up along one axis of each: y_bij = sum over k of a_bik c_bjk.

    Two arrays (batch, features) give one number for each example, (batch, 1).

    Args:
        axes: the axis of both along which is added up, or a pair with the axis of each; not 0, which is the batch.
        normalize: divide both by their lengths along this axis first. y is then the cosine of the angle between them.
        branches: as for Add.

    Raises:
        ValueError: there are not two arrays, they have no such axes, or these have different sizes.
    """

    checks: Checks = {"normalize": flag}

    def __init__(
        self, axes: int | Sequence[int] = -1, normalize: bool = False, branches: Sequence[Branch] | None = None
    ) -> None:
        pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
        if len(pair) != 2 or not all(isinstance(axis, int) and axis != 0 for axis in pair):
            raise ValueError(f"Dot: axes is an axis other than 0, which is the batch, or a pair of them, got {axes!r}.")
        self.axes, self.normalize = axes, normalize
        self._take(branches)

    def combined_shape(self, shapes: Sequence[Shape]) -> Shape:
        require_two(self, shapes)
        rests, sizes = [], []
        for shape, axis in zip(shapes, self._pair, strict=True):
            (place,) = places("Dot", (axis,), shape)
            rests.append((*shape[:place], *shape[place + 1 :]))
            sizes.append(shape[place])
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"{differing(self, shapes, 2)} It adds up along axes {self._pair}, which have sizes {sizes[0]} and {sizes[1]}."
            )
        return (*rests[0], *rests[1]) or (1,)

    def combine(self, arrays: Sequence[NDArray]) -> NDArray:
        rows = [np.moveaxis(array, axis, -1) for array, axis in zip(arrays, self._pair, strict=True)]
        shapes = [array.shape for array in rows]
        a, c = (array.reshape(len(array), -1, array.shape[-1]) for array in rows)
        lengths = None
        if self.normalize:
            lengths = _length(a), _length(c)
            a, c = a / lengths[0], c / lengths[1]
        self.cache = a, c, lengths, shapes
        return (a @ c.transpose(0, 2, 1)).reshape(len(a), *(*shapes[0][1:-1], *shapes[1][1:-1]) or (1,))

    def merged_mask(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> Mask:
        """The sum along an axis has no steps of its own."""
        return None

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """As for a matrix product, y = a c^T in each example: dL/da = dy c, and dL/dc = dy^T a.

        With u = a / |a|: a change of a along u changes only the length, so dL/da = (du - u (u . du)) / |a|.
        """
        a, c, lengths, shapes = self.cache
        dy = dy.reshape(len(a), a.shape[1], c.shape[1])
        found = [dy @ c, dy.transpose(0, 2, 1) @ a]
        if lengths is not None:
            for place, (unit, length) in enumerate(zip((a, c), lengths, strict=True)):
                along = (unit * found[place]).sum(axis=-1, keepdims=True)
                found[place] = (found[place] - unit * along) / length
        return [
            np.moveaxis(part.reshape(shape), -1, axis)
            for part, shape, axis in zip(found, shapes, self._pair, strict=True)
        ]

    @property
    def _pair(self) -> tuple[int, int]:
        return (self.axes, self.axes) if isinstance(self.axes, int) else (self.axes[0], self.axes[1])

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        two: list[Branch] = [Dense(4), [Dense(4), Tanh()]]
        return [
            (cls(branches=two), (3,)),
            (cls(1, True, two), (5,)),
            (cls((2, 1), branches=[Dense(3), Dense(4)]), (3, 5)),
        ]


def _length(rows: NDArray) -> NDArray:
    """The Euclidean length of each row, at least so large that the division by it gives no infinity."""
    return np.sqrt(np.maximum((rows * rows).sum(axis=-1, keepdims=True), np.finfo(rows.real.dtype).tiny))
