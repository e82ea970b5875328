"""CommandError: an error that a command prints in one line before it ends."""

from __future__ import annotations

import sys

from minitorch_np.base.text import printable


class CommandError(Exception):
    """Printed in one line before the command ends."""


def one_line(error: Exception) -> str:
    """An error with its class, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def complain(text: str) -> None:
    """Print one line on stderr, if it exists. Control characters are escaped."""
    if sys.stderr is not None:
        print(f"minitorch-np: {printable(text)}", file=sys.stderr)
