"""Parameter: a value that training changes, and the gradient of the loss with respect to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Parameter:
    """An array of weights with the gradient dL/dvalue beside it.

    Attributes:
        value: the array. The optimiser changes it in place, everything else only reads it.
        grad: dL/dvalue, of the same shape, or None until a `backward` has set it. Each backward replaces it.
        trainable: False for values that are kept and saved but not learnt, such as running statistics; set it to False to
            freeze a value.
        learnable: what trainable was in the beginning. A frozen value is learnable and not trainable.
        regularizer: the price that fit puts on the value, or None.
    """

    regularizer: Any = None

    def __init__(self, value: NDArray, trainable: bool = True) -> None:
        self.value = value
        self.grad: Any = None
        self.learnable = self.trainable = trainable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def frozen(self) -> bool:
        return self.learnable and not self.trainable

    @property
    def size(self) -> int:
        return self.value.size

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Parameter(shape={self.shape}, dtype={self.value.dtype}{frozen})"
