"""Text that came from elsewhere, made safe for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text with everything that a terminal would obey, or could not show, written as repr writes it.

    >>> print(printable("\x1b]0;owned\x07cat"))
    \x1b]0;owned\x07cat
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
