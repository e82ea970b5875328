"""Inside: the outputs of all layers, and gradients with respect to inputs, computed on a replica, so that the model stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base import sharing
from minitorch_np.base.arrays import as_numbers, in_dtype
from minitorch_np.base.blocks import all_cores
from minitorch_np.base.cache import Call
from minitorch_np.base.contract import calling
from minitorch_np.base.replica import Replicator
from minitorch_np.base.several import Several, each, joined, of_each
from minitorch_np.base.shapes import batch_of
from minitorch_np.base.validation import check_flags, is_whole
from minitorch_np.training.evaluation import uses_blocks
from minitorch_np.training.masks import noting, weigh
from minitorch_np.training.options import checked_batch_size
from minitorch_np.training.preparation import Preparation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model


def get_layer(model: Model, name: Any, index: Any) -> Layer:
    """See Model.get_layer."""
    who = f"{type(model).__name__}.get_layer"
    if (name is None) == (index is None):
        raise ValueError(f"{who}: expected a name or an index. {_names(model)}")
    if is_whole(name):
        name, index = None, name
    model.build_if_shape_known()
    if name is None:
        layers = list(model.sublayers().values())
        if not is_whole(index) or not -len(layers) <= index < len(layers):
            raise ValueError(f"{who}: expected an index from 0 to {len(layers) - 1}, got {index!r}. {_names(model)}")
        return layers[index]
    found = dict(model.walk()).get(_layer_of_use(model, name)) if name else None
    if found is None:
        of_parameter = name in model.parameters() if model.built and isinstance(name, str) else False
        remedy = f"Write get_layer({name.rpartition('.')[0]!r}).{name.rpartition('.')[2]}. " if of_parameter else ""
        raise ValueError(f"{who}: there is no layer {name!r}. {remedy}{_names(model)}")
    return found


def outputs(model: Model, x: ArrayLike, layer: Any, batch_size: int | None) -> Any:
    """See Model.outputs."""
    who = f"{type(model).__name__}.outputs"
    model.require_built(who)
    uses = model.names_of_uses()
    if isinstance(layer, (list, tuple)):
        every = outputs(model, x, None, batch_size)
        return {name: every[name] for name in (one if one in every else _name_of(model, one) for one in layer)}
    chosen = None if layer is None else _use_of(model, layer)[1] or _name_of(model, layer)
    batch_size = checked_batch_size(batch_size, who)
    parts: dict[str, list[Any]] = {}
    with sharing.reading(model) as replica, all_cores(uses_blocks(model)):
        runs: dict[str, int] = {}
        for name, node in replica.walk():
            if name and (chosen is None or _use_of(model, chosen)[0] == name):
                vars(node)["forward"] = _recording(model, node.forward, name, runs, parts)
        for x_batch, _, _ in Preparation(model, who).inputs(x, None, None).batches(batch_size):
            runs.clear()
            with calling(Call(replica, inference=True)):
                replica.forward(x_batch)
    names = [use for name, _ in model.walk() for use in uses.get(name, [name])]
    in_order = sorted(parts, key=lambda name: names.index(name.partition("#")[0]))
    found = {name: model.as_outputs(joined(parts[name])) for name in in_order}
    if chosen is None:
        return found
    if chosen not in found:
        raise ValueError(f"{who}: the layers around {chosen} do not call its forward, so its output is not known.")
    return found[chosen]


def gradient(model: Model, x: Any, target: Any, output: Any, dy: Any, layer: Any, *, training: bool) -> Any:
    """See Model.gradient."""
    who = f"{type(model).__name__}.gradient"
    check_flags(who, {"training": training})
    if sum(given is not None for given in (target, output, dy)) > 1:
        raise ValueError(f"{who}: expected one of target, output and dy, got several.")
    model.require_built(who)
    chosen, use = (None, None) if layer is None else _use_of(model, layer)
    if target is not None:
        model._require_compiled("gradient")
    x, target = _examples(model, who, x, target)
    arrived: list[Any] = []
    with sharing.reading(model, training=bool(training), keep_cache=True) as replica, all_cores(uses_blocks(model)):
        replica.drop_caches()  # the original may await a backward
        replica.wants_dx = True
        if chosen is not None:
            node = dict(replica.walk())[chosen]
            # A method, so that it is that of the twin where a Graph uses the layer again.
            vars(node)["backward"] = MethodType(_noting(arrived), node)
        with calling(Call(replica)):
            y = replica.forward(x)
        dx = replica.backward(_upstream(model, who, y, target, output, dy, replica.output_mask))
    if chosen is None:
        arrived = [dx]
    if not arrived:
        raise ValueError(
            f"{who}: with respect to the output of {chosen} there is no gradient: the layers around it do not call its backward."
        )
    names = [_name_of_use(model, chosen or "", number) for number in range(len(arrived))]
    use = names[0] if use is None and len(names) == 1 else use
    if use not in names:
        raise ValueError(
            f"{who}: each use of {chosen} has a gradient of its own. Write {' or '.join(f'layer={name!r}' for name in names)}."
        )
    found = arrived[-1 - names.index(use)]  # backward begins with the last use
    if isinstance(found, tuple):  # of several inputs
        return [np.array(dx) for dx in found]
    if found is None:
        raise ValueError(
            f"{who}: there is no gradient with respect to whole numbers, such as those that Embedding takes. Write layer=…, with the "
            f"name of the layer that takes them: the gradient is then with respect to its output. {_names(model)}"
        )
    return np.array(found)


def _examples(model: Model, who: str, x: Any, target: Any) -> tuple[NDArray, NDArray | None]:
    """x in the model's dtype, and the prepared targets."""
    if target is not None:
        x, target, _ = Preparation(model, who).batch(x, target)
        return x, target
    (batch,) = Preparation(model, who).inputs(x, None, None).batches(None)
    return batch[0], None


