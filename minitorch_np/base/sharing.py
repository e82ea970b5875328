"""Sharing: one thread trains a model while others run inference with it or save it.

A reader (`predict`, `evaluate`, `model(x)`) works on a replica. While no fit runs, the replica shares the weights. While a fit
runs, it copies them between two steps. A fit that begins copies the weights that readers share and trains the copies, so that
no weight changes under a reader. A fit never waits for a prediction, and a prediction waits for at most one step.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

from minitorch_np.base.replica import Replicator

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.layer import Layer
    from minitorch_np.losses import Loss
    from minitorch_np.metrics import Metric
    from minitorch_np.optimizers import Optimizer

_gate = threading.Lock()  # held while one of the lists below is read or changed
_fits: list[Fitting] = []
_readers: dict[int, tuple[int, Replicator]] = {}
_pauses: list[Pause] = []


class Fitting:
    """One call of fit that runs now. `with fitting:` is one step, during which no other thread reads the weights.

    Run.one_epoch contains the same lines without the two calls, which is faster.

    Args:
        parameters: what it changes.
        uses: the loss and the metrics, which belong to this fit while it runs.
        optimizer: the optimizer, which belongs to the fits of one thread.
    """

    thread: int
    parameters: list[Parameter]
    uses: list[Loss | Metric]
    lock: threading.Lock
    queue: threading.Lock
    is_awaited: bool
    in_step: bool

    def __init__(
        self, parameters: Iterable[Parameter], uses: Iterable[Loss | Metric] = (), optimizer: Optimizer | None = None
    ) -> None:
        self.optimizer = optimizer
        self.thread, self.parameters, self.uses = get_ident(), list(parameters), list(uses)
        self.ids: set[int] = {id(parameter) for parameter in self.parameters}
        self.disturbed = False  # a callback called the model in training mode
        self.lock, self.queue = threading.Lock(), threading.Lock()
        self.is_awaited = self.in_step = False

    def __enter__(self) -> None:
        if self.is_awaited:
            self.let_others_first()
        self.lock.acquire()
        self.in_step = True

    def __exit__(self, *_: object) -> None:
        self.in_step = False
        self.lock.release()

    def let_others_first(self) -> None:
        """Let a thread that waits for the end of a step run before the next step."""
        with self.queue:
            pass

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Inside the `with` block no step begins."""
        with self.queue:
            self.is_awaited = True
            self.lock.acquire()
            self.is_awaited = False
        try:
            yield
        finally:
            self.lock.release()


class Pause:
    """A thread that reads or writes all weights between two steps of a fit."""

    thread: int
    ids: set[int]
    end: threading.Event

    def __init__(self, ids: set[int]) -> None:
        self.thread, self.ids, self.end = get_ident(), ids, threading.Event()


def is_used_by_another_thread(optimizer: Any) -> bool:
    """Whether a fit in another thread steps with this optimizer."""
    return any(fit.optimizer is optimizer for fit in _others(_fits))


@contextmanager
def fitting(fit: Fitting, who: str) -> Iterator[None]:
    """Announce a fit while it runs.

    Raises:
        RuntimeError: another thread trains the same weights.
    """
    with _gate:
        if any(other.ids & fit.ids for other in _others(_fits)):
            raise RuntimeError(f"{who}: another thread trains these weights now. Wait until its fit has ended.")
        _fits.append(fit)
        pauses = [pause for pause in _others(_pauses) if pause.ids & fit.ids]
        _renew_what_is_read(fit.ids)
    try:
        for pause in pauses:
            pause.end.wait()
        yield
    finally:
        with _gate:
            _fits.remove(fit)


def is_used(item: Loss | Metric, besides: Fitting | None = None) -> bool:
    """Whether another running fit uses this loss or metric."""
    return any(item is used for fit in _fits for used in fit.uses if fit is not besides)


def fits_of_this_thread(layer: Layer) -> list[Fitting]:
    """The fits that change weights of this layer and in whose callbacks this call runs."""
    if not _fits:
        return []
    ids = _ids(layer)
    return [fit for fit in _fits if fit.thread == get_ident() and fit.ids & ids]


@contextmanager
def reading(layer: Layer, *, training: bool = False, keep_cache: bool = False) -> Iterator[Layer]:
    """Inside the `with` block: a replica of the layer, with weights that do not change.

    Args:
        training: whether the replica is in training mode. Its forward then changes running statistics, so it has copies of them.
        keep_cache: whether its forward keeps what backward needs.
    """
    replicator = Replicator(copy_weights=training, training=training, keep_cache=keep_cache)
    try:
        yield _replica(replicator, layer)
    finally:
        _readers.pop(id(replicator), None)


def _replica(replicator: Replicator, layer: Layer) -> Layer:
    while True:
        with _gate:
            fits = list(_others(_fits))
            if fits:
                ids = _ids(layer)
                fits = [fit for fit in fits if fit.ids & ids]
            if not fits:
                _readers[id(replicator)] = get_ident(), replicator
                return replicator.of(layer)
        with _between_steps(fits):
            if all(fit in _fits for fit in fits):  # else another may have begun
                replicator.copy_weights = True
                return replicator.of(layer)


@contextmanager
def paused(parameters: Iterable[Parameter], *, to_write: bool = False) -> Iterator[None]:
    """Inside the `with` block no other thread's fit changes these parameters.

    Args:
        to_write: whether the block writes the parameters. Their arrays are then replaced by copies first, so that the arrays that
            readers have do not change.
    """
    ids = {id(parameter) for parameter in parameters}
    pause = Pause(ids)
    with _gate:
        _pauses.append(pause)
        fits = [fit for fit in _others(_fits) if fit.ids & ids]
        if to_write:
            _renew_what_is_read(ids)
    try:
        with _between_steps(fits):
            yield
    finally:
        with _gate:
            _pauses.remove(pause)
        pause.end.set()


@contextmanager
def _between_steps(fits: list[Fitting]) -> Iterator[None]:
    """Hold back the next step of these fits.

    If this thread is in a step of a fit itself, it leaves that step meanwhile: two fits that wait for each other would hang.
    """
    me = get_ident()
    left = [fit for fit in _fits if fit.in_step and fit.thread == me] if fits else []
    for fit in left:
        fit.__exit__()
    try:
        with ExitStack() as stack:
            for fit in fits:
                stack.enter_context(fit.held_back())
            yield
    finally:
        for fit in left:
            fit.__enter__()


def _renew_what_is_read(ids: set[int]) -> None:
    read = (parameter for _, replicator in _others_readers() for parameter in replicator.parameters)
    for parameter in {id(parameter): parameter for parameter in read if id(parameter) in ids}.values():
        parameter.renew()


def _others_readers() -> Iterator[tuple[int, Replicator]]:
    me = get_ident()
    return (reader for reader in list(_readers.values()) if reader[0] != me)


def _others(items: list[Any]) -> Iterator[Any]:
    me = get_ident()
    return (item for item in list(items) if item.thread != me)


def _ids(layer: Layer) -> set[int]:
    return {id(parameter) for _, node in layer.walk() for parameter in node.own_parameters().values()}


def _forget_other_threads() -> None:
    """In the child of a fork only the thread that forked continues."""
    global _gate
    _gate = threading.Lock()
    _fits[:] = [fit for fit in _fits if fit.thread == get_ident()]
    _readers.clear()
    _pauses.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)
