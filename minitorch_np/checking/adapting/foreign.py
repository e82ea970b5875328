"""ForeignCode: layers and functions of somebody else as a Layer, so that they can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.layout import Layout, columns_not_rows
from minitorch_np.checking.adapting.reading import Reader, Reading
from minitorch_np.checking.adapting.telling import looked_at, their_names, unseen_parameters
from minitorch_np.checking.adapting.trial import Source, Trial
from minitorch_np.checking.arrays_inside import copied, get, is_number, put
from minitorch_np.checking.evidence import gradient_of, same
from minitorch_np.checking.subject import GlobalRandomness, State
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray, Shape

# Of a backward that makes the step: a power of two, so that the change divided by it is the gradient to rounding.
_RATE = 2.0**30
_SMALL_RATE = 0.125  # where the gradient is kept as well
_RATE_NAMES = ("lr", "learning_rate", "eta", "rate", "step_size", "alpha")


class Foreign(Layer):
    """Code of somebody else as a Layer.

    `meet(x)` runs it and finds out what its arrays are; `looked_at()` says what was found.
    """

    shared: tuple[str, ...] = ("wide",)  # attributes that copies share
    forgotten: tuple[str, ...] = ()  # attributes that are None in copies

    def __init__(self, examples: str | None = None) -> None:
        self.told_layout = examples
        self.layout = Layout(examples or "rows")
        self.values: dict[str, Parameter] = {}
        self.wide: set[str] = set()  # shared by all copies

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = object.__new__(type(self))
        memo[id(self)] = copy
        for name, value in vars(self).items():
            vars(copy)[name] = value if name in self.shared else None if name in self.forgotten else copied(value)
        return copy

    def meet(self, x: NDArray) -> NDArray:
        """Find out what the arrays are, with x in the layout of the code; returns x with examples as rows."""
        raise NotImplementedError

    def looked_at(self) -> str:
        """Which arrays are taken for parameters, which gradients for theirs, and which are left out."""
        raise NotImplementedError

    def names(self) -> dict[str, str]:
        """What the code calls dy and the gradients of parameters, as far as it is known."""
        return {}

    def remarks(self) -> list[str]:
        """What makes the result less than certain: arrays that were not checked."""
        return []

    def checked(self, wrt: str | Sequence[str]) -> str | Sequence[str]:
        """The names to check, where the caller asked for `wrt`."""
        return wrt

    def own_parameters(self) -> dict[str, Parameter]:
        return dict(self.values)

    def narrow(self, name: str, array: Any) -> Any:
        """The array as float32 in the run with float32. Constants of somebody else's code are often float64; that is no wrong derivative."""
        if self._dtype == np.float32 and isinstance(array, (np.ndarray, np.generic)) and array.dtype == np.float64:
            self.wide.add(name)
            return array.astype(np.float32)
        return array

    def build(self, input_shape: Shape) -> None:
        """Inside a model: x is known by its shape alone."""
        if not self.values:
            self.meet(np.random.default_rng(0).normal(size=(4, *input_shape)))

    def know_shapes(self, x: NDArray, y: Any) -> None:
        """Count as built, so that no forward of zeros is needed."""
        self.input_shape, self.output_shape, self.built = x.shape[1:], np.shape(y)[1:], True


