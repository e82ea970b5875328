"""CommandError: what a command says in one line before it ends."""

from __future__ import annotations


class CommandError(Exception):
    """What is said in one line before the command ends."""


def said(error: Exception) -> str:
    """An error in one line, with its kind."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
