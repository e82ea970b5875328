"""Embeddings: a learnt vector for each word of a vocabulary, and for each position of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.arrays import as_floats
from minitorch_np.base.functions import segment_sums, sums
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape, batch_of
from minitorch_np.base.validation import Checks, Fixed, anything, flag
from minitorch_np.initializers import Constant, Initializer
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import count, require_built
from minitorch_np.regularizers import Regularizer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.constraints import Constraint


class Embedding(Layer):
    """y = embeddings[x]: each whole number in x becomes the row of that number. Bengio et al. 2003, section 2.

    Args:
        input_dim: size of the vocabulary; x holds 0 to input_dim - 1.
        output_dim: length of the vectors.
        embeddings_initializer: a name or a callable `(shape, rng) -> array`.
        embeddings_regularizer: a penalty on the embeddings that fit adds to the loss, "l1", "l2" or an object such as L2(0.01).
        embeddings_constraint: applied after each step of the optimiser, such as constraints.UnitNorm(axis=1).
        weights: a table of the first values, (input_dim, output_dim), in place of embeddings_initializer; also in a list, as in Keras.
        mask_zero: True takes 0 in x for padding: the layers after this one, the loss and the metrics leave such steps out. Words then
            have the numbers from 1, and input_dim is their count plus 1.

    Shapes: x (batch, ...), whole numbers of any dtype -> y (batch, ..., output_dim); embeddings (input_dim, output_dim).
    Raises:
        ValueError: a size is not a positive int; x holds a fraction, or a number outside the vocabulary.
    """

    in_keras = True
    checks: Checks = {
        "input_dim": count("the size of the vocabulary"),
        "output_dim": count("the length of the vectors"),
        "weights": Fixed(anything),
        "mask_zero": flag,
    }
    embeddings: Parameter

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: str | Initializer = "uniform",
        embeddings_regularizer: str | Regularizer | None = None,
        embeddings_constraint: str | Constraint | None = None,
        weights: ArrayLike | list[NDArray] | None = None,
        mask_zero: bool = False,
    ) -> None:
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint
        self.weights = weights
        self.mask_zero = mask_zero

    def settle(self) -> None:
        table = self._table()
        if table is not None and table.shape != (self.input_dim, self.output_dim):
            raise ValueError(
                f"Embedding: expected weights of shape ({self.input_dim}, {self.output_dim}), one row for each word, got "
                f"{table.shape}. Write Embedding(*table.shape, weights=table)."
            )

    def _table(self) -> NDArray | None:
        """The first values that were given, or None."""
        if self.weights is None:
            return None
        table = as_floats(self.weights, "weights", "Embedding")
        return table[0] if table.ndim == 3 and len(table) == 1 else table  # Keras takes a list of one table

    def build(self, input_shape: Shape) -> None:
        if self._dtype == np.float32 and self.input_dim > 2**24:
            raise ValueError(
                f"{self!r}: x is cast to float32, which cannot represent all whole numbers above {2**24}. "
                'Give the model dtype="float64", or use a smaller vocabulary.'
            )
        table = self._table()
        self.embeddings = self.add_parameter(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer if table is None else Constant(table),
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def forward(self, x: NDArray) -> NDArray:
        require_built(self)
        rows = self._rows(x)
        self.cache = rows
        self.output_mask = rows != 0 if self.mask_zero else None
        return self.embeddings.value[rows]

    def backward(self, dy: NDArray) -> None:
        """y_n = embeddings[x_n], so dL/dembeddings_v = sum of dy_n over all n with x_n = v. There is no dx: x is whole numbers.

        Sorted by x, the terms of each row are neighbours, and one call computes all sums. This is several times as fast as
        np.add.at.
        """
        rows = self.cache.ravel()
        order = np.argsort(rows, kind="stable")
        found, starts = np.unique(rows[order], return_index=True)
        grad = np.zeros((self.input_dim, self.output_dim), dy.dtype)
        grad[found] = segment_sums(dy.reshape(-1, self.output_dim)[order], starts)
        self.embeddings.grad = grad

    def _rows(self, x: NDArray) -> NDArray:
        """x as indices."""
        good = (x >= 0) & (x < self.input_dim)  # False for NaN too
        if good.all() and x.dtype.kind not in "biu":
            good = x == np.floor(x.real)
        if not good.all():
            place = tuple(int(i) for i in np.argwhere(~good)[0])
            number = x[place].real
            remedy = "Number the words from 0, or enlarge input_dim."
            if 0 <= number < self.input_dim:
                remedy = "Words have numbers; for measured values begin with another layer, such as Dense."
            raise ValueError(
                f"{self!r}: expected whole numbers from 0 to {self.input_dim - 1}, got {number:.9g} at "
                f"x[{', '.join(map(str, place))}]. {remedy}"
            )
        return x.real.astype(np.intp)

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        return rng.integers(0, self.input_dim, shape)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        table = [[0.5, -1.0], [2.0, 0.25], [-0.5, 1.5]]
        return [
            (cls(7, 3), (5,)),
            (cls(4, 4), (4,)),
            (cls(3, 1), (2, 3)),
            (cls(11, 2), (1,)),
            (cls(3, 2, weights=table), (2,)),
            (cls(3, 2, mask_zero=True), (4,)),
        ]


class PositionalEmbedding(Layer):
    """y = x + position_embeddings: a learnt vector is added for each position. Gehring et al. 2017, section 3.1.

    keras_hub's PositionEmbedding has the same table and returns it alone; this layer adds it to x. For a sequence shorter
    than the table, the first rows are used.

    Args:
        sequence_length: the longest sequence.
        initializer: a name or a callable `(shape, rng) -> array`.

    Shapes: x (batch, time, features) -> y the same; position_embeddings (sequence_length, features).
    Raises:
        ValueError: sequence_length is not a positive int; x has another rank, is longer, or has other features.
    """

    supports_masking = True
    checks: Checks = {"sequence_length": count("the longest sequence")}
    position_embeddings: Parameter

    def __init__(self, sequence_length: int, initializer: str | Initializer = "glorot_uniform") -> None:
        self.sequence_length = sequence_length
        self.initializer = initializer

    def build(self, input_shape: Shape) -> None:
        self.compute_output_shape(input_shape)
        self.position_embeddings = self.add_parameter((self.sequence_length, input_shape[-1]), self.initializer)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 2 or input_shape[0] > self.sequence_length:
            raise ValueError(
                f"{self!r}: expected inputs of shape (batch, time, features) with at most {self.sequence_length} steps, "
                f"got {batch_of(input_shape)}. Put Embedding before it, or enlarge sequence_length."
            )
        return input_shape

    def forward(self, x: NDArray) -> NDArray:
        require_built(self)
        time, features = self.compute_output_shape(x.shape[1:])
        table = self.position_embeddings.value
        if features != table.shape[1]:
            raise ValueError(f"{self!r}: expected {table.shape[1]} features, got inputs of shape {x.shape}.")
        self.cache = time
        return x + table[:time]

    def backward(self, dy: NDArray) -> NDArray:
        """y_bt = x_bt + table_t, so dL/dtable_t = sum over the batch of dy_bt, and 0 for rows that were not used; dL/dx = dy."""
        time = self.cache
        grad = np.zeros(self.position_embeddings.shape, dy.dtype)
        grad[:time] = sums(dy, (0,))
        self.position_embeddings.grad = grad
        return dy

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(5), (5, 3)), (cls(7), (3, 2)), (cls(1), (1, 1))]
