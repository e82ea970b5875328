"""Graph: a model whose layers are joined as you like, with several inputs and outputs, and layers in several places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.any_length import open_shape
from minitorch_np.base.several import Several, listed, of_each
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.layer import Layer
from minitorch_np.layers import Add, Concatenate, Dense, Dot, Multiply, ReLU, Tanh
from minitorch_np.layers.chain import refuse_repeats
from minitorch_np.layers.masks import forward_of_several, of_outputs, through
from minitorch_np.layers.nodes import (
    Node,
    add_gradient,
    add_gradients,
    check_nodes,
    gradient_of,
    names_of,
    of_parts,
    refuse_without_dx,
    steps_of,
    twin,
    without_repeats,
)
from minitorch_np.losses.finding import AnyLoss
from minitorch_np.losses.outputs import LossOfOutputs, combined
from minitorch_np.model import Model
from minitorch_np.training.several import gathered, is_gathered, weights_of_outputs

if TYPE_CHECKING:
    from minitorch_np.base.randomness import Seed
    from minitorch_np.optimizers import Optimizer


__all__ = ["Graph"]


class Graph(Model):
    """A model of named nodes: y of each node is its layer applied to the outputs of its sources.

        model = mt.Graph(
            inputs={"left": (8,), "right": (8,)},
            nodes=[
                ("a", mt.Dense(4), "left"),
                ("b", "a", "right"),                      # the layer of node a once more: its gradients add up
                ("both", mt.Concatenate(), ["a", "b"]),
                ("same", mt.Dense(1), "both"),
            ],
            outputs=["same"],
        )

    Args:
        inputs: the shape of one example of each input, without the batch, by name.
        nodes: (name, layer, source) or (name, layer, [source, source, …]). A source is an input or an earlier node. In place of a
            layer may stand the name of an earlier node, or the same object: this layer is then used in both places. A layer that gives
            several arrays has a name for each of them, the first of which is that of the node:
            (["encoder", "h", "c"], mt.LSTM(8, return_state=True), "x").
        outputs: the names of the nodes that are the outputs; a name alone if there is one.
        rng, dtype: see Model.

    With several inputs or outputs, fit, evaluate, predict and calls take and give lists in this order, or dictionaries by name. A table
    has the inputs as columns, each of shape (1,).
    A node with several sources has a layer whose forward takes as many arrays, and whose backward returns a dx for each: Add,
    Concatenate and the like without branches, or a layer of your own. Its build gets the shapes in a tuple.

    Raises:
        ValueError: a name is used twice or unknown, nodes lead to no output, or shapes do not fit; it names the node.
    """

    def __init__(
        self,
        inputs: Mapping[str, Shape],
        nodes: Sequence[Node],
        outputs: str | Sequence[str],
        rng: Seed = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__(rng, dtype)
        check_nodes(inputs, nodes, outputs)
        self.inputs, self.nodes, vars(self)["outputs"] = dict(inputs), without_repeats(nodes), outputs
        self._steps = steps_of(self.nodes)
        self._again = {names_of(name)[0] for name, layer, _ in self.nodes if isinstance(layer, str)}
        self.parts: dict[str, list[str]] = {
            names_of(name)[0]: names_of(name) for name, *_ in self.nodes if not isinstance(name, str)
        }
        self.output_names: list[str] = [outputs] if isinstance(outputs, str) else list(outputs)
        refuse_repeats(self)
        self.input_shape = self._given_shape()
        self.compute_output_shape(self.input_shape)

    outputs = property(lambda self: super().outputs)  # the method; the argument is in vars(self), for config

    @answers_foreign_arguments
    def compile(
        self,
        optimizer: str | Optimizer,
        loss: AnyLoss | Sequence[AnyLoss] | Mapping[str, AnyLoss],
        metrics: Any = (),
        loss_weights: Sequence[float] | Mapping[str, float] | None = None,
    ) -> Self:
        """See Model. With several outputs:

        Args:
            loss: a list in the order of the outputs, a dictionary by name, or one loss for all. The loss of the model is their sum.
            metrics: likewise: a list with the metrics of each output, or a dictionary. Their names begin with that of the output. The
                history has the loss of each output too, as `output_loss`, without its weight.
            loss_weights: the factor of each loss in the sum, likewise; by default 1.
        """
        names, who = self.output_names, f"{type(self).__name__}.compile"
        whole = combined(loss, loss_weights, names, who)
        if isinstance(whole, LossOfOutputs):
            from minitorch_np.metrics.outputs import of_outputs  # loads all metrics

            metrics = of_outputs(metrics, whole, who)
        elif isinstance(metrics, Mapping):
            (only,) = of_each(metrics, names, "metrics", who)
            metrics = only if isinstance(only, (list, tuple)) else [only]
        return super().compile(optimizer, whole, metrics)

    # Data

    def as_inputs(self, x: Any, who: str, *, batches: bool = False) -> Any:
        if batches and not is_gathered(x):
            return x
        given = gathered(x, list(self.inputs), "x", who)
        if not isinstance(given, Several):
            return given
        pairs = zip(given, self.inputs.values(), strict=True)  # a column of a table may be an input of shape (1,)
        return Several(array[:, None] if array.ndim == 1 and tuple(shape) == (1,) else array for array, shape in pairs)

    def as_targets(self, y: Any, who: str) -> Any:
        return gathered(y, self.output_names, "y", who) if y is not None else y

    def as_weights(self, sample_weight: Any, who: str) -> Any:
        return weights_of_outputs(sample_weight, self.output_names, who)

    def as_outputs(self, outputs: Any) -> Any:
        return list(outputs) if isinstance(outputs, Several) else outputs

    # Building

    @property
    def layers(self) -> list[Layer]:
        """The layers, each once, in the order of the nodes that use them first, built."""
        self.build_if_shape_known()
        return list(self.sublayers().values())

    def sublayers(self) -> dict[str, Layer]:
        """The layers by the name of the first node that uses each."""
        return {names_of(name)[0]: layer for name, layer, _ in self.nodes if isinstance(layer, Layer)}

    def build(self, input_shape: Any) -> None:
        self._shapes(input_shape, "ensure_built")

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = self._shapes(input_shape, "compute_output_shape")
        found = tuple(shapes[name] for name in self.output_names)
        return found if len(found) > 1 else found[0]

    def _given_shape(self) -> Any:
        shapes = tuple(tuple(shape) for shape in self.inputs.values())
        return shapes if len(shapes) > 1 else shapes[0]

    def _shapes(self, input_shape: Any, method: str) -> dict[str, Shape]:
        """The shape of every value by name. `method` of each layer gives it; an error names the node."""
        several = input_shape if len(self.inputs) > 1 else (input_shape,)
        shapes = dict(zip(self.inputs, several, strict=True))
        for name, layer, sources in self.each_node():
            given = tuple(shapes[source] for source in sources)
            try:
                shape = open_shape(getattr(layer, method), given if len(given) > 1 else given[0])
                names = self.parts.get(name, [name])
                shapes.update(zip(names, of_parts(layer, shape, names), strict=True))
            except ValueError as error:
                raise ValueError(f"Graph, node {name!r}: {error}") from error
        return shapes

    def names_of_uses(self) -> dict[str, list[str]]:
        steps = self.each_node()
        return {name: [node for node, one, _ in steps if one is layer] for name, layer in self.sublayers().items()}

    def each_node(self) -> list[tuple[str, Layer, list[str]]]:
        """The nodes in order: name, layer, and the names of the sources."""
        return self._steps

    def build_if_shape_known(self) -> None:
        if not self.built:
            self.ensure_built(self._given_shape())

    # Forward and backward

    def forward(self, x: Any, *others: NDArray) -> Any:
        self.build_if_shape_known()
        if self._only_answered and self.keep_cache:
            self.before_forward()
        arrays = x if isinstance(x, Several) else (x, *others)
        values = dict(zip(self.inputs, arrays, strict=True))
        masks: dict[str, Any] = {}
        uses = []
        for name, layer, sources in self._steps:
            # A layer keeps one forward for its backward, so a further use is that of a twin with the same weights.
            use = twin(layer) if name in self._again and self.keep_cache else layer
            if len(sources) == 1:
                values[name], masks[name] = through([use], values[sources[0]], masks.get(sources[0]))
            else:
                given = [values[source] for source in sources], [masks.get(source) for source in sources]
                values[name], masks[name] = forward_of_several(use, *given)
            if name in self.parts:
                its_masks = masks[name] if isinstance(masks[name], list) else [masks[name]]
                masks.update(zip(self.parts[name], its_masks, strict=False))  # those of states are none
                values.update(zip(self.parts[name], listed(values[name]), strict=True))
            uses.append((name, layer, use, sources))
        self.cache = uses, {part: values[part] for names in self.parts.values() for part in names}
        self.output_mask = of_outputs([masks.get(name) for name in self.output_names])
        found = [values[name] for name in self.output_names]
        return Several(found) if len(found) > 1 else found[0]

    def backward(self, dy: Any) -> Any:
        """The chain rule: a value that goes to several nodes gets the sum of their gradients. So does a parameter that is used in
        several places: dL/dw is the sum over its places.
        """
        if isinstance(dy, (list, tuple, dict)):
            dy = self.as_targets(dy, "Graph.backward")
        if self._only_answered or self._await_backward:
            self.before_backward(dy)
        gradients: dict[str, Any] = {}
        for name, gradient in zip(self.output_names, listed(dy), strict=True):
            add_gradient(gradients, name, gradient)
        twins = []
        uses, given = self.cache
        for name, layer, use, sources in reversed(uses):
            if self._needed is not None and name not in self._needed:
                continue
            for part in self.parts.get(name, ()):
                gradients.setdefault(part, np.zeros_like(given[part]))  # no node takes it
            gradient = gradient_of(gradients, self.parts.get(name, [name]))
            if gradient is None:
                refuse_without_dx(name, layer)
            found = None if gradient is None else use.backward(gradient)
            if len(sources) == 1:
                add_gradient(gradients, sources[0], found)
            else:
                for source, dx in zip(sources, [None] * len(sources) if found is None else found, strict=True):
                    add_gradient(gradients, source, dx)
            if use is not layer:
                twins.append((layer, use))
        for layer, use in twins:
            add_gradients(layer, use)
        dxs = [gradients.get(name) for name in self.inputs]
        return dxs[0] if len(dxs) == 1 else tuple(dxs)

    def pass_wants_dx(self, wants: bool) -> None:
        """A node takes part in backward if its layer learns, or if a node or an input before it needs a gradient."""
        needs = dict.fromkeys(self.inputs, wants)
        wanted: dict[int, bool] = {}
        for name, layer, sources in self.each_node():
            before = any(needs[source] for source in sources)
            needs |= dict.fromkeys(
                self.parts.get(name, [name]), before or any(p.trainable for p in layer.parameters().values())
            )
            wanted[id(layer)] = wanted.get(id(layer), False) or before
        for _, layer, _ in self.each_node():
            layer.wants_dx = wanted[id(layer)]
        self._needed = None if wants else {name for name, need in needs.items() if need}

    _needed: set[str] | None = None  # the nodes that take part in backward; None for all

    def last_layer(self) -> Layer | None:
        found = [layer for name, layer, _ in self._steps if [name] == self.output_names]
        return found[0].last_layer() if found and isinstance(found[0], Model) else next(iter(found), None)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        shared = Dense(4)
        return [
            (cls({"x": (4,)}, [("a", Dense(4), "x"), ("b", ReLU(), "a"), ("sum", Add(), ["x", "b"])], "sum"), (4,)),
            (
                cls(
                    {"x": (4,)},
                    [
                        ("first", shared, "x"),
                        ("curved", Tanh(), "first"),
                        ("again", shared, "curved"),
                        ("gated", Multiply(), ["again", "x", "first"]),
                        ("angle", Dot(normalize=True), ["gated", "again"]),
                        ("all", Concatenate(), ["angle", "gated"]),
                    ],
                    "all",
                ),
                (4,),
            ),
        ]
