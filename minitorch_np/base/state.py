"""State: what changes while a model learns, as plain data and arrays, and back into the objects that it came from."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

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
    """What stands in the place of `present` from now on: `present` itself, set to the state, where it is an object that has one."""
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

    What holds text is left out, so that no path that an object was given is ever taken from a file; with_text gives that instead.

    Raises:
        ValueError: another one is there, and strict asks to hear of it.
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
                    f"{type(owner).__name__}.{name} cannot be kept in a file: {error}. Keep numbers and arrays, or write "
                    "get_state(self) and set_state(self, state)."
                ) from None
            continue
        if with_text == (_has_text(state) and not _has_own_state(value)):
            found[name] = state
    return found


def set_attributes(owner: Any, state: Any, leave_out: Iterable[str] = ()) -> None:
    """Put back what `attributes` found.

    Raises:
        ValueError: the state names what is none of the object's own changing values: a method, what was left out, or text.
            Nothing is changed then.
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
    """Whether it is a generator of Python's random, which takes long to load and is not loaded if nobody uses it."""
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
