"""Slopes: the gradient of a function of one array, from its operations or by complex step.

The first that works is chosen once, for the first batch: its gradient along random directions has to be that of differences.

1. The graph of the operations (tracing/): the function runs once on traced arrays, and one sweep through the graph gives the gradient.
2. The same, for functions that write into arrays. Functions such as np.zeros and np.asarray, which know nothing of traced
   arrays, are replaced while it runs.
3. The complex step, Im f(x + ih) / h: one evaluation for each column of x if the function gives one value per example, else one for
   each number in x (Squire & Trapp 1998).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minitorch_np.tracing.creation import Replacements
from minitorch_np.tracing.trace import TraceError, trace

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray

    Function = Callable[[NDArray], Any]  # of an array; gives an array, or a number or list of numbers
    Gradient = Callable[[Function, NDArray, NDArray], NDArray]

MOST_EVALUATIONS = 1000  # in one step
_COMPLEX_STEP = 1e-30
_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)
_TOLERANCE = 1e-5
_ROUNDING = 1e-15  # of the function's value


class Way(NamedTuple):
    """A way to the gradient dL/dx, if L is the sum of upstream * function(x)."""

    name: str
    evaluations: int  # of the function
    gradient: Gradient


def by_graph(replacements: Replacements | None = None) -> Way:
    """By the graph of the function's operations. The gradient raises TraceError if it does something that is not traced."""

    def gradient(function: Function, x: NDArray, upstream: NDArray) -> NDArray:
        graph = trace(
            lambda arrays: function(arrays["x"]),
            {"x": x},
            with_places=False,
            replacing=replacements or False,
            writing=replacements is not None,
        )
        if graph.output.value.shape != upstream.shape:
            raise TraceError("on traced arrays it gives a result of another shape")
        return graph.gradients(upstream)["x"]

    return Way("the graph of its operations", 1, gradient)


def by_complex_step(evaluations: int, *, by_columns: bool) -> Way:
    """By complex step.

    Args:
        evaluations: the number of columns of x; or of all numbers in x.
        by_columns: whether one evaluation serves a column in all rows, because each value of the function depends on its own row.
    """

    def gradient(function: Function, x: NDArray, upstream: NDArray) -> NDArray:
        found = np.empty((len(x), math.prod(x.shape[1:])))
        places = found.T if by_columns else found.reshape(-1)
        for place in range(len(places)):
            moved = x.astype(complex)
            rows = moved.reshape(found.shape)
            (rows.T if by_columns else rows.reshape(-1))[place] += 1j * _COMPLEX_STEP
            slopes = np.imag(function(moved)) / _COMPLEX_STEP * upstream
            places[place] = slopes.reshape(len(x), -1).sum(axis=1) if by_columns else slopes.sum()
        return found.reshape(x.shape)

    return Way("the complex step", evaluations, gradient)


class NoSlope(Exception):
    """The gradient of a function cannot be found. The message is the reason, to stand after "because"."""


def choose(function: Function, x: NDArray, upstream: NDArray, original: Callable[..., Any]) -> tuple[Way, bool, str]:
    """A way to the gradient that agrees with differences.

    Args:
        original: the user's function inside of `function`.

    Returns:
        The way; whether the agreement could be seen, which is not so where the function is flat; and why it is not the first way.

    Raises:
        NoSlope: no way agrees.
    """
    if not np.array_equal(np.asarray(function(x)), np.asarray(function(x)), equal_nan=True):
        raise NoSlope("it gives two results for the same arrays, as if it drew random numbers")
    reasons: list[str] = []
    flat: list[Way] = []
    for way in _ways(x, upstream, original):
        if way.evaluations > MOST_EVALUATIONS:
            reasons.append(
                f"the complex step would take {way.evaluations:,} evaluations in each step, and {MOST_EVALUATIONS:,} are allowed"
                + (f" (one value for each example would take {math.prod(x.shape[1:]):,})" if not upstream.ndim else "")
            )
            continue
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                agrees = _agrees(way, function, x, upstream)
        except TraceError as error:
            reasons.append(f"its operations cannot be followed ({error})")
        except Exception as error:  # what a function of the user's raises on traced arrays or complex numbers
            reasons.append(f"{way.name} raises {type(error).__name__}: {error}")
        else:
            if agrees:
                return way, True, next(iter(reasons), "")
            if agrees is None:
                flat.append(way)
            reasons.append(f"{way.name} gives another gradient than differences")
    if flat and flat[0].evaluations == 1:
        return flat[0], False, ""
    if flat:
        raise NoSlope(
            "it does not change with small changes of its predictions, as after a comparison, argmax or round"
        )
    raise NoSlope(" and ".join(dict.fromkeys(reasons)))


def _ways(x: NDArray, upstream: NDArray, original: Callable[..., Any]) -> Iterator[Way]:
    yield by_graph()
    yield by_graph(Replacements(original))
    columns = math.prod(x.shape[1:])
    if upstream.ndim:
        yield by_complex_step(columns, by_columns=True)
    yield by_complex_step(x.size, by_columns=False)


def _agrees(way: Way, function: Function, x: NDArray, upstream: NDArray) -> bool | None:
    """Whether the gradient of this way is the slope that differences show, at x or, where x is at a kink, near it.

    None if neither shows a slope.
    """
    rng = np.random.default_rng(0)
    size = float(np.sqrt(np.mean(x * x))) or 1.0
    flat = True
    for at in (x, x + 1e-3 * size * rng.normal(size=x.shape), x * (1 + 1e-3 * rng.normal(size=x.shape))):
        gradient = way.gradient(function, at, upstream)
        for lengths in (size, np.abs(at)):  # numbers near 0 may have to stay on their side of it
            direction = lengths * rng.normal(size=x.shape)
            parts = gradient * direction
            scale = float(np.abs(parts).sum())
            for step in _STEPS:
                slope, noise = _difference(function, at, direction, upstream, step)
                if not math.isfinite(slope) or not math.isfinite(scale):
                    continue
                flat = flat and not scale and abs(slope) <= noise
                if scale and abs(slope - float(parts.sum())) <= _TOLERANCE * max(scale, abs(slope)) + noise:
                    return True
    return None if flat else False


def _difference(
    function: Function, x: NDArray, direction: NDArray, upstream: NDArray, step: float
) -> tuple[float, float]:
    """The slope along a direction by central differences of fourth order, and what rounding may change of it."""
    values = {k: np.asarray(function(x + k * step * direction)) * upstream for k in (-2, -1, 1, 2)}
    totals = {k: float(np.sum(value)) for k, value in values.items()}
    slope = (8 * (totals[1] - totals[-1]) - (totals[2] - totals[-2])) / (12 * step)
    return slope, _ROUNDING * float(np.abs(values[1]).sum()) / step
