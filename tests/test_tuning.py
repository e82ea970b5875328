"""Tuning: folds that are fair, searches that come out the same however they are run, and that survive being killed."""

import itertools
import json
import math
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np import tuning
from minitorch_np.tuning import folds, parallel, plan, spaces

try:
    import sklearn.model_selection as selection
except ImportError:
    selection = None

if parallel.installed():
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import a file of tests

needs_joblib = pytest.mark.skipif(not parallel.installed(), reason="needs joblib: pip install 'minitorch-np[tuning]'")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1, 2], [40, 25, 16])
    return rng.normal(size=(len(y), 6)) + np.eye(3, 6)[y] * 3, y


def build(units=8, learning_rate=0.1, momentum=0.0, rng=None):
    layers = [mt.Input((6,)), mt.Dense(units), mt.ReLU(), mt.Dense(3)]
    model = mt.Sequential(layers, rng=rng)
    return model.compile(mt.SGD(learning_rate, momentum=momentum), mt.CrossEntropyLoss(), metrics=["accuracy"])


SPACE = {
    "units": tuning.Integers(4, 300),
    "learning_rate": tuning.LogUniform(1e-3, 1),
    "momentum": [0.0, 0.9],
    "batch_size": tuning.Choice([8, None]),
}


def timeless(table):
    """The rows of a search, without the seconds, which are never the same twice."""
    return [{**row, "seconds": 0, "fits": [{**fit, "seconds": 0} for fit in row["fits"]]} for row in table]


# Folds


labels = st.lists(st.integers(0, 5), min_size=2, max_size=60).map(np.array)


@given(labels, st.integers(2, 8), st.integers(0, 5))
def test_every_row_is_held_out_once_and_every_class_is_spread_evenly(y, count, seed):
    count = min(count, len(y))
    parts = folds.split_folds(y, count, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.sort(np.concatenate([held_out for _, held_out in parts])), np.arange(len(y)))
    for train, held_out in parts:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(y)))
    of_class = np.array([np.bincount(y[held_out], minlength=6) for _, held_out in parts])
    assert np.ptp(of_class, axis=0).max() <= 1
    assert np.ptp(of_class.sum(axis=1)) <= 1


@pytest.mark.skipif(selection is None, reason="needs scikit-learn")
@given(labels, st.integers(2, 8))
def test_folds_have_as_many_of_each_class_as_those_of_scikit_learn(y, count):
    count = min(count, np.bincount(y)[np.unique(y)].min())
    if count < 2:
        return
    ours = folds.split_folds(y, count, np.random.default_rng(0))
    theirs = selection.StratifiedKFold(count, shuffle=True, random_state=0).split(y, y)

    def counts(parts):
        of_class = np.array([np.bincount(y[held_out], minlength=6) for _, held_out in parts])
        return np.sort(of_class, axis=0).tolist(), np.sort(of_class.sum(axis=1)).tolist()

    assert counts(ours) == counts(theirs)


@given(labels, st.floats(0.05, 0.95))
def test_a_share_is_held_out_of_each_class(y, share):
    if int(len(y) * share) == 0:
        return
    train, held_out = folds.split_off(y, share, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(len(y)))
    assert len(held_out) == int(len(y) * share)
    assert np.abs(np.bincount(y[held_out], minlength=6) - np.bincount(y, minlength=6) * share).max() < 1 + 1e-9


def test_what_counts_as_a_class(rng):
    y = rng.integers(0, 3, 30)
    for same in (y + 5, y.astype(float), y[:, None], np.eye(3)[y], y - 7):
        np.testing.assert_array_equal(folds.classes_of(same), y)
    for continuous in (rng.normal(size=30), rng.normal(size=(30, 1)), rng.integers(0, 2, (30, 4)), np.ones((30, 2))):
        assert folds.classes_of(continuous) is None


def test_continuous_targets_are_shuffled_and_the_seed_decides(rng):
    y = np.sort(rng.normal(size=40))
    first, again, other = (folds.split_folds(y, 4, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0][1], other[0][1])
    assert abs(np.diff(first[0][1]).mean() - 4) < 1.5  # spread over the whole, not a block of it


