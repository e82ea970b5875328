"""Arguments: what constructors say to numbers that they cannot use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_WORDS = {
    "[0, inf)": "a finite number of at least 0",
    "(0, inf)": "a positive, finite number",
    "(-inf, inf)": "a finite number",
}


def check_number(who: str, name: str, value: Any, interval: str = "[0, inf)") -> None:
    """Refuse what is no number in the interval; a square bracket includes its end, a round one does not.

    >>> check_number("SGD", "momentum", 0.9, "[0, 1)")
    >>> check_number("SGD", "momentum", "0.9", "[0, 1)")
    Traceback (most recent call last):
    ValueError: SGD: momentum is a number in [0, 1), got '0.9'.
    """
    if not is_number(value) or not _lies_in(value, interval):
        meaning = _WORDS.get(interval, f"a number in {interval}")
        raise ValueError(f"{who}: {name} is {meaning}, got {value!r}.")


def check_whole(who: str, name: str, value: Any, least: int = 0) -> None:
    """Refuse what is no int of at least so much."""
    if not is_whole(value) or value < least:
        raise ValueError(f"{who}: {name} is an int of at least {least}, got {value!r}.")


def check_flags(who: str, flags: Mapping[str, Any]) -> None:
    """Refuse what is neither True nor False."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            remedy = (
                " An activation is a layer of its own, such as ReLU(), after this one." if name == "use_bias" else ""
            )
            raise ValueError(f"{who}: {name} is True or False, got {value!r}.{remedy}")


def is_number(value: Any) -> bool:
    """Whether it is a real number other than NaN, and no bool."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and value == value


def is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _lies_in(value: float, interval: str) -> bool:
    low, high = map(float, interval[1:-1].split(","))
    above = low <= value if interval[0] == "[" else low < value
    below = value <= high if interval[-1] == "]" else value < high
    return above and below
