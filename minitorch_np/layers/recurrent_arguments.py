"""The arguments of recurrent layers, their parameters and their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import count, require_sequences
from minitorch_np.layers.masks import Mask
from minitorch_np.layers.recurrent_state import Memory, split_shapes, warn_of_padding
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint


class _RecurrentArguments(Layer):
    """What a recurrent layer is built with: see _Recurrent."""

    uses_blocks = True
    gates = 1
    state_size = 1
    zeroes_padding = False  # whether y is 0 at padded steps, as Bidirectional wants it; else it is y of the step before
    kernel: Parameter
    recurrent_kernel: Parameter
    bias: Parameter | None
    keras_places: dict[str, str] = {"kernel": "cell/vars/0", "recurrent_kernel": "cell/vars/1", "bias": "cell/vars/2"}
    checks: Checks = {
        "units": count("the size of the state"),
        "use_bias": Fixed(flag),
        "return_sequences": Fixed(flag),
        "go_backwards": Fixed(flag),
        "return_state": Fixed(flag),
        "stateful": flag,
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
        return_state: bool = False,
        stateful: bool = False,
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
        self.return_state = return_state
        self.stateful = stateful
        self._memory = Memory()

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        return self.return_sequences

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)
        input_shape, _ = split_shapes(self, input_shape)
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

    def compute_output_shape(self, input_shape: Any) -> Any:
        input_shape, _ = split_shapes(self, input_shape)
        remedy = "A recurrent layer before it needs return_sequences=True; sequences of single numbers are x[..., np.newaxis], a single sequence x[np.newaxis]."
        require_sequences(self, input_shape, remedy)
        shape = (input_shape[0], self.units) if self.return_sequences else (self.units,)
        return (shape, *[(self.units,)] * self.state_size) if self.return_state else shape

    def masks_of_forward(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> dict[str, Mask]:
        """The masks for forward with an initial state, in a Graph: as in Keras none, so padded steps are read like all others."""
        warn_of_padding(self, masks[0], at_end=self.go_backwards or not self.return_sequences)
        return {}

    def reset_states(self) -> None:
        """Forget the state of earlier batches, which a layer with stateful=True keeps. The next sequence begins at zero."""
        self._memory.state = ()
