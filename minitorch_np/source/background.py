"""Reading ahead: another thread computes the next batches while the caller works on the current one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor

Item = TypeVar("Item")
_END = object()


def in_background(items: Generator[Item], ahead: int = 2) -> Generator[Item]:
    """The same items; another thread computes the next `ahead` of them while the caller works on the current one.

    The thread ends with the caller's loop, or with the program, which waits for at most one item. If the caller leaves the loop
    early, the thread closes `items`; the caller waits for that at most one second, because the current item may need a lock that
    the caller holds.
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
                    "A thread of another process reads these batches: this process is a fork of the one that started them. "
                    "Start again here: call batches(…), fit, evaluate or predict."
                )
    finally:
        if os.getpid() == process:
            left.set()
            try:
                closed = wait([pool.submit(items.close)], timeout=1).done
            except RuntimeError:  # the program is ending, and threads can no longer be used
                closed = set()
                items.close()
            pool.shutdown(wait=bool(closed))


def begun(pool: Executor, call: Callable[[], Item]) -> Callable[[], Item]:
    """Start the call in a thread and return a function that waits for its result; return `call` itself if no thread can start."""
    try:
        return pool.submit(call).result
    except RuntimeError:  # the program is ending, or has reached its limit of threads
        return call
