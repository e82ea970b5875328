"""The console: whether somebody watches it, and messages for it, also where a program has none."""

from __future__ import annotations

import contextlib
import sys


def progress_is_seen() -> bool:
    """Whether messages are seen at once, in a terminal or a notebook.

    sys.stderr may be None, as in a program without a console, or closed, or any object with a `write`.
    """
    try:
        if sys.stderr is None or getattr(sys.stderr, "closed", False):
            return False
        return bool(sys.stderr.isatty()) or "ipykernel" in sys.modules
    except Exception:  # somebody's own object: whatever is wrong with it, no bar is worth a run
        return False


def say(text: str) -> None:
    """Print one message to sys.stderr, if there is one."""
    if sys.stderr is not None:  # print would take None for sys.stdout
        with contextlib.suppress(Exception):
            print(text, file=sys.stderr)
