"""Sequences: lists of unequal length as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.validation import check_whole, one_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from minitorch_np.base.shapes import NDArray


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike | None = None,
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> NDArray:
    """Sequences of unequal length as one array (n, maxlen, ...), filled with `value`. Arguments and results are those of Keras.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], padding="post")
    array([[1, 0, 0],
           [2, 3, 0],
           [4, 5, 6]], dtype=int32)

    Args:
        sequences: a list of lists of numbers, or of arrays (time, features).
        maxlen: the number of steps of the result; None for the length of the longest sequence. Longer sequences are cut.
        dtype: of the result; None for int32 if all numbers are whole, else float32. Keras has int32 always, which cuts fractions off.
        padding: "pre" fills before the sequence, "post" after it. A recurrent layer without a mask does better with "pre", since its
            last state is then that of the last real step.
        truncating: "pre" cuts the beginning off, "post" the end.
        value: what shorter sequences are filled with: 0 for Embedding(…, mask_zero=True), mask_value for Masking(mask_value).

    Raises:
        ValueError: sequences is no list of sequences, they have different features, or an argument is out of range.
    """
    one_of("pre", "post")("pad_sequences", "padding", padding)
    one_of("pre", "post")("pad_sequences", "truncating", truncating)
    if maxlen is not None:
        check_whole("pad_sequences", "maxlen", maxlen, 1)
    if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__len__") or not len(sequences):
        raise ValueError(
            f"pad_sequences: expected a list of sequences such as [[1, 2], [3]], got {type(sequences).__name__} "
            f"{str(sequences)[:40]!r}. Text becomes numbers first."
        )
    arrays = [_as_sequence(sequence, number) for number, sequence in enumerate(sequences)]
    filled = [array for array in arrays if len(array)]
    features = filled[0].shape[1:] if filled else ()
    for number, array in enumerate(arrays):
        if len(array) and array.shape[1:] != features:
            raise ValueError(
                f"pad_sequences: the steps of sequence {number} have shape {array.shape[1:]}, those before it {features}. Give every "
                "step the same features."
            )
    length = max(1, *map(len, arrays)) if maxlen is None else int(maxlen)
    if dtype is None:
        whole = all(array.dtype.kind in "biu" for array in filled) and float(value).is_integer()
        dtype = np.int32 if whole else np.float32
    padded = np.full((len(arrays), length, *features), value, dtype)
    for row, array in zip(padded, arrays, strict=True):
        kept = array[-length:] if truncating == "pre" else array[:length]
        row[slice(len(kept)) if padding == "post" else slice(length - len(kept), None)] = kept
    return padded


def _as_sequence(sequence: Any, number: int) -> NDArray:
    array = as_numbers(sequence, f"sequence {number}", "pad_sequences")
    if not array.ndim:
        raise ValueError(
            f"pad_sequences: expected a list of sequences such as [[1, 2], [3]], got {sequence!r} at place {number}."
        )
    return array
