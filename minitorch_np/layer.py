"""Layer: the base class of everything with a forward and a backward."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np import initializers, regularizers
from minitorch_np.base.allocation import allocate_parameter, check_trial
from minitorch_np.base.answers import answers_foreign_arguments, missing_attribute
from minitorch_np.base.any_length import open_shape
from minitorch_np.base.arrays import as_numbers
from minitorch_np.base.cache import Call
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.contract import (
    Known,
    calling,
    explicit_mode,
    guard,
    known_parameters,
    no_backward,
    read_beside_training,
    refuse_lost_parameters,
    refuse_other_shape,
    warn_of_hidden,
)
from minitorch_np.base.node import nothing_replaced
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.randomness import Streams, streams
from minitorch_np.base.replica import Replicator, original_of, refill
from minitorch_np.base.shapes import Shape, has_several
from minitorch_np.base.validation import check_mode
from minitorch_np.base.weights import Weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from minitorch_np.base.randomness import Seed
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.constraints import Constraint

_BUILDING = threading.RLock()  # held while a layer is built, which may build the layers inside it


class Layer(Weights):
    """One step of a network: `forward` computes y from x, `backward` computes dL/dx from dL/dy.

    A subclass writes these two, and `build` if it has parameters:

    - `forward(x) -> y`. x has one row per example. What backward needs goes into `self.cache`.
    - `backward(dy) -> dx`. dy is dL/dy of the last forward. Sets `grad` of each parameter and returns dL/dx, or None if x
      holds whole numbers, which have no derivative.
      It sums over the batch and never averages: the loss's own gradient has the factor 1/m.
    - `build(input_shape)`. Creates parameters with `self.add_parameter`; input_shape leaves the batch out.

    Neither writes into x, dy or an array that it has returned. Both keep the dtype they are given. forward also takes complex x
    (so it uses no abs, and writes into no float array): gradcheck needs that to know the derivative exactly.

    A layer gets its parameters once: `initialize` sets the generators and the dtype, then `ensure_built` calls `build`. The first
    call of the layer does this if it was not done before. `compute_output_shape` gives the shape of y without building the layer.

    Attributes:
        training: True while the model learns. Layers such as dropout behave differently then.
        keep_cache: False while no backward will be called; then forward keeps nothing.
        wants_dx: False while dx, the result of backward, is not used, so that backward need not compute it: see pass_wants_dx.
        precomputable: True on classes whose outputs stay the same during training (no learnable parameters, randomness or mode): at
            the front of a Sequential they run once per call of fit.
        uses_blocks: True on classes that compute large arrays with `in_blocks`, on all cores: see base/blocks.py.
        elementwise: True on classes of this package whose y always has the shape of x.
        supports_masking: whether y has the mask of x. output_mask: the mask of y, if forward makes one. See layers/masks.py.
        built, input_shape, output_shape: known after the first call; shapes leave the batch out.
        in_keras: True on classes that Keras has too, with the same name and arguments.
        keras_activation: the name of the function in Keras's Activation layer, if it is there.
        keras_places: where Keras's files hold the parameters, if not at vars/0, vars/1, … in order.
    """

    # Defaults are on the class, so that a subclass may forget super().__init__().
    _wants_dx = True
    built: bool = False
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    keras_activation: str | None = None
    precomputable = elementwise = uses_blocks = supports_masking = in_keras = False
    output_mask: NDArray | None = None
    keras_places: Mapping[str, str] = {}
    _streams: Streams | None = None
    _generator: np.random.Generator | None = None
    _dtype: np.dtype = np.dtype(np.float32)
    _known: Known | None = None  # the parameters that it was built with
    _taken: Shape | None = None  # the shape of x in the last forward of a user-defined class

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        guard(cls)

    if not TYPE_CHECKING:  # for a type checker every attribute would exist

        def __getattr__(self, name: str) -> Any:
            """Runs for missing attributes; adds a hint if the layer is not built, or if forward has set the attribute."""
            return missing_attribute(self, name)

    # What a subclass writes

    def build(self, input_shape: Shape) -> None:
        """Create the parameters for inputs of this shape. A layer without parameters has no build."""

    def forward(self, x: NDArray) -> NDArray:
        raise NotImplementedError(f"{self!r} has no forward: write forward(self, x) and return y.")

    def backward(self, dy: NDArray) -> Any:
        raise NotImplementedError(no_backward(self))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The shape of y for this shape of x, both without the batch. By default it is found by a forward of zeros."""
        if self.elementwise and is_built_in(type(self)):  # a user-defined subclass may do something else
            return input_shape
        check_trial(input_shape)
        # Forward runs on a copy, so the layer itself does not change. If it is built, this forward builds the layers inside.
        replicator = Replicator()
        if self.built:
            refuse_other_shape(self, input_shape)
            layer = replicator.of(self)
        else:
            layer = copy.deepcopy(self)
            layer.set_streams(streams(0), self._dtype)
            layer._make_parameters(input_shape)
        shapes: Any = input_shape if has_several(input_shape) else (input_shape,)
        zeros = [np.zeros((1, *shape), self._dtype) for shape in shapes]
        with layer.in_mode(training=False, keep_cache=False), np.errstate(all="ignore"):
            shape = layer.forward(*zeros).shape[1:]
        if replicator.grew():  # forward creates layers or parameters: run it on the layer itself too
            with self.in_mode(training=False, keep_cache=False), np.errstate(all="ignore"):
                self.forward(*zeros)
        return shape

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        """Pairs (layer, input_shape) on which the test suite checks this class."""
        return []

    def example_input(self, shape: Shape, rng: np.random.Generator) -> NDArray:
        """Random inputs of this shape (with the batch), for tests. Override it if the layer cannot take normal numbers."""
        return rng.normal(size=shape)

    # What a subclass uses

    def add_parameter(
        self,
        shape: Shape | int,
        initializer: str | initializers.Initializer = "glorot_uniform",
        *,
        trainable: bool = True,
        regularizer: str | regularizers.Regularizer | None = None,
        constraint: str | Constraint | None = None,
    ) -> Parameter:
        """A new parameter, initialised with the model's generator in the model's dtype.

        Store it in an attribute, whose name becomes the parameter's. Raises ValueError for an unknown name or another shape.
        """
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        allocate_parameter(sizes)
        value = initializers.find(initializer)(sizes, self._all_streams().initialization)
        if np.shape(value) != sizes:
            raise ValueError(
                f"{self!r}: the initializer {initializer!r} returned shape {np.shape(value)}, expected {sizes}."
            )
        parameter = Parameter.sharing(np.array(value, self._dtype, order="C"), trainable)
        parameter.trainable = trainable and self._trainable
        parameter.regularizer = regularizers.find(regularizer)
        if constraint is not None:
            from minitorch_np import constraints  # few models have one

            parameter.constraint = constraints.find(constraint)
        return parameter

    @property
    def generator(self) -> np.random.Generator:
        """The layer's own generator, for a forward with random numbers. Drawing from it changes no other generator."""
        if self._generator is None:
            original = original_of(self)
            # A replica has a generator of its own, so that inference does not change that of training.
            source = self._all_streams().noise if original is None else original.generator
            (self._generator,) = source.spawn(1)
        return self._generator

    def check_parameters(self) -> None:
        if self._known is not None:
            refuse_lost_parameters(self)

    def _set_wants_dx(self, wants: bool) -> None:
        self._wants_dx = wants
        self.pass_wants_dx(wants)

    if TYPE_CHECKING:
        wants_dx: bool
    else:  # read in each backward: attrgetter is faster than a function
        wants_dx = property(attrgetter("_wants_dx"), _set_wants_dx)

    def pass_wants_dx(self, wants: bool) -> None:
        """Set wants_dx of the layers inside whose dL/dx this layer returns. A layer without layers inside has nothing to do."""

    # What callers use

    @answers_foreign_arguments
    def __call__(self, x: ArrayLike, training: bool | None = None) -> NDArray:
        """Build for the shape of x if this is the first call, then run forward.

        Whole numbers are converted to the layer's dtype, as in fit.

        Args:
            x: one row per example.
            training: the mode for this call only; None for the mode of the layer, or of the model that calls it.
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
        if (reading := read_beside_training(self)) is not None:
            with reading(self) as replica, calling(Call(replica, inference=True)):
                return replica(x, training=training)
        if training is None:
            return self.forward(x)
        check_mode(f"{self!r}", training)
        with self.in_mode(training=bool(training), keep_cache=self.keep_cache), explicit_mode(training=bool(training)):
            return self.forward(x)

    def initialize(self, input_shape: Shape, rng: Seed = None, dtype: DTypeLike = np.float32) -> Self:
        """Create and initialise the parameters of this layer and of those inside it, for inputs of input_shape (without the batch).

        Raises:
            RuntimeError: the layer is built already. Its weights are never initialised a second time.
        """
        if self.built:
            raise RuntimeError(
                f"{self!r}.initialize: the layer is built already, and has its weights. Make a new one: layer.clone()."
            )
        self.set_streams(streams(self._seed_of_copies if rng is None else rng), np.dtype(dtype))
        self.ensure_built(tuple(input_shape))
        return self

    def set_streams(self, streams: Streams, dtype: np.dtype) -> None:
        """Set the generators and the dtype of this layer and of those inside it."""
        self._streams, self._dtype, self._generator = streams, dtype, None
        for child in self.sublayers().values():
            child.set_streams(streams, dtype)

    def ensure_built(self, input_shape: Shape) -> Shape:
        """Build if that has not been done; return the output shape for inputs of this shape.

        Raises:
            ValueError: the layer is built for inputs of another shape, for which its parameters have other shapes.
        """
        if self.output_shape is not None and self.built:
            if self.input_shape is None or tuple(input_shape) == tuple(self.input_shape):
                return self.output_shape
            refuse_other_shape(self, tuple(input_shape))
            return self.compute_output_shape(tuple(input_shape))
        original = original_of(self)
        with _BUILDING:  # two threads that call a new model build it once
            if original is not None:
                original.ensure_built(input_shape)
                refill(self)
            elif self._streams is None and not self.built:
                self.initialize(input_shape)
            elif self.output_shape is None or not self.built:
                self._make_parameters(input_shape)
                self.input_shape, self.built = input_shape, True
                self.output_shape = open_shape(self.compute_output_shape, input_shape)  # builds the layers inside
        return self.output_shape  # type: ignore[return-value]

    def _make_parameters(self, input_shape: Shape) -> None:
        with nothing_replaced(self):
            self.build(input_shape)
        self._known = None
        known_parameters(self)
        self.set_streams(self._all_streams(), self._dtype)  # of layers that build has created
        if not self._trainable:
            self.trainable = False

    def before_forward(self) -> None:
        """Called before a forward of a user-defined class, if it keeps what backward needs. A model counts these calls."""

    def before_backward(self, dy: Any) -> None:
        """Called before a backward of a user-defined class; a model raises if no forward in training mode came before."""

    def _all_streams(self) -> Streams:
        """The generators that were set, or else new ones, without a seed unless the layer was copied."""
        self._streams = self._streams or streams(self._seed_of_copies)
        return self._streams
