"""CommandError: what a command says in one line before it ends."""

from __future__ import annotations

import sys

from minitorch_np.base.text import printable


class CommandError(Exception):
    """What is said in one line before the command ends."""


def said(error: Exception) -> str:
    """An error in one line, with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def complain(text: str) -> None:
    """One line on stderr, if there is one; whatever a terminal would obey in it is escaped."""
    if sys.stderr is not None:
        print(f"minitorch-np: {printable(text)}", file=sys.stderr)
