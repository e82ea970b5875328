"""Masks: which steps of each sequence are real, and which are padding. Containers pass them from layer to layer.

A mask is an array of bool, (batch, time), True where x has a step. A layer sees it if its forward has a parameter `mask`, or
`query_mask` as in MultiHeadAttention; see also `supports_masking` and `output_mask` of Layer.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_np.base.callers import caller
from minitorch_np.base.replica import original_of
from minitorch_np.base.shapes import NDArray
from minitorch_np.layer import Layer

Mask = NDArray | None


def through(layers: Sequence[Layer], x: NDArray, mask: Mask = None) -> tuple[NDArray, Mask]:
    """y of layers one after the other, and the mask of y, for x and its mask."""
    for layer in layers:
        if mask is None:
            x = layer.forward(x)
            mask = layer.output_mask
        else:
            x, mask = masked_forward(layer, x, mask)
    return x, mask


def masked_forward(layer: Layer, x: NDArray, mask: NDArray) -> tuple[NDArray, Mask]:
    """y of one layer, and the mask of y, for x and its mask."""
    sees = mask_parameters(layer)
    y = layer.forward(x, **dict.fromkeys(sees, mask))
    if layer.supports_masking or layer.elementwise:
        return y, mask
    if layer.output_mask is None and not sees:
        _warn_of_loss(layer)
    return y, layer.output_mask


def forward_of_several(layer: Layer, arrays: Sequence[NDArray], masks: Sequence[Mask]) -> tuple[NDArray, Mask]:
    """As masked_forward, for a layer whose forward takes several arrays, each with its mask.

    A combinator has a method `merged_mask`. A layer with a method `masks_of_forward` chooses the masks for its forward from those of
    the arrays; any other takes the mask of the first one. That is also the mask of y, if y has one.
    """
    if not any_given(masks):
        return layer.forward(*arrays), layer.output_mask
    named = dict.fromkeys(mask_parameters(layer), masks[0])
    if hasattr(type(layer), "masks_of_forward"):
        named = layer.masks_of_forward(masks, arrays)  # type: ignore[attr-defined]
    y = layer.forward(*arrays, **named)
    if hasattr(type(layer), "merged_mask"):
        return y, layer.merged_mask(masks, arrays)  # type: ignore[attr-defined]
    return y, masks[0] if layer.supports_masking else layer.output_mask


def mask_parameters(layer: Layer) -> tuple[str, ...]:
    """The parameters of forward that take the mask of x."""
    return _mask_parameters(type(layer).forward)


@functools.cache
def _mask_parameters(forward: Any) -> tuple[str, ...]:
    parameters = inspect.signature(forward).parameters
    return tuple(name for name in ("mask", "query_mask") if name in parameters)


def any_given(masks: Sequence[Mask]) -> bool:
    return any(mask is not None for mask in masks)


def of_outputs(masks: list[Mask]) -> Any:
    """The output_mask of a container: the mask of its one output, or the list of the masks of several; None if there is none."""
    return masks[0] if len(masks) == 1 else masks if any_given(masks) else None


def any_of(masks: Sequence[Mask]) -> Mask:
    """The mask of a sum of several arrays: a step is real if it is real in one of them. None if one of them has no mask."""
    known = [mask for mask in masks if mask is not None]
    return functools.reduce(np.logical_or, known) if known and len(known) == len(masks) else None


def all_of(masks: Sequence[Mask]) -> Mask:
    """The steps that are real in each of these masks. An array without a mask has real steps alone."""
    known = [mask for mask in masks if mask is not None]
    return functools.reduce(np.logical_and, known) if known else None


def of_rank(mask: NDArray, rank: int) -> NDArray:
    """The mask with further axes of size 1, for an array of this rank."""
    return mask.reshape(*mask.shape, *[1] * (rank - mask.ndim))


def joined(masks: Sequence[Mask], arrays: Sequence[NDArray], axis: int) -> Mask:
    """The mask of several arrays that are joined along an axis. An array without a mask has real steps alone."""
    if not any_given(masks):
        return None
    full = [np.ones(array.shape[:2], bool) if mask is None else mask for mask, array in zip(masks, arrays, strict=True)]
    return np.concatenate(full, axis=1) if axis in (1, 1 - arrays[0].ndim) else any_of(full)


def check_mask(layer: Layer, mask: NDArray, x: NDArray) -> None:
    """Raise ValueError unless the mask is bool and has one value for each step of x."""
    if getattr(mask, "dtype", None) != np.bool_ or mask.shape != x.shape[:2]:
        got = f"{mask.dtype} {mask.shape}" if hasattr(mask, "dtype") else repr(mask)
        raise ValueError(
            f"{layer!r}: expected a mask of bool, {x.shape[:2]}, True where x has a step and False where it has padding, got {got}."
        )


def _warn_of_loss(layer: Layer) -> None:
    """Warn that the mask ends here."""
    warn_once(
        layer,
        "gets a mask and does not pass it on: it treats padding like data, and so does everything after it. "
        "Recurrent layers, MultiHeadAttention and GlobalAveragePooling1D leave padding out. If step t of its y belongs to step t "
        "of its x, set supports_masking = True in its class.",
    )


def warn_once(layer: Layer, text: str) -> None:
    """Warn about what a layer does with a mask, once for each layer."""
    original = original_of(layer) or layer
    if not vars(original).get("_has_warned_of_mask"):
        vars(original)["_has_warned_of_mask"] = True
        warnings.warn(f"{layer!r} {text}", stacklevel=caller())


class ValidSteps:
    """The steps of sequences that are not masked, moved to the front of each sequence, so that a loop over time need not know the mask.

    Args:
        mask: (batch, time), in the order in which the steps are read.

    Attributes:
        counts: (time, batch): how many steps are valid up to this one, including it. After this step, a recurrent layer has the
            state that it had after so many valid steps.
        length: the largest number of valid steps of a sequence, at least 1.
    """

    counts: NDArray
    length: int

    def __init__(self, mask: NDArray) -> None:
        self.mask = mask.T
        self.counts = np.cumsum(self.mask, axis=0)
        self.length = max(1, int(self.counts[-1].max(initial=0)))
        # The steps by number, in each sequence the valid ones first.
        self._order = np.argsort(~self.mask, axis=0, kind="stable")[: self.length, np.newaxis]
        self._batch = np.arange(self.mask.shape[1])

    def to_front(self, steps: NDArray) -> NDArray:
        """Steps (time, features, batch) as (length, features, batch), the valid ones first; what follows them has no effect."""
        return np.take_along_axis(steps, self._order, axis=0)

    def back_from_front(self, dsteps: NDArray) -> NDArray:
        """The gradient of to_front: that of each step in its place, and 0 for steps that were left out."""
        back = np.zeros((len(self.mask), *dsteps.shape[1:]), dsteps.dtype)
        np.put_along_axis(back, self._order, dsteps, axis=0)
        return back

    def after_each(self, states: NDArray) -> NDArray:
        """The state after each step, (time, units, batch), from the states before and after each valid step."""
        return np.take_along_axis(states, self.counts[:, np.newaxis], axis=0)

    def after_last(self, states: NDArray) -> NDArray:
        """The state after the last step, (batch, units)."""
        return states[self.counts[-1], :, self._batch]

    def shows(self, has_state: bool, zeroes_padding: bool) -> NDArray:
        """The factor of after_each, (time, 1, batch): 0 at the steps whose y is 0 although the state is not. These are the padded
        steps before the first real one, if there was a state before them; or all padded steps.
        """
        shown = self.mask if zeroes_padding else self.counts > 0 if has_state else np.ones_like(self.mask)
        return shown[:, np.newaxis]

    def add_after_each(self, dstates: NDArray, dy: NDArray) -> None:
        """The gradient of after_each: add dy of each step to that of the state which it showed."""
        for count, dy_t in zip(self.counts, dy, strict=True):
            dstates[count, :, self._batch] += dy_t.T

    def add_after_last(self, dstates: NDArray, dy: NDArray) -> None:
        """The gradient of after_last."""
        dstates[self.counts[-1], :, self._batch] += dy
