"""Rounding: how much of a gradient's error is rounding, measured by changes of the last digits of everything that backward gets.

x, dy and the parameters are each multiplied by 1 + 1e-15 u with random |u| <= 1, and backward runs again. The scatter of
each element is what rounding does to it, cancellation inside of backward included. A bug is far above it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.truth import Truth, complex_slope, rms

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject

_LAST_DIGITS = 1e-15
_RUNS = 4
_MARGIN = 30  # times the largest scatter that was seen
_LARGEST = 1e-8  # of the layer's own size: no rounding is above it, whatever the scatter
_FEW_DIGITS = 1e-13  # of the largest y, and of the largest gradient in the layer's other settings
_FINE_PLACES = 30  # elements that are computed in longdouble
_DROWNED = 1e-14  # of the layer's own size: below it, forward itself has no digits left


class Rounding:
    """The rounding of the gradients of one subject for one upstream gradient.

    Args:
        gradients: the results of backward, by name.
        y: the outputs.
        layer_size: the size that the layer has in other settings.
    """

    def __init__(
        self, subject: Subject, dy: NDArray, y: NDArray, gradients: dict[str, Any], layer_size: LayerSize | None = None
    ) -> None:
        self.subject, self.dy, self.y, self.gradients = subject, dy, y, gradients
        self.layer_size = layer_size or LayerSize()
        self.values = subject.values()
        self._runs: list[dict[str, Any]] | None = None
        self._size: float | None = None

    def allowed(self, name: str) -> NDArray:
        """The error of every element that may be rounding."""
        given = np.asarray(self.gradients[name], float)
        scatter = np.zeros(given.shape)
        for other in self._others(name, given):
            scatter = np.fmax(scatter, np.abs(other - given))
        return np.minimum(_MARGIN * scatter, _LARGEST * self.size() / self._units(name))

    def along(self, name: str, direction: NDArray) -> float:
        """The error of the slope along a direction that may be rounding."""
        given = np.asarray(self.gradients[name], float)
        others = self._others(name, given)
        scatter = max((abs(float(((other - given) * direction).sum())) for other in others), default=0.0)
        return min(_MARGIN * scatter, _LARGEST * self.size() * float((np.abs(direction) / self._units(name)).max()))

    def drowned(self, name: str) -> NDArray:
        """The gradient below which forward itself has no digits left, for every element."""
        largest = self.layer_size.of_gradient(name, self.dy)
        return np.maximum(_DROWNED * self.size() / self._units(name), _FEW_DIGITS * largest)

    def size(self) -> float:
        """The layer's own size: the largest product of an output and its upstream gradient, or of a gradient and its value."""
        if self._size is None:
            size = max(self.own_size(), self.layer_size.of_products(self.dy))
            self._size = size or float(np.abs(self.dy).max(initial=0)) * min(1.0, rms(self.subject.x))
        return self._size

    def largest(self, name: str) -> float:
        """The largest finite element of a gradient in this setting."""
        gradient = self.gradients.get(name)
        sizes = np.abs(np.asarray(0.0 if gradient is None else gradient, float))
        return float(sizes[np.isfinite(sizes)].max(initial=0))

    def own_size(self) -> float:
        """The size in this setting alone."""
        sizes = [float(np.abs(self.dy * self.y).max(initial=0))]
        for name, value in self.values.items():
            gradient = self.gradients.get(name)
            if gradient is not None and np.shape(gradient) == value.shape and np.asarray(gradient).dtype.kind == "f":
                products = np.abs(np.asarray(gradient) * value)
                sizes.append(float(products[np.isfinite(products)].max(initial=0)))
        return max(sizes)

    def least_y(self) -> float:
        """The change of y of which the largest y leaves three digits at most."""
        return _FEW_DIGITS * max(float(np.abs(self.y).max(initial=0)), self.layer_size.of_y())

    def _units(self, name: str) -> NDArray:
        return np.maximum(np.abs(self.values[name]), rms(self.values[name]))

    def _others(self, name: str, given: NDArray) -> list[NDArray]:
        arrays = [np.asarray(run[name], float) for run in self._again() if run.get(name) is not None]
        return [array for array in arrays if array.shape == given.shape]

    def _again(self) -> list[dict[str, Any]]:
        """The gradients for the same values with other last digits."""
        if self._runs is None:
            self._runs = []
            for seed in range(_RUNS):
                try:
                    self.subject.forward({name: _nudged(value, seed) for name, value in self.values.items()})
                    self._runs.append(
                        {name: _copy(array) for name, array in self.subject.backward(_nudged(self.dy, seed)).items()}
                    )
                except (ValueError, FloatingPointError):
                    break
        return self._runs

    def depends_on_precision(
        self, truth: Truth, name: str, places: Sequence[tuple[int, ...]], a: NDArray, true: NDArray, wrong: NDArray
    ) -> bool:
        """Whether the error depends on the precision: that of a bug is the same in every precision, rounding is not."""
        error = np.abs(a - true)[wrong]
        if not np.isfinite(error).all():
            return False
        wrong_places = [place for place, bad in zip(places, wrong, strict=True) if bad]
        scale = float(np.abs(true).max(initial=0))
        rough = self._error_in(np.float32, name, wrong_places, true[wrong])
        if rough is not None and (error <= 5e-7 * max(rough.max(), 1e-7 * scale)).all():
            return True
        if truth.method != "complex step":
            return False  # differences are not exact enough in any precision
        if np.finfo(np.longdouble).eps > 1e-18:
            return False  # no more precision on this machine
        # Of many places some of each size of error are enough: more would take long, without BLAS.
        chosen = np.argsort(error)[np.linspace(0, len(error) - 1, min(_FINE_PLACES, len(error))).astype(int)]
        fine = self._error_in(np.longdouble, name, [wrong_places[number] for number in chosen], None)
        return fine is not None and bool((fine <= np.maximum(0.01 * error[chosen], 1e-3 * error.max())).all())

    def _error_in(
        self, dtype: Any, name: str, places: Sequence[tuple[int, ...]], true: NDArray | None
    ) -> NDArray | None:
        """|backward - true| at these places, computed in another precision; the true gradient too, if it is None."""
        try:
            other = self.subject.again(dtype=dtype)
            gradient = other.gradients(self.dy.astype(dtype))[name]
            analytic = np.array([gradient[place] for place in places])
            if true is None:
                at = other.values()[name]
                slopes = (complex_slope(other, name, at, _unit(at, place, dtype)) for place in places)
                true = np.array([(slope * self.dy).sum() for slope in slopes], dtype)
            error = np.abs(analytic - true).astype(float)
        except (ValueError, TypeError, FloatingPointError):
            return None
        return error if np.isfinite(error).all() else None


