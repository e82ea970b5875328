"""Calls of layers in Keras's description of a Functional model: which arrays a use of a layer takes, and with which options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minitorch_np.layer import Layer
from minitorch_np.layers import Rescaling
from minitorch_np.saving.errors import NotHere

Key = tuple[str, int, int]  # a layer's name, the number of its use, and the number of its output
_IN_ORDER = ("query", "value", "key", "sequences", "initial_state")  # arguments of calls that are arrays


def named_ends(ends: Any) -> list[tuple[str, Key]]:
    """The layers and uses that input_layers or output_layers name: one of them, a list, or a dictionary, which Keras sorts and whose
    names are those of the arrays that fit and predict take and give.
    """
    if isinstance(ends, dict):
        return [(name or str(key), end) for key, value in sorted(ends.items()) for name, end in named_ends(value)]
    if isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str) and isinstance(ends[1], int):
        return [("", _key(ends))]
    if not isinstance(ends, list) or not ends:
        raise ValueError(f"its inputs or outputs are {ends!r:.100}")
    return [named for end in ends for named in named_ends(end)]


def _key(history: Any) -> Key:
    name, number, part = history[:3]
    return str(name), int(number), int(part)


def tensors(call: Any) -> Iterator[Key]:
    """The tensors that a use takes, in the order of its arguments."""
    if isinstance(call, dict) and call.get("class_name") == "__keras_tensor__":
        yield _key(call["config"]["keras_history"])
    elif isinstance(call, dict):
        for item in call.values():
            yield from tensors(item)
    elif isinstance(call, list) and len(call) >= 3 and isinstance(call[0], str) and isinstance(call[1], int):
        yield _key(call)  # as Keras 2 writes it: [name, use, part, options]
    elif isinstance(call, list):
        for item in call:
            yield from tensors(item)


def of_arrays(call: Any) -> Any:
    """A use without its mask, and with the arguments by name in their order."""
    if not isinstance(call, dict) or not call.get("kwargs"):
        return call
    given = {name: value for name, value in call["kwargs"].items() if name != "mask"}
    in_order = sorted(given, key=lambda name: _IN_ORDER.index(name) if name in _IN_ORDER else len(_IN_ORDER))
    return {**call, "kwargs": {name: given[name] for name in in_order}}


def without_repeated_end(sources: list[str]) -> list[str]:
    """The sources of attention: query, value and key, without a key that is the value, and without a value that is the query."""
    while len(sources) > 1 and sources[-1] == sources[-2]:
        sources = sources[:-1]
    return sources


def options(call: Any) -> dict[str, Any]:
    """The arguments of a use that are no tensors, by name."""
    if not isinstance(call, dict):
        return {}
    return {name: value for name, value in (call.get("kwargs") or {}).items() if not list(tensors(value))}


def with_number(kind: str, call: Any) -> Layer:
    """The layer of x + 2, x * 2 and the like, which Keras writes as a layer Add or Multiply of x and a number."""
    x, number = [*(call.get("args") or []), None, None][:2] if isinstance(call, dict) else (None, None)
    if not isinstance(x, dict) or isinstance(number, bool) or not isinstance(number, (int, float)):
        raise NotHere(f"{kind} of a layer and {'a number before it' if isinstance(number, dict) else 'nothing else'}")
    scale, offset = {
        "Add": (1.0, number),
        "Subtract": (1.0, -number),
        "Multiply": (number, 0.0),
        "TrueDivide": (1 / number if number else 0.0, 0.0),
    }[kind]
    return Rescaling(scale, offset)