def _upstream(model: Model, who: str, y: NDArray, target: NDArray | None, output: Any, dy: Any, mask: Any) -> NDArray:
    """dL/dy for these outputs."""
    if target is not None:
        loss = Replicator(training=True, keep_cache=True).of(model.loss)
        weigh(loss, y, target, None, mask)
        loss.checked_forward(y, target)
        return loss.checked_backward(y)
    if dy is not None:
        dy = each(
            lambda one: in_dtype(as_numbers(one, "dy", who), model.compute_dtype, f"{who}: dy"),
            model.as_targets(dy, who),
        )
        if dy.shape != y.shape:
            raise ValueError(f"{who}: expected dy of the shape of y, {y.shape}, got {dy.shape}.")
        return dy
    if isinstance(y, Several):
        names = list(getattr(model, "output_names", ()))
        if not isinstance(output, Mapping):
            raise ValueError(
                f"{who}: the model has several outputs. Write output={{{names[0]!r}: 0}} for one of them, target=[…] for the loss, or "
                "dy=[…], one array for each output."
            )
        chosen = of_each({**dict.fromkeys(names), **output}, names, "output", who)
        return Several(
            np.zeros_like(part) if one is None else _ones(who, part, one) for part, one in zip(y, chosen, strict=True)
        )
    if output is None and y.shape[1:] != (1,):
        raise ValueError(
            f"{who}: the outputs are {batch_of(y.shape[1:])}. Write output=i for the gradient of one of them, target=y for that of the "
            "loss, or dy=… for a gradient of your own."
        )
    return _ones(who, y, 0 if output is None else output)


def _ones(who: str, y: NDArray, output: Any) -> NDArray:
    """1 at one output of each example, and 0 elsewhere."""
    dy = np.zeros_like(y)
    dy[_places(who, y, output)] = 1
    return dy


def _places(who: str, y: NDArray, output: Any) -> tuple[Any, ...]:
    """The index into y of one output of each example."""
    examples = np.arange(len(y))
    if isinstance(output, tuple) or is_whole(output):
        chosen: tuple[Any, ...] = output if isinstance(output, tuple) else (output,)
    else:
        chosen = (np.asarray(output).reshape(-1),)
    sizes = y.shape[1:]
    fits = len(chosen) == len(sizes) and all(
        np.asarray(one).dtype.kind in "iu"
        and np.shape(one) in ((), (len(y),))
        and (-size <= np.asarray(one)).all()
        and (np.asarray(one) < size).all()
        for one, size in zip(chosen, sizes, strict=True)
    )
    if not fits:
        kinds = ["a whole number", "a pair (step, output) of whole numbers"]
        kind = kinds[len(sizes) - 1] if len(sizes) < 3 else f"{len(sizes)} whole numbers"
        raise ValueError(
            f"{who}: the outputs are {batch_of(sizes)}, so output is {kind} below {sizes}, or one for each example, got {output!r:.80}."
        )
    return (examples, *chosen)


def _recording(
    model: Model, forward: Callable[..., Any], name: str, runs: dict[str, int], parts: dict[str, list[Any]]
) -> Callable[..., Any]:
    """forward, which also appends what it returns to the parts of this name.

    What a later run of one forward returns has the name of that use.
    """

    def record(y: Any) -> None:
        number = runs[name] = runs.get(name, -1) + 1
        y = Several(y) if isinstance(y, tuple) else y  # an output and a state
        if hasattr(y, "shape"):
            parts.setdefault(_name_of_use(model, name, number), []).append(y)

    return noting(forward, record)


def _noting(arrived: list[Any]) -> Callable[..., Any]:
    """The method backward of a layer, which also appends the dy that it gets."""

    def backward_and_note(layer: Layer, dy: Any) -> Any:
        arrived.append(dy)
        return type(layer).backward(layer, dy)

    return backward_and_note


def _name_of(model: Model, layer: Any) -> str:
    """The name of a layer that is given by name, by index, or itself."""
    found = layer if hasattr(layer, "forward") else get_layer(model, layer, None)
    for name, node in model.walk():
        if node is found and name:
            return name
    raise ValueError(f"{type(model).__name__}: {layer!r} is not a layer of this model. {_names(model)}")


def _use_of(model: Model, layer: Any) -> tuple[str, str | None]:
    """The name of a layer, and that of one of its uses; None if the layer is given itself or by its number, which name no use."""
    if not isinstance(layer, str):
        return _name_of(model, layer), None
    return _name_of(model, layer.partition("#")[0]), layer


def _name_of_use(model: Model, name: str, number: int) -> str:
    """The name of a use of this layer in one forward, counted from 0: that of a node of a Graph, or else `name`, `name#2`, …."""
    uses = model.names_of_uses().get(name, [name])
    return uses[number] if number < len(uses) else f"{name}#{number + 1}"


def _layer_of_use(model: Model, name: str) -> str:
    """The name of the layer that the node of this name uses, or the name itself."""
    return next((layer for layer, names in model.names_of_uses().items() if name in names), name)


def _names(model: Model) -> str:
    uses = model.names_of_uses()
    return f"The layers are {', '.join(use for name, _ in model.walk() if name for use in uses.get(name, [name])) or 'none'}."
