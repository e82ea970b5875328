"""Calls of layers in Keras's description of a Functional model: which arrays a use of a layer takes, and with which options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Key = tuple[str, int, int]  # a layer's name, the number of its use, and the number of its output
_IN_ORDER = ("query", "value", "key", "sequences", "initial_state")  # arguments of calls that are arrays
# What to do about a layer or function that is not here.
WITH_OWN_LAYER = "Build the network here with a layer of your own in its place, and read the weights with load_weights"


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


def shapes(call: Any) -> list[list[int | None]]:
    """The shapes of the tensors that a function takes, with the batch."""
    args = call["args"][0] if isinstance(call["args"][0], list) else call["args"]
    return [one["config"]["shape"] for one in args if list(tensors(one))]


def argument_of_operation(call: Any) -> tuple[list[Any], list[int | None]]:
    """The arguments of a function of one tensor, with None in its place, and the shape of the tensor."""
    return [None if list(tensors(one)) else one for one in call["args"]], shapes(call)[0]


def options(call: Any) -> dict[str, Any]:
    """The arguments of a use that are no tensors, by name."""
    if not isinstance(call, dict):
        return {}
    return {name: value for name, value in (call.get("kwargs") or {}).items() if not list(tensors(value))}