# Spaces


@given(st.floats(1e-12, 1e12), st.floats(1, 1e6), st.integers(-1000, 1000), st.integers(0, 50), st.integers(0, 99))
def test_what_is_drawn_lies_within_the_limits(low, factor, start, width, seed):
    rng = np.random.default_rng(seed)
    assert low <= tuning.LogUniform(low, low * factor).draw(rng) <= low * factor
    assert start <= tuning.Uniform(start, start + width).draw(rng) <= start + width
    drawn = tuning.Integers(start, start + width).draw(rng)
    assert start <= drawn <= start + width
    assert type(drawn) is int
    assert tuning.Choice([start, "x"]).draw(rng) in (start, "x")


def test_orders_of_magnitude_are_equally_likely_and_both_ends_are_drawn(rng):
    drawn = np.log10([tuning.LogUniform(1e-4, 1).draw(rng) for _ in range(4000)])
    shares = np.histogram(drawn, bins=[-4, -3, -2, -1, 0])[0] / 4000
    np.testing.assert_allclose(shares, 0.25, atol=0.03)
    assert {tuning.Integers(1, 3).draw(rng) for _ in range(100)} == {1, 2, 3}


def test_a_grid_is_every_combination():
    space = spaces.checked_space({"a": [1, 2], "b": (3,), "c": np.array([5, 6])}, "search")
    assert list(spaces.grid(space, "search")) == [
        {"a": 1, "b": 3, "c": 5}, {"a": 1, "b": 3, "c": 6}, {"a": 2, "b": 3, "c": 5}, {"a": 2, "b": 3, "c": 6},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tuning.LogUniform(0, 1), r"LogUniform\(low=0, high=1\): expected 0 < low <= high"),
        (lambda: tuning.Uniform(2, 1), r"expected low <= high"),
        (lambda: tuning.Uniform(0, math.nan), r"expected low <= high, both finite"),
        (lambda: tuning.Integers(0.5, 3), "whole numbers"),
        (lambda: tuning.Choice([]), "a list of at least one value"),
        (lambda: tuning.Choice("relu"), "a list of at least one value, got 'relu'"),
    ],
)
def test_limits_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_halving_that_leaves_none_out_is_refused():
    with pytest.raises(ValueError, match=r"search: halving=3 needs at least 3 trials and 3 epochs .* got 9 and 2"):
        plan.rounds_of(9, 2, 3, "search")


@given(st.integers(5, 500), st.integers(5, 500), st.integers(2, 5))
def test_rounds_end_with_all_epochs_and_grow_by_the_factor(trials, epochs, halving):
    rounds = plan.rounds_of(trials, epochs, halving, "search")
    assert rounds[0].trials == trials
    assert rounds[-1].epochs == epochs
    assert min(min(one) for one in rounds) >= 1
    for before, after in itertools.pairwise(rounds):
        assert after.trials == before.trials // halving
        assert before.epochs == after.epochs // halving
    assert rounds[-1].trials < halving or rounds[0].epochs < halving  # no further round would fit


# Cross-validation


def test_each_fold_is_scored_by_a_model_that_has_learnt_from_the_others(data):
    x, y = data
    result = tuning.cross_validate(build, x, y, folds=4, epochs=3, batch_size=8, rng=5)
    for fold, ((train, held_out), seed) in enumerate(zip(result.folds, result.seeds, strict=True)):
        model = build(rng=seed)
        with parallel.one_blas_thread():
            model.fit(x[train], y[train], epochs=3, batch_size=8)
            assert model.evaluate(x[held_out], y[held_out]).accuracy == result.scores["accuracy"][fold]
    assert result.mean["accuracy"] == np.mean(result.scores["accuracy"])
    assert result.spread["loss"] == pytest.approx(np.std(result.scores["loss"], ddof=1))
    assert len(set(result.seeds)) == 4
    lines = repr(result).splitlines()
    assert lines[0].split() == ["fold", "loss", "accuracy"]
    assert lines[-2].split() == ["mean", f"{result.mean['loss']:.4f}", f"{result.mean['accuracy']:.4f}"]


