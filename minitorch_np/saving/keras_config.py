"""Descriptions of layers for Keras: what its `config.json` says of each layer that Keras has too."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeGuard

from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.layer import Layer
from minitorch_np.layers import (
    ELU,
    Add,
    Average,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dot,
    Input,
    Maximum,
    Minimum,
    Multiply,
    ReLU,
    Residual,
    Softmax,
    Subtract,
)
from minitorch_np.saving.functions import for_keras
from minitorch_np.saving.objects import registered_name

if TYPE_CHECKING:
    from minitorch_np.graph import Graph
    from minitorch_np.model import Model
    from minitorch_np.sequential import Sequential

# In their place Keras has a layer of several inputs, which it joins with others as a graph.
MERGING = (Residual, Add, Average, Subtract, Multiply, Maximum, Minimum, Concatenate, Dot)

# A layer of Keras with an activation becomes two nodes here. The first has the name of the layer and this.
BEFORE_ACTIVATION = "_before_activation"
_WITH_ACTIVATION = (Dense, Conv2D, DepthwiseConv2D)


def is_sequential(layer: object) -> TypeGuard[Sequential]:
    """Whether it is a Sequential itself: a user's subclass may compute something else."""
    return type(layer) is Configurable.registry["Sequential"]


def is_graph(layer: object) -> TypeGuard[Graph]:
    """Whether it is a Graph itself: a user's subclass may compute something else."""
    return type(layer).__name__ == "Graph" and is_built_in(type(layer)) and isinstance(layer, Layer)


def not_in_keras(model: Model) -> list[str]:
    """The classes in a model that Keras does not have, with the arguments if it only lacks these. A model that is not a
    Sequential is one itself.
    """
    if not is_sequential(model) and not is_graph(model):
        return [registered_name(type(model))]
    return [
        repr(layer) if type(layer).in_keras or type(layer).keras_activation else registered_name(type(layer))
        for _, layer in model.walk()
        if not _is_container(layer) and in_keras(layer) is None
    ]


def without_batch_size(model: Model) -> list[str]:
    """A note if a layer is stateful, and no Input says how many examples a batch has."""
    layers = [layer for _, layer in model.walk()]
    known = any(isinstance(layer, Input) and layer.batch_size for layer in layers)
    if known or not any(getattr(layer, "stateful", False) is True for layer in layers):
        return []
    return [
        "Keras has to know the size of a batch for stateful=True, so it will not open this file: begin the model with "
        "Input(shape, batch_size=4), or your number. mt.load_model opens it."
    ]


def to_keras(model: Model, name: str = "sequential") -> dict[str, Any]:
    """A Sequential as Keras's `config.json` describes it."""
    layers = [
        to_keras(layer, own_name) if is_sequential(layer) else described(layer, own_name, model.dtype)
        for own_name, layer in model.sublayers().items()
    ]
    whole = as_object("keras", "Sequential", {"name": name, "layers": layers})
    if model.input_shape is not None:
        whole["build_config"] = {"input_shape": [None, *model.input_shape]}
    return whole


def as_object(module: str, class_name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def in_keras(layer: Layer) -> tuple[str, dict[str, Any]] | None:
    """Class and arguments of the same layer in Keras, or None."""
    if not is_built_in(type(layer)):
        return None
    if isinstance(layer, Input):
        return "InputLayer", {"batch_shape": [layer.batch_size, *layer.shape]}
    if type(layer) is Softmax and layer.axis == -1:  # Keras's own Softmax refuses sequences with a mask
        return "Activation", {"activation": "softmax"}
    if layer.keras_activation:
        return "Activation", {"activation": layer.keras_activation}
    arguments = {name: value for name, value in layer.config().items() if name != "causal"}  # of the call in Keras
    return (type(layer).__name__, arguments) if layer.in_keras else None


def described(layer: Layer, name: str, dtype: str) -> dict[str, Any]:
    class_name, arguments = in_keras(layer) or ("", {})
    config = {argument: _value(for_keras(layer, argument, value), name, dtype) for argument, value in arguments.items()}
    frozen = {"trainable": False} if _is_frozen(layer) else {}
    return as_object("keras.layers", class_name, {"name": name, "dtype": dtype, **frozen, **config})


def merged(layer: Layer, name: str, dtype: str) -> dict[str, Any]:
    """One of MERGING as Keras describes it: the branches are layers by themselves there."""
    kind = "Add" if isinstance(layer, Residual) else type(layer).__name__
    arguments = {argument: _value(value, name, dtype) for argument, value in layer.config().items()}
    own: dict[str, Any] = {name: arguments[name] for name in ("axis", "axes", "normalize") if name in arguments}
    return as_object("keras.layers", kind, {"name": name, "dtype": dtype, **own})


def with_activation(graph: Graph) -> dict[str, tuple[str, Layer]]:
    """The nodes that are the activation of the node before them, as in a graph that Keras wrote: the name and the layer of the
    activation, by the name of the node before it. Each such pair is one layer of Keras, so that its order of layers is what it was.
    """
    nodes = graph.each_node()
    readers = Counter(source for _, _, sources in nodes for source in sources)
    pairs = {
        f"{name}{BEFORE_ACTIVATION}": (name, layer)
        for name, layer, sources in nodes
        if sources == [f"{name}{BEFORE_ACTIVATION}"] and readers[sources[0]] == 1 and activation_name(layer)
    }
    alone = {id(layer) for name, layer, _ in nodes if name not in pairs or name in graph.output_names}
    return {
        name: pairs[name]
        for name, layer, _ in nodes
        if type(layer) in _WITH_ACTIVATION and name in pairs and id(layer) not in alone
    }


def activation_name(layer: Layer) -> str:
    """What Keras's layers call this layer as their `activation=`, or "" if they have no name for it."""
    name = layer.keras_activation or {ReLU: "relu", Softmax: "softmax", ELU: "elu"}.get(type(layer), "")
    return name if name and is_built_in(type(layer)) and layer.config() == type(layer)().config() else ""


def _is_container(layer: Layer) -> bool:
    return is_sequential(layer) or is_graph(layer) or type(layer) in MERGING


def _is_frozen(layer: Layer) -> bool:
    """Whether all learnable parameters are frozen: Keras freezes whole layers."""
    learnable = [parameter for parameter in layer.parameters().values() if parameter.learnable]
    return bool(learnable) and all(parameter.frozen for parameter in learnable)


def frozen_in_part(model: Model) -> list[str]:
    """The names of the layers with some frozen parameters and others that learn."""
    return [
        name
        for name, layer in model.walk()
        if not (_is_container(layer) or _is_frozen(layer)) and any(one.frozen for one in layer.parameters().values())
    ]


def _value(value: Any, name: str, dtype: str) -> Any:
    """An argument as JSON holds it. A layer inside the layer gets the layer's name."""
    if isinstance(value, Layer):
        return described(value, name, dtype)
    if isinstance(value, Configurable):  # initialisers and regularisers
        module = f"keras.{type(value).__module__.rpartition('.')[2]}"
        return as_object(module, type(value).__name__, value.config())
    if isinstance(value, (list, tuple)):
        return [_value(item, name, dtype) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value  # NumPy's numbers and arrays


def keras_name(name: str) -> str:
    """The name that Keras derives from a class's name.

    >>> keras_name("ReLU"), keras_name("MaxPooling2D"), keras_name("Dense")
    ('re_lu', 'max_pooling2d', 'dense')
    """
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
