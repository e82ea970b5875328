"""Dense: every output is a weighted sum of all inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from minitorch_np.base.functions import channel_sums, product, row_products
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.base.validation import Checks, Fixed, anything, flag
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import count, require_built
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint

# A kernel with this many times more inputs than units is stored in Fortran order: its products are then up to twice as fast in BLAS.
_TALL = 100


class Dense(Layer):
    """y = x @ kernel + bias.

    Args:
        units: number of outputs, at least 1.
        use_bias: False leaves the bias out.
        kernel_initializer: a name or a callable `(shape, rng) -> array`; "glorot_uniform" is Glorot & Bengio 2010, eq. 16.
        bias_initializer: likewise.
        kernel_regularizer: a penalty on the kernel that fit adds to the loss, "l1", "l2" or an object such as L2(0.01).
        bias_regularizer: likewise, on the bias.
        kernel_constraint, bias_constraint: applied after each step of the optimiser, such as constraints.MaxNorm(2).

    Shapes: x (batch, in_features) or (batch, time, in_features) -> y with units in place of in_features;
        kernel (in_features, units), bias (units,).
    Raises:
        ValueError: units is not a positive int; x has another rank, or another number of features than the kernel.
    """

    in_keras = True
    supports_masking = True
    checks: Checks = {
        "units": count("the number of outputs"),
        "use_bias": Fixed(flag),
        "kernel_initializer": Fixed(anything),
        "bias_initializer": Fixed(anything),
        "kernel_regularizer": Fixed(anything),
        "bias_regularizer": Fixed(anything),
        "kernel_constraint": Fixed(anything),
        "bias_constraint": Fixed(anything),
    }
    kernel: Parameter
    bias: Parameter | None

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        bias_regularizer: str | Regularizer | None = None,
        kernel_constraint: str | Constraint | None = None,
        bias_constraint: str | Constraint | None = None,
    ) -> None:
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        self.kernel = self.add_parameter(
            (input_shape[-1], self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if input_shape[-1] > _TALL * self.units:
            self.kernel.replace(np.asfortranarray(self.kernel.value))
        self.bias = None
        if self.use_bias:
            self.bias = self.add_parameter(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (1, 2):
            remedy = (
                "Put Flatten() before it."
                if len(input_shape) > 2
                else "Give each example a row: x[np.newaxis] for one example, x.reshape(-1, 1) for one number each."
            )
            raise ValueError(
                f"{self!r}: expected inputs of shape (batch, features), got {batch_of(input_shape)}. {remedy}"
            )
        return (*input_shape[:-1], self.units)

    def forward(self, x: NDArray) -> NDArray:
        kernel = self._kernel_for(x)
        self.cache = x
        y = product(x, kernel)
        return y if self.bias is None else y + self.bias.value

    def backward(self, dy: NDArray) -> NDArray | None:
        """L depends on kernel through y_bj = sum_i x_bi kernel_ij + bias_j, so

        dL/dkernel = x^T dy,   dL/dbias = sum over the batch of dy,   dL/dx = dy kernel^T.
        """
        x = self.cache
        x_rows, dy_rows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, self.units)
        order: Literal["C", "F"] = "F" if self.kernel.value.flags.f_contiguous else "C"  # as the kernel
        self.kernel.grad = row_products(x_rows, dy_rows, order)
        if self.bias is not None:
            self.bias.grad = channel_sums(dy_rows)
        return product(dy, self.kernel.value.T) if self.wants_dx else None

    def _kernel_for(self, x: NDArray) -> NDArray:
        require_built(self)
        kernel = self.kernel.value
        if x.shape[-1] != len(kernel) or x.ndim > 3:
            flat = " Put Flatten() before it." if x.ndim > 2 and np.prod(x.shape[1:]) == len(kernel) else ""
            raise ValueError(f"{self!r}: expected inputs of shape (batch, {len(kernel)}), got {x.shape}.{flat}")
        return kernel

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(3), (5,)),
            (cls(4, kernel_regularizer="l2", bias_regularizer="l1"), (4,)),
            (cls(2, use_bias=False), (3,)),
            (cls(3), (2, 5)),
        ]
