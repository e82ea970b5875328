"""RunInSpan: a call of fit that trains in the span of the examples, with the same results. See docs/wide_data.md."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameters import Parameters
from minitorch_np.base.state import as_state
from minitorch_np.callbacks.average_weights import AverageWeights
from minitorch_np.callbacks.callback import Callback
from minitorch_np.training.data import Examples
from minitorch_np.training.divergence import LastGood, is_finite
from minitorch_np.training.loop import Run
from minitorch_np.training.span import VALUE, KernelInSpan
from minitorch_np.training.span_checks import check_settings, check_size, checked

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.callbacks.callback_list import CallbackList
    from minitorch_np.layer import Layer
    from minitorch_np.layers import Dense
    from minitorch_np.sequential import Sequential
    from minitorch_np.training.data import Stream
    from minitorch_np.training.epochs import Epochs
    from minitorch_np.training.history import History
    from minitorch_np.training.interrupt import Interrupt
    from minitorch_np.training.preparation import Preparation


class RunInSpan(Run):
    """Run with a small kernel in place of the first one; callbacks, files, other threads and the user see the whole kernel.

    The first epoch begins with the basis. If a callback has changed the kernel, a new basis is made before the next step.

    Raises:
        ValueError: the results would not be those of a plain run, or there is nothing to gain; it names the reason.
    """

    training: Examples
    dense: Dense
    whole: Parameter

    def __init__(
        self,
        model: Sequential,
        data: Preparation,
        callbacks: CallbackList,
        *,
        epochs: Epochs,
        batch_size: int | None,
        shuffle: bool,
        progress: bool,
    ) -> None:
        self.who = f"{type(model).__name__}.fit(in_span=True)"
        if epochs.accumulate > 1:
            raise ValueError(f"{self.who}: it takes a step for each batch. Leave accumulate={epochs.accumulate} out.")
        if any(isinstance(callback, AverageWeights) for callback in callbacks):
            raise ValueError(
                f"{self.who}: AverageWeights gives the model other weights for validation, which it does not see. Leave one of the two out."
            )
        self.dense, self.whole_data = checked(model, data.training, self.who)
        self.sequential, self.whole = model, self.dense.kernel
        self.kernel: KernelInSpan | None = None
        self.kept = InSpan(self.whole, len(self.whole_data.x))
        callbacks.append(self.kept)
        super().__init__(
            model,
            data,
            callbacks,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            progress=progress,
        )
        self.whole_rest, self.whole_validation = self.rest, self.validation
        self.name = next(name for name, parameter in self.parameters.items() if parameter is self.whole)
        self.settings: tuple[Any, ...] = ()
        self._check()
        check_size(len(self.whole_data.x), self.dense, model.optimizer, self.name, self.who)

    def all_epochs(self) -> History:
        try:
            return super().all_epochs()
        finally:
            self._leave()

    def one_epoch(self, interrupt: Interrupt) -> bool:
        if self.kernel is None and np.isfinite(self.whole.value).all():  # if not, the first step raises
            self._enter(self.kept.restored)
        return super().one_epoch(interrupt)

    def one_step(self, x: NDArray, y: NDArray, weights: NDArray | None) -> float:
        if self.kernel is None:
            return super().one_step(x, y, weights)
        with self.kernel.lock:
            self._check()
            x = self._take_over_changes(x)
            with self.kernel.in_coordinates():
                try:
                    return super().one_step(x, y, weights)
                finally:
                    self.kernel.note_step()

    def as_given(self, x: NDArray) -> tuple[Layer, NDArray]:
        if self.kernel is None:
            return super().as_given(x)
        return self.whole_rest, (x @ self.kernel.span.basis.T).astype(x.dtype)

    def _end_of_epoch(self) -> None:
        self._take_over_changes(self._no_examples)
        super()._end_of_epoch()

    def _keep(self) -> None:
        if self.checkpoint is not None:
            self._take_over_changes(self._no_examples)
        super()._keep()

    @property
    def _no_examples(self) -> NDArray:
        return self.training.x[:0]

    def _update_what_learns(self) -> None:
        if self.kernel is not None and self.kernel.small.trainable != self.whole.trainable:
            self.kernel.small.trainable = self.whole.trainable
        super()._update_what_learns()

    def _enter(self, kept: Mapping[str, Any] | None = None) -> None:
        """Make the basis, and train the small kernel from now on."""
        model, dtype = self.model, self.whole.value.dtype
        x = self.whole_data.take(slice(None))[0]
        kernel = self.kernel = self.kept.kernel = KernelInSpan(self.name, self.whole, model.optimizer, x, kept)
        self.rest = self.sequential.with_first_dense(kernel.small)
        self.parameters = Parameters({**self.parameters, self.name: kernel.small})
        in_span = kernel.span.x.astype(dtype)
        if self.training is self.whole_data:
            self.training = _with_x(self.whole_data, in_span)
        else:
            self.training.x = in_span  # batches of this epoch that are yet to come are taken from it
        self.validation = _rotated(self.whole_validation, kernel)
        self.last_good = LastGoodInSpan(self.parameters, kernel)
        if self.last_good.not_finite() is None:
            self.last_good.keep(self.steps)
        self.known_changes = -1  # look anew which parameters are trained

    def _take_over_changes(self, x: NDArray) -> NDArray:
        """If a callback has changed the kernel or the optimiser's state of it, continue from there. Returns x in the new coordinates."""
        kernel = self.kernel
        if kernel is None or not kernel.is_changed():
            return x
        if not np.isfinite(self.whole.value).all():
            kernel.small.value[...] = np.nan  # the next loss is not finite, which puts back the last good weights
            kernel.forget_changes()
            return x
        _, given = self.as_given(x)
        kernel.leave()
        self._enter()
        return self.kernel.span.coordinates_of(given).astype(x.dtype)  # type: ignore[union-attr]

    def _check(self) -> None:
        """Refuse settings that have other results in the span. A callback may have changed them."""
        optimizer = self.model.optimizer
        settings = optimizer, optimizer.clipvalue, self.whole.regularizer
        if settings == self.settings:
            return
        if self.kernel is not None and self.kernel.optimizer is not optimizer:
            raise ValueError(
                f"{self.who}: model.optimizer was replaced during training. End this fit first: model.stop_training = True."
            )
        check_settings(*settings, self.dense, self.who)
        self.settings = settings

    def _leave(self) -> None:
        """Give the model the whole kernel, as it is after the last step."""
        if self.kernel is None:
            return
        self.rest.wants_dx = True
        kernel, self.kernel = self.kernel, None
        self.rest, self.parameters = self.whole_rest, Parameters({**self.parameters, self.name: self.whole})
        kernel.leave()


