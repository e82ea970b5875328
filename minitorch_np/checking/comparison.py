"""Comparison of backward with the true gradient, element by element or along random directions, with a bound for rounding.

An element of the gradient is a_i = sum_j g_j J_ji. Its rounding error is bounded by C S_i with

    S_i = sum_j |g_j| (|J_ji| + |y_j| / |v_i|)        over the outputs j that depend on v_i,

C = 1e-12, or 1e-11 for a chain of layers. The first term is the rounding of the sum; the second is that of the cached values
where J is small because y hardly moves (saturation). The bound grows with the gradient, so a verdict does not change when
everything is scaled, and it allows for gradients that are 0 because their terms cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.kinks import is_tie, slopes_beside, tied_directions
from minitorch_np.checking.report import Kink, TensorResult
from minitorch_np.checking.rounding import LayerSize, Rounding
from minitorch_np.checking.truth import Truth, rms

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject

_ROUNDING = 1e-12
_DIRECTIONS = 3  # random directions in which a large tensor is compared
_TIED_TWICE = 1e-3  # a gradient given to several of equal elements is wrong by more than this share
_FLOOR = 1e-14  # of the largest bound in the tensor
_HIDDEN = 1e-10  # slopes smaller than this share of y / v are lost in the rounding of y
_SEEN = 1e-14  # of y: a change of y by less, when a value changes by its own size, is lost in its last digit
_BELOW = 0.1  # times the gradient at which forward has no digits left: no error so small is seen in anything
_SHARE = 1e-2  # an error hides if it may be such a share of the gradient
_KINKS = 200  # elements that are tried one by one, whatever is found
_LOOKED_AT = 40  # small slopes that are told from the rounding of 0
_UNDERFLOW = 1e-240  # a slope that the complex step can no longer see


class Comparison:
    """The gradients of one subject for one upstream gradient."""

    def __init__(
        self, subject: Subject, truth: Truth, dy: NDArray, gradients: dict[str, Any], size: LayerSize | None = None
    ) -> None:
        self.subject, self.truth, self.gradients = subject, truth, gradients
        self.dy = np.asarray(dy, float)
        self.y = np.array(subject.forward(), float)
        self.values = subject.values()
        self.measured = Rounding(subject, self.dy, self.y, gradients, size)
        self.rounding = _ROUNDING * (10 if subject.layer.sublayers() else 1)  # a chain of layers rounds more often

    # Element by element

    def elements(self, name: str, indices: Sequence[tuple[int, ...]] | None = None) -> TensorResult:
        """Every element, or those at the given indices."""
        value = self.values[name]
        result = TensorResult(name, value.shape)
        analytic = self._analytic(name, result)
        if analytic is None:
            return result
        places = list(np.ndindex(value.shape) if indices is None else indices)
        result.checked = len(places)
        slopes, allowed = self._slopes(name, places)
        g, y = self.dy.ravel(), self.y.ravel()
        true = slopes @ g
        terms = np.abs(slopes) @ np.abs(g)
        scale = np.maximum([abs(value[place]) for place in places], 1e-6 * rms(value))
        through_y = (slopes != 0) @ np.abs(g * y) / scale
        bound = self.rounding * (terms + through_y)
        bound = bound + _FLOOR * max((terms + through_y).max(initial=0), 0)
        bound = bound + (allowed + _UNDERFLOW / rms(value)) * np.abs(g).sum()
        a = np.array([analytic[place] for place in places])
        error = np.abs(a - true)
        wrong = ~(error <= bound)
        if wrong.any():
            self._accept_kinks(name, places, wrong, a, result)
        small = np.zeros(wrong.shape, bool)
        if wrong.any():
            small = self._accept_rounding(name, places, wrong, slopes, a, error, result)
        if wrong.any() and self.measured.depends_on_precision(self.truth, name, places, a, true, wrong):
            wrong[:] = False
            result.note = "differs by rounding alone: in float32 the difference is larger in proportion"
        result.untouched = not slopes.any()
        excess = np.where(error == 0, 0, np.nan_to_num(error / bound, nan=np.inf, posinf=np.inf))
        excess[~wrong] = np.minimum(excess[~wrong], 1)
        result.excess = float(excess.max(initial=0))
        if places:
            worst = int(excess.argmax())
            result.worst = places[worst], float(np.real(a[worst])), float(true[worst])
        if indices is None:
            result.backward = analytic
            result.true, result.wrong = true.reshape(value.shape), wrong.reshape(value.shape)
        if wrong.any():
            result.verdict = "fail"
        else:
            result.depend = int(((terms > 0) | small).sum())
            result.drowned = self._drowned(name, places, slopes, small | ((terms > 0) & (terms < _HIDDEN * through_y)))
        return result

    def jacobian(self, name: str) -> NDArray:
        """dy_j / dvalue_i as (value.size, y.size)."""
        return self._slopes(name, list(np.ndindex(self.values[name].shape)))[0]

    def true_gradient(self, name: str) -> NDArray:
        return (self.jacobian(name) @ self.dy.ravel()).reshape(self.values[name].shape)

    def _slopes(self, name: str, places: Sequence[tuple[int, ...]]) -> tuple[NDArray, float]:
        """A row of the Jacobian for each place, and the largest error of the method."""
        rows = np.empty((len(places), self.y.size))
        largest = 0.0
        for row, place in zip(rows, places, strict=True):
            slope, error = self.truth.slope(name, self._unit(name, place))
            row[:] = np.ravel(slope)
            largest = max(largest, error)
        return rows, largest

    def _unit(self, name: str, place: tuple[int, ...], dtype: DTypeLike = float) -> NDArray:
        """The direction in which one element grows."""
        direction = np.zeros(self.values[name].shape, dtype)
        direction[place] = 1
        return direction

    # Along directions

    def directions(self, name: str, rng: np.random.Generator) -> TensorResult:
        """Random directions: a wrong element anywhere shows in each of them."""
        value = self.values[name]
        result = TensorResult(name, value.shape)
        analytic = self._analytic(name, result)
        if analytic is None:
            return result
        through_y = self._through_y(name)
        size = float(np.abs(analytic).max(initial=0))
        floor = max(1e-6 * size, 1e-9 * through_y)
        result.untouched = True
        for number in range(_DIRECTIONS):
            direction = rng.choice([-1.0, 1.0], value.shape)
            if number % 2 and floor:
                direction = direction * (floor / np.maximum(np.abs(analytic), floor))
            _, _, excess, moves = self._along(name, direction, analytic)
            result.untouched &= not moves
            result.excess = max(result.excess, excess)
        if result.excess > 1:
            result.verdict = "fail"
        return result

    def _along(self, name: str, direction: NDArray, analytic: NDArray) -> tuple[float, float, float, bool]:
        """Backward's slope along a direction, the true one, the error over its bound, at most 1 at a kink, and whether any output moves."""
        slope, method_error = self.truth.slope(name, direction)
        true, a = float((slope * self.dy).sum()), float((np.real(analytic) * direction).sum())
        terms = float((np.abs(analytic) * np.abs(direction)).sum()) + float(np.abs(slope * self.dy).sum())
        bound = 10 * self.rounding * (terms + self._through_y(name) * float(np.abs(direction).sum()))
        bound += method_error * float(np.abs(self.dy).sum())
        error = abs(a - true)
        excess = 0.0 if error == 0 else error / bound if bound and np.isfinite(error) else np.inf
        if excess > 1 and (
            slopes_beside(self.subject, self.dy, name, direction, a) is not None
            or is_tie(self.truth, self.dy, name, direction, a)
            or error <= self.measured.along(name, direction)
            or error <= float((_BELOW * self.measured.drowned(name) * np.abs(direction)).sum())
            or self._is_lost(name, direction, slope, max(error, abs(a)))
        ):
            excess = 1.0
        return a, true, excess, bool(np.any(slope))

    def _is_lost(self, name: str, direction: NDArray, slope: NDArray, size: float) -> bool:
        """Whether a slope along a direction, and the change of y that it means, are below the last digits of the layer."""
        lost = np.maximum(_SEEN * np.abs(self.y), self.measured.least_y())
        moves = np.abs(slope) * rms(self.values[name]) > lost
        return not moves.any() and size <= float((self.measured.drowned(name) * np.abs(direction)).sum())

    def _through_y(self, name: str) -> float:
        return float(np.abs(self.dy * self.y).sum()) / (rms(self.values[name]) * max(1.0, self.y.size) ** 0.5)

    # Kinks

    def _accept_kinks(
        self, name: str, places: Sequence[tuple[int, ...]], wrong: NDArray, a: NDArray, result: TensorResult
    ) -> None:
        """Accept elements at a kink whose gradient is between the one-sided slopes.

        Of many suspects, the first that stands at no kink ends the search, and those with the value of a known kink are accepted.
        """
        suspects = np.flatnonzero(wrong)
        known: set[float] = set()
        for tried, number in enumerate(map(int, suspects)):
            place, given = places[number], float(np.real(a[number]))
            direction, value = self._unit(name, place), float(self.values[name][place])
            if tried >= _KINKS and value in known:
                wrong[number] = False
                continue
            slopes = slopes_beside(self.subject, self.dy, name, direction, given)
            if slopes is not None:
                wrong[number] = False
                known.add(value)
                result.kinks.append(Kink(name, place, value, slopes, given))
            elif is_tie(self.truth, self.dy, name, direction, given):
                wrong[number] = False
            elif len(suspects) > _KINKS:
                return

    def ties(self, name: str, result: TensorResult) -> None:
        """Compare along the directions that move equal elements together; a wrong slope there fails the tensor."""
        analytic = self._analytic(name, result)
        if analytic is None or result.verdict == "fail":
            return
        for direction in tied_directions(self.values[name]):
            a, true, excess, _ = self._along(name, direction, analytic)
            if excess > 1 and abs(a - true) > _TIED_TWICE * (abs(a) + abs(true)):
                elements = np.count_nonzero(direction)
                value = float(self.values[name][direction != 0][0])
                result.verdict, result.excess = "fail", excess
                result.note = (
                    f"Of {name}, {elements} elements are equal ({value:.4g}). Moved together they have the slope {true:.4g}, but their "
                    f"gradients add up to {a:.4g}: at a tie, give the gradient to one of them, or to each its share."
                )
                return

    # Rounding and saturation

    def _accept_rounding(
        self,
        name: str,
        places: Sequence[tuple[int, ...]],
        wrong: NDArray,
        slopes: NDArray,
        a: NDArray,
        error: NDArray,
        result: TensorResult,
    ) -> NDArray:
        """Accept elements whose error is what other last digits do to them, or that are below the last digit of y.

        Returns the elements below the last digit, which say nothing.
        """
        index = tuple(np.array(places).T)
        allowed, drowned = self.measured.allowed(name)[index], self.measured.drowned(name)[index]
        scale = np.maximum(np.abs(np.atleast_1d(self.values[name][index])), 1e-6 * rms(self.values[name]))
        lost = np.maximum(_SEEN * np.abs(self.y.ravel()), self.measured.least_y())
        seen = (np.abs(slopes) * scale[:, None] > lost).any(axis=1)
        below = _BELOW * drowned
        small = (~seen & (np.abs(a) <= drowned) & (error <= drowned)) | (
            (np.abs(a) <= below / _SHARE) & (error <= below)
        )
        accepted = wrong & ((error <= allowed) | (error <= below) | small)
        if accepted.any():
            wrong &= ~accepted
            result.note = "differs by rounding alone"
        return accepted & small

    def _drowned(self, name: str, places: Sequence[tuple[int, ...]], slopes: NDArray, dim: NDArray) -> int:
        """How many slopes are so small relative to y / v that the bound C S hides errors, though they are not rounding of 0.

        Args:
            dim: which slopes are small. Of many, some are looked at.
        """
        numbers = np.flatnonzero(dim)
        looked_at = numbers[:: max(1, len(numbers) // _LOOKED_AT)]
        real = 0
        for number in looked_at:
            again, _ = self.truth.slope(name, self._unit(name, places[number]), self.values[name] * (1 + 1e-9))
            here = slopes[number]  # rounding would be another number each time
            real += bool(np.abs(np.ravel(again) - here).max() <= 1e-2 * np.abs(here).max())
        return round(real * len(numbers) / max(1, len(looked_at)))

    def _analytic(self, name: str, result: TensorResult) -> NDArray | None:
        """Backward's array, or None and the verdict "fail" where its shape or dtype cannot be compared."""
        given = self.gradients.get(name)
        result.backward = given
        array = None if given is None else np.asarray(given)
        if array is None or array.shape != self.values[name].shape or array.dtype.kind not in "fc":
            result.verdict, result.excess = "fail", np.inf
            return None
        return array
