"""Text for messages: foreign text made safe for a terminal, and what to write in place of a class or of what compile refuses."""

from __future__ import annotations

import functools
import re
from typing import Any


def printable(text: str) -> str:
    r"""The text, with control characters and others that a terminal cannot show written as repr writes them.

    >>> print(printable("\x1b]0;owned\x07cat"))
    \x1b]0;owned\x07cat
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def as_sentence(text: object) -> str:
    """The text, such as that of an error, with one period at its end, so that another sentence may follow.

    >>> as_sentence("no such file"), as_sentence(ValueError("Write x."))
    ('no such file.', 'Write x.')
    """
    written = str(text)
    return written if written.endswith((".", "?", "!")) else f"{written}."


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


def in_place_of(name: str, given: Any) -> str:
    """What to write for an optimiser or a loss, to end a message with, or ""."""
    if isinstance(given, str):
        return " Give the name to compile."
    if isinstance(given, (list, tuple, dict)) and len(given) == 1:
        (only,) = given.values() if isinstance(given, dict) else given
        return f" Write {name}={only!r}: a model has one {name}."
    if isinstance(given, (list, tuple, dict)):
        return f" A model has one {name}: write {name}=…, one object or one name."
    if name == "loss" and callable(given) and not isinstance(given, type):
        return " Write a function (prediction, target) of NumPy arrays, or a subclass of mt.Loss with forward and backward."
    return of_class(given)


def as_list_of_metrics(metrics: Any) -> str:
    """The line with a list of these metrics."""
    if metrics is None:
        return "Leave it out."
    if isinstance(metrics, dict):
        named = [one for given in metrics.values() for one in (given if isinstance(given, (list, tuple)) else [given])]
        return f"Write metrics={named!r}: a model has one output, which has no name."
    name = getattr(metrics, "__name__", repr(metrics)) + "()" * isinstance(metrics, type)
    return f"Write metrics=[{name}]."


def plain_name(name: str) -> str:
    """The name without case and underscores, by which two spellings of it are equal.

    >>> plain_name("binary_cross_entropy"), plain_name("BinaryCrossEntropy")
    ('binarycrossentropy', 'binarycrossentropy')
    """
    return name.lower().replace("_", "")


@functools.cache
def snake_case(name: str) -> str:
    """The name of a class as part of a parameter's name.

    >>> snake_case("Dense"), snake_case("MaxPooling2D"), snake_case("ReLU")
    ('dense', 'max_pooling2d', 'relu')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()
