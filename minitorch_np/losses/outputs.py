"""The loss of a model with several outputs: the weighted sum of the losses of its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.several import Several, of_each, spread
from minitorch_np.base.text import in_place_of
from minitorch_np.base.validation import check_number
from minitorch_np.losses.finding import as_loss
from minitorch_np.losses.loss import Loss

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class LossOfOutputs(Loss):
    """L = w_1 L_1 + w_2 L_2 + …, with one loss for each output. Predictions and targets are Several. Graph.compile makes it.

    Args:
        names: the outputs, for messages.
        losses: the loss of each.
        loss_weights: the factor of each.
    """

    names: Sequence[str] = ()
    losses: Sequence[Loss] = ()
    loss_weights: Sequence[float] = ()
    values: Sequence[float] = ()  # of the losses in the last forward

    def __init__(self, names: Sequence[str], losses: Sequence[Loss], loss_weights: Sequence[float]) -> None:
        self.names, self.losses, self.loss_weights = names, losses, loss_weights

    def forward(self, prediction: Any, target: Any) -> Any:
        self.values = [
            loss.checked_forward(part, own) for loss, part, own in zip(self.losses, prediction, target, strict=True)
        ]
        return np.float64(np.dot(self.values, self.loss_weights))

    def backward(self) -> Any:
        """dL/dprediction_i = w_i dL_i/dprediction_i."""
        return Several(weight * loss.backward() for weight, loss in zip(self.loss_weights, self.losses, strict=True))

    def checked_backward(self, prediction: Any) -> Any:
        return Several(
            weight * loss.checked_backward(part)
            for weight, loss, part in zip(self.loss_weights, self.losses, prediction, strict=True)
        )

    def wrong_outputs(self, outputs: Any) -> str:
        for name, loss, part in zip(self.names, self.losses, outputs, strict=True):
            if text := loss.wrong_outputs(part):
                return f"output {name!r}: {text}"
        return ""

    def prepare(self, target: Any, output_shape: Any, dtype: np.dtype) -> Any:
        found = []
        for name, loss, own, shape in zip(self.names, self.losses, target, output_shape, strict=True):
            try:
                found.append(loss.prepare(own, shape, dtype))
            except ValueError as error:
                raise ValueError(f"output {name!r}: {error}") from error
        return Several(found)

    def counted(self, prediction: Any, target: Any) -> tuple[Any, Any]:
        pairs = [loss.counted(part, own) for loss, part, own in zip(self.losses, prediction, target, strict=True)]
        predictions, targets = zip(*pairs, strict=True)
        return self.judged(predictions, list(map(len, targets))), Several(targets)

    def judged(self, predictions: Iterable[NDArray], sizes: Sequence[int]) -> Judged:
        return Judged(predictions, self, sizes)

    def forget(self) -> None:
        for loss in self.losses:
            loss.forget()

    @property
    def takes_weights(self) -> bool:  # type: ignore[override]
        return all(loss.takes_weights for loss in self.losses)

    @property
    def weights(self) -> NDArray | None:
        """The weight of each example in the loss of the first output."""
        return self.losses[0].weights

    @weights.setter
    def weights(self, weights: NDArray | Several | None) -> None:
        """Weights that are the same in the loss of each output, or Several of them."""
        for loss, own in zip(self.losses, spread(weights, len(self.losses)), strict=True):
            loss.weights = own


class Judged(Several):
    """The outputs of one batch that count, with the loss that judges them, and the factor of each in the mean over batches."""

    __slots__ = ("loss", "sizes")

    def __init__(self, arrays: Iterable[NDArray], loss: LossOfOutputs, sizes: Sequence[int]) -> None:
        super().__init__(arrays)
        self.loss, self.sizes = loss, sizes


def combined(loss: Any, loss_weights: Any, names: Sequence[str], who: str) -> Any:
    """The loss of a model with these outputs, from what compile was given; with one output its own loss.

    Args:
        loss: one for all outputs, a list in their order, or a dictionary by name; each a name, a Loss or a function.
        loss_weights: their factors, a list or a dictionary; None for 1.
    """
    if len(names) == 1:
        if loss_weights is not None:
            raise ValueError(f"{who}: loss_weights={loss_weights!r} has no effect on one output. Leave it out.")
        return of_each(loss, names, "loss", who)[0] if isinstance(loss, (Mapping, list, tuple)) else loss
    if isinstance(loss, LossOfOutputs):
        return loss
    if isinstance(loss, Mapping):
        loss = {**dict.fromkeys(names), **loss}
    given = of_each(loss, names, "loss", who) if isinstance(loss, (Mapping, list, tuple)) else [loss] * len(names)
    found: list[Loss] = []
    for name, one in zip(names, given, strict=True):
        if one is None:
            raise ValueError(
                f"{who}: output {name!r} has no loss. One that is not learnt gets a loss with the factor 0, and any y of its shape: "
                f"loss={{…, {name!r}: 'mse'}}, loss_weights={{{name!r}: 0}}."
            )
        one = as_loss(one, f"{who}, output {name!r}")
        if not isinstance(one, Loss):
            raise ValueError(
                f"{who}, output {name!r}: expected a loss such as BCELoss(), got {one!r}.{in_place_of('loss', one)}"
            )
        # Each keeps the cache of its own output.
        found.append(one.clone() if any(one is other for other in found) else one)
    weights = [1.0] * len(names) if loss_weights is None else of_each(loss_weights, names, "loss_weights", who, 1.0)
    for weight in weights:
        check_number(who, "a loss weight", weight)
    return LossOfOutputs(list(names), found, [float(weight) for weight in weights])
