"""Several inputs and outputs: lists and dictionaries of arrays, as fit takes them, in the order of a model's inputs or outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minitorch_np.base.arrays import as_array, is_table
from minitorch_np.base.several import Several, of_each


def gathered(given: Any, names: Sequence[str], what: str, who: str) -> Any:
    """Several arrays in the order of these names; for one name the array itself.

    Args:
        given: a list in that order, a dictionary by name, or a table with these columns. Several is returned as it is.
        what: "x" or "y", for messages.

    Raises:
        ValueError: a name is missing or unknown, there are more or fewer arrays, or their numbers of examples differ.
    """
    if isinstance(given, Several):
        return given
    listed = ", ".join(map(repr, names))
    if is_table(given) and len(names) > 1:
        given = {name: given[name] for name in given.columns}
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise ValueError(
                f"{who}: {what} has {', '.join(map(repr, given)) or 'no arrays'}, and the model's names are {listed}."
            )
        arrays = [given[name] for name in names]
        if len(names) == 1:
            return arrays[0]
    elif len(names) == 1:
        return given
    elif not isinstance(given, (list, tuple)) or len(given) != len(names):
        got = f"{len(given)} arrays" if isinstance(given, (list, tuple)) else f"a {type(given).__name__}"
        raise ValueError(
            f"{who}: expected {what} as a list of {len(names)} arrays, in the order {listed}, or as a dictionary by name, got {got}."
        )
    else:
        arrays = list(given)
    found = [as_array(array, f"{what}[{name!r}]", who) for name, array in zip(names, arrays, strict=True)]
    counts = {name: array.shape[:1] for name, array in zip(names, found, strict=True)}
    if len(set(counts.values())) > 1 or () in counts.values():
        shapes = ", ".join(f"{name!r} has shape {array.shape}" for name, array in zip(names, found, strict=True))
        raise ValueError(
            f"{who}: {what} has one row per example in each of its arrays, the same number in all; {shapes}."
        )
    return Several(found)


def weights_of_outputs(given: Any, names: Sequence[str], who: str) -> Any:
    """sample_weight as Several, if it has one array for each output; otherwise as it is: one array for all outputs, or None.

    Args:
        given: an array, a list in the order of the outputs, or a dictionary by name. None, or a name that is left out, stands for 1.
    """
    if isinstance(given, Mapping) and all(isinstance(name, str) for name in given):
        weights = of_each({**dict.fromkeys(names), **given}, names, "sample_weight", who)
        return Several(weights) if len(names) > 1 else weights[0]
    by_output = isinstance(given, (list, tuple)) and any(one is None or np.ndim(one) for one in given)
    if not by_output or len(names) == 1 or isinstance(given, Several):
        return given
    return Several(of_each(given, names, "sample_weight", who))


def is_gathered(x: Any) -> bool:
    """Whether x is a list or a dictionary of the arrays of several inputs, and not batches: a list of batches has tuples."""
    if isinstance(x, Several | Mapping) or is_table(x):
        return True
    return isinstance(x, (list, tuple)) and len(x) > 0 and not isinstance(x[0], tuple)
