"""Truth: the true derivative of a forward, computed from the forward alone.

Complex step: for an analytic f, f(v + ihu) = f(v) + ih f'(v) u - h² …, so Im f(v + ihu) / h is the slope along u without
any subtraction, exact to rounding for every small h (Squire & Trapp 1998). Where forward does not work with complex numbers:
central differences of fourth order, (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h, whose error is about h⁴ + rounding / h.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject

# Small enough that 1 + h² is 1, large enough that gradients of 1e-200 survive the multiplication.
_COMPLEX_STEP = 1e-60
_SMALLEST_STEP = 1e-150  # for values near the smallest floats
_ABOVE_NOISE = 10  # times the rounding of a difference: below it, differences refute nothing
_INSIDE = 1e-11  # of y, or of 1 inside of forward: no rounding is larger
_LARGE = 2.0  # inputs of this size or more may saturate gates
_STEPS = (1e-3, 1e-4, 1e-5, 1e-6)


class Truth:
    """Slopes of a subject's outputs, by a method that is first tried on it.

    Attributes:
        method: "complex step" or "differences".
        reason: why it is differences.
        confirmed: whether the differences agree with the complex step for x and for every parameter.
        refuted: whether the complex step gave another slope than the differences.
    """

    def __init__(self, subject: Subject, rng: np.random.Generator, method: str = "auto") -> None:
        self.subject = subject
        self.method = "differences" if method == "differences" else "complex step"
        self.reason = "chosen by the caller" if method == "differences" else ""
        self.confirmed = method == "auto"
        self.refuted = False
        self._steps: dict[str, float] = {}  # of the complex step, for each value as it is
        if method == "auto":
            self._try_complex(rng)

    def description(self) -> str:
        """The method, and why it was chosen."""
        if self.reason:
            return f"finite {self.method}: {self.reason}"
        return self.method + "; finite differences agree" * self.confirmed

    def slope(self, name: str, direction: NDArray, at: NDArray | None = None) -> tuple[NDArray, float]:
        """d y / d value along a direction, one number for each output, and an upper bound of the method's own error."""
        value = self.subject.values()[name] if at is None else at
        if self.method == "complex step":
            if at is None and name not in self._steps:
                self._steps[name] = complex_step(value)
            slope = complex_slope(self.subject, name, value, direction, None if at is not None else self._steps[name])
            if np.isfinite(slope).all():
                return slope, 0.0
        # In complex numbers 1 / (1 + exp(1000)) is nan: there the differences decide.
        slope, error = difference_slope(self.subject, name, value, direction)
        return slope, 10 * error + 1e-300

    def _try_complex(self, rng: np.random.Generator) -> None:
        """Compare with differences along one random direction, at a point nearby, where there are no exact ties."""
        for name, value in self.subject.values().items():
            scale = rms(value)
            nearby = value + 0.01 * scale * rng.normal(size=value.shape)
            direction = rng.normal(size=value.shape)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error", np.exceptions.ComplexWarning)
                    exact = complex_slope(self.subject, name, nearby, direction)
            except (TypeError, ValueError, np.exceptions.ComplexWarning) as refusal:
                return self._use_differences(f"forward does not work with complex numbers ({refusal})")
            trial = _tried(self.subject, name, nearby, direction, exact)
            self.confirmed = self.confirmed and trial.agrees
            if trial.refuted and self._also_at_moderate_x(name, direction, rng):
                self.refuted = True
                return self._use_differences(
                    f"forward loses the imaginary part of complex numbers for {name}, as abs, var and std do"
                )
        return None

    def _also_at_moderate_x(self, name: str, direction: NDArray, rng: np.random.Generator) -> bool:
        """Whether the complex step is refuted at inputs of size 1 too.

        Where large inputs saturate gates, differences settle on 0 although the slope is only small. An operation that loses the
        imaginary part does so at any size.
        """
        x = self.subject.values().get("x")
        if x is None or rms(x) < _LARGE:
            return True
        subject = self.subject.again(x / rms(x))
        value = subject.values()[name]
        nearby = value + 0.01 * rms(value) * rng.normal(size=value.shape)
        try:
            return _tried(subject, name, nearby, direction, complex_slope(subject, name, nearby, direction)).refuted
        except (ValueError, FloatingPointError):
            return True  # forward does not take such inputs

    def _use_differences(self, reason: str) -> None:
        self.method, self.reason = "differences", reason


