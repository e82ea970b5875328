"""Model: a layer that can be compiled, trained, evaluated and asked."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakKeyDictionary

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments, instead_of
from minitorch_np.base.arrays import as_numbers, in_dtype
from minitorch_np.base.cache import Call
from minitorch_np.base.callers import caller
from minitorch_np.base.contract import calling, is_called, said_mode
from minitorch_np.base.files import AnyPath
from minitorch_np.base.parameter import Parameters
from minitorch_np.base.randomness import Streams, streams
from minitorch_np.base.replica import Replicator
from minitorch_np.base.shapes import Shape
from minitorch_np.base.validation import check_flags, check_order
from minitorch_np.callbacks.callback import Callback
from minitorch_np.layer import Layer
from minitorch_np.layers import Normalization, Sigmoid, Softmax
from minitorch_np.losses import Loss
from minitorch_np.metrics import Metric
from minitorch_np.metrics import check as check_metric
from minitorch_np.optimizers import Optimizer
from minitorch_np.source import Source
from minitorch_np.training import sharing
from minitorch_np.training.fit import evaluate, fit, predict
from minitorch_np.training.history import History
from minitorch_np.training.input_range import Seen
from minitorch_np.training.options import BATCH_SIZE, LARGE_BATCH_SIZE
from minitorch_np.training.summary import summarize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from minitorch_np.base.randomness import Seed

# Which model each optimizer was compiled into. A copy of an optimizer is not in it, and belongs to nobody yet.
_OWNERS: WeakKeyDictionary[Optimizer, weakref.ref[Model]] = WeakKeyDictionary()


class Model(Layer):
    """A layer made of layers, with training around it.

    Subclass it for a network that is no list: create the sublayers in the constructor, write `forward` and
    `backward` over them. A model stands inside another like any other layer.

    Args:
        rng: an int or a numpy Generator; the same int gives the same weights, the same order of examples and the
            same draws of every layer. None draws differently each time. A model inside another uses the outer one's
            unless it has its own.
        dtype: "float32" or "float64", of the parameters and of the computation.
    """

    rng: Seed = None
    dtype: str = "float32"
    optimizer: Optimizer
    loss: Loss
    metrics: Sequence[str | Metric | Callable[..., Any]] = ()
    history: History | None = None
    stop_training = False
    class_names: Sequence[str] | None = None
    seen: Seen | None = None
    _own_streams: Streams | None = None
    _doubted = False  # whether compile has warned of the last layer
    _calls_train = False  # what train() and eval() said of calls
    _await_backward = 0  # calls in training mode since the last backward
    _given: Shape | None = None  # the shape of y in the last call in training mode
    _only_answered = False  # the last call kept nothing, and no earlier one awaits its backward

    def __init__(self, rng: Seed = None, dtype: str = "float32") -> None:
        if _dtype_name(dtype) not in ("float32", "float64"):
            raise ValueError(f"{type(self).__name__}: dtype is 'float32' or 'float64', got {dtype!r}.")
        self.rng = rng
        self.dtype = dtype
        if rng is not None:
            streams(rng)  # says now what is wrong with it

    # Training and use

    @answers_foreign_arguments
    def compile(
        self, optimizer: Optimizer, loss: Loss, metrics: Sequence[str | Metric | Callable[..., Any]] = ()
    ) -> Self:
        """Say how the model learns and what is measured beside the loss.

        Args:
            optimizer: such as SGD(learning_rate=0.01).
            loss: such as BCELoss().
            metrics: names ("accuracy", "mae", "r2", …), Metric objects, or functions (prediction, target) -> number, or
                (y_true, y_pred) by these names. A function is called once an epoch, with all outputs and all targets.

        Raises:
            ValueError: something is of another kind; a loss or metric takes the target first; the optimizer belongs to another
                model.
        """
        who = f"{type(self).__name__}.compile"
        _check_kinds(who, optimizer, loss, metrics)
        check_order(loss, "forward", "(self, prediction, target)")
        for metric in metrics:
            check_metric(metric, who)
        owner = _OWNERS.get(optimizer, lambda: None)()
        if owner is not None and owner is not self:
            raise ValueError(
                f"{who}: this optimizer belongs to another model, and keeps what it learnt of its parameters by their names. "
                f"Make a second one: {optimizer!r}."
            )
        _OWNERS[optimizer] = weakref.ref(self)
        self.optimizer, self.loss, self.metrics = optimizer, loss, list(metrics)
        return self

    @answers_foreign_arguments
    def fit(
        self,
        x: ArrayLike | Source | Iterable[Any] | Callable[[], Iterable[Any]],
        y: ArrayLike | None = None,
        *,
        epochs: int = 1,
        batch_size: int | None = BATCH_SIZE,
        validation_data: tuple[ArrayLike, ArrayLike] | Source | Iterable[Any] | None = None,
        validation_split: float = 0.0,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[Any, float] | None = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        shuffle: bool | None = None,
        progress: bool = True,
        callbacks: Sequence[Callback] = (),
        resume: AnyPath | None = None,
        log_dir: AnyPath | None = None,
    ) -> History:
        """Learn from examples: for each batch forward, loss, backward, one step of the optimiser.

        Args:
            x: one row per example, (n, *input_shape), numbers of any type. Or, without y, what gives batches: a Source such as
                datasets.HDF5Dataset, an iterable of (x, y) or (x, y, weights), an object with `__len__` and `__getitem__` of
                such batches, or a function that returns one of these. They are gone through in the thread that calls fit, one
                batch at a time, and each is copied before the next is asked for; only a Source with `read_ahead`, as this
                package's own are, is read in another thread.
            y: the targets, one per example; (n,) and (n, 1) both suit a model with one output.
            epochs: how often to go through the examples.
            batch_size: examples in one step; None for all of them. The last batch may be smaller. Not beside batches that are
                made already.
            validation_data: a pair (x, y), or batches as for x, measured after every epoch.
            validation_split: the share at the end of x and y to keep for that instead.
            sample_weight: what each example counts in the loss, (n,): the mean of w_i L_i. Metrics and validation do not
                follow it.
            class_weight: likewise by class, {0: 1.0, 1: 2.5}; where y has a class for each step, each step is weighed. Targets that
                are no classes, such as several yes-or-no columns, are refused.
            steps_per_epoch: batches in one epoch, of an iterable or generator. The next epoch goes on where this one ended, and
                at the end of the data they begin anew. Without it an epoch goes through all, so one that never ends needs it.
            validation_steps: batches of validation_data to measure on, likewise; each validation begins anew.
            shuffle: draw a new order for every epoch, which is the default; batches that are made already keep theirs.
            progress: show a bar, if the output is a terminal or a notebook.
            callbacks: objects that are told of every epoch and batch; validation is a test to them.
            resume: a file in which the run is kept while it goes on. If it is there, the run continues where it stands, to the bit,
                until `epochs` are done; with another model, optimiser, callback or data it is refused.
            log_dir: a folder for TensorBoard's event files (extra `tensorboard`).

        Returns:
            The History, also kept as `model.history`. Ctrl-C ends training after a whole step and returns it too.

        Raises:
            ValueError: data that do not fit, with what was expected.
            FloatingPointError: the loss is not finite, or a weight, a running statistic or the optimiser's state. Names epoch, batch
                and first such layer or parameter; the weights are put back to those of at most 16 steps before.
        """
        self._require_compiled("fit")
        checkpoint = None
        if resume is not None:
            from minitorch_np.saving.checkpoint import Checkpoint

            checkpoint = Checkpoint(resume)
        if log_dir is not None:
            from minitorch_np.callbacks import TensorBoard

            board = TensorBoard(log_dir)
            callbacks = [*callbacks, board] if isinstance(callbacks, (list, tuple)) else callbacks
        return fit(
            self,
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=validation_data,
            validation_split=validation_split,
            sample_weight=sample_weight,
            class_weight=class_weight,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            shuffle=shuffle,
            progress=progress,
            callbacks=callbacks,
            checkpoint=checkpoint,
        )

    @answers_foreign_arguments
    def evaluate(
        self,
        x: Any,
        y: ArrayLike | None = None,
        *,
        batch_size: int | None = LARGE_BATCH_SIZE,
        steps: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> Any:
        """Loss and metrics in inference mode, as a named tuple: `scores.loss, scores.accuracy`, or unpacked; x as for fit.

        `steps` is the number of batches to take from an iterable or generator; None for all, so one that never ends needs it.
        """
        self._require_compiled("evaluate")
        return evaluate(self, x, y, batch_size, steps, callbacks)

    @answers_foreign_arguments
    def predict(
        self,
        x: Any,
        *,
        batch_size: int | None = LARGE_BATCH_SIZE,
        steps: int | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> NDArray:
        """The outputs for x in inference mode, computed batch by batch, x as for fit; no activations are kept.

        `steps` as for evaluate.
        """
        return predict(self, x, batch_size, steps, callbacks)

    def summary(self) -> None:
        """Print each layer with its output shape and its parameters, and the total."""
        self.require_built(f"{type(self).__name__}.summary")
        print(summarize(self))

    # Weights

    def parameters(self) -> Parameters:
        self.require_built(f"{type(self).__name__}.parameters")
        return super().parameters()

    def get_weights(self) -> list[NDArray]:
        """Copies of all values, in the order of `parameters()`; beside a fit in another thread, those after one of its steps."""
        parameters = self.parameters().values()
        with sharing.paused(parameters):
            return [parameter.value.copy() for parameter in parameters]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace all values; nothing is changed unless every one fits.

        Raises:
            ValueError: another number of arrays; a shape that differs, numbers too large for the dtype, or no real numbers, with
                the parameter's name.
        """
        names = list(self.parameters())
        who = f"{type(self).__name__}.set_weights"
        if not isinstance(weights, Sequence) or len(weights) != len(names):
            count = f"got {len(weights)}" if isinstance(weights, Sequence) else f"got {type(weights).__name__}"
            raise ValueError(
                f"{who}: expected {len(names)} arrays, {count}. get_weights gives such a list; load_state_dict takes a dictionary."
            )
        self._replace(dict(zip(names, weights, strict=True)), who)

    def state_dict(self) -> dict[str, NDArray]:
        """Copies of all values by name, as PyTorch has it, each in C order: for whatever reads raw memory, such as safetensors."""
        return {
            name: np.ascontiguousarray(value) for name, value in zip(self.parameters(), self.get_weights(), strict=True)
        }

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Replace all values by those of the same name; nothing is changed unless every one is there and fits.

        Raises:
            ValueError: a name is missing or there is one too many; and as for set_weights.
        """
        who, names = f"{type(self).__name__}.load_state_dict", self.parameters().keys()
        if not isinstance(state, Mapping):
            raise ValueError(
                f"{who}: expected a dictionary by name, as state_dict gives it, got {type(state).__name__}."
            )
        for problem, wrong in (("is missing", names - state.keys()), ("is not in the model", state.keys() - names)):
            if wrong:
                raise ValueError(
                    f"{who}: {', '.join(sorted(map(str, wrong)))} {problem}. The names are {', '.join(names)}."
                )
        self._replace(state, who)

    def _replace(self, values: Mapping[str, ArrayLike], who: str) -> None:
        """Replace all values by name, once every one is known to fit."""
        parameters, fitting = self.parameters(), {}
        for name, parameter in parameters.items():
            array = as_numbers(values[name], name, who)
            if array.shape != parameter.shape:
                raise ValueError(f"{who}: {name} has shape {parameter.shape}, got {array.shape}.")
            fitting[name] = in_dtype(array, parameter.value.dtype, f"{who}: {name}").copy()
        with sharing.paused(parameters.values(), to_write=True):
            for name, parameter in parameters.items():
                parameter.value[...] = fitting[name]

    def save_weights(self, path: AnyPath) -> None:
        """Write all values to an HDF5 file, `name.weights.h5`; an earlier file is only replaced by a whole one."""
        from minitorch_np.saving.weights import save_weights

        self.require_built(f"{type(self).__name__}.save_weights")
        with sharing.paused(self.parameters().values()):
            save_weights(self, path)

    def load_weights(self, path: AnyPath) -> None:
        """Read the values that `save_weights` wrote; nothing is changed unless every one is there and fits."""
        from minitorch_np.saving.weights import load_weights

        self.require_built(f"{type(self).__name__}.load_weights")
        load_weights(self, path)

    @answers_foreign_arguments
    def save(self, path: AnyPath, *, include_optimizer: bool = True, warned: set[str] | None = None) -> None:
        """Write the whole model to `name.keras`: architecture, weights, optimiser with its state, loss, metrics, and
        `class_names` if it has that attribute. mt.load_model opens it, and so does Keras where it has the layers.

        Args:
            include_optimizer: False leaves the optimiser's state out, which makes a smaller file that begins training anew.
            warned: warnings that were given already and are not repeated; new ones are added.
        """
        from minitorch_np.saving.model_file import save_model

        self.require_built(f"{type(self).__name__}.save")
        with sharing.paused(self.parameters().values()):
            save_model(self, path, include_optimizer=include_optimizer, warned=warned)

    # Building

    def __call__(self, x: ArrayLike, training: bool | None = None) -> NDArray:
        """y for x, as `predict` gives it for one batch: in inference mode, keeping nothing.

        Args:
            x: one row per example.
            training: True for a forward in training mode, which `backward` may follow: `model(x, training=True)`. Said once for
                all calls by `model.train()`, and taken back by `model.eval()`.

        Inside the forward of another model, this one follows the mode of that one, unless `training` says another.
        """
        if training is not None:
            self._check_training(training)
        x = as_numbers(x, "x", self, "biufc")
        self.ensure_ready(x.shape[1:])
        if x.dtype.kind in "biuf":  # complex numbers are the gradient checker's
            x = in_dtype(x, self.compute_dtype, f"{type(self).__name__}: x")
        if is_called(self):
            if training is None:
                return self.forward(x)
            with self.in_mode(training=bool(training), keep_cache=self.keep_cache), said_mode(training=bool(training)):
                return self.forward(x)
        if self._calls_train if training is None else training:
            return self._call_in_training(x, training)
        self._only_answered = not self._await_backward
        with sharing.reading(self) as replicator:
            asked = replicator.of(self)
            with calling(Call(asked, asks=True)):
                return asked.forward(x)

    def _check_training(self, training: Any) -> None:
        if hasattr(training, "shape") and training.shape != ():
            raise ValueError(
                f"{type(self).__name__}: a model is called with one array, got a second one of shape {training.shape} as training. "
                "Put inputs side by side: np.concatenate([a, b], axis=-1)."
            )
        check_flags(type(self).__name__, {"training": training})

    def _call_in_training(self, x: NDArray, training: bool | None) -> NDArray:
        """With training=None, layers that eval() was said to one by one since train() stay in inference mode."""
        for running in sharing.fits_of_this_thread(self):  # in a callback, where backward is to give every gradient
            running.disturbed = self.wants_dx = True
        for _, node in self.walk():
            node.check_parameters()
        self._await_backward, self._only_answered = self._await_backward + 1, False
        with self.in_mode(training=training, keep_cache=True), calling(Call(self)):
            y = self.forward(x)
        self._given = np.shape(y)
        return y

    def train(self, mode: bool = True) -> Self:
        """Let calls of this model be in training mode from now on: model(x) is then followed by model.backward(dy).

        `train(False)` is `eval()`.
        """
        super().train(mode)
        self._calls_train = bool(mode)
        return self

    def eval(self) -> Self:
        """Let calls of this model be in inference mode, as they are from the beginning."""
        self._calls_train = False
        return super().eval()

    def before_forward(self) -> None:
        self._only_answered = False

    def before_backward(self, dy: Any) -> None:
        if self._await_backward == 1 and np.shape(dy) != self._given:
            got = "None" if dy is None else f"shape {np.shape(dy)}"
            raise ValueError(
                f"{type(self).__name__}.backward: expected dL/dy of the shape of y, {self._given}, got {got}."
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
                "once; model(x) asks without keeping anything; model.drop_caches() forgets runs that need no backward."
            )
        self._await_backward = 0

    def forget(self) -> None:
        super().forget()
        self._await_backward, self._only_answered = 0, False

    def initialize(self, input_shape: Shape, rng: Seed = None, dtype: DTypeLike | None = None) -> Self:
        return super().initialize(input_shape, rng, self.dtype if dtype is None else dtype)

    def receive(self, streams_above: Streams, dtype: np.dtype) -> None:
        if self.rng is not None and self._own_streams is None:
            self._own_streams = streams(self.rng)
        super().receive(self._own_streams or streams_above, dtype)

    def ensure_ready(self, input_shape: Shape) -> None:
        """Build for inputs of this shape, unless that has been done."""
        if not self.built and self._streams is None:
            self.initialize(input_shape)
        elif not self.built:
            self.ensure_built(input_shape)

    def require_built(self, who: str) -> None:
        if not self.built:
            raise RuntimeError(
                f"{who}: the model is not built yet, so its parameters do not exist. Begin it with Input(shape), "
                "call it on data, or fit it first."
            )

    @property
    def compute_dtype(self) -> np.dtype:
        """The dtype of the computation: the model's own, or the outer model's if it stands inside one."""
        return self._dtype

    @property
    def shuffling(self) -> np.random.Generator:
        """The generator that orders the examples."""
        return self._received().shuffling

    def doubts(self, x: NDArray) -> list[str]:
        """What is strange about these inputs, of which fit warns; the order in which the layers meet them is not known here."""
        return [never_adapted(layer, None) for _, layer in self.walk() if is_never_adapted(layer)]

    def stem_and_body(self) -> tuple[Layer | None, Layer]:
        """The leading layers whose output depends on the data alone, and the rest; (None, self) where there is no telling."""
        return None, self

    def last_layer(self) -> Layer | None:
        """The layer whose outputs are the model's, where that is known."""
        return None

    def check_outputs(self, outputs: NDArray, x: NDArray | None = None) -> None:
        """Warn of outputs that the loss cannot mean, or refuse them. fit and evaluate ask once, with those of the first batch.

        Args:
            x: an example to run forward on, where nothing was kept of the forward that gave these outputs.
        """
        last = self.last_layer() or self._layer_that_gave(outputs, x)
        text = self.loss.doubt(outputs) or doubt(self.loss, last, outputs.shape[1:])
        for _, layer in self.walk():
            text = text or constant(layer, layer.output_shape)
        if text and not self._doubted:
            warnings.warn(f"{type(self).__name__}: {text}.", stacklevel=caller())

    def _layer_that_gave(self, outputs: NDArray, x: NDArray | None) -> Layer | None:
        """The layer whose cache is the outputs, as that of Sigmoid and Softmax is, if it keeps one; else None."""
        asked = self
        if x is not None:
            if not any(type(layer) in (Sigmoid, Softmax) for _, layer in self.walk()):
                return None
            asked = Replicator(keep_cache=True).of(self)
            with calling(Call(asked)):
                outputs = asked.forward(x)
        return next((layer for _, layer in asked.walk() if vars(layer).get("_cache") is outputs), None)

    def _require_compiled(self, method: str) -> None:
        if "loss" not in vars(self):
            raise RuntimeError(
                f"{type(self).__name__}.{method}: say first how to learn, with "
                'model.compile(optimizer=SGD(learning_rate=0.01), loss=BCELoss(), metrics=["accuracy"]).'
            )
        _check_kinds(
            f"{type(self).__name__}.{method}", self.optimizer, self.loss, self.metrics
        )  # they can be set later


