"""CallbackList: the callbacks of one call of fit, evaluate or predict."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from minitorch_np.base.configurable import PACKAGE, without_address
from minitorch_np.base.files import AnyPath
from minitorch_np.base.foreign_objects import of_framework
from minitorch_np.base.text import of_class
from minitorch_np.callbacks.callback import Callback, Logs
from minitorch_np.callbacks.hooks import check_hooks
from minitorch_np.callbacks.logs import TensorBoard

if TYPE_CHECKING:
    from minitorch_np.model import Model


class CallbackList(list[Callback]):
    """The callbacks of one call of fit, evaluate or predict, which are called in their order.

    Args:
        callbacks: the list that was passed.
        who: the method it was passed to, for messages.
        log_dir: a folder for TensorBoard's event files, or None.

    Raises:
        ValueError: it is no list; an item is no callback, or is there twice; a method has almost the name of a hook.
    """

    def __init__(self, callbacks: Any, who: str, log_dir: AnyPath | None = None) -> None:
        if not isinstance(callbacks, (list, tuple)):
            raise ValueError(
                f"{who}: callbacks is a list, got {callbacks!r}. Write callbacks=[…].{of_class(callbacks)}"
            )
        for callback in callbacks:
            _check(callback, who)
            if sum(callback is other for other in callbacks) > 1:
                raise ValueError(
                    f"{who}: {callback!r} is in callbacks twice, and would count everything twice. List it once."
                )
        super().__init__(sorted(callbacks, key=lambda callback: not callback.first))
        if log_dir is not None:
            self.append(TensorBoard(log_dir))

    def set_up(self, model: Model, epochs: int, steps: int | None, *, verbose: bool, validation_freq: Any = 1) -> None:
        """Set model and params on every callback."""
        more = {} if validation_freq == 1 else {"validation_freq": validation_freq}
        for callback in self:
            callback.set_model(model)
            callback.set_params({"epochs": epochs, "steps": steps, "verbose": int(verbose), **more})

    def call(self, hook: str, *arguments: Any) -> None:
        """Call one hook of every callback."""
        for callback in self:
            getattr(callback, hook)(*arguments)

    def end_training(self, count: int, logs: Logs) -> None:
        """Call on_train_end of the first `count` callbacks; if one raises, those after it are called all the same."""
        with ExitStack() as stack:
            for callback in reversed(self[:count]):  # the stack goes through them backwards
                stack.callback(callback.on_train_end, logs)

    def check_measured(self, names: Collection[str]) -> None:
        """Let callbacks refuse names that are missing from the logs.

        A user-defined on_epoch_end may add names to the logs, so the callbacks after it are not checked.
        """
        for callback in self:
            if not (callback.on_epoch_end.__module__ or "").startswith(f"{PACKAGE}."):
                return
            callback.check_measured(names)

    def settings(self) -> dict[str, str]:
        """The settings of the callbacks that a resumed run must match, as text."""
        compared = [callback for callback in self if callback.kept or callback.compared]
        found = {"callbacks": ", ".join(type(callback).__name__ for callback in compared) or "none"}
        for callback in compared:
            for name in callback.compared:
                key = f"{type(callback).__name__}.{name}"
                value = without_address(getattr(callback, name))
                found[key] = f"{found[key]}, {value}" if key in found else value
        return found


def _check(callback: Any, who: str) -> None:
    if isinstance(callback, type):
        raise ValueError(f"{who}:{of_class(callback)}")
    if not isinstance(callback, Callback):
        kind, hint = type(callback), of_framework(callback)
        if not hint and hasattr(callback, "on_epoch_end"):
            hint = f" Write class {kind.__name__}(mt.Callback), or use one of minitorch_np.callbacks."
        elif not hint and callable(callback):
            hint = " Write a class: class Mine(mt.Callback), with a method on_epoch_end(self, epoch, logs=None)."
        raise ValueError(f"{who}: expected callbacks such as EarlyStopping(), got {callback!r}.{hint}")
    check_hooks(callback)
