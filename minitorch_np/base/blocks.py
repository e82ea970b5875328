"""Blocks: large arrays are computed in blocks of examples, on all cores.

The blocks depend on the arrays alone, and sums of their results are added in their order. So a result has the same bits for any
number of threads. Threads work only inside `all_cores`, where BLAS has one thread.
"""

from __future__ import annotations

import contextvars
import functools
import math
import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import _GeneratorContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from minitorch_np.base.blas_threads import blas_threads, one_blas_thread
from minitorch_np.base.job import Job
from minitorch_np.base.validation import is_whole

if TYPE_CHECKING:
    from queue import SimpleQueue

    from minitorch_np.base.shapes import NDArray

Block = TypeVar("Block")
Result = TypeVar("Result")
Buffer = TypeVar("Buffer")

# A thread gains time where its calls of NumPy take 30 microseconds and more: below LEAST numbers there is one block. A block of at
# most MOST numbers stays in the cache of a core.
LEAST, MOST = 2**17, 2**18
# So many numbers of each of several arrays stay in the cache together, while one operation after the other goes through them.
IN_CACHE = 2**16

_MOST_THREADS = 1024

_wanted: int | None = None
_may_use_threads: ContextVar[bool] = ContextVar("may_use_threads", default=False)
_kept: ContextVar[dict[Hashable, list[Any]] | None] = ContextVar("kept_buffers", default=None)
_divides_small: ContextVar[bool] = ContextVar("divides_small_arrays", default=False)


def set_threads(count: int | None) -> None:
    """Set the number of threads with which `fit`, `predict` and `evaluate` compute.

    Models with convolutions, recurrent layers or attention use them, with the same bits for any number. The other models leave
    threads to BLAS, unless the number is 1: then BLAS has one thread for every model. Without this call the number is the
    environment variable MINITORCH_NP_THREADS, or else the number of threads that BLAS has, one for each core or OPENBLAS_NUM_THREADS.

    Args:
        count: a whole number from 1 to 1024; None goes back to that number.

    Raises:
        ValueError: count is anything else.
    """
    global _wanted
    if count is not None and not (is_whole(count) and 1 <= count <= _MOST_THREADS):
        raise ValueError(
            f"set_threads: expected a whole number of threads from 1 to {_MOST_THREADS}, got {count!r}. "
            "More than there are cores gain nothing; set_threads(None) goes back to MINITORCH_NP_THREADS, or one for each core."
        )
    _wanted = None if count is None else int(count)
    _helpers.end()


def thread_count() -> int:
    """The number of threads; see set_threads."""
    if _wanted is not None:
        return _wanted
    given = os.environ.get("MINITORCH_NP_THREADS")
    if not given:
        return blas_threads()
    if not given.isdecimal() or not 1 <= int(given) <= _MOST_THREADS:
        raise ValueError(
            f"MINITORCH_NP_THREADS: expected a whole number of threads from 1 to {_MOST_THREADS}, got {given!r}. "
            "Correct the environment variable, or unset it for one thread for each core."
        )
    return int(given)


def all_cores(useful: bool = True) -> _GeneratorContextManager[None]:
    """Inside the `with` block `in_blocks` uses threads and BLAS has one thread, if BLAS can be switched.

    `fit`, `predict` and `evaluate` do this for models whose layers use blocks; a training loop of your own may do it too. If it is
    not useful, nothing changes, except that BLAS has one thread too where only one is wanted: see set_threads.

    Raises:
        ValueError: useful is not True or False.
    """
    if not isinstance(useful, (bool, np.bool_)):  # a number of threads, or a function in @all_cores
        raise ValueError(
            f"all_cores: useful is True or False, got {useful!r}. Write `with all_cores():` or `@all_cores()`; "
            "the number of threads is set by set_threads."
        )
    return _all_cores(bool(useful))


@contextmanager
def _all_cores(useful: bool) -> Iterator[None]:
    if not useful and thread_count() > 1:
        yield
        return
    with one_blas_thread() as switched:
        before = _may_use_threads.get(), _kept.get()
        _may_use_threads.set(switched)
        _kept.set({})
        try:
            yield
        finally:  # without tokens, which a generator that ends in another context cannot use
            _may_use_threads.set(before[0])
            _kept.set(before[1])


def inside_all_cores() -> bool:
    """Whether BLAS has one thread, so that large matrix products gain from blocks too."""
    return _kept.get() is not None


