"""Layer: the contract that everything with a forward and a backward keeps."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from inspect import unwrap
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np import initializers, regularizers
from minitorch_np.base.allocation import allocate_parameter, check_trial
from minitorch_np.base.answers import answer_missing
from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.cache import Call
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.contract import (
    Known,
    calling,
    guard,
    known_parameters,
    read_beside_training,
    refuse_lost_parameters,
    said_mode,
    warn_of_hidden,
)
from minitorch_np.base.node import Node
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.randomness import Streams, streams
from minitorch_np.base.replica import Replicator, original_of, refill, replica
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.validation import check_flags

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from minitorch_np.base.randomness import Seed

# Held while a layer is built, which may build layers inside it.
_BUILDING = threading.RLock()


class Layer(Node):
    """One step of a network: `forward` computes y from x, `backward` computes dL/dx from dL/dy.

    A subclass writes these two, and `build` if it has parameters:

    - `forward(x) -> y`. x has one row per example. What backward needs goes into `self.cache`.
    - `backward(dy) -> dx`. dy is dL/dy of the last forward. Sets `grad` of each parameter and returns dL/dx, or None
      where x holds whole numbers, of which there is no derivative.
      It sums over the batch and never averages: the loss's own gradient carries the 1/m.
    - `build(input_shape)`. Creates parameters with `self.add_parameter`; input_shape leaves the batch out.

    Neither writes into x, dy or an array already handed out; both keep the dtype they are given, and forward
    bears complex x (no abs, no writing into float arrays), which is what lets its gradient be checked exactly.

    Attributes:
        training: True while the model learns. Layers such as dropout behave differently then.
        keep_cache: False while nobody will call backward.
        wants_dx: False while nobody reads what backward returns; a costly dx may then be left out. A layer of layers hands it
            down, see pass_wants_dx.
        precomputable: True on classes whose output depends on x alone (no parameters, no randomness, no mode).
            At the front of a Sequential they are evaluated once per call of fit, not once per step.
        elementwise: True on classes of this package whose y has the shape of x, whatever that is.
        built, input_shape, output_shape: known after the first call; shapes leave the batch out.
        in_keras: True on classes that Keras has too, under the same name and with the same arguments.
        keras_activation: or the name of the function that Keras's Activation layer takes for it.
        keras_places: where Keras's files hold a parameter, if not at vars/0, vars/1, … in their order.
    """

    # Defaults live on the class, so that a subclass may forget super().__init__().
    _wants_dx = True
    precomputable = False
    built = False
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    in_keras = False
    keras_activation: str | None = None
    elementwise = False
    keras_places: Mapping[str, str] = MappingProxyType({})
    _streams: Streams | None = None
    _generator: np.random.Generator | None = None
    _dtype: np.dtype = np.dtype(np.float32)
    _trainable = True
    _known: Known | None = None  # the parameters that it is built with
    _taken: Shape | None = None  # the shape of x in the last forward, where it is guarded

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if vars(cls).get("__slots__"):
            raise TypeError(
                f"{cls.__name__}: a layer has no __slots__, as layers and parameters are looked for in its attributes. Leave it out."
            )
        guard(cls)

    if not TYPE_CHECKING:  # where it would make every attribute known

        def __getattr__(self, name: str) -> Any:
            """Runs for what is missing: a parameter is, until build has made it."""
            try:
                return answer_missing(self, name)
            except AttributeError as error:
                if name in unwrap(type(self).forward).__code__.co_names and vars(self).get("built"):
                    error.add_note(
                        "What forward sets while a model predicts is not kept. To look inside, ask a part of the model, "
                        "model[:3].predict(x), or run a forward in training mode, model(x, training=True)."
                    )
                builds = [vars(base)["build"] for base in type(self).__mro__ if "build" in vars(base)]
                made = any(name in getattr(getattr(build, "__code__", None), "co_names", ()) for build in builds)
                if made and not vars(self).get("built") and not hasattr(type(self), name):
                    error.add_note(
                        "The layer is not built yet, so it has no parameters. Call it on data, or, if its model begins with "
                        "Input(shape), ask for model.parameters(): both build it."
                    )
                raise

    # What a subclass writes

    def build(self, input_shape: Shape) -> None:
        """Create the parameters for inputs of this shape. A layer without parameters has no build."""

    def forward(self, x: NDArray) -> NDArray:
        raise NotImplementedError(f"{self!r} has no forward: write forward(self, x) and return y.")

    def backward(self, dy: NDArray) -> Any:
        raise NotImplementedError(f"{self!r} has no backward: write backward(self, dy) and return dL/dx.")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of y for this shape of x, the batch left out. By default, what forward makes of zeros."""
        if self.elementwise and is_built_in(type(self)):  # a subclass of somebody's may do something else
            return input_shape
        check_trial(input_shape)
        # Asked of a copy, so that the layer remembers nothing of it. Layers inside a built one are built by their use.
        replicator = Replicator()
        if self.built:
            self.require_fit(input_shape)
            layer = replicator.of(self)
        else:
            layer = copy.deepcopy(self)
            layer.receive(streams(0), self._dtype)
            layer.make_parameters(input_shape)
        zeros = np.zeros((1, *input_shape), self._dtype)
        with layer.in_mode(training=False, keep_cache=False), np.errstate(all="ignore"):
            shape = layer.forward(zeros).shape[1:]
        if replicator.grew():  # forward itself makes layers or parameters: let it make them here, once
            with self.in_mode(training=False, keep_cache=False), np.errstate(all="ignore"):
                self.forward(zeros)
        return shape

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        """Pairs (layer, input_shape) on which the test suite checks this class."""
        return []

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        """Inputs of this shape, the batch included, to try the layer on. Normal numbers, unless it takes others."""
        return rng.normal(size=shape)

    # What a subclass uses

    def add_parameter(
        self,
        shape: Shape | int,
        initializer: str | initializers.Initializer = "glorot_uniform",
        *,
        trainable: bool = True,
        regularizer: str | regularizers.Regularizer | None = None,
    ) -> Parameter:
        """A new parameter, drawn with the model's generator in the model's dtype.

        Store it in an attribute, whose name becomes the parameter's. Raises ValueError for an unknown
        initialiser or regulariser, and for an initialiser that returns another shape.
        """
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        allocate_parameter(sizes)
        value = initializers.find(initializer)(sizes, self._received().initialization)
        if np.shape(value) != sizes:
            raise ValueError(
                f"{self!r}: the initializer {initializer!r} returned shape {np.shape(value)}, expected {sizes}."
            )
        parameter = Parameter.sharing(np.array(value, self._dtype, order="C"), trainable)
        parameter.trainable = trainable and self._trainable
        parameter.regularizer = regularizers.find(regularizer)
        return parameter

    @property
    def generator(self) -> np.random.Generator:
        """The layer's own generator, for a forward that draws; drawing from it moves no other."""
        if self._generator is None:
            original = original_of(self)
            # A replica draws from a generator of its own, so that asking moves none that training uses.
            source = self._received().noise if original is None else original.generator
            (self._generator,) = source.spawn(1)
        return self._generator

    @property
    def trainable(self) -> bool:
        """Whether the parameters of this layer and of those inside it learn. Set it to False to freeze them all, to True to free them.

        It holds from the next step on. Where only some parameters are frozen it is True.
        """
        learnable = [parameter for parameter in self._all_parameters() if parameter.learnable]
        return any(parameter.trainable for parameter in learnable) if learnable else self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        check_flags(f"{type(self).__name__}", {"trainable": trainable})
        for _, layer in self.walk():
            layer._trainable = bool(trainable)  # for parameters that are made later
        for parameter in self._all_parameters():
            parameter.trainable = parameter.learnable and bool(trainable)

    def own_parameters(self) -> dict[str, Parameter]:
        """See Node.

        Raises:
            ValueError: an attribute that held a Parameter was given something else.
        """
        self.check_parameters()
        return super().own_parameters()

    def check_parameters(self) -> None:
        if self._known is not None:
            refuse_lost_parameters(self)

    def _all_parameters(self) -> list[Parameter]:
        return [parameter for _, layer in self.walk() for parameter in layer.own_parameters().values()]

    @property
    def wants_dx(self) -> bool:
        return self._wants_dx

    @wants_dx.setter
    def wants_dx(self, wants: bool) -> None:
        self._wants_dx = wants
        self.pass_wants_dx(wants)

    def pass_wants_dx(self, wants: bool) -> None:
        """Set wants_dx of the layers inside whose dL/dx this layer returns. A layer without layers inside has nothing to do."""

    # What happens around it

    def __call__(self, x: ArrayLike, training: bool | None = None) -> NDArray:
        """Build for the shape of x if this is the first call, then run forward. Whole numbers count as the layer's dtype, as in fit.

        Args:
            x: one row per example.
            training: the mode of this call alone; None for the mode of the layer, or of the model that calls it.
        """
        x = as_numbers(x, "x", self, "biufc")
        if not self.built:
            if self._streams is None:
                self.initialize(x.shape[1:], dtype=x.real.dtype if x.dtype.kind in "fc" else np.float32)
                warn_of_hidden(self)
            else:
                self.ensure_built(x.shape[1:])
        elif self._known is not None:
            refuse_lost_parameters(self)
        x = x.astype(self._dtype) if x.dtype.kind in "biu" else x
        reading = read_beside_training(self)
        if reading is not None:
            with reading(self) as replicator:
                twin = replicator.of(self)
                with calling(Call(twin, asks=True)):
                    return twin(x, training)
        if training is None:
            return self.forward(x)
        check_flags(f"{self!r}", {"training": training})
        with self.in_mode(training=bool(training), keep_cache=self.keep_cache), said_mode(training=bool(training)):
            return self.forward(x)

    def initialize(self, input_shape: Shape, rng: Seed = None, dtype: DTypeLike = np.float32) -> Self:
        """Draw the parameters of this layer and all below it for inputs of input_shape (without the batch).

        Raises:
            RuntimeError: the layer is built already. Its weights are never drawn a second time.
        """
        if self.built:
            raise RuntimeError(
                f"{self!r}.initialize: the layer is built already, and has its weights. Make a new one: layer.clone()."
            )
        self.receive(streams(rng), np.dtype(dtype))
        self.ensure_built(tuple(input_shape))
        return self

    def receive(self, streams: Streams, dtype: np.dtype) -> None:
        """Take generators and dtype from the model above, and hand them down."""
        self._streams, self._dtype, self._generator = streams, dtype, None
        for child in self.sublayers().values():
            child.receive(streams, dtype)

    def ensure_built(self, input_shape: Shape) -> Shape:
        """Build once; return the output shape.

        Raises:
            ValueError: the layer is built for inputs of another shape, for which its parameters have other shapes.
        """
        if self.output_shape is not None and self.built:
            if self.input_shape is None or tuple(input_shape) == tuple(self.input_shape):
                return self.output_shape
            self.require_fit(tuple(input_shape))
            return self.compute_output_shape(tuple(input_shape))
        original = original_of(self)
        with _BUILDING:  # two threads that call a new model build it once
            if original is None and self._streams is None and not self.built:
                self.initialize(input_shape)
            elif original is not None:
                original.ensure_built(input_shape)
                refill(self)
            elif self.output_shape is None or not self.built:
                self.make_parameters(input_shape)
                self.input_shape = input_shape
                self.built = True
                self.output_shape = self.compute_output_shape(
                    input_shape
                )  # which builds the layers inside by their use
        return self.output_shape  # type: ignore[return-value]

    def require_fit(self, input_shape: Shape) -> None:
        """Refuse inputs of another shape than the layer was built for, if its parameters would have other shapes for them.

        A replica builds itself for them, and so asks the layers inside too.
        """
        if not self.built or self.input_shape is None or tuple(input_shape) == tuple(self.input_shape):
            return
        known = self.own_parameters()
        if not known and not self.sublayers():
            return
        twin = replica(self)
        twin.receive(streams(0), self._dtype)
        twin.build(input_shape)
        for name, parameter in twin.own_parameters().items():
            if name not in known or parameter.shape != known[name].shape:
                has = f"there {name} has shape {known[name].shape}, here" if name in known else "here"
                raise ValueError(
                    f"{self!r}: the layer is built for inputs of shape {batch_of(self.input_shape or ())}, got "
                    f"{batch_of(input_shape)}: {has} it needs {parameter.shape}. Make a new layer for them."
                )

    def make_parameters(self, input_shape: Shape) -> None:
        self.build(input_shape)
        self._known = None
        known_parameters(self)
        self.receive(self._received(), self._dtype)  # sublayers that build has only now created
        if not self._trainable:
            self.trainable = False

    def before_forward(self) -> None:
        """Called before a forward of somebody's own class that keeps what backward needs; a model notes that there was one."""

    def before_backward(self, dy: Any) -> None:
        """Called before a backward of somebody's own class; a model refuses one that no forward in training has prepared."""

    def _received(self) -> Streams:
        if self._streams is None:
            self._streams = streams(None)
        return self._streams
