"""Sizes that are not fixed: None in the shape of an Input stands for any length, as in Keras.

A shape may also be a tuple of the shapes of several arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Pairs of lengths on which the shape of an output is tried. Layers with windows need long inputs, those with a limit short ones.
_LENGTHS = ((97, 173), (29, 53), (7, 13), (2, 3), (1, 2))


def fits(shape: Any, pattern: Any) -> bool:
    """Whether a shape is the pattern, in which None stands for any size.

    >>> fits((7, 8), (None, 8)), fits((7, 9), (None, 8))
    (True, False)
    """
    if isinstance(shape, (tuple, list)) and isinstance(pattern, (tuple, list)):
        return len(shape) == len(pattern) and all(map(fits, shape, pattern))
    return pattern is None or bool(shape == pattern)


def is_open(shape: Any) -> bool:
    """Whether a size of this shape is not fixed."""
    return any(map(is_open, shape)) if isinstance(shape, (tuple, list)) else shape is None


def filled(shape: Any, length: int) -> Any:
    """The shape with a length in place of None.

    >>> filled((None, 8), 5)
    (5, 8)
    """
    if isinstance(shape, (tuple, list)):
        return tuple(filled(size, length) for size in shape)
    return length if shape is None else shape


def open_shape(shape_of: Callable[[Any], Any], shape: Any) -> Any:
    """shape_of(shape). A function that cannot compute with None is tried on two lengths: sizes that differ are None in the result.

    >>> open_shape(lambda shape: (shape[0] // 2, 4), (None, 8))
    (None, 4)
    """
    try:
        return shape_of(shape)
    except TypeError:
        if not is_open(shape):
            raise
    refused: ValueError | None = None
    for pair in _LENGTHS:
        try:
            one, other = (shape_of(filled(shape, length)) for length in pair)
        except ValueError as error:
            refused = refused or error
            continue
        return _common(one, other)
    raise refused or ValueError(f"no length in place of None is possible in {shape}")


def _common(one: Any, other: Any) -> Any:
    if isinstance(one, (tuple, list)):
        return tuple(map(_common, one, other))
    return one if one == other else None
