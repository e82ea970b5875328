"""The state of recurrent layers: given before the first step, returned after the last one, kept between batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.cache import current_call
from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.layer import Layer
from minitorch_np.layers.masks import Mask, ValidSteps, warn_once

if TYPE_CHECKING:
    from minitorch_np.layers.recurrent_arguments import _RecurrentArguments


class Memory:
    """What a layer with stateful=True keeps between batches. A replica shares it with its original, so that predict continues too.

    Attributes:
        state: the arrays of the final state of the last batch, (batch, units); empty at the beginning.
    """

    state: tuple[NDArray, ...] = ()

    def get_state(self) -> list[NDArray]:
        """The arrays, for a checkpoint."""
        return list(self.state)

    def set_state(self, state: list[NDArray]) -> None:
        if not isinstance(state, list) or not all(isinstance(array, np.ndarray) for array in state):
            raise ValueError(f"a state of a recurrent layer is a list of arrays, got {state!r:.100}")
        self.state = tuple(state)


def uses_memory(layer: _RecurrentArguments) -> bool:
    """Whether the layer is stateful, and this forward is not the one with zeros that finds the shape of an output."""
    if not layer.stateful or layer.keep_cache:
        return layer.stateful
    call = current_call.get()
    return call is not None and call.inference


def split_shapes(layer: _RecurrentArguments, input_shape: Any) -> tuple[Shape, Sequence[Shape]]:
    """The shape of x, and the shapes of the arrays of an initial state, if there is one.

    Raises:
        ValueError: the state has another number of arrays, or other shapes.
    """
    if not input_shape or not isinstance(input_shape[0], (tuple, list)):
        return tuple(input_shape), ()
    shape, *states = input_shape
    if [tuple(state) for state in states] != [(layer.units,)] * layer.state_size:
        raise ValueError(
            f"{_expected(layer, 'batch')}, got {batch_of(tuple(states))}. In a Graph the sources of the node are the sequence and then each "
            f"array of the state: {['x', 'h', 'c'][: 1 + layer.state_size]}."
        )
    return tuple(shape), states


def checked_state(layer: _RecurrentArguments, state: Sequence[NDArray], x: NDArray) -> Sequence[NDArray]:
    """The arrays of a state themselves; ValueError if they do not fit the layer and x."""
    if len(state) == 1 and isinstance(state[0], (tuple, list)):
        state = state[0]  # forward(x, [h, c]), as in Keras
    if [getattr(array, "shape", None) for array in state] != [(len(x), layer.units)] * layer.state_size:
        got = ", ".join(str(getattr(array, "shape", type(array).__name__)) for array in state)
        remedy = " With stateful=True, call reset_states() before a batch of other sequences." if layer.stateful else ""
        raise ValueError(f"{_expected(layer, len(x))}, got {got}.{remedy}")
    return state


def _expected(layer: _RecurrentArguments, batch: Any) -> str:
    names = "(h, c)" if layer.state_size == 2 else "h"
    return f"{layer!r}: expected a state {names} of shape ({batch}, {layer.units})"


def warn_of_padding(layer: Layer, mask: Mask, *, at_end: bool) -> None:
    """Warn, once for each layer, of padding that it reads before a real step; with at_end of any padding."""
    if mask is not None and (not mask.all() if at_end else (mask[:, 1:] & ~mask[:, :-1]).any()):
        warn_once(
            layer,
            "gets a mask and an initial state. As in Keras it then reads padding like real steps, and its result depends on it. Put padding "
            'at the end, pad_sequences(x, padding="post"), and use return_sequences=True.',
        )


def gradients_of_outputs(
    layer: _RecurrentArguments, dy: Any, states: NDArray, valid: ValidSteps | None, has_initial: bool
) -> list[NDArray]:
    """For each array of the state its gradient at all times, (time + 1, units, batch), through y and the final state alone.

    Args:
        dy: as for backward of the layer.
    """
    dy, *dfinal = dy if layer.return_state and not hasattr(dy, "dtype") else (dy,)
    dtype = next(part.dtype for part in (dy, *dfinal) if part is not None)
    found = [np.zeros(states.shape, dtype)]
    if dy is not None and valid is None:
        if layer.return_sequences:
            found[0][1:] = dy.transpose(1, 2, 0)
        else:
            found[0][-1] = dy.T
    elif dy is not None and valid is not None:
        if layer.return_sequences:
            shown = dy.transpose(1, 2, 0) * valid.shows(has_initial, layer.zeroes_padding)
            valid.add_after_each(found[0], shown)
        else:
            valid.add_after_last(found[0], dy * (valid.counts[-1] > 0)[:, np.newaxis])
    for place, part in enumerate(dfinal):
        if place == len(found):
            found.append(np.zeros(states.shape, dtype))
        if part is not None and valid is None:
            found[place][-1] += part.T
        elif part is not None and valid is not None:
            valid.add_after_last(found[place], part)
    return found
