"""Loss: what all losses have in common."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.arrays import as_floats, as_numbers, in_dtype
from minitorch_np.base.cache import Cached
from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import OwnAttributes, is_built_in
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.validation import one_number
from minitorch_np.losses.value import as_value

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray


# Whether `prepare` is called with one batch of many; a ContextVar, so that each thread has its own value.
ONE_OF_MANY: ContextVar[bool] = ContextVar("ONE_OF_MANY", default=False)


class Loss(Cached, OwnAttributes):
    """L = a mean over the batch of how far `prediction` is from `target`.

    A subclass writes `forward(prediction, target) -> scalar array`, which stores in `self.cache` what
    `backward() -> dL/dprediction` needs. Both arrays have the same shape unless the class says otherwise.

    Attributes:
        from_logits: True if predictions are scores, not probabilities: logits, log-probabilities, or the margins of HingeLoss.
            The threshold of accuracy is then 0 instead of 0.5.
        weights: None, or the factor of each example in the mean, (batch,), or of each step or label of it, (batch, steps). fit sets
            it; in a loop by hand set it before the call.
        instead: for a loss of scores: how the warning about a last layer of probabilities ends, by the name of this layer.
            {"Sigmoid": ", or use BCELoss()"} gives "… leave it out, or use BCELoss()".
        binary: True if every output answers a separate yes-or-no question.
        probabilistic: False if predictions are not about probabilities: the margins of HingeLoss, the values of a regression.
        takes_weights: True if forward and backward apply the weights, by calling `mean` and `weigh`.
    """

    from_logits = False
    binary = False
    probabilistic = True
    takes_weights = False
    instead: Mapping[str, str] = {}
    _notes_use = False
    weights: NDArray | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "backward" in vars(cls) and is_built_in(cls):
            cls.backward = answers_foreign_arguments(cls.backward)  # type: ignore[method-assign]

    def forward(self, prediction: NDArray, target: NDArray) -> Any:
        raise NotImplementedError(f"{self!r} has no forward: write forward(self, prediction, target) and return L.")

    def backward(self) -> NDArray:
        raise NotImplementedError(
            f"{self!r} has no backward: write backward(self) and return dL/dprediction. Or give compile a function "
            "(prediction, target) in place of the class: the gradient of a function is found."
        )

    @answers_foreign_arguments
    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> Any:
        """The loss of arrays, lists or tensors; whole numbers are computed in float64."""
        prediction, target = as_floats(prediction, "prediction", self, "biufc"), as_numbers(target, "target", self)
        loss = self.forward(prediction, target)
        self.check_call(prediction.real, target)
        if self.probabilistic and _are_exchanged(prediction.real, target):
            warnings.warn(
                f"{self!r}: the predictions are all 0 or 1, and the targets are not. The order is loss(prediction, target), as in PyTorch; "
                "that of Keras is (y_true, y_pred).",
                stacklevel=caller(),
            )
        return as_value(loss)

    def check_call(self, prediction: NDArray, target: NDArray) -> None:
        """Raise ValueError for numbers that make no sense to this loss. Runs when the loss is called directly; fit and evaluate
        check with `wrong_outputs` and `prepare` before the first batch."""

    def mean(self, values: NDArray) -> Any:
        """The mean over all elements, with weights if there are any: the sum of w_b v_bj / number of elements."""
        return np.add.reduce(self.weigh(values), axis=None) / values.size

    def counted(self, prediction: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
        """The examples, or steps of them, that count: all, unless the class ignores some. Metrics measure these alone, and the mean
        over batches weighs each batch by their number.
        """
        return prediction, target

    def weigh(self, values: NDArray) -> NDArray:
        """Every example's values times its weight."""
        if self.weights is None:
            return values
        weights = np.asarray(self.weights)
        shape = weights.shape
        if values.shape[: len(shape)] != shape:
            raise ValueError(
                f"{self!r}.weigh: the weights have shape {shape}, and the values {values.shape}. Give one row of values for each "
                "example, and one number or row for each step where steps are weighed."
            )
        return values * weights.reshape(*shape, *[1] * (values.ndim - len(shape)))

    def checked_forward(self, prediction: NDArray, target: NDArray) -> float:
        """What forward returns, as a float; ValueError if it is not a number."""
        value = self.forward(prediction, target)
        if isinstance(value, np.floating):  # nearly always
            return float(value)
        return one_number(f"{self!r}.forward", value, "Return the mean over the batch, self.mean(values).")

    def checked_backward(self, prediction: NDArray) -> NDArray:
        """What backward returns; ValueError if it does not have the prediction's shape."""
        gradient = self.backward()
        if getattr(gradient, "shape", None) != prediction.shape:
            got = getattr(gradient, "shape", repr(gradient))
            raise ValueError(
                f"{self!r}.backward: expected dL/dprediction of the prediction's shape {prediction.shape}, got {got}."
            )
        return gradient

    def probabilities(self, outputs: NDArray) -> NDArray:
        """The probability of each class, from the outputs of a model that was trained with this loss, (n, …, units) -> (n, …, classes).

        Two columns for one output. It says nothing if `probabilistic` is False.
        """
        from minitorch_np.losses.probabilities import probabilities

        return probabilities(outputs, self)

    def wrong_outputs(self, outputs: NDArray) -> str:
        """Why these outputs of a model make no sense to this loss, or "". fit and evaluate call it once, for the first batch.

        Raises:
            ValueError: the loss cannot be computed from such outputs.
        """
        if self.from_logits and rows_of_probabilities(outputs):
            other = self.instead.get("Softmax", "")
            return f"the model's outputs are rows that sum to 1, and {self!r} takes scores before the softmax: leave it out{other}"
        return ""

    def prepare(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        """The targets in the form that forward takes, checked once before training.

        One number per example, (n,), becomes a column if the model's outputs are (n, 1).
        """
        if target.ndim == 1 and output_shape == (1,):
            target = target[:, None]
        if target.shape[1:] != tuple(output_shape):
            raise ValueError(
                f"{self!r}: the model's outputs have shape {batch_of(output_shape)}, y has shape {target.shape}. "
                f"{self._remedy(target)}"
            )
        return in_dtype(target, dtype, f"{self!r}: y")

    def prepare_batch(self, target: NDArray, output_shape: Shape, dtype: np.dtype) -> NDArray:
        """As `prepare`, for one of many batches. A batch need not have every class."""
        token = ONE_OF_MANY.set(True)
        try:
            return self.prepare(target, output_shape, dtype)
        finally:
            ONE_OF_MANY.reset(token)

    def _remedy(self, target: NDArray) -> str:
        classes = target.ndim == 1 and target.dtype.kind in "iu" and not is_built_in(type(self))
        line = " If forward takes class numbers, write def prepare(self, target, output_shape, dtype): return target."
        return f"Change the units of the last layer, or the shape of y.{line if classes else ''}"

    def _matched(self, prediction: NDArray, target: NDArray) -> NDArray:
        """The target in the prediction's dtype: float32 minus int64 would be float64."""
        if prediction.shape != target.shape:
            raise ValueError(
                f"{self!r}: expected a target of the prediction's shape {prediction.shape}, got {target.shape}. "
                "They are never broadcast: reshape one of them. The order is loss(prediction, target)."
            )
        if prediction.dtype.kind in "biu":
            raise ValueError(
                f"{self!r}.forward: the prediction is of {prediction.dtype}, in which differences wrap round. "
                "Call loss(prediction, target), which computes in float64."
            )
        return target.astype(prediction.real.dtype, copy=False)


def _are_exchanged(prediction: NDArray, target: NDArray) -> bool:
    """Whether the predictions look like targets, all 0 or 1 and both of them, and the targets like predictions."""
    zeros, ones = prediction == 0, prediction == 1
    return bool(zeros.any() and ones.any() and (zeros | ones).all()) and not np.equal(target, np.rint(target)).all()


def rows_of_probabilities(rows: NDArray, off: float = 1e-3) -> bool:
    """Whether each row has several numbers, all at least 0, whose sum is 1."""
    several = rows.ndim > 1 and rows.shape[-1] > 1 and rows.size > 0
    return bool(several and rows.min() >= 0 and (abs(rows.sum(axis=-1) - 1) <= off).all())


def listed(values: NDArray, most: int = 6) -> str:
    """A few values for a message."""
    shown = ", ".join(f"{value:g}" for value in values[:most])
    return shown + (f", … ({len(values)} values)" if len(values) > most else "")