class _Trial(NamedTuple):
    """Whether the differences agree with the complex step, and whether they refute it; neither if they decide nothing."""

    agrees: bool
    refuted: bool


def _tried(subject: Subject, name: str, nearby: NDArray, direction: NDArray, exact: NDArray) -> _Trial:
    """The differences, as the step shrinks, beside the slope of the complex step: do they converge to it, or to another one?

    Where they do not converge (a kink, values of very different sizes), or where the two slopes differ by less than the
    rounding of y (saturation), they decide nothing.
    """
    before: NDArray | None = None
    gap = np.inf
    for step in _STEPS:
        difference, noise = difference_slope(subject, name, nearby, direction, step)
        size = max(float(np.abs(difference).max(initial=0)), float(np.abs(exact).max(initial=0)), 1e-300)
        distance = float(np.abs(exact - difference).max(initial=0))
        gap = min(gap, distance / size)
        if gap <= 1e-5:
            return _Trial(agrees=True, refuted=False)
        # Where y does not move at all, the change may be lost in the rounding of a sum inside of forward.
        settled = (
            before is not None and difference.any() and float(np.abs(difference - before).max(initial=0)) < 1e-4 * size
        )
        if settled and gap > 1e-3 and distance > _ABOVE_NOISE * noise:
            return _Trial(agrees=False, refuted=True)
        before = difference
    return _Trial(agrees=False, refuted=False)


def complex_step(value: NDArray) -> float:
    return max(_COMPLEX_STEP * rms(value), _SMALLEST_STEP)


def complex_slope(
    subject: Subject, name: str, value: NDArray, direction: NDArray, step: float | None = None
) -> NDArray:
    """The slope along a direction; a caller that asks for many has computed the step once."""
    step = complex_step(value) if step is None else step
    return np.imag(subject.forward({name: value + (1j * step) * direction})) / step


def difference_slope(
    subject: Subject, name: str, value: NDArray, direction: NDArray, step: float = 3e-4
) -> tuple[NDArray, float]:
    """The slope of fourth order, and an estimate of its error from the slope of second order and from rounding."""
    h = step * scale_along(value, direction)
    f = _around(subject, name, value, h * direction)
    fourth = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)  # in this order, exactly 0 where y does not move
    second = (f[1] - f[-1]) / (2 * h)
    size = max(float(np.abs(y).max(initial=0)) for y in f.values())
    noise, rough = 4e-16 * size, _roughness(f)
    if (
        noise < rough < _INSIDE * max(size, 1.0)
        and _roughness(_around(subject, name, value, h / 8 * direction)) > rough / 4
    ):
        noise = rough
    gap = float(np.abs(fourth - second).max(initial=0))
    scale = max(float(np.abs(fourth).max(initial=0)), 1e-300)
    return fourth, gap * min(1.0, gap / scale) + noise / h


def _around(subject: Subject, name: str, value: NDArray, step: NDArray) -> dict[int, NDArray]:
    """y at value + k * step, by k."""
    return {k: np.array(subject.forward({name: value + k * step})) for k in (-2, -1, 0, 1, 2)}


def _roughness(f: dict[int, NDArray]) -> float:
    """Half of the fourth difference of y. What rounding does inside of forward may be far above the last digit of y; it shows here.

    It is of the order of h⁴ where y is smooth, and of h at a kink, while rounding does not depend on h (Hamming's difference
    table; Moré & Wild 2011, "Estimating computational noise").
    """
    return float(np.abs(f[-2] + f[2] - 4 * (f[-1] + f[1]) + 6 * f[0]).max(initial=0)) / 2


def scale_along(value: NDArray, direction: NDArray) -> float:
    """The step along a direction that changes the touched elements by their own size, but at least by 1 % of all elements' size."""
    longest = float(np.abs(direction).max(initial=0)) or 1.0
    touched = value[direction != 0]
    return max(rms(touched) if touched.any() else 0.0, 0.01 * rms(value)) / longest


def rms(values: NDArray) -> float:
    """The root of the mean square, or 1 if all elements are 0: the size of a value."""
    largest = float(np.abs(values).max(initial=0))
    if not largest or not np.isfinite(largest):
        return 1.0
    scaled = np.ravel(values / largest)
    return largest * float(np.sqrt(np.dot(scaled, scaled) / scaled.size))
