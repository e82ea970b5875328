"""Source: examples that come batch by batch, for data that no array holds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Any, TypeVar

import numpy as np

from minitorch_np.base.arrays import is_one_array
from minitorch_np.shapes import Shape

Batch = tuple[Any, ...]  # (x,), (x, y) or (x, y, weights)
Item = TypeVar("Item")


class Source:
    """What fit, evaluate and predict take in place of arrays. A subclass writes `batches` and sets what it knows.

    Attributes:
        count: number of examples, or None if that is not known before they have all come.
        shape: the shape of one example, the batch left out.
        class_names: the names of the classes by number, or None.
    """

    count: int | None = None
    shape: Shape | None = None
    class_names: list[str] | None = None

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
    """What somebody else's iterable or generator function gives, batch by batch.

    Args:
        given: an iterable that can be gone through anew for each epoch; a function that returns one; or an iterator, which
            can be gone through once.
        steps: batches in one epoch; None for all there are. An iterator goes on where the last epoch ended.

    The order is the giver's own: nothing is shuffled, and batch_size is not looked at.
    """

    def __init__(self, given: Iterable[Any] | Callable[[], Iterable[Any]], steps: int | None = None) -> None:
        self.given, self.steps = given, steps
        self._iterator = iter(given) if hasattr(given, "__next__") else None  # type: ignore[arg-type]
        self._used = False
        self._peeked: list[Any] = []

    @property
    def shape(self) -> Shape | None:  # type: ignore[override]
        """The shape of the first example; the first batch is looked at for it."""
        for item in self._peeked or islice(self._begin(), 1):
            if self._iterator is not None:
                self._peeked = [item]
            batch = as_batch(item)
            shape = np.shape(batch[0])
            if not shape or any(part is not None and np.ndim(part) == 0 for part in batch[1:2]):
                raise ValueError(
                    f"{self.given!r} gives single examples; batches are expected, (x, y) of several examples. "
                    "Give x and y as arrays, or stack some examples at a time with np.stack."
                )
            return shape[1:]
        return None

    def fingerprint(self) -> str:
        """That of the first batch; of a list of batches, that of all.

        Raises:
            ValueError: an iterator cannot begin anew.
        """
        if self._iterator is not None:
            raise ValueError("fit(resume=…): an iterator cannot begin anew. Give the function that makes it.")
        first = None if isinstance(self.given, (list, tuple)) else 1
        return fingerprint(*(part for item in islice(self._begin(), first) for part in as_batch(item)))

    def _begin(self) -> Iterator[Any]:
        if self._iterator is None:
            return iter(self.given() if callable(self.given) else self.given)
        return self._iterator

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        if self._iterator is not None and self._used and self.steps is None:
            raise ValueError(
                "an iterator can be gone through once, and this is the second time. Give the function that makes it, or "
                "steps_per_epoch if it never ends."
            )
        self._used = True
        peeked, self._peeked = self._peeked, []
        count = skip
        for item in islice((item for part in (peeked, self._begin()) for item in part), skip, self.steps):
            count += 1
            yield as_batch(item)
        if self.steps is not None and count < self.steps:
            warnings.warn(f"steps_per_epoch is {self.steps}, and the data ended after {count}.", stacklevel=2)


def fingerprint(*arrays: Any) -> str:
    """SHA-256 over the arrays' types, shapes and bytes."""
    import hashlib

    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def as_source(x: Any, steps: int | None = None) -> Source | None:
    """x as a Source, or None if it is an array or can become one; a list of pairs of arrays is one of batches."""
    if isinstance(x, Source):
        return x
    if (
        isinstance(x, list)
        and x
        and isinstance(x[0], tuple)
        and len(x[0]) > 1
        and all(np.ndim(part) for part in x[0][:2])
    ):
        return Batches(x, steps)
    if is_one_array(x):
        return None
    return Batches(x, steps) if callable(x) or hasattr(x, "__iter__") else None


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


def in_background(items: Iterator[Item], ahead: int = 2, *, wait: bool = False) -> Generator[Item]:
    """The same items, each computed in another thread while the caller works on those before it.

    A caller that leaves early does not wait for an item that is slow to come, unless `wait` says so: the thread ends after
    that item, or with the program.
    """
    coming: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    room, left, end = Semaphore(ahead), Event(), object()

    def read() -> None:
        try:
            while room.acquire() and not left.is_set():
                coming.put((next(items, end), None))
        except BaseException as error:  # for the caller, whatever it is
            coming.put((end, error))

    reader = Thread(target=read, name="reader", daemon=True)
    reader.start()
    try:
        while (found := coming.get())[0] is not end:
            room.release()
            yield found[0]
        wait = True  # nothing is read any more
        if found[1] is not None:
            raise found[1]
    finally:
        left.set()
        room.release()
        reader.join(None if wait else 0.1)
