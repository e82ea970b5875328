"""Significance: how certain a score on few examples is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def wilson_interval(right: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of true accuracies that are compatible with `right` of `count` correct answers.

    Source: Wilson 1927. With z the normal quantile and p = right / count, the centre is (p + z²/2n) / (1 + z²/n).

    >>> low, high = wilson_interval(40, 50)
    >>> round(low, 3), round(high, 3)
    (0.67, 0.888)
    """
    if not 0 <= right <= count or count < 1:
        raise ValueError(f"wilson_interval: expected 0 <= right <= count and count >= 1, got {right} of {count}.")
    from statistics import NormalDist  # imported here, since it takes longer to load than all modules of the package

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = right / count
    centre = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    low, high = (centre - reach) / scale, (centre + reach) / scale
    return max(0.0, min(low, share)), min(1.0, max(high, share))  # despite rounding, the share itself is inside


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> float:
    """The exact two-sided p-value of the hypothesis that two models, which answered the same questions, are equally good.

    Only the n questions that exactly one model got right count. Under the hypothesis each of them is a fair coin flip, and p is
    the probability of a split at least as uneven.

    Args:
        right_a, right_b: for each question whether the model was right.

    Source: McNemar 1947; exact by the binomial distribution.

    >>> mcnemar([True] * 9 + [False], [False] * 9 + [True])
    0.021484375
    """
    a, b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    if a.shape != b.shape:
        raise ValueError(f"mcnemar: expected answers to the same questions, got {a.shape} and {b.shape}.")
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    differing = only_a + only_b
    tail = sum(math.comb(differing, k) for k in range(min(only_a, only_b) + 1)) / 2**differing
    return min(1.0, 2 * tail)


def score(y_true: ArrayLike, y_pred: ArrayLike) -> dict[str, Any]:
    """How many predicted classes are right: accuracy, misses and the 95 % interval of Wilson.

    >>> score([0, 1, 1, 0], [0, 1, 0, 0])["misses"]
    1
    """
    right = np.ravel(y_true) == np.ravel(y_pred)
    hits, count = int(right.sum()), len(right)
    return {"accuracy": hits / count, "misses": count - hits, "interval": wilson_interval(hits, count)}


def compare(right_a: ArrayLike, right_b: ArrayLike, name_a: str, name_b: str, level: float = 0.05) -> str:
    """McNemar's test as a sentence: which of two models answered more of the same questions, and whether that is significant.

    >>> print(compare([True] * 9 + [False], [False] * 9 + [True], "the network", "the baseline"))
    Only the network is right on 9 of 10, only the baseline on 1: significant (exact McNemar p = 0.021).
    """
    a, b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    p = mcnemar(a, b)
    verdict = "significant" if p < level else "not significant, chance alone can do that"
    return (
        f"Only {name_a} is right on {(a & ~b).sum()} of {len(a)}, only {name_b} on {(~a & b).sum()}: "
        f"{verdict} (exact McNemar p = {p:.2g})."
    )
