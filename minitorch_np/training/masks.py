"""Masks in training and evaluation: steps that are padding count neither in the loss nor in the metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.several import Several, spread

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.losses import Loss


def weigh(
    loss: Loss, prediction: Any, y: Any, weights: NDArray | None, mask: NDArray | list[NDArray | None] | None
) -> tuple[Any, Any, int]:
    """Set the weights of the loss for this batch.

    With a mask, the loss is the mean over the real steps, as in Keras: every real step has the weight steps / real steps, and every
    padded one 0, times its sample weight.

    Args:
        weights: of each example, each step or each target, or None.
        mask: of the outputs, (batch, time), or None; of several outputs a list, or None.

    Returns:
        The predictions and targets that count, see Loss.counted, for metrics and the accumulation of gradients: with a mask, each real
        step is one example. And the factor of this batch in the mean over batches. As in Keras, a mask does not change it.

    Raises:
        ValueError: there is a mask, and the loss takes no weights or the mask does not fit the outputs.
    """
    if isinstance(mask, list):  # of several outputs
        parts = zip(loss.losses, prediction, y, spread(weights, len(mask)), mask, strict=True)  # type: ignore[attr-defined]
        found = [weigh(*part) for part in parts]
        parts_that_count, sizes = [part for part, _, _ in found], [size for _, _, size in found]
        return loss.judged(parts_that_count, sizes), Several(due for _, due, _ in found), len(y)  # type: ignore[attr-defined]
    real_weights, counted, due = weights, *loss.counted(prediction, y)
    size = len(y) if isinstance(due, Several) else len(due)
    if mask is not None:
        real_weights, counted, due = _of_real_steps(loss, prediction, y, weights, mask)
    if real_weights is not loss.weights:
        loss.weights = real_weights
    return counted, due, size


def _of_real_steps(
    loss: Loss, prediction: NDArray, y: NDArray, weights: NDArray | None, mask: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    if mask.shape != prediction.shape[:2]:
        raise ValueError(
            f"the mask of the model's outputs has shape {mask.shape}, and the outputs have {prediction.shape}: a layer with "
            "supports_masking = True has moved or removed steps. Leave it False there, or pass the right mask on as self.output_mask."
        )
    if not loss.takes_weights:
        raise ValueError(
            f"{loss!r} takes no weights, so it cannot leave out steps that are padding: let it use self.mean and self.weigh, and set "
            "takes_weights = True."
        )
    every_step = np.ones_like(mask)
    _, of_all = loss.counted(prediction[every_step], y[every_step])  # a loss may ignore some targets
    counted, due = loss.counted(prediction[mask], y[mask])
    factor = mask * prediction.real.dtype.type(len(of_all) / max(len(due), 1))
    if weights is not None:
        rank = max(weights.ndim, mask.ndim)
        factor = _with_rank(factor, rank) * _with_rank(weights, rank)
    return factor, counted, due


def _with_rank(array: NDArray, rank: int) -> NDArray:
    return array.reshape(*array.shape, *[1] * (rank - array.ndim))


def noting(forward: Callable[..., Any], note: Callable[[Any], None]) -> Callable[..., Any]:
    """The forward of a layer, which then also calls note(y)."""

    def forward_and_note(*arrays: Any, mask: Any = None, query_mask: Any = None) -> Any:
        masks = {"mask": mask, "query_mask": query_mask}
        y = forward(*arrays, **{name: value for name, value in masks.items() if value is not None})
        note(y)
        return y

    return forward_and_note
