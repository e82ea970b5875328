"""Merging: several arrays become one. They are the outputs of branches, or the sources of a node of a Graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.base.validation import Checks, Fixed
from minitorch_np.layer import Layer
from minitorch_np.layers.activations import Tanh
from minitorch_np.layers.chain import check_layers, refuse_repeats, shape_through
from minitorch_np.layers.combinators import Branch, _Combinator, differing, require_two, summed
from minitorch_np.layers.dense import Dense
from minitorch_np.layers.guards import check_axis, places, require_axis
from minitorch_np.layers.masks import Mask, any_of, joined, of_rank
from minitorch_np.layers.rectifiers import ReLU


class Add(_Combinator):
    """y = the sum of several arrays: of the outputs of the branches for x, or of the sources in a Graph.

    Args:
        branches: each a layer, or a list of layers that run one after the other; an empty list is x itself. None in a Graph.

    Shapes: any; sizes of 1 are broadcast.
    Raises:
        ValueError: branches is not such a list, a layer is in it twice, or the shapes do not fit.
    """

    def combine(self, arrays: Sequence[NDArray]) -> NDArray:
        first, *others = arrays
        self.cache = [array.shape for array in arrays]
        return sum(others, first)

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """Each array reaches y with the factor 1, so its gradient is the whole of dy."""
        return [summed(dy, shape) for shape in self.cache]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        nested = cls([[Dense(4), ReLU()], cls([[], Dense(4)])])
        return [(cls([Dense(3), [Dense(4), Tanh(), Dense(3)]]), (5,)), (nested, (4,)), (cls([[], Tanh()]), (2, 3))]


class Residual(Add):
    """y = x + F(x), with F the layers one after the other: an Add of x and one branch. He et al. 2016, equation 1.

    Args:
        layers: the layers of F, at least one.

    Shapes: any that F gives back; y has the shape of x.
    Raises:
        ValueError: layers is not a list of layers, one is in it twice, or F(x) has another shape than x.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        check_layers("Residual", layers)
        if not layers:
            raise ValueError("Residual: expected a list of at least one layer, got none.")
        self.layers = layers
        refuse_repeats(self)

    @property
    def _lists(self) -> list[Sequence[Layer]]:
        return [(), self.layers]

    def _shapes(self, input_shape: Shape, method: str) -> list[Shape]:
        return [tuple(input_shape), shape_through(self.layers, input_shape, method)]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        before, after = self._shapes(input_shape, "compute_output_shape")
        if before != after:
            raise ValueError(
                f"Residual: x has shape {batch_of(before)}, its layers make {batch_of(after)} of it, and the two are "
                "added. Let the last layer give back the shape of x, or use Add([layers, layer]) with a layer that "
                "brings x to the shape of the rest."
            )
        return after

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        inner = cls([Dense(3), Tanh()])
        return [(cls([Dense(4), Tanh(), Dense(5)]), (5,)), (cls([Dense(3), inner]), (3,)), (cls([Dense(3)]), (2, 3))]


class Average(Add):
    """y = the mean of several arrays. Arguments, shapes and errors are those of Add."""

    def combine(self, arrays: Sequence[NDArray]) -> NDArray:
        return super().combine(arrays) / len(arrays)

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """Each of the n arrays reaches y with the factor 1/n."""
        return super().gradients(dy / len(self.cache))


class Subtract(_Combinator):
    """y = a - b, of two arrays. Arguments, shapes and errors are those of Add; any other number of arrays raises ValueError."""

    def combined_shape(self, shapes: Sequence[Shape]) -> Shape:
        require_two(self, shapes)
        return super().combined_shape(shapes)

    def combine(self, arrays: Sequence[NDArray]) -> NDArray:
        first, second = arrays
        self.cache = first.shape, second.shape
        return first - second

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """dL/da = dy, and dL/db = -dy."""
        first, second = self.cache
        return summed(dy, first), summed(-dy, second)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls([[], [Dense(4), Tanh()]]), (4,)), (cls([Dense(3), Dense(1)]), (2, 3))]


class Multiply(_Combinator):
    """y = the product of several arrays, element by element. Arguments, shapes and errors are those of Add.

    As in Keras, padding in one array counts as 1, and y is 0 where all arrays have padding.
    """

    leaves_out_padding = True

    def combine(self, arrays: Sequence[NDArray], masks: Sequence[Mask] = ()) -> NDArray:
        real = [None if mask is None else of_rank(mask, arrays[0].ndim) for mask in masks or [None] * len(arrays)]
        pairs = zip(arrays, real, strict=True)
        arrays = [x if mask is None else np.where(mask, x, x.dtype.type(1)) for x, mask in pairs]
        any_real = any_of(real)
        self.cache = arrays, real, any_real
        y = _product(arrays)
        return y if any_real is None else y * any_real

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """The derivative of a product with respect to one factor is the product of the others; y does not depend on padding."""
        arrays, real, any_real = self.cache
        dy = dy if any_real is None else dy * any_real
        for place, (array, mask) in enumerate(zip(arrays, real, strict=True)):
            found = summed(dy * _product([*arrays[:place], *arrays[place + 1 :]]), array.shape)
            yield found if mask is None else found * mask

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls([[], [Dense(4), Tanh()], Dense(4)]), (4,)), (cls([Dense(3), Dense(1)]), (2, 3))]


