"""gradcheck on the benchmark's wrong and right layers: every bug is found, nothing right is accused, most bugs get their name."""

import time
from collections import Counter

import numpy as np
import pytest
from gradcheck_benchmark import catalogue
from gradcheck_benchmark.__main__ import computes
from gradcheck_benchmark.judging import judge
from gradcheck_benchmark.user_layers import cases as user_layers

from minitorch_np import assert_gradients, gradcheck

SETS = {"catalogue": catalogue.WRONG, "layers by users": user_layers.WRONG}
NAMED = {"catalogue": 300, "layers by users": 84}  # the fewest bugs whose name must be right


@pytest.fixture(scope="module", params=SETS)
def results(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", time.process_time)  # so that a busy machine ends no search for a name
        return request.param, [judge(case) for case in SETS[request.param]]


def test_every_bug_is_found(results):
    _, judged = results
    assert [str(result) for result in judged if result.verdict != "fail"] == []


def test_most_bugs_get_a_right_name(results):
    title, judged = results
    counts = Counter(result.naming for result in judged)
    others = [f"{result.naming}: {result.case} | {result.name}" for result in judged if result.naming != "right"]
    assert counts["right"] >= NAMED[title], "\n".join([str(counts), *others])


@pytest.mark.parametrize("case", catalogue.RIGHT, ids=str)
def test_no_right_case_of_the_catalogue_is_accused(case):
    for batch in (5, 1):
        assert_gradients(case.make(), *case.draw(batch), strict_dtype=True)


@pytest.mark.parametrize("case", user_layers.RIGHT, ids=str)
def test_no_right_layer_by_a_user_is_accused(case):
    x, y = case.draw()
    assert_gradients(case.make(), x, y)
    large = x * 1e4 if x.dtype.kind == "f" else x  # exp overflows in complex numbers, where 1 / (1 + exp(-x)) is nan
    if computes(case.make(), large, y):
        assert gradcheck(case.make(), large, y, raise_exception=False).verdict != "fail"


def test_the_benchmark_keeps_its_size():
    assert (len(catalogue.WRONG), len(catalogue.RIGHT)) == (342, 63)
    assert (len(user_layers.WRONG), len(user_layers.RIGHT)) == (90, 23)


def test_a_rival_gets_only_the_parameters_where_x_holds_whole_numbers():
    from gradcheck_benchmark import rivals

    right = next(case for case in user_layers.RIGHT if case.draw()[0].dtype.kind != "f")
    wrong = next(case for case in user_layers.WRONG if case.kind == right.kind)
    check = rivals.installed()["CS231n"]
    assert [check(case.make(), *case.draw()) for case in (right, wrong)] == ["pass", "fail"]
    with pytest.raises(rivals.NothingToCheck):
        rivals.Function(right.make(), np.zeros((2, 4), int), None, with_parameters=False)
