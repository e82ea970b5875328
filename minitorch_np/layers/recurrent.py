"""Recurrent layers: what they share.

Inside the layers, arrays are (time, units, batch): a step, and in it a gate, is one block of memory, and the product of a step,
recurrent_kernel^T @ state, has the shape for which BLAS is fastest. What does not go from step to step is computed in blocks of steps.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import reduce
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.blocks import blocks_of, in_blocks
from minitorch_np.base.functions import row_products, sums
from minitorch_np.base.shapes import NDArray
from minitorch_np.layers.guards import require_built
from minitorch_np.layers.masks import ValidSteps, check_mask
from minitorch_np.layers.recurrent_arguments import _RecurrentArguments
from minitorch_np.layers.recurrent_products import columns, done_behind, stacked
from minitorch_np.layers.recurrent_state import checked_state, gradients_of_outputs, uses_memory

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class _Recurrent(_RecurrentArguments):
    """h_t = step(x_t, h_(t-1)) for t = 1 … time, with h_0 = 0 unless a state is given.

    A subclass sets `gates`, which its kernels hold side by side, and `state_size`, the arrays of its state, and writes `run` and `run_back`.
    """

    def run(self, projected: NDArray, initial: Sequence[NDArray]) -> tuple[NDArray, Any]:
        """Compute the states h_0 … h_time from kernel^T x_t + bias of all steps, (time, gates * units, batch).

        initial has the arrays of the state before the first step, (units, batch), or is empty for zeros. Returns the states, and a
        memory for `run_back`. May write into `projected`.
        """
        raise NotImplementedError

    def run_back(
        self, dprojected: NDArray, dstates: NDArray, states: NDArray, memory: Any, *dothers: NDArray
    ) -> Generator[int, None, tuple[NDArray, ...]]:
        """Compute dprojected = dL/dprojected, the last step first, and yield t as soon as dprojected[t] is complete.

        dstates is the part of dL/dh_t that comes through y_t and the final state alone; dothers is the same for the other arrays of
        the state, or empty if they have none. Returns the gradients of the arrays of the initial state.
        """
        raise NotImplementedError

    def histories(self, states: NDArray, memory: Any) -> tuple[NDArray, ...]:
        """Each array of the state at all times, (time + 1, units, batch)."""
        return (states,)

    def __call__(
        self,
        x: ArrayLike,
        training: bool | None = None,
        *,
        initial_state: Sequence[ArrayLike] | ArrayLike | None = None,
        mask: NDArray | None = None,
    ) -> Any:
        """As for every layer. The other arguments are those of `forward`."""
        if initial_state is None and mask is None:
            return super().__call__(x, training)
        x = as_numbers(x, "x", self)
        if not self.built:
            self.initialize(x.shape[1:], dtype=x.dtype if x.dtype.kind == "f" else np.float32)
        given: Any = () if initial_state is None else initial_state
        given = given if isinstance(given, (tuple, list)) else [given]
        x, *state = (as_numbers(array, "initial_state", self).astype(self._dtype, copy=False) for array in (x, *given))
        return self.forward(x, *state, mask=mask)

    def forward(self, x: NDArray, *initial_state: NDArray, mask: NDArray | None = None) -> Any:
        """y for x.

        Args:
            initial_state: the state before the first step, (batch, units): h_0, for an LSTM h_0 and c_0. Without it, zeros, or with
                stateful=True the state after the last batch.
            mask: (batch, time), False at steps that are padding. There the state stays as it is.

        Returns:
            y, or with return_state=True the tuple of y and the final state.
        """
        backwards = slice(None, None, -1 if self.go_backwards else 1)
        steps = self._checked(x).transpose(1, 2, 0)[backwards]  # (time, features, batch)
        valid = None
        if mask is not None:
            check_mask(self, mask, x)
            valid = ValidSteps(mask[:, backwards])
            steps = valid.to_front(steps)
        goes_on = uses_memory(self)
        known = initial_state or (self._memory.state if goes_on else ())
        initial = [state.T for state in checked_state(self, known, x)] if known else known
        kernel, bias = self.input_weights()
        parts = stacked(kernel.T, len(x))
        projected = np.empty(
            (len(steps), kernel.shape[1], len(x)),
            np.result_type(x, kernel, 0 if bias is None else bias, *initial),
        )

        def project(block: slice) -> None:
            z = projected[block]
            np.matmul(parts, steps[block, np.newaxis], out=z.reshape(len(z), *parts.shape[:2], len(x)))
            if bias is not None:
                z += bias[:, np.newaxis]

        in_blocks(project, blocks_of(projected))
        states, memory = self.run(projected, initial)
        self.cache = steps, states, memory, valid, bool(initial_state)
        y = self._output(states, valid, bool(known))
        if not (self.return_state or goes_on):
            return y
        histories = self.histories(states, memory)
        final = [np.array(all_of[-1].T if valid is None else valid.after_last(all_of)) for all_of in histories]
        if goes_on:
            self._memory.state = tuple(final)
        return (y, *final) if self.return_state else y

    def _output(self, states: NDArray, valid: ValidSteps | None, has_state: bool) -> NDArray:
        """y of the states h_0 … h_time. Padded steps before the first real one have y = 0, as in Keras, also if h_0 is not 0."""
        if valid is None:
            shown = states[1:].transpose(2, 0, 1) if self.return_sequences else states[-1].T
        elif self.return_sequences:
            y = valid.after_each(states)
            shown = (y * valid.shows(has_state, self.zeroes_padding)).transpose(2, 0, 1)
        else:
            shown = valid.after_last(states) * (valid.counts[-1] > 0)[:, np.newaxis]
        return np.ascontiguousarray(shown)

    def backward(self, dy: Any) -> Any:
        """Backpropagation through time (Werbos 1990). Let z_t = kernel^T x_t + bias + recurrent_kernel^T h_(t-1).

        h_t influences L through y_t and z_(t+1), so dL/dh_t = dy_t + recurrent_kernel dz_(t+1), computed from the last step to
        the first; run_back of each class has the step from dL/dh_t to dz_t. All steps share the parameters, so

            dL/dkernel = sum_t x_t dz_t^T,   dL/drecurrent_kernel = sum_t h_(t-1) dz_t^T,   dL/dbias = sum_t dz_t,

        each one matrix product over a block of steps, and dL/dx_t = kernel dz_t. As soon as dz is known for a block, another
        core computes these products, while this one continues with the steps before.

        With return_state, dy is the tuple of the gradients of y and of the final state, each an array or None. If forward got an
        initial state, the result is the tuple of the gradients of x and of that state.
        """
        steps, states, memory, valid, has_initial = self.cache
        dhistories = gradients_of_outputs(self, dy, states, valid, has_initial)
        batch = states.shape[2]
        dprojected = np.empty((len(steps), self.gates * self.units, batch), np.result_type(dhistories[0], states))
        dx = np.empty(steps.shape, dprojected.dtype) if self.wants_dx else None

        x_columns, h_columns = columns(steps), columns(states[:-1])

        def gradients(block: slice) -> list[NDArray]:
            by_unit, examples = columns(dprojected[block]), slice(block.start * batch, block.stop * batch)
            if dx is not None:
                dx[block] = (by_unit.T @ self.kernel.value.T).reshape(-1, batch, dx.shape[1]).swapaxes(1, 2)
            return [
                row_products(by_unit.T, x_columns[:, examples].T),
                *self.recurrent_gradients(by_unit, h_columns[:, examples], block, memory),
            ]

        dstates, *dothers = (history[1:] for history in dhistories)
        back_in_time = self.run_back(dprojected, dstates, states, memory, *dothers)
        results, dinitial = done_behind(back_in_time, gradients, blocks_of(dprojected))
        kernel, recurrent, *bias = (reduce(np.add, parts) for parts in zip(*results, strict=True))
        self.kernel.grad, self.recurrent_kernel.grad = kernel.T, recurrent.T
        if self.bias is not None:
            self.bias.grad = bias[0]
        if dx is not None:
            dx = dx if valid is None else valid.back_from_front(dx)
            dx = np.ascontiguousarray(dx[:: -1 if self.go_backwards else 1].transpose(2, 0, 1))
        if not has_initial:
            return dx
        at_once = (history[0] for history in dhistories)  # with no real step, the initial state is the final one
        sums_of_both = [np.add(a, b) for a, b in zip_longest(dinitial, at_once, fillvalue=0)]
        return (dx, *[np.ascontiguousarray(dstate.T) for dstate in sums_of_both])

    def input_weights(self) -> tuple[NDArray, NDArray | None]:
        """The kernel and bias in `projected`; LSTM scales them."""
        return self.kernel.value, None if self.bias is None else self.bias.value

    def recurrent_gradients(self, by_unit: NDArray, h: NDArray, block: slice, memory: Any) -> list[NDArray]:
        """What a block of steps adds to the gradients of recurrent_kernel, transposed, and of bias, if there is one.

        by_unit is dL/dprojected of the block as (gates * units, time * batch), h are the states before its steps, likewise.
        """
        kernel = row_products(by_unit.T, h.T)
        return [kernel] if self.bias is None else [kernel, sums(by_unit, (1,))]

    def start(self, projected: NDArray, initial: Sequence[NDArray]) -> NDArray:
        """An array for h_0 … h_time, with h_0 = initial[0] or 0, in the dtype of `projected`."""
        time, _, batch = projected.shape
        states = np.empty((time + 1, self.units, batch), projected.dtype)
        states[0] = initial[0] if initial else 0
        return states

    def _checked(self, x: NDArray) -> NDArray:
        require_built(self)
        if x.ndim != 3 or x.shape[2] != len(self.kernel.value) or not x.shape[1]:
            raise ValueError(
                f"{self!r}: expected inputs of shape (batch, time, {len(self.kernel.value)}) with at least one step, "
                f"got {x.shape}."
            )
        return x
