"""A Sequential with branches as Keras's Functional: each layer by itself, with the names of the layers whose outputs it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from minitorch_np.layer import Layer
from minitorch_np.layers import Concatenate, Input, MultiHeadAttention, Residual
from minitorch_np.saving import keras_config
from minitorch_np.saving.keras_config import BRANCHES, as_object, described, is_sequential, keras_name, not_in_keras

if TYPE_CHECKING:
    from minitorch_np.model import Model


class Step(NamedTuple):
    """A Keras layer: its name and description, the names of its inputs, its output shape, and our layer, if it is one."""

    name: str
    described: dict[str, Any]
    inputs: list[str]
    shape: tuple[int, ...]
    layer: Layer | None


def steps(model: Model) -> list[Step]:
    """The graph of a model in Keras's order, the output last; empty if Keras's Sequential will do, or Keras lacks a layer.

    Keras sorts its layers by their distance from the output. At equal distance they come in the order in which a walk back
    from the output, along the first inputs first, meets them.
    """
    kinds = {type(layer) for _, layer in model.walk()}
    several_inputs = {*BRANCHES, MultiHeadAttention}  # the last has query and value, which are one x here
    if model.input_shape is None or not kinds & several_inputs or not_in_keras(model):
        return []
    found = _forward_order(model)
    by_name = {step.name: step for step in found}
    distance = dict.fromkeys(by_name, 0)
    for step in reversed(found):
        for name in step.inputs:
            distance[name] = max(distance[name], distance[step.name] + 1)
    met: dict[str, int] = {}
    pending = [found[-1].name]
    while pending:
        name = pending.pop()
        if name not in met:
            met[name] = len(met)
            pending += reversed(by_name[name].inputs)
    return sorted(found, key=lambda step: (-distance[step.name], met[step.name]))


def to_keras(model: Model, graph: Sequence[Step]) -> dict[str, Any]:
    """The model as Keras's `config.json` describes it, if Keras has all of its layers; graph is what `steps` returned."""
    if not graph:
        return keras_config.to_keras(model)
    shapes = {step.name: step.shape for step in graph}

    def tensor(name: str) -> dict[str, Any]:
        config = {"shape": [None, *shapes[name]], "dtype": model.dtype, "keras_history": [name, 0, 0]}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for step in graph:
        inputs: list[Any] = [tensor(name) for name in step.inputs]
        merged = step.layer is None and len(inputs) > 1
        options = {"use_causal_mask": True} if getattr(step.layer, "causal", False) else {}
        nodes = [{"args": [inputs] if merged else inputs, "kwargs": options}] if inputs else []
        layers.append({**step.described, "name": step.name, "inbound_nodes": nodes})
    config = {"name": "functional", "layers": layers, "input_layers": [[graph[0].name, 0, 0]]}
    return as_object("keras", "Model", {**config, "output_layers": [[graph[-1].name, 0, 0]]})


def groups(graph: Sequence[Step]) -> dict[int, str]:
    """The group of each layer in Keras's files by the layer's id, in Keras's order."""
    counts = Counter[str]()
    names = [(step.layer, numbered(keras_name(step.described["class_name"]), counts)) for step in graph]
    return {id(layer): f"{group}/" for layer, group in names if layer is not None}


def numbered(word: str, counts: Counter[str]) -> str:
    """The group of the next layer of a kind: layers/dense, layers/dense_1, …"""
    counts[word] += 1
    return f"layers/{word}" + (f"_{counts[word] - 1}" if counts[word] > 1 else "")


def _forward_order(model: Model) -> list[Step]:
    """The steps, each after those whose outputs it takes."""
    names = {id(layer): place.replace(".", "_") for place, layer in model.walk()}
    shape = model.input_shape or ()
    entry = as_object("keras.layers", "InputLayer", {"name": "input", "batch_shape": [None, *shape]})
    found = [Step("input", entry, [], shape, None)]

    def through(layers: Iterable[Any], end: str) -> str:
        for layer in layers:
            end = add(layer, end)
        return end

    def add(layer: Any, end: str) -> str:
        """Append the steps of a layer after the step `end`; the name of its last one."""
        name = names[id(layer)]
        if isinstance(layer, Input):
            return end
        if is_sequential(layer):
            return through(layer.layers, end)
        if type(layer) not in BRANCHES:
            inputs = [end, end] if isinstance(layer, MultiHeadAttention) else [end]
            found.append(Step(name, described(layer, name, model.dtype), inputs, layer.output_shape, layer))
            return name
        if isinstance(layer, Residual):
            inputs = [end, through(layer.layers, end)]
        else:
            inputs = [through([one] if isinstance(one, Layer) else one, end) for one in layer.branches]
        if len(inputs) == 1:
            return inputs[0]
        kind, config = ("Concatenate", {"axis": layer.axis}) if isinstance(layer, Concatenate) else ("Add", {})
        merged = as_object("keras.layers", kind, {"name": name, "dtype": model.dtype, **config})
        found.append(Step(name, merged, inputs, layer.output_shape, None))
        return name

    add(model, "input")
    return found
