"""Foreign: what all adapters for code of somebody else have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.adapting.layout import Layout
from minitorch_np.checking.arrays_inside import copied
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray, Shape


class Foreign(Layer):
    """Code of somebody else as a Layer.

    `meet(x)` runs it and finds out what its arrays are; `looked_at()` says what was found.
    """

    shared: tuple[str, ...] = ("wide", "lacking")  # attributes that copies share
    forgotten: tuple[str, ...] = ()  # attributes that are None in copies

    def __init__(self, examples: str | None = None) -> None:
        self.told_layout = examples
        self.layout = Layout(examples or "rows")
        self.values: dict[str, Parameter] = {}
        self.wide: deque[str] = deque()  # shared by all copies; no set, which State would put back as it was
        self.lacking: dict[str, Shape] = {}  # gradients without axes of length 1 that their values have; shared too
        self._dtype = np.dtype(np.float64)  # until the run with float32

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        for name, value in vars(self).items():
            vars(copy)[name] = value if name in self.shared else None if name in self.forgotten else copied(value)
        return copy

    def meet(self, x: NDArray) -> NDArray:
        """Find out what the arrays are, with x in the layout of the code; returns x with examples as rows."""
        raise NotImplementedError

    def looked_at(self) -> str:
        """Which arrays are taken for parameters, which gradients for theirs, and which are left out."""
        raise NotImplementedError

    def names(self) -> dict[str, str]:
        """What the code calls dy and the gradients of parameters, as far as it is known."""
        return {}

    def remarks(self) -> list[str]:
        """What makes the result less than certain: arrays that were not checked."""
        return []

    def checked(self, wrt: str | Sequence[str]) -> str | Sequence[str]:
        """The names to check, where the caller asked for `wrt`."""
        return wrt

    def own_parameters(self) -> dict[str, Parameter]:
        return dict(self.values)

    def narrow(self, name: str, array: Any) -> Any:
        """The array as float32 in the run with float32. Constants of somebody else's code are often float64; that is no wrong derivative."""
        if self._dtype == np.float32 and isinstance(array, (np.ndarray, np.generic)) and array.dtype == np.float64:
            self.wide.append(name)
            return array.astype(np.float32)
        return array

    def in_shape(self, name: str, gradient: NDArray) -> NDArray:
        """The gradient with the axes of length 1 that broadcasting would add, as for b of (1, 3) and db of (3,)."""
        shape = self.values[name].shape
        missing = len(shape) - gradient.ndim
        if missing > 0 and (1,) * missing + gradient.shape == shape:
            self.lacking[name] = gradient.shape
            return gradient.reshape(shape)
        return gradient

    def build(self, input_shape: Shape) -> None:
        """Inside a model: x is known by its shape alone."""
        if not self.values:
            self.meet(np.random.default_rng(0).normal(size=(4, *input_shape)))

    def know_shapes(self, x: NDArray, y: Any) -> None:
        """Count as built, so that no forward of zeros is needed."""
        self.input_shape, self.output_shape, self.built = x.shape[1:], np.shape(y)[1:], True
