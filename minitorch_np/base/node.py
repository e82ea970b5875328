"""Node: layers found inside layers, and the dotted names of their parameters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base.cache import Cached, current_call
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.parameters import Parameters
from minitorch_np.base.text import snake_case
from minitorch_np.base.validation import check_flags

if TYPE_CHECKING:
    from minitorch_np.layer import Layer


class Node(Cached, Configurable):
    """An object whose attributes hold parameters and further nodes, alone or in lists and dictionaries.

    Names come from the place in the tree. An attribute gives its name. A member of a dictionary gives its key. A member of a list
    gives its class and its number among those of this class (`blocks.dense_1`, `blocks.dense_2`). A list inside a list gives its
    position (`branches.2.dense_1`). A list called `layers` adds no name, so the first kernel of a Sequential is `dense_1.kernel`.
    """

    _training = True
    _trainable = True
    _seed_of_copies: int | None = None  # of the generators of a layer that was copied before it had any

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: a node that is not built draws its weights later, with a seed that its copies have too."""
        if not vars(self).get("built"):
            vars(self).setdefault("_seed_of_copies", int.from_bytes(os.urandom(16)))
        return super().__getstate__()

    @property
    def training(self) -> bool:
        """Whether the node behaves as in training; False while a model that runs inference calls it in this thread."""
        call = current_call.get()
        return self._training and not (call is not None and call.inference)

    @training.setter
    def training(self, training: bool) -> None:
        if not isinstance(training, bool):
            raise ValueError(f"{type(self).__name__}: training is True or False, got {training!r}.")
        self._training = training

    def sublayers(self) -> dict[str, Layer]:
        """The nodes directly below this one, by name."""
        found: dict[str, Layer] = {}
        seen: set[int] = set()
        for attribute, value in vars(self).copy().items():  # another thread may add an attribute
            if type(value) in _WITHOUT_MEMBERS or attribute in _NO_MEMBERS or not isinstance(value, _WITH_NODES):
                continue
            for name, node in _members(attribute, value, Node):
                if id(node) not in seen:
                    seen.add(id(node))
                    found[name] = node
        return found

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """This node (named "") and all below it, each with its dotted name, parents first.

        Raises:
            ValueError: one instance is in two places; its second forward would overwrite the cache that
                the backward of the first still needs.
        """
        places: dict[int, str] = {}
        pending: list[tuple[str, Any]] = [("", self)]
        while pending:
            name, node = pending.pop()
            if id(node) in places:
                raise ValueError(
                    f"{node!r} is in one model twice, as {places[id(node)] or 'the model itself'} and as {name}. "
                    "A layer remembers one forward for its backward: make a second instance, or use it twice in a mt.Graph, which adds the gradients."
                )
            places[id(node)] = name
            yield name, node
            pending += [(_join(name, below), child) for below, child in reversed(node.sublayers().items())]

    def own_parameters(self) -> dict[str, Parameter]:
        """The parameters of this node alone by name, the learnable ones first, frozen or not.

        One that is in two attributes, such as self.kernel and a list self.weights, has the name of the first.

        Raises:
            ValueError: an attribute that held a Parameter was set to something else.
        """
        self.check_parameters()
        own: dict[int, tuple[str, Parameter]] = {}
        for attribute, value in vars(self).copy().items():
            if type(value) in _WITHOUT_MEMBERS or attribute in _NO_MEMBERS:
                continue
            if isinstance(value, Parameter):
                own.setdefault(id(value), (attribute, value))
            elif isinstance(value, _CONTAINERS):
                for name, parameter in _members(attribute, value, Parameter):
                    own.setdefault(id(parameter), (name, parameter))
        return dict(sorted(own.values(), key=lambda pair: not pair[1].learnable)) if own else {}

    def check_parameters(self) -> None:
        """A layer raises if an attribute that held a parameter was set to something else."""

    @property
    def trainable(self) -> bool:
        """Whether the parameters of this layer and of those inside it learn. False freezes them all, True lets them learn again.

        Setting it takes effect from the next step. It is True if only some of the parameters are frozen.
        """
        learnable = [parameter for parameter in self._parameters_inside() if parameter.learnable]
        return any(parameter.trainable for parameter in learnable) if learnable else self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        check_flags(f"{type(self).__name__}", {"trainable": trainable})
        for _, node in self.walk():
            node._trainable = bool(trainable)  # for parameters that are created later
        for parameter in self._parameters_inside():
            parameter.trainable = parameter.learnable and bool(trainable)

    def _parameters_inside(self) -> list[Parameter]:
        return [parameter for _, node in self.walk() for parameter in node.own_parameters().values()]

    def parameters(self) -> Parameters:
        """Every parameter of this node and all below it by dotted name.

        Raises:
            ValueError: one Parameter is in two places; the backward of each would replace the gradient of the other.
        """
        return self.parameters_of(self.walk())

    def parameters_of(self, places: Iterable[tuple[str, Layer]]) -> Parameters:
        """See parameters; the places are those of `walk`, for callers that need both."""
        found = {
            _join(place, name): parameter for place, node in places for name, parameter in node.own_parameters().items()
        }
        if len({id(parameter) for parameter in found.values()}) < len(found):
            names = [name for name, parameter in found.items() if list(found.values()).count(parameter) > 1]
            raise ValueError(
                f"{' and '.join(names)} are one Parameter. Each backward sets its grad anew, so the gradient of one place would be "
                "lost. Give each its own and copy the values (b.value[...] = a.value), or write a layer that uses it in both "
                "places and adds the two gradients."
            )
        return Parameters.of(self, found)

    def train(self, mode: bool = True) -> Self:
        """Put this node and all below it into training mode; with False into inference mode, as eval does."""
        check_flags(f"{type(self).__name__}.train", {"mode": mode})
        for _, node in self.walk():
            node.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Put this node and all below it into inference mode."""
        for _, node in self.walk():
            node.training = False
        return self

    @contextmanager
    def in_mode(self, *, training: bool | None, keep_cache: bool) -> Iterator[None]:
        """Inside the `with` block the whole tree has the given mode; None leaves the mode of each node."""
        before = [(node, node._training, node.keep_cache) for _, node in self.walk()]
        for node, own, _ in before:
            node.training, node.keep_cache = own if training is None else training, keep_cache
        try:
            yield
        finally:
            for node, *earlier in before:
                node.training, node.keep_cache = earlier

    def drop_caches(self) -> None:
        """Drop what forward kept in this node and all below it."""
        for _, node in self.walk():
            node.forget()


_CONTAINERS = (dict, list, tuple)
_WITH_NODES = (Node, *_CONTAINERS)
_WITHOUT_MEMBERS = frozenset({bool, int, float, str, type(None)})  # looked up first: most attributes are of these types
_NO_MEMBERS = ("_cache", "input_shape", "output_shape")


def _members(attribute: str, value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The objects of one kind in an attribute, with their names."""
    if isinstance(value, kind):
        yield attribute, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _members(f"{attribute}.{key}", item, kind)
    elif isinstance(value, (list, tuple)) and attribute not in _NO_MEMBERS:
        yield from _listed("" if attribute == "layers" else attribute, value, kind, attribute, set())


