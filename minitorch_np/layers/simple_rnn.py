"""SimpleRNN: the simplest recurrent layer."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.layer import Layer
from minitorch_np.layers.recurrent import _Recurrent
from minitorch_np.layers.recurrent_products import stacked


class SimpleRNN(_Recurrent):
    """h_t = tanh(kernel^T x_t + recurrent_kernel^T h_(t-1) + bias), with h_0 = 0. Elman 1990.

    Args:
        units: size of the state h.
        use_bias: False leaves the bias out.
        kernel_initializer, recurrent_initializer, bias_initializer: names or callables `(shape, rng) -> array`.
        kernel_regularizer, recurrent_regularizer: penalties that fit adds to the loss, "l1", "l2" or objects such as L2(0.01).
        bias_regularizer: likewise, on the bias.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each step of the optimiser, such as
            constraints.MaxNorm(2).
        return_sequences: True gives the states of all steps, False the last one.
        go_backwards: True reads x from its end; the states are in the order in which they are computed.
        return_state: True gives the final state beside y, (y, h). Such a layer is for a Graph, or for your own Model: a Sequential passes one array.
        stateful: True begins each batch with the state after the last one, until reset_states() is called.

    Shapes: x (batch, time, features) -> y (batch, units), or (batch, time, units) with return_sequences;
        kernel (features, units), recurrent_kernel (units, units), bias (units,).
    Raises:
        ValueError: units is not a positive int; x has another rank, or another number of features than the kernel.
    """

    in_keras = True

    def run(self, projected: NDArray, initial: Sequence[NDArray]) -> tuple[NDArray, None]:
        recurrent = stacked(self.recurrent_kernel.value.T, projected.shape[2])
        projected = projected.astype(np.result_type(projected, recurrent), copy=False)
        states = self.start(projected, initial)
        for t, z in enumerate(projected):
            z += np.matmul(recurrent, states[t]).reshape(z.shape)
            np.tanh(z, out=states[t + 1])
        return states, None

    def run_back(
        self, dprojected: NDArray, dstates: NDArray, states: NDArray, memory: None, *dothers: NDArray
    ) -> Generator[int, None, tuple[NDArray, ...]]:
        """h_t = tanh(z_t), so dz_t = dL/dh_t (1 - h_t^2)."""
        recurrent = stacked(np.ascontiguousarray(self.recurrent_kernel.value), dprojected.shape[2])
        dh: Any = 0
        for t in reversed(range(len(dprojected))):
            dprojected[t] = (dstates[t] + dh) * (1 - states[t + 1] * states[t + 1])
            yield t
            dh = np.matmul(recurrent, dprojected[t]).reshape(dstates[t].shape)
        return (dh,)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(3), (4, 2)),
            (cls(2, return_sequences=True, go_backwards=True), (5, 3)),
            (cls(2, use_bias=False, go_backwards=True), (2, 2)),
            (cls(1), (1, 1)),
        ]
