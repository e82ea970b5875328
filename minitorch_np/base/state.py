"""State: what changes during training, captured as plain data and arrays, and restored into objects."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from minitorch_np.base.text import as_sentence

_PLAIN = (bool, int, float, complex, str, np.generic)


def as_state(value: Any) -> Any:
    """A copy of the value made of None, numbers, strings, arrays, lists, tuples, sets and dictionaries.

    A random generator becomes its state, and an object that has `get_state` what that returns.

    Raises:
        ValueError: it is something else, such as a file or a function.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value.copy("K")
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {key: as_state(item) for key, item in value.items()}
    if isinstance(value, (list, deque)):
        return [as_state(item) for item in value]
    if type(value) in (tuple, set):
        return type(value)(as_state(item) for item in value)
    if isinstance(value, np.random.Generator):
        return as_state(value.bit_generator.state)
    if is_of_random(value):
        return value.getstate()
    if hasattr(value, "get_state") and not isinstance(value, type):
        return as_state(value.get_state())
    raise ValueError(f"{value!r} is neither plain data nor an array of numbers")


def put_back(present: Any, state: Any) -> Any:
    """Restore a state: into `present`, if it is an object with a state, and else as a new value. Returns the value."""
    if isinstance(present, np.random.Generator):
        present.bit_generator.state = state
    elif is_of_random(present):
        present.setstate(state)
    elif hasattr(present, "set_state"):
        present.set_state(state)
    elif isinstance(present, dict) and isinstance(state, dict):  # a Counter stays one
        there = dict(present)
        present.clear()
        present.update({key: put_back(there.get(key), item) for key, item in state.items()})
    elif isinstance(present, (list, deque)) and isinstance(state, list):
        known = [*present, *[None] * (len(state) - len(present))]
        present.clear()
        present.extend(put_back(*pair) for pair in zip(known, state, strict=False))
    else:
        return as_state(state)
    return present


def attributes(
    owner: Any, leave_out: Iterable[str] = (), *, strict: bool = False, with_text: bool = False
) -> dict[str, Any]:
    """The attributes of an object that are numbers, arrays, containers of these, or have a state.

    What holds text is left out, so that a file never sets a path; with_text returns only that instead.

    Raises:
        ValueError: strict is set, and the object has another attribute.
    """
    left_out, found = set(leave_out), {}
    for name, value in vars(owner).items():
        if name in left_out:
            continue
        try:
            state = as_state(value)
        except ValueError as error:
            if strict:
                raise ValueError(
                    f"{type(owner).__name__}.{name} cannot be kept in a file: {as_sentence(error)} Keep numbers and arrays, or write "
                    "get_state(self) and set_state(self, state)."
                ) from None
            continue
        if with_text == (_has_text(state) and not _has_own_state(value)):
            found[name] = state
    return found


def set_attributes(owner: Any, state: Any, leave_out: Iterable[str] = ()) -> None:
    """Restore what `attributes` returned.

    Raises:
        ValueError: the state has a name that `attributes` would not return: a method, one of leave_out, or text. Nothing is
            changed then.
    """
    left_out, present = set(leave_out), vars(owner)
    for name, value in state.items():
        text = _has_text(value) and not _has_own_state(present.get(name))
        method = name not in present and callable(getattr(type(owner), str(name), None))
        if name in left_out or text or method or not (isinstance(name, str) and name.isidentifier()):
            raise ValueError(f"{name!r} is not among what {type(owner).__name__} keeps")
    for name, value in state.items():
        setattr(owner, name, put_back(present.get(name), value))


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal in type and to the bit; NaN is equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (np.ndarray, np.generic)):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return bool(one == other or (one != one and other != other))


def is_of_random(value: Any) -> bool:
    """Whether it is a generator of Python's random, a module that is slow to load and is not loaded for this."""
    module = sys.modules.get("random")
    return module is not None and isinstance(value, module.Random)


def _has_own_state(value: Any) -> bool:
    return isinstance(value, np.random.Generator) or is_of_random(value) or hasattr(value, "set_state")


def _has_text(state: Any) -> bool:
    if isinstance(state, dict):
        return any(map(_has_text, state.values()))
    if isinstance(state, (list, tuple, set)):
        return any(map(_has_text, state))
    return isinstance(state, str)
