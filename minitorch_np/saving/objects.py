"""Objects as plain data and back: a class by its registered name, with its constructor's arguments. Nothing is imported or run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minitorch_np.base.configurable import Configurable
from minitorch_np.saving.errors import NotHere


def encode(value: Any, who: str, instead: Mapping[tuple[int, str], Any] | None = None) -> Any:
    """The value as what JSON can hold.

    Args:
        who: for messages. instead: constructor arguments, by the id of the object and their names, that are replaced.

    Raises:
        ValueError: it holds something that is no plain data, such as a lambda; it names the argument.
    """
    if isinstance(value, Configurable):
        arguments = {name: item for name, item in value.config().items() if name != "rng"}
        arguments |= {name: instead[id(value), name] for name in arguments if instead and (id(value), name) in instead}
        return {
            "class": registered_name(type(value)),
            "config": {name: encode(item, f"{value!r}, argument {name}", instead) for name, item in arguments.items()},
        }
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float, np.integer, np.floating)):
        return int(value) if isinstance(value, (int, np.integer)) else float(value)
    if isinstance(value, tuple):
        return {"tuple": [encode(item, who, instead) for item in value]}
    if isinstance(value, list):
        return [encode(item, who, instead) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item, who, instead) for key, item in value.items()}}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value.tolist()
    raise ValueError(f"{who}: {value!r} cannot be saved. Use a name, a number or an object of this package.")


def decode(data: Any) -> Any:
    """The value that was encoded.

    Raises:
        ValueError: a class that nobody has defined, or arguments that it does not take.
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
    cls = Configurable.registry.get(data["class"]) if isinstance(data["class"], str) else None
    if cls is None:
        raise NotHere(f"the class {data['class']!r} is not known; define or import it before loading")
    try:
        return cls(**{name: decode(item) for name, item in data["config"].items()})
    except TypeError as error:
        raise ValueError(f"{data['class']} does not take these arguments ({error})") from None


def registered_name(cls: type) -> str:
    for name, registered in Configurable.registry.items():
        if registered is cls:
            return name
    raise ValueError(f"{cls.__name__} was defined again since; make the object anew before saving it.")
