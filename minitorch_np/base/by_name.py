"""Finding an object by its name, as in compile("adam", "mse")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.text import plain_name

T = TypeVar("T")


def by_name(given: str, known: Mapping[str, T], who: str, expected: str) -> T:
    """The value of this name in `known`. Case and underscores do not matter.

    >>> by_name("MeanSquaredError", {"mae": 1, "mean_squared_error": 2}, "compile", "a loss")
    2

    Args:
        who, expected: for the message, such as "Sequential.compile" and "a loss such as BCELoss()".

    Raises:
        ValueError: no such name. The message has the nearest name, or the answer from the table of foreign names.
    """
    for name, value in known.items():
        if plain_name(name) == plain_name(given):
            return value
    raise ValueError(f"{who}: expected {expected} or one of {', '.join(known)}, got {given!r}.{_remedy(given, known)}")


def _remedy(given: str, known: Iterable[str]) -> str:
    """What to write in place of an unknown name, to end a message with, or "".

    >>> _remedy("adan", ["sgd", "adam"])
    " Did you mean 'adam'?"
    """
    from difflib import get_close_matches

    plain = {plain_name(name): name for name in known}
    near = get_close_matches(plain_name(given), plain, 1)
    return instead_of(given) or (f" Did you mean {plain[near[0]]!r}?" if near else "")
