"""ForeignCode: objects and functions of somebody else as a Layer, so that they can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.checking.adapting.between_calls import Calls, adds_up, bears_resets, set_rates, stacked
from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.convention import divides_by_the_batch, is_net
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.adapting.layout import Layout, columns_not_rows
from minitorch_np.checking.adapting.reading import Reader, Reading
from minitorch_np.checking.adapting.sources import Source
from minitorch_np.checking.adapting.telling import averaging, looked_at, missing_dx, their_names, unseen_parameters
from minitorch_np.checking.adapting.trial import Trial
from minitorch_np.checking.arrays_inside import Path, copied, get, is_number, put
from minitorch_np.checking.evidence import gradient_of

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray, Shape

# Of a backward that makes the step: a power of two, so that the change divided by it is the gradient to rounding.
_RATE = 2.0**30
_SMALL_RATE = 0.125  # where the gradient is kept as well


@dataclass(frozen=True)
class Options:
    """What the caller told of the code.

    Attributes:
        pairs: the parameters and their gradients by name; None to find them.
        output, dx: the attributes of y and dx; None to find them.
        learning_rate: of a backward that changes the parameters itself.
        examples: "rows", "columns" or "one"; None to find it out.
        averaged: whether backward divides the gradients of parameters, but not dx, by the number of examples; None to find it out.
    """

    pairs: Mapping[str, str] | None = None
    output: str | None = None
    dx: str | None = None
    learning_rate: float | None = None
    examples: str | None = None
    averaged: bool | None = None


class ForeignCode(Foreign):
    """An object with forward and backward, or a pair of functions.

    forward first writes the parameters into the object, backward then reads the gradients from it.

    Attributes:
        divides: whether the gradients of parameters are divided by the number of examples.
        averaged: whether that is meant so, and undone here.
        asks_for_dx: whether dx is to be checked and was not found.
        needs_forward: whether each backward needs a forward of its own.
    """

    shared = ("reading", "options", "wide", "lacking", "updates", "fresh")
    forgotten = ("_x", "_returned", "_y")

    def __init__(self, code: Code, options: Options) -> None:
        super().__init__(options.examples)
        self.code, self.options = code, options
        self.averaged = bool(options.averaged)
        self.reading: Reading | None = None
        self.takes_whole_numbers = False
        self.fresh: Any = None  # the object before a forward, if each of them adds to its lists
        self.updates: dict[Path, Calls] = {}  # shared by all copies
        self.divides = self.asks_for_dx = self.spent = self.needs_forward = False

    def meet(self, x: NDArray) -> NDArray:
        self.code.resets = bears_resets(self.code, x)
        whole = x.dtype.kind in "biu"
        if whole and self._shape_of_y(x.astype(np.float64)) is not None:
            x = x.astype(np.float64)
        if self.told_layout is None and columns_not_rows(self._shape_of_y, x):
            self.layout = Layout("columns")
        trial = Trial(self.code, x, self.options.output, self.options.dx)
        self.fresh = trial.fresh
        if self.told_layout is None and isinstance(trial.returned, (list, tuple)) and trial.dx.paths == [()]:
            self.layout = Layout("one")  # the rows of x are several inputs
        self.reading = Reader(self.code, trial, self.options.pairs).read()
        if whole and self.reading.dx.kind == "missing":
            x = x.astype(np.int64)
        self.code.root, self.updates = trial.ready, trial.recorded
        for name, paths in self.reading.parameters.items():
            self.values[name] = Parameter.sharing(np.array(get(trial.ready, paths[0]), np.float64))
        self._find_rate(x)
        rows = self.layout.ours(x)
        self.takes_whole_numbers = x.dtype.kind in "biu"
        self.examples_met = len(rows) if rows.ndim else 1
        self.know_shapes(rows, self.forward(rows))
        self.needs_forward = self.fresh is not None or adds_up(self, rows)
        if self.options.averaged is None:
            self.divides = divides_by_the_batch(self, rows)
            self.averaged = self.divides and self.layout.examples == "columns"
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
        if self.fresh is not None:
            root = self.code.root = copied(self.fresh)
        self._put_parameters()
        self._returned = self.code.forward(root, x, training=self.training)
        self._y = np.asarray(reading.output.read(root, self._returned))
        if self._y.dtype == object:
            raise TypeError(f"{self!r}: forward's y holds objects, expected numbers. Convert them: np.array(y, float).")
        return self._y

    def backward(self, dy: NDArray) -> Any:
        reading = self._read()
        if self.spent:
            self._put_parameters()  # a backward that makes the step has changed them
        if self.spent and self.needs_forward:
            self._run(self._x)
        self.spent, root = True, self.code.root
        for name, source in reading.gradients.items():
            if source.kind == "attribute":  # many classes add to it
                zeros: Any = np.zeros(self.values[name].shape, self.values[name].value.dtype)
                for path in source.paths:
                    put(root, path, zeros if zeros.ndim else zeros[()])
            elif source.kind == "optimiser":
                self._calls(source).clear()
        returned = self.code.backward(root, self.layout.theirs(dy), self._x, self._returned, self._y, self._rate())
        for name, source in reading.gradients.items():
            gradient = self._gradient(name, source, returned)
            if is_number(gradient) and self.averaged:
                gradient = gradient * np.asarray(len(dy), gradient.dtype)
            self.values[name].grad = self.narrow(gradient_of(name), gradient)
        dx = stacked(reading.dx.read(root, returned))
        return self.narrow("dx", self.layout.ours(dx)) if is_number(dx) else dx

    def _put_parameters(self) -> None:
        for name, paths in self._read().parameters.items():
            value = self.values[name].value
            for path in paths:
                put(self.code.root, path, value.copy() if value.ndim else value[()])

    def _gradient(self, name: str, source: Source, returned: Any) -> Any:
        if source.kind == "update":
            before = self.values[name].value
            after = np.asarray(get(self.code.root, self._read().parameters[name][0]))
            return (before - after) / np.asarray(self._rate(), before.dtype)
        if source.kind == "optimiser":
            own = [get(self.code.root, path) for path in self._read().parameters[name]]
            gradient = next((told for value, told in self._calls(source) if any(value is one for one in own)), None)
        else:
            gradient = source.read(self.code.root, returned)
        return self.in_shape(name, np.array(gradient)) if is_number(gradient) else gradient

    def _calls(self, source: Source) -> Calls:
        return self.updates[source.paths[0]]

    def _read(self) -> Reading:
        if self.reading is None:
            raise RuntimeError(f"{self!r}: backward before forward. Run forward first.")
        return self.reading

    def checked(self, wrt: str | Sequence[str]) -> str | Sequence[str]:
        # A layer without parameters, of which nothing else could be checked, has to return dx.
        missing = self._read().dx.kind == "missing" and bool(self.values) and wrt == "all"
        self.asks_for_dx = missing and not self.takes_whole_numbers and not is_net(self.values)
        return list(self.values) if missing else wrt

    # The learning rate of a backward that makes the step

    def _rate(self) -> float:
        if self.options.learning_rate is not None:
            return self.options.learning_rate
        updates = any(source.kind == "update" for source in self._read().gradients.values())
        return _RATE if updates else _SMALL_RATE

    def _find_rate(self, x: NDArray) -> None:
        """For updates with a rate that is no argument: set it where it is held, in the object or in its optimisers.

        Raises:
            ValueError: there is none, so the gradient cannot be told from the change.
        """
        updated = [name for name, source in self._read().gradients.items() if source.kind == "update"]
        if not updated or self.code.takes_rate or self.options.learning_rate is not None:
            return
        if self.code.is_pair or not set_rates(self.code.root, _RATE):
            raise ValueError(
                f"gradcheck: backward of {self!r} changes {', '.join(updated)} itself and keeps no gradient. "
                "Say its learning rate: adapt(layer, learning_rate=0.01)."
            )

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
        notes = [self.layout.note(), averaging(self.examples_met, averaged=self.averaged, found=self.divides)]
        return looked_at(self._read(), notes, has_slope=not self.takes_whole_numbers)

    def names(self) -> dict[str, str]:
        return their_names(self._read(), self.code)

    def remarks(self) -> list[str]:
        return unseen_parameters(self._read()) + (missing_dx(list(self.values)) if self.asks_for_dx else [])

    def __repr__(self) -> str:
        if self.code.is_pair or type(self.code.root).__repr__ is object.__repr__:
            return self.code.name
        try:
            shown = repr(self.code.root)
        except Exception:  # whatever a class of somebody else raises
            return self.code.name
        return shown if len(shown) < 80 and " at 0x" not in shown and "\n" not in shown else self.code.name