def test_a_build_without_rng_is_seeded_all_the_same(data):
    def unseeded():
        return build()

    first, again = (tuning.cross_validate(unseeded, *data, folds=3, rng=2) for _ in range(2))
    np.testing.assert_array_equal(first.scores["loss"], again.scores["loss"])
    with_rng = tuning.cross_validate(build, *data, folds=3, rng=2)
    np.testing.assert_array_equal(first.scores["loss"], with_rng.scores["loss"])
    other = tuning.cross_validate(unseeded, *data, folds=3, rng=3)
    assert not np.array_equal(first.scores["loss"], other.scores["loss"])


def test_callbacks_of_one_model_know_nothing_of_the_others(data):
    class Count(mt.Callback):
        seen = 0

        def on_epoch_end(self, epoch, logs):
            self.seen += 1
            if self.seen > 3:
                raise OSError("this callback has seen another model")

    counting = Count()
    tuning.cross_validate(
        build, *data, folds=3, epochs=2, fit={"callbacks": [counting], "class_weight": {0: 1, 1: 2, 2: 2}}
    )
    assert counting.seen == 0


def test_regression_is_cross_validated_on_its_loss(rng):
    x = rng.normal(size=(40, 6))

    def line(rng):
        return mt.Sequential([mt.Input((6,)), mt.Dense(1)], rng=rng).compile(mt.SGD(0.1), mt.MSELoss())

    result = tuning.cross_validate(line, x, x @ rng.normal(size=6), folds=4, epochs=60)
    assert result.mean["loss"] < 0.01


# The same whatever the number of workers


@needs_joblib
@pytest.mark.parametrize("workers", [2, 3])
def test_cross_validation_gives_the_same_bits_for_any_number_of_workers(data, workers):
    alone = tuning.cross_validate(build, *data, epochs=4, workers=1)
    together = tuning.cross_validate(build, *data, epochs=4, workers=workers)
    assert {name: values.tobytes() for name, values in alone.scores.items()} == {
        name: values.tobytes() for name, values in together.scores.items()
    }


@needs_joblib
def test_a_search_gives_the_same_bits_for_any_number_of_workers(data):
    found = [
        timeless(tuning.search(build, SPACE, *data, trials=9, epochs=9, halving=3, folds=3, workers=workers).table)
        for workers in (1, 2, 3)
    ]
    assert found[0] == found[1] == found[2]


def wide(units, rng):
    """Products as large as those whose last bits depend on the number of BLAS threads."""
    layers = [mt.Input((784,)), mt.Dense(units), mt.ReLU(), mt.Dense(2)]
    return mt.Sequential(layers, rng=rng).compile(mt.SGD(0.01), mt.CrossEntropyLoss(), metrics=["accuracy"])


@needs_joblib
def test_large_products_give_the_same_bits_for_any_number_of_workers(rng):
    from threadpoolctl import threadpool_limits

    x, y = rng.normal(size=(500, 784)).astype(np.float32), rng.integers(0, 2, 500)  # joblib maps it into memory
    found = []
    for workers, threads in ((1, 1), (1, 4), (2, 4)):
        with threadpool_limits(threads):
            result = tuning.search(
                wide, {"units": [64, 256]}, x, y, method="grid", batch_size=128, epochs=2, workers=workers
            )
        found.append(timeless(result.table))
    assert found[0] == found[1] == found[2]


@needs_joblib
def test_threads_of_blas_are_put_back_by_the_last_to_leave():
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2):
        first, second = parallel.one_blas_thread(), parallel.one_blas_thread()
        first.__enter__()
        second.__enter__()
        assert threads() == {1}
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}


@needs_joblib
def test_joblib_is_used_as_it_is_configured(data):
    import joblib

    alone = tuning.search(build, SPACE, *data, trials=4, epochs=2, workers=1)
    with joblib.parallel_config(backend="threading", n_jobs=3):
        threads = tuning.search(build, SPACE, *data, trials=4, epochs=2)
    assert timeless(alone.table) == timeless(threads.table)


