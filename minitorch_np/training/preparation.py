"""What `Model.fit`, `evaluate` and `predict` check and prepare first. The training loop is in loop.py."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.any_length import fits, is_open
from minitorch_np.base.arrays import in_dtype
from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import is_built_in
from minitorch_np.base.functions import too_far_apart
from minitorch_np.base.several import Several, each, listed
from minitorch_np.base.shapes import Shape, has_several
from minitorch_np.source.batches import as_source
from minitorch_np.source.source import Source
from minitorch_np.training.class_weights import (
    BALANCED,
    balanced,
    check_class_weight,
    of_classes,
    refuse_balanced,
    times,
)
from minitorch_np.training.columns import checked_columns
from minitorch_np.training.data import Examples, Stream, weights_in_dtype
from minitorch_np.training.entry_checks import check_single, checked_inputs, checked_targets, checked_weights
from minitorch_np.training.input_range import InputRange
from minitorch_np.training.options import check_class_names, check_steps, split, warn_of_classes_not_learnt

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
    from minitorch_np.model import Model
    from minitorch_np.training.class_weights import ClassWeight
    from minitorch_np.training.data import Ready


class Preparation:
    """Checks and prepares the examples for one call of fit, evaluate or predict: arrays at once, a source batch by batch.

    Args:
        model: `prepare_training` builds it; the other methods need a built model.
        who: the name of the call, for messages.
        class_weight: the weight of the examples of each class in the loss, as fit takes it, or None.

    Attributes:
        training: the training examples. validation: the examples to evaluate after each epoch, or None.
        input_range: the range of the training examples that were served so far.
        feature_names: the columns of the table that x is, or those that the model knows, or None.
    """

    training: Examples | Stream
    model: Model
    who: str
    class_weight: Any
    _shape_now: Shape = ()  # of one example of the batch that is prepared now

    def __init__(self, model: Model, who: str, class_weight: ClassWeight | None = None) -> None:
        if class_weight is not None:
            check_class_weight(class_weight, who, getattr(model.loss, "names", ()))
        self.model, self.who, self.class_weight = model, who, class_weight
        self.input_range: InputRange = InputRange()
        self.feature_names = model.feature_names
        self.validation: Examples | Stream | None = None
        self.signed_weights = False
        self._split_off: tuple[NDArray, ...] | None = None

    def prepare_training(self, x: Any, y: Any, sample_weight: Any, source: Source | None, share: float) -> None:
        """Build the model and prepare the training examples. Of arrays, the last `share` is kept for validation."""
        if source is not None:
            only_with_arrays = {"y": y, "sample_weight": sample_weight, "validation_split": share or None}
            self.training = self._training_stream(source, only_with_arrays)
            return
        x, y, weights = self._checked(x, y, sample_weight)
        if share:
            x, y, self._split_off = split(x, y, share, self.who)
            if weights is not None:
                self._split_off, weights = (*self._split_off, weights[len(x) :]), weights[: len(x)]
        preprocessing = self._build(x.shape[1:])
        y = self.model.loss.prepare(y, self._output_shape, self.model.compute_dtype)
        self._balance(y)
        weights = self._weights(y, weights)
        if weights is not None and not any(one.any() for one in listed(weights)):
            raise ValueError(f"{self.who}: the weights of all examples to learn from are 0.")
        self.input_range.look(x)
        self.training = Examples(x, y, preprocessing, self.model.compute_dtype, reread=True, weights=weights)
        self._warn_of_inputs(x)

    def _training_stream(self, source: Source, only_with_arrays: Mapping[str, Any]) -> Stream:
        for name, value in only_with_arrays.items():
            if value is not None:
                raise ValueError(
                    f"{self.who}: {name} goes with arrays, and x is a {type(getattr(source, 'given', source)).__name__} that gives everything. "
                    f"Leave {name} out."
                )

        def look(x: NDArray) -> None:
            if not self.input_range.count:
                self._warn_of_inputs(x)
            self.input_range.look(x)

        preprocessing = self._build(self._shape_of(source))
        if self.class_weight == BALANCED:
            given = getattr(source, "y", None)
            if not isinstance(given, np.ndarray):
                refuse_balanced(self.who)
            self._balance(self.model.loss.prepare(given, self._output_shape, self.model.compute_dtype))
        return Stream(source, self._prepared, preprocessing, self.model.compute_dtype, look)

    def prepare_validation(self, given: Any, steps: int | None) -> None:
        """Prepare the validation data: the pair or batches that are given, or what `prepare_training` has kept for it.

        Args:
            steps: the number of batches to take, or None for all.
        """
        given = given if self._split_off is None else self._split_off
        if given is None:
            return
        preprocessing, _ = self.model.split_preprocessing()
        held_out = Preparation(self.model, f"{self.who}: validation_data")
        held_out.feature_names = self.feature_names
        examples = held_out.measured(given, steps, "validation_steps", preprocessing, reread=True)
        if isinstance(self.training, Stream) and isinstance(examples, Stream):
            check_class_names(held_out.who, self.training.source.class_names, examples.source.class_names)
        one_output = not isinstance(getattr(self.training, "y", None), Several)
        if self._split_off and one_output and isinstance(self.training, Examples) and isinstance(examples, Examples):
            ignored = getattr(self.model.loss, "ignore_index", None)
            warn_of_classes_not_learnt(self.training.y, examples.y, self.who, ignored)
        self.validation = examples

    def measured(
        self, given: Any, steps: int | None, argument: str, preprocessing: Layer | None = None, *, reread: bool = False
    ) -> Examples | Stream:
        """The examples to evaluate: (x, y) or (x, y, weights), or the first `steps` batches. The caller names this number `argument`."""
        source = as_source(given, steps, argument, goes_on=False, shape=self.model.input_shape)
        check_steps(self.who, argument, steps, source)
        dtype = self.model.compute_dtype
        if source is not None:
            self._shape_of(source)
            return Stream(source, self._prepared, preprocessing, dtype)
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            got = f"{len(given)} items" if isinstance(given, (tuple, list)) else f"a {type(given).__name__}"
            raise ValueError(f"{self.who}: expected (x, y) or (x, y, sample_weight), got {got}.")
        x, y, weights = self._checked(*given)
        if isinstance(x, Several) or isinstance(y, Several):
            given = x, y, *([] if weights is None else listed(weights))
        y = self.model.loss.prepare(y, self._output_shape, dtype)
        weights = self._weights(y, weights)
        compared = (*listed(given[0]), *listed(given[1]), *given[2:])
        return Examples(x, y, preprocessing, dtype, reread=reread, weights=weights, given=compared)

    def inputs(self, x: Any, steps: int | None, source: Source | None) -> Examples | Stream:
        """The inputs to predict for; there are no targets."""
        check_steps(self.who, "steps", steps, source)

        def checked(x: Any, *_: Any) -> Ready:
            x = self.model.as_inputs(x, self.who)
            checked_columns(x, self.feature_names, self.who)
            x = checked_inputs(x, self.who, self.model.input_shape)
            return x, x[:0], None

        if source is not None:
            return Stream(source, checked, None, self.model.compute_dtype)
        x, _, _ = checked(x)
        return Examples(x, x, None, self.model.compute_dtype, reread=False)

    def _checked(self, x: Any, y: Any = None, sample_weight: Any = None) -> Ready:
        x, y = self.model.as_inputs(x, self.who), self.model.as_targets(y, self.who)
        self.feature_names = checked_columns(x, self.feature_names, self.who)
        check_single(x, y, self.who)
        x = checked_inputs(x, self.who, self.model.input_shape)
        self._shape_now = x.shape[1:]
        y = checked_targets(y, self.who, x)
        sample_weight = self.model.as_weights(sample_weight, self.who)
        weights = checked_weights(sample_weight, y, self.who, signed=self.signed_weights)
        if (weights is not None or self.class_weight is not None) and not self.model.loss.takes_weights:
            raise ValueError(
                f"{self.who}: {self.model.loss!r} takes no weights: let it use self.mean and self.weigh, and set "
                "takes_weights = True."
            )
        return x, y, weights

    def batch(self, x: Any, y: Any, sample_weight: Any = None) -> Ready:
        """One batch in the model's dtype, which is built if it was not, for a step by hand."""
        self.model.build_if_shape_known()
        self.signed_weights = True  # such as the advantages of a policy gradient
        x, y, weights = self._checked(x, y, sample_weight)
        if not self.model.built:
            self.model.ensure_built(x.shape[1:])
        x, y, weights = self._with_targets(x, y, weights)
        return each(lambda array: in_dtype(array, self.model.compute_dtype, f"{self.who}: x"), x), y, weights

    def _prepared(self, x: Any, y: Any = None, sample_weight: Any = None) -> Ready:
        """One batch of a source: checked x, prepared y, and weights in the model's dtype."""
        return self._with_targets(*self._checked(x, y, sample_weight))

    def _with_targets(self, x: NDArray, y: NDArray, weights: NDArray | None) -> Ready:
        dtype = self.model.compute_dtype
        y = self.model.loss.prepare_batch(y, self._output_shape, dtype)
        weights = self._weights(y, weights)
        return x, y, weights_in_dtype(weights, dtype)

    def _weights(self, y: NDArray, sample_weight: NDArray | None) -> NDArray | None:
        """sample_weight times the weight of the class, for each example, step or target. None if neither is given."""
        sample_weight = shaped(sample_weight, y)
        known = self.class_weight
        of_class = None if known is None else of_classes(known, y, self.model.loss, self._output_shape, self.who)
        return times(sample_weight, of_class)

    def _balance(self, y: NDArray) -> None:
        """Put the weights in place of class_weight="balanced"."""
        if self.class_weight is not None:
            self.class_weight = balanced(self.class_weight, y, self.model.loss, self._output_shape, self.who)

    @property
    def _output_shape(self) -> Shape:
        shape = self.model.output_shape or ()  # known, as the model is built
        return self.model.compute_output_shape(self._shape_now) if is_open(shape) else shape

    def _shape_of(self, source: Source) -> Shape:
        expected = self.model.input_shape
        if expected is not None and has_several(expected):
            return expected  # the shapes of each batch are checked when it comes
        shape = source.shape
        if shape is None:
            raise ValueError(f"{self.who}: the data gave no batches.")
        if expected is not None and not fits(shape, expected):
            raise ValueError(
                f"{self.who}: expected examples of shape {tuple(expected)}, got {tuple(shape)} from {source!r}."
            )
        return tuple(shape)

    def _build(self, shape: Shape) -> Layer | None:
        """Build the model for examples of this shape; return its preprocessing."""
        if not self.model.built:
            self.model.ensure_built(shape)
        refuse_frozen(self.model, self.model.parameters(), self.who)
        preprocessing, _ = self.model.split_preprocessing()
        return preprocessing

    def _warn_of_inputs(self, x: NDArray) -> None:
        """Run checks on 16 of these examples, and warn of what is probably a mistake."""
        if isinstance(x, Several):
            return
        some, dtype = x[:: max(1, len(x) // 16)][:16], self.model.compute_dtype
        in_its_dtype = in_dtype(some, dtype, f"{self.who}: x")
        lost = too_far_apart(np.abs(some).max(axis=0).astype(float), some.std(axis=0, dtype=float), dtype)
        for text in [*self.model.input_warnings(in_its_dtype), *([f"x: {lost}"] if lost else [])]:
            warnings.warn(f"{self.who}: {text}", stacklevel=caller())


def shaped(weights: Any, y: Any) -> Any:
    """Weights in the shape of prepared targets, if there is one for each target: the loss may have made rows of a column."""
    if isinstance(weights, Several):
        return Several(map(shaped, weights, y))
    return weights.reshape(y.shape) if weights is not None and weights.ndim > 1 and weights.size == y.size else weights


def refuse_frozen(model: Model, parameters: Mapping[str, Parameter], who: str) -> None:
    """Raise ValueError if no parameter learns."""
    if any(parameter.trainable for parameter in parameters.values()):
        return
    frozen = sum(parameter.frozen for parameter in parameters.values())
    if not frozen:
        raise ValueError(
            f"{who}: {model!r} has no trainable parameters, because its layers have none.{_arrays_in_place(model)}"
        )
    raise ValueError(
        f"{who}: {model!r} has no trainable parameters: all {frozen} are frozen. model.trainable = True, or layer.trainable = True, lets "
        "them learn. In a GAN, where one optimiser step is the discriminator's and the next the generator's, switch it before each:\n"
        "    discriminator.trainable = True   # before discriminator.train_on_batch(…)\n"
        "    discriminator.trainable = False  # before the step of the model that contains generator and discriminator"
    )


def _arrays_in_place(model: Model) -> str:
    """What to write for the first array in a person's own layer, or ""."""
    for _, node in model.walk():
        arrays = [
            name for name, value in vars(node).items() if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        ]
        if arrays and not is_built_in(type(node)):
            return (
                f" {type(node).__name__}.{arrays[0]} is an array: write self.{arrays[0]} = self.add_parameter(shape) in build, and "
                f"self.{arrays[0]}.value where it is used."
            )
    return ""
