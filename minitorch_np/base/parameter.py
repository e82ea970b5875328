"""Parameter: a value that training changes, and the gradient of the loss with respect to it."""

from __future__ import annotations

import itertools
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from minitorch_np.base.answers import AnswersForeignNames, line_for
from minitorch_np.base.arrays import as_floats, as_numbers
from minitorch_np.base.validation import check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray


_changes = itertools.count(1)


class UsedAsArray(TypeError):
    """A Parameter was used as an array; `name` is the attribute that holds it, if that is known."""

    parameter: Parameter
    owner: str

    def __init__(self, parameter: Parameter, owner: str = "", name: str = "kernel") -> None:
        super().__init__(
            f"{owner}{parameter!r} is no array. Its numbers are in its value: write self.{name}.value, not self.{name}."
        )
        self.parameter, self.owner = parameter, owner


class Parameter(AnswersForeignNames):
    """An array of weights with the gradient dL/dvalue beside it.

    It is not an array: use `parameter.value` for arithmetic, NumPy's functions and indexing.

    Args:
        value: numbers, which are copied. Whole numbers become float64, float16 becomes float32.
        trainable: False for values that are saved but not learnt, such as running statistics.

    Attributes:
        value: the array, changed in place by the optimiser. An assignment copies numbers into it, and keeps its dtype and its order
            in memory. It raises ValueError for another shape, and for complex numbers and text.
        grad: dL/dvalue, of the same shape, or None until a `backward` has set it. Each backward replaces it.
        trainable: set it to False to freeze a value.
        learnable: the first setting of `trainable`, which freezing does not change. A frozen value is learnable and not trainable.
        regularizer: the penalty on the value, or None.
        rate: a factor of the optimiser's learning rate for this parameter, 1 by default.
        decay: a factor of the optimiser's weight decay for this parameter, 1 by default; with 0 it has none.
        constraint: what each step of the optimiser applies to the value after its update, or None.
        changes: an attribute of the class, a number that changes whenever `trainable` of any parameter is set.
    """

    changes: int = 0
    learnable: bool
    _in_span: Any  # what fit(in_span=True) trains in its place; not set before such a fit, None after it

    __slots__ = (
        "__weakref__",
        "_constraint",
        "_in_span",
        "_penalized",
        "_regularizer",
        "_trainable",
        "_value",
        "factors",
        "grad",
        "learnable",
        "network",
    )

    def __init__(self, value: ArrayLike, trainable: bool = True) -> None:
        self._begin(np.array(as_floats(value, "value", "Parameter")), trainable)

    @classmethod
    def sharing(cls, value: NDArray, trainable: bool = True) -> Self:
        """A parameter whose value is this array, of any dtype, without a copy."""
        parameter = object.__new__(cls)
        parameter._begin(value, trainable)
        return parameter

    def _begin(self, value: NDArray, trainable: bool) -> None:
        self._value = value
        self.grad: Any = None
        self._regularizer = self._constraint = None
        self._penalized: Any = None  # the grad that has the penalty in it
        self.factors: tuple[float, float] | None = None  # rate and decay, if they are not both 1
        self.learnable = self._trainable = trainable
        # The largest network that has listed this parameter: its number of parameters, and its id.
        self.network: tuple[int, int] = (0, 0)

    def _copy_into(self, value: ArrayLike) -> None:
        own = self._value
        if value is own:  # as after `parameter.value -= step`
            return
        array = as_numbers(value, "value", self, "biufc" if own.dtype.kind == "c" else "biuf")
        if array.shape != own.shape:
            raise ValueError(
                f"{self!r}: expected a value of shape {own.shape}, got {array.shape}. A parameter keeps its shape; "
                "make another one with self.add_parameter(shape)."
            )
        own[...] = array

    def _set_trainable(self, trainable: bool) -> None:
        if not isinstance(trainable, (bool, np.bool_)):
            raise ValueError(f"{self!r}: trainable is True or False, got {trainable!r}.")
        self._trainable = bool(trainable)
        Parameter.changes = next(_changes)

    def _set_regularizer(self, regularizer: Any) -> None:
        self._check_function("regularizer", regularizer, "mt.L2(0.01)")
        self._regularizer = regularizer

    def _set_constraint(self, constraint: Any) -> None:
        self._check_function("constraint", constraint, "mt.constraints.MaxNorm(2)")
        self._constraint = constraint

    def _check_function(self, name: str, value: Any, example: str) -> None:
        if value is not None and not callable(value):
            raise ValueError(f"{self!r}: {name} is an object such as {example}, or None, got {value!r}.")

    if TYPE_CHECKING:
        regularizer: Any
        constraint: Any

        @property
        def trainable(self) -> bool: ...
        @trainable.setter
        def trainable(self, trainable: bool) -> None: ...

        @property
        def value(self) -> NDArray: ...
        @value.setter
        def value(self, value: NDArray) -> None: ...
    else:  # read often in each step: attrgetter is faster than a function
        value = property(attrgetter("_value"), _copy_into)
        trainable = property(attrgetter("_trainable"), _set_trainable)
        regularizer = property(attrgetter("_regularizer"), _set_regularizer)
        constraint = property(attrgetter("_constraint"), _set_constraint)

    @property
    def rate(self) -> float:
        return 1.0 if self.factors is None else self.factors[0]

    @rate.setter
    def rate(self, rate: float) -> None:
        self._set_factors(rate, self.decay)

    @property
    def decay(self) -> float:
        return 1.0 if self.factors is None else self.factors[1]

    @decay.setter
    def decay(self, decay: float) -> None:
        self._set_factors(self.rate, decay)

    def _set_factors(self, rate: float, decay: float) -> None:
        check_number(repr(self), "rate, a factor of the learning rate,", rate)
        check_number(repr(self), "decay, a factor of the weight decay,", decay)
        self.factors = None if rate == decay == 1 else (float(rate), float(decay))

    def take_settings(self, other: Parameter) -> None:
        """Learn, or stay frozen, as the other parameter does: with its penalty and its factors."""
        self.trainable, self.regularizer, self.factors = other.trainable, other.regularizer, other.factors
        self.constraint = other.constraint

    def replace(self, value: NDArray) -> None:
        """Set the value to this array, without a copy and with its dtype and order in memory."""
        self._value = value

    def replica(self, *, copy: bool) -> Parameter:
        """Another Parameter with the same array, or with a copy of it, and no gradient."""
        value = self.value
        replica = Parameter.sharing(value.copy(order="K") if copy else value, self.learnable)
        replica._trainable, replica.regularizer, replica.factors = self._trainable, self.regularizer, self.factors
        replica.constraint = self.constraint
        return replica

    def add_penalty(self) -> None:
        """grad += the gradient of the regularizer's penalty, unless that has been done since the last backward."""
        if np.shape(self.grad) == self.shape and self.grad is not self._penalized:
            self.grad = self._penalized = self.grad + self.regularizer.gradient(self.value)

    def renew(self) -> None:
        """Replace the array by a copy, which later steps change. A thread that still reads the earlier array sees no change."""
        self._value = self._value.copy(order="K")

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.shape

    @property
    def frozen(self) -> bool:
        return self.learnable and not self.trainable

    @property
    def size(self) -> int:
        return self._value.size

    def __repr__(self) -> str:
        frozen = "" if self.trainable else ", trainable=False"
        return f"Parameter(shape={self.shape}, dtype={self._value.dtype}{frozen})"

    # A forgotten `.value`

    if not TYPE_CHECKING:  # so that type checkers report these operators

        def __getattr__(self, name):
            line = line_for(type(self), f".{name}")
            if not line and name[0] != "_":
                line = "Its array is parameter.value, the gradient parameter.grad."
                line = f"Write parameter.value.{name}." if hasattr(np.ndarray, name) else line
            answer = f"'Parameter' object has no attribute {name!r}. {line}".rstrip()
            raise AttributeError(answer, name=name, obj=self)

        def _is_no_array(self, *args: Any, **kwargs: Any) -> NoReturn:
            raise UsedAsArray(self)

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = _is_no_array
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = (
            _is_no_array
        )
        __neg__ = __pos__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = __float__ = __int__ = _is_no_array
        __len__ = __iter__ = __getitem__ = __setitem__ = _is_no_array
        __array__ = __array_ufunc__ = __array_function__ = _is_no_array
