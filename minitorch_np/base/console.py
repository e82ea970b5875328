"""The console: whether it shows progress, and messages for it; a program may have no console."""

from __future__ import annotations

import contextlib
import sys


def progress_is_visible() -> bool:
    """Whether messages appear at once, in a terminal or a notebook.

    sys.stderr may be None, as in a program without a console, or closed, or any object with a `write`.
    """
    try:
        if sys.stderr is None or getattr(sys.stderr, "closed", False):
            return False
        return bool(sys.stderr.isatty()) or "ipykernel" in sys.modules
    except Exception:  # a user-defined object may raise anything, and a bar must not end a run
        return False


def say(text: str) -> None:
    """Print one message to sys.stderr, if there is one."""
    if sys.stderr is not None:  # print would take None for sys.stdout
        with contextlib.suppress(Exception):
            print(text, file=sys.stderr)
