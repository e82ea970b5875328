"""Raised: what is added to an error of a user-defined forward or backward. Loaded when there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.parameter import UsedAsArray
from minitorch_np.base.text import as_sentence

if TYPE_CHECKING:
    from minitorch_np.layer import Layer

# What NumPy and Python say of a float where they take an integer.
_FLOAT_AS_INDEX = re.compile(
    r"used as indices|only integers, slices|indices. must be an integer|indices must be integers|"
    r"numpy\.float\d+' object cannot be interpreted|sequence of integers|from dtype\('float\d+'\) to dtype\('u?int"
)
_REMEDY = "x.astype(int)"
# What Python says of a forward that takes several arrays and gets one, of the arrays that a list of them became.
_SEVERAL = re.compile(r"values to unpack|missing \d+ required positional argument")


def name_parameter(error: UsedAsArray, node: Layer, method: str) -> UsedAsArray:
    """The error of a Parameter that is used as an array, with the layer and the attribute."""
    names = [name for name, parameter in node.own_parameters().items() if parameter is error.parameter]
    return error if error.owner or not names else UsedAsArray(error.parameter, f"{node!r}.{method}: ", names[0])


def explain_index(error: IndexError | TypeError, node: Layer, method: str, given: Any) -> None:
    """Add the remedy to an error of NumPy's, if an array of whole numbers that are stored as floats may have been used as an index.

    Args:
        error: the message of this error is changed.
        node, method: where it was raised.
        given: the inputs of forward, or what it kept for backward.
    """
    text = str(error)
    if _REMEDY in text or not _FLOAT_AS_INDEX.search(text):
        return
    found = next(_whole_floats(given), None)
    if found is None:
        return
    line = f"Write {_REMEDY}" if method == "forward" else f"Keep {_REMEDY} in forward"
    error.args = (
        f"{node!r}.{method}: {as_sentence(text)} If the index comes from x: x holds whole numbers as {found.dtype}, because a model "
        f"converts its inputs to its dtype. {line}, as mt.Embedding does.",
    )


def explain_several(error: TypeError | ValueError, node: Layer, x: Any) -> None:
    """Add to the error of a forward that may want several arrays, and got x alone, how a layer takes several."""
    text = str(error)
    if _SEVERAL.search(text) and "mt.Graph" not in text:
        error.args = (
            f"{node!r}.forward: {as_sentence(text)} It got one array, of shape {np.shape(x)}; a list of arrays becomes one. If it is to take "
            "several: forward(self, a, b), a backward that returns (da, db), and a node of mt.Graph, ('z', layer, ['a', 'b']).",
        )


def _whole_floats(given: Any) -> Iterator[Any]:
    if isinstance(given, (tuple, list)):
        for item in given:
            yield from _whole_floats(item)
    elif isinstance(given, dict):
        yield from _whole_floats([*given.values()])
    elif isinstance(given, np.ndarray) and given.dtype.kind == "f" and (given == np.rint(given)).all():
        yield given
