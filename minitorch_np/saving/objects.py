"""Objects as plain data and back: the registered name of the class, and the constructor's arguments. Nothing is imported or run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from minitorch_np.base.configurable import Configurable
from minitorch_np.saving.errors import NotHere


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
    raise ValueError(f"{who}: {value!r} cannot be saved. Use a name, a number or an object of this package.")


def decode(data: Any) -> Any:
    """The value that was encoded.

    Raises:
        ValueError: a class is not defined, or does not take the arguments.
    """
    if isinstance(data, list):
        return [decode(item) for item in data]
    if not isinstance(data, dict):
        return data
    if set(data) == {"tuple"} and isinstance(data["tuple"], list):
        return tuple(decode(item) for item in data["tuple"])
    if set(data) == {"dict"} and isinstance(data["dict"], dict):
        return {key: decode(item) for key, item in data["dict"].items()}
    if set(data) != {"class", "config"} or not isinstance(data["config"], dict):
        raise ValueError(f"expected a class and its config, got {', '.join(map(str, data))}")
    cls = registered(data["class"]) if isinstance(data["class"], str) else None
    if cls is None:
        raise NotHere(f"the class {data['class']!r}", " is not known; define or import it before loading")
    try:
        return cls(**{name: decode(item) for name, item in data["config"].items()})
    except TypeError as error:
        raise ValueError(f"{data['class']} does not take these arguments ({error})") from None


# Classes of this package that `import minitorch_np` does not load. Nothing else is imported for a name in a file.
_ON_DEMAND = {
    "Graph": "minitorch_np.graph",
    "LossOfOutput": "minitorch_np.metrics.outputs",
    "MetricOfOutput": "minitorch_np.metrics.outputs",
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
