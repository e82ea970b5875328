"""LSTM: a recurrent layer with a memory cell, through which gradients reach many steps back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.recurrent import _Recurrent
from minitorch_np.layers.recurrent_products import stacked
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint


class LSTM(_Recurrent):
    """Long short-term memory: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.

        z_t = kernel^T x_t + recurrent_kernel^T h_(t-1) + bias
        i, f, o = sigmoid(z_t's first, second, fourth quarter),   g = tanh(third quarter)
        c_t = f c_(t-1) + i g
        h_t = o tanh(c_t),                with h_0 = c_0 = 0.

    Args:
        units: size of the state h and of the cell c.
        use_bias: False leaves the bias out.
        kernel_initializer, recurrent_initializer, bias_initializer: names or callables `(shape, rng) -> array`.
        unit_forget_bias: True initialises the bias of the forget gate to 1, so that the cell remembers. Jozefowicz et al. 2015.
        kernel_regularizer, recurrent_regularizer: penalties that fit adds to the loss, "l1", "l2" or objects such as L2(0.01).
        bias_regularizer: likewise, on the bias.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each step of the optimiser, such as
            constraints.MaxNorm(2).
        return_sequences: True gives the states h of all steps, False the last one.
        go_backwards: True reads x from its end; the states are in the order in which they are computed.
        return_state: True gives the final state beside y, (y, h, c). Such a layer is for a Graph, or for your own Model: a Sequential passes one array.
        stateful: True begins each batch with the state after the last one, until reset_states() is called.

    Shapes: x (batch, time, features) -> y (batch, units), or (batch, time, units) with return_sequences;
        kernel (features, 4 * units), recurrent_kernel (units, 4 * units), bias (4 * units,), in the order i, f, g, o.
    Raises:
        ValueError: units is not a positive int; x has another rank, or another number of features than the kernel.
    """

    in_keras = True
    checks: Checks = {"unit_forget_bias": Fixed(flag)}
    gates = 4
    state_size = 2

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        recurrent_initializer: str | Initializer = "orthogonal",
        bias_initializer: str | Initializer = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: str | Regularizer | None = None,
        recurrent_regularizer: str | Regularizer | None = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        bias_regularizer: str | Regularizer | None = None,
        kernel_constraint: str | Constraint | None = None,
        recurrent_constraint: str | Constraint | None = None,
        bias_constraint: str | Constraint | None = None,
        return_state: bool = False,
        stateful: bool = False,
    ) -> None:
        super().__init__(
            units,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            return_sequences,
            go_backwards,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            return_state,
            stateful,
        )
        self.unit_forget_bias = unit_forget_bias

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        if self.bias is not None and self.unit_forget_bias:
            self.bias.value[self.units : 2 * self.units] = 1

    def input_weights(self) -> tuple[NDArray, NDArray | None]:
        kernel, bias = super().input_weights()
        return kernel * self._half, None if bias is None else bias * self._half

    @property
    def _half(self) -> NDArray:
        """1/2 for the gates that are sigmoids, 1 for g: see run."""
        half = np.full(4 * self.units, 0.5, self.kernel.value.real.dtype)
        half[2 * self.units : 3 * self.units] = 1
        return half

    def run(self, projected: NDArray, initial: Sequence[NDArray]) -> tuple[NDArray, tuple[NDArray, NDArray, NDArray]]:
        """All four gates with one tanh, as sigmoid(z) = (1 + tanh(z / 2)) / 2.

        The weights are halved instead of z, which is less work and exact.
        """
        units, batch = self.units, projected.shape[2]
        recurrent = stacked((self.recurrent_kernel.value * self._half).T, batch)
        gates = projected.astype(np.result_type(projected, recurrent), copy=False)
        states, cells = self.start(gates, initial), self.start(gates, initial[1:])
        tanh_cells = np.empty_like(states)
        for t, gate in enumerate(gates):
            gate += np.matmul(recurrent, states[t]).reshape(gate.shape)
            np.tanh(gate, out=gate)
            for sigmoids in (gate[: 2 * units], gate[3 * units :]):
                sigmoids += 1
                sigmoids *= 0.5
            i, f, g, o = gate.reshape(4, units, batch)
            cell = np.multiply(f, cells[t], out=cells[t + 1])
            cell += i * g
            np.tanh(cell, out=tanh_cells[t + 1])
            np.multiply(o, tanh_cells[t + 1], out=states[t + 1])
        return states, (gates, cells, tanh_cells)

    def histories(self, states: NDArray, memory: tuple[NDArray, NDArray, NDArray]) -> tuple[NDArray, ...]:
        return states, memory[1]

    def run_back(
        self,
        dprojected: NDArray,
        dstates: NDArray,
        states: NDArray,
        memory: tuple[NDArray, NDArray, NDArray],
        *dothers: NDArray,
    ) -> Generator[int, None, tuple[NDArray, ...]]:
        """From the last step to the first, with dh = dL/dh_t = dy_t + recurrent_kernel dz_(t+1):

        h_t = o tanh(c_t) gives     do = dh tanh(c_t)   and adds   dh o (1 - tanh(c_t)^2)   to dc = dL/dc_t,
        c_t = f c_(t-1) + i g gives di = dc g,   df = dc c_(t-1),   dg = dc i,   and dL/dc_(t-1) = dc f for the step before.

        The derivative of a sigmoid s is s (1 - s), that of tanh is 1 - tanh^2, so dz_t is (di, df, dg, do) times
        (i (1 - i), f (1 - f), 1 - g^2, o (1 - o)).
        """
        gates, cells, tanh_cells = memory
        units, batch = self.units, gates.shape[2]
        recurrent = stacked(np.ascontiguousarray(self.recurrent_kernel.value), batch)
        dh: Any = 0
        dc = np.zeros_like(cells[0])
        for t in reversed(range(len(gates))):
            i, f, g, o = gates[t].reshape(4, units, batch)
            di, df, dg, do = dprojected[t].reshape(4, units, batch)
            tanh_cell = tanh_cells[t + 1]
            dh = dstates[t] + dh
            if dothers:
                dc += dothers[0][t]
            np.multiply(dh, tanh_cell, out=do)
            dc += (dh - do * tanh_cell) * o
            np.multiply(dc, g, out=di)
            np.multiply(dc, cells[t], out=df)
            np.multiply(dc, i, out=dg)
            dc *= f
            dprojected[t] *= slopes(gates[t])
            yield t
            dh = np.matmul(recurrent, dprojected[t]).reshape(units, batch)
        return dh, dc

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(3), (4, 2)),
            (cls(2, return_sequences=True, go_backwards=True), (5, 3)),
            (cls(2, use_bias=False, return_sequences=True), (2, 2)),
            (cls(2, unit_forget_bias=False, go_backwards=True), (3, 1)),
            (cls(1), (1, 1)),
        ]


def slopes(gates: NDArray) -> NDArray:
    """The derivatives of the gates of a step: s (1 - s) for i, f and o, 1 - g^2 for g."""
    units = len(gates) // 4
    slopes = gates * gates
    for sigmoids in (slice(2 * units), slice(3 * units, None)):
        np.subtract(gates[sigmoids], slopes[sigmoids], out=slopes[sigmoids])
    g = slopes[2 * units : 3 * units]
    np.subtract(1, g, out=g)
    return slopes
