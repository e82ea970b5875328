"""A model as Keras's Functional: each layer by itself, with the places where it is used and the layers whose outputs it takes there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from minitorch_np.base.shapes import has_several
from minitorch_np.layer import Layer
from minitorch_np.layers import GRU, LSTM, Bidirectional, Input, MultiHeadAttention, Residual, SimpleRNN
from minitorch_np.saving import keras_config
from minitorch_np.saving.errors import warn
from minitorch_np.saving.keras_config import (
    MERGING,
    activation_name,
    as_object,
    described,
    is_graph,
    is_sequential,
    keras_name,
    merged,
    not_in_keras,
    with_activation,
)
from minitorch_np.saving.keras_operations import makes_mask, may_pass_mask

if TYPE_CHECKING:
    from pathlib import Path

    from minitorch_np.model import Model


class Step(NamedTuple):
    """One use of a Keras layer.

    name: of this use; of the first use it is the name of the layer. of: the name of the layer. described: its description.
    inputs: the names of the steps whose outputs it takes; the further outputs of a step are called "name/1", "name/2", ….
    shape: of its output, or the shapes of its outputs. layer: our layer, if it is one.
    """

    name: str
    of: str
    described: dict[str, Any]
    inputs: list[str]
    shape: tuple[int, ...]
    layer: Layer | None


class Uses(NamedTuple):
    """The uses of all layers in Keras's order of layers, and the names of those that are the inputs and outputs of the model."""

    steps: list[Step]
    inputs: list[str]
    outputs: list[str]


def steps(model: Model) -> list[Step]:
    """The uses of the layers in Keras's order; empty if Keras's Sequential will do, or Keras lacks a layer."""
    return uses(model).steps


def uses(model: Model) -> Uses:
    """See Uses. It is empty if Keras's Sequential will do, or Keras lacks a layer."""
    kinds = {type(layer) for _, layer in model.walk()}
    several_inputs = {*MERGING, MultiHeadAttention}  # the last has query and value, which are one x here
    needed = is_graph(model) or kinds & several_inputs or any(is_graph(layer) for _, layer in model.walk())
    if model.input_shape is None or not needed or not_in_keras(model):
        return Uses([], [], [])
    found = _InOrderOfForward(model)
    return Uses(_in_keras_order(found.steps, found.outputs), found.inputs, found.outputs)


def to_keras(model: Model, name: str = "") -> dict[str, Any]:
    """The model as Keras's `config.json` describes it, if Keras has all of its layers."""
    found = uses(model)
    if not found.steps:
        return keras_config.to_keras(model, name or "sequential")
    by_layer: dict[str, list[Step]] = {}
    for step in found.steps:
        by_layer.setdefault(step.of, []).append(step)
    history: dict[str, list[Any]] = {
        step.name: [step.of, number, 0] for listed in by_layer.values() for number, step in enumerate(listed)
    }
    shapes = {step.name: step.shape for step in found.steps}

    def tensor(name: str) -> dict[str, Any]:
        step, part = _step_and_part(name)
        shape: Any = shapes[step]
        shape = shape[part] if has_several(shape) else shape
        config = {"shape": [None, *shape], "dtype": model.dtype, "keras_history": [*history[step][:2], part]}
        return {"class_name": "__keras_tensor__", "config": config}

    models = {step.name for step in found.steps if step.described["class_name"] == "Functional"}

    def end(name: str) -> list[Any]:
        """An output of the whole. There, and nowhere else, Keras counts the uses of a Functional from 1."""
        step, part = _step_and_part(name)
        return [history[step][0], history[step][1] + (step in models), part]

    def node(step: Step) -> dict[str, Any]:
        inputs: list[Any] = [tensor(name) for name in step.inputs]
        listed = step.layer is None or type(step.layer) in MERGING or (is_graph(step.layer) and len(inputs) > 1)
        options: dict[str, Any] = {"use_causal_mask": True} if getattr(step.layer, "causal", False) else {}
        if isinstance(step.layer, (SimpleRNN, LSTM, GRU, Bidirectional)) and len(inputs) > 1:
            inputs, options = inputs[:1], {"initial_state": inputs[1:]}
        return {"args": [inputs] if listed else inputs, "kwargs": options}

    order = dict.fromkeys(step.of for step in found.steps)
    layers = [
        {
            **by_layer[of][0].described,
            "name": of,
            "inbound_nodes": [node(step) for step in by_layer[of] if step.inputs],
        }
        for of in order
    ]
    ends = {
        "input_layers": [history[name] for name in found.inputs],
        "output_layers": [end(name) for name in found.outputs],
    }
    whole = as_object(
        "keras.src.models.functional", "Functional", {"name": name or "functional", "layers": layers, **ends}
    )
    return {**whole, "registered_name": "Functional"}


