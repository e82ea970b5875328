"""Batches: a user-defined iterable or generator function as a Source."""

from __future__ import annotations

import dis
import itertools
import operator
import warnings
from collections.abc import Iterator
from types import GeneratorType
from typing import Any

import numpy as np

from minitorch_np.base.arrays import is_one_array
from minitorch_np.base.callers import caller
from minitorch_np.base.several import Several
from minitorch_np.base.shapes import Shape, has_several
from minitorch_np.base.text import of_class
from minitorch_np.source.items import Items, arrays_in, as_batch, is_sequence, set_state_of, state_of
from minitorch_np.source.source import Batch, Source, fingerprint

_END = object()
_MANY = 10_000  # batches in one epoch, after which data of unknown length get a warning that they may never end
_RETURNS = 10  # repetitions of the first batch, after which there is such a warning too
_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS")  # the bytecode instructions at which a generator ends


class Batches(Source):
    """The batches of a user-defined iterable or generator function, in its own order.

    Args:
        given: an iterable that can be iterated more than once; an object with `__len__` and `__getitem__`, whose items are the
            batches; a function that returns one of these; or an iterator, which can be iterated once.
        steps: batches in one epoch; None for all of them.
        argument: the name of `steps` in the caller's signature, for messages.
        goes_on: True: with `steps`, an epoch continues where the last one ended, and returns to the beginning at the end of the
            data, as in Keras. False: every epoch starts at the beginning. An iterator always continues.

    Attributes:
        position: the number of batches from the beginning of the data to the start of the next epoch.
    """

    given: Any
    steps: int | None
    argument: str
    position: int

    def __init__(
        self, given: Any, steps: int | None = None, argument: str = "steps_per_epoch", *, goes_on: bool = True
    ) -> None:
        self.given, self.steps, self.argument = given, steps, argument
        self.position = 0
        self._once = hasattr(given, "__next__")
        self._goes_on = goes_on and steps is not None
        self._used = False
        self._pass: Iterator[Any] | None = None  # the current pass through the data
        self._place = 0  # the next batch of this pass
        self._begun: dict[str, Any] = {}  # the state of the data at the start of this pass
        self._peeked: list[Any] = []
        self._first: tuple[Any, ...] = ()  # a copy of the first batch, if data of unknown length may repeat it
        self._returns = 0  # how often it has come again

    @property
    def length(self) -> int | None:
        """Batches in one epoch, or None if that is unknown."""
        return self.steps or operator.length_hint(self.given) or None

    @property
    def shape(self) -> Shape | None:  # type: ignore[override]
        """The shape of one example, taken from the first batch; None if there are no batches."""
        for item in self._peek():
            x, *more = as_batch(item)
            shape = tuple(np.shape(x))
            of_y = np.shape(more[0]) if more and more[0] is not None else shape
            if not shape or not of_y:
                raise ValueError(f"{self.given!r} gives single examples; {_remedy(self.given)}")
            if len(shape) < 2:
                raise ValueError(
                    f"{self.given!r} gives x of shape {shape}, one number per example; use x[:, None] for examples of one feature. "
                    f"If these are single examples, {_remedy(self.given)}"
                )
            if shape[0] != of_y[0]:
                raise ValueError(
                    f"{self.given!r}: x has {shape[0]} examples and y has {of_y[0]}. If these are single examples, "
                    f"{_remedy(self.given)}"
                )
            return shape[1:]
        return None

    def gives_examples(self, shape: Shape | None) -> bool:
        """Whether the items of an object with `__len__` and `__getitem__` are single examples, as those of a PyTorch Dataset are.

        Args:
            shape: the model's input shape, or None if it is not known yet.
        """
        if not is_sequence(self.given):
            return False
        for item in self._peek():
            if isinstance(item, dict):
                return False  # as_batch says what is wrong with it
            x, *more = as_batch(item)
            shapes: Any = shape or ()
            if has_several(shapes):  # in a dictionary they may have another order
                return {np.ndim(part) for part in arrays_in(x)} <= {len(one) for one in shapes}
            of_x = np.shape(x)
            if shape is not None and tuple(shape) in (of_x, of_x[1:]):
                return of_x == tuple(shape)
            return not of_x or bool(more) and more[0] is not None and not np.shape(more[0])
        return False

    def fingerprint(self) -> str:
        """SHA-256 of the first batch, or of all batches if they are in a list.

        Raises:
            ValueError: the data are an iterator, which cannot start again.
        """
        if self._once:
            raise ValueError("fit(resume=…): an iterator cannot start again. Give the function that makes it.")
        items = self.given if isinstance(self.given, (list, tuple)) else self._peek()
        parts = (array for item in items for part in as_batch(item) for array in arrays_in(part))
        return fingerprint(*(array for array in parts if array is not None))

    def get_state(self) -> dict[str, Any]:
        """The state of the data's generators and counters: at the start of this pass, or now if no pass has started."""
        if self._pass is not None:
            return self._begun
        return state_of(self.given)

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back a state of get_state, and start a new pass. Raises ValueError for names that the data do not have."""
        self._leave()
        set_state_of(self.given, state)

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        if self._once and self._used and self.steps is None:
            raise ValueError(
                "an iterator can be iterated once, and this is the second time. Give the function that makes it, or "
                f"{self.argument} if it never ends."
            )
        self._used = True
        self._begin()
        while self._place < self.position:
            self._next()
        count, whole = 0, False
        try:
            while count != self.steps:
                item = self._next()
                if item is _END:
                    if self.steps is not None and count and (self._once or count >= self._place):
                        self._warn_of_the_end(count)
                    if self._once or not self._goes_on or not self._place:
                        break
                    self._pass = None
                    self._begin()
                    continue
                count += 1
                if self.length is None:
                    self._look_for_no_end(count, item)
                if count > skip:
                    yield as_batch(item)
            whole = self._goes_on
            self.position = self._place if whole else 0
        finally:
            if not whole:
                self._leave()

    def _begin(self) -> None:
        if self._pass is None:
            self._begun = state_of(self.given)
            self._pass, self._place = _through(self.given() if callable(self.given) else self.given), 0
            if self.steps is None and never_ends(self._pass):
                raise ValueError(f"{self.given!r} never ends. Give {self.argument}, the number of batches to take.")

    def _next(self) -> Any:
        item = self._peeked.pop() if self._peeked else next(self._pass, _END)  # type: ignore[arg-type]
        self._place += item is not _END
        return item

    def _peek(self) -> list[Any]:
        """The first batch in a list, or an empty list. It still comes first in `batches`; no other batch is read for it."""
        if not self._peeked and self._pass is None:
            self._begin()
            item = next(self._pass, _END)  # type: ignore[call-overload]
            self._peeked = [] if item is _END else [item]
        return self._peeked

    def _leave(self) -> None:
        """End the pass, which may not be complete. An iterator belongs to the user and stays where it is."""
        if not self._once:
            left, self._pass, self._peeked = self._pass, None, []
            if hasattr(left, "close"):
                left.close()  # type: ignore[union-attr]

    def _look_for_no_end(self, count: int, item: Any) -> None:
        """Warn of very many batches in one epoch, and of a batch that is the first one again."""
        if count == 1:
            self._first, self._returns = _arrays_of(item), 0
        elif count == _MANY:
            warnings.warn(
                f"{self.given!r} has given {_MANY:,} batches in one epoch, and its length is unknown. If it never ends, give "
                f"{self.argument}, the number of batches to take.",
                stacklevel=caller(),
            )
        elif self._first and _are_equal(self._first, _arrays_of(item)):
            self._returns += 1
            if self._returns == _RETURNS:
                warnings.warn(
                    f"the first batch of {self.given!r} has come {_RETURNS} times again in one epoch. If the data repeat without end, this "
                    f"epoch never ends: give {self.argument}={(count - 1) // _RETURNS}.",
                    stacklevel=caller(),
                )

    def _warn_of_the_end(self, count: int) -> None:
        then = ": the epoch continues from their beginning" if self._goes_on and not self._once else ""
        warnings.warn(f"{self.argument} is {self.steps}, and the data ended after {count}{then}.", stacklevel=caller())


def _through(iterable: Any) -> Iterator[Any]:
    """One pass through it. `__len__` limits the number of items, because `__getitem__` may never raise IndexError."""
    if not hasattr(iterable, "__iter__") and not is_sequence(iterable):
        raise ValueError(f"expected batches, and the function returned {iterable!r}. Write it with yield.")
    if not is_sequence(iterable):
        return iter(iterable)
    if hasattr(iterable, "__iter__"):
        return itertools.islice(iter(iterable), len(iterable))
    return (iterable[number] for number in range(len(iterable)))


def never_ends(items: Iterator[Any]) -> bool:
    """Whether an iterator certainly never ends. A generator that can end has a return in its bytecode; the compiler leaves it out
    after `while True` without a break.
    """
    if isinstance(items, itertools.repeat):
        return operator.length_hint(items, -1) < 0  # repeat(x, times) knows its length
    if isinstance(items, GeneratorType):
        return not any(step.opname in _ENDS for step in dis.get_instructions(items.gi_code))
    return isinstance(items, (itertools.cycle, itertools.count))


def _has_rows(x: Any) -> bool:
    """Whether the x of a pair is an array, a list, or several arrays, and not one number."""
    return (isinstance(x, (list, tuple)) and len(x) > 0) or any(np.ndim(part) for part in arrays_in(x))


def _arrays_of(item: Any) -> tuple[Any, ...]:
    """Copies of all arrays in a batch."""
    return tuple(np.array(array) for part in as_batch(item) for array in arrays_in(part))


def _are_equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two batches are equal, found out quickly if their first numbers differ."""
    x, first = other[0], one[0]
    if isinstance(x, np.ndarray) and (x.shape != first.shape or not x.size or x.item(0) != first.item(0)):
        return False
    return len(one) == len(other) and all(map(np.array_equal, one, other))


