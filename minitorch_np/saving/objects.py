"""Objects as plain data and back: the registered name of the class, and the constructor's arguments. Nothing is imported or run.

Of a function only the name is data. Whoever reads it gives the functions by their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from minitorch_np.base.configurable import Configurable, signature_defaults
from minitorch_np.saving.errors import NotHere

Functions = Mapping[str, Callable[..., Any]]


class MissingFunction(NotHere):
    """A function that the reader was not given."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the function {name!r}", " was not given")
        self.name = name


def encode(value: Any, who: str, replace: Callable[[Configurable, str, Any], Any] | None = None) -> Any:
    """The value as JSON can hold it.

    Args:
        who: for messages. replace: what to save for an object's constructor argument, given the object, the argument's name
            and its value.

    Raises:
        ValueError: it contains something that is not plain data, such as a lambda; it names the argument.
    """
    if isinstance(value, Configurable):
        arguments = {}
        for name, item in value.config().items():
            if name != "rng":
                item = item if replace is None else replace(value, name, item)
                arguments[name] = encode(item, f"{value!r}, argument {name}", replace)
        return {"class": registered_name(type(value)), "config": arguments}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, tuple):
        return {"tuple": [encode(item, who, replace) for item in value]}
    if isinstance(value, list):
        return [encode(item, who, replace) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item, who, replace) for key, item in value.items()}}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value.tolist()
    if is_function(value):
        name = name_of(value)
        if name.isidentifier():
            return {"function": name}
        raise ValueError(f"{who}: {value!r} cannot be saved, as it has no name. Write it as def, with a name.")
    raise ValueError(f"{who}: {value!r} cannot be saved. Use a name, a number or an object of this package.")


def is_function(value: Any) -> bool:
    """Whether it can be called, and is no class and no object of this package."""
    return callable(value) and not isinstance(value, (type, Configurable))


def name_of(function: Any) -> str:
    """The name of a function, or of the class of something else."""
    return getattr(function, "__name__", None) or type(function).__name__


def functions_in(value: Any) -> Iterator[Any]:
    """The functions in an object's constructor arguments, and in lists, tuples and dictionaries."""
    if isinstance(value, Configurable):
        value = value.config()
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from functions_in(item)
    elif is_function(value):
        yield value


def names_in(data: Any) -> list[str]:
    """The names of the functions in encoded data, each once.

    Raises:
        ValueError: something else stands in the place of a name.
    """
    found: dict[str, None] = {}
    pending = [data]
    while pending:
        item = pending.pop(0)
        if isinstance(item, list):
            pending = item + pending
        elif isinstance(item, dict) and set(item) == {"function"}:
            found[_function_name(item)] = None
        elif isinstance(item, dict):
            inside = item["config"] if set(item) == {"class", "config"} else item.get("dict", item)
            pending = [*(inside.values() if isinstance(inside, dict) else ()), *pending]
    return list(found)


def _function_name(data: dict[str, Any]) -> str:
    name = data["function"]
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"it has {name!r:.100} in place of a function's name")
    return name


def decode(data: Any, functions: Functions | None = None, left_out: list[str] | None = None) -> Any:
    """The value that was encoded.

    Args:
        functions: the functions by name. left_out: to it is added which arguments keep their defaults as they need a function that
            is not among these: initializers, regularizers and constraints, without which a model computes the same.

    Raises:
        ValueError: a class is not defined, or does not take the arguments.
        MissingFunction: another argument needs a function that was not given.
    """
    if isinstance(data, list):
        return [decode(item, functions, left_out) for item in data]
    if not isinstance(data, dict):
        return data
    if set(data) == {"tuple"} and isinstance(data["tuple"], list):
        return tuple(decode(item, functions, left_out) for item in data["tuple"])
    if set(data) == {"dict"} and isinstance(data["dict"], dict):
        return {key: decode(item, functions, left_out) for key, item in data["dict"].items()}
    if set(data) == {"function"}:
        name = _function_name(data)
        if name not in (functions or {}):
            raise MissingFunction(name)
        return (functions or {})[name]
    if set(data) != {"class", "config"} or not isinstance(data["config"], dict):
        raise ValueError(f"expected a class and its config, got {', '.join(map(str, data))}")
    cls = registered(data["class"]) if isinstance(data["class"], str) else None
    if cls is None:
        raise NotHere(f"the class {data['class']!r}", " is not known; define or import it before loading")
    arguments = {}
    for name, item in data["config"].items():
        try:
            arguments[name] = decode(item, functions, left_out)
        except MissingFunction as error:
            has_default = signature_defaults(cls).get(name, inspect.Parameter.empty) is not inspect.Parameter.empty
            if (
                left_out is None
                or not has_default
                or not name.endswith(("_initializer", "_regularizer", "_constraint"))
            ):
                raise
            left_out.append(f"the {name} {error.name} of {data['class']}")
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f"{data['class']} does not take these arguments ({error})") from None


# Classes of this package that `import minitorch_np` does not load. Nothing else is imported for a name in a file.
_ON_DEMAND = {
    "Graph": "minitorch_np.graph",
    "LossOfOutput": "minitorch_np.metrics.outputs",
    "MetricOfOutput": "minitorch_np.metrics.outputs",
    **dict.fromkeys(("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"), "minitorch_np.constraints"),
}


def registered(name: str) -> Any:
    """The class of this name, or None."""
    if name in _ON_DEMAND:
        import_module(_ON_DEMAND[name])
    return Configurable.registry.get(name)


def registered_name(cls: type) -> str:
    for name, registered in Configurable.registry.items():
        if registered is cls:
            return name
    raise ValueError(
        f"{cls.__name__} was redefined after this object was created. Create the object again before saving it."
    )