class InSpan(Callback):
    """What a checkpoint keeps besides the whole kernel, so that a resumed run continues in the same coordinates, to the bit."""

    kept = ("in_span",)

    def __init__(self, whole: Parameter, examples: int) -> None:
        self.whole, self.examples = whole, examples
        self.kernel: KernelInSpan | None = None
        self.restored: dict[str, Any] | None = None

    def get_state(self) -> dict[str, Any]:
        if self.kernel is None:  # no step was taken since the start, or since the file was read
            return self.restored or {}
        return as_state(self.kernel.get_state())

    def set_state(self, state: dict[str, Any]) -> None:
        if not state:
            return
        first, now = state["at_first"], state["now"]
        small = (self.examples + len(first) * self.whole.shape[1], self.whole.shape[1])
        for arrays, shape in ((first, self.whole.shape), (now, small)):
            for array in arrays.values():
                if not isinstance(array, np.ndarray) or array.shape != shape or not np.isfinite(array).all():
                    raise ValueError(
                        f"what it keeps of the kernel in the span is not an array of finite numbers of shape {shape}"
                    )
        if not {"value"} <= first.keys() <= now.keys():
            raise ValueError("it does not keep the kernel in the span")
        self.restored = state


class LastGoodInSpan(LastGood):
    """LastGood of the small kernel, and of the optimiser's state in coordinates."""

    def __init__(self, parameters: Mapping[str, Parameter], kernel: KernelInSpan) -> None:
        super().__init__(parameters, kernel.optimizer)
        self.kernel = kernel

    def keep(self, step: int) -> None:
        with self.kernel.in_coordinates():
            super().keep(step)

    def put_back(self) -> None:
        with self.kernel.in_coordinates():
            super().put_back()
        self.kernel.forget_changes()
        self.kernel.note_step()

    def not_finite(self) -> str | None:
        kernel = self.kernel
        # If it is not stale, the callback of the last step may have changed it.
        if VALUE not in kernel.stale and not is_finite(kernel.whole.value):
            return kernel.name
        with kernel.in_coordinates():
            return super().not_finite()


class _Rotated:
    """The preprocessing of a Stream of validation data, and then the coordinates of its outputs."""

    def __init__(self, preprocessing: Layer | None, kernel: KernelInSpan, dtype: np.dtype) -> None:
        self.preprocessing, self.kernel, self.dtype = preprocessing, kernel, dtype

    def forward(self, x: NDArray) -> NDArray:
        x = x if self.preprocessing is None else self.preprocessing.forward(x)
        return self.kernel.span.coordinates_of(x).astype(self.dtype)


def _rotated(data: Examples | Stream | None, kernel: KernelInSpan) -> Any:
    """Validation data in coordinates. x @ whole = (x @ basis) @ small, although x is not in the span, because the kernel is."""
    if data is None:
        return None
    if isinstance(data, Examples):
        parts = [kernel.span.coordinates_of(x).astype(data.dtype) for x, _, _ in data.batches(512)]
        return _with_x(data, np.concatenate(parts))
    stream = copy.copy(data)
    stream.preprocessing = _Rotated(data.preprocessing, kernel, data.dtype)  # type: ignore[assignment]
    return stream


def _with_x(data: Examples, x: NDArray) -> Examples:
    data = copy.copy(data)
    data.x, data.ready = x, True
    return data
