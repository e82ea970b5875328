"""Parallel: jobs over all cores, or over several machines, with the same results to the bit for any number of workers."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from minitorch_np.base import blas_threads
from minitorch_np.base.validation import is_whole

_NEEDED = ("joblib", "threadpoolctl")
_lock = threading.Lock()
_active_limits: list[Any] = []  # one for each thread inside one_blas_thread


def each(
    function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: int | None
) -> Iterator[tuple[int, Any]]:
    """(position, function(*job)) for each job, in the order in which they end.

    With one worker they run here, one after the other, else in joblib's processes: its Parallel is used as it is, so that
    `with joblib.parallel_config(backend="dask"):` around the call spreads them over the machines of a Dask cluster.

    Each job computes with one BLAS thread, for any number of workers: several threads add up a product in another order, which
    changes its last bits, and the number of threads in a process depends on the number of processes.
    """
    with one_blas_thread():
        if workers == 1 or not installed():
            for position, job in enumerate(jobs):
                yield _numbered(position, function, job)
            return
        from joblib import Parallel, delayed

        parallel = Parallel(n_jobs=-1 if workers is None else workers, batch_size=1, return_as="generator_unordered")
        with closing(parallel(delayed(_numbered)(i, function, job) for i, job in enumerate(jobs))) as coming:
            yield from coming


def checked_workers(workers: int | None, who: str) -> int | None:
    """The number of processes; None for one per core, or for this process alone where joblib is not installed.

    Raises:
        ImportError: more than one, but the extra is not installed.
    """
    if workers is not None and not (is_whole(workers) and workers >= 1):
        raise ValueError(f"{who}: workers is an int of at least 1, or None for one per core, got {workers!r}.")
    if workers not in (None, 1) and not installed():
        raise ImportError(
            f"{who}: workers={workers} needs joblib: pip install 'minitorch-np[tuning]'. workers=1 does not."
        )
    return workers


def installed() -> bool:
    """Whether the extra `tuning` is installed."""
    return all(importlib.util.find_spec(name) for name in _NEEDED)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's BLAS computes with one thread inside the `with` block, and so do others, such as SciPy's, if threadpoolctl is installed.

    The threads of a process share that limit, so only the last one to leave restores it.
    """
    with blas_threads.one_blas_thread(), _one_thread_in_others():
        yield


@contextmanager
def _one_thread_in_others() -> Iterator[None]:
    if not importlib.util.find_spec("threadpoolctl"):
        yield
        return
    from threadpoolctl import threadpool_limits

    with _lock:
        _active_limits.append(threadpool_limits(1))
    try:
        yield
    finally:
        with _lock:
            limits = _active_limits.pop()
            if not _active_limits:  # it is the first limit, which knows the number from before
                limits.restore_original_limits()


def _numbered(position: int, function: Callable[..., Any], job: tuple[Any, ...]) -> tuple[int, Any]:
    with one_blas_thread():
        return position, function(*job)
