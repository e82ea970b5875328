"""Callers: where in a person's program something happened."""

from __future__ import annotations

import sys


def caller() -> int:
    """The stacklevel with which warnings.warn, in the function that asks, points to the first line outside this package."""
    frame, level = sys._getframe(1), 1
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level
