"""Tuning: the score of a kind of model by cross-validation, and the best settings by search."""

from minitorch_np.base.module_names import public_module
from minitorch_np.tuning.cross_validation import CrossValidation, cross_validate
from minitorch_np.tuning.rate_test import RateTest, rate_test
from minitorch_np.tuning.results import SearchResult
from minitorch_np.tuning.search import search
from minitorch_np.tuning.spaces import Choice, Integers, LogUniform, Uniform

__all__ = [
    "Choice", "CrossValidation", "Integers", "LogUniform", "RateTest", "SearchResult", "Uniform", "cross_validate", "rate_test", "search",
]  # fmt: skip

public_module(__name__)
