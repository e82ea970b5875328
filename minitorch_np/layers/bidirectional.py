"""Bidirectional: a recurrent layer that reads the sequence in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.several import listed
from minitorch_np.base.shapes import NDArray, Shape, has_several
from minitorch_np.base.validation import Checks, Fixed, one_of
from minitorch_np.layer import Layer
from minitorch_np.layers.gru import GRU
from minitorch_np.layers.lstm import LSTM
from minitorch_np.layers.masks import Mask
from minitorch_np.layers.recurrent import _Recurrent
from minitorch_np.layers.recurrent_state import warn_of_padding
from minitorch_np.layers.simple_rnn import SimpleRNN


class Bidirectional(Layer):
    """y = layer(x) merged with the output of a second such layer that reads x from its end. Schuster & Paliwal 1997.

    With return_sequences, the outputs of the second one are reversed, so that both are for the same step of x, and at padded steps
    both are 0. With return_state, y is followed by the final state of the first, and then by that of the second.

    Args:
        layer: a SimpleRNN, LSTM or GRU without go_backwards; the second one is made with the same arguments.
        merge_mode: "concat" puts the two side by side, "sum" adds them, "mul" multiplies them, "ave" takes their mean.

    Shapes: x (batch, time, features) -> y as for layer, with 2 * units in place of units for "concat"; the parameters are
        those of forward_layer, then those of backward_layer.
    Raises:
        ValueError: layer is not a recurrent layer, or has go_backwards; merge_mode is unknown.
    """

    in_keras = True

    checks: Checks = {"merge_mode": Fixed(one_of("concat", "sum", "mul", "ave"))}
    backward_layer: _Recurrent

    def __init__(self, layer: _Recurrent, merge_mode: str = "concat") -> None:
        if not isinstance(layer, _Recurrent) or layer.go_backwards:
            raise ValueError(
                f"Bidirectional: expected a SimpleRNN, LSTM or GRU without go_backwards, got {layer!r}. "
                f"Bidirectional makes the second direction itself.{instead_of(layer)}"
            )
        self.forward_layer = layer
        self.backward_layer = type(layer)(**{**layer.config(), "go_backwards": True})
        for direction in (self.forward_layer, self.backward_layer):
            direction.zeroes_padding = layer.return_sequences
        self.layer = layer
        self.merge_mode = merge_mode

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        return self.layer.return_sequences

    def reset_states(self) -> None:
        """Forget the states of earlier batches, which layers with stateful=True keep."""
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    def build(self, input_shape: Any) -> None:
        one, other = self._shapes(input_shape)
        self.forward_layer.ensure_built(one)
        self.backward_layer.ensure_built(other)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = self.layer.compute_output_shape(self._shapes(input_shape)[0])
        (*steps, units), *states = shape if self.layer.return_state else (shape,)
        merged = (*steps, 2 * units if self.merge_mode == "concat" else units)
        return (merged, *states, *states) if self.layer.return_state else merged

    def _shapes(self, input_shape: Any) -> tuple[Any, Any]:
        """What each direction gets: the shape of x, and with an initial state the shapes of its part of it."""
        if not has_several(input_shape):
            return input_shape, input_shape
        shape, *states = input_shape
        half = len(states) // 2
        return (shape, *states[:half]), (shape, *states[half:])

    def forward(self, x: NDArray, *initial_state: NDArray, mask: NDArray | None = None) -> Any:
        """y for x. The other arguments are those of the layer; an initial state has the arrays of the first, then of the second."""
        half = len(initial_state) // 2
        one, *states = listed(self.forward_layer.forward(x, *initial_state[:half], mask=mask))
        other, *others = listed(self.backward_layer.forward(x, *initial_state[half:], mask=mask))
        other = self._turned(other)
        self.cache = one, other
        y = self._merged(one, other)
        return (y, *states, *others) if states else y

    def masks_of_forward(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> dict[str, Mask]:
        """As for the layer: in a Graph none with an initial state."""
        warn_of_padding(self, masks[0], at_end=True)
        return {}

    def _merged(self, one: NDArray, other: NDArray) -> NDArray:
        if self.merge_mode == "concat":
            return np.concatenate([one, other], axis=-1)
        if self.merge_mode == "mul":
            return one * other
        return one + other if self.merge_mode == "sum" else (one + other) / 2

    def backward(self, dy: Any) -> Any:
        """The gradient of each direction is its columns of dy ("concat"), dy ("sum"), dy times the other output ("mul"), or dy / 2 ("ave").

        Both read the same x, so dL/dx is the sum of the two. The states, if there are any, belong to one direction each.
        """
        dy, *dstates = listed(dy)
        half = len(dstates) // 2
        done, dother = (None, None) if dy is None else self._parts(dy)
        found = listed(self.forward_layer.backward((done, *dstates[:half]) if dstates else done))
        dother = dother if dother is None else self._turned(dother)
        others = listed(self.backward_layer.backward((dother, *dstates[half:]) if dstates else dother))
        dx, *dinitial = found
        dx_other, *dothers = others
        dx = None if dx is None or dx_other is None else dx + dx_other
        return (dx, *dinitial, *dothers) if dinitial else dx

    def _parts(self, dy: NDArray) -> Sequence[NDArray]:
        one, other = self.cache
        if self.merge_mode == "concat":
            return np.split(dy, 2, axis=-1)
        if self.merge_mode == "mul":
            return dy * other, dy * one
        return (dy, dy) if self.merge_mode == "sum" else (dy / 2, dy / 2)

    def pass_wants_dx(self, wants: bool) -> None:
        self.forward_layer.wants_dx = self.backward_layer.wants_dx = wants

    def _turned(self, y: NDArray) -> NDArray:
        return y[:, ::-1] if self.layer.return_sequences else y

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(LSTM(2)), (4, 3)),
            (cls(GRU(2, return_sequences=True)), (3, 2)),
            (cls(SimpleRNN(3, return_sequences=True), merge_mode="mul"), (3, 3)),
            (cls(LSTM(2, return_sequences=True), merge_mode="sum"), (4, 2)),
            (cls(GRU(2, use_bias=False, reset_after=False), merge_mode="ave"), (2, 5)),
        ]