def test_without_joblib_a_search_runs_in_this_process(data, monkeypatch):
    monkeypatch.setattr(parallel, "installed", lambda: False)
    assert tuning.search(build, SPACE, *data, trials=2, epochs=1).best_score > 0
    with pytest.raises(ImportError, match=r"workers=2 needs joblib: pip install 'minitorch-np\[tuning\]'"):
        tuning.search(build, SPACE, *data, trials=2, workers=2)


# What a search finds


def test_the_best_trial_has_the_best_score_and_can_be_trained_on_everything(data):
    result = tuning.search(build, SPACE, *data, trials=6, epochs=4, workers=1, rng=1)
    scores = [row["score"] for row in result.table]
    assert scores == sorted(scores, reverse=True)
    assert (result.best, result.best_score) == (result.table[0]["settings"], scores[0])
    assert {row["status"] for row in result.table} == {"finished"}
    model = result.refit(*data, rng=4)
    assert model.layers[1].units == result.best["units"]
    assert model.history.epochs == 4
    assert model.evaluate(*data).accuracy > 0.5


def test_a_loss_is_the_better_the_smaller_and_mode_may_say_otherwise(data):
    low = tuning.search(build, SPACE, *data, trials=4, objective="val_loss", workers=1)
    assert low.best_score == min(row["score"] for row in low.table)
    high = tuning.search(build, SPACE, *data, trials=4, objective="loss", mode="max", workers=1)
    assert high.best_score == max(row["score"] for row in high.table)


def test_the_metric_says_which_way_is_better_and_a_function_needs_mode(data):
    def right(y_true, y_pred):
        return (y_pred.argmax(axis=1) == y_true).mean()

    def measuring(metric):
        return lambda units, rng: build(units, rng=rng).compile(mt.SGD(0.1), mt.CrossEntropyLoss(), [metric])

    space = {"units": [2, 8, 20]}
    with pytest.raises(ValueError, match=r"search: whether a larger 'val_right' is better is not known\. Give mode"):
        tuning.search(measuring(right), space, *data, method="grid", objective="val_right", workers=1)
    for metric, objective, mode in ((right, "right", "max"), ("f1", "val_f1", "auto"), ("mae", "mae", "auto")):
        found = tuning.search(
            measuring(metric), space, *data, method="grid", objective=objective, mode=mode, workers=1, batch_size=8
        )
        scores = [row["score"] for row in found.table]
        assert scores == sorted(scores, reverse=objective != "mae")


def test_halving_lets_the_best_of_each_round_go_on(data):
    result = tuning.search(build, SPACE, *data, trials=9, epochs=18, halving=3, workers=1, objective="loss")
    assert sorted(row["epochs"] for row in result.table) == [2] * 6 + [6] * 2 + [18]
    assert [row["status"] for row in result.table] == ["finished"] + ["stopped"] * 8
    at_first = {row["trial"]: row["fits"][0]["scores"]["loss"] for row in result.table}
    assert {row["trial"] for row in result.table[:3]} == set(sorted(at_first, key=at_first.get)[:3])
    whole = tuning.search(build, SPACE, *data, trials=9, epochs=18, workers=1, objective="loss")
    scores = {row["trial"]: row["score"] for row in whole.table}
    assert (
        result.best_score == scores[result.table[0]["trial"]]
    )  # what was trained in rounds is what it would have been


def test_equal_scores_are_ordered_by_number(data):
    result = tuning.search(
        build,
        {"learning_rate": [1e-12] * 4},
        *data,
        method="grid",
        workers=1,
        objective="accuracy",
        fit={"shuffle": False},
    )
    rows = [(-row["score"], row["trial"]) for row in result.table]
    assert rows == sorted(rows)


def test_the_first_trials_are_the_same_however_many_there_are(data):
    few, many = (tuning.search(build, SPACE, *data, trials=trials, workers=1) for trials in (2, 5))
    by_number = {row["trial"]: row for row in timeless(many.table)}
    assert all(row == by_number[row["trial"]] for row in timeless(few.table))


