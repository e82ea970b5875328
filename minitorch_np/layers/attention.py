"""Attention: every position of a sequence gets a weighted mean of the values of all positions, of the same sequence or of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.blocks import blocks_of, in_blocks
from minitorch_np.base.functions import channel_sums, product, row_products, sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, Fixed, flag, optional
from minitorch_np.initializers import Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.attention_inputs import (
    allowed_positions,
    check_inputs,
    masked_softmax,
    refuse_key_alone,
    three_shapes,
    without_weights,
)
from minitorch_np.layers.guards import count
from minitorch_np.layers.masks import Mask, all_of
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from minitorch_np.constraints import Constraint


class MultiHeadAttention(Layer):
    """y = (O_1, …, O_heads) output_kernel + output_bias. Vaswani et al. 2017, section 3.2.

    For each head:

        Q = query query_kernel + query_bias,   K = key key_kernel + key_bias,   V = value value_kernel + value_bias
        A = softmax(Q K^T / sqrt(key_dim)) over the keys,   O = A V.

    Self-attention, layer(x), computes all three from x. Cross-attention, layer(query, value), lets the positions of one sequence attend
    to those of another; layer(query, value, key) has keys of their own. In a Graph these are the sources of its node, in this order.

    Args:
        num_heads: number of heads.
        key_dim: features of a head's queries and keys.
        value_dim: features of a head's values; key_dim if None.
        use_bias: False leaves all four biases out.
        kernel_initializer, bias_initializer: names or callables `(shape, rng) -> array`.
        kernel_regularizer: a penalty on each of the four kernels that fit adds to the loss, "l1", "l2" or an object such as L2(0.01).
        bias_regularizer: likewise, on the biases.
        kernel_constraint, bias_constraint: applied after each step of the optimiser, such as constraints.MaxNorm(2).
        causal: True lets each position attend only to the position of the same number and those before it.

    Shapes: query (batch, time, features) -> y the same; value (batch, steps, any features) and key (batch, steps, any features). Each
        kernel is (features of its input, heads, key_dim), for value (…, heads, value_dim), with a bias (heads, …); output_kernel
        (heads, value_dim, features), output_bias (features,).
    Raises:
        ValueError: a size is not a positive int; an input or a mask has another shape.
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

    def build(self, input_shape: Any) -> None:
        query, value, key = (shape[-1] for shape in three_shapes(self, input_shape))
        keys, values = (self.num_heads, self.key_dim), (self.num_heads, self.head_dim)
        self.query_kernel, self.query_bias = self._projection((query, *keys), keys)
        self.key_kernel, self.key_bias = self._projection((key, *keys), keys)
        self.value_kernel, self.value_bias = self._projection((value, *values), values)
        self.output_kernel, self.output_bias = self._projection((*values, query), (query,))

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

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return three_shapes(self, input_shape)[0]

    @answers_foreign_arguments
    def __call__(  # type: ignore[override]  # as in Keras
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        *,
        training: bool | None = None,
        mask: Mask = None,
        query_mask: Mask = None,
    ) -> NDArray:
        """y, as for every layer. The other arguments are those of `forward`."""
        if value is None and key is None and mask is None and query_mask is None:
            return super().__call__(query, training)
        refuse_key_alone(self, value, key)
        arrays = [as_numbers(array, "x", self) for array in (query, value, key) if array is not None]
        if not self.built:
            shapes: Any = tuple(array.shape[1:] for array in arrays)
            dtype = arrays[0].dtype if arrays[0].dtype.kind == "f" else np.float32
            self.initialize(shapes if len(shapes) > 1 else shapes[0], dtype=dtype)
        given = (array.astype(self._dtype, copy=False) for array in arrays)
        return self.forward(*given, mask=mask, query_mask=query_mask)

    def masks_of_forward(self, masks: Sequence[Mask], arrays: Sequence[NDArray]) -> dict[str, Mask]:
        """The masks for forward, from those of query, value and key. A query without a mask has real positions alone."""
        query_mask = np.ones(arrays[0].shape[:2], bool) if masks[0] is None else masks[0]
        return {"query_mask": query_mask, "mask": all_of(masks[1:])}

    def forward(
        self,
        query: NDArray,
        value: NDArray | None = None,
        key: NDArray | None = None,
        *,
        mask: Mask = None,
        query_mask: Mask = None,
    ) -> NDArray:
        """y. Without a value that is the query, without a key that is the value.

        Args:
            mask: bool, (batch, steps), True at the positions of value that may be attended to, or (batch, time, steps), True where the
                position of query may attend to that of value. A position that may attend to nothing has A = 0, so its y is
                output_bias.
            query_mask: bool, (batch, time), False at padding in query. With it, A is the same for all positions at padding and where
                mask allows none, as in Keras; the layers after it leave padding out. A Sequential passes the mask of x as both.
        """
        refuse_key_alone(self, value, key)
        number = 1 if value is None else 2 if key is None else 3
        value = query if value is None else value
        key = value if key is None else key
        check_inputs(self, query, value, key)
        scale = 1 / math.sqrt(self.key_dim)
        q = self._heads(query, self.query_kernel, self.query_bias)
        k = self._heads(key, self.key_kernel, self.key_bias)
        v = self._heads(value, self.value_kernel, self.value_bias)
        allowed = allowed_positions(self, query, value, mask)
        padded = without_weights(self, query, query_mask, allowed)
        a = np.empty((*q.shape[:3], k.shape[2]), np.result_type(q, k))
        joined = np.empty((*query.shape[:2], self.num_heads * self.head_dim), np.result_type(a, v))

        def attend(examples: slice) -> None:
            scores = (q[examples] @ k[examples].swapaxes(2, 3)) * scale
            a[examples] = masked_softmax(scores, allowed if allowed is None or allowed.ndim == 2 else allowed[examples])
            if padded is not None:
                np.copyto(a[examples], 1 / k.shape[2], where=padded[examples])
            joined[examples] = _join(a[examples] @ v[examples])

        in_blocks(attend, blocks_of(a))
        self.cache = (query, value, key)[:number], q, k, v, a, joined, padded
        y = product(joined, self.output_kernel.value.reshape(-1, query.shape[2]))
        return y if self.output_bias is None else y + self.output_bias.value

    def backward(self, dy: NDArray) -> Any:
        """y = (O_1, …) output_kernel + output_bias is Dense, which gives dO. For each head

            O = A V           gives dA = dO V^T,   dV = A^T dO;
            S = Q K^T scale   gives dQ = dS K scale,   dK = dS^T Q scale.

        A is the softmax of S in each row, a_j = exp(s_j) / sum_k exp(s_k), with da_j/ds_i = a_j (1[i = j] - a_i):

            ds_i = sum_j da_j a_j (1[i = j] - a_i) = a_i (da_i - sum_j a_j da_j),

        the product with the Jacobian, without the Jacobian itself. Where a mask made a_i = 0, ds_i = 0. Where
        the query is padding, A is constant, and dS = 0. The three projections are Dense again. An array that is read by several of
        them has the sum of their gradients: in self-attention x has that of all three. Otherwise the result is a tuple with the
        gradient of each array that forward got.
        """
        given: tuple[NDArray, ...]
        given, q, k, v, a, joined, padded = self.cache
        query, value, key = given + given[-1:] * (3 - len(given))
        scale = 1 / math.sqrt(self.key_dim)
        self._set_gradients(self.output_kernel, self.output_bias, joined, dy)
        do = self._split(product(dy, self.output_kernel.value.reshape(-1, query.shape[2]).T))
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
        self._set_gradients(self.query_kernel, self.query_bias, query, dq)
        self._set_gradients(self.key_kernel, self.key_bias, key, dk)
        self._set_gradients(self.value_kernel, self.value_bias, value, dv)
        if not self.wants_dx:
            return None
        wq, wk, wv = (
            p.value.reshape(len(p.value), -1).T for p in (self.query_kernel, self.key_kernel, self.value_kernel)
        )
        dquery, dkey, dvalue = product(dq, wq), product(dk, wk), product(dv, wv)
        if len(given) == 1:
            return dquery + dkey + dvalue
        return (dquery, dkey + dvalue) if len(given) == 2 else (dquery, dvalue, dkey)

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

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [
            (cls(2, 3), (4, 5)),
            (cls(3, 2, value_dim=4, causal=True), (5, 2)),
            (cls(2, 2, use_bias=False), (2, 2)),
            (cls(1, 1), (1, 1)),
        ]


def _join(heads: NDArray) -> NDArray:
    """(batch, heads, time, size) as (batch, time, heads * size)."""
    batch, _, time, _ = heads.shape
    return heads.swapaxes(1, 2).reshape(batch, time, -1)
