"""Arguments: what constructors say to numbers that they cannot use."""

from __future__ import annotations

import inspect
import re
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


def one_number(who: str, given: Any, remedy: str) -> float:
    """What somebody's function returned, as a float.

    Raises:
        ValueError: it is an array, None, or no real number.
    """
    if getattr(given, "shape", ()) == () and isinstance(given, (int, float, np.number, np.bool_, np.ndarray)):
        kind = getattr(given, "dtype", np.dtype(float)).kind
        if kind in "biuf":
            return float(given)
    shape = f"an array of shape {given.shape}" if getattr(given, "shape", ()) != () else repr(given)
    raise ValueError(f"{who}: expected one number, got {shape}. {remedy}")


# The words in the names of parameters that take predictions, and of those that take targets, here and elsewhere.
_OF_PREDICTIONS = {
    "p", "pred", "preds", "prediction", "predictions", "predicted", "ypred", "output", "outputs", "hat", "yhat", "score", "scores",
    "logit", "logits", "prob", "probs", "proba", "probability", "probabilities", "decision", "estimate", "estimated", "forecast",
}  # fmt: skip
_OF_TARGETS = {
    "t", "true", "ytrue", "target", "targets", "label", "labels", "truth", "gt", "actual", "expected", "observed", "test",
}  # fmt: skip


def takes_target_first(function: Any) -> bool:
    """Whether the names of the first two parameters say (target, prediction), as (y_true, y_pred) do.

    >>> takes_target_first(lambda y_true, y_pred: 0), takes_target_first(lambda p, t: 0), takes_target_first(lambda a, b: 0)
    (True, False, False)
    """
    try:
        given = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # as of functions written in C
        return False
    kinds = [_kind(a.name) for a in given if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)][:2]
    return kinds in (["target", "prediction"], ["target", ""], ["", "prediction"])


def check_order(owner: Any, method: str, expected: str) -> None:
    """Refuse a method of somebody's class that takes the target before the prediction, by the names of its parameters."""
    function = getattr(owner, method)
    if takes_target_first(function):
        raise ValueError(
            f"{type(owner).__name__}.{method}{inspect.signature(function)}: predictions come first here, and it takes targets first. "
            f"Write {method}{expected}."
        )


def _kind(name: str) -> str:
    words = set(re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))
    return "prediction" if words & _OF_PREDICTIONS else "target" if words & _OF_TARGETS else ""