def _remedy(given: Any) -> str:
    """The advice for data that yield single examples in place of batches."""
    remedy = "Give x and y as arrays, or stack some examples at a time with np.stack."
    if is_sequence(given) and not isinstance(given, list):
        remedy = "Begin the model with mt.Input(shape of one example), so that examples and batches can be told apart."
    return f"batches are expected, (x, y) of several examples. {remedy}"


def as_source(
    x: Any,
    steps: int | None = None,
    argument: str = "steps_per_epoch",
    *,
    goes_on: bool = True,
    shape: Shape | None = None,
) -> Source | None:
    """x as a Source, or None if it is an array or can become one. A list of pairs is one of batches, or of single examples.

    Args:
        steps, argument, goes_on: see Batches.
        shape: the model's input shape, or None if it is not known yet. It tells single examples from batches.
    """
    if isinstance(x, type):
        raise ValueError(f"expected data, got {x!r}.{of_class(x)}")
    if isinstance(x, Source):
        return x
    if isinstance(x, tuple) and x and all(isinstance(part, Source) for part in x):
        raise ValueError(
            "x is a pair of data sets, for training and for validation. Write fit(x[0], validation_data=x[1])."
        )
    if isinstance(x, Several):
        return None
    pairs = isinstance(x, list) and x and isinstance(x[0], tuple) and len(x[0]) > 1
    if not (pairs and _has_rows(x[0][0])) and is_one_array(x):
        return None
    if callable(x) or hasattr(x, "__iter__") or is_sequence(x):
        batches = Batches(x, steps, argument, goes_on=goes_on)
        return Items(x) if batches.gives_examples(shape) else batches
    return None
