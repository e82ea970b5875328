"""Recurrent layers: what they share, and the simplest of them.

Inside the layers, arrays are (time, units, batch): a step, and in it a gate, is one block of memory, and the product of a step,
recurrent_kernel^T @ state, has the shape for which BLAS is fastest. What does not go from step to step is computed in blocks of steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.blocks import blocks_of, in_blocks, later
from minitorch_np.base.functions import SMALL_PRODUCT, row_products, sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import count, require_built, require_sequences
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint

# Groups of fewer rows than this are slower on processors without AVX-512.
_FEW_ROWS = 128


class _Recurrent(Layer):
    """h_t = step(x_t, h_(t-1)) for t = 1 … time, with h_0 = 0.

    A subclass sets `gates`, the number of gates that its kernels hold side by side, and writes `run` and `run_back`.
    """

    uses_blocks = True
    gates = 1
    kernel: Parameter
    recurrent_kernel: Parameter
    bias: Parameter | None
    keras_places: dict[str, str] = {"kernel": "cell/vars/0", "recurrent_kernel": "cell/vars/1", "bias": "cell/vars/2"}
    checks: Checks = {
        "units": count("the size of the state"),
        "use_bias": Fixed(flag),
        "return_sequences": Fixed(flag),
        "go_backwards": Fixed(flag),
    }

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
        bias_regularizer: str | Regularizer | None = None,
        kernel_constraint: str | Constraint | None = None,
        recurrent_constraint: str | Constraint | None = None,
        bias_constraint: str | Constraint | None = None,
    ) -> None:
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.recurrent_regularizer = recurrent_regularizer
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.recurrent_constraint = recurrent_constraint
        self.bias_constraint = bias_constraint

    def run(self, projected: NDArray) -> tuple[NDArray, Any]:
        """Compute the states h_0 … h_time from kernel^T x_t + bias of all steps, (time, gates * units, batch).

        Returns the states, and a memory for `run_back`. May write into `projected`.
        """
        raise NotImplementedError

    def run_back(self, dprojected: NDArray, dstates: NDArray, states: NDArray, memory: Any) -> Iterator[int]:
        """Compute dprojected = dL/dprojected, the last step first, and yield t as soon as dprojected[t] is complete.

        dstates is the part of dL/dh_t that comes through y_t alone.
        """
        raise NotImplementedError

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        width = self.gates * self.units
        self.kernel = self.add_parameter(
            (input_shape[-1], width),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_parameter(
            (self.units, width),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        for kernel in (self.kernel, self.recurrent_kernel):  # in Fortran order, as their gradients are computed
            kernel.replace(np.asfortranarray(kernel.value))
        self.bias = None
        if self.use_bias:
            self.bias = self.add_parameter(
                self.bias_shape(),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def bias_shape(self) -> Shape:
        return (self.gates * self.units,)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        remedy = "A recurrent layer before it needs return_sequences=True; sequences of single numbers are x[..., np.newaxis]."
        require_sequences(self, input_shape, remedy)
        return (input_shape[0], self.units) if self.return_sequences else (self.units,)

    def forward(self, x: NDArray) -> NDArray:
        steps = self._checked(x).transpose(1, 2, 0)[:: -1 if self.go_backwards else 1]  # (time, features, batch)
        kernel, bias = self.input_weights()
        parts = stacked(kernel.T, len(x))
        projected = np.empty(
            (len(steps), kernel.shape[1], len(x)), np.result_type(x, kernel, 0 if bias is None else bias)
        )

        def project(block: slice) -> None:
            z = projected[block]
            np.matmul(parts, steps[block, np.newaxis], out=z.reshape(len(z), *parts.shape[:2], len(x)))
            if bias is not None:
                z += bias[:, np.newaxis]

        in_blocks(project, blocks_of(projected))
        states, memory = self.run(projected)
        self.cache = steps, states, memory
        if self.return_sequences:
            return np.ascontiguousarray(states[1:].transpose(2, 0, 1))
        return np.ascontiguousarray(states[-1].T)

    def backward(self, dy: NDArray) -> NDArray | None:
        """Backpropagation through time (Werbos 1990). Let z_t = kernel^T x_t + bias + recurrent_kernel^T h_(t-1).

        h_t influences L through y_t and z_(t+1), so dL/dh_t = dy_t + recurrent_kernel dz_(t+1), computed from the last step to
        the first; run_back of each class has the step from dL/dh_t to dz_t. All steps share the parameters, so

            dL/dkernel = sum_t x_t dz_t^T,   dL/drecurrent_kernel = sum_t h_(t-1) dz_t^T,   dL/dbias = sum_t dz_t,

        each one matrix product over a block of steps, and dL/dx_t = kernel dz_t. As soon as dz is known for a block, another
        core computes these products, while this one continues with the steps before.
        """
        steps, states, memory = self.cache
        dstates = np.zeros(states[1:].shape, dy.dtype)
        if self.return_sequences:
            dstates[...] = dy.transpose(1, 2, 0)
        else:
            dstates[-1] = dy.T
        dprojected = np.empty((len(steps), self.gates * self.units, len(dy)), np.result_type(dy, states))
        dx = np.empty(steps.shape, dprojected.dtype) if self.wants_dx else None

        x_columns, h_columns = columns(steps), columns(states[:-1])

        def gradients(block: slice) -> list[NDArray]:
            by_unit, examples = columns(dprojected[block]), slice(block.start * len(dy), block.stop * len(dy))
            if dx is not None:
                dx[block] = (by_unit.T @ self.kernel.value.T).reshape(-1, len(dy), dx.shape[1]).swapaxes(1, 2)
            return [
                row_products(by_unit.T, x_columns[:, examples].T),
                *self.recurrent_gradients(by_unit, h_columns[:, examples], block, memory),
            ]

        blocks = blocks_of(dprojected)
        first_steps, jobs = {block.start: block for block in blocks}, []
        try:
            for t in self.run_back(dprojected, dstates, states, memory):
                if t in first_steps:
                    jobs.append(later(gradients, first_steps[t]))
            results = [job.result() for job in jobs]
        finally:
            for job in jobs:
                job.stop()
        kernel, recurrent, *bias = (reduce(np.add, parts) for parts in zip(*results, strict=True))
        self.kernel.grad, self.recurrent_kernel.grad = kernel.T, recurrent.T
        if self.bias is not None:
            self.bias.grad = bias[0]
        if dx is None:
            return None
        return np.ascontiguousarray(dx[:: -1 if self.go_backwards else 1].transpose(2, 0, 1))

    def input_weights(self) -> tuple[NDArray, NDArray | None]:
        """The kernel and bias in `projected`; LSTM scales them."""
        return self.kernel.value, None if self.bias is None else self.bias.value

    def recurrent_gradients(self, by_unit: NDArray, h: NDArray, block: slice, memory: Any) -> list[NDArray]:
        """What a block of steps adds to the gradients of recurrent_kernel, transposed, and of bias, if there is one.

        by_unit is dL/dprojected of the block as (gates * units, time * batch), h are the states before its steps, likewise.
        """
        kernel = row_products(by_unit.T, h.T)
        return [kernel] if self.bias is None else [kernel, sums(by_unit, (1,))]

    def start(self, projected: NDArray) -> NDArray:
        """An array for h_0 … h_time, with h_0 = 0, in the dtype of `projected`."""
        time, _, batch = projected.shape
        states = np.empty((time + 1, self.units, batch), projected.dtype)
        states[0] = 0
        return states

    def _checked(self, x: NDArray) -> NDArray:
        require_built(self)
        if x.ndim != 3 or x.shape[2] != len(self.kernel.value) or not x.shape[1]:
            raise ValueError(
                f"{self!r}: expected inputs of shape (batch, time, {len(self.kernel.value)}) with at least one step, "
                f"got {x.shape}."
            )
        return x


def columns(array: NDArray) -> NDArray:
    """(time, units, batch) as (units, time * batch).

    >>> columns(np.arange(8).reshape(2, 2, 2))
    array([[0, 1, 4, 5],
           [2, 3, 6, 7]])
    """
    return array.swapaxes(0, 1).reshape(array.shape[1], -1)


def stacked(matrix: NDArray, batch: int) -> NDArray:
    """The rows of a matrix in groups, (groups, rows, columns): np.matmul(stacked(matrix, batch), state) is matrix @ state in groups.

    The groups are so small that OpenBLAS takes the product with a state of (columns, batch) as it is, on processors with AVX-512. For
    larger products it copies both matrices first, into an order in which it reads them more than once.
    """
    rows, columns = matrix.shape
    groups = 1
    while rows // groups * columns * batch > SMALL_PRODUCT and rows % (2 * groups) == 0 and rows // groups > _FEW_ROWS:
        groups *= 2
    return matrix.reshape(groups, rows // groups, columns)


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

    Shapes: x (batch, time, features) -> y (batch, units), or (batch, time, units) with return_sequences;
        kernel (features, units), recurrent_kernel (units, units), bias (units,).
    Raises:
        ValueError: units is not a positive int; x has another rank, or another number of features than the kernel.
    """

    in_keras = True

    def run(self, projected: NDArray) -> tuple[NDArray, None]:
        recurrent = stacked(self.recurrent_kernel.value.T, projected.shape[2])
        projected = projected.astype(np.result_type(projected, recurrent), copy=False)
        states = self.start(projected)
        for t, z in enumerate(projected):
            z += np.matmul(recurrent, states[t]).reshape(z.shape)
            np.tanh(z, out=states[t + 1])
        return states, None

    def run_back(self, dprojected: NDArray, dstates: NDArray, states: NDArray, memory: None) -> Iterator[int]:
        """h_t = tanh(z_t), so dz_t = dL/dh_t (1 - h_t^2)."""
        recurrent = stacked(np.ascontiguousarray(self.recurrent_kernel.value), dprojected.shape[2])
        dh: NDArray | int = 0
        for t in reversed(range(len(dprojected))):
            dprojected[t] = (dstates[t] + dh) * (1 - states[t + 1] * states[t + 1])
            yield t
            dh = np.matmul(recurrent, dprojected[t]).reshape(dstates[t].shape)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(3), (4, 2)),
            (cls(2, return_sequences=True, go_backwards=True), (5, 3)),
            (cls(2, use_bias=False, go_backwards=True), (2, 2)),
            (cls(1), (1, 1)),
        ]
