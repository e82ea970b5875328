"""The learning rate range test: the loss while the learning rate rises from step to step. Smith 2017, section 3.3."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from minitorch_np.base.answers import AnswersForeignNames, answers_foreign_arguments
from minitorch_np.base.validation import check_number, check_whole
from minitorch_np.callbacks.callback import Callback, Logs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from minitorch_np.model import Model

_WHO = "tuning.rate_test"
_SMOOTHING = 0.9  # the share of the mean loss that is kept from step to step
_RISE = 4.0  # a loss of so many times the smallest one ends the test


class _Enough(Exception):
    """The test is over."""


class RateTest(AnswersForeignNames):
    """What rate_test measured.

    Attributes:
        rates: the learning rate of each step.
        losses: the loss of each step, before its update.
        smoothed: the exponential mean of the losses so far, free of its start at 0.
    """

    def __init__(self, rates: Sequence[float], losses: Sequence[float]) -> None:
        self.rates, self.losses = list(rates), list(losses)
        self.smoothed: list[float] = _smoothed(self.losses)

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the smoothed loss is smallest: a first guess, for which the plot shows the reason.

        Raises:
            ValueError: the loss never fell.
        """
        best = self.smoothed.index(min(self.smoothed))
        if best == 0:
            raise ValueError(
                f"{_WHO}: the loss never fell, so no rate is suggested. Look at plot(), or begin with a smaller rate."
            )
        return self.rates[best] / 10

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the smoothed loss over the learning rate; returns the matplotlib axes."""
        from minitorch_np.plotting import plot_rate_test

        return plot_rate_test(self.rates, self.smoothed, ax)

    def __repr__(self) -> str:
        return f"RateTest({len(self.rates)} steps, learning rates {self.rates[0]:.3g} to {self.rates[-1]:.3g})"


def _smoothed(losses: Sequence[float]) -> list[float]:
    smoothed, mean = [], 0.0
    for number, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smoothed.append(mean / (1 - _SMOOTHING**number))
    return smoothed


@answers_foreign_arguments
def rate_test(
    model: Model,
    x: Any,
    y: Any = None,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
) -> RateTest:
    """Train a copy of the model with a learning rate that rises from step to step, and return the losses.

    A good rate is smaller than the one at which the loss is smallest: `result.suggestion` is a tenth of it. Look at `result.plot()` too.
    The model itself, its optimiser and its random generators stay as they are. The test ends early where the loss is no longer finite or
    is, smoothed, 4 times its smallest value.

    Args:
        model: a compiled model, new or trained. Only the learning rate of its optimiser is replaced.
        x, y: examples as for fit, arrays or batches.
        low, high: the first and the last learning rate; each is the one before times the same factor.
        steps: the number of steps. The examples are used several times if there are fewer batches.
        batch_size: examples in one step. It has no effect if x gives batches.

    Raises:
        ValueError: low is not less than high, or as fit.
    """
    check_number(_WHO, "low", low, "(0, inf)")
    check_number(_WHO, "high", high, "(0, inf)")
    check_whole(_WHO, "steps", steps, 3)
    if low >= high:
        raise ValueError(f"{_WHO}: low is less than high, got {low!r} and {high!r}.")
    tested = copy.deepcopy(model)
    rising = _Rising(float(low), float(high), int(steps))
    size: dict[str, Any] = {} if y is None else {"batch_size": batch_size}
    try:
        tested.fit(x, y, epochs=steps, progress=False, callbacks=[rising], **size)
    except _Enough:
        pass
    except FloatingPointError:
        if len(rising.losses) < 2:
            raise
    return RateTest(rising.rates[: len(rising.losses)], rising.losses)


class _Rising(Callback):
    """Sets the rate of each step and keeps the losses."""

    def __init__(self, low: float, high: float, steps: int) -> None:
        ratio = high / low
        self.rates = [low * ratio ** (step / (steps - 1)) for step in range(steps)]
        self.losses: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        self.model.optimizer.learning_rate = self.rates[len(self.losses)]

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.losses.append(float((logs or {})["loss"]))
        smoothed = _smoothed(self.losses)
        rises = smoothed[-1] > _RISE * min(smoothed) > 0
        if rises or not math.isfinite(smoothed[-1]) or len(self.losses) == len(self.rates):
            raise _Enough
