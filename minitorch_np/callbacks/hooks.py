"""Hooks of a callback, checked: a method whose name or arguments are almost those of a hook would not be called as intended."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING

from minitorch_np.base.callers import caller
from minitorch_np.base.signatures import first_parameter, not_taken

if TYPE_CHECKING:
    from minitorch_np.callbacks.callback import Callback

# What each hook is called with.
HOOKS: dict[str, tuple[str, ...]] = {
    **{f"on_{what}_{when}": ("logs",) for what in ("train", "test", "predict") for when in ("begin", "end")},
    **{f"on_epoch_{when}": ("epoch", "logs") for when in ("begin", "end")},
    **{f"on_{what}batch_{when}": ("batch", "logs") for what in ("", "train_", "test_", "predict_") for when in ("begin", "end")},
}  # fmt: skip

# Words that other frameworks use in such names.
_WORDS = {
    "start": "begin", "started": "begin", "begins": "begin", "finish": "end", "finished": "end", "stop": "end", "ends": "end",
    "ended": "end", "validation": "test", "val": "test", "valid": "test", "evaluate": "test", "evaluation": "test",
    "eval": "test", "fit": "train", "training": "train", "testing": "test", "prediction": "predict", "step": "batch",
    "iteration": "batch", "epochs": "epoch", "batches": "batch",
}  # fmt: skip
_SUBJECTS = ("train", "test", "predict", "epoch", "batch")


def check_hooks(callback: Callback) -> None:
    """Raise ValueError for a method that is a misspelt hook, or that does not take the arguments of a hook."""
    for name in sorted(name for name in dir(callback) if name.startswith("on")):
        if name in HOOKS:
            _check_arguments(callback, name)
        elif callable(getattr(callback, name, None)):
            _check_name(type(callback).__name__, name)


def _check_name(who: str, name: str) -> None:
    plain = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).replace("__", "_")
    words = [_WORDS.get(word, word) for word in plain.split("_")]
    if words[1:3] in (["train", "epoch"], ["test", "epoch"]):  # Lightning has hooks of these names
        del words[2 if words[1] == "test" else 1]
    from difflib import get_close_matches

    near = get_close_matches("_".join(words), HOOKS, 1, 0.85)
    if near:
        arguments = ", ".join(HOOKS[near[0]])
        raise ValueError(
            f"{who}: {name} is no hook, so it would never be called. Write {near[0]}(self, {arguments}=None)."
        )
    if len(words) > 1 and words[1] in _SUBJECTS:
        warnings.warn(
            f"{who}: {name} is no hook: fit never calls it. The hooks are {', '.join(HOOKS)}.", stacklevel=caller()
        )


def _check_arguments(callback: Callback, name: str) -> None:
    hook, given, who = getattr(callback, name), HOOKS[name], f"{type(callback).__name__}.{name}"
    signature = f"def {name}(self, {', '.join(given)}=None)"
    line = f"Write {signature}."
    if not callable(hook):
        raise ValueError(f"{who} is a hook, and {hook!r} cannot be called. {line}")
    if inspect.isgeneratorfunction(hook) or inspect.iscoroutinefunction(hook) or inspect.isasyncgenfunction(hook):
        raise ValueError(f"{who} has yield or async in it, so that calling it would run nothing. {line}")
    if wrong := not_taken(who, hook, given, signature):
        raise ValueError(wrong)
    if len(given) == 2 and first_parameter(hook) == "logs":
        raise ValueError(f"{who}: {given[0]} comes first and logs second. {line}")