def test_a_trial_that_diverges_is_the_worst_and_does_not_end_the_search(data):
    rates = [1e30, 0.1, 1e25]
    result = tuning.search(build, {"learning_rate": rates}, *data, method="grid", epochs=9, halving=3, workers=1)
    assert [row["trial"] for row in result.table] == [1, 0, 2]
    assert [row["status"] for row in result.table] == ["finished", "diverged", "diverged"]
    assert result.best == {"learning_rate": 0.1}
    assert "-" in repr(result)
    hopeless = tuning.search(build, {"learning_rate": [1e30]}, *data, method="grid", epochs=9, workers=1)
    with pytest.raises(RuntimeError, match="every trial diverged"):
        hopeless.best  # noqa: B018 the access is the test


def test_a_search_continues_from_a_table_of_any_size(data, tmp_path):
    def long_note(note="", rng=0):
        return build(rng=rng)

    settings = {"method": "grid", "folds": 2, "workers": 1, "table": tmp_path / "t.json"}
    first = tuning.search(long_note, {"note": ["n" * 2_500_000]}, *data, **settings)
    again = tuning.search(long_note, {"note": ["n" * 2_500_000]}, *data, **settings)
    assert again.table == first.table


class Told(mt.Metric):
    """A measure that is what it is told."""

    name, mode = "told", "max"

    def __init__(self, value):
        self.value = value

    def reset(self):
        pass

    def update(self, prediction, target):
        pass

    def result(self):
        return self.value


def told(value=0.0, rng=None):
    model = mt.Sequential([mt.Input((6,)), mt.Dense(3)], rng=rng)
    return model.compile(mt.SGD(0.1), mt.CrossEntropyLoss(), metrics=[Told(value)])


