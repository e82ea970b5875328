"""Cache: what `forward` leaves for `backward`."""

from __future__ import annotations

from typing import Any


class Cache:
    """The attribute `cache` of layers and losses: written by `forward`, read by `backward`.

    Nothing is kept while the owner's `keep_cache` is False, so that a prediction holds no activations.
    Reading before anything was kept raises a RuntimeError that names the owner.
    """

    def __get__(self, owner: Any, owner_type: type) -> Any:
        if owner is None:
            return self
        if owner._cache is None:
            raise RuntimeError(
                f"{owner!r}.backward: there is no cache to read. Run forward first, in training mode "
                "(forward stores in self.cache what backward needs; predict and evaluate keep nothing)."
            )
        return owner._cache

    def __set__(self, owner: Any, value: Any) -> None:
        owner._cache = value if owner.keep_cache else None
