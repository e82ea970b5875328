"""A Sequential with branches as Keras's Functional: every layer by itself, with the names of those whose outputs it takes."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from minitorch_np.layer import Layer
from minitorch_np.saving import keras_config
from minitorch_np.saving.keras_config import as_object, described, keras_name, twin, without_twin
from minitorch_np.saving.objects import registered_name

_BRANCHES = ("Residual", "Add", "Concatenate")
_SEVERAL_INPUTS = "MultiHeadAttention"  # query and value, which are one x here


class Step(NamedTuple):
    """One layer of Keras's: its description, those before it, what it gives, and the layer here, if it is one."""

    name: str
    described: dict[str, Any]
    inputs: list[str]
    shape: tuple[int, ...]
    layer: Layer | None


def has_branches(model: Any) -> bool:
    """Whether Keras needs its Functional for the model, and has all of its layers."""
    if registered_name(type(model)) != "Sequential" or model.input_shape is None:
        return False
    kinds = {type(layer).__name__ for _, layer in model.walk()}
    return bool(kinds & {*_BRANCHES, _SEVERAL_INPUTS}) and not without_twin(model)


def to_keras(model: Any) -> dict[str, Any]:
    """The model as Keras's `config.json` describes it, if Keras has all of its layers."""
    return _functional(model) if has_branches(model) else keras_config.to_keras(model)


def _functional(model: Any) -> dict[str, Any]:
    steps = _in_keras_order(model)
    by_name = {step.name: step for step in steps}
    last = _steps(model)[-1]

    def tensor(name: str) -> dict[str, Any]:
        config = {"shape": [None, *by_name[name].shape], "dtype": model.dtype, "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for step in steps:
        inputs: list[Any] = [tensor(name) for name in step.inputs]
        merged = step.layer is None and len(inputs) > 1
        options = {"use_causal_mask": True} if getattr(step.layer, "causal", False) else {}
        nodes = [{"args": [inputs] if merged else inputs, "kwargs": options}] if inputs else []
        layers.append({**step.described, "name": step.name, "inbound_nodes": nodes})
    config = {"name": "functional", "layers": layers, "input_layers": [[steps[0].name, 0, 0]]}
    return as_object("keras", "Model", {**config, "output_layers": [[last.name, 0, 0]]})


def groups(model: Any) -> dict[int, str]:
    """The group of each layer in Keras's files, by the layer's id, in the order in which Keras keeps them; none without branches."""
    if not has_branches(model):
        return {}
    found, counts = {}, Counter[str]()
    for step in _in_keras_order(model):
        word = keras_name(step.described["class_name"])
        counts[word] += 1
        if step.layer is not None:
            found[id(step.layer)] = f"layers/{word}" + (f"_{counts[word] - 1}" if counts[word] > 1 else "") + "/"
    return found


def _in_keras_order(model: Any) -> list[Step]:
    """Keras sorts its layers by how far they are from the output; equally far ones in the order in which it finds them from there,
    the first input of each first.
    """
    steps = _steps(model)
    by_name = {step.name: step for step in steps}
    distance = dict.fromkeys(by_name, 0)
    for step in reversed(steps):
        for name in step.inputs:
            distance[name] = max(distance[name], distance[step.name] + 1)
    found: dict[str, int] = {}
    pending = [steps[-1].name]
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = len(found)
            pending += reversed(by_name[name].inputs)
    return sorted(steps, key=lambda step: (-distance[step.name], found[step.name]))


def _steps(model: Any) -> list[Step]:
    """In an order in which every step comes after those whose outputs it takes."""
    names = {id(layer): place.replace(".", "_") for place, layer in model.walk()}
    first = {"batch_shape": [None, *model.input_shape]}
    steps = [
        Step("input", as_object("keras.layers", "InputLayer", {"name": "input", **first}), [], model.input_shape, None)
    ]

    def through(layers: Any, end: str) -> str:
        for layer in layers:
            end = add(layer, end)
        return end

    def add(layer: Any, end: str) -> str:
        kind, name = registered_name(type(layer)), names[id(layer)]
        if kind == "Input":
            return end
        if kind == "Sequential":
            return through(layer.layers, end)
        if kind == "Residual":
            inputs = [end, through(layer.layers, end)]
        elif kind in _BRANCHES:
            inputs = [through([b] if isinstance(b, Layer) else b, end) for b in layer.branches]
        else:
            inputs = [end, end] if _attends(layer) else [end]
            steps.append(Step(name, described(layer, name, model.dtype), inputs, layer.output_shape, layer))
            return name
        if len(inputs) == 1:
            return inputs[0]
        config = {"axis": layer.axis} if kind == "Concatenate" else {}
        merged = as_object("keras.layers", kind if config else "Add", {"name": name, "dtype": model.dtype, **config})
        steps.append(Step(name, merged, inputs, layer.output_shape, None))
        return name

    through(model.layers, "input")
    return steps


def _attends(layer: Layer) -> bool:
    return registered_name(type(layer)) == _SEVERAL_INPUTS and twin(layer) is not None
