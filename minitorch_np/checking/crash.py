"""Crash: where an exception arose in the code that is checked, and the shapes of the arrays on that line."""

from __future__ import annotations

import linecache
import re
import traceback
from pathlib import Path
from types import FrameType

import numpy as np

from minitorch_np.base.parameter import Parameter

_PACKAGE = Path(__file__).parents[1]
_LIBRARIES = (_PACKAGE, Path(np.__file__).parent)


def describe(error: Exception, what: str) -> str:
    """One paragraph: what was raised, on which line of the user's file, and the shapes of the arrays there."""
    text = f"{what} raised {type(error).__name__}: {str(error).strip()}"
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [(frame, number) for frame, number in frames if not _is_of(frame, _LIBRARIES)]
    of_layers = [(frame, number) for frame, number in frames if not _is_of(frame, (Path(__file__).parent,))]
    if not own and not of_layers:
        return text
    frame, number = (own or of_layers)[-1]
    name = Path(frame.f_code.co_filename).name
    line = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
    place = f" (line {number} of {name}, in {frame.f_code.co_name}{f': {line}' if line else ''})"
    shapes = ", ".join(f"{array} {shape}" for array, shape in _shapes_on(line, frame).items())
    return f"{text}{place}{f'. Shapes: {shapes}' if shapes else ''}"


def _is_of(frame: FrameType, folders: tuple[Path, ...]) -> bool:
    return any(folder in Path(frame.f_code.co_filename).parents for folder in folders)


def _shapes_on(line: str, frame: FrameType) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays that a line names, by the words of the line: dy, self.cache."""
    shapes: dict[str, tuple[int, ...]] = {}
    for chain in re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", line):
        first, *rest = chain.split(".")
        value, name = frame.f_locals.get(first), first
        while rest and not isinstance(value, (np.ndarray, Parameter)):
            try:
                value = getattr(value, rest[0])
            except Exception:  # a property may raise anything
                break
            name = f"{name}.{rest.pop(0)}"
        if isinstance(value, (np.ndarray, Parameter)):
            shapes[name] = np.shape(value.value if isinstance(value, Parameter) else value)
    return shapes