def _step_and_part(end: str) -> tuple[str, int]:
    """The step that has this output, and the number of the output."""
    step, _, part = end.partition("/")
    return step, int(part or 0)


def lost_masks(graph: Sequence[Step]) -> list[str]:
    """A note if Keras loses a mask that stays here: its attention removes the mask of what it takes, also for other layers."""
    masked: set[str] = set()
    readers = Counter(source for step in graph for source in set(step.inputs))
    for step in graph:
        passes = step.layer is None or may_pass_mask(step.layer)
        if (passes and masked.intersection(step.inputs)) or (step.layer is not None and makes_mask(step.layer)):
            masked.add(step.name)
        taken = step.inputs if isinstance(step.layer, MultiHeadAttention) else []
        if any(source in masked and readers[source] > 1 for source in taken):
            return [
                f"In Keras {step.of} removes the mask of what it takes, so other layers that take it count padding as data there. Here "
                "they leave padding out, so results differ where sequences are padded."
            ]
    return []


def warn_of_lost_masks(model: Model, path: Path) -> None:
    for note in lost_masks(steps(model)):
        warn(path, note)


def groups(graph: Sequence[Step]) -> dict[int, str]:
    """The group of each layer in Keras's files by the layer's id, in Keras's order."""
    once = {step.of: step for step in reversed(graph)}
    order = dict.fromkeys(step.of for step in graph)
    return numbered_groups([(once[of].described["class_name"], once[of].layer) for of in order])


def numbered_groups(described: Sequence[tuple[str, Any]]) -> dict[int, str]:
    """The group of each layer by its id, for layers in Keras's order: the class there, and our layer, if it is one; or for a model whose
    layers are among those of the whole here, its own list.
    """
    counts, found = Counter[str](), dict[int, str]()
    for kind, layer in described:
        group = numbered(keras_name(kind), counts)
        if isinstance(layer, list):
            found |= {inner: f"{group}/{below}" for inner, below in numbered_groups(layer).items()}
        elif layer is not None:
            found[id(layer)] = f"{group}/layer/" if kind == "TimeDistributed" else f"{group}/"
    return found


def numbered(word: str, counts: Counter[str]) -> str:
    """The group of the next layer of a kind: layers/dense, layers/dense_1, …"""
    counts[word] += 1
    return f"layers/{word}" + (f"_{counts[word] - 1}" if counts[word] > 1 else "")


