"""Source: examples that come batch by batch, for data that do not fit into an array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import Shape

Batch = tuple[Any, ...]  # (x,), (x, y) or (x, y, weights)


class Source:
    """Data for fit, evaluate and predict in place of arrays. A subclass writes `batches` and sets the attributes that it knows.

    Attributes:
        count: number of examples, or None if it is unknown before the first epoch has ended.
        shape: the shape of one example, without the batch.
        class_names: the names of the classes in the order of their numbers, or None.
        read_ahead: True lets fit, evaluate and predict compute the next batches in another thread. False, the default, computes
            each batch when it is needed, in the thread that calls fit.
    """

    count: int | None = None
    shape: Shape | None = None
    class_names: list[str] | None = None
    read_ahead: bool = False

    def batches(self, batch_size: int | None, rng: np.random.Generator | None = None, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch: (x,), (x, y) or (x, y, weights), one row per example.

        Args:
            batch_size: examples per batch; the last batch may be smaller. None puts all examples into one batch.
            rng: shuffles the examples; None keeps their order. All random numbers are drawn before the first batch is yielded.
            skip: the number of batches to leave out at the beginning of this epoch.
        """
        raise NotImplementedError(f"{self!r} has no batches: write batches(self, batch_size, rng, skip).")

    def __iter__(self) -> Iterator[Batch]:
        """Batches of 32 in order, to look at: `for x, y in source`."""
        return self.batches(32)

    def fingerprint(self) -> str:
        """A text that changes when the data change, as far as that is known without reading all of them."""
        return f"{type(self).__name__}, {self.count} examples of shape {self.shape}"


def fingerprint(*arrays: ArrayLike) -> str:
    """SHA-256 of the arrays' types, shapes and bytes."""
    import hashlib

    found = hashlib.sha256()
    for array in map(np.asarray, arrays):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
