"""Rounding: how much of a gradient's error is rounding, measured by changes of the last digits of everything that backward gets.

x, dy and the parameters are each multiplied by 1 + 1e-15 u with random |u| <= 1, and backward runs again. The scatter of
each element is what rounding does to it, cancellation inside of backward included. A bug is far above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.truth import rms

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject

_LAST_DIGITS = 1e-15
_RUNS = 4
_MARGIN = 30  # times the largest scatter that was seen
_LARGEST = 1e-8  # of the layer's own size: no rounding is above it, whatever the scatter
_FEW_DIGITS = 1e-13  # of the largest y
_DROWNED = 1e-14  # of the layer's own size: below it, forward itself has no digits left


class Rounding:
    """The rounding of the gradients of one subject for one upstream gradient.

    Args:
        gradients: the results of backward, by name.
        y: the outputs.
        whole: the rounding in the first setting. Of few examples, all may be saturated, and say nothing of the layer's size.
    """

    def __init__(
        self, subject: Subject, dy: NDArray, y: NDArray, gradients: dict[str, Any], whole: Rounding | None = None
    ) -> None:
        self.subject, self.dy, self.y, self.gradients, self.whole = subject, dy, y, gradients, whole
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
        return _DROWNED * self.size() / self._units(name)

    def size(self) -> float:
        """The layer's own size: the largest product of an output and its upstream gradient, or of a gradient and its value."""
        if self._size is None:
            sizes = [float(np.abs(self.dy * self.y).max(initial=0))]
            for name, value in self.values.items():
                gradient = self.gradients.get(name)
                if (
                    gradient is not None
                    and np.shape(gradient) == value.shape
                    and np.asarray(gradient).dtype.kind == "f"
                ):
                    products = np.abs(np.asarray(gradient) * value)
                    sizes.append(float(products[np.isfinite(products)].max(initial=0)))
            if self.whole is not None:
                sizes.append(self.whole.size() * rms(self.dy) / rms(self.whole.dy))
            self._size = max(sizes) or float(np.abs(self.dy).max(initial=0)) * min(1.0, rms(self.subject.x))
        return self._size

    def least_y(self) -> float:
        """The change of y of which the largest y leaves three digits at most."""
        largest = [float(np.abs(rounding.y).max(initial=0)) for rounding in (self, self.whole) if rounding is not None]
        return _FEW_DIGITS * max(largest)

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
