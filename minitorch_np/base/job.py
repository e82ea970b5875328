"""A job: a call that the first free thread makes, and whose result another one waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Job(Generic[Result]):
    """A call that one of several threads makes: the first that comes."""

    def __init__(self, work: Callable[[Any], Result], block: object) -> None:
        self._work, self._block = work, block
        self._error: BaseException | None = None
        self._begun, self._ended = threading.Lock(), threading.Lock()
        self._ended.acquire()

    def run(self) -> None:
        """Make the call, unless some thread has begun it."""
        if self._begun.acquire(blocking=False):
            try:
                self._result = self._work(self._block)
            except BaseException as error:
                self._error = error
            finally:
                self._ended.release()

    def result(self) -> Result:
        """What the call returned, or its error, raised. The caller makes the call itself if no thread has begun it."""
        self.run()
        with self._ended:
            if self._error is not None:
                raise self._error
            return self._result

    def stop(self) -> None:
        """Return once the call has ended, or will never begin."""
        if not self._begun.acquire(blocking=False):
            with self._ended:
                pass