def test_a_score_that_is_no_number_is_never_the_best_and_its_table_is_json(data, tmp_path):
    space = {"value": [math.nan, 0.25, math.inf, math.nan, 0.75]}
    settings = {"method": "grid", "objective": "told", "workers": 1, "table": tmp_path / "t.json"}
    for _ in range(2):  # the second one out of the table
        result = tuning.search(told, space, *data, **settings)
        assert [row["trial"] for row in result.table] == [2, 4, 1, 0, 3]
        assert [row["score"] for row in result.table[:3]] == [math.inf, 0.75, 0.25]
        assert math.isnan(result.table[3]["score"])
    json.loads((tmp_path / "t.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    nothing = tuning.search(told, {"value": [math.nan]}, *data, method="grid", objective="told", workers=1)
    with pytest.raises(RuntimeError, match="told is NaN in every trial"):
        nothing.best  # noqa: B018 the access is the test


@pytest.mark.parametrize(
    "change",
    [
        {"trial": [0]}, {"fold": "0"}, {"epochs": 1.0}, {"seed": None}, {"scores": [1]}, {"scores": {"told": "much"}}, {"scores": {"told": 10**400}},
        {"scores": {}}, {"seconds": "1s"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_forged_table_is_refused(data, tmp_path, change):
    settings = {"method": "grid", "objective": "told", "workers": 1, "table": tmp_path / "t.json"}
    tuning.search(told, {"value": [0.5]}, *data, **settings)
    content = json.loads((tmp_path / "t.json").read_text())
    content["fits"][0] |= change
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(mt.ModelFileError, match=r"t\.json: it is no table of a search"):
        tuning.search(told, {"value": [0.5]}, *data, **settings)


def test_a_result_is_printed_and_written_as_a_table(data, tmp_path):
    result = tuning.search(build, SPACE, *data, trials=23, workers=1)
    lines = repr(result).splitlines()
    assert lines[0].split() == ["trial", "accuracy", "epochs", "seconds", "status", *SPACE]
    assert len(lines) == 22
    assert lines[-1] == "… and 3 more, in result.table"
    result.to_csv(tmp_path / "search.csv")
    assert len((tmp_path / "search.csv").read_text().splitlines()) == 24


# Going on where it stopped


def test_a_search_continues_from_its_table(data, tmp_path, monkeypatch):
    path = tmp_path / "search.json"
    straight = tuning.search(build, SPACE, *data, trials=9, epochs=9, halving=3, workers=1)
    fits = []

    def falling(*job):
        if len(fits) == 5:
            raise OSError("the power is gone")
        fits.append(job)
        return attempt(*job)

    from minitorch_np.tuning import race

    attempt = race.attempt
    monkeypatch.setattr(race, "attempt", falling)
    with pytest.raises(OSError, match="power"):
        tuning.search(build, SPACE, *data, trials=9, epochs=9, halving=3, workers=1, table=path)
    assert len(json.loads(path.read_text())["fits"]) == 5
    monkeypatch.setattr(race, "attempt", lambda *job: fits.append(job) or attempt(*job))
    again = tuning.search(build, SPACE, *data, trials=9, epochs=9, halving=3, workers=1, table=path)
    assert timeless(again.table) == timeless(straight.table)
    assert len(fits) == 9 + 3 + 1
    tuning.search(build, SPACE, *data, trials=9, epochs=9, halving=3, workers=1, table=path)
    assert len(fits) == 9 + 3 + 1  # nothing was left to do
    more = tuning.search(build, SPACE, *data, trials=12, epochs=9, halving=3, workers=1, table=path)
    assert timeless(more.table) == timeless(
        tuning.search(build, SPACE, *data, trials=12, epochs=9, halving=3, workers=1).table
    )
    fewer = tuning.search(build, SPACE, *data, trials=9, epochs=9, halving=3, workers=1, table=path)
    assert timeless(fewer.table) == timeless(straight.table)


PROGRAM = '''
import hashlib, sys
import numpy as np
import minitorch_np as mt
from minitorch_np import tuning


class Double(mt.Layer):
    """y = 2 x: a layer that no module has."""

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


def build(units, learning_rate, rng):
    layers = [mt.Input((6,)), mt.Dense(units), Double(), mt.ReLU(), mt.Dense(3)]
    return mt.Sequential(layers, rng=rng).compile(mt.SGD(learning_rate), mt.CrossEntropyLoss(), metrics=["accuracy"])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(90, 6)), rng.integers(0, 3, 90)
    space = {"units": [8, 16, 32], "learning_rate": tuning.LogUniform(0.01, 1)}
    print("ready", flush=True)
    table = sys.argv[2] if len(sys.argv) > 2 else None
    found = tuning.search(build, space, x, y, 18, epochs=18, halving=3, folds=2, workers=int(sys.argv[1]), table=table)
    rows = [(row["trial"], row["settings"], row["score"], row["status"]) for row in found.table]
    print(hashlib.sha256(repr(rows).encode()).hexdigest())
'''


@pytest.fixture
def program(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    return [sys.executable, str(tmp_path / "program.py")]


def outcome(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]


def test_a_killed_search_leaves_a_readable_file_and_ends_as_if_it_had_not_been(program, tmp_path, rng):
    path = tmp_path / "search.json"
    kept = 0
    for _ in range(6):
        process = subprocess.Popen([*program, "1", str(path)], stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        time.sleep(rng.uniform(0.05, 0.4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if path.exists():
            now = len(json.loads(path.read_text())["fits"])
            assert now >= kept
            kept = now
    assert outcome([*program, "1", str(path)]) == outcome([*program, "1"])


@needs_joblib
def test_functions_and_layers_of_a_script_work_in_other_processes(program):
    assert outcome([*program, "2"]) == outcome([*program, "1"])


def patient(patience):
    return mt.callbacks.EarlyStopping("loss", patience=patience)


def otherwise(units=8, rng=None):
    return build(units + 1, rng=rng)


def test_a_table_knows_the_model_of_every_trial(data, tmp_path):
    def other(units=8, rng=None):
        return build(units + (units == 8), rng=rng)

    path = tmp_path / "search.json"
    tuning.search(build, {"units": [4, 8]}, *data, method="grid", workers=1, table=path)
    with pytest.raises(mt.ModelFileError, match=r"the model of trial 1 is .*units=9.* here and .*units=8.* there"):
        tuning.search(other, {"units": [4, 8]}, *data, method="grid", workers=1, table=path)
    tuning.search(build, {"units": [4, 8]}, *data, method="grid", workers=1, table=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"units": [4, 5]}}, r"space is .*values=\[4, 5\].* here and .*values=\[4, 8\].* there"),
        ({"rng": 3}, "rng is 3 here and 0 there"),
        ({"epochs": 2}, "fit is .*'epochs': 2.* here and .*'epochs': 1.* there"),
        ({"fit": {"callbacks": [patient(3)]}}, r"fit is .*'patience': 3.* here and .*'patience': 2.* there"),
        ({"folds": 3}, "folds is 3 here and None there"),
        ({"x": np.ones((81, 6))}, "data is other examples here and those it began with there"),
        ({"objective": "loss"}, "objective is loss here and accuracy there"),
        ({"build": otherwise}, r"layer dense_1 \(of trial 0\) is Dense\(units=\d\) here and Dense\(units=\d\) there"),
    ],
)
def test_the_table_of_another_search_is_refused_by_name(data, tmp_path, change, message):
    given = {"build": build, "space": {"units": [4, 8]}, "x": data[0], "y": data[1], "trials": 2, "workers": 1}
    given["fit"] = {"callbacks": [patient(2)]}
    tuning.search(**given, table=tmp_path / "search.json")
    before = (tmp_path / "search.json").read_bytes()
    with pytest.raises(mt.ModelFileError, match=message):
        tuning.search(**{**given, **change}, table=tmp_path / "search.json")
    assert (tmp_path / "search.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[1]", "not a dictionary"),
        (b'{"format": 7}', "its format is 7, expected 1, that of the table of a search"),
        (b'{"format": 1, "search": {}, "fits": [{"trial": 1}]}', "it is no table of a search"),
        (b'{"format": 1}', "it is no table of a search"),
    ],
)
def test_a_damaged_table_is_refused(data, tmp_path, content, message):
    (tmp_path / "search.json").write_bytes(content)
    with pytest.raises(mt.ModelFileError, match=message):
        tuning.search(build, SPACE, *data, table=tmp_path / "search.json", workers=1)


# Mistakes


def never(rng=None):
    raise AssertionError("a model was built")


SHARED = build()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {}}, "space is a dict of names and what to try"),
        ({"space": {"units": 8}}, r"units is a list of values to try, .* got 8\. For a single value write \[8\]"),
        ({"space": {"unit": [8]}}, r"build\(units=8, .*\) takes no 'unit'"),
        ({"space": {"rng": [8]}}, r"rng is given as search\(rng=…\)"),
        ({"space": {"units": [8, 0.5]}, "trials": 9}, r"with \{'units': 0\.5\} build fails\. Dense: units is"),
        ({"method": "grid"}, r"a grid takes lists of values, and units is Integers\(low=4, high=300\)"),
        ({"method": "grid", "space": {"units": [4, 5]}, "trials": 3}, "the grid has 2 combinations, got trials=3"),
        ({"method": "bayes"}, "method is 'random' or 'grid', got 'bayes'"),
        ({"objective": "val_f1"}, r"the objective 'f1' is not measured; there is loss, accuracy\."),
        ({"trials": 0}, "trials is an int of at least 1, got 0"),
        ({"epochs": 0}, "epochs is an int of at least 1, got 0"),
        ({"halving": 1}, "halving is an int of at least 2"),
        ({"rng": None}, "rng is an int, so that the same search can be run again"),
        ({"workers": 0}, "workers is an int of at least 1, or None"),
        ({"folds": 82}, "folds is an int from 2 to the number of examples, 81"),
        ({"validation_split": 1.0}, r"validation_split is a number in \(0, 1\)"),
        ({"mode": "best"}, "mode is 'auto', 'min' or 'max'"),
        ({"fit": {"sample_weight": 1}}, "fit may hold epochs, batch_size, .* got 'sample_weight'"),
        (
            {"table": "search.csv"},
            r"table ends in \.json, got 'search\.csv'\. For a spreadsheet there is result\.to_csv",
        ),
        ({"build": 7}, "build is a function that makes and returns a new, compiled model, got 7"),
        (
            {"build": lambda units, learning_rate, momentum, depth: None},
            r"build\(.*\): missing a required argument: 'depth'",
        ),
        ({"build": lambda **settings: None}, "build returned None. End it with `return model`"),
        ({"build": lambda **settings: mt.Sequential([mt.Input((6,)), mt.Dense(3)])}, "a model that is not compiled"),
        ({"build": lambda **settings: SHARED}, "build put the same Sequential"),
        ({"x": np.ones((81, 5))}, r"expected inputs of shape \(batch, 6\), got \(batch, 5\)"),
        ({"x": np.ones((80, 6))}, "search: x has 80 examples and y has 81"),
        ({"x": [[np.nan] * 6] * 81}, r"search: x\[0, 0\] is nan"),
        ({"x": lambda: None}, "expected arrays, whose rows can be held out, got function"),
        ({"y": np.arange(81)}, "expected class numbers 0 to 2"),
    ],
)
def test_mistakes_are_reported_before_anything_is_trained(data, monkeypatch, change, message):
    monkeypatch.setattr(mt.Model, "fit", never)
    given = {"build": build, "space": SPACE, "x": data[0], "y": data[1], "trials": None, "workers": 1}
    with pytest.raises(ValueError, match=message):
        tuning.search(**{**given, **change})