class ForeignCode(Foreign):
    """An object with forward and backward, or a pair of functions.

    forward first writes the parameters into the object, backward then reads the gradients from it.

    Args:
        pairs: the parameters and their gradients by name; None to find them.
        output, dx: the attributes of y and dx; None to find them.
        learning_rate: of a backward that changes the parameters itself.
        averaged: backward divides the gradients of parameters, but not dx, by the number of examples.
    """

    shared = ("reading", "wide")
    forgotten = ("_x", "_returned", "_y")

    def __init__(
        self,
        code: Code,
        pairs: Mapping[str, str] | None = None,
        *,
        output: str | None = None,
        dx: str | None = None,
        learning_rate: float | None = None,
        examples: str | None = None,
        averaged: bool = False,
    ) -> None:
        super().__init__(examples)
        self.code, self.pairs, self.output, self.dx = code, pairs, output, dx
        self.learning_rate, self.averaged = learning_rate, averaged
        self.reading: Reading | None = None
        self.spent = self.needs_forward = False

    def meet(self, x: NDArray) -> NDArray:
        whole = x.dtype.kind in "biu"
        if whole and self._shape_of_y(x.astype(np.float64)) is not None:
            x = x.astype(np.float64)
        if self.told_layout is None and columns_not_rows(self._shape_of_y, x):
            self.layout = Layout("columns")
        trial = Trial(self.code, x, self.output, self.dx)
        self.reading = Reader(self.code, trial, self.pairs).read()
        if whole and self.reading.dx.kind == "missing":
            x = x.astype(np.int64)
        self.code.root = trial.ready
        for name, paths in self.reading.parameters.items():
            self.values[name] = Parameter.sharing(np.array(get(trial.ready, paths[0]), np.float64))
        self._find_rate(x)
        rows = self.layout.ours(x)
        self.examples_met = len(rows) if rows.ndim else 1
        self.know_shapes(rows, self.forward(rows))
        self.needs_forward = self._adds_up(rows)
        return rows

    def forward(self, x: NDArray) -> NDArray:
        if self.reading is None:
            self.meet(x)
        self._x, self.spent = self.layout.theirs(x), False
        try:
            y = self.narrow("y", self.layout.ours(self._run(self._x)))
        except Exception as error:
            if np.iscomplexobj(x) or any(np.iscomplexobj(p.value) for p in self.values.values()):
                raise TypeError(
                    f"forward does not work with complex numbers: {type(error).__name__}: {error}"
                ) from error
            raise
        if self.built and len(x) != self.examples_met and np.shape(y)[:1] == (self.examples_met,):
            raise ValueError(
                f"{self!r} takes {self.examples_met} examples, as many as it has labels or other data for."
            )
        return y

    def _run(self, x: NDArray) -> NDArray:
        reading, root = self._read(), self.code.root
        self._put_parameters()
        self._returned = self.code.forward(root, x, training=self.training)
        self._y = np.asarray(self._get(reading.output, self._returned))
        if self._y.dtype == object:
            raise TypeError(f"{self!r}: forward's y holds objects, expected numbers. Convert them: np.array(y, float).")
        return self._y

    def backward(self, dy: NDArray) -> Any:
        reading, root = self._read(), self.code.root
        if self.spent:
            self._put_parameters()  # a backward that makes the step has changed them
        if self.spent and self.needs_forward:
            self._run(self._x)
        self.spent = True
        for name, source in reading.gradients.items():
            if source.kind == "attribute":  # many classes add to it
                zeros: Any = np.zeros(self.values[name].shape, self.values[name].value.dtype)
                for path in source.paths:
                    put(root, path, zeros if zeros.ndim else zeros[()])
        returned = self.code.backward(root, self.layout.theirs(dy), self._x, self._returned, self._y, self._rate())
        for name, source in reading.gradients.items():
            gradient = self._gradient(name, source, returned)
            if gradient is not None and self.averaged:
                gradient = gradient * np.asarray(len(dy), gradient.dtype)
            self.values[name].grad = self.narrow(gradient_of(name), gradient)
        dx = self._get(reading.dx, returned)
        return self.narrow("dx", self.layout.ours(dx)) if is_number(dx) else dx

    def _put_parameters(self) -> None:
        for name, paths in self._read().parameters.items():
            value = self.values[name].value
            for path in paths:
                put(self.code.root, path, value.copy() if value.ndim else value[()])

    def _adds_up(self, rows: NDArray) -> bool:
        """Whether a second backward gives another result, and not so after a new forward, as in a graph that is made for one backward."""

        def gradients() -> list[Any]:
            dx = self.backward(dy)
            return [np.array(a) for a in (dx, *(parameter.grad for parameter in self.values.values())) if is_number(a)]

        dy = np.random.default_rng(2).normal(size=np.shape(self.forward(rows)))
        randomness, state = GlobalRandomness(), State(self.code.root)
        try:
            first, second = gradients(), gradients()
            state.restore()
            self.forward(rows)
            gradients()
            self.forward(rows)
            third = gradients()
        except Exception:  # the check itself reports it
            return False
        finally:
            state.restore()
            randomness.restore()
        return not _same(first, second) and _same(first, third)

    def _gradient(self, name: str, source: Source, returned: Any) -> Any:
        if source.kind == "update":
            before = self.values[name].value
            after = np.asarray(get(self.code.root, self._read().parameters[name][0]))
            return (before - after) / np.asarray(self._rate(), before.dtype)
        gradient = self._get(source, returned)
        return np.array(gradient) if is_number(gradient) else gradient

    def _get(self, source: Source, returned: Any) -> Any:
        if source.kind == "missing":
            return None
        return get(returned if source.kind == "returned" else self.code.root, source.paths[0])

    def _read(self) -> Reading:
        if self.reading is None:
            raise RuntimeError(f"{self!r}: backward before forward. Run forward first.")
        return self.reading

    def checked(self, wrt: str | Sequence[str]) -> str | Sequence[str]:
        # A whole net may well return nothing. A layer without parameters, of which nothing else could be checked, may not.
        missing = self._read().dx.kind == "missing" and bool(self.values)
        return list(self.values) if missing and wrt == "all" else wrt

    # The learning rate of a backward that makes the step

    def _rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        updates = any(source.kind == "update" for source in self._read().gradients.values())
        return _RATE if updates else _SMALL_RATE

    def _find_rate(self, x: NDArray) -> None:
        """For updates with a rate that is no argument: the attribute that holds it.

        Raises:
            ValueError: there is none, so the gradient cannot be told from the change.
        """
        updated = [name for name, source in self._read().gradients.items() if source.kind == "update"]
        if not updated or self.code.takes_rate or self.learning_rate is not None:
            return
        named = next((name for name in _RATE_NAMES if isinstance(getattr(self.code.root, name, None), float)), None)
        if named is None or self.code.is_pair:
            raise ValueError(
                f"gradcheck: backward of {self!r} changes {', '.join(updated)} itself and keeps no gradient. "
                "Say its learning rate: adapt(layer, learning_rate=0.01)."
            )
        setattr(self.code.root, named, _RATE)

    # Layout

    def _shape_of_y(self, x: NDArray) -> Shape | None:
        """The shape of forward's y for this x, or None if forward refuses it."""
        try:
            returned = self.code.forward(copied(self.code.root), x.copy())
        except Exception:
            return None
        y = returned[0] if isinstance(returned, tuple) and returned else returned
        return x.shape if y is None else np.shape(y)

    def looked_at(self) -> str:
        return looked_at(self._read(), self.layout.note())

    def names(self) -> dict[str, str]:
        return their_names(self._read(), self.code)

    def remarks(self) -> list[str]:
        return unseen_parameters(self._read())

    def __repr__(self) -> str:
        if self.code.is_pair or type(self.code.root).__repr__ is object.__repr__:
            return self.code.name
        shown = repr(self.code.root)
        return shown if len(shown) < 80 and " at 0x" not in shown and "\n" not in shown else self.code.name


def _same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and same(a, b) for a, b in zip(first, second, strict=True)
    )
