"""Plan: what train_on_batch finds in a model, kept from one call to the next while the model stays as it is.

To walk through all layers and parameters takes longer than a small step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.parameters import Parameters

if TYPE_CHECKING:
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model

_Values = list[tuple[dict[str, Any], dict[str, Any]]]  # the attributes of an object, and values for some of them


class Plan:
    """The layers and parameters of a model, and what wants_dx = False changes in them.

    Attributes:
        layers: the model and all layers inside it.
        parameters: by name.
        uses_blocks: whether a layer computes in blocks.
    """

    layers: list[Layer]
    parameters: Parameters
    uses_blocks: bool

    def __init__(self, model: Model) -> None:
        places = list(model.walk())
        self.layers, self.parameters = [layer for _, layer in places], model.parameters_of(places)
        self.uses_blocks = any(layer.uses_blocks for layer in self.layers)
        self._changes = -1  # Parameter.changes when the attributes below were found
        self._narrow: _Values = []
        self._wide: _Values = []
        # A user-defined class may change in ways that are not looked for below.
        self._is_known = all(is_built_in(type(layer)) for layer in self.layers)
        self._counts: list[int] = []

    def note(self) -> None:
        """Note how the model is now, after a step."""
        self._counts = [len(vars(layer)) for layer in self.layers]
        self._inside = [
            (layer, list(map(id, children.values()))) for layer in self.layers if (children := layer.sublayers())
        ]
        self._own = [(vars(layer), layer.own_parameters()) for layer in self.layers]

    def holds(self) -> bool:
        """Whether the model still has these layers and parameters."""
        return (
            self._is_known
            and [len(vars(layer)) for layer in self.layers] == self._counts
            and all(list(map(id, layer.sublayers().values())) == inside for layer, inside in self._inside)
            and all(attributes.get(name) is one for attributes, own in self._own for name, one in own.items())
        )

    def narrow(self, model: Model) -> None:
        """model.wants_dx = False: backward need not compute the dx of the first layer that learns."""
        if self._changes != Parameter.changes or not self._is_known:
            before = [vars(layer).copy() for layer in self.layers]
            model.wants_dx = False
            self._changes = Parameter.changes
            self._narrow, self._wide = [], []
            for layer, earlier in zip(self.layers, before, strict=True):
                attributes = vars(layer)
                changed = [name for name, value in attributes.items() if earlier.get(name, _nothing) is not value]
                self._narrow.append((attributes, {name: attributes[name] for name in changed}))
        else:
            _set(self._narrow)

    def widen(self, model: Model) -> None:
        """model.wants_dx = True again."""
        if not self._wide or not self._is_known:
            model.wants_dx = True
            self._wide = [
                (attributes, {name: attributes[name] for name in values}) for attributes, values in self._narrow
            ]
        else:
            _set(self._wide)


_nothing = object()


def _set(values: _Values) -> None:
    for attributes, some in values:
        attributes.update(some)