OPTIMIZER = mt.SGD(0.1)


def with_one_optimizer():
    model = mt.Sequential([mt.Input((6,)), mt.Dense(3)])
    return model.compile(OPTIMIZER, mt.CrossEntropyLoss())


def drawn_already():
    model = build()
    model.get_weights()
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (with_one_optimizer, r"build put the same SGD\(learning_rate=0.1\) into two models"),
        (drawn_already, "a model without a seed whose weights are initialised already"),
        (lambda units: build(units), "missing a required argument: 'units'. It may take rng; give any other"),
    ],
)
def test_models_that_are_not_apart_are_refused(data, make, message):
    with pytest.raises(ValueError, match=message):
        tuning.cross_validate(make, *data)


def test_a_missing_folder_is_reported_before_training(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*none does not exist"):
        tuning.search(build, SPACE, *data, table=tmp_path / "none" / "search.json")


def test_ctrl_c_ends_the_search_and_keeps_what_is_whole(data, tmp_path):
    class Press(mt.Callback):
        def on_epoch_begin(self, epoch, logs):
            if self.model.layers[1].units == 5 and epoch == 1:
                signal.raise_signal(signal.SIGINT)

    path = tmp_path / "search.json"
    with pytest.raises(KeyboardInterrupt):
        tuning.search(
            build,
            {"units": [4, 5, 6]},
            *data,
            method="grid",
            epochs=3,
            fit={"callbacks": [Press()]},
            workers=1,
            table=path,
        )
    assert [fit["settings"] for fit in json.loads(path.read_text())["fits"]] == [{"units": 4}]


def test_the_scores_of_cross_validation_are_read_by_name(rng):
    def build():
        return mt.Sequential([mt.Input((3,)), mt.Dense(2)], rng=0).compile("sgd", mt.CrossEntropyLoss(), ["accuracy"])

    found = mt.tuning.cross_validate(build, rng.normal(size=(20, 3)), np.arange(20) % 2, folds=4)
    np.testing.assert_array_equal(found["accuracy"], found.scores["accuracy"])
    assert found.mean["accuracy"] == np.mean(found["accuracy"])
    with pytest.raises(KeyError, match="'test_score' was not measured; there is loss, accuracy"):
        found["test_score"]
    with pytest.raises(TypeError, match=r"write validation\.mean\['accuracy'\]"):
        np.mean(found)
