"""Whether a gradient holds memory that was never set, as after np.empty: it is garbage, and often right by chance."""

from __future__ import annotations

import linecache
import re
import sys
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.diagnosis import Diagnosis
from minitorch_np.checking.evidence import gradient_of, same

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject
    from minitorch_np.layer import Layer

_LARGE = 20_000  # numbers; larger blocks are fresh from the system
_SIZES, _BLOCKS = 60, 4  # sizes, and blocks of each
_TRIES = 3
_OWN = __name__.partition(".")[0]


def unset_memory(subject: Subject, dy: NDArray) -> list[Diagnosis]:
    """Run backward again after free memory was filled with NaN. Tried only where the file of the code calls np.empty."""
    if not _makes_empty_arrays(subject.layer):
        return []
    clean = subject.gradients(dy)
    for _ in range(_TRIES):
        subject.forward()
        held = _fill_free_memory(max(subject.x.size, dy.size))
        results = subject.backward(dy.copy())
        dirty = {name: None if array is None else np.array(array) for name, array in results.items()}
        held.clear()
        for name, array in dirty.items():
            before = clean[name]
            if before is not None and array is not None and not _equal(before, array):
                observed = f"{gradient_of(name)} depends on what was in free memory before."
                change = "np.empty holds what was in memory before. Begin with np.zeros."
                return [Diagnosis("memory that was never set", name, observed, change)]
    return []


def _fill_free_memory(size: int) -> list[NDArray]:
    """Fill blocks of the sizes that backward may ask for with NaN, and free every second one; the next np.empty gets some of them.

    Returns the others, which keep the free blocks apart as long as they are held.
    """
    sizes = [*range(1, 128), *np.linspace(max(128, size // 5), 4 * size, _SIZES).astype(int)]
    blocks = [np.full(count, np.nan) for count in sizes if count < _LARGE for _ in range(_BLOCKS)]
    return blocks[::2]


def _equal(a: NDArray, b: NDArray) -> bool:
    return a.shape != b.shape or same(a, b) or np.array_equal(a, b, equal_nan=True)


def _makes_empty_arrays(layer: Layer) -> bool:
    """Whether the file of the layer's code, if it is of somebody else, calls np.empty or np.empty_like."""
    code = getattr(layer, "code", None)
    owner = type(layer) if code is None else code.given_backward if code.is_pair else type(code.root)
    module = sys.modules.get(getattr(owner, "__module__", ""))
    if module is None or module.__name__.partition(".")[0] == _OWN:
        return False
    lines = linecache.getlines(getattr(module, "__file__", None) or "")
    return any(re.search(r"\bempty(_like)?\b", line) for line in lines)
