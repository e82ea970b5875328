"""The nodes of a Graph: checks of names and sources, and layers that are used in several nodes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.replica import Replicator
from minitorch_np.base.shapes import Shape, has_several
from minitorch_np.base.validation import is_whole
from minitorch_np.layer import Layer
from minitorch_np.layers.input import Input

Node = tuple[str | Sequence[str], Layer | str, str | Sequence[str]]


def check_nodes(inputs: Any, nodes: Any, outputs: Any) -> None:
    """Raise ValueError unless these describe a graph; the message names the node."""
    if not isinstance(inputs, Mapping) or not inputs:
        raise ValueError(
            f'Graph: inputs is a dictionary of names and shapes without the batch, as in {{"image": (28, 28, 1)}}, got {inputs!r}.'
        )
    for name, shape in inputs.items():
        _check_name(name, ())
        if isinstance(shape, Input):
            raise ValueError(f"Graph: inputs has shapes: write {{{name!r}: {shape.shape!r}}}, without Input.")
        if is_whole(shape):
            raise ValueError(f"Graph: a shape is a tuple: write {{{name!r}: ({shape},)}}.")
        Input(shape)  # raises ValueError if it is no shape
    if not isinstance(nodes, (list, tuple)) or not nodes:
        raise ValueError(f"Graph: nodes is a list of (name, layer, source), got {nodes!r}.")
    known: dict[str, Any] = dict.fromkeys(inputs)
    for node in nodes:
        if not isinstance(node, (list, tuple)) or len(node) != 3:
            raise ValueError(f"Graph: a node is (name, layer, source) or (name, layer, [source, …]), got {node!r}.")
        given, layer, sources = node
        if isinstance(sources, Layer):
            raise ValueError(
                f"Graph: a node is (name, layer, source), in this order: write ({given!r}, {sources!r}, {layer!r})."
            )
        names = list(given) if isinstance(given, (list, tuple)) and given else [given]
        for place, part in enumerate(names):
            _check_name(part, (*known, *names[:place]))
        name = names[0]
        if isinstance(layer, str):
            if not isinstance(known.get(layer), Layer):
                raise ValueError(
                    f"Graph, node {name!r}: there is no earlier node {layer!r} whose layer it could use.{instead_of(layer)}"
                )
        elif not isinstance(layer, Layer):
            raise ValueError(
                f"Graph, node {name!r}: expected a layer, or the name of an earlier node, got {layer!r}.{instead_of(layer)}"
            )
        elif isinstance(layer, Input):
            raise ValueError(f"Graph, node {name!r}: the shapes of the inputs are in inputs: leave {layer!r} out.")
        listed = _names(sources, f"node {name!r}")
        for source in listed:
            _require(source, known, f"node {name!r}: there is no input or earlier node {source!r}")
        known |= dict.fromkeys(names) | {name: known[layer] if isinstance(layer, str) else layer}
        _check_number(name, known[name], len(listed))
    chosen = _names(outputs, "outputs")
    for output in chosen:
        _require(output, known, f"outputs: there is no node {output!r}")
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"Graph, outputs: expected each name once, got {list(chosen)}.")
    _refuse_unused(inputs, nodes, chosen)


def _check_number(name: str, layer: Layer, count: int) -> None:
    """Raise ValueError if forward of the layer does not take so many arrays."""
    try:
        inspect.signature(layer.forward).bind(*range(count))
    except TypeError:
        raise ValueError(
            f"Graph, node {name!r}: forward of {layer!r} does not take {count} arrays. Join them first, in a node with mt.Concatenate(), "
            "mt.Add() or the like; a layer of your own takes them as forward(self, a, b)."
        ) from None


def without_repeats(nodes: Sequence[Node]) -> list[Node]:
    """The nodes; a layer that was used by an earlier node is named by that node."""
    first: dict[int, str] = {}
    found: list[Node] = []
    for name, layer, sources in nodes:
        known = isinstance(layer, Layer) and id(layer) in first
        found.append((name, first[id(layer)] if known else layer, sources))
        if isinstance(layer, Layer):
            first.setdefault(id(layer), names_of(name)[0])
    return found


def steps_of(nodes: Sequence[Node]) -> list[tuple[str, Layer, list[str]]]:
    """The nodes with the layer itself in place of the name of an earlier node, and with their sources in a list."""
    layers: dict[str, Any] = {}
    found = []
    for names, layer, sources in nodes:
        name = names_of(names)[0]
        layers[name] = layers[layer] if isinstance(layer, str) else layer
        found.append((name, layers[name], [sources] if isinstance(sources, str) else list(sources)))
    return found


def names_of(names: str | Sequence[str]) -> list[str]:
    """The names of what a node gives, the first of which is that of the node."""
    return [names] if isinstance(names, str) else list(names)


def of_parts(layer: Layer, shape: Any, names: Sequence[str]) -> list[Shape]:
    """The shapes of what a node gives; ValueError unless it has a name for each."""
    shapes = list(shape) if has_several(shape) else [shape]
    if len(shapes) == 1 < len(names):
        states = " A recurrent layer gives its state with return_state=True." if hasattr(layer, "return_state") else ""
        raise ValueError(f"{layer!r} gives one array, and the node has {len(names)} names.{states}")
    if len(shapes) != len(names):
        due = [names[0], *(f"{names[0]}_{number}" for number in range(2, len(shapes) + 1))]
        raise ValueError(f"{layer!r} gives {len(shapes)} arrays. Name each of them: ({due}, layer, source).")
    return shapes


def _check_name(name: Any, known: Any) -> None:
    if not isinstance(name, str) or not name or "." in name or "/" in name:
        raise ValueError(f"Graph: a name is text without dots and slashes, got {name!r}.")
    if name in known:
        raise ValueError(f"Graph: the name {name!r} is used twice. Give each input and node a name of its own.")


def _names(names: Any, where: str) -> list[str]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, (list, tuple)) or not listed or not all(isinstance(name, str) for name in listed):
        nested = isinstance(listed, (list, tuple)) and any(isinstance(name, (list, tuple)) for name in listed)
        remedy = " Write them in one list, as in ['x', 'h', 'c']." if nested else ""
        raise ValueError(f"Graph, {where}: expected a name or a list of names, got {names!r}.{remedy}")
    return list(listed)


def _require(name: str, known: Mapping[str, Any], problem: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, 1)
        advice = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(map(repr, known))}."
        raise ValueError(f"Graph, {problem}. {advice}")


def _refuse_unused(inputs: Mapping[str, Any], nodes: Sequence[Node], outputs: Sequence[str]) -> None:
    """Raise ValueError if an input or a node leads to no output."""
    needed = set(outputs)
    for names, _, sources in reversed(nodes):
        if not needed.isdisjoint(names_of(names)):
            needed.update([names_of(names)[0], *_names(sources, "")])
    unused = [name for name in (*inputs, *(names_of(names)[0] for names, *_ in nodes)) if name not in needed]
    if unused:
        raise ValueError(
            f"Graph: {', '.join(map(repr, unused))} leads to no output. Leave it out, or add it to outputs."
        )


def refuse_without_dx(name: str, layer: Layer) -> None:
    """Raise ValueError if a layer learns, and a node that takes its output gave no gradient for it."""
    if any(parameter.learnable for parameter in layer.parameters().values()):
        raise ValueError(
            f"Graph, node {name!r}: {layer!r} learns, and a node that takes its output returned no dL/dx. End the backward of that "
            "one with `return dx`."
        )


def twin(layer: Layer) -> Layer:
    """A copy of a layer with the same weights, and parameters of its own for their gradients. Its modes and its generators are those
    of the layer.
    """
    copied: Layer = Replicator(keep_cache=True).of(layer)
    for (_, node), (_, other) in zip(layer.walk(), copied.walk(), strict=True):
        other._training, other._generator, other._turn = node._training, node.generator, 0
    return copied


def add_gradients(layer: Layer, use: Layer) -> None:
    """Add the gradients of a twin to those of its layer."""
    pairs = zip(layer.parameters().values(), use.parameters().values(), strict=True)
    for own, of_twin in pairs:
        if of_twin.grad is not None:
            own.grad = of_twin.grad if own.grad is None else own.grad + of_twin.grad


def add_gradient(gradients: dict[str, Any], name: str, gradient: Any) -> None:
    """Add a gradient to that of a value. A sum without one of its parts would be wrong, so None stays None."""
    if name in gradients:
        known = gradients[name]
        gradients[name] = None if known is None or gradient is None else known + gradient
    else:
        gradients[name] = gradient


def gradient_of(gradients: dict[str, Any], names: Sequence[str]) -> Any:
    """The gradient of what a node gives; of several arrays a tuple. None if it is not known."""
    found = tuple(gradients.pop(name, None) for name in names)
    return None if any(gradient is None for gradient in found) else found if len(found) > 1 else found[0]
