"""BLAS threads: with how many threads NumPy's library for matrix products, BLAS, computes.

OpenBLAS is the BLAS in NumPy's own packages. After each product its threads keep their cores busy for a tenth of a second, in case
another product follows. Threads of this package would find no free core then. So BLAS computes with one thread while they work.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np


class Switch(NamedTuple):
    """Two functions of OpenBLAS."""

    get: Callable[[], int]
    set: Callable[[int], None]


@functools.cache
def switch() -> Switch | None:
    """The functions of the OpenBLAS that NumPy uses, or None if NumPy uses another library, such as MKL or Accelerate."""
    import ctypes
    from pathlib import Path

    # A search in NumPy's own library includes those that it has loaded, except on Windows.
    core, folder = sys.modules["numpy._core._multiarray_umath"], Path(np.__file__).parent.with_name("numpy.libs")
    for file in (core.__file__, *folder.glob("*openblas*")):
        try:
            library = ctypes.CDLL(str(file))
        except OSError:
            continue
        for name in ("scipy_openblas_{}64_", "openblas_{}64_", "scipy_openblas_{}", "openblas_{}"):
            try:
                get, set_, kind = (
                    library[name.format(f)] for f in ("get_num_threads", "set_num_threads", "get_parallel")
                )
            except AttributeError:
                continue
            if kind() != 2:  # 2 is OpenMP, where each thread that calls BLAS has a number of its own
                set_.argtypes, set_.restype = (ctypes.c_int,), None
                return Switch(get, set_)
    return None


_lock = threading.Lock()
_users: list[int] = []  # the thread of each block that runs now
_before = 1  # BLAS's threads before the first of them


@contextmanager
def one_blas_thread() -> Iterator[bool]:
    """BLAS computes with one thread inside the `with` block; the value is whether that was possible.

    It is one number for the process. So the last block to end puts it back.
    """
    found = switch()
    if found is None:
        yield False
        return
    thread = _enter(found)
    try:
        yield True
    finally:
        _leave(found, thread)


def _enter(found: Switch) -> int:
    global _before
    thread = threading.get_ident()
    with _lock:
        if not _users:
            _before = found.get()
            found.set(1)
        _users.append(thread)
    return thread


def _leave(found: Switch, thread: int) -> None:
    """Ends the block of this thread, perhaps in another one: a generator that was not used up ends where it is collected."""
    with _lock:
        _users.remove(thread)
        if not _users:
            found.set(_before)


def blas_threads() -> int:
    """The number of threads that BLAS has outside such blocks; 1 if it is not known."""
    found = switch()
    if found is None:
        return 1
    with _lock:
        return _before if _users else found.get()


def _after_fork() -> None:
    """In a new process only the thread that made it exists: the blocks of other threads never end there."""
    global _lock
    _lock = threading.Lock()
    found, others = switch(), [thread for thread in _users if thread != threading.get_ident()]
    for thread in others:
        _users.remove(thread)
    if others and not _users and found is not None:
        found.set(_before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
