"""Columns: the names of a table's columns, so that a table with other columns, or in another order, is refused later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def checked_columns(x: Any, known: Sequence[str] | None, who: str) -> list[str] | None:
    """The names of the columns of x, if x is a table whose columns have names, no two the same; else those that are known.

    Raises:
        ValueError: these are not the known names, or not in this order. Which column is which feature would be wrong without a sign.
    """
    columns = getattr(x, "columns", None)
    names = [] if columns is None else list(columns)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return None if known is None else list(known)
    if known is None or names == list(known):
        return names
    of_array = "To give them as they are, write x.to_numpy()."
    if sorted(names) == sorted(known):
        raise ValueError(
            f"{who}: the columns of x are those of fit in another order: {_listed(names)}, in fit {_listed(known)}. Write "
            f"x[model.feature_names]. {of_array}"
        )
    missing, more = [name for name in known if name not in names], [name for name in names if name not in known]
    problem = f"has no column {_listed(missing)}" if missing else f"has the column {_listed(more)}"
    got = (
        f"got {_listed(more)} instead" if missing and more else "which fit got" if missing else "which fit did not get"
    )
    remedy = "" if missing else "Write x[model.feature_names]. "
    raise ValueError(f"{who}: x {problem}, {got}. {remedy}{of_array}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
