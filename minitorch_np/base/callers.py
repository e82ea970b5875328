"""Callers: the line of the user's program that a warning should point to."""

from __future__ import annotations

import sys


def caller() -> int:
    """The stacklevel with which warnings.warn points to the first line outside this package."""
    frame, level = sys._getframe(1), 1
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level