def block_length(examples: int, numbers: int) -> int:
    """How many examples a block has, if all of them have this many numbers: halves, quarters … of them."""
    parts = 1
    if numbers >= LEAST:
        parts = 2
        while numbers > parts * MOST:
            parts *= 2
    return max(1, -(-examples // parts))


def slices(count: int, length: int) -> list[slice]:
    """slice(0, length), slice(length, 2 * length) … up to count. An empty batch is one slice.

    >>> slices(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(start, min(start + length, count)) for start in range(0, max(1, count), length)]


def blocks_of(x: NDArray) -> list[slice]:
    """Slices of the first axis, such as the batch, that divide x into blocks.

    Raises:
        ValueError: x is not an array, or has no axis.
    """
    shape = getattr(x, "shape", ())
    if not shape:
        raise ValueError(
            f"blocks_of: expected an array with one row per example, got {x!r:.100}. Write np.asarray(x) for a list."
        )
    length = block_length(shape[0], math.prod(shape))
    return slices(shape[0], max(1, min(length, -(-shape[0] // 2))) if _divides_small.get() else length)


@contextmanager
def small_blocks() -> Iterator[None]:
    """Inside the `with` block `blocks_of` divides small arrays too, so that a check meets what happens in large ones."""
    before = _divides_small.get()
    _divides_small.set(True)
    try:
        yield
    finally:
        _divides_small.set(before)


def in_blocks(work: Callable[[Block], Result], blocks: Iterable[Block]) -> list[Result]:
    """[work(block) for block in blocks], on several cores inside `all_cores`.

    `work` writes only what no other block reads or writes. If it raises, so does this, once no block runs any more.

    Raises:
        ValueError: work cannot be called, or blocks cannot be listed.
    """
    if not callable(work):
        raise ValueError(
            f"in_blocks: expected a function of one block first, got {work!r:.100}. Write in_blocks(work, blocks), with work not yet called."
        )
    try:
        each = iter(blocks)
    except TypeError:
        raise ValueError(f"in_blocks: expected blocks in a list, such as blocks_of(x), got {blocks!r:.100}.") from None
    blocks = list(each)
    helpers = min(thread_count(), len(blocks)) - 1 if len(blocks) > 1 and _may_use_threads.get() else 0
    if not helpers:
        return [work(block) for block in blocks]
    jobs = [Job(work, block) for block in blocks]
    token = _may_use_threads.set(False)  # blocks inside a block run one after the other
    try:
        # The others begin at the back, so that in every layer a core meets the examples that it had in the layer before.
        _helpers.ask(functools.partial(_run_all, jobs[::-1]), helpers)
        return [job.result() for job in jobs]
    finally:
        _may_use_threads.reset(token)
        for job in jobs:  # after an error
            job.stop()


def later(work: Callable[[Block], Result], block: Block) -> Job[Result]:
    """work(block), which another core does inside `all_cores` while the caller continues; `result()` of the job returns it.

    `work` reads only what the caller does not write until then. Each job has to end with `result()` or `stop()`.
    """
    job = Job(work, block)
    if _may_use_threads.get() and thread_count() > 1:
        token = _may_use_threads.set(False)
        try:
            _helpers.ask(job.run, 1)
        finally:
            _may_use_threads.reset(token)
    return job


@contextmanager
def borrowed(make: Callable[..., Buffer], *arguments: Hashable) -> Iterator[Buffer]:
    """make(*arguments) for the `with` block. Inside `all_cores` it is kept, and lent again for the same arguments.

    It is for arrays that a block writes and reads before it ends. They must not become part of a result.
    """
    kept = _kept.get()
    free = [] if kept is None else kept.setdefault((make, *arguments), [])
    try:
        buffer = free.pop()
    except IndexError:
        buffer = make(*arguments)
    yield buffer
    free.append(buffer)


def _run_all(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        job.run()


class _Helpers:
    """Threads that wait for work. They end with the interpreter, and a process that was forked starts its own."""

    def __init__(self) -> None:
        self.lock, self.started = threading.Lock(), 0
        self.calls: SimpleQueue[Callable[[], None] | None] | None = None

    def ask(self, call: Callable[[], None], count: int) -> None:
        """Make the call in up to `count` threads, as soon as they are free, with the context of the caller, such as np.errstate."""
        with self.lock:
            if self.calls is None:
                from queue import SimpleQueue

                self.calls = SimpleQueue()
            while self.started < count and self._start():
                pass
            for _ in range(min(count, self.started)):
                self.calls.put(functools.partial(contextvars.copy_context().run, call))

    def end(self) -> None:
        """Let the threads end once they have done what was asked before."""
        with self.lock:
            while self.calls is not None and self.started:
                self.calls.put(None)
                self.started -= 1

    def _start(self) -> bool:
        """Start a thread. False where there are none, as in a browser or at the end of the interpreter."""
        try:
            threading.Thread(target=self._wait, name=f"minitorch_np {self.started + 1}", daemon=True).start()
        except RuntimeError:
            return False
        self.started += 1
        return True

    def _wait(self) -> None:
        while self.calls is not None and (call := self.calls.get()) is not None:
            call()
            del call  # while the thread waits, it must not keep the arrays of the last call


_helpers = _Helpers()


def _after_fork() -> None:
    global _helpers
    _helpers = _Helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