class Maximum(_Combinator):
    """y = the largest of several arrays, element by element. Arguments, shapes and errors are those of Add.

    As in Keras, padding in one array does not count where another has none.
    """

    leaves_out_padding = True
    _sign = 1

    def combine(self, arrays: Sequence[NDArray], masks: Sequence[Mask] = ()) -> NDArray:
        best, *others = arrays
        real, *real_others = [
            None if mask is None else of_rank(mask, best.ndim) for mask in masks or [None] * len(arrays)
        ]
        parts = []
        for array, mask in zip(others, real_others, strict=True):
            difference = self._sign * (array.real - best.real)
            if real is not None:
                difference = np.where(real, difference, difference.dtype.type(np.inf))
            if mask is not None:
                difference = np.where(mask, difference, difference.dtype.type(-np.inf))
            parts.append(np.heaviside(difference, np.array(0.5, difference.dtype)))
            best, real = np.where(difference > 0, array, best), any_of([real, mask])
        self.cache = parts, [array.shape for array in arrays]
        return best

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """The array that is chosen gets dy. Of two equal ones each gets half, as in PyTorch.

        forward compares one array after the other with the best of those before it. `parts` has 1 where it replaced that one, 0
        where it did not, and 1/2 where both are equal. From the last array backwards, each gets its part, and the earlier ones
        share the rest.
        """
        parts, shapes = self.cache
        found = []
        for part, shape in zip(reversed(parts), reversed(shapes), strict=False):
            found.append(summed(dy * part, shape))
            dy = dy * (1 - part)
        return [summed(dy, shapes[0]), *reversed(found)]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls([[], [Dense(4), Tanh()], Dense(4)]), (4,)), (cls([Dense(3), Dense(1)]), (2, 3))]


class Minimum(Maximum):
    """y = the smallest of several arrays, element by element. Arguments, shapes and errors are those of Add."""

    _sign = -1


class Concatenate(_Combinator):
    """y = several arrays joined along one axis: the outputs of the branches for x, or the sources in a Graph.

    Args:
        branches: each a layer, or a list of layers that run one after the other; an empty list is x itself. None in a Graph.
        axis: the axis along which they are joined; not 0, which is the batch.

    Shapes: any; the arrays may differ only in that axis.
    Raises:
        ValueError: branches is not such a list, a layer is in it twice, there is no such axis, or the shapes do not fit.
    """

    checks: Checks = {"axis": Fixed(check_axis)}

    def __init__(self, branches: Sequence[Branch] | None = None, axis: int = -1) -> None:
        self.axis = axis
        self._take(branches)

    def combined_shape(self, shapes: Sequence[Shape]) -> Shape:
        (place,) = places("Concatenate", (self.axis,), shapes[0])
        for number, shape in enumerate(shapes, start=1):
            if len(shape) != len(shapes[0]) or _with_size(shape, place, 0) != _with_size(shapes[0], place, 0):
                raise ValueError(f"{differing(self, shapes, number)} Only their axis {self.axis} may differ.")
        return _with_size(shapes[0], place, sum(shape[place] for shape in shapes))

    def combine(self, arrays: Sequence[NDArray]) -> NDArray:
        require_axis(self, self.axis, arrays[0].shape)
        self.cache = [array.shape[self.axis] for array in arrays]
        return np.concatenate(arrays, self.axis)

    def merged_mask(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> Mask:
        return joined(masks, arrays, self.axis)

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """Each array is a part of y, so its gradient is this part of dy."""
        return np.split(dy, np.cumsum(self.cache)[:-1], self.axis)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        nested = cls([[Dense(2), cls([[], Dense(3)], axis=1)], [Tanh(), Dense(4)]], axis=-1)
        deep = cls([Dense(3), [Dense(2), ReLU()], []])
        return [(deep, (5,)), (nested, (4,)), (cls([[], Tanh(), Dense(3)], axis=1), (2, 3))]


def _product(arrays: Sequence[NDArray]) -> NDArray:
    first, *others = arrays
    for array in others:
        first = first * array
    return first


def _with_size(shape: Shape, place: int, size: int) -> Shape:
    return (*shape[:place], size, *shape[place + 1 :])
