"""FunctionLoss: a loss that is a function. Its gradient is found from the function's operations."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import in_dtype
from minitorch_np.base.callers import caller
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.text import as_sentence, of_class
from minitorch_np.base.validation import Checks, flag, target_comes_first
from minitorch_np.losses.loss import Loss

if TYPE_CHECKING:
    from minitorch_np.losses.slopes import Gradient


def _check_function(who: str, name: str, value: Any) -> None:
    if not callable(value) or isinstance(value, type):
        raise ValueError(f"{who}: {name} is a function (prediction, target) -> values, got {value!r}.{of_class(value)}")
    target_comes_first(value, who)


class FunctionLoss(Loss):
    """L = the mean of what a function of prediction and target returns: one value for each example, or their mean.

    compile makes it of a function. The gradient is exact to rounding, also of abs, maximum, where and norms: it follows from the
    graph of the function's operations, or where that does not follow them, from complex steps (losses/slopes.py). At a kink it is
    PyTorch's: 0 for abs at 0, one half each for two equal numbers in maximum. The function gets copies in float64.

    Args:
        function: (prediction, target) -> values; or (target, prediction), if the names of its parameters show that order, as
            (y_true, y_pred) do.
        from_logits: True if the predictions are scores, so that the threshold of accuracy is 0 instead of 0.5.

    The target has the prediction's shape, or it may have further columns or fewer axes, such as class numbers, which stay whole
    numbers. Weights of examples need one value for each example.

    Raises:
        ValueError: the names of the parameters do not tell their order; or, at the first step, the gradient cannot be found.
    """

    takes_weights = True
    checks: Checks = {"function": _check_function, "from_logits": flag}
    function: Callable[..., Any]
    _target_first = False
    _gradient: Gradient | None = None  # chosen at the first step

    def __init__(self, function: Callable[..., Any], from_logits: bool = False) -> None:
        self.function, self.from_logits = function, from_logits

    def settle(self) -> None:
        self._target_first, self._gradient = target_comes_first(self.function, type(self).__name__), None
        self.probabilistic = self.from_logits

    @property
    def name(self) -> str:
        """The function's name, or that of the class of another object that can be called."""
        return getattr(self.function, "__name__", None) or type(self.function).__name__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}{', from_logits=True' * self.from_logits})"

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles hold: the way to the gradient is chosen again."""
        return {name: value for name, value in vars(self).items() if name != "_gradient"}

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        """Targets of the outputs' shape as in other losses; of another shape as they are."""
        if (target.ndim == 1 and output_shape == (1,)) or target.shape[1:] == tuple(output_shape):
            return super().prepare(target, output_shape, dtype)
        return in_dtype(target, dtype, f"{self!r}: y") if target.dtype.kind == "f" else target

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        kind = np.complex128 if np.iscomplexobj(prediction) else np.float64
        values = np.asarray(self._call(prediction.astype(kind), target))
        if values.dtype.kind not in ("biufc" if kind is np.complex128 else "biuf") or (
            values.ndim and len(values) != len(prediction)
        ):
            got = f"an array of shape {values.shape}" if values.ndim else repr(values.item())
            raise ValueError(
                f"{self.name}: expected one value for each of the {len(prediction)} examples, or their mean, got {got}. "
                "End it with return np.mean(…, axis=-1), or another function of the last axis."
            )
        if self.weights is not None and values.shape[: np.ndim(self.weights)] != np.shape(self.weights):
            what = f"values of shape {values.shape}" if values.ndim else "one number for the whole batch"
            raise ValueError(
                f"{self.name} returns {what}, and there are weights, or padding to leave out, of shape {np.shape(self.weights)}. Return "
                "one value for each, such as np.mean(…, axis=-1)."
            )
        self.cache = prediction, target, values.shape
        return self.mean(values).astype(prediction.dtype)

    def backward(self) -> NDArray:
        """dL/dprediction, for the values' own dL/dvalue = weight / number of values."""
        from minitorch_np.tracing.errors import TraceError

        prediction, target, shape = self.cache
        upstream = self.weigh(np.full(shape, 1 / max(1, math.prod(shape))))
        x = prediction.astype(np.float64, copy=False)

        def values_of(x: NDArray) -> Any:
            return self._call(x.copy() if type(x) is np.ndarray else x, target)

        gradient_of = self._gradient or self._chosen(x, target, upstream)
        with np.errstate(divide="ignore", invalid="ignore"):
            try:
                gradient = gradient_of(values_of, x, upstream)
            except TraceError:  # another branch of the function, which the graph does not follow
                gradient = self._chosen(x, target, upstream)(values_of, x, upstream)
        if not np.isfinite(gradient).all():
            worst = np.argwhere(~np.isfinite(gradient))[0]
            raise FloatingPointError(
                f"{self.name}: the gradient is {gradient[tuple(worst)]:g} at prediction{worst.tolist()} = {x[tuple(worst)]:g}. Where "
                "the loss is finite there, it is the derivative of a root or a logarithm at 0: write np.sqrt(… + 1e-12)."
            )
        return gradient.astype(prediction.dtype)

    def _call(self, prediction: NDArray, target: NDArray) -> Any:
        target = target.astype(np.float64) if target.dtype.kind == "f" else target.copy()
        given = (target, prediction) if self._target_first else (prediction, target)
        try:
            return self.function(*given)
        except Exception as error:
            if type(prediction) is np.ndarray and not hasattr(error, "__notes__"):
                shapes = f"shapes {given[0].shape} and {given[1].shape}"
                error.add_note(f"It was raised by the loss {self.name}, called with NumPy arrays of {shapes}.")
            raise

    def _chosen(self, x: NDArray, target: NDArray, upstream: NDArray) -> Gradient:
        """The way to the gradient. Warns of its cost."""
        from minitorch_np.losses.slopes import NoSlope, choose  # loads the tracer

        def values_of(x: NDArray) -> Any:
            return self._call(x.copy() if type(x) is np.ndarray else x, target)

        self._check_columns(x, target)
        try:
            way, is_certain, reason = choose(values_of, x, upstream, self.function)
        except NoSlope as error:
            raise ValueError(
                f"{self.name}: its gradient cannot be found, because {as_sentence(error)} {as_class(self.name)}"
            ) from None
        if way.evaluations > 1:
            warnings.warn(
                f"{self.name}: its gradient takes {way.evaluations} evaluations in each step, because {reason}. "
                "A subclass of mt.Loss with forward and backward takes one.",
                stacklevel=caller(),
            )
        if is_certain:
            self._gradient = way.gradient
        return way.gradient

    def _check_columns(self, x: NDArray, target: NDArray) -> None:
        """Raise ValueError if NumPy seems to have broadcast outputs and targets of different shapes."""
        if x.shape == target.shape:
            return
        values = np.asarray(self._call(x.copy(), target))
        shapes = f"outputs of shape {x.shape} and targets of shape {target.shape}"
        if len(x) > 2:
            try:
                self._call(x[1:].copy(), target[1:])
            except Exception as error:
                raise ValueError(
                    f"{self.name} takes {shapes}, but not one example fewer ({error}): NumPy has broadcast the one along the "
                    "columns of the other. Give y the shape of the outputs."
                ) from None
        if x.shape[1:] == (1,) and target.ndim == 2:
            exchanged = np.asarray(self._call(x.copy(), target[:, ::-1]))
            if exchanged.shape == values.shape and np.allclose(exchanged, values, rtol=1e-12):
                raise ValueError(
                    f"{self.name} gets {shapes}, and exchanging the columns of y changes nothing: it compares the one output with "
                    f"each of them. Give the last layer {target.shape[1]} units, or let the function use the columns by their place."
                )


def as_class(name: str) -> str:
    """The lines of a class with the gradient, to end a message with."""
    title = "".join(word.capitalize() for word in name.strip("<>").split("_"))
    return f"""Write a class with its gradient:

class {title}(mt.Loss):
    def forward(self, prediction, target):
        self.cache = prediction, target
        return self.mean(…)  # the mean of one value for each example

    def backward(self):
        prediction, target = self.cache
        return self.weigh(…)  # dL/dprediction"""
