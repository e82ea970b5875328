"""Networks: what an optimiser keeps for each network that it steps, and for single parameters."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from minitorch_np.base import sharing
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray

if TYPE_CHECKING:
    from minitorch_np.optimizers.optimizer import Optimizer

Owners = dict[str, weakref.ref[Parameter]]


class OfNetwork:
    """What an optimiser keeps for one network: the count of its steps, the state of each parameter, and the parameters by name."""

    def __init__(self) -> None:
        self.iteration = 0
        self.state: dict[str, dict[str, NDArray]] = {}
        self.owners: Owners = {}

    def exchange(self, attributes: dict[str, Any]) -> None:
        """Put what this object keeps into the optimiser's attributes, and keep what was there."""
        here = self.iteration, self.state, self.owners
        self.iteration, self.state, self.owners = attributes["iteration"], attributes["state"], attributes["_owners"]
        attributes["iteration"], attributes["state"], attributes["_owners"] = here
        attributes["_known"] = None


def belongs(parameters: Mapping[str, Parameter], owners: Owners) -> bool:
    """Whether a network whose parameters are these owners has these parameters. One without any owners has all.

    That is so if one of them is the owner of its name, and no name has another owner. The owner of a state may have been deleted.
    """
    found = not owners
    for name, parameter in parameters.items():
        reference = owners.get(name)
        if reference is not None:
            owner = reference()
            if owner is parameter:
                found = True
            elif owner is not None:
                return False
    return found


@contextmanager
def of_network(optimizer: Optimizer, parameters: Mapping[str, Parameter]) -> Iterator[None]:
    """Inside the `with` block the optimiser has the state of the network with these parameters, also if it has none yet."""
    with nullcontext() if belongs(parameters, optimizer._owners) else of_another(optimizer, parameters):
        try:
            yield
        finally:
            if not optimizer._owners:  # no step was taken, or the state was put back
                optimizer._owners = {name: weakref.ref(parameter) for name, parameter in parameters.items()}


@contextmanager
def of_another(optimizer: Optimizer, parameters: Mapping[str, Parameter]) -> Iterator[None]:
    """Inside the `with` block the optimiser has the state of the network that these parameters belong to.

    Raises:
        RuntimeError: another thread trains another network with this optimizer.
    """
    if sharing.is_used_by_another_thread(optimizer):
        raise RuntimeError(
            f"{optimizer!r}: another thread trains another model with this optimizer now. Give each model its own, "
            f"model.compile({optimizer!r}, …)."
        )
    attributes, others = vars(optimizer), optimizer._others
    others[:] = [one for one in others if _is_alive(one.owners)]
    own = next((one for one in others if belongs(parameters, one.owners)), None)
    first_is_gone = own is None and not _is_alive(optimizer._owners)
    if own is None:
        own = OfNetwork()
        others.append(own)
    own.exchange(attributes)
    try:
        yield
    finally:
        if first_is_gone:
            others.remove(own)  # the new network is the first one from now on
        else:
            own.exchange(attributes)


def state_of(
    parameter: Parameter, name: str, states: dict[str, dict[str, NDArray]], owners: Owners
) -> dict[str, NDArray]:
    """The state under this name, which belongs to this parameter from now on. It is empty if it was that of a deleted parameter."""
    owner = owners.get(name)
    if owner is None or owner() is not parameter:
        owners[name] = weakref.ref(parameter)
        if owner is not None:  # a state from a file has no owner yet
            states.pop(name, None)
    return states.setdefault(name, {})


def _is_alive(owners: Owners) -> bool:
    return any(reference() is not None for reference in owners.values())


@contextmanager
def settings_of(parameter: Parameter, attributes: dict[str, Any], *, decays: bool) -> Iterator[None]:
    """Inside the `with` block the optimiser with these attributes has the learning rate and the weight decay of this parameter.

    Args:
        decays: False for a parameter that `exclude` names.
    """
    before = {name: attributes[name] for name in ("rate", "weight_decay") if attributes.get(name)}
    for name, factor in (("rate", parameter.rate), ("weight_decay", parameter.decay if decays else 0.0)):
        if name in before:
            attributes[name] = before[name] * factor
    try:
        yield
    finally:
        attributes.update(before)