class _InOrderOfForward:
    """The steps of a model, each after those whose outputs it takes. A model inside a Graph is one layer of Keras; inside a Sequential
    its layers stand one by one, as Keras's Functional has no lists of layers.
    """

    def __init__(self, model: Model) -> None:
        self.dtype, self.whole = model.dtype, is_graph(model)
        self.steps: list[Step] = []
        self.names = {id(layer): place.replace(".", "_") for place, layer in model.walk()}
        self.used = Counter[str]()
        shapes: Any = model.input_shape
        given: Mapping[str, Any] = (
            dict(zip(model.inputs, shapes if has_several(shapes) else [shapes], strict=True))
            if is_graph(model)
            else {"input": shapes}
        )
        self.inputs = [self._input(name, shape) for name, shape in given.items()]
        if is_graph(model):
            values = self._through_graph(model, self.inputs)
            self.outputs = [values[name] for name in model.output_names]
        else:
            self.outputs = [self._add(model, self.inputs)]

    def _input(self, name: str, shape: Any) -> str:
        entry = as_object("keras.layers", "InputLayer", {"name": name, "batch_shape": [None, *shape]})
        self.steps.append(Step(name, name, entry, [], tuple(shape), None))
        return name

    def _append(self, name: str, entry: dict[str, Any], inputs: list[str], layer: Any, own: Layer | None) -> str:
        self.used[name] += 1
        use = name if self.used[name] == 1 else f"{name}:{self.used[name]}"
        self.steps.append(Step(use, name, entry, inputs, layer.output_shape, own))
        return use

    def _through_graph(self, graph: Any, ends: list[str]) -> dict[str, str]:
        values, pairs = dict(zip(graph.inputs, ends, strict=True)), with_activation(graph)
        for name, layer, sources in graph.each_node():
            if name in values:  # an activation of the layer before it
                continue
            inputs = [values[source] for source in sources]
            if name in pairs:
                node, activation = pairs[name]
                values[node] = self._add_with_activation(layer, activation, inputs)
            else:
                end = self._add(layer, inputs, inside=True)
                parts = graph.parts.get(name, [name])
                values |= {part: f"{end}/{place}" if place else end for place, part in enumerate(parts)}
        return values

    def _add_with_activation(self, layer: Layer, activation: Layer, ends: list[str]) -> str:
        name = self.names[id(activation)]
        entry = described(layer, name, self.dtype)
        entry["config"]["activation"] = activation_name(activation)
        return self._append(name, entry, ends, activation, layer)

    def _through(self, layers: Iterable[Any], end: str) -> str:
        for layer in layers:
            end = self._add(layer, [end])
        return end

    def _add(self, layer: Any, ends: list[str], *, inside: bool = False) -> str:
        """Append the steps of a layer after the steps `ends`; the name of its last one."""
        name = self.names[id(layer)]
        if isinstance(layer, Input):
            return ends[0]
        if is_graph(layer) and not inside:
            return self._through_graph(layer, ends)[layer.output_names[0]]
        if is_sequential(layer) and not (inside and not steps(layer)):
            return self._through(layer.layers, ends[0])
        if is_sequential(layer) or is_graph(layer):
            return self._append(name, to_keras(layer, name), ends, layer, layer)
        if type(layer) not in MERGING:
            inputs = ends * 2 if isinstance(layer, MultiHeadAttention) and len(ends) == 1 else ends
            return self._append(name, described(layer, name, self.dtype), inputs, layer, layer)
        if isinstance(layer, Residual):
            ends = [ends[0], self._through(layer.layers, ends[0])]
        elif layer.branches:
            ends = [self._through([one] if isinstance(one, Layer) else one, ends[0]) for one in layer.branches]
        return ends[0] if len(ends) == 1 else self._append(name, merged(layer, name, self.dtype), ends, layer, None)


def _in_keras_order(found: list[Step], outputs: list[str]) -> list[Step]:
    """The steps in the order in which Keras keeps their layers: by the distance from the outputs, the farthest first. At equal distance
    they come in the order in which a walk back from the outputs, along the first inputs first, meets them.
    """
    by_name = {step.name: step for step in found}
    met: dict[str, int] = {}  # layers
    order: list[Step] = []  # steps, each after those whose outputs it takes
    seen: set[str] = set()
    for output in outputs:
        pending = [(_step_and_part(output)[0], False)]
        while pending:
            name, is_done = pending.pop()
            if is_done:
                order.append(by_name[name])
            elif name not in seen:
                seen.add(name)
                met.setdefault(by_name[name].of, len(met))
                sources = [_step_and_part(source)[0] for source in reversed(by_name[name].inputs)]
                pending += [(name, True), *((source, False) for source in sources)]
    of_steps: dict[str, int] = {}
    of_layers: dict[str, int] = {}
    for step in reversed(order):
        distance = max(of_steps.get(step.name, 0), of_layers.get(step.of, 0))
        of_steps[step.name] = of_layers[step.of] = distance
        for name, _ in map(_step_and_part, step.inputs):
            of_steps[name] = max(distance + 1, of_steps.get(name, 0))
    return sorted(order, key=lambda step: (-of_layers[step.of], met[step.of]))
