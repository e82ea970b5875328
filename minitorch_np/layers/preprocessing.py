"""Preprocessing as part of the model, so that it is the same in training and inference."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from minitorch_np.base.arrays import as_array
from minitorch_np.base.callers import caller
from minitorch_np.base.functions import too_far_apart
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.validation import Checks, number, plain
from minitorch_np.layer import Layer
from minitorch_np.layers.guards import as_axes, check_axes, places, require_built

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Rows of an array that adapt converts to float64 at a time.
_ROWS = 1024


class Rescaling(Layer):
    """y = x * scale + offset.

    Args:
        scale: 1 / 255 takes pixels 0..255 to 0..1.
        offset: added after scaling.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: scale or offset is not a finite number.
    """

    in_keras = True
    elementwise = True
    precomputable = True

    checks: Checks = {"scale": number("(-inf, inf)"), "offset": number("(-inf, inf)")}

    def __init__(self, scale: float, offset: float = 0.0) -> None:
        self.scale = scale
        self.offset = offset

    def forward(self, x: NDArray) -> NDArray:
        y = x * float(self.scale)  # a NumPy float64 would turn float32 into float64
        return y + float(self.offset) if self.offset else y

    def backward(self, dy: NDArray) -> NDArray:
        return dy * float(self.scale)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        return [(cls(1 / 255), (3, 4, 2)), (cls(2.0, offset=-1.0), (5,))]


class Normalization(Layer):
    """y = (x - mean) / max(sqrt(variance), 1e-7): every feature has mean 0 and variance 1 over the data.

    Mean and variance are given, or computed by `adapt`. They are saved with the model and not learnt. Without either they
    are 0 and 1, as in Keras.

    Args:
        axis: the axis or axes that have a mean and variance for each index; the batch is axis 0. -1: a mean and variance for
            each feature or channel. None: one mean and variance for all numbers.
        mean, variance: numbers, or lists with the length of the axis; both or neither.

    Shapes: any; y has the shape of x.
    Raises:
        ValueError: axis is not an axis of an example, only one of mean and variance is given, or they have another shape.
    """

    in_keras = True
    precomputable = True  # training does not change mean and variance
    supports_masking = True
    _found: tuple[NDArray, NDArray] | None = None  # the result of adapt before the layer is built
    adapt_mean: Parameter
    adapt_variance: Parameter
    count: Parameter

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: float | Sequence[Any] | None = None,
        variance: float | Sequence[Any] | None = None,
    ) -> None:
        axis = plain(axis)
        axes = as_axes(axis)
        if axes:
            check_axes("Normalization", "axis", axis, ", several of them, or None")
        if (mean is None) != (variance is None):
            raise ValueError(f"Normalization: give mean and variance or neither, got {mean!r} and {variance!r}.")
        means, variances = (np.asarray(0.0 if given is None else given, float) for given in (mean, variance))
        if means.shape != variances.shape or means.ndim > len(axes):
            raise ValueError(
                f"Normalization: mean and variance have one shape with an axis for each of axis={axis!r}, or are numbers; "
                f"got shapes {means.shape} and {variances.shape}."
            )
        if variances.min() < 0:
            raise ValueError(f"Normalization: a variance is at least 0, got {variance!r}.")
        self.axis = axis
        self.mean = mean
        self.variance = variance

    def adapt(self, data: ArrayLike | Iterable[Any]) -> Self:
        """Compute mean and variance of data, in one pass and in float64; before or after the layer is built.

        Args:
            data: an array with one row per example, or batches as for fit; targets are ignored.

        Raises:
            ValueError: mean and variance were given, there are no examples, they are not finite, or they have another shape than
                the inputs.
        """
        if self.mean is not None:
            raise ValueError(f"{self!r}.adapt: mean and variance are given already.")
        found = self._moments(_blocks(data, f"{self!r}.adapt"))
        if not self.built:
            self._found = found
            return self
        for parameter, value in zip((self.adapt_mean, self.adapt_variance), found, strict=True):
            self._require_shape(value.shape, parameter.shape)
            parameter.value[...] = value
        self._warn_of_precision(*found)
        return self

    @property
    def passes_on(self) -> bool:
        """Whether it was never adapted, so that y = x."""
        if self.mean is not None or not self.built:
            return False
        return not self.adapt_mean.value.any() and bool((self.adapt_variance.value == 1).all())

    def _warn_of_precision(self, mean: NDArray, variance: NDArray) -> None:
        """Warn if this dtype is too coarse for data with this mean and variance."""
        text = too_far_apart(mean, np.sqrt(variance), self._dtype)
        if text:
            warnings.warn(f"{self!r}: {text}", stacklevel=caller())

    def _require_shape(self, found: Shape, expected: Shape) -> None:
        if found != expected:
            raise ValueError(
                f"{self!r}: adapt found means of shape {found}, expected {expected}: the examples have another shape than the inputs."
            )

    def _moments(self, blocks: Iterator[NDArray]) -> tuple[NDArray, NDArray]:
        """Mean and variance of all blocks together: Chan, Golub & LeVeque 1983, equation 2.1.

        For n values with mean m and sum of squared deviations s, and n' values with m' and s', the sum of squared deviations
        of all is s + s' + (m' - m)^2 n n' / (n + n'). No two large numbers are subtracted.
        """
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for block in blocks:
            block = block.astype(np.float64, copy=False)
            over = self._others(block.shape[1:])
            own = block.mean(axis=over)
            if count:
                self._require_shape(own.shape, mean.shape)
            deviation = block - block.mean(axis=over, keepdims=True)
            new = block.size // own.size
            step = own - mean
            mean = mean + step * (new / (count + new))
            squares = squares + (deviation * deviation).sum(axis=over) + step * step * (count * new / (count + new))
            count += new
        if not count:
            raise ValueError(f"{self!r}.adapt: the data have no examples.")
        if not np.isfinite(squares).all():
            raise ValueError(f"{self!r}.adapt: the data hold values that are not finite. Remove or replace them first.")
        return mean, squares / count

    def build(self, input_shape: Shape) -> None:
        kept = tuple(input_shape[place] for place in places(self, as_axes(self.axis), input_shape))
        if self.mean is not None:
            self._warn_of_precision(*(np.asarray(given, float) for given in (self.mean, self.variance)))
            return
        mean, variance = self._found or (np.zeros(kept), np.ones(kept))
        self._require_shape(mean.shape, kept)
        if self._found is not None:
            self._warn_of_precision(mean, variance)
        self.adapt_mean = self.add_parameter(kept, lambda shape, rng: mean, trainable=False)
        self.adapt_variance = self.add_parameter(kept, lambda shape, rng: variance, trainable=False)
        self.count = self.add_parameter((), "zeros", trainable=False)  # unused, but part of Keras's files

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._others(input_shape)
        return input_shape

    def forward(self, x: NDArray) -> NDArray:
        require_built(self)
        mean, deviation = self._mean_and_deviation(x)
        self.cache = deviation
        return (x - mean) / deviation

    def backward(self, dy: NDArray) -> NDArray:
        """Mean and variance do not depend on x, so dy/dx = 1 / deviation."""
        return dy / self.cache

    def _mean_and_deviation(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Mean and standard deviation, in a shape that broadcasts with x."""
        if self.mean is None:
            mean, variance = self.adapt_mean.value, self.adapt_variance.value
        else:
            dtype = x.real.dtype if x.dtype.kind in "fc" else np.float32
            mean, variance = np.asarray(self.mean, dtype), np.asarray(self.variance, dtype)
        if mean.ndim:
            others, sizes = self._others(x.shape[1:]), iter((1,) * (len(as_axes(self.axis)) - mean.ndim) + mean.shape)
            shape = [1 if place == 0 or place in others else next(sizes) for place in range(x.ndim)]
            mean, variance = mean.reshape(shape), variance.reshape(shape)
        return mean, np.maximum(np.sqrt(variance), 1e-7)

    def _others(self, input_shape: Shape) -> tuple[int, ...]:
        """The axes over which mean and variance are computed, including the batch."""
        kept = places(self, as_axes(self.axis), input_shape)
        return tuple(axis for axis in range(len(input_shape) + 1) if axis - 1 not in kept)

    @classmethod
    def examples(cls) -> list[tuple[Layer, Shape]]:
        given = cls(mean=[1.0, 2.0], variance=[4.0, 0.5])
        return [(cls(), (5,)), (cls(), (3, 4, 2)), (given, (3, 4, 2)), (cls((1, -1)), (3, 4, 2)), (cls(None), (3, 3))]


def _blocks(data: Any, who: str) -> Iterator[NDArray]:
    """The examples of an array or a source, block by block."""
    from minitorch_np.source.batches import as_source

    source = as_source(data, argument="itertools.islice(batches, steps)")
    if source is None:
        data = as_array(data, "data", who)
        if data.ndim == 0:
            raise ValueError(f"{who}: expected data with one row per example, got the number {data}.")
        return (data[start : start + _ROWS] for start in range(0, len(data), _ROWS))
    return (as_array(batch[0], "data", who) for batch in source.batches(_ROWS))
