"""A Graph out of Keras's description of a Functional model; a plain chain of layers becomes a Sequential."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from minitorch_np.base.configurable import Configurable
from minitorch_np.layer import Layer
from minitorch_np.layers import Bidirectional, Input, MultiHeadAttention, Multiply
from minitorch_np.layers.nodes import names_of
from minitorch_np.saving.errors import NotHere
from minitorch_np.saving.keras_calls import (
    WITH_OWN_LAYER,
    Key,
    argument_of_operation,
    named_ends,
    of_arrays,
    options,
    shapes,
    tensors,
    without_repeated_end,
)
from minitorch_np.saving.keras_config import BEFORE_ACTIVATION, MERGING
from minitorch_np.saving.keras_operations import is_operation, makes_mask, may_pass_mask, of_operation, without_mask
from minitorch_np.saving.objects import registered

_OF_SEVERAL = ("MultiHeadAttention", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "Functional", "Model")
_MERGING = {cls.__name__: cls for cls in MERGING}
# With these Keras writes the computation of a mask.
_OF_MASKS = ("NotEqual", "Any", "All", "LogicalAnd", "LogicalOr", "ExpandDims", "ZerosLike", "OnesLike", "Concatenate")


def from_functional(
    config: dict[str, Any],
    dtype: str,
    make: Callable[[Any, str], list[Any]],
    class_of: Callable[[Any], str],
    *,
    is_inside: bool = False,
) -> Any:
    """The model that this config describes.

    Args:
        make: the layers of a Keras layer's description; class_of: the class that it names.
        is_inside: whether it is a layer of another model. It is a Graph then, because Keras keeps its weights as those of a Functional.

    Raises:
        NotHere: it has something that this package does not have. ValueError: it is no graph.
    """
    reader = _Reader(config, dtype, make, class_of)
    if reader.is_chain() and not is_inside:
        sequential: Any = Configurable.registry["Sequential"]
        (shape,) = reader.inputs.values()
        model = sequential([Input(shape), *(layer for _, layer, _ in reader.nodes)], dtype=dtype)
    else:
        outputs, graph = reader.outputs, cast("Any", registered("Graph"))
        model = graph(reader.inputs, reader.nodes, outputs if len(outputs) > 1 else outputs[0], dtype=dtype)
    vars(model)[IN_FILE] = reader.in_file()
    return model


# The attribute of a model that was just read: the class in Keras and our layer of each layer, in the order of the file; for a model
# whose nodes were taken over, its own list. It numbers the groups of the weights. `forget_file` removes it when they are read.
IN_FILE = "_in_keras_file"


def forget_file(model: Layer) -> None:
    for _, layer in model.walk():
        vars(layer).pop(IN_FILE, None)


class _Reader:
    """Reads the layers of a Functional model into the inputs, nodes and outputs of a Graph."""

    def __init__(
        self,
        config: dict[str, Any],
        dtype: str,
        make: Callable[[Any, str], list[Any]],
        class_of: Callable[[Any], str],
    ) -> None:
        self.dtype, self.make, self.class_of = dtype, make, class_of
        self.described = {str(_name(layer)): layer for layer in config["layers"]}
        self.calls = {
            (name, number): call
            for name, layer in self.described.items()
            for number, call in enumerate(layer.get("inbound_nodes") or [])
        }
        self.layers: dict[str, list[Any]] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.nodes: list[tuple[str | list[str], Layer, Any]] = []
        self.ends: dict[Key, str] = {}  # the node that gives the output of each use
        self.masked: set[str] = set()  # the nodes whose output may have a mask
        for name, key in named_ends(config["input_layers"]):
            self._add_input(key, name)
        ends = [(name, self._counted_from_0(key)) for name, key in named_ends(config["output_layers"])]
        outputs = [key for _, key in ends]
        self.wished = {key: name for name, key in ends if name}
        for key in outputs:
            self._add_with_sources(key)
        self.outputs: list[str] = [self.ends[key] for key in outputs]

    def _counted_from_0(self, key: Key) -> Key:
        """The key of an output. There, and nowhere else, Keras counts the uses of a Functional from 1."""
        is_model = key[0] in self.described and self.class_of(self.described[key[0]]) in ("Functional", "Model")
        return (key[0], key[1] - 1, key[2]) if is_model else key

    def in_file(self) -> list[tuple[str, Any]]:
        """The class in Keras and our layer of each layer in the file, in its order."""
        first: dict[str, Any] = {name: next(iter(layers), None) for name, layers in self.layers.items()}
        first |= {name: vars(layer)[IN_FILE] for name, layer in first.items() if _has_several_outputs(layer)}
        return [(self.class_of(layer), first.get(name)) for name, layer in self.described.items()]

    def is_chain(self) -> bool:
        """Whether each node takes the output of the one before it, and no layer is used twice or is a Functional itself."""
        before = [*self.inputs, *(names_of(name)[0] for name, *_ in self.nodes)]
        layers = [id(layer) for _, layer, _ in self.nodes]
        models = any(IN_FILE in vars(layer) and hasattr(layer, "output_names") for _, layer, _ in self.nodes)
        parts = any(not isinstance(name, str) for name, *_ in self.nodes)
        one_each = (
            not (models or parts) and len(self.inputs) == len(self.outputs) == 1 and len(set(layers)) == len(layers)
        )
        return one_each and all(source == [end] for (_, _, source), end in zip(self.nodes, before, strict=False))

    def _add_input(self, key: Key, name: str) -> None:
        layer = self.described.get(key[0])
        if layer is None or self.class_of(layer) != "InputLayer":
            raise NotHere(f"a model whose input {key[0]!r} is the output of a layer")
        (made,) = self.make(layer, self.dtype)
        self.ends[key] = self._named(name or key[0])
        self.inputs[self.ends[key]] = tuple(made.shape)

    def _add_with_sources(self, last: Key) -> None:
        """Add a use of a layer, after the uses whose outputs it takes."""
        pending, waiting = [last], set[Key]()
        while pending:
            key = pending[-1]
            if key in self.ends:
                pending.pop()
                continue
            if key[:2] not in self.calls:
                raise ValueError(f"it has no layer {key[0]!r} with {key[1] + 1} uses")
            missing = [source for source in self._sources(key) if source not in self.ends]
            if not missing:
                self._add(key)
                waiting.discard(key)
                if key not in self.ends:
                    raise NotHere(f"the layer {key[0]!r} with several outputs")
            elif key in waiting:
                raise ValueError(f"the layer {key[0]!r} takes its own output")
            else:
                waiting.add(key)
                pending += reversed(missing)

    def _sources(self, key: Key) -> list[Key]:
        return list(dict.fromkeys(tensors(of_arrays(self.calls[key[:2]]))))

    def _add(self, key: Key) -> None:
        name, number, _ = key
        described, call = self.described[name], self.calls[key[:2]]
        self._check_mask(self.class_of(described), call)
        call = of_arrays(call)
        sources = [self.ends[source] for source in tensors(call)]
        layers = self._layers(name, described, call, len(sources))
        if is_operation(described["config"]):
            sources = [self._without_mask(*end) for end in zip(sources, shapes(call), strict=True)]
            sources *= 2 if len(sources) == 1 and isinstance(layers[0], Multiply) else 1
        if isinstance(layers[0] if layers else None, MultiHeadAttention):
            sources = without_repeated_end(sources)
        own = self._named(self.wished.get((name, number, 0)) or (name if number == 0 else f"{name}_use_{number + 1}"))
        if layers and _has_several_outputs(layers[0]):
            self._take_over(layers[0], own, key, sources)
            return
        if (any(source in self.masked for source in sources) and all(map(may_pass_mask, layers))) or any(
            map(makes_mask, layers)
        ):
            self.masked.add(own)
        for place, layer in enumerate(layers):
            node = own if place == len(layers) - 1 else self._named(f"{own}{BEFORE_ACTIVATION}")
            names = self._named_parts(node, layer, key)
            self.nodes.append((node if len(names) == 1 else names, layer, sources))
            sources = [node]
        parts = names if layers else sources
        self.ends |= {(name, number, part): end for part, end in enumerate(parts)}

    def _named_parts(self, node: str, layer: Layer, key: Key) -> list[str]:
        """The name of a node, followed by those of its further outputs, which are the state of a recurrent layer."""
        recurrent: Any = layer.layer if isinstance(layer, Bidirectional) else layer
        states = (
            recurrent.state_size * (2 if isinstance(layer, Bidirectional) else 1)
            if getattr(recurrent, "return_state", False)
            else 0
        )
        wished = [self.wished.get((key[0], key[1], part)) for part in range(1, states + 1)]
        return [node, *(self._named(name or f"{node}_state_{part}") for part, name in enumerate(wished, start=1))]

    def _without_mask(self, source: str, shape: list[int | None]) -> str:
        """The node of this source without its mask, which ends in Keras where a function takes it."""
        if source not in self.masked:
            return source
        node = f"{source}_without_mask"
        if node not in (known for known, *_ in self.nodes):
            self.nodes.append((node, without_mask(shape), [source]))
        return node

    def _take_over(self, model: Any, own: str, key: Key, sources: list[str]) -> None:
        """Add the nodes of a model with several outputs, because a node has one."""
        values = dict(zip(model.inputs, sources, strict=True))
        wished = {node: self.wished.get((key[0], key[1], part)) for part, node in enumerate(model.output_names)}
        for node, layer, inner in model.each_node():
            parts = model.parts.get(node, [node])
            taken_over = [self._named(wished.get(part) or f"{own}_{part}") for part in parts]
            self.nodes.append(
                (taken_over if len(parts) > 1 else taken_over[0], layer, [values[source] for source in inner])
            )
            self.masked.update(taken_over)
            values |= dict(zip(parts, taken_over, strict=True))
        for part, output in enumerate(model.output_names):
            self.ends[(key[0], key[1], part)] = values[output]

    def _check_mask(self, kind: str, call: Any) -> None:
        """Raise NotHere unless the mask that a layer is called with is the one that travels with its input. Keras writes how it is
        computed as layers, from what an Embedding or a Masking takes.
        """
        masked = {
            source
            for name, layer in self.described.items()
            if self.class_of(layer) == "Masking" or layer["config"].get("mask_zero")
            for call_of in layer.get("inbound_nodes") or []
            for source in tensors(call_of)
        }
        given = (call.get("kwargs") or {}) if isinstance(call, dict) else {}
        for option, value in given.items():
            if option.endswith("_mask") and list(tensors(value)):
                raise NotHere(f"{kind} called with {option}")
        pending = list(tensors(given.get("mask")))
        if pending and list(tensors(given.get("initial_state"))):
            raise NotHere(f"{kind} called with a mask and an initial state")
        seen: set[Key] = set()
        while pending:
            key = pending.pop()
            operation = self.class_of(self.described[key[0]]) if key[:2] in self.calls else ""
            sources = list(tensors(self.calls[key[:2]])) if operation in _OF_MASKS else []
            if not sources or (operation == "NotEqual" and sources[0] not in masked):
                raise NotHere(f"{kind} called with a mask of its own")
            if operation in ("NotEqual", "ZerosLike", "OnesLike") or key in seen:
                continue
            seen.add(key)
            pending += sources

    def _layers(self, name: str, described: Any, call: Any, sources: int) -> list[Any]:
        """The layers of a Keras layer, the same ones in all its uses."""
        kind = self.class_of(described)
        is_new = name not in self.layers
        if is_new:
            merging = _MERGING.get(kind)
            if merging is None and sources > 1 and kind not in _OF_SEVERAL:
                raise NotHere(f"the layer {kind} of several inputs", remedy=WITH_OWN_LAYER)
            config = described["config"]
            if is_operation(config) and (sources == 1 or kind in ("Average", "Dot")):
                self.layers[name] = of_operation(kind, config, *argument_of_operation(call))
            elif merging is not None:
                own = {argument: config[argument] for argument in ("axis", "axes", "normalize") if argument in config}
                own = {argument: tuple(value) if isinstance(value, list) else value for argument, value in own.items()}
                self.layers[name] = [merging(**own)]
            else:
                self.layers[name] = self.make(described, self.dtype)
        chosen = options(call)
        causal = bool(chosen.pop("use_causal_mask", False))
        if causal and is_new:
            self.layers[name][0].causal = True
        if causal != getattr(self.layers[name][0] if self.layers[name] else None, "causal", False):
            raise NotHere(f"{kind} called with and without use_causal_mask")
        others = [option for option, value in chosen.items() if value not in (None, False)]
        if others:
            raise NotHere(f"{kind} called with {others[0]}")
        return self.layers[name]

    def _named(self, name: str) -> str:
        """The name as that of a node, and another than all before."""
        name = name.replace(".", "_").replace("/", "_") or "layer"
        taken = {*self.inputs, *(known for names, *_ in self.nodes for known in names_of(names))}
        while name in taken:
            name += "_"
        return name


def _name(layer: Any) -> Any:
    if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
        raise ValueError("a description without class_name and config")
    return layer.get("name") or layer["config"].get("name")


def _has_several_outputs(layer: Any) -> bool:
    return IN_FILE in getattr(layer, "__dict__", {}) and len(getattr(layer, "output_names", ())) > 1
