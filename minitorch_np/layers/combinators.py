"""Combinators: layers that make one array of several. They are the outputs of branches, or the sources of a node of a Graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minitorch_np.base.arrays import as_floats
from minitorch_np.base.shapes import NDArray, Shape, batch_of, has_several
from minitorch_np.layer import Layer
from minitorch_np.layers.chain import backward_through, check_layers, refuse_repeats, shape_through
from minitorch_np.layers.masks import Mask, any_given, any_of, through

Branch = Layer | Sequence[Layer]


class _Combinator(Layer):
    """y = one array made of several, which a subclass defines in `combine` and `gradients`.

    In a Sequential the several arrays are the outputs of branches, which all get the same x. Without branches the layer is a node of
    a Graph, and the arrays are the outputs of its sources: forward takes several arrays, and backward returns one dx for each.
    """

    branches: Sequence[Branch] | None = None
    leaves_out_padding = (
        False  # whether combine takes the masks of the arrays as well, or None, and treats padding in its own way
    )

    def __init__(self, branches: Sequence[Branch] | None = None) -> None:
        self._take(branches)

    # What a subclass writes

    def combine(self, arrays: Sequence[NDArray]) -> NDArray:
        """y for these arrays."""
        raise NotImplementedError(f"{self!r} has no combine: write combine(self, arrays) and return y.")

    def gradients(self, dy: NDArray) -> Iterable[NDArray]:
        """dL/darray for each of the arrays."""
        raise NotImplementedError(f"{self!r} has no gradients: write gradients(self, dy).")

    def combined_shape(self, shapes: Sequence[Shape]) -> Shape:
        """The shape of y for arrays of these shapes, without the batch; ValueError if they do not fit. By default y is computed element
        by element.
        """
        return broadcast(self, shapes)

    def merged_mask(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> Mask:
        """The mask of y, from the arrays and their masks: a step is real if it is real in one of them, as in Keras."""
        return any_of(masks)

    # What containers use

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.combined_shape(self._shapes(input_shape, "compute_output_shape"))

    def __call__(self, x: Any, *others: Any, training: bool | None = None) -> Any:
        """y for x, or without branches for several arrays: layer(a, b), or layer([a, b]) as in Keras."""
        if self._lists:
            return super().__call__(x, *others) if training is None else super().__call__(x, training)
        arrays = x if isinstance(x, (list, tuple)) else (x, *others)
        return self.forward(*(as_floats(array, "x", self, "biufc") for array in arrays))

    def forward(self, x: NDArray, *others: NDArray, mask: NDArray | None = None) -> NDArray:
        arrays: Sequence[NDArray] = (x, *others)
        masks: Any = mask  # without branches those of all arrays
        if self._lists:
            arrays, masks = zip(*(through(layers, x, mask) for layers in self._lists), strict=True)
            self.output_mask = self.merged_mask(masks, arrays)
        else:
            self._refuse_single(others)
        if self.leaves_out_padding and masks is not None and any_given(masks):
            return self.combine(arrays, masks)  # type: ignore[call-arg]
        return self.combine(arrays)

    def masks_of_forward(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> dict[str, Any]:
        return {"mask": masks}

    def backward(self, dy: NDArray) -> Any:
        """x reaches y through every branch, so dx is the sum of the dx of all branches. In a Graph each source gets its own dx."""
        found = self.gradients(dy)
        if not self._lists:
            return tuple(found)
        dxs = [backward_through(layers, part) for layers, part in zip(self._lists, found, strict=True)]
        known = [dx for dx in dxs if dx is not None]  # the sum of some of them is not dL/dx
        return sum(known[1:], known[0]) if self.wants_dx and len(known) == len(dxs) else None

    def build(self, input_shape: Shape) -> None:
        self._shapes(input_shape, "ensure_built")

    def pass_wants_dx(self, wants: bool) -> None:
        for layers in self._lists:
            if layers:
                layers[0].wants_dx = wants

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        first = next((layers[0] for layers in self._lists if layers), Layer())
        return first.example_input(shape, rng)

    def _take(self, branches: Sequence[Branch] | None) -> None:
        who = type(self).__name__
        if branches is not None and (not isinstance(branches, (list, tuple)) or not branches):
            raise ValueError(f"{who}: expected a list of branches, each a layer or a list of layers, got {branches!r}.")
        self.branches = branches
        for number, layers in enumerate(self._lists, start=1):
            check_layers(f"{who}, branch {number}", layers)
        refuse_repeats(self)

    @property
    def _lists(self) -> list[Sequence[Layer]]:
        return [[branch] if isinstance(branch, Layer) else branch for branch in self.branches or ()]

    def _shapes(self, input_shape: Any, method: str) -> list[Shape]:
        """The shape of each array: the output shapes of the branches, or the shapes of the sources. An error names the branch."""
        if not self._lists:
            self._refuse_single(input_shape[1:] if has_several(input_shape) else ())
            return list(input_shape)
        shapes = []
        for number, layers in enumerate(self._lists, start=1):
            try:
                shapes.append(shape_through(layers, input_shape, method))
            except ValueError as error:
                raise ValueError(f"{type(self).__name__}, branch {number}: {error}") from error
        return shapes

    def _refuse_single(self, others: Sequence[Any]) -> None:
        """Raise ValueError if there is one array: without branches there is nothing to combine it with."""
        if not others:
            who = type(self).__name__
            raise ValueError(
                f"{who}: expected several arrays, got one. In a Sequential give it branches, {who}([[], Dense(4)]); without branches "
                "it is a node of a Graph with several sources."
            )


# Arrays of several shapes


def broadcast(layer: _Combinator, shapes: Sequence[Shape]) -> Shape:
    """The shape of what is computed from arrays of these shapes element by element. Sizes of 1 are repeated."""
    for number, shape in enumerate(shapes, start=1):
        fits = len(shape) == len(shapes[0]) and all(
            a == b or 1 in (a, b) for a, b in zip(shape, shapes[0], strict=True)
        )
        if not fits:
            raise ValueError(
                f"{differing(layer, shapes, number)} Here they have one shape, or sizes of 1: change the last layer of one, or use "
                "Concatenate."
            )
    return tuple(np.broadcast_shapes(*shapes))


def summed(gradient: NDArray, shape: Shape) -> NDArray:
    """The gradient of an array of this shape that was broadcast: the sum over the axes along which its elements were repeated."""
    if gradient.shape == shape:
        return gradient
    axes = tuple(axis for axis, size in enumerate(shape) if size != gradient.shape[axis])
    return gradient.sum(axis=axes, keepdims=True)


def require_two(layer: _Combinator, shapes: Sequence[Shape]) -> None:
    """Raise ValueError unless there are two arrays."""
    if len(shapes) != 2:
        raise ValueError(f"{type(layer).__name__}: expected two arrays, got {len(shapes)}.")


def differing(layer: _Combinator, shapes: Sequence[Shape], number: int) -> str:
    """The beginning of an error about the shape of one array beside that of the first."""
    word = "branch" if layer.branches else "source"
    first, other = batch_of(shapes[0]), batch_of(shapes[number - 1])
    return f"{type(layer).__name__}: {word} 1 gives {first}, {word} {number} gives {other}."
