"""Matrix: a gradient as an affine function of dy, seen by calling backward once for each output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.tracing.operations import local_derivative

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.naming.setting import Setting

TOLERANCE = 1e-9
_OUTPUTS = 500  # the most calls of backward
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Matrix:
    """gradient = at_zero + seen @ dy, where true @ dy is due; dy and the gradient are taken flat.

    Attributes:
        name: the tensor.
        shape: of the tensor, whose elements are the rows. outputs: of y, whose elements are the columns.
        due: where the true matrix is not 0.
        size: of the largest number in the true matrix.
        turned: whether rows and columns are exchanged.
    """

    name: str
    shape: Shape
    outputs: Shape
    true: NDArray
    seen: NDArray
    at_zero: NDArray
    setting: Setting
    turned: bool = False

    @property
    def size(self) -> float:
        return float(np.abs(self.true).max(initial=0))

    @property
    def due(self) -> NDArray:
        return np.abs(self.true) > TOLERANCE * self.size

    @property
    def linear(self) -> bool:
        """Whether dy = 0 gives 0."""
        return bool(self.same(self.at_zero, 0).all())

    @property
    def value(self) -> NDArray:
        return self.setting.graph.leaves[self.name].value

    def same(self, a: NDArray, b: NDArray | float, size: float | None = None) -> NDArray:
        """Where two arrays are equal to rounding, beside the largest number of the matrix."""
        return np.abs(a - b) <= TOLERANCE * max(self.size if size is None else size, 1e-300)

    def transposed(self) -> Matrix:
        """Elements as columns: what an element gathers, in place of what an output sends."""
        zero = np.zeros(len(self.true.T))
        return replace(
            self, shape=self.outputs, outputs=self.shape, true=self.true.T, seen=self.seen.T, at_zero=zero, turned=True
        )

    def before_activation(self) -> Matrix | None:
        """The columns divided by the derivative of the elementwise steps before y, so that numbers are seen as they were put.

        None if there are no such steps, or they change nothing.
        """
        graph = self.setting.graph
        node = graph.output
        while steps := [
            operand
            for k, operand in enumerate(node.operands)
            if operand.active and operand.leaf is None and operand.value.shape == node.value.shape
            if local_derivative(node, k) is not None
        ]:
            node = max(steps, key=lambda step: step.index)
        derivative = graph.sweep(np.ones(graph.output.value.shape))[0].get(node.index)
        if derivative is None or np.allclose(derivative, 1):
            return None
        flat = derivative.ravel()
        inverse = np.where(np.abs(flat) > TOLERANCE, 1 / np.where(flat, flat, 1), 0)
        return replace(self, true=self.true * inverse, seen=self.seen * inverse)


@dataclass(frozen=True)
class Finding:
    """What is seen in a matrix.

    Attributes:
        key: what must be the same in both settings.
        says: the end of the sentence that begins with the tensor.
        change: what to write instead, or "".
        holds: whether it is true of the matrix of another setting, where that takes fewer numbers than to find it anew.
    """

    key: tuple[Any, ...]
    says: str
    holds: Callable[[Matrix], bool] | None = None
    change: str = ""


def matrices(setting: Setting, names: list[str], until: float) -> Iterator[Matrix]:
    """The matrices of these gradients; none if y is large, the time is up, or backward is not affine in dy."""
    y = setting.graph.output.value
    if not 0 < y.size <= _OUTPUTS:
        return
    at_zero = _gradients(setting, np.zeros(y.shape))
    seen, true = [], []
    for output in range(y.size):
        dy = np.zeros(y.shape)
        dy.flat[output] = 1
        seen.append(_gradients(setting, dy))
        true.append(setting.graph.gradients(dy))
        if time.thread_time() > until:
            return
    for name in names:
        due, zero, given = setting.true[name], at_zero[name], setting.observed[name]
        if given is None or zero is None or any(np.shape(column[name]) != due.shape for column in [*seen, at_zero]):
            continue
        slopes = np.stack([(column[name] - zero).ravel() for column in seen], 1)
        predicted = zero.ravel() + slopes @ np.ravel(setting.dy)
        if np.allclose(predicted, given.ravel(), rtol=1e-8, atol=1e-10 * np.abs(given).max(initial=1e-290)):
            columns = np.stack([column[name].ravel() for column in true], 1)
            yield Matrix(name, due.shape or (1,), y.shape or (1,), columns, slopes, zero.ravel(), setting)


def _gradients(setting: Setting, dy: NDArray) -> dict[str, Any]:
    given = setting.subject.gradients(dy)
    copies = {name: None if given[name] is None else np.array(given[name], np.float64) for name in setting.true}
    setting.subject.restore()
    return copies


def coordinates(shape: Shape) -> NDArray:
    """The index of each element, as rows: one for each axis."""
    return np.indices(shape).reshape(len(shape), -1)
