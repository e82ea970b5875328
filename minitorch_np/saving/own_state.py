"""Own state: attributes of a user-defined layer that its forward reads and then changes, and that are not parameters.

A file holds parameters. A running total in a plain attribute is lost when the program ends. A constant is not lost, and neither is
an array that every forward computes anew. To tell them apart, forward is run twice from two values of the attribute.
"""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.any_length import filled
from minitorch_np.base.code import is_installed
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.node import Node
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.state import as_state, same
from minitorch_np.saving.errors import warn

if TYPE_CHECKING:
    from minitorch_np.model import Model

_BATCH = 3
_LENGTH = 7  # in place of None in the shape of an input
_DEEPEST = 6
_SCALAR = (bool, int, float, complex, np.generic)
Place = tuple[Any, ...]  # an attribute's name, then the keys and positions inside it


def own_state(model: Model) -> dict[str, list[str]]:
    """The attributes that forward reads and then changes in training, by the place of the layer.

    Layers of this package have no such state. Where forward fails on random inputs, nothing is found.
    """
    user_defined = [(place, layer) for place, layer in model.walk() if not is_built_in(type(layer))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if not all(layer.built for _, layer in user_defined):
            layers = dict(_built(model).walk())
            user_defined = [(place, layers[place]) for place, _ in user_defined]
        can_run = [(place, layer) for place, layer in user_defined if layer.built and layer.input_shape is not None]
        found = {place: _of_layer(layer) for place, layer in can_run}
    return {place: names for place, names in found.items() if names}


def warn_of_own_state(model: Model, path: Path) -> None:
    """Warn, where a file of parameters is written, of the state that it does not hold."""
    found = _advice(model, own_state(model))
    if found:
        warn(path, f"{found}. Until then the file does not hold it.")


def check_plain(model: Model, found: dict[str, list[str]]) -> None:
    """Raise before training if a checkpoint cannot hold the state."""
    layers = dict(model.walk())
    for place, names in found.items():
        for name in names:
            try:
                as_state(vars(layers[place]).get(name))
            except ValueError:
                raise ValueError(f"fit(resume=…): {_advice(model, {place: [name]})}.") from None


def _advice(model: Model, found: dict[str, list[str]]) -> str:
    """Name the attributes, and the lines that make parameters of them."""
    layers, lines = dict(model.walk()), []
    for place, name in [(place, name) for place, names in found.items() for name in names]:
        value = vars(layers[place]).get(name)
        shape = value.shape if isinstance(value, np.ndarray) and value.shape else (1,)
        lines.append(
            f"{type(layers[place]).__name__}.{name} is state that forward changes, and not a parameter. Write in build "
            f'self.{name} = self.add_parameter({shape}, "zeros", trainable=False), and self.{name}.value in forward'
        )
    return "; ".join(lines)


def _of_layer(layer: Any) -> list[str]:
    """The names, found with a few rows, or with as many as an array in the layer has, such as the outputs of the batch before."""
    lengths = [value.shape[0] for _, value in _leaves(layer) if isinstance(value, np.ndarray) and value.ndim]
    for rows in dict.fromkeys([_BATCH, *filter(None, lengths)]):
        for larger in (True, False):
            with contextlib.suppress(Exception):  # user-defined code, on inputs that it may not expect
                return _changing(layer, rows, larger)
    return []


def _built(model: Any) -> Model:
    """A copy of the model in which layers that are built by their first use are built, if its forward takes random inputs."""
    copied = _copy(model)
    with contextlib.suppress(Exception):
        x = model.example_input((_BATCH, *filled(model.input_shape, _LENGTH)), np.random.default_rng(0))
        _run(copied, x.astype(model._dtype) if x.dtype.kind == "f" else x)
    return copied


def _changing(layer: Any, rows: int, larger: bool) -> list[str]:
    """The names, by a first and a second batch, whose inputs are larger and smaller than the first's on request."""
    rng = np.random.default_rng(0)
    first, second = (layer.example_input((rows, *filled(layer.input_shape, _LENGTH)), rng) for _ in range(2))
    if first.dtype.kind == "f":
        if larger:  # or a running maximum would not change
            flat = first.reshape(rows, -1)
            second[-1] *= 0.01
            second[1 % rows], second[0] = 4 * first[flat.min(axis=1).argmin()], 4 * first[flat.max(axis=1).argmax()]
        first, second = first.astype(layer._dtype), second.astype(layer._dtype)
    begun = _copy(layer)
    for _ in range(2):  # what is made only once is there after the first
        _run(begun, first)
    before = dict(_leaves(begun))
    after, again = (_run(_copy(begun), second) for _ in range(2))
    steady = {place: value for place, value in after.items() if place in again and same(value, again[place])}
    grown = {place[0] for place in after if place not in before}  # containers to which forward appends
    names = []
    for name in dict.fromkeys(place[0] for place in before):
        places, due = {place: value for place, value in before.items() if place[0] == name}, steady
        if name in grown:  # state only if forward reads it: a list that is only appended to is a log
            changed = {place: (value, None) for place, value in places.items()}
            due = {place: value for place, value in steady.items() if place[0] != name}
        else:
            pairs = {place: (value, after[place]) for place, value in places.items() if place in after}
            changed = {place: pair for place, pair in pairs.items() if not same(*pair)}
        if changed and any(_matters(begun, second, changed, due, up) for up in (True, False)):
            names.append(name)
    return names


def _matters(begun: Any, x: Any, changed: dict[Place, tuple[Any, Any]], due: dict[Place, Any], up: bool) -> bool:
    """Whether other numbers in these places lead to another output or leave other numbers behind."""
    other = _copy(begun)
    for place, (before, after) in changed.items():
        _set(other, place, _moved(before, after, up))
    try:
        found = _run(other, x)
    except Exception:  # such as an index that is now out of range
        return True
    return any(place not in found or not same(value, found[place]) for place, value in due.items())


def _moved(before: Any, after: Any, up: bool) -> Any:
    """Another number, far away on one side, in place of each that changed."""
    value, then = np.array(before), np.asarray(after)
    where = value != then if value.shape == then.shape else np.ones(value.shape, bool)
    if value.dtype.kind == "b":
        value[where] ^= True
    elif value.dtype.kind in "iu":
        value[where] += np.array(7 if up or value.dtype.kind == "u" else -7).astype(value.dtype)
    else:
        value[where] += (1000 if up else -1000) * (np.abs(value[where]) + 1)
    if isinstance(before, np.ndarray):
        return value
    return value[()] if isinstance(before, np.generic) else type(before)(value[()])


def _run(layer: Any, x: Any) -> dict[Place, Any]:
    """One forward in training: the output, and the values that the attributes and parameters then have."""
    with layer.in_mode(training=True, keep_cache=True):
        y = layer.forward(x.copy())
    found = {("", "output"): np.array(y), **dict(_leaves(layer))}
    found |= {("", name): parameter.value.copy() for name, parameter in Node.parameters(layer).items()}
    for place, below in layer.walk():
        found |= {("", place, *inside): value for inside, value in _leaves(below)} if place else {}
    return found


def _copy(layer: Any) -> Any:
    """A copy that shares the learnable parameters, which no forward changes, and what the model is trained with."""
    shared = [parameter for parameter in Node.parameters(layer).values() if parameter.learnable]
    shared += [vars(layer)[name] for name in ("optimizer", "loss", "history", "metrics") if name in vars(layer)]
    return copy.deepcopy(layer, {id(one): one for one in shared})


# Numbers and arrays in attributes, and in lists, dictionaries and objects inside them


def _leaves(layer: Any) -> Iterator[tuple[Place, Any]]:
    ours = [base for base in type(layer).__mro__ if is_built_in(base)]
    for name, value in vars(layer).items():
        if not any(name in vars(base) or name in getattr(base, "__annotations__", {}) for base in ours):
            yield from _inside((name,), value)


def _inside(place: Place, value: Any) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biufc":
            yield place, value.copy()
    elif isinstance(value, _SCALAR):
        yield place, value
    elif len(place) <= _DEEPEST:
        for key, item in _members(value):
            yield from _inside((*place, key), item)


def _members(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, (list, tuple, deque)):
        return list(enumerate(value))
    kind = type(value)
    if isinstance(value, (Node, Parameter, type)) or callable(value) or is_built_in(kind) or is_installed(kind):
        return []
    return list(getattr(value, "__dict__", {}).items())


def _set(container: Any, place: Place, value: Any) -> Any:
    """The container with the value in that place."""
    if not place:
        return value
    key, *rest = place
    if isinstance(container, tuple):
        return tuple(_set(item, tuple(rest), value) if number == key else item for number, item in enumerate(container))
    if isinstance(container, (dict, list, deque)):
        container[key] = _set(container[key], tuple(rest), value)
    else:
        setattr(container, key, _set(getattr(container, key), tuple(rest), value))
    return container
