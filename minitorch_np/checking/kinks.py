"""Kinks: places where the slope of y jumps, at which every gradient between the one-sided slopes is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.checking.truth import Truth, difference_slope, rms, scale_along

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.subject import Subject

_NOISE = 64 * 2.2e-16  # of y: the rounding of a difference of two outputs
_TIED_VALUES = 5  # values that occur more than once, whose elements are moved together


def slopes_beside(
    subject: Subject, dy: NDArray, name: str, direction: NDArray, given: float
) -> tuple[float, float] | None:
    """The one-sided slopes of sum dy y along a direction, if they differ and the given slope is between them.

    At a kink the gap between forward and backward difference stays as the step shrinks; where y is smooth it shrinks too,
    and rounding makes it grow. Several outputs may have a kink here, each with a subgradient of its own, so the interval is
    the sum of theirs.
    """
    value = subject.values()[name]
    h = 1e-5 * scale_along(value, direction)
    gaps = []
    middle = np.array(subject.forward())
    for step in (h, h / 8, h / 64):
        right = (subject.forward({name: value + step * direction}) - middle) / step
        left = (middle - subject.forward({name: value - step * direction})) / step
        gaps.append(np.abs(right - left))
    largest, middling, least = gaps
    kinked = (least > 0.5 * largest) & (middling > 0.5 * largest) & (least < 2 * largest) & (middling < 2 * largest)
    kinked &= least > 1e-6 * (np.abs(right) + np.abs(left)) + _NOISE * np.abs(middle) / (h / 64)
    kinked &= least > 1e-9 * np.abs(middle).max(initial=0) / rms(value)
    if not kinked.any():
        return None
    both = np.stack([dy * left, dy * right])
    smooth = np.where(kinked, 0, both.mean(axis=0)).sum()
    low = smooth + np.where(kinked, both.min(axis=0), 0).sum()
    high = smooth + np.where(kinked, both.max(axis=0), 0).sum()
    slack = 1e-4 * float(np.abs(both).sum())
    if low - slack <= given <= high + slack:
        return float(both[0].sum()), float(both[1].sum())
    return None


def is_tie(truth: Truth, dy: NDArray, name: str, direction: NDArray, given: float) -> bool:
    """Whether the complex step is wrong at an exact tie, such as min(x, 0) at 0, and real differences confirm the slope."""
    value = truth.subject.values()[name]
    if (
        truth.method != "complex step"
    ):  # x / (1 + |x|) is smooth at 0, but its differences are exact for small steps only
        close, far = (
            float((difference_slope(truth.subject, name, value, direction, step)[0] * dy).sum()) - given
            for step in (1e-6, 3e-4)
        )
        return abs(close) <= min(0.1 * abs(far), 1e-5 * (abs(given) + abs(close)))
    if np.array_equal(truth.slope(name, direction)[0], -truth.slope(name, -direction)[0]):
        return False
    slope = difference_slope(truth.subject, name, value, direction, 1e-5)[0]
    terms = float(np.abs(slope * dy).sum())
    return abs(float((slope * dy).sum()) - given) <= 1e-5 * terms


def tied_directions(value: NDArray) -> Iterator[NDArray]:
    """For the values that occur most often, the direction in which all elements of this value grow together.

    At a tie, each element alone stands at a kink, where much is a valid subgradient. Together they do not: the maximum of two
    equal numbers has a slope along (1, 1).
    """
    found, counts = np.unique(value, return_counts=True)
    for number in np.argsort(-counts, kind="stable")[:_TIED_VALUES]:
        if counts[number] > 1:
            yield (value == found[number]).astype(float)
