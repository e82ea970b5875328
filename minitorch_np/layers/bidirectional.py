"""Bidirectional: a recurrent layer that reads the sequence in both directions."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.answers import instead_of
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, one_of
from minitorch_np.layer import Layer
from minitorch_np.layers.gru import GRU
from minitorch_np.layers.lstm import LSTM
from minitorch_np.layers.recurrent import SimpleRNN, _Recurrent


class Bidirectional(Layer):
    """y = layer(x) merged with the output of a second such layer that reads x from its end. Schuster & Paliwal 1997.

    With return_sequences, the outputs of the second one are reversed, so that both are for the same step of x.

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
        self.layer = layer
        self.merge_mode = merge_mode

    def build(self, input_shape: Shape) -> None:
        self.forward_layer.ensure_built(input_shape)
        self.backward_layer.ensure_built(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        *steps, units = self.layer.compute_output_shape(input_shape)
        return (*steps, 2 * units if self.merge_mode == "concat" else units)

    def forward(self, x: NDArray) -> NDArray:
        one, other = self.forward_layer.forward(x), self._turned(self.backward_layer.forward(x))
        self.cache = one, other
        if self.merge_mode == "concat":
            return np.concatenate([one, other], axis=-1)
        if self.merge_mode == "mul":
            return one * other
        return one + other if self.merge_mode == "sum" else (one + other) / 2

    def backward(self, dy: NDArray) -> NDArray | None:
        """The gradient of each direction is its columns of dy ("concat"), dy ("sum"), dy times the other output ("mul"), or dy / 2 ("ave").

        Both read the same x, so dL/dx is the sum of the two.
        """
        one, other = self.cache
        if self.merge_mode == "concat":
            done, dother = np.split(dy, 2, axis=-1)
        elif self.merge_mode == "mul":
            done, dother = dy * other, dy * one
        else:
            done = dother = dy if self.merge_mode == "sum" else dy / 2
        dx = self.forward_layer.backward(done)
        dx_other = self.backward_layer.backward(self._turned(dother))
        return None if dx is None or dx_other is None else dx + dx_other

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
