"""Plain data as JSON, with its arrays in one file of bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_FEW = 16  # longer lists of numbers of one type are kept as arrays


class Arrays:
    """Collects the bytes of arrays, one after the other."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size: int = 0

    def add(self, value: np.ndarray) -> dict[str, Any]:
        """Append an array; its position, dtype, shape and order."""
        if value.dtype.kind not in "biufc":
            raise ValueError(f"a checkpoint holds plain data and arrays of numbers, got {value!r}")
        columns = value.flags.f_contiguous and not value.flags.c_contiguous
        place = {"at": self.size, "dtype": value.dtype.str, "shape": value.shape, "order": "F" if columns else "C"}
        self.parts.append(value.tobytes("A"))
        self.size += value.nbytes
        return place


def take_out(value: Any, arrays: Arrays) -> Any:
    """The value as JSON can hold it. Its arrays, and long lists of numbers of one type, go to `arrays`."""
    if isinstance(value, np.ndarray):
        return {"array": arrays.add(value)}
    if isinstance(value, np.generic):
        return {"number": arrays.add(np.asarray(value))}
    if isinstance(value, dict):
        return {"dict": [[take_out(key, arrays), take_out(item, arrays)] for key, item in value.items()]}
    if isinstance(value, (tuple, set)):
        return {type(value).__name__: [take_out(item, arrays) for item in value]}
    if isinstance(value, list):
        return _list(value, arrays)
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"a checkpoint holds plain data and arrays, got {value!r}")


def _list(items: list[Any], arrays: Arrays) -> Any:
    kinds = set(map(type, items))
    if len(items) > _FEW and len(kinds) == 1:
        (kind,) = kinds
        if kind is float:
            return {"floats": arrays.add(np.array(items))}
        if issubclass(kind, np.number) or kind is np.bool_:
            return {"numbers": arrays.add(np.array(items))}
        shapes = {(item.dtype, item.shape[1:]) for item in items if kind is np.ndarray and item.ndim}
        if len(shapes) == 1 and all(item.ndim and item.flags.c_contiguous for item in items):
            lengths = np.array([len(item) for item in items])
            return {"arrays": arrays.add(np.concatenate(items)), "lengths": arrays.add(lengths)}
    return [take_out(item, arrays) for item in items]


def put_back(value: Any, content: bytes) -> Any:
    """The value that `take_out` described; content has the bytes of the arrays."""
    if isinstance(value, list):
        return [put_back(item, content) for item in value]
    if not isinstance(value, dict):
        return value
    if "arrays" in value:
        ends = np.cumsum(_array(value["lengths"], content))
        return [part.copy() for part in np.split(_array(value["arrays"], content), ends[:-1])]
    ((kind, held),) = value.items()
    if kind == "dict":
        return {put_back(key, content): put_back(item, content) for key, item in held}
    if kind in ("tuple", "set"):
        return (tuple if kind == "tuple" else set)(put_back(item, content) for item in held)
    if kind == "complex":
        return complex(*held)
    array = _array(held, content)
    if kind == "array":
        return array
    if kind == "number":
        return array[()]
    return {"floats": array.tolist, "numbers": lambda: list(array)}[kind]()


def _array(place: dict[str, Any], content: bytes) -> np.ndarray:
    dtype, shape = np.dtype(place["dtype"]), [int(size) for size in place["shape"]]
    if dtype.kind not in "biufc" or any(size < 0 for size in shape):
        raise ValueError(f"it holds an array of {dtype} and shape {shape}")
    flat = np.frombuffer(content, dtype, math.prod(shape), int(place["at"])) if math.prod(shape) else np.empty(0, dtype)
    return flat.reshape(shape, order=place["order"]).copy("K")
