"""Text for messages: foreign text made safe for a terminal, and what to write in place of a class."""

from __future__ import annotations

from typing import Any


def printable(text: str) -> str:
    r"""The text, with control characters and others that a terminal cannot show written as repr writes them.

    >>> print(printable("\x1b]0;owned\x07cat"))
    \x1b]0;owned\x07cat
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def of_class(value: Any) -> str:
    """What to write where a class was given in place of an object, to end a message with; "" if the value is no class.

    >>> of_class(int), of_class(3)
    (' int is a class. Write int(), with its arguments.', '')
    """
    return (
        f" {value.__name__} is a class. Write {value.__name__}(), with its arguments."
        if isinstance(value, type)
        else ""
    )
