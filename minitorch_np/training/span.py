"""Span: the kernel of the first layer in the coordinates of a small space that SGD never leaves. See docs/wide_data.md.

Three names: the `whole` kernel (features, units) is the one in the model; the `small` one (rank, units) holds its coordinates and is what
the optimiser changes; to fold is to compute whole = basis @ small.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.optimizers import Optimizer

VALUE, GRAD = "value", "grad"  # beside the names of the optimiser's arrays, such as "velocity"
_slot: Any = vars(Parameter)["grad"]  # where a Parameter stores its gradient


class Span:
    """An orthonormal basis of the space that x, the kernel and the optimiser's arrays span, and all of them in its coordinates.

    From [x^T, kernel, …] = basis @ triangle, the QR decomposition, the columns of the triangle are the coordinates.

    Args:
        x: one row of features per example.
        arrays: the kernel and what the optimiser keeps of it, each (features, units).

    Attributes:
        basis: (features, rank) in float64, with rank = examples + units * number of arrays.
        x: (examples, rank).
        arrays: the coordinates of each array, (rank, units).
    """

    basis: NDArray
    x: NDArray
    arrays: dict[str, NDArray]

    def __init__(self, x: NDArray, arrays: Mapping[str, NDArray]) -> None:
        columns = [x.T, *arrays.values()]
        self.basis, triangle = np.linalg.qr(np.concatenate(columns, axis=1, dtype=np.float64))
        ends = np.cumsum([part.shape[1] for part in columns])
        of_x, *others = np.split(triangle, ends[:-1], axis=1)
        self.x, self.arrays = np.ascontiguousarray(of_x.T), dict(zip(arrays, others, strict=True))

    def coordinates_of(self, x: NDArray) -> NDArray:
        """What the small kernel takes in place of these inputs. x @ whole = (x @ basis) @ small holds for every x."""
        return x @ self.basis

    def fold(self, small: NDArray) -> NDArray:
        return self.basis @ small


class FoldedParameter(Parameter):
    """The whole kernel while the small one is trained: whoever reads its value or gradient gets it as it is after the last step."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def value(self):
            self._fold(VALUE)
            return self._value

        @value.setter
        def value(self, value):
            self._fold(VALUE)
            self._copy_into(value)

        @property
        def grad(self):
            self._fold(GRAD)
            return _slot.__get__(self)

        @grad.setter
        def grad(self, grad):
            self._fold(GRAD)
            _slot.__set__(self, grad)

    def _fold(self, key: str) -> None:
        kernel = self._in_span
        if kernel is not None:  # else the fit has ended just now, in another thread
            kernel.fold(key)

    def replace(self, value: NDArray) -> None:
        self._fold(VALUE)
        super().replace(value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """For copy and pickle: a copy is a plain Parameter."""
        settings = Parameter.sharing(self.value[:0], self.learnable)
        settings.take_settings(self)
        return _plain, (self.value, self.grad, settings)


def _plain(value: NDArray, grad: NDArray | None, settings: Parameter) -> Parameter:
    parameter = Parameter.sharing(value, settings.learnable)
    parameter.grad = grad
    parameter.take_settings(settings)
    return parameter


class FoldedState(dict[str, Any]):
    """What the optimiser keeps of the whole kernel. Like FoldedParameter, it is brought up to date when it is read."""

    def __init__(self, kernel: KernelInSpan, arrays: Mapping[str, NDArray]) -> None:
        super().__init__(arrays)
        self.kernel = kernel

    def __getitem__(self, name: str) -> NDArray:
        if name in self:
            self.kernel.fold(name)
        return super().__getitem__(name)

    def __setitem__(self, name: str, array: NDArray) -> None:
        if name in self:
            self.kernel.fold(name)
        super().__setitem__(name, array)

    def get(self, name: str, default: Any = None) -> Any:
        self.plain()
        return super().get(name, default)

    def items(self) -> Any:
        return self.plain().items()

    def values(self) -> Any:
        return self.plain().values()

    def plain(self) -> dict[str, NDArray]:
        return {name: self[name] for name in self}

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (self.plain(),)


class KernelInSpan:
    """A kernel as basis @ small. It folds when it is read, and notices when what was folded has been changed.

    Args:
        name, whole: the kernel in the model.
        optimizer: its state for this kernel is kept in coordinates, too.
        x: all examples, as the kernel gets them, (examples, features).
        kept: what `get_state` returned, to continue from, or None.

    Attributes:
        small: the Parameter to train in place of the whole one.
        stale: what was not folded since the last step.
    """

    def __init__(
        self, name: str, whole: Parameter, optimizer: Optimizer, x: NDArray, kept: Mapping[str, Any] | None = None
    ) -> None:
        self.name, self.whole, self.optimizer = name, whole, optimizer
        self.lock = threading.RLock()  # held during a step and while a thread folds
        self.stale: set[str] = set()
        self._looked: set[str] = set()  # what was read since the last step, and may have been changed
        own = {key: array for key, array in optimizer.state.get(name, {}).items()}  # noqa: C416 dict() would not fold
        self._at_first = {VALUE: whole.value.copy(order="K"), **{key: array.copy() for key, array in own.items()}}
        if kept is not None:
            self._at_first = kept["at_first"]
        self.span = Span(x, self._at_first)
        now, dtype = self.span.arrays if kept is None else kept["now"], whole.value.dtype
        small = {key: np.ascontiguousarray(array, dtype) for key, array in now.items()}
        self._folded = {VALUE: whole.value.copy(order="K"), **{key: array.copy() for key, array in own.items()}}
        self.small = Parameter.sharing(small.pop(VALUE), whole.learnable)
        self.small.take_settings(whole)
        self._state = small
        self._whole_state = FoldedState(self, own)
        optimizer.state[name] = self._whole_state
        whole._in_span = self
        whole.__class__ = FoldedParameter

    # What the training loop uses

    @contextmanager
    def in_coordinates(self) -> Iterator[None]:
        """Inside the `with` block the optimiser has the state of the small kernel."""
        with self.lock:
            before = self.optimizer.state.get(self.name)
            if before is self._state:  # inside another such block
                yield
                return
            self._swap(self._state, self.small)
            try:
                yield
            finally:
                self._state = self.optimizer.state.get(self.name, {})
                self._swap(before, self.whole)

    def note_step(self) -> None:
        """From now on everything is folded anew when it is read."""
        for key in self._state.keys() - self._folded.keys():  # the optimiser has made an array, such as the velocity
            self._folded[key] = np.zeros_like(self.whole._value)
            dict.__setitem__(self._whole_state, key, np.zeros_like(self.whole._value))
        for key in self._folded.keys() - {VALUE} - self._state.keys():
            dict.pop(self._whole_state, key)
            del self._folded[key]
        self.stale = {GRAD, *self._folded}

    def is_changed(self) -> bool:
        """Whether a callback or another thread has changed the whole kernel, or the optimiser's state of it, since the last step."""
        with self.lock:
            looked, self._looked = self._looked, set()
            if (
                self.optimizer.state.get(self.name) is not self._whole_state
                or self._whole_state.keys() != self._state.keys()
            ):
                return True
            return any(not _same(self._array(key), self._folded[key]) for key in looked)

    def forget_changes(self) -> None:
        """Take what the whole kernel is now as what was folded."""
        self._folded[VALUE] = self.whole._value.copy(order="K")

    def leave(self) -> None:
        """Fold everything, and make the kernel and the optimiser's state plain ones again."""
        with self.lock:
            try:
                for key in [GRAD, *self._folded]:
                    self.fold(key)
            finally:
                if self.optimizer.state.get(self.name) is self._whole_state:
                    self.optimizer.state[self.name] = {key: self._array(key) for key in self._whole_state}
                self.whole.__class__, self.whole._in_span = Parameter, None

    def get_state(self) -> dict[str, Any]:
        """What determines the coordinates to the bit: the arrays that the basis was made from, and the small ones."""
        return {"at_first": self._at_first, "now": {VALUE: self.small.value, **self._state}}

    # Folding

    def fold(self, key: str) -> None:
        """Bring the kernel, its gradient or an array of the optimiser up to date, in place.

        Raises:
            RuntimeError: the array was changed after the last step without being read again.
        """
        with self.lock:
            if key != GRAD:
                self._looked.add(key)
            if key not in self.stale:
                return
            if key == GRAD:
                grad = self.small.grad
                new = None if grad is None else self.span.fold(grad).astype(grad.dtype)
                _slot.__set__(self.whole, new)
            else:
                array = self._array(key)
                if not _same(array, self._folded[key]):
                    raise RuntimeError(
                        f"fit(in_span=True): the array of {self.name} was changed through a reference that is older than the last step. "
                        f"Read it anew before each change: write parameter.{key}[...] = …, not array[...] = …."
                    )
                array[...] = self.span.fold(self.small.value if key == VALUE else self._state[key])
                self._folded[key] = array.copy(order="K")
            self.stale.discard(key)

    def _array(self, key: str) -> NDArray:
        return self.whole._value if key == VALUE else dict.__getitem__(self._whole_state, key)

    def _swap(self, state: dict[str, NDArray] | None, owner: Parameter) -> None:
        if state is None:
            self.optimizer.state.pop(self.name, None)
        else:
            self.optimizer.state[self.name] = state
        self.optimizer._owners[self.name] = weakref.ref(owner)


def _same(one: NDArray, other: NDArray) -> bool:
    """Whether two arrays are equal; NaN is equal to itself."""
    return np.array_equal(one, other) or np.array_equal(one, other, equal_nan=True)
