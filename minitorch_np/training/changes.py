"""Changes: the attributes of user-defined objects that have changed since a run began, for a checkpoint to keep."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any

from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.state import attributes, same, set_attributes
from minitorch_np.callbacks.callback import Callback

if TYPE_CHECKING:
    from minitorch_np.losses import Loss
    from minitorch_np.model import Model

_NOT_KEPT = ("model", "params", "_cache", "weights", "keep_cache", "function", "learning_rate", "_buffers")


class Changes:
    """Those attributes of objects that have changed since this was created: numbers, arrays, and containers of them.

    Attributes that have not changed are not kept, because the restarted program sets them again. Changed text is not kept either,
    so that a file can never set a path; a warning names it.

    Args:
        owners: the objects by name. Objects of this package have get_state, and functions have no state: both are left out.
    """

    def __init__(self, owners: Mapping[str, Any]) -> None:
        self.owners: dict[str, Any] = {name: owner for name, owner in owners.items() if _is_user_defined(owner)}
        self.before: dict[str, dict[str, Any]] = {
            name: attributes(owner, _NOT_KEPT) for name, owner in self.owners.items()
        }
        self.texts: dict[str, dict[str, Any]] = {name: _texts(owner) for name, owner in self.owners.items()}

    def get_state(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name, owner in self.owners.items():
            before, now = self.before[name], attributes(owner, _NOT_KEPT)
            changed = {key: value for key, value in now.items() if key not in before or not same(value, before[key])}
            if changed:
                found[name] = changed
            self._warn_of_text(name, owner)
        return found

    def set_state(self, state: Mapping[str, dict[str, Any]]) -> None:
        for name, owner in self.owners.items():
            set_attributes(owner, state.get(name, {}), _NOT_KEPT)

    def _warn_of_text(self, name: str, owner: Any) -> None:
        now = _texts(owner)
        for key in [key for key in now if not same(now[key], self.texts[name].get(key))]:
            self.texts[name] = now
            remedy = f'kept = ("{key}",)' if isinstance(owner, Callback) else "get_state and set_state"
            warnings.warn(
                f"fit(resume=…): {type(owner).__name__}.{key} has changed and holds text, which is kept only if the class declares it. "
                f"Write {remedy} in the class.",
                stacklevel=caller(),
            )


def owners_in(model: Model, loss: Loss, callbacks: Iterable[Callback]) -> dict[str, Any]:
    """The objects that may hold state: the loss, a schedule, metrics, callbacks without `kept`, and what callbacks compare."""
    owners: dict[str, Any] = {"loss": loss, "learning_rate": model.optimizer.learning_rate}
    owners |= {f"metric {number}": metric for number, metric in enumerate(model.metrics, start=1)}
    for callback in callbacks:
        parts: dict[str, Any] = {"": callback} if _keeps_nothing(callback) else {}
        parts |= {f".{name}": getattr(callback, name) for name in callback.compared}
        for part, owner in parts.items():
            name, number = f"{type(callback).__name__}{part}", 1
            while f"{name} {number}" in owners:
                number += 1
            owners[f"{name} {number}"] = owner
    return owners


def _keeps_nothing(callback: Callback) -> bool:
    return not callback.kept and type(callback).get_state is Callback.get_state


def _is_user_defined(owner: Any) -> bool:
    """Whether it is an object of a user-defined class without get_state."""
    own = hasattr(owner, "get_state") and not isinstance(owner, Callback)
    return (
        hasattr(owner, "__dict__")
        and not isinstance(owner, (type, FunctionType))
        and not is_built_in(type(owner))
        and not own
    )


def _texts(owner: Any) -> dict[str, Any]:
    return attributes(owner, _NOT_KEPT, with_text=True)
