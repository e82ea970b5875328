"""Metric: a number accumulated over batches; and OfFunction, which makes a metric of a function."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments, table
from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.configurable import Configurable
from minitorch_np.base.shapes import Shape
from minitorch_np.base.state import attributes, set_attributes
from minitorch_np.base.text import snake_case
from minitorch_np.base.validation import one_number, target_comes_first
from minitorch_np.losses.classes import one_hot

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray

_FLOAT32 = np.dtype(np.float32)


class Metric(Configurable):
    """A number accumulated over batches: `reset()`, `update(prediction, target)` for each batch, then `result()`.

    In this class the number is a mean over the examples: a subclass returns the sum over the batch from
    `score(prediction, target)`. Other metrics override `reset`, `update` and `result`.

    Attributes:
        name: its key in the history and in what evaluate returns; the name of the class in lower case, if it sets none.
        mode: "max" if larger is better, "min" if smaller is, None if that is not known. Callbacks and tuning.search use it
            when their mode is "auto".
    """

    name = ""
    mode: str | None = None
    total: float = 0.0
    count: int = 0

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.name or snake_case(cls.__name__)

    def prepare(self, output_shape: Shape, from_logits: bool, binary: bool) -> None:
        """Runs before the first batch, with the shape of the model's outputs and two attributes of the loss; see Loss.

        Raises:
            ValueError: the metric makes no sense for such outputs.
        """

    def reset(self) -> None:
        self.total = 0.0
        self.count = 0

    @answers_foreign_arguments
    def __call__(self, prediction: ArrayLike, target: ArrayLike) -> float:
        """The metric of these arrays alone; what was accumulated stays as it is."""
        alone = copy.deepcopy(self)
        alone.reset()
        alone.update(*alone.arrays(prediction, target))
        return alone.checked_result()

    def update(self, prediction: NDArray, target: NDArray) -> None:
        plain = type(prediction) is type(target) is np.ndarray and prediction.dtype is target.dtype is _FLOAT32
        if not plain:  # in most steps of fit both are plain, and need no check
            prediction, target = self.arrays(prediction, target)
        if len(prediction):
            self.total += self.score(prediction, target)
            self.count += len(prediction)

    def result(self) -> float:
        return float(self.total) / self.measured(self.count)

    def score(self, prediction: NDArray, target: NDArray) -> float:
        raise NotImplementedError(
            f"{self!r} has no score: write score(self, prediction, target), which returns the sum over the batch."
        )

    def checked_result(self) -> float:
        """What result returns, as a float; ValueError if it is not a number."""
        value = self.result()
        return value if type(value) is float else one_number(f"{self!r}.result", value, "Return one float.")

    def get_state(self) -> dict[str, Any]:
        """A copy of what was accumulated: every attribute but the constructor's arguments and the name."""
        return attributes(self, (*self.config(), "name"), strict=True)

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what get_state returned. Raises ValueError for an attribute that does not belong to the state."""
        set_attributes(self, state, (*self.config(), "name"))

    def arrays(self, prediction: ArrayLike, target: ArrayLike) -> tuple[NDArray, NDArray]:
        """Both as arrays of numbers; ValueError if they cannot be."""
        return as_numbers(prediction, "prediction", self), as_numbers(target, "target", self)

    def measured(self, count: int) -> int:
        """The count itself; RuntimeError if it is 0, since nothing was measured then."""
        if not count:
            raise RuntimeError(f"{self!r}.result: nothing is measured yet. Call update(prediction, target) first.")
        return count


class OfFunction(Metric):
    """A function of all predictions and all targets of an epoch, called once at its end.

    It need not be a mean over the examples: the root of a mean square and R2 are exact too. All predictions and targets are kept
    until the end of the epoch; more than 1 GiB of them is an error.

    Args:
        function: (prediction, target) -> a number, or one value for each example, of which the mean is taken; or (target, prediction), if the names of its parameters show that order, as
            (y_true, y_pred) do. Names that tell nothing, such as (a, b), are an error. Its attribute `mode`, "min" or "max", tells which direction is better, if it has one.
    """

    most_bytes = 2**30

    def __init__(self, function: Callable[[NDArray, NDArray], Any]) -> None:
        self.function = function
        self.name: str = getattr(function, "__name__", type(function).__name__).strip("<>")
        self.mode: str | None = getattr(function, "mode", None)
        self.reset()

    def reset(self) -> None:
        self.predictions: list[NDArray] = []
        self.targets: list[NDArray] = []
        self.bytes: int = 0

    def update(self, prediction: NDArray, target: NDArray) -> None:
        prediction, target = self.arrays(prediction, target)
        self.bytes += prediction.nbytes + target.nbytes
        if self.bytes > self.most_bytes:
            raise ValueError(
                f"metrics: the function {self.name!r} is called with all outputs of an epoch, and these take more than "
                f"{self.most_bytes / 2**30:g} GiB. Write a Metric with reset, update and result, which gathers batch by batch."
            )
        self.predictions.append(np.array(prediction))
        self.targets.append(np.array(target))

    def result(self) -> float:
        self.measured(len(self.predictions))
        prediction, target = np.concatenate(self.predictions), np.concatenate(self.targets)
        given = (target, prediction) if target_comes_first(self.function, "metrics") else (prediction, target)
        try:
            value = self.function(*given)
        except Exception as error:
            outputs = "A metric gets the outputs of the model: prediction.argmax(axis=-1) are the classes."
            remedy = table().get(f"mt.{self.name}", outputs)
            error.add_note(
                f"It was raised by the metric {self.name!r}, called with shapes {given[0].shape} and {given[1].shape}. {remedy}"
            )
            raise
        if np.ndim(value) and len(value) == len(prediction):  # one value for each example, as of a loss
            value = np.mean(value)
        return one_number(f"metrics: the function {self.name!r}", value, "Return a mean over the examples.")

    def __deepcopy__(self, memo: dict[int, Any]) -> OfFunction:
        """The arrays never change, so a copy shares them."""
        copied = copy.copy(self)
        copied.predictions, copied.targets = list(self.predictions), list(self.targets)
        return copied


def in_pairs(metric: Metric, prediction: NDArray, target: NDArray) -> tuple[NDArray, NDArray]:
    """Prediction and target in the same shape: a vector beside a column becomes a column, class numbers become one-hot rows.

    Raises:
        ValueError: they have other shapes, which NumPy might broadcast.
    """
    if prediction.shape == target.shape:
        return prediction, target
    if prediction.squeeze().shape == target.squeeze().shape and len(prediction) == len(target):
        return prediction, target.reshape(prediction.shape)
    return prediction, one_hot(class_numbers(metric, prediction, target), prediction.shape[-1], prediction.dtype)


def class_numbers(metric: Metric, prediction: NDArray, target: NDArray) -> NDArray:
    """Targets as class numbers of shape (batch, ...), beside predictions of shape (batch, ..., classes).

    Raises:
        ValueError: they are not class numbers.
    """
    if target.shape == (*prediction.shape[:-1], 1):
        target = target[..., 0]
    classes = prediction.shape[-1] if prediction.ndim > 1 else 0
    if prediction.ndim < 2 or target.shape != prediction.shape[:-1]:
        raise ValueError(
            f"{metric!r}: expected targets of the prediction's shape {prediction.shape}, or class numbers of shape "
            f"{prediction.shape[:-1]}, got {target.shape}. They are never broadcast: reshape one of them."
        )
    numbers = target.astype(np.int64, copy=False)
    if target.size and (
        numbers.min() < 0 or numbers.max() >= classes or (numbers is not target and (numbers != target).any())
    ):
        strange = target[(numbers != target) | (numbers < 0) | (numbers >= classes)]
        raise ValueError(f"{metric!r}: expected class numbers 0 to {classes - 1}, got {strange[0]:g}.")
    return numbers
