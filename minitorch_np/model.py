"""Model: a layer with compile, fit, evaluate and predict."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self

from minitorch_np.base import sharing
from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.callers import caller
from minitorch_np.base.foreign_objects import of_framework
from minitorch_np.base.randomness import streams
from minitorch_np.base.text import as_list_of_metrics, in_place_of
from minitorch_np.base.validation import check_dtype, check_order
from minitorch_np.layer import Layer
from minitorch_np.layers.likely_mistakes import is_never_adapted, never_adapted, wrong_outputs
from minitorch_np.losses import Loss
from minitorch_np.losses.finding import AnyLoss, as_loss
from minitorch_np.optimizers import Optimizer
from minitorch_np.optimizers.finding import find as find_optimizer
from minitorch_np.training.defaults import BATCH_SIZE
from minitorch_np.training.inference import Inference
from minitorch_np.training.methods import Methods

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.files import AnyPath
    from minitorch_np.base.randomness import Seed
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.callbacks.callback import Callback
    from minitorch_np.metrics import Metric
    from minitorch_np.source.source import Source
    from minitorch_np.training.class_weights import ClassWeight
    from minitorch_np.training.history import History
    from minitorch_np.training.input_range import InputRange


class Model(Methods, Inference, Layer):
    """A layer made of layers, which can be trained, evaluated and saved.

    Subclass it for a network that is not a list of layers: create the layers in the constructor, and write `forward` and `backward`
    over them. A model can be a layer of another model.

    Args:
        rng: an int or a numpy Generator. The same int gives the same weights, the same order of examples and the same random
            numbers in every layer; None gives other ones each time; inside another model it means the rng of the outer one.
        dtype: "float32" or "float64", of the parameters and of the computation.

    Attributes:
        optimizer, loss, metrics: what compile was given; None, None and () before.
        history: the History of the last fit, or None.
        stop_training: a callback sets it to True to end training after the epoch.
        class_names: the names of the classes by number, or None.
        input_range: the range of the training examples, or None before fit.
        feature_names: the columns of the table that fit got, or None. A later table must have the same, in this order.
    """

    rng: Seed = None
    dtype: str = "float32"
    optimizer: Optimizer = None  # type: ignore[assignment]  # until compile
    loss: Loss = None  # type: ignore[assignment]  # until compile
    metrics: Sequence[str | Metric | Callable[..., Any]] = ()
    history: History | None = None
    stop_training = False
    class_names: Sequence[str] | None = None
    input_range: InputRange | None = None
    feature_names: list[str] | None = None
    _has_warned = False  # whether compile has warned of the last layer
    _outputs_checked: Loss | None = None  # the loss that train_on_batch has checked the outputs for

    @answers_foreign_arguments
    def __init__(self, rng: Seed = None, dtype: str = "float32") -> None:
        check_dtype(type(self).__name__, dtype)
        self.rng, self.dtype = rng, dtype
        if rng is not None:
            streams(rng)  # raises ValueError if it is no seed

    @answers_foreign_arguments
    def compile(
        self, optimizer: str | Optimizer, loss: AnyLoss, metrics: Sequence[str | Metric | Callable[..., Any]] = ()
    ) -> Self:
        """Choose how the model learns, and what is measured in addition to the loss.

        Names mean what they mean in Keras, with its default settings: see docs/coming_from_elsewhere.md.

        Args:
            optimizer: such as SGD(learning_rate=0.01), or a name such as "adam".
            loss: such as BCELoss(), a name such as "mse", or a function (prediction, target) -> values; see losses.FunctionLoss.
            metrics: names ("accuracy", "mae", "r2", …), Metric objects, or functions (prediction, target) -> number. A function
                is called once an epoch, with all outputs and all targets. Parameters named (y_true, y_pred) get them in that order.

        Raises:
            ValueError: an unknown name, or an object of another kind; a loss or metric whose method takes the target first.
        """
        from minitorch_np.metrics.finding import check as check_metric  # loads all metrics

        who = f"{type(self).__name__}.compile"
        optimizer = find_optimizer(optimizer, who) if isinstance(optimizer, str) else optimizer
        chosen = as_loss(loss, who)
        _check_kinds(who, optimizer, chosen, metrics)
        check_order(chosen, "forward", "(self, prediction, target)")
        check_order(chosen, "backward", "(self)")
        check_order(optimizer, "update", "(self, parameter, state)")
        check_order(optimizer, "step", "(self, parameters)")
        for metric in metrics:
            check_metric(metric, who)
        self.optimizer, self.loss, self.metrics = optimizer, chosen, list(metrics)
        return self

    @answers_foreign_arguments
    def fit(
        self,
        x: ArrayLike | Source | Iterable[Any] | Callable[[], Iterable[Any]],
        y: ArrayLike | None = None,
        *,
        epochs: int = 1,
        initial_epoch: int = 0,
        batch_size: int | None = BATCH_SIZE,
        accumulate: int = 1,
        validation_data: tuple[ArrayLike, ...] | Source | Iterable[Any] | None = None,
        validation_split: float = 0.0,
        validation_freq: int | Collection[int] = 1,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        shuffle: bool | None = None,
        progress: bool = True,
        callbacks: Sequence[Callback] = (),
        resume: AnyPath | None = None,
        log_dir: AnyPath | None = None,
        in_span: bool = False,
    ) -> History:
        """Learn from examples: for each batch forward, loss, backward, one step of the optimiser.

        Args:
            x: one row per example, (n, *input_shape), numbers of any type. Or, without y, batches: a Source such as
                datasets.HDF5Dataset, an iterable of (x, y) or (x, y, weights), an object with `__len__` and `__getitem__` of such
                batches, or a function that returns one of these. They are read one at a time, in the thread that calls fit, and
                each is copied before the next is read. Only a Source with `read_ahead` is read in another thread.
            y: the targets, one per example; (n,) and (n, 1) both suit a model with one output.
            epochs: the number of times to go through the examples, or with initial_epoch the number of the last epoch.
            initial_epoch: the number of epochs that were trained before, so that callbacks and the progress bar count on from there.
            batch_size: examples in one step; None for all of them. The last batch may be smaller. Not allowed if x gives batches.
            accumulate: the number of batches whose gradients are averaged into one step. The steps are those of batches of that many
                times the size, with less memory; BatchNormalization still takes its means from the small batches.
            validation_data: (x, y) or (x, y, sample_weight), or batches as for x, measured after every epoch.
            validation_split: the share of x and y, at their end, that is used for validation in place of validation_data.
            validation_freq: 2 validates after every second epoch; a list names the epochs, counted from 1. The history has NaN for others.
            sample_weight: the weight of each example in the loss, (n,): the mean of w_i L_i. An array like y weighs each step or each
                target: 0 for labels that are missing. For several outputs one array for all, or a list or dictionary with an array, or
                None, for each. Metrics ignore it.
            class_weight: the weight of each class, {0: 1.0, 1: 2.5}; of each step, if it has a class; a list of such dictionaries for
                several yes-or-no outputs; "balanced" for n / (classes * examples of the class), as in scikit-learn. For several outputs
                of a Graph a dictionary of such by name, {"kind": "balanced"}.
            steps_per_epoch: batches in one epoch, of an iterable or generator. The next epoch continues where this one ended, and
                starts again at the end of the data. By default an epoch takes all batches; data that never end need a number.
            validation_steps: batches of validation_data to measure on; each validation starts at the beginning.
            shuffle: whether every epoch has a new random order, which is the default. If x gives batches, these keep their order.
            progress: show a bar, if the output is a terminal or a notebook.
            callbacks: objects whose methods are called for every epoch and batch; validation calls their `on_test_…` methods.
            resume: a file that keeps the state of the run. If it exists, the run continues from it, bit for bit, until `epochs`
                are done; a file of another model, optimiser, callback or data is refused.
            log_dir: a folder for TensorBoard's event files (extra `tensorboard`).
            in_span: train the first Dense in the space that the examples span. This changes results only by rounding, and is faster
                if there are far fewer examples than features. Raises ValueError where results would differ, as with Adam.

        Returns:
            The History, also kept as `model.history`. Ctrl-C ends training after the current step; fit then returns the History too.

        Raises:
            ValueError: the data do not fit; the message says what was expected.
            FloatingPointError: the loss, a weight, a running statistic or the optimiser's state is not finite. The message names the
                epoch, the batch and the layer or parameter; the weights are put back to those of at most 16 steps before.
        """
        from minitorch_np.callbacks.callback_list import CallbackList  # the first fit loads these
        from minitorch_np.source.batches import as_source
        from minitorch_np.training import options
        from minitorch_np.training.epochs import Epochs
        from minitorch_np.training.preparation import Preparation
        from minitorch_np.training.unused import warn_of_unused

        who = self._require_compiled("fit")
        chosen = Epochs(who, epochs, initial_epoch, validation_freq, accumulate)
        called = CallbackList(callbacks, who, log_dir)
        options.check_validation(who, validation_data, validation_split, validation_steps, validation_freq)
        x = self.as_inputs(x, who, batches=True)
        source = as_source(x, steps_per_epoch, shape=self.input_shape or self._given_shape())
        options.check_steps(who, "steps_per_epoch", steps_per_epoch, source)
        batch_size = options.checked_batch_size(batch_size, who, source)
        in_new_order = options.checked_shuffle(shuffle, who, source)
        data = Preparation(self, who, class_weight)
        data.prepare_training(x, y, sample_weight, source, validation_split)
        warn_of_unused(self, who)
        data.prepare_validation(validation_data, validation_steps)
        kind = options.kind_of_run(in_span, who)
        with self.optimizer.of(self.parameters()):  # it may step other networks too
            run = kind(
                self, data, called, epochs=chosen, batch_size=batch_size, shuffle=in_new_order, progress=progress
            )
            if resume is not None:
                from minitorch_np.saving.checkpoint import Checkpoint

                settings = {"class_weight": class_weight, "steps_per_epoch": steps_per_epoch, **chosen.settings()}
                run.keep_in(Checkpoint(resume), settings)
            return run.run()

    @answers_foreign_arguments
    def summary(self) -> None:
        """Print each layer with its output shape and its parameters, and the total."""
        from minitorch_np.training.summary import summarize

        self.require_built(f"{type(self).__name__}.summary")
        print(summarize(self))

    # Files

    def save_weights(self, path: AnyPath) -> None:
        """Write all values to an HDF5 file, `name.weights.h5`; an earlier file is replaced only when the new one is complete."""
        from minitorch_np.saving.weights import save_weights

        self.require_built(f"{type(self).__name__}.save_weights")
        with sharing.paused(self.parameters().values()):
            save_weights(self, path)

    def load_weights(self, path: AnyPath) -> None:
        """Read the values that `save_weights` wrote; nothing is changed unless all are there and fit."""
        from minitorch_np.saving.weights import load_weights

        self.require_built(f"{type(self).__name__}.load_weights")
        load_weights(self, path)

    @answers_foreign_arguments
    def save(self, path: AnyPath, *, include_optimizer: bool = True, warned: set[str] | None = None) -> None:
        """Write the whole model to `name.keras`: architecture, weights, optimiser with its state, loss, metrics, and
        `class_names` if they are set. mt.load_model opens the file, and so does Keras, if it has all the layers.

        Args:
            include_optimizer: False leaves out the optimiser's state; the file is smaller, and training starts from a new state.
            warned: warnings that were given before and are not repeated; new ones are added to the set.
        """
        from minitorch_np.saving.model_file import save_model

        self.require_built(f"{type(self).__name__}.save")
        parameters = self.parameters()
        own_state = nullcontext() if self.optimizer is None else self.optimizer.of(parameters)
        with sharing.paused(parameters.values()), own_state:
            save_model(self, path, include_optimizer=include_optimizer, warned=warned)

    # What Sequential overrides, because it knows the order of its layers

    def input_warnings(self, x: NDArray) -> list[str]:
        """Warnings about these inputs, for fit to give. The order of the layers is not known here, so they do not run."""
        return [never_adapted(layer, None) for _, layer in self.walk() if is_never_adapted(layer)]

    def _given_shape(self) -> Any:
        """The shape of the input, if a layer such as Input tells it before the model is built; else None."""
        return None

    def split_preprocessing(self) -> tuple[Layer | None, Layer]:
        """The preprocessing, which is the leading layers that training does not change, or None; and the rest of the model."""
        return None, self

    def last_layer(self) -> Layer | None:
        """The layer whose outputs are those of the model; None if that is not known."""
        return None

    def check_outputs(self, outputs: NDArray, x: NDArray | None = None) -> None:
        """Warn if the outputs of the first batch do not go with the loss, or raise ValueError. See wrong_outputs."""
        text = wrong_outputs(self, outputs, x)
        if text and not self._has_warned:
            warnings.warn(f"{type(self).__name__}: {text}.", stacklevel=caller())

    def _require_compiled(self, method: str) -> str:
        """Raise unless the model is compiled; return the method as messages name it."""
        who = f"{type(self).__name__}.{method}"
        if self.loss is None:
            raise RuntimeError(
                f"{who}: the model is not compiled. Call "
                'model.compile(optimizer=SGD(learning_rate=0.01), loss=BCELoss(), metrics=["accuracy"]) first.'
            )
        _check_kinds(who, self.optimizer, self.loss, self.metrics)  # they may have been set since
        return who


def _check_kinds(who: str, optimizer: Any, loss: Any, metrics: Any) -> None:
    for name, given, kind, expected in (
        ("optimizer", optimizer, Optimizer, "an optimizer such as SGD(learning_rate=0.01)"),
        ("loss", loss, Loss, "a loss such as BCELoss()"),
    ):
        if not isinstance(given, kind):
            raise ValueError(
                f"{who}: expected {expected}, got {given!r}.{of_framework(given) or in_place_of(name, given)}"
            )
    if not isinstance(metrics, (list, tuple)):
        raise ValueError(f"{who}: metrics is a list, got {metrics!r}. {as_list_of_metrics(metrics)}")
