"""Capture the state of a run of fit as plain data, and restore it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.state import as_state, is_of_random, put_back

if TYPE_CHECKING:
    from minitorch_np.model import Model
    from minitorch_np.training.loop import Run

# The names in the file, and the attributes of Run.
_POSITION = {
    "steps": "steps",
    "epoch": "epoch",
    "batch": "batch",
    "seen": "examples",
    "counted": "counted",
    "total": "total",
}


def capture(run: Run) -> dict[str, Any]:
    """The state from which a run can continue, in dictionaries, lists and arrays."""
    return {
        # "place" is the first batch of the epoch in data that continue from epoch to epoch.
        "position": {
            **{name: getattr(run, attribute) for name, attribute in _POSITION.items()},
            "place": getattr(run.source, "position", 0),
        },
        "stopped": run.model.stop_training,
        "data_seen": run.input_range.get_state(),
        "weights": {name: parameter.value for name, parameter in run.model.parameters().items()},
        "layers": {f"{place}.{name}": as_state(own[name]) for place, own, name in _own_state(run) if name in own},
        "trainable": {name: parameter.trainable for name, parameter in run.parameters.items()},
        "factors": {name: [parameter.rate, parameter.decay] for name, parameter in run.parameters.items()},
        "optimizer": run.model.optimizer.get_state(),
        "history": dict(run.history),
        "metrics": [metric.get_state() for metric in run.metrics],
        "callbacks": [callback.get_state() for callback in run.callbacks if callback.kept],
        "others": run.changes.get_state(),
        "order": run.order,
        "order of data": run.order_of_data,
        "generators": {name: as_state(generator) for name, generator in generators(run.model)},
    }


def restore(run: Run, state: dict[str, Any]) -> None:
    """Restore a captured state."""
    position = {"counted": state["position"]["seen"], **state["position"]}  # earlier versions do not keep it
    for name, attribute in _POSITION.items():
        setattr(run, attribute, position[name])
    if state["position"]["place"]:
        run.source.position = state["position"]["place"]
    run.model.stop_training = bool(state["stopped"])
    run.input_range.set_state(state["data_seen"])
    for name, parameter in run.parameters.items():
        parameter.value[...] = state["weights"][name]
        parameter.trainable = state["trainable"][name]
        parameter.rate, parameter.decay = state.get("factors", {}).get(name, (1.0, 1.0))
    for place, own, name in _own_state(run):
        if f"{place}.{name}" in state["layers"]:
            own[name] = put_back(own.get(name), state["layers"][f"{place}.{name}"])
    run.model.optimizer.set_state(state["optimizer"])
    run.history.update(state["history"])
    run.logs = {name: values[-1] for name, values in run.history.items()}
    for metric, gathered in zip(run.metrics, state["metrics"], strict=True):
        metric.set_state(gathered)
    for callback, known in zip((c for c in run.callbacks if c.kept), state["callbacks"], strict=True):
        callback.set_state(known)
    # A layer creates its generator at the first access. A new layer does so here, if the captured one had done so.
    for name, layer in run.model.walk():
        if f"{name}._generator" in state["generators"]:
            layer.generator  # noqa: B018 the access creates it
    for name, generator in generators(run.model):
        if name in state["generators"]:
            put_back(generator, state["generators"][name])
    run.changes.set_state(state["others"])
    run.last_good.keep(run.steps)
    run.order_of_data = state["order of data"]
    run.changes_of_data.set_state(run.order_of_data["changes"])
    if hasattr(run.source, "set_state"):
        run.source.set_state(run.order_of_data["source"])
    run.order = state["order"]
    if run.shuffling is not None:
        run.shuffling.bit_generator.state = run.order


def _own_state(run: Run) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The attributes that are state of user-defined layers, and what stateful layers keep between batches. For each: the layer's name
    in the model, all its attributes, the name of this one.
    """
    for place, layer in run.model.walk():
        for name in run.checkpoint.own_state.get(place, []) if run.checkpoint else ():
            yield place, vars(layer), name
        if getattr(layer, "stateful", False) is True and "_memory" in vars(layer):
            yield place, vars(layer), "_memory"


def generators(model: Model) -> Iterator[tuple[str, Any]]:
    """Every generator that a layer of the model holds, in an attribute or in a list or dictionary there, by place and name."""
    for place, layer in model.walk():
        for name, value in vars(layer).items():
            members = (
                enumerate(value)
                if isinstance(value, (list, tuple))
                else value.items()
                if isinstance(value, dict)
                else ()
            )
            for key, member in (("", value), *((f".{key}", member) for key, member in members)):
                if isinstance(member, np.random.Generator) or is_of_random(member) or _is_legacy(member):
                    yield f"{place}.{name}{key}", member


def _is_legacy(value: Any) -> bool:
    """Whether it is NumPy's older generator."""
    return type(value).__module__ == "numpy.random.mtrand" and hasattr(value, "set_state")


def generator_state(generator: np.random.Generator | None) -> Any:
    return None if generator is None else generator.bit_generator.state
