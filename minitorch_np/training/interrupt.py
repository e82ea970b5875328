"""Interrupt: Ctrl-C takes effect after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """Inside the `with` block the first Ctrl-C sets `requested`; a second one interrupts at once."""

    requested: bool = False

    def __enter__(self) -> Interrupt:
        self.earlier: Any = None
        if threading.current_thread() is threading.main_thread():  # Python delivers signals nowhere else
            self.earlier = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self.earlier is not None:
            signal.signal(signal.SIGINT, self.earlier)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
