"""Estimators: what to write where scikit-learn expects an estimator of its own. Loaded when scikit-learn asks."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from minitorch_np.base.answers import table


def line_for_scikit_learn() -> str:
    """The answer to the function or class of scikit-learn that a model was given to, such as permutation_importance."""
    for name in _called():
        if line := table().get(f"mt.{name}"):
            return f"{name} asks for an estimator of scikit-learn. {line}"
    return table()["'sklearn'"]


def _called() -> Iterator[str]:
    """The names of the functions of scikit-learn that run now, and of the classes whose methods run, the outermost first."""
    names: list[str] = []
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == "sklearn":
            owner = frame.f_locals.get("self", frame.f_locals.get("cls"))
            kind = owner if isinstance(owner, type) else type(owner)
            names += [frame.f_code.co_name, kind.__name__]
        frame = frame.f_back  # type: ignore[assignment]
    return reversed(names)
