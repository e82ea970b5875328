"""Source: examples that come batch by batch, for data that no array holds."""

from __future__ import annotations

import dis
import itertools
import operator
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from threading import Event
from types import FunctionType, GeneratorType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from minitorch_np.base.arrays import is_one_array
from minitorch_np.base.callers import caller
from minitorch_np.base.code import outer_values
from minitorch_np.base.shapes import Shape
from minitorch_np.base.state import as_state, put_back
from minitorch_np.base.text import of_class

if TYPE_CHECKING:
    from concurrent.futures import Executor

Batch = tuple[Any, ...]  # (x,), (x, y) or (x, y, weights)
Item = TypeVar("Item")
_END = object()
# So many batches of one epoch, from data that do not say their number, are a reason to ask whether they end.
_MANY = 1_000_000
_ENDS = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS")  # the steps of bytecode at which a generator ends


class Source:
    """What fit, evaluate and predict take in place of arrays. A subclass writes `batches` and sets what it knows.

    Attributes:
        count: number of examples, or None if that is not known before they have all come.
        shape: the shape of one example, the batch left out.
        class_names: the names of the classes by number, or None.
        read_ahead: True lets fit, evaluate and predict go through `batches` in another thread, some batches before they are
            needed. False, the default: the thread that calls fit goes through them, one batch at a time.
    """

    count: int | None = None
    shape: Shape | None = None
    class_names: list[str] | None = None
    read_ahead = False

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch: (x,), (x, y) or (x, y, weights), one row per example.

        Args:
            batch_size: examples in each, the last may have fewer; None for all in one.
            rng: draws the order; None keeps it. Whatever is drawn is drawn before the first batch comes.
            skip: batches to leave out at the beginning, of the same epoch.
        """
        raise NotImplementedError(f"{self!r} has no batches: write batches(self, batch_size, rng, skip).")

    def fingerprint(self) -> str:
        """What tells these data from others, as far as that can be said without reading them all."""
        return f"{type(self).__name__}, {self.count} examples of shape {self.shape}"


class Batches(Source):
    """What somebody else's iterable or generator function gives, batch by batch, in the giver's own order.

    Args:
        given: an iterable that can be gone through anew; an object with `__len__` and `__getitem__`, which has so many batches;
            a function that returns one of these; or an iterator, which can be gone through once.
        steps: batches in one epoch; None for all there are.
        argument: what the caller of fit, evaluate or predict calls these steps, for messages.
        goes_on: True: with `steps`, an epoch begins where the last one ended, and begins anew at the end of the data, as in Keras.
            False: every time begins at the beginning. An iterator always goes on.

    Attributes:
        position: how many batches since the beginning of the data earlier epochs took.
    """

    def __init__(
        self, given: Any, steps: int | None = None, argument: str = "steps_per_epoch", *, goes_on: bool = True
    ) -> None:
        self.given, self.steps, self.argument = given, steps, argument
        self.position = 0
        self._once = hasattr(given, "__next__")
        self._goes_on = goes_on and steps is not None
        self._used = False
        self._pass: Iterator[Any] | None = None  # through the data, where one has begun
        self._place = 0  # of the next batch in this pass
        self._begun: dict[str, Any] = {}  # what moved in the giver, as this pass began
        self._peeked: list[Any] = []

    @property
    def length(self) -> int | None:
        """Batches in one epoch, as far as that is known."""
        return self.steps or operator.length_hint(self.given) or None

    @property
    def shape(self) -> Shape | None:  # type: ignore[override]
        """The shape of one example, seen in the first batch; None if there are no batches."""
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

    def fingerprint(self) -> str:
        """That of the first batch; of a list of batches, that of all.

        Raises:
            ValueError: an iterator cannot begin anew.
        """
        if self._once:
            raise ValueError("fit(resume=…): an iterator cannot begin anew. Give the function that makes it.")
        items = self.given if isinstance(self.given, (list, tuple)) else self._peek()
        return fingerprint(*(part for item in items for part in as_batch(item)))

    def get_state(self) -> dict[str, Any]:
        """Where the giver's own generators and counters were as this pass through the data began, or are before the next one."""
        if self._pass is not None:
            return self._begun
        return {name: as_state(value) for name, value in _moving(self.given).items()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Begin a pass as the one that get_state spoke of. Raises ValueError for what the giver does not hold."""
        self._leave()
        moving = _moving(self.given)
        if not set(state) <= set(moving):
            raise ValueError(
                f"the data hold {', '.join(moving) or 'no generator'}, and the state has {', '.join(map(str, state))}"
            )
        for name, value in state.items():
            now = put_back(moving[name], value)
            if now is not moving[name] and now != moving[name]:
                setattr(self.given, name, now)

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        if self._once and self._used and self.steps is None:
            raise ValueError(
                "an iterator can be gone through once, and this is the second time. Give the function that makes it, or "
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
                if count == _MANY and self.length is None:
                    self._warn_of_no_end()
                if count > skip:
                    yield as_batch(item)
            whole = self._goes_on
            self.position = self._place if whole else 0
        finally:
            if not whole:
                self._leave()

    def _begin(self) -> None:
        if self._pass is None:
            self._begun = {name: as_state(value) for name, value in _moving(self.given).items()}
            self._pass, self._place = _through(self.given() if callable(self.given) else self.given), 0
            if self.steps is None and never_ends(self._pass):
                raise ValueError(f"{self.given!r} never ends. Give {self.argument}, the number of batches to take.")

    def _next(self) -> Any:
        item = self._peeked.pop() if self._peeked else next(self._pass, _END)  # type: ignore[arg-type]
        self._place += item is not _END
        return item

    def _peek(self) -> list[Any]:
        """The first batch, which is given out all the same, and is the only one that is drawn."""
        if not self._peeked and self._pass is None:
            self._begin()
            item = next(self._pass, _END)  # type: ignore[call-overload]
            self._peeked = [] if item is _END else [item]
        return self._peeked

    def _leave(self) -> None:
        """End the pass, which may have more to give. An iterator is the giver's, and goes on."""
        if not self._once:
            left, self._pass, self._peeked = self._pass, None, []
            if hasattr(left, "close"):
                left.close()  # type: ignore[union-attr]

    def _warn_of_no_end(self) -> None:
        warnings.warn(
            f"{self.given!r} has given {_MANY:,} batches in one go, and does not say how many there are. If it never ends, give "
            f"{self.argument}, the number of batches to take.",
            stacklevel=caller(),
        )

    def _warn_of_the_end(self, count: int) -> None:
        then = ": they begin anew within the epoch" if self._goes_on and not self._once else ""
        warnings.warn(f"{self.argument} is {self.steps}, and the data ended after {count}{then}.", stacklevel=caller())


def _moving(given: Any) -> dict[str, Any]:
    """NumPy's generators that a function takes from around it; of an object those that it holds, and its numbers."""
    if isinstance(given, FunctionType):
        return {name: value for name, value in outer_values(given).items() if isinstance(value, np.random.Generator)}
    kinds = (np.random.Generator, bool, int, float)
    return {name: value for name, value in getattr(given, "__dict__", {}).items() if isinstance(value, kinds)}


def _through(iterable: Any) -> Iterator[Any]:
    """Once through it. What has `__len__` and `__getitem__` has so many items, also where `__getitem__` never says that it ends."""
    if not hasattr(iterable, "__iter__") and not is_sequence(iterable):
        raise ValueError(f"expected batches, and the function returned {iterable!r}. Write it with yield.")
    if not is_sequence(iterable):
        return iter(iterable)
    if hasattr(iterable, "__iter__"):
        return itertools.islice(iter(iterable), len(iterable))
    return (iterable[number] for number in range(len(iterable)))


def is_sequence(x: Any) -> bool:
    """Whether it has so many items, by number."""
    return hasattr(x, "__len__") and hasattr(x, "__getitem__") and not isinstance(x, Mapping)


def never_ends(items: Iterator[Any]) -> bool:
    """Whether it is certain that an iterator never ends. A generator that can end has a return in its bytecode, which the compiler
    leaves out after `while True` without a break.
    """
    if isinstance(items, itertools.repeat):
        return operator.length_hint(items, -1) < 0  # repeat(x, times) knows its length
    if isinstance(items, GeneratorType):
        return not any(step.opname in _ENDS for step in dis.get_instructions(items.gi_code))
    return isinstance(items, (itertools.cycle, itertools.count))


def _remedy(given: Any) -> str:
    """What to do where single examples come in place of batches."""
    remedy = "Give x and y as arrays, or stack some examples at a time with np.stack."
    if is_sequence(given) and not isinstance(given, list):
        remedy = "Return several at a time from __getitem__, or give torch.utils.data.DataLoader(data, batch_size=32)."
    return f"batches are expected, (x, y) of several examples. {remedy}"


def fingerprint(*arrays: Any) -> str:
    """SHA-256 over the arrays' types, shapes and bytes."""
    import hashlib

    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def as_source(
    x: Any, steps: int | None = None, argument: str = "steps_per_epoch", *, goes_on: bool = True
) -> Source | None:
    """x as a Source, or None if it is an array or can become one; a list of pairs of arrays is one of batches.

    The other arguments are those of Batches.
    """
    if isinstance(x, type):
        raise ValueError(f"expected data, got {x!r}.{of_class(x)}")
    if isinstance(x, Source):
        return x
    pairs = isinstance(x, list) and x and isinstance(x[0], tuple) and len(x[0]) > 1
    if not (pairs and all(np.ndim(part) for part in x[0][:2])) and is_one_array(x):
        return None
    if callable(x) or hasattr(x, "__iter__") or is_sequence(x):
        return Batches(x, steps, argument, goes_on=goes_on)
    return None


def as_batch(item: Any) -> Batch:
    """What an iterable gave, as (x,), (x, y) or (x, y, weights)."""
    batch = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    if isinstance(item, dict):
        raise ValueError(
            f"expected batches (x, y) or (x, y, weights), got a dictionary of {', '.join(map(repr, item))}."
        )
    if not 1 <= len(batch) <= 3:
        raise ValueError(f"expected batches (x, y) or (x, y, weights), got {len(batch)} items.")
    return batch


def in_background(items: Generator[Item], ahead: int = 2) -> Generator[Item]:
    """The same items, some of them computed in another thread while the caller works on those before them.

    The thread ends with the caller's loop or with the program: it is never waited for longer than one item takes. A caller that
    leaves early has `items` closed in the thread, and waits a second for that at most, since the item that is being computed may
    need a lock that the caller holds.
    """
    from concurrent.futures import ThreadPoolExecutor, wait

    process, left = os.getpid(), Event()
    pool = ThreadPoolExecutor(1, thread_name_prefix="reader")

    def step() -> Any:
        return _END if left.is_set() else next(items, _END)

    try:
        coming = deque(begun(pool, step) for _ in range(ahead))
        while True:
            coming.append(begun(pool, step))
            if (item := coming.popleft()()) is _END:
                return
            yield item
            if os.getpid() != process:
                raise RuntimeError(
                    "these batches are read by a thread of the process that began them, and this process is a fork of it. "
                    "Begin anew here: call batches(…), fit, evaluate or predict again."
                )
    finally:
        if os.getpid() == process:
            left.set()
            try:
                closed = wait([pool.submit(items.close)], timeout=1).done
            except RuntimeError:  # the program ends, and no thread runs any more
                closed = set()
                items.close()
            pool.shutdown(wait=bool(closed))


def begun(pool: Executor, call: Callable[[], Item]) -> Callable[[], Item]:
    """A function that waits for what the call returns, which has been begun in a thread; or the call itself, where none can be begun."""
    try:
        return pool.submit(call).result
    except RuntimeError:  # the program ends, or has as many threads as it may
        return call
