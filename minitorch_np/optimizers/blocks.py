"""Updates in blocks: a large parameter is updated block by block, so that each operation finds in the cache what the one before wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minitorch_np.base.blocks import IN_CACHE, slices
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray

Update = Callable[[Parameter, dict[str, NDArray]], None]


def updating(update: Update, *, in_blocks: bool) -> Update:
    """The update of an optimiser; if in_blocks, one that updates large parameters in blocks."""
    if not in_blocks:
        return update

    def update_by_size(parameter: Parameter, state: dict[str, NDArray]) -> None:
        if parameter.value.size > IN_CACHE:
            update_in_blocks(update, parameter, state)
        else:
            update(parameter, state)

    return update_by_size


def update_in_blocks(update: Update, parameter: Parameter, state: dict[str, NDArray]) -> None:
    """update(parameter, state) for an update that treats each element by itself, with the same result.

    Arrays that lie alike in memory are taken as vectors. Where they do not, it is one call.
    """
    vectors = _vectors(parameter.value, parameter.grad, *state.values())
    if vectors is None:
        update(parameter, state)
        return
    value, gradient, *kept = vectors
    made: dict[str, NDArray] = {}
    for block in slices(len(value), IN_CACHE):
        part = Parameter.sharing(value[block])
        part.grad = gradient[block]
        part_state = {name: array[block] for name, array in zip(state, kept, strict=True)}
        update(part, part_state)
        for name, new in part_state.items():  # the first update makes the arrays of the state
            if name not in state:
                whole = made.setdefault(name, np.empty_like(parameter.value, dtype=new.dtype))
                _vector(whole, parameter.value.flags.c_contiguous)[block] = new
    state |= made


def _vectors(*arrays: Any) -> list[NDArray] | None:
    """The arrays as vectors of the same order in memory, without copies; None if they are not all C-ordered, or all F-ordered."""
    if all(isinstance(array, np.ndarray) for array in arrays):
        for c_order in (True, False):
            if all(array.flags.c_contiguous if c_order else array.flags.f_contiguous for array in arrays):
                return [_vector(array, c_order) for array in arrays]
    return None


def _vector(array: NDArray, c_order: bool) -> NDArray:
    return (array if c_order else array.T).reshape(-1)
