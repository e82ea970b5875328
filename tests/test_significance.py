"""Significance: against figures published elsewhere, and by their meaning."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitorch_np import significance


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_agrees_with_newcombe_1998_table_1(right, count, low, high):
    assert significance.wilson_interval(right, count) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_in_bounds(pair):
    right, count = pair
    low, high = significance.wilson_interval(right, count)
    assert 0 <= low <= right / count <= high <= 1


def test_mcnemar_is_the_binomial_test():
    stats = pytest.importorskip("scipy.stats", reason="needs SciPy, which scikit-learn brings")
    for a, b in [(9, 1), (6, 2), (5, 5), (0, 3), (12, 5), (0, 0)]:
        right_a, right_b = np.repeat([True, False, True], [a, b, 4]), np.repeat([False, True, True], [a, b, 4])
        expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
        assert significance.mcnemar(right_a, right_b) == pytest.approx(expected)


def test_72_against_80_per_cent_of_50_is_not_significant():
    right_a, right_b = np.arange(50) < 40, np.arange(50) < 36
    text = significance.compare(right_a, right_b, "the network", "the baseline")
    assert text == (
        "Only the network is right on 4 of 50, only the baseline on 0: "
        "not significant, chance alone can do that (exact McNemar p = 0.12)."
    )


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="got 5 of 4"):
        significance.wilson_interval(5, 4)
    with pytest.raises(ValueError, match="the same questions"):
        significance.mcnemar([True], [True, False])
