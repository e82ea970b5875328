"""Replica: a copy of layers (or of a loss) that shares the weights, so that inference writes nothing that another call reads.

`predict`, `evaluate` and `model(x)` run on a replica in inference mode. What `forward` writes into a layer (its cache, its last
input, a counter) goes into the replica and ends with it. So any number of threads may run inference on one model, also while it
is trained.
"""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from minitorch_np.base.cache import Cached
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.node import Node
from minitorch_np.base.parameter import Parameter

Item = TypeVar("Item")


class Replicator:
    """Makes replicas. Several calls with the same object return the same replica.

    Args:
        copy_weights: whether to copy the values, because another thread changes them.
        training, keep_cache: the mode of the replicas.
    """

    copy_weights: bool
    training: bool
    keep_cache: bool

    def __init__(self, *, copy_weights: bool = False, training: bool = False, keep_cache: bool = False) -> None:
        self.copy_weights, self.training, self.keep_cache = copy_weights, training, keep_cache
        self.made: dict[int, Any] = {}
        self.parameters: list[Parameter] = []  # the originals

    def of(self, item: Any, own: bool = False) -> Any:
        """The replica of a layer, a loss, a parameter, or of a list, tuple or dictionary of these; anything else is returned
        as it is.

        Args:
            item: what is copied.
            own: whether it is an attribute of a user-defined class. What forward may change there is copied too: arrays, lists and
                parameters that are not learnt.
        """
        if _stays_itself(type(item)):
            return item
        if isinstance(item, Cached):
            return self._object(item)
        if isinstance(item, Parameter):
            return self._parameter(item, own)
        if isinstance(item, np.ndarray):
            return item.copy(order="K") if own else item
        if isinstance(item, types.MethodType):
            of_layer = isinstance(item.__self__, Cached)
            return types.MethodType(item.__func__, self._object(item.__self__)) if of_layer else item
        return self._container(item, own)

    def _object(self, item: Any) -> Any:
        replica = self.made.get(id(item))
        if replica is None:
            replica = self.made[id(item)] = object.__new__(type(item))
            self.fill(replica, item)
        return replica

    def fill(self, replica: Any, original: Any) -> None:
        """Give a replica the attributes that the original has now."""
        if isinstance(original, Node):
            original.check_parameters()
        attributes, own = vars(replica), not is_built_in(type(original))
        attributes.update(vars(original))
        attributes.pop("_cache", None)
        for name, value in list(attributes.items()):
            if not _stays_itself(type(value)) and name not in _SHAPES:
                attributes[name] = self.of(value, own)
        attributes.update(_training=self.training, keep_cache=self.keep_cache, _origin=_Origin(original, self))
        if isinstance(original, Node):
            attributes["_generator"] = attributes["_known"] = None
        else:
            attributes["weights"] = None

    def _parameter(self, item: Parameter, own: bool) -> Parameter:
        replica = self.made.get(id(item))
        if replica is None:
            copied = self.copy_weights or (own and not item.learnable)
            replica = self.made[id(item)] = item.replica(copy=copied)
            self.parameters.append(item)
        return replica

    def _container(self, items: Any, own: bool) -> Any:
        inside = items.copy().values() if isinstance(items, dict) else items
        new = [value if _stays_itself(type(value)) else self.of(value, own) for value in inside]
        if not own and all(a is b for a, b in zip(new, inside, strict=True)):
            return items
        if isinstance(items, tuple):
            return items._make(new) if hasattr(items, "_make") else type(items)(new)
        changed = copy.copy(items)  # of the same class, such as OrderedDict
        for key, value in zip(items.copy() if isinstance(items, dict) else range(len(new)), new, strict=True):
            changed[key] = value
        return changed

    def grew(self) -> bool:
        """Whether a forward of a replica has created layers or parameters that the original does not have."""
        for replica in self.made.values():
            if isinstance(replica, Node):
                original: Any = original_of(replica)
                if len(replica.sublayers()) > len(original.sublayers()):
                    return True
                if len(replica.own_parameters()) > len(original.own_parameters()):
                    return True
        return False


class _Origin:
    """The original of a replica. Without this object around it, the original would count as a layer inside the replica."""

    def __init__(self, original: Any, replicator: Replicator) -> None:
        self.original, self.replicator = original, replicator


_SHAPES = ("input_shape", "output_shape")  # of numbers


def _has_no_parts(kind: type) -> bool:
    """Whether the replica of a value of this type is the value itself."""
    if issubclass(kind, (list, tuple, dict)):
        return is_built_in(kind)
    return not issubclass(kind, (Cached, Parameter, np.ndarray, types.MethodType))


_stays_itself: Callable[[type], bool] = functools.cache(_has_no_parts)  # called for every attribute


def replica(item: Item) -> Item:
    """The replica of one layer or loss, in inference mode, with the weights shared."""
    return Replicator().of(item)


def original_of(item: Item) -> Item | None:
    """The original of a replica; None if it is no replica."""
    origin = vars(item).get("_origin")
    return None if origin is None else origin.original


def refill(replica: Any) -> None:
    """Update a replica whose original, with the layers inside it, was built after the replica was made."""
    replicator, original = replica._origin.replicator, replica._origin.original
    for _, node in original.walk():
        if id(node) in replicator.made:
            replicator.fill(replicator.made[id(node)], node)
