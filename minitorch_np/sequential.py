"""Sequential: the model of a list of layers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

from minitorch_np.base import sharing
from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.callers import caller
from minitorch_np.base.replica import replica
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.layer import Layer
from minitorch_np.layers import (
    BatchNormalization,
    Dense,
    Embedding,
    Input,
    LayerNormalization,
    ReLU,
    Sigmoid,
    Softmax,
    likely_mistakes,
)
from minitorch_np.layers.chain import backward_through, check_layer, refuse_repeats, shape_through
from minitorch_np.layers.masks import through
from minitorch_np.losses.finding import AnyLoss
from minitorch_np.model import Model
from minitorch_np.optimizers import Optimizer

if TYPE_CHECKING:
    import numpy as np

    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.randomness import Seed
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.metrics import Metric


_TAKES_ANY_SIZE = (BatchNormalization, LayerNormalization, Embedding)  # raw pixels are no problem for these


class Sequential(Model):
    """y = layer_n(… layer_2(layer_1(x))).

    Args:
        layers: the layers in order. With Input first, every shape is checked at once; the parameters are initialised when
            they are first needed, with the outermost model's generator.
        rng, dtype: see Model.

    Raises:
        ValueError: an item is not a layer, a layer appears twice, or shapes do not fit; it names the layer.
    """

    def __init__(self, layers: Sequence[Layer] = (), rng: Seed = None, dtype: str = "float32") -> None:
        if isinstance(layers, (Layer, Mapping)) or isinstance(rng, Layer):  # PyTorch's Sequential(Dense(1), ReLU())
            some = layers.values() if isinstance(layers, Mapping) else (layers, rng, dtype)
            given = [layer for layer in some if isinstance(layer, Layer)]
            raise ValueError(f"Sequential: all layers go in one list: Sequential({given!r}).")
        super().__init__(rng, dtype)
        vars(self)["layers"] = []
        for layer in layers:
            self._append(layer)
        self._check()

    _last_to_learn = 0  # the position at which backward ends

    @property
    def layers(self) -> list[Layer]:
        """The layers in order, built if the shape of the input is known."""
        self.build_if_shape_known()
        return self._layers

    @property
    def _layers(self) -> list[Layer]:
        return vars(self)["layers"]

    def add(self, layer: Layer) -> None:
        """Append a layer. If the model is built, the layer is built too."""
        self._refuse_in_fit("add")
        self._append(layer)
        try:
            self._check()
            if self.built:
                layer.set_streams(self._all_streams(), self._dtype)
                before = shape_through(self._layers[:-1], self.input_shape or (), "compute_output_shape")
                self.output_shape = layer.ensure_built(before)
        except ValueError:
            self._layers.pop()
            raise

    def pop(self) -> Layer:
        """Remove the last layer and return it, with its weights. model[:-1] is a model without it that shares the other layers."""
        self._refuse_in_fit("pop")
        if not self._layers:
            raise ValueError("Sequential.pop: the model has no layers.")
        before = set(self.parameters()) if self.built else set()
        layer = self._layers.pop()
        if self.built:
            self.output_shape = self._layers[-1].output_shape if self._layers else self.input_shape
            if self.optimizer is not None:
                self.optimizer.forget(before - set(self.parameters()))
        return layer

    def _refuse_in_fit(self, method: str) -> None:
        if sharing.fits_of_this_thread(self):
            raise RuntimeError(f"Sequential.{method}: fit is running. Change the layers of a model before or after it.")

    @answers_foreign_arguments
    def compile(
        self, optimizer: str | Optimizer, loss: AnyLoss, metrics: Sequence[str | Metric | Callable[..., Any]] = ()
    ) -> Self:
        """See Model. Warns if the outputs of the last layer make no sense to the loss."""
        super().compile(optimizer, loss, metrics)
        last, shape = self.last_layer(), self.output_shape
        if isinstance(last, Softmax) and shape is None and isinstance(self._layers[0], Input):
            shape = self.compute_output_shape(self._layers[0].shape)
        text = likely_mistakes.wrong_for_loss(self.loss, last, shape)
        self._has_warned = bool(text)
        if text:
            warnings.warn(f"{type(self).__name__}.compile: {text}.", stacklevel=caller())
        return self

    def last_layer(self) -> Layer | None:
        last = self._layers[-1] if self._layers else None
        return last.last_layer() if isinstance(last, Model) else last

    def _append(self, layer: Layer) -> None:
        check_layer("Sequential", layer, f" at position {len(self._layers) + 1}")
        if isinstance(layer, Input) and self._layers:
            raise ValueError("Sequential: Input gives the shape of the data, so it can only be the first layer.")
        self._layers.append(layer)

    def _check(self) -> None:
        refuse_repeats(self)
        if self._layers and isinstance(self._layers[0], Input):
            self.compute_output_shape(self._layers[0].shape)

    def build_if_shape_known(self) -> None:
        """Build the model if its first layer says the shape of the inputs."""
        shape = None if self.built else self._given_shape()
        if shape is not None:
            self.ensure_built(tuple(shape))

    def _given_shape(self) -> Shape | None:
        """The shape of the input, if the first layer is Input, or knows its own because it is built."""
        first = self._layers[0] if self._layers else None
        if isinstance(first, Input):
            return first.shape
        if isinstance(first, Sequential) and not first.built:
            return first._given_shape()
        return first.input_shape if first is not None and first.built else None

    def build(self, input_shape: Shape) -> None:
        self._chain(input_shape, "ensure_built")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._chain(input_shape, "compute_output_shape")

    def _chain(self, shape: Shape, method: str) -> Shape:
        """Pass a shape through all layers: `method` of each gives the shape for the next. An error names the layer."""
        if not self._layers:
            raise ValueError("Sequential: the model has no layers. Give it a list of layers.")
        for name, layer in self.sublayers().items():
            try:
                shape = shape_through([layer], shape, method)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return tuple(shape)

    @answers_foreign_arguments
    def forward(self, x: NDArray, mask: NDArray | None = None) -> NDArray:
        if not self.built:
            self.require_built("Sequential.forward")
        if self._only_answered and self.keep_cache:
            self.before_forward()
        x, self.output_mask = through(self._layers, x, mask)
        return x

    @answers_foreign_arguments
    def backward(self, dy: NDArray) -> Any:
        """The chain rule: each layer turns dL/dy into dL/dx, which is dL/dy of the layer before it."""
        if self._only_answered or self._await_backward:
            self.before_backward(dy)
        return backward_through(self._layers[self._last_to_learn :], dy)

    def pass_wants_dx(self, wants: bool) -> None:
        """If dx is not used, backward ends at the first layer with trainable parameters, and this layer may skip its dx."""
        learns = (any(p.trainable for p in layer.parameters().values()) for layer in self._layers)
        first = 0 if wants else next((position for position, learning in enumerate(learns) if learning), 0)
        for position, layer in enumerate(self._layers):
            layer.wants_dx = wants or position != first
        self._last_to_learn = 0 if wants else first

    def input_warnings(self, x: NDArray) -> list[str]:
        """See Model. Here x runs through the layers, up to the first one with learnable parameters."""
        found = likely_mistakes.beside_the_list(self)
        for layer in _one_by_one(replica(self)):
            if likely_mistakes.is_never_adapted(layer) and not (abs(x.mean()) < 1 and 1 / 3 < x.std() < 3):
                found.append(likely_mistakes.never_adapted(layer, x))
            if any(parameter.learnable for parameter in layer.parameters().values()):
                if x.min() >= 0 and 100 < x.max() <= 255 and not isinstance(layer, _TAKES_ANY_SIZE):
                    found.append(
                        f"the first layer with parameters gets numbers up to {x.max():g}, like raw pixels. "
                        "Begin the model with Rescaling(1 / 255): it learns better, and carries its own preprocessing."
                    )
                break
            x = layer.forward(x)
        return found

    def split_preprocessing(self) -> tuple[Sequential | None, Sequential]:
        length = 0
        while length < len(self._layers) and self._layers[length].precomputable:
            length += 1
        return self[:length] if length else None, self[length:]

    def first_dense(self, who: str) -> Dense:
        """The Dense that gets what the preprocessing gives, one row per example; fit(in_span=True) needs it.

        Raises:
            ValueError: it is another layer, or its inputs are sequences; it names the layer.
        """
        rest = self.split_preprocessing()[1]
        first = rest.layers[0] if len(rest) else None
        if type(first) is not Dense:
            raise ValueError(
                f"{who}: expected a Dense first, after layers that only prepare the data (Input, Rescaling, Flatten, Normalization), "
                f"got {first!r}. {likely_mistakes.why_not_first(first)}, or leave in_span out."
            )
        if len(first.input_shape or ()) != 1:
            raise ValueError(
                f"{who}: expected one row of features per example before {first!r}, got {batch_of(first.input_shape or ())}. "
                "Leave in_span out, or put Flatten() before it."
            )
        return first

    def with_first_dense(self, kernel: Parameter) -> Sequential:
        """The layers after the preprocessing, with the same weights but for the first kernel. See first_dense."""
        rest = self.split_preprocessing()[1]
        first = copy.copy(self.first_dense("fit"))
        first._known = None
        first.kernel = kernel
        vars(rest)["layers"] = [first, *rest.layers[1:]]
        return rest

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        first = next((layer for layer in self._layers if not isinstance(layer, Input)), Input(shape))
        return first.example_input(shape, rng)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls([Dense(4), ReLU(), cls([Dense(3), Sigmoid()]), Dense(2)]), (5,))]

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Layer | Sequential:
        """One layer, or a Sequential of some of them: the same layers, with the same weights."""
        if not isinstance(index, slice):
            return self.layers[index]
        part = Sequential(dtype=self.dtype)
        vars(part)["layers"] = chosen = self.layers[index]
        part._streams, part._dtype, part.built = self._streams, self._dtype, self.built
        if self.built:
            start = self._layers.index(chosen[0]) if chosen else 0
            before = self._layers[start - 1].output_shape if start else self.input_shape
            part.input_shape = before
            part.output_shape = chosen[-1].output_shape if chosen else before
        return part

    def __setitem__(self, index: int, layer: Layer) -> None:
        """Replace a layer. If the model is built, the new layer is built too; those after it keep their weights."""
        before = self.layers[:]
        after = [self.pop() for _ in before[range(len(self))[index] :]]
        try:
            for each in (layer, *after[-2::-1]):
                self.add(each)
        except ValueError:
            vars(self)["layers"], self.output_shape = before, before[-1].output_shape
            raise


def _one_by_one(model: Sequential) -> Iterator[Layer]:
    """The layers of a Sequential, and of those inside it, in the order of forward."""
    for layer in model._layers:
        if isinstance(layer, Sequential):
            yield from _one_by_one(layer)
        else:
            yield layer
