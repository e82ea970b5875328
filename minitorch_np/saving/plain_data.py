"""Plain data as JSON, and its arrays in one file of bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_FEW = 16  # longer lists of numbers of one type are kept as arrays


class Arrays:
    """Arrays, one after the other in one file."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def add(self, value: np.ndarray) -> dict[str, Any]:
        """Where the array is."""
        if value.dtype.kind not in "biufc":
            raise ValueError(f"a checkpoint holds plain data and arrays of numbers, and this is neither: {value!r}")
        columns = value.flags.f_contiguous and not value.flags.c_contiguous
        place = {"at": self.size, "dtype": value.dtype.str, "shape": value.shape, "order": "F" if columns else "C"}
        self.parts.append(value.tobytes("A"))
        self.size += value.nbytes
        return place


def take_out(value: Any, arrays: Arrays) -> Any:
    """The value as what JSON holds; its arrays, and long lists of numbers of one type, in a file of their own."""
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
    raise ValueError(f"a checkpoint holds plain data and arrays, and this is neither: {value!r}")


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
    if isinstance(value, list):
        return [put_back(item, content) for item in value]
    if not isinstance(value, dict):
        return value
    if "dict" in value:
        return {put_back(key, content): put_back(item, content) for key, item in value["dict"]}
    if "tuple" in value:
        return tuple(put_back(item, content) for item in value["tuple"])
    if "set" in value:
        return {put_back(item, content) for item in value["set"]}
    if "complex" in value:
        return complex(*value["complex"])
    if "arrays" in value:
        ends = np.cumsum(_array(value["lengths"], content))
        return [part.copy() for part in np.split(_array(value["arrays"], content), ends[:-1])]
    (kind,) = {"array", "number", "floats", "numbers"} & set(value)
    array = _array(value[kind], content)
    return {
        "array": lambda: array,
        "number": lambda: array[()],
        "floats": array.tolist,
        "numbers": lambda: list(array),
    }[kind]()


def _array(place: dict[str, Any], content: bytes) -> np.ndarray:
    dtype, shape = np.dtype(place["dtype"]), [int(size) for size in place["shape"]]
    if dtype.kind not in "biufc" or any(size < 0 for size in shape):
        raise ValueError(f"it holds an array of {dtype} and shape {shape}")
    flat = np.frombuffer(content, dtype, math.prod(shape), int(place["at"])) if math.prod(shape) else np.empty(0, dtype)
    return flat.reshape(shape, order=place["order"]).copy("K")
