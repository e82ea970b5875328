"""Exclusion: the parameters that do not decay, chosen by parts of their names."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from minitorch_np.base.callers import caller

if TYPE_CHECKING:
    from minitorch_np.optimizers.optimizer import Optimizer


def check_exclude(who: str, name: str, value: Any) -> None:
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) and part for part in value):
        raise ValueError(f"{who}: {name} is a list of parts of names, such as ['bias'], got {value!r}.")


def excluded(optimizer: Optimizer, names: Iterable[str]) -> Collection[str]:
    """The names that contain one of the parts in `optimizer.exclude`. Warns in the first step of a part that is in no name."""
    parts = optimizer.exclude
    unused = [] if optimizer.iteration > 1 else [part for part in parts if not any(part in name for name in names)]
    if unused:
        warnings.warn(
            f"{optimizer!r}: no parameter has {unused[0]!r} in its name, so this excludes nothing. The names are {', '.join(names)}.",
            stacklevel=caller(),
        )
    return {str(name) for name in names if any(part in name for part in parts)}