def _listed(place: str, items: Any, kind: type, attribute: str, found: set[int]) -> Iterator[tuple[str, Any]]:
    """The objects of one kind in a list and in the lists inside it; `found` has the ids of the objects found so far."""
    counts: dict[str, int] = {}
    for position, item in enumerate(items, start=1):
        if isinstance(item, (list, tuple)):
            yield from _listed(_join(place, str(position)), item, kind, attribute, found)
        if not isinstance(item, kind):
            continue
        if id(item) in found:
            raise ValueError(
                f"{item!r} is in {attribute} twice. A layer remembers one forward for its backward: "
                "make a second instance, or use it twice in a mt.Graph, which adds the gradients."
            )
        found.add(id(item))
        word = snake_case(type(item).__name__)
        counts[word] = counts.get(word, 0) + 1
        yield _join(place, f"{word}_{counts[word]}"), item


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


@contextmanager
def nothing_replaced(layer: Node) -> Iterator[None]:
    """Raise ValueError if the `with` block, which builds a layer of this package, replaces a parameter that was set before."""
    before = {name: value for name, value in vars(layer).items() if isinstance(value, (Parameter, np.ndarray))}
    yield
    for name, value in before.items():
        if vars(layer)[name] is not value and isinstance(vars(layer)[name], Parameter) and is_built_in(type(layer)):
            raise ValueError(
                f"{layer!r}: {name} was set before the layer was built, and build has made a new one. Build it first with layer.initialize(input_shape), without the batch in the shape, "
                f"then write layer.{name}.value = array. For shared weights use one layer in two places of a mt.Graph."
            )
