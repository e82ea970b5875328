"""GRU: a recurrent layer whose gates mix the old state with a new one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.functions import row_products, sigmoid, sums
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.recurrent import _Recurrent
from minitorch_np.layers.recurrent_products import columns, stacked
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint


class GRU(_Recurrent):
    """Gated recurrent unit: Cho et al. 2014, equations 5 to 8.

        z, r = sigmoid(kernel_zr^T x_t + recurrent_kernel_zr^T h_(t-1) + biases_zr)
        n = tanh(kernel_n^T x_t + bias_n + r (recurrent_kernel_n^T h_(t-1) + recurrent_bias_n))    with reset_after
        n = tanh(kernel_n^T x_t + bias_n + recurrent_kernel_n^T (r h_(t-1)))                       without, as published
        h_t = z h_(t-1) + (1 - z) n,                with h_0 = 0.

    Args:
        units: size of the state h.
        use_bias: False leaves the biases out.
        kernel_initializer, recurrent_initializer, bias_initializer: names or callables `(shape, rng) -> array`.
        kernel_regularizer, recurrent_regularizer: penalties that fit adds to the loss, "l1", "l2" or objects such as L2(0.01).
        bias_regularizer: likewise, on the bias.
        kernel_constraint, recurrent_constraint, bias_constraint: applied after each step of the optimiser, such as
            constraints.MaxNorm(2).
        return_sequences: True gives the states of all steps, False the last one.
        go_backwards: True reads x from its end; the states are in the order in which they are computed.
        return_state: True gives the final state beside y, (y, h). Such a layer is for a Graph, or for your own Model: a Sequential passes one array.
        stateful: True begins each batch with the state after the last one, until reset_states() is called.
        reset_after: True applies the reset gate r after the product, so that one product is enough for all gates; False before it.

    Shapes: x (batch, time, features) -> y (batch, units), or (batch, time, units) with return_sequences;
        kernel (features, 3 * units), recurrent_kernel (units, 3 * units), in the order z, r, n;
        bias (2, 3 * units), for the input and for the state, with reset_after, else (3 * units,).
    Raises:
        ValueError: units is not a positive int; x has another rank, or another number of features than the kernel.
    """

    in_keras = True
    checks: Checks = {"reset_after": Fixed(flag)}
    gates = 3

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        recurrent_initializer: str | Initializer = "orthogonal",
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        recurrent_regularizer: str | Regularizer | None = None,
        return_sequences: bool = False,
        go_backwards: bool = False,
        reset_after: bool = True,
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
        self.reset_after = reset_after

    def bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_weights(self) -> tuple[NDArray, NDArray | None]:
        kernel, bias = super().input_weights()
        return kernel, bias[0] if bias is not None and self.reset_after else bias

    def run(self, projected: NDArray, initial: Sequence[NDArray]) -> tuple[NDArray, tuple[NDArray, NDArray]]:
        units, batch = self.units, projected.shape[2]
        kernel = self.recurrent_kernel.value.T
        bias = self.bias.value[1][:, None] if self.bias is not None and self.reset_after else 0
        gates = projected.astype(np.result_type(projected, kernel, bias), copy=False)
        zr, n = slice(2 * units), slice(2 * units, None)
        all_gates, of_zr, of_n = (stacked(rows, batch) for rows in (kernel, kernel[zr], kernel[n]))
        states = self.start(gates, initial)
        inner = np.empty_like(states[1:])  # what r multiplies: the product with the state, or the state
        for t, gate in enumerate(gates):
            h = states[t]
            if self.reset_after:
                product = np.matmul(all_gates, h).reshape(gate.shape) + bias
                gate[zr] = sigmoid(gate[zr] + product[zr])
                inner[t] = product[n]
                gate[n] += gate[units : 2 * units] * inner[t]
            else:
                gate[zr] = sigmoid(gate[zr] + np.matmul(of_zr, h).reshape(2 * units, batch))
                inner[t] = h
                gate[n] += np.matmul(of_n, gate[units : 2 * units] * h).reshape(units, batch)
            np.tanh(gate[n], out=gate[n])
            states[t + 1] = gate[n] + gate[:units] * (h - gate[n])
        return states, (gates, inner)

    def run_back(
        self,
        dprojected: NDArray,
        dstates: NDArray,
        states: NDArray,
        memory: tuple[NDArray, NDArray],
        *dothers: NDArray,
    ) -> Generator[int, None, tuple[NDArray, ...]]:
        """From the last step to the first, with dh = dL/dh_t, and a_z, a_r, a_n for the arguments of the sigmoids and the tanh:

        h_t = z h_(t-1) + (1 - z) n gives dz = dh (h_(t-1) - n),   dn = dh (1 - z),   and adds dh z to dL/dh_(t-1);
        da_z = dz z (1 - z),   da_n = dn (1 - n^2),   da_r = dr r (1 - r).
        With reset_after, a_n = … + r q with q = recurrent_kernel_n^T h_(t-1) + recurrent_bias_n:
            dr = da_n q,   and recurrent_kernel (da_z, da_r, da_n r) is added to dL/dh_(t-1).
        Without, a_n = … + recurrent_kernel_n^T (r h_(t-1)): let dp = recurrent_kernel_n da_n, then
            dr = dp h_(t-1),   and recurrent_kernel_zr (da_z, da_r) + dp r is added to dL/dh_(t-1).
        """
        gates, inner = memory
        units, batch = self.units, gates.shape[2]
        kernel = self.recurrent_kernel.value
        zr, n = slice(2 * units), slice(2 * units, None)
        all_gates, of_zr, of_n = (
            stacked(np.ascontiguousarray(some), batch) for some in (kernel, kernel[:, zr], kernel[:, n])
        )
        dh: Any = 0
        for t in reversed(range(len(gates))):
            z, r, n_t = gates[t].reshape(3, units, batch)
            da_z, da_r, da_n = dprojected[t].reshape(3, units, batch)
            dh = dh + dstates[t]
            da_z[...] = dh * (states[t] - n_t) * z * (1 - z)
            da_n[...] = dh * (1 - z) * (1 - n_t * n_t)
            dp = da_n if self.reset_after else np.matmul(of_n, da_n).reshape(units, batch)
            da_r[...] = dp * inner[t] * r * (1 - r)
            yield t
            dh = dh * z
            if self.reset_after:
                dh += np.matmul(all_gates, np.concatenate([da_z, da_r, da_n * r])).reshape(units, batch)
            else:
                dh += np.matmul(of_zr, dprojected[t, zr]).reshape(units, batch) + dp * r
        return (dh,)

    def recurrent_gradients(
        self, by_unit: NDArray, h: NDArray, block: slice, memory: tuple[NDArray, NDArray]
    ) -> list[NDArray]:
        """As for every recurrent layer, except for the part of recurrent_kernel_n.

        With reset_after, dL/dq = da_n r for q = recurrent_kernel_n^T h_(t-1) + recurrent_bias_n. Without, recurrent_kernel_n
        multiplies r h_(t-1), and the gradient of the product is da_n.
        """
        n, reset = slice(2 * self.units, None), columns(memory[0][block, self.units : 2 * self.units])
        if self.reset_after:
            inner = by_unit.copy()
            inner[n] *= reset
            kernel, *biases = super().recurrent_gradients(inner, h, block, memory)
            return [kernel, *(np.stack([sums(by_unit, (1,)), bias]) for bias in biases)]
        kernel, *biases = super().recurrent_gradients(by_unit, h, block, memory)
        kernel[n] = row_products(by_unit[n].T, (reset * h).T)
        return [kernel, *biases]

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(3), (4, 2)),
            (cls(2, return_sequences=True, go_backwards=True), (5, 3)),
            (cls(2, use_bias=False, return_sequences=True), (2, 2)),
            (cls(3, return_sequences=True, reset_after=False), (4, 2)),
            (cls(2, use_bias=False, go_backwards=True, reset_after=False), (3, 3)),
            (cls(1), (1, 1)),
        ]
