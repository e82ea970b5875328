"""Cache: what `forward` keeps for `backward`."""

from __future__ import annotations

import itertools
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING, Any

_turns = itertools.count(1)


class Call:
    """A forward or backward that runs now in this thread.

    Args:
        root: the outermost layer of the call.
        node: the innermost layer whose method is guarded (base/contract.py).
        method: the name of that method.
        inference: True if layers run in inference mode and keep nothing.

    Attributes:
        turn: the number of the outermost forward.
    """

    root: Any
    node: Any
    method: str
    inference: bool
    turn: int

    def __init__(self, root: Any, node: Any = None, method: str = "", *, inference: bool = False) -> None:
        self.root, self.node, self.method, self.inference = root, node, method, inference
        self.next_turn()

    def next_turn(self) -> None:
        self.turn = next(_turns)


# Set while a user-defined class may call layers: only such a class can use a layer twice in one forward.
current_call: ContextVar[Call | None] = ContextVar("current_call", default=None)


class _NothingKept:
    """The class attribute `_cache`. Python reads it if the object itself has no `_cache`, and it raises an error that says why."""

    def __get__(self, owner: Any, owner_type: type) -> Any:
        if owner is None:
            return self
        raise RuntimeError(used_twice(owner) if owner._used_twice else _nothing_kept(owner))


def _keep(owner: Any, value: Any) -> None:
    call = current_call.get()
    if call is not None:
        if call.inference:
            return
        if owner.keep_cache and owner._notes_use and is_second_use(owner, call):
            owner.forget()
            owner._used_twice = True
            return
    if owner.keep_cache:
        owner.__dict__["_cache"] = value  # without the checks of assignments, which take longer
    else:
        owner.forget()


class Cached:
    """What layers and losses share: one cache, from one forward to its backward.

    Attributes:
        cache: what `forward` keeps for `backward`. Nothing is kept while keep_cache is False, so that a prediction holds no
            activations. Reading it raises RuntimeError, which names the owner, if nothing was kept, or if one forward of a model
            has used the owner twice.
        keep_cache: False while no backward will be called.
    """

    keep_cache = True
    if TYPE_CHECKING:  # a property too, so that an assignment in a subclass does not declare another attribute

        @property
        def cache(self) -> Any: ...
        @cache.setter
        def cache(self, value: Any) -> None: ...
    else:
        cache = property(attrgetter("_cache"), _keep)  # read in each step: attrgetter is faster than a function
    _cache: Any = _NothingKept()
    _turn = 0  # the turn in which it was used last
    _used_twice = False  # in that turn
    _notes_use = True  # whether writing the cache counts as a use; a guarded forward counts its uses itself

    def __getstate__(self) -> dict[str, Any]:
        """For pickle and copy: a copy of the attributes, because another thread may add one meanwhile."""
        return vars(self).copy()

    def forget(self) -> None:
        """Drop what forward kept."""
        vars(self).pop("_cache", None)
        self._used_twice = False


def is_second_use(owner: Any, call: Call | None) -> bool:
    """Whether this forward of a model has used the layer before. Outside a model a layer may run often: backward belongs to the last run."""
    if call is None:
        return False
    before, owner._turn = owner._turn, call.turn
    return bool(before == call.turn)


def used_twice(owner: Any) -> str:
    """The message for a backward after a forward that used a layer twice."""
    return (
        f"{owner!r}.backward: it ran twice in one forward of its model, and the second run replaced what the first had kept for "
        "backward. Use a second instance in the second place, or mt.Graph, or put both inputs into one batch (np.concatenate) and call it once."
    )


def _nothing_kept(owner: Any) -> str:
    call = current_call.get()
    if call is not None and call.node is owner and call.method == "forward":
        return f"{owner!r}.forward reads self.cache, which is only for backward. Use a name of its own in forward."
    return (
        f"{owner!r}.backward: there is no cache to read. Run forward first, in training mode: layer(x), or model(x, training=True) "
        "(forward stores in self.cache what backward needs; model(x), predict and evaluate keep nothing)."
    )