class LayerSize:
    """How large the outputs and gradients of a layer are in other settings: one floor of rounding for the whole layer.

    Where all units are saturated, or y is 0 because equal terms cancel, a setting alone does not show what size rounding has.

    Args:
        ordinary: gives the layer with x and parameters of size 1, where few units are saturated, or None where it has no such.
    """

    def __init__(self, ordinary: Callable[[], Subject | None] | None = None) -> None:
        self._ordinary = ordinary
        self._settings: list[Rounding] = []

    def add(self, setting: Rounding) -> None:
        self._settings.append(setting)

    def of_y(self) -> float:
        """The largest output."""
        return max((float(np.abs(setting.y).max(initial=0)) for setting in self._known()), default=0.0)

    def of_products(self, dy: NDArray) -> float:
        """The largest product of an output and its upstream gradient, or of a gradient and its value, for a dy of this size."""
        return max((setting.own_size() * rms(dy) / rms(setting.dy) for setting in self._known()), default=0.0)

    def of_gradient(self, name: str, dy: NDArray) -> float:
        """The largest element of one gradient, for a dy of this size."""
        return max((setting.largest(name) * rms(dy) / rms(setting.dy) for setting in self._known()), default=0.0)

    def _known(self) -> list[Rounding]:
        if self._ordinary is not None:
            subject, self._ordinary = self._ordinary(), None
            if subject is not None:
                y = np.array(subject.forward(), float)
                dy = np.random.default_rng(0).normal(size=y.shape)
                try:
                    self._settings.append(Rounding(subject, dy, y, subject.gradients(dy)))
                except Exception:  # a user-defined backward may raise anything; the setting itself reports it
                    return self._settings
        return self._settings


def _unit(values: NDArray, place: tuple[int, ...], dtype: Any) -> NDArray:
    """The direction in which one element grows."""
    direction = np.zeros(values.shape, dtype)
    direction[place] = 1
    return direction


def _nudged(values: NDArray, seed: int) -> NDArray:
    """The values with other last digits. Equal values stay equal, so that ties stay ties."""
    bits = np.ascontiguousarray(np.abs(values), np.float64).view(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (bits ^ (bits >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15 + 2 * seed)
        mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
    share = (mixed >> np.uint64(11)).astype(float).reshape(
        np.shape(values)
    ) / 2.0**53  # ascontiguousarray gives () an axis
    return values * (1 + _LAST_DIGITS * (2 * share - 1))


def _copy(array: Any) -> Any:
    return None if array is None else np.array(array)