def _check_kinds(who: str, optimizer: Any, loss: Any, metrics: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            f"{who}: expected an optimizer such as SGD(learning_rate=0.01), got {optimizer!r}.{instead_of(optimizer)}"
        )
    if not isinstance(loss, Loss):
        raise ValueError(f"{who}: expected a loss such as BCELoss(), got {loss!r}.{instead_of(loss)}")
    if not isinstance(metrics, (list, tuple)):
        name = getattr(metrics, "__name__", repr(metrics)) + "()" * isinstance(metrics, type)
        line = "Leave it out." if metrics is None else f"Write metrics=[{name}]."
        raise ValueError(f"{who}: metrics is a list, got {metrics!r}. {line}")


def doubt(loss: Loss, last: Any, output_shape: Shape | None) -> str:
    """Why the loss cannot mean the outputs of this last layer, or ""."""
    text = constant(last, output_shape)
    if text:
        return text
    if loss.from_logits and last is not None and type(last) in (Sigmoid, Softmax):
        other = loss.instead.get(type(last).__name__, "")
        return f"the last layer is {last!r}, and {loss!r} takes scores before it: leave it out{other}"
    return ""


def constant(layer: Any, output_shape: Shape | None) -> str:
    """Why the outputs of this layer are the same for every input, or ""."""
    if isinstance(layer, Softmax) and output_shape and output_shape[layer.axis - (layer.axis > 0)] == 1:
        return f"{layer!r} over one unit gives the same for every input: end the model with Dense(1) and Sigmoid(), or give it two units"
    return ""


def _dtype_name(dtype: DTypeLike) -> str | None:
    try:
        return np.dtype(dtype).name
    except TypeError:
        return None


def is_never_adapted(layer: Layer) -> bool:
    return isinstance(layer, Normalization) and layer.passes_on


def never_adapted(layer: Layer, x: NDArray | None) -> str:
    """What is wrong with a Normalization that was never adapted and meets x."""
    like = "" if x is None else f" (mean {x.mean():.3g}, standard deviation {x.std():.3g})"
    return f"{layer!r} was never adapted, so it passes its inputs on as they are{like}. Call its adapt(x) before fit."
