"""What attention takes, query, value and key; which position may attend to which; and the softmax over those positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.functions import sums
from minitorch_np.base.shapes import NDArray, Shape, has_several
from minitorch_np.layers.guards import require_built, require_sequences
from minitorch_np.layers.masks import Mask, check_mask

if TYPE_CHECKING:
    from minitorch_np.layers.attention import MultiHeadAttention

_MASKED = -1e30  # a score whose exponential is 0 compared with any other


def three_shapes(layer: MultiHeadAttention, input_shape: Any) -> list[Shape]:
    """The shapes of query, value and key. If there is one array, all have its shape; without a key it has that of value."""
    given = list(input_shape) if has_several(input_shape) else [input_shape]
    for shape in given:
        require_sequences(layer, shape, "Put Embedding before it.")
    query, value, key = given + given[-1:] * (3 - len(given))
    if value[0] != key[0]:
        raise ValueError(f"{layer!r}: each value has one key, got {value[0]} values and {key[0]} keys.")
    return [query, value, key]


def refuse_key_alone(layer: MultiHeadAttention, value: Any, key: Any) -> None:
    if value is None and key is not None:
        raise ValueError(f"{layer!r}: got a key without a value. Write layer(query, value, key).")


def check_inputs(layer: MultiHeadAttention, query: NDArray, value: NDArray, key: NDArray) -> None:
    """Raise ValueError unless these arrays fit the layer and each other."""
    require_built(layer)
    if value is query is key and layer.input_shape == query.shape[1:]:  # self-attention, for which the layer was built
        return
    for name, array, kernel in (
        ("inputs", query, layer.query_kernel),
        ("a value", value, layer.value_kernel),
        ("a key", key, layer.key_kernel),
    ):
        if array.ndim != 3 or array.shape[2] != len(kernel.value):
            remedy = " Write mask=… for a mask." if array.dtype == bool else ""
            raise ValueError(
                f"{layer!r}: expected {name} of shape (batch, time, {len(kernel.value)}), got {array.shape}.{remedy}"
            )
    if not len(query) == len(value) == len(key) or value.shape[1] != key.shape[1]:
        raise ValueError(
            f"{layer!r}: query, value and key have equally many examples, and value and key equally many steps; got {query.shape}, "
            f"{value.shape} and {key.shape}."
        )


def allowed_positions(layer: MultiHeadAttention, query: NDArray, value: NDArray, mask: Mask) -> Mask:
    """Which position may attend to which, broadcastable to (batch, heads, time, steps); None if all may attend to all."""
    batch, time, steps = *query.shape[:2], value.shape[1]
    allowed = np.tri(time, steps, dtype=bool) if layer.causal else None
    if mask is None:
        return allowed
    if mask.dtype != bool or mask.shape not in ((batch, steps), (batch, time, steps)):
        raise ValueError(
            f"{layer!r}: expected a mask of bool, ({batch}, {steps}) or ({batch}, {time}, {steps}), True where a position "
            f"may be attended to, got {mask.dtype} {mask.shape}."
        )
    mask = mask.reshape(batch, 1, -1, steps)
    return mask if allowed is None else mask & allowed


def without_weights(layer: MultiHeadAttention, query: NDArray, query_mask: Mask, allowed: Mask) -> Mask:
    """The positions of query that are padding, or may attend to nothing, broadcastable to (batch, heads, time, steps); None without a
    query_mask.
    """
    if query_mask is None:
        return None
    check_mask(layer, query_mask, query)
    padded = ~query_mask.reshape(len(query), 1, -1, 1)
    return padded if allowed is None else padded | ~allowed.any(axis=-1, keepdims=True)


def masked_softmax(scores: NDArray, allowed: NDArray | None) -> NDArray:
    """exp(s_j) / sum of exp(s_k) over the allowed k of a row, 0 for the others; a row with none allowed is all 0.

    The maximum is subtracted first, so nothing overflows.
    """
    if allowed is not None:
        scores = np.where(allowed, scores, _MASKED)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    if allowed is not None:
        weights *= allowed
    total = sums(weights, (-1,), keepdims=True)
    weights /= total + (total == 0)
    return weights
