"""Calls: how a model is built, and what model(x) does in inference mode and in training mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base import sharing
from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.any_length import fits, is_open
from minitorch_np.base.arrays import as_numbers, in_dtype
from minitorch_np.base.cache import Call
from minitorch_np.base.contract import calling, explicit_mode, is_called
from minitorch_np.base.randomness import Streams, streams
from minitorch_np.base.several import each
from minitorch_np.base.shapes import has_several
from minitorch_np.base.validation import check_flags
from minitorch_np.training.columns import checked_columns

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from minitorch_np.base.randomness import Seed
    from minitorch_np.base.shapes import NDArray, Shape
    from minitorch_np.layer import Layer
else:
    Layer = object  # Model, which has these methods, is a Layer


class Calls(Layer):
    """How a model is built and called: model(x) keeps nothing, model(x, training=True) keeps what backward needs."""

    rng: Seed
    dtype: str
    feature_names: list[str] | None
    _own_streams: Streams | None = None
    _calls_train = False  # the mode of calls, as train() and eval() set it
    _await_backward = 0  # calls in training mode since the last backward
    _given: Shape | None = None  # the shape of y in the last call in training mode
    _only_answered = False  # the last call was inference, and no earlier one awaits its backward

    @answers_foreign_arguments
    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """y for x in inference mode, as `predict` computes it for one batch. Nothing is kept for backward.

        Args:
            x: one row per example; for several inputs a list or a dictionary, as for fit.
            training: True for a forward in training mode, after which `backward` may be called. `model.train()` makes this the mode of
                all calls, `model.eval()` makes it inference again; a layer on which `train()` is called after that stays in training mode.

        Inside the forward of another model, this model has the mode of that one, unless `training` is given.
        """
        if training is not None:
            self._check_training(training)
        x = self.as_inputs(x, type(self).__name__)
        checked_columns(x, self.feature_names, type(self).__name__)
        x = each(lambda array: as_numbers(array, "x", self, "biufc"), x)
        if not self.built:
            self.ensure_built(x.shape[1:])
        x = each(self._in_its_dtype, x)
        if is_called(self):
            if training is None:
                return self.forward(x)
            with (
                self.in_mode(training=bool(training), keep_cache=self.keep_cache),
                explicit_mode(training=bool(training)),
            ):
                return self.forward(x)
        if (self._calls_train or self._has_layers_in_training()) if training is None else training:
            return self.as_outputs(self._call_in_training(x, training))
        self._only_answered = not self._await_backward
        with sharing.reading(self) as replica, calling(Call(replica, inference=True)):
            return self.as_outputs(replica.forward(x))

    def _has_layers_in_training(self) -> bool:
        """Whether train() was called on layers inside after eval() of the model, as for dropout at test time."""
        return not self._training and any(node._training for _, node in self.walk())

    def _in_its_dtype(self, x: NDArray) -> NDArray:
        """x in the model's dtype, or as it is if it is complex, as gradcheck passes it."""
        return in_dtype(x, self.compute_dtype, f"{type(self).__name__}: x") if x.dtype.kind in "biuf" else x

    def _check_training(self, training: Any) -> None:
        if hasattr(training, "shape") and training.shape != ():
            several = has_several(self._given_shape() or ())
            remedy = "Write model([a, b])." if several else "Put inputs side by side: np.concatenate([a, b], axis=-1)."
            raise ValueError(
                f"{type(self).__name__}: a model is called with one array, got a second one of shape {training.shape} as training. {remedy}"
            )
        check_flags(type(self).__name__, {"training": training})

    def _call_in_training(self, x: NDArray, training: bool | None) -> NDArray:
        """A forward that keeps what backward needs. With training=None, layers on which eval() was called stay in inference mode."""
        for running in sharing.fits_of_this_thread(self):  # in a callback: backward then computes every gradient
            running.disturbed = self.wants_dx = True
        for _, node in self.walk():
            node.check_parameters()
        self._await_backward, self._only_answered = self._await_backward + 1, False
        with self.in_mode(training=training, keep_cache=True), calling(Call(self)):
            y = self.forward(x)
        self._given = y.shape
        return y

    @answers_foreign_arguments
    def train(self, mode: bool = True) -> Self:
        """Run calls of this model in training mode from now on: after model(x), model.backward(dy) may be called.

        `train(False)` is `eval()`.
        """
        super().train(mode)
        self._calls_train = bool(mode)
        return self

    @answers_foreign_arguments
    def eval(self) -> Self:
        """Run calls of this model in inference mode, which is the default."""
        self._calls_train = False
        return super().eval()

    def before_forward(self) -> None:
        self._only_answered = False

    def before_backward(self, dy: Any) -> None:
        if self._await_backward == 1 and (dy.shape if hasattr(dy, "shape") else np.shape(dy)) != self._given:
            got = "None" if dy is None else f"shape {np.shape(dy)}"
            raise ValueError(
                f"{type(self).__name__}.backward: expected dL/dy of the shape of y, {self._given}, got {got}. If the loss is of something "
                "computed from y, such as y[rows, actions] or a @ b.T, take its gradient back to y first: docs/how_do_i.md, "
                '"Policy gradient, Q-learning (DQN)" and "Pairs, triplets, tied weights".'
            )
        if self._only_answered:
            raise RuntimeError(
                f"{type(self).__name__}.backward: the last call of this model was inference, which keeps nothing for backward. "
                "Write model(x, training=True), or model.train() once before the loop."
            )
        if self._await_backward > 1:
            raise RuntimeError(
                f"{type(self).__name__}.backward: the model ran {self._await_backward} times in training mode since the last backward, "
                "and each run replaced what the one before had kept. Put all inputs into one batch (np.concatenate) and call it "
                "once; model(x) runs inference and keeps nothing; model.drop_caches() forgets runs that need no backward."
            )
        self._await_backward = 0

    def forget(self) -> None:
        super().forget()
        self._await_backward, self._only_answered = 0, False

    # What Graph overrides, because it may have several inputs and outputs

    def as_inputs(self, x: Any, who: str, *, batches: bool = False) -> Any:
        """x itself; of several inputs Several. With batches=True, x may also be batches, which are returned as they are."""
        return x

    def as_targets(self, y: Any, who: str) -> Any:
        """y itself; of several outputs Several."""
        return y

    def as_weights(self, sample_weight: Any, who: str) -> Any:
        """sample_weight itself; if it has one array for each of several outputs, Several. None stands for weights of 1."""
        return sample_weight

    def as_outputs(self, outputs: Any) -> Any:
        """The outputs as the caller gets them: of several a list."""
        return outputs

    def reset_states(self) -> None:
        """Forget the states that recurrent layers with stateful=True keep from batch to batch: the next batch has new sequences."""
        for _, node in self.walk():
            if node is not self and hasattr(type(node), "reset_states"):
                node.reset_states()  # type: ignore[attr-defined]

    # Building

    def initialize(self, input_shape: Shape, rng: Seed = None, dtype: DTypeLike | None = None) -> Self:
        return super().initialize(input_shape, rng, self.dtype if dtype is None else dtype)

    def ensure_built(self, input_shape: Any) -> Any:
        given = self._given_shape()
        if not self.built and given is not None and is_open(given) and fits(input_shape, given):
            super().ensure_built(given)  # for any length, and not for that of the first batch
        return super().ensure_built(input_shape)

    @property
    def output_shape(self) -> Any:
        """The shape of y without the batch; None before the shape of x is known."""
        known, given = vars(self).get("output_shape"), self._given_shape()
        return self.compute_output_shape(given) if known is None and given is not None else known

    @output_shape.setter
    def output_shape(self, shape: Any) -> None:
        vars(self)["output_shape"] = shape

    def _given_shape(self) -> Any:
        """The shape of the input, if the model says it before there are data."""
        return None

    def set_streams(self, streams_above: Streams, dtype: np.dtype) -> None:
        if self.rng is not None and self._own_streams is None:
            self._own_streams = streams(self.rng)
        super().set_streams(self._own_streams or streams_above, dtype)

    def build_if_shape_known(self) -> None:
        """A Graph, and a Sequential that begins with Input, build themselves here."""

    def require_built(self, who: str) -> None:
        """Raise RuntimeError unless the model has its parameters, or can make them now."""
        self.build_if_shape_known()
        if not self.built:
            raise RuntimeError(
                f"{who}: the model is not built yet, so its parameters do not exist. Begin it with Input(shape), "
                "call it on data, or fit it first."
            )

    def _refuse_unbuilt(self, method: str) -> None:
        self.require_built(f"{type(self).__name__}.{method}")

    @property
    def compute_dtype(self) -> np.dtype:
        """The dtype of the computation: the model's own, or the outer model's if it is inside one."""
        return self._dtype

    @property
    def shuffling(self) -> np.random.Generator:
        """The generator that orders the examples."""
        return self._all_streams().shuffling
