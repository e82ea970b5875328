"""Combinators: layers of branches, which all get the same input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from minitorch_np.base.answers import instead_of
from minitorch_np.base.contract import refuse_other_shape
from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.base.validation import Checks, Fixed
from minitorch_np.layer import Layer
from minitorch_np.layers.activations import Tanh
from minitorch_np.layers.dense import Dense
from minitorch_np.layers.guards import check_axis, places, require_axis
from minitorch_np.layers.rectifiers import ReLU

Branch = Layer | Sequence[Layer]


class _Branches(Layer):
    """What layers of branches share: every branch gets the same x. A subclass combines their outputs."""

    branches: Sequence[Branch]

    def _take(self, branches: Sequence[Branch]) -> None:
        who = type(self).__name__
        if not isinstance(branches, (list, tuple)) or not branches:
            raise ValueError(f"{who}: expected a list of branches, each a layer or a list of layers, got {branches!r}.")
        self.branches = branches
        for number, layers in enumerate(self._lists, start=1):
            check_layers(f"{who}, branch {number}", layers)
        refuse_repeats(self)

    @property
    def _lists(self) -> list[Sequence[Layer]]:
        return [[branch] if isinstance(branch, Layer) else branch for branch in self.branches]

    def _shapes(self, input_shape: Shape, method: str) -> list[Shape]:
        """The output shape of each branch; an error names the branch."""
        shapes = []
        for number, layers in enumerate(self._lists, start=1):
            try:
                shapes.append(shape_through(layers, input_shape, method))
            except ValueError as error:
                raise ValueError(f"{type(self).__name__}, branch {number}: {error}") from error
        return shapes

    def build(self, input_shape: Shape) -> None:
        self._shapes(input_shape, "ensure_built")

    def _backward(self, dys: Iterable[NDArray]) -> NDArray | None:
        """x reaches the output through every branch, so dx is the sum of the dx of all branches.

        None if one of them has no dx: the sum of the others is not dL/dx.
        """
        found = [backward_through(layers, dy) for layers, dy in zip(self._lists, dys, strict=False)]
        known = [dx for dx in found if dx is not None]
        return sum(known[1:], known[0]) if self.wants_dx and len(known) == len(found) else None

    def pass_wants_dx(self, wants: bool) -> None:
        for layers in self._lists:
            if layers:
                layers[0].wants_dx = wants

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        first = next((layers[0] for layers in self._lists if layers), Layer())
        return first.example_input(shape, rng)


class Add(_Branches):
    """y = the sum of the outputs of the branches for x.

    Args:
        branches: each a layer, or a list of layers that run one after the other; an empty list is x itself.

    Shapes: any; every branch gives the shape of y.
    Raises:
        ValueError: branches is not such a list, a layer is in it twice, or two branches give different shapes.
    """

    def __init__(self, branches: Sequence[Branch]) -> None:
        self._take(branches)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shapes = self._shapes(input_shape, "compute_output_shape")
        for number, shape in enumerate(shapes, start=1):
            if shape != shapes[0]:
                raise ValueError(
                    f"Add: branch 1 gives {batch_of(shapes[0])}, branch {number} gives {batch_of(shape)}. Branches that are added "
                    "give one shape: change the last layer of one, or use Concatenate."
                )
        return shapes[0]

    def forward(self, x: NDArray) -> NDArray:
        first, *others = [forward_through(layers, x) for layers in self._lists]
        return sum(others, first)

    def backward(self, dy: NDArray) -> NDArray | None:
        """The upstream gradient of each branch is the whole of dy; their dx add up."""
        return self._backward(repeat(dy))

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


class Concatenate(_Branches):
    """y = the outputs of the branches for x, joined along one axis.

    Args:
        branches: each a layer, or a list of layers that run one after the other; an empty list is x itself.
        axis: the axis along which they are joined; not 0, which is the batch.

    Shapes: any; the output shapes of the branches may differ only in that axis.
    Raises:
        ValueError: branches is not such a list, a layer is in it twice, there is no such axis, or the shapes do not fit.
    """

    checks: Checks = {"axis": Fixed(check_axis)}

    def __init__(self, branches: Sequence[Branch], axis: int = -1) -> None:
        self.axis = axis
        self._take(branches)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shapes = self._shapes(input_shape, "compute_output_shape")
        (place,) = places("Concatenate", (self.axis,), shapes[0])
        for number, shape in enumerate(shapes, start=1):
            if len(shape) != len(shapes[0]) or _with_size(shape, place, 0) != _with_size(shapes[0], place, 0):
                raise ValueError(
                    f"Concatenate: branch 1 gives {batch_of(shapes[0])}, branch {number} gives {batch_of(shape)}. "
                    f"Only their axis {self.axis} may differ."
                )
        return _with_size(shapes[0], place, sum(shape[place] for shape in shapes))

    def forward(self, x: NDArray) -> NDArray:
        outputs = [forward_through(layers, x) for layers in self._lists]
        require_axis(self, self.axis, outputs[0].shape)
        self.cache = [output.shape[self.axis] for output in outputs]
        return np.concatenate(outputs, self.axis)

    def backward(self, dy: NDArray) -> NDArray | None:
        """The upstream gradient of each branch is its part of dy; their dx add up."""
        return self._backward(np.split(dy, np.cumsum(self.cache)[:-1], self.axis))

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        nested = cls([[Dense(2), cls([[], Dense(3)], axis=1)], [Tanh(), Dense(4)]], axis=-1)
        deep = cls([Dense(3), [Dense(2), ReLU()], []])
        return [(deep, (5,)), (nested, (4,)), (cls([[], Tanh(), Dense(3)], axis=1), (2, 3))]


# A list of layers, one after the other


def forward_through(layers: Sequence[Layer], x: NDArray) -> NDArray:
    for layer in layers:
        x = layer.forward(x)
    return x


def backward_through(layers: Sequence[Layer], dy: NDArray | None) -> NDArray | None:
    """The chain rule: each layer turns dL/dy into dL/dx, which is dL/dy of the layer before it.

    Raises:
        ValueError: a layer returned no dL/dx, and one before it has parameters that need it.
    """
    for layer in reversed(layers):
        if dy is None:
            _refuse_without_dx(layers, layer)
            return None
        dy = layer.backward(dy)
    return dy


def _refuse_without_dx(layers: Sequence[Layer], layer: Layer) -> None:
    """The layer after this one gave no dL/dx. Raise ValueError if this one or one before it learns."""
    place = layers.index(layer)
    if any(parameter.learnable for before in layers[: place + 1] for parameter in before.parameters().values()):
        raise ValueError(
            f"{layers[place + 1]!r}.backward returned None, and the layers before it need dL/dx. End it with `return dx`."
        )


def shape_through(layers: Sequence[Layer], shape: Shape, method: str) -> Shape:
    """The output shape of layers one after the other, by their ensure_built or compute_output_shape."""
    for layer in layers:
        refuse_other_shape(layer, tuple(shape))
        shape = getattr(layer, method)(tuple(shape))
    return tuple(shape)


def check_layers(who: str, layers: Any) -> None:
    if not isinstance(layers, (list, tuple)):
        remedy = f" Write {who}([{layers!r}, …])." if isinstance(layers, Layer) else instead_of(layers)
        raise ValueError(f"{who}: expected a list of layers, got {layers!r}.{remedy}")
    for layer in layers:
        check_layer(who, layer)


def check_layer(who: str, layer: Any, where: str = "") -> None:
    if not isinstance(layer, Layer):
        expected = "" if isinstance(layer, type) else f" expected layers, got {layer!r}{where}."
        raise ValueError(f"{who}:{expected}{instead_of(layer)}")


def refuse_repeats(layer: Layer) -> None:
    """Raise ValueError if an instance is in two places."""
    for _ in layer.walk():
        pass


def _with_size(shape: Shape, place: int, size: int) -> Shape:
    return (*shape[:place], size, *shape[place + 1 :])
