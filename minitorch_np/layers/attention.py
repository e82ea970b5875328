"""Attention: every position of a sequence gets a weighted mean of the values of all positions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.blocks import blocks_of, in_blocks
from minitorch_np.base.functions import channel_sums, product, row_products, sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag, optional
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import count, require_built, require_sequences
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint

_MASKED = -1e30  # a score whose exponential is 0 compared with any other


class MultiHeadAttention(Layer):
    """Self-attention: y = (O_1, …, O_heads) output_kernel + output_bias. Vaswani et al. 2017, section 3.2.

    For each head:

        Q, K, V = x query_kernel + query_bias,   x key_kernel + key_bias,   x value_kernel + value_bias
        A = softmax(Q K^T / sqrt(key_dim)) over the keys,   O = A V.

    Queries, keys and values are all computed from x. Attention to another sequence (cross-attention) is not provided.

    Args:
        num_heads: number of heads.
        key_dim: features of a head's queries and keys.
        value_dim: features of a head's values; key_dim if None.
        use_bias: False leaves all four biases out.
        kernel_initializer, bias_initializer: names or callables `(shape, rng) -> array`.
        kernel_regularizer: a penalty on each of the four kernels that fit adds to the loss, "l1", "l2" or an object such as L2(0.01).
        bias_regularizer: likewise, on the biases.
        kernel_constraint, bias_constraint: applied after each step of the optimiser, such as constraints.MaxNorm(2).
        causal: True lets each position attend only to itself and those before it.

    Shapes: x (batch, time, features) -> y the same; query_kernel and key_kernel (features, heads, key_dim), value_kernel
        (features, heads, value_dim), each with a bias (heads, …); output_kernel (heads, value_dim, features),
        output_bias (features,).
        forward takes a second argument, mask: bool, (batch, time), True at the positions that may be attended to, or
        (batch, time, time), True where the first position may attend to the second. A position that may attend to nothing has
        A = 0, so its y is output_bias. A Sequential passes the mask of x, and passes it as query_mask too: at padded positions A is
        then the same for all positions, as in Keras. The steps after it leave these positions out.
    Raises:
        ValueError: a size is not a positive int; x or the mask has another shape.
    """

    uses_blocks = True
    supports_masking = True
    in_keras = True  # in a Functional model, where it has two inputs
    keras_places: dict[str, str] = {
        f"{part}_{value}": f"{part}_dense/vars/{number}"
        for part in ("query", "key", "value", "output")
        for number, value in enumerate(("kernel", "bias"))
    }

    checks: Checks = {
        "num_heads": count("the number of heads"),
        "key_dim": count("the size of a head's queries and keys"),
        "value_dim": Fixed(optional(count("the size of a value"))),
        "use_bias": Fixed(flag),
        "causal": flag,
    }
    head_dim: int
    query_kernel: Parameter
    query_bias: Parameter | None
    key_kernel: Parameter
    key_bias: Parameter | None
    value_kernel: Parameter
    value_bias: Parameter | None
    output_kernel: Parameter
    output_bias: Parameter | None

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        use_bias: bool = True,
        kernel_initializer: str | Initializer = "glorot_uniform",
        bias_initializer: str | Initializer = "zeros",
        kernel_regularizer: str | Regularizer | None = None,
        causal: bool = False,
        bias_regularizer: str | Regularizer | None = None,
        kernel_constraint: str | Constraint | None = None,
        bias_constraint: str | Constraint | None = None,
    ) -> None:
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.causal = causal
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint

    def settle(self) -> None:
        self.head_dim = self.key_dim if self.value_dim is None else self.value_dim

    def build(self, input_shape: Shape) -> None:
        features = self.compute_output_shape(input_shape)[-1]
        keys, values = (self.num_heads, self.key_dim), (self.num_heads, self.head_dim)
        self.query_kernel, self.query_bias = self._projection((features, *keys), keys)
        self.key_kernel, self.key_bias = self._projection((features, *keys), keys)
        self.value_kernel, self.value_bias = self._projection((features, *values), values)
        self.output_kernel, self.output_bias = self._projection((*values, features), (features,))

    def _projection(self, kernel_shape: Shape, bias_shape: Shape) -> tuple[Parameter, Parameter | None]:
        kernel = self.add_parameter(
            kernel_shape,
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if not self.use_bias:
            return kernel, None
        return kernel, self.add_parameter(
            bias_shape, self.bias_initializer, regularizer=self.bias_regularizer, constraint=self.bias_constraint
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        require_sequences(self, input_shape, "Put Embedding before it.")
        return input_shape

    def forward(self, x: NDArray, mask: NDArray | None = None, query_mask: NDArray | None = None) -> NDArray:
        self._check(x)
        scale = 1 / math.sqrt(self.key_dim)
        q = self._heads(x, self.query_kernel, self.query_bias)
        k = self._heads(x, self.key_kernel, self.key_bias)
        v = self._heads(x, self.value_kernel, self.value_bias)
        allowed = self._allowed(x, mask)
        padded = None if query_mask is None else ~query_mask.reshape(len(x), 1, -1, 1)
        a = np.empty((*q.shape[:3], q.shape[2]), np.result_type(q, k))
        joined = np.empty((*x.shape[:2], self.num_heads * self.head_dim), np.result_type(a, v))

        def attend(examples: slice) -> None:
            scores = (q[examples] @ k[examples].swapaxes(2, 3)) * scale
            a[examples] = masked_softmax(scores, allowed if allowed is None or allowed.ndim == 2 else allowed[examples])
            if padded is not None:
                np.copyto(a[examples], 1 / x.shape[1], where=padded[examples])
            joined[examples] = _join(a[examples] @ v[examples])

        in_blocks(attend, blocks_of(a))
        self.cache = x, q, k, v, a, joined, padded
        y = product(joined, self.output_kernel.value.reshape(-1, x.shape[2]))
        return y if self.output_bias is None else y + self.output_bias.value

    def backward(self, dy: NDArray) -> NDArray | None:
        """y = (O_1, …) output_kernel + output_bias is Dense, which gives dO. For each head

            O = A V           gives dA = dO V^T,   dV = A^T dO;
            S = Q K^T scale   gives dQ = dS K scale,   dK = dS^T Q scale.

        A is the softmax of S in each row, a_j = exp(s_j) / sum_k exp(s_k), with da_j/ds_i = a_j (1[i = j] - a_i):

            ds_i = sum_j da_j a_j (1[i = j] - a_i) = a_i (da_i - sum_j a_j da_j),

        the product with the Jacobian, without the Jacobian itself. Where a mask made a_i = 0, ds_i = 0. Where
        the query is padding, A is constant, and dS = 0. The three projections
        are Dense again, and all three read x, so dL/dx is the sum of theirs.
        """
        x, q, k, v, a, joined, padded = self.cache
        scale = 1 / math.sqrt(self.key_dim)
        self._set_gradients(self.output_kernel, self.output_bias, joined, dy)
        do = self._split(product(dy, self.output_kernel.value.reshape(-1, x.shape[2]).T))
        dq, dk, dv = np.empty(q.shape, do.dtype), np.empty(k.shape, do.dtype), np.empty(v.shape, do.dtype)

        def back(examples: slice) -> None:
            a_here, do_here = a[examples], do[examples]
            da = do_here @ v[examples].swapaxes(2, 3)
            ds = a_here * (da - sums(a_here * da, (3,), keepdims=True)) * scale
            if padded is not None:
                np.copyto(ds, 0, where=padded[examples])
            dq[examples] = ds @ k[examples]
            dk[examples] = ds.swapaxes(2, 3) @ q[examples]
            dv[examples] = a_here.swapaxes(2, 3) @ do_here

        in_blocks(back, blocks_of(a))
        dq, dk, dv = _join(dq), _join(dk), _join(dv)
        self._set_gradients(self.query_kernel, self.query_bias, x, dq)
        self._set_gradients(self.key_kernel, self.key_bias, x, dk)
        self._set_gradients(self.value_kernel, self.value_bias, x, dv)
        if not self.wants_dx:
            return None
        wq, wk, wv = (
            p.value.reshape(len(p.value), -1).T for p in (self.query_kernel, self.key_kernel, self.value_kernel)
        )
        return product(dq, wq) + product(dk, wk) + product(dv, wv)

    def _heads(self, x: NDArray, kernel: Parameter, bias: Parameter | None) -> NDArray:
        """x kernel + bias, as (batch, heads, time, size)."""
        y = product(x, kernel.value.reshape(x.shape[2], -1))
        return self._split(y if bias is None else y + bias.value.ravel())

    def _split(self, y: NDArray) -> NDArray:
        """(batch, time, heads * size) as (batch, heads, time, size)."""
        return y.reshape(*y.shape[:2], self.num_heads, -1).swapaxes(1, 2)

    def _set_gradients(self, kernel: Parameter, bias: Parameter | None, x: NDArray, dy: NDArray) -> None:
        """The gradients of a kernel and a bias in y = x kernel + bias, as in Dense."""
        dy_rows = dy.reshape(-1, dy.shape[2])
        kernel.grad = row_products(x.reshape(-1, x.shape[2]), dy_rows).reshape(kernel.shape)
        if bias is not None:
            bias.grad = channel_sums(dy_rows).reshape(bias.shape)

    def _allowed(self, x: NDArray, mask: NDArray | None) -> NDArray | None:
        """Which position may attend to which, broadcastable to (batch, heads, time, time); None if all may attend to all."""
        batch, time, _ = x.shape
        allowed = np.tri(time, dtype=bool) if self.causal else None
        if mask is None:
            return allowed
        if mask.dtype != bool or mask.shape not in ((batch, time), (batch, time, time)):
            raise ValueError(
                f"{self!r}: expected a mask of bool, ({batch}, {time}) or ({batch}, {time}, {time}), True where a position "
                f"may be attended to, got {mask.dtype} {mask.shape}."
            )
        mask = mask.reshape(batch, 1, -1, time)
        return mask if allowed is None else mask & allowed

    def _check(self, x: NDArray) -> None:
        require_built(self)
        features = len(self.query_kernel.value)
        if x.ndim != 3 or x.shape[2] != features:
            raise ValueError(f"{self!r}: expected inputs of shape (batch, time, {features}), got {x.shape}.")

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(2, 3), (4, 5)),
            (cls(3, 2, value_dim=4, causal=True), (5, 2)),
            (cls(2, 2, use_bias=False), (2, 2)),
            (cls(1, 1), (1, 1)),
        ]


def masked_softmax(scores: NDArray, allowed: NDArray | None) -> NDArray:
    """exp(s_j) / sum of exp(s_k) over the allowed k of a row, 0 for the others; a row with none allowed is all 0.

    The maximum is subtracted first, so nothing overflows.
    """
    if allowed is not None:
        scores = np.where(allowed, scores, _MASKED)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    if allowed is not None:
        weights *= allowed
    total = sums(weights, (-1,), keepdims=True)
    weights /= total + (total == 0)
    return weights


def _join(heads: NDArray) -> NDArray:
    """(batch, heads, time, size) as (batch, time, heads * size)."""
    batch, _, time, _ = heads.shape
    return heads.swapaxes(1, 2).reshape(batch, time, -1)
