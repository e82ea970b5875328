"""Metrics: exact over batches of any size."""

import copy
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np import callbacks, metrics

CASES = {
    "accuracy": (lambda rng, n: (rng.uniform(size=(n, 1)), rng.integers(0, 2, (n, 1)).astype(float)), (1,)),
    "categorical_accuracy": (lambda rng, n: (rng.normal(size=(n, 4)), rng.integers(0, 4, n)), (4,)),
    "precision": (lambda rng, n: (rng.uniform(size=(n, 1)), rng.integers(0, 2, (n, 1)).astype(float)), (1,)),
    "recall": (lambda rng, n: (rng.normal(size=(n, 4)), rng.integers(0, 4, n)), (4,)),
    "f1": (lambda rng, n: (rng.normal(size=(n, 4)), np.eye(4)[rng.integers(0, 4, n)]), (4,)),
    "auc": (lambda rng, n: (rng.integers(0, 5, (n, 1)) / 4, rng.integers(0, 2, (n, 1)).astype(float)), (1,)),
    "mae": (lambda rng, n: (rng.normal(size=(n, 2)), rng.normal(size=(n, 2))), (2,)),
}


@pytest.mark.filterwarnings("ignore:metrics. 'auc' compares positive examples with negative ones")
@pytest.mark.parametrize("name", CASES)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_batches_of_any_size_give_the_value_of_the_whole(name, count, batch, seed):
    make, shape = CASES[name]
    prediction, target = make(np.random.default_rng(seed), count)
    whole, parts = metrics.finding.find(name, shape, False), metrics.finding.find(name, shape, False)
    whole.reset()
    whole.update(prediction, target)
    parts.reset()
    for start in range(0, count, batch):
        parts.update(prediction[start : start + batch], target[start : start + batch])
    assert parts.result() == pytest.approx(whole.result(), rel=1e-12, nan_ok=True)


def test_accuracy_agrees_with_scikit_learn(rng):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    prediction, target = rng.normal(size=(50, 5)), rng.integers(0, 5, 50)
    metric = metrics.finding.find("accuracy", (5,), True)
    metric.reset()
    metric.update(prediction, target)
    assert metric.result() == pytest.approx(measures.accuracy_score(target, prediction.argmax(axis=1)))


def test_accuracy_of_logits_thresholds_at_zero():
    metric = metrics.finding.find("accuracy", (1,), True)
    metric.reset()
    metric.update(np.array([[0.2], [-0.2]]), np.array([[1.0], [0.0]]))
    assert metric.result() == 1


def test_one_hot_targets_are_understood(rng):
    prediction, numbers = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    results = []
    for target in (numbers, np.eye(3)[numbers]):
        metric = metrics.finding.find("accuracy", (3,), True)
        metric.reset()
        metric.update(prediction, target)
        results.append(metric.result())
    assert results[0] == results[1]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="one of accuracy, acc, binary_accuracy"):
        metrics.finding.find("acuracy", (1,), False)


def outputs(units=1, loss=None, end=(), features=3, seed=0):
    """A compiled model without metrics."""
    layers = [mt.Input((features,)), mt.Dense(units), *end]
    return mt.Sequential(layers, rng=seed, dtype="float64").compile(mt.SGD(0.01), loss or mt.MSELoss())


def measured(model, metric, x, y, batch_size=None):
    """The value of one metric beside the loss."""
    model.metrics = [metric]
    return model.evaluate(x, y, batch_size=batch_size)[1]


def largest_error(prediction, target):
    return np.abs(prediction - target).max()


def rmse(prediction, target):
    return np.sqrt(((prediction - target) ** 2).mean())


def r2(y_true, y_pred):
    return 1 - ((y_true - y_pred) ** 2).sum() / ((y_true - y_true.mean()) ** 2).sum()


def test_a_function_is_a_metric_under_its_own_name(rng):
    model = outputs()
    model.metrics = [largest_error]
    history = model.fit(rng.normal(size=(8, 3)), rng.normal(size=8), epochs=2)
    assert len(history["largest_error"]) == 2


@pytest.mark.parametrize("function", [largest_error, rmse, r2])
@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_a_function_that_is_no_mean_is_exact_over_the_epoch(function, batch_size, rng):
    x, y, model = rng.normal(size=(20, 3)), rng.normal(size=20), outputs()
    p, t = model.predict(x), y[:, None]
    due = r2(t, p) if function is r2 else function(p, t)
    assert measured(model, function, x, y, batch_size) == pytest.approx(due)


def test_the_training_epoch_is_collected_too(rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model = outputs()
    model.metrics = [rmse]
    history = model.fit(x, y, epochs=3, batch_size=6)
    np.testing.assert_allclose(np.square(history["rmse"]), history["loss"])


def test_a_function_of_more_outputs_than_fit_into_its_bound_is_refused(rng, monkeypatch):
    monkeypatch.setattr(metrics.OfFunction, "most_bytes", 100)
    with pytest.raises(
        ValueError, match=r"the function 'rmse' is called with all outputs of an epoch, .* Write a Metric"
    ):
        measured(outputs(), rmse, rng.normal(size=(20, 3)), rng.normal(size=20), 4)


@pytest.mark.parametrize(
    "function",
    [
        lambda y_true, y_pred: y_true.sum() + 3 * y_pred.sum(),
        lambda target, output: target.sum() + 3 * output.sum(),
        lambda labels, scores: labels.sum() + 3 * scores.sum(),
        lambda y, y_hat: y.sum() + 3 * y_hat.sum(),
        lambda yTrue, yPred: yTrue.sum() + 3 * yPred.sum(),
        lambda prediction, target: target.sum() + 3 * prediction.sum(),
        lambda z, t: t.sum() + 3 * z.sum(),
        lambda p, t, scale=1: t.sum() + 3 * p.sum(),
    ],
)
def test_names_of_parameters_tell_their_order(function, rng):
    x, y, model = rng.normal(size=(20, 3)), rng.normal(size=20), outputs()
    assert measured(model, function_named(function), x, y) == pytest.approx(y.sum() + 3 * model.predict(x).sum())


def function_named(function):
    function.__name__ = "own"
    return function


def test_functions_of_scikit_learn_get_their_order(rng):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    x, y, model = rng.normal(size=(20, 3)), rng.normal(size=20), outputs()
    for function in (measures.r2_score, measures.explained_variance_score):
        assert measured(model, function, x, y, 6) == pytest.approx(function(y, model.predict(x)))
    assert measured(model, "r2", x, y, 6) == pytest.approx(measures.r2_score(y, model.predict(x)))


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_r2_agrees_with_scikit_learn(columns, offset, rng):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    target = rng.normal(size=(50, columns)) + offset
    target[:, -1:] = [[7.0]] if columns > 1 else target[:, -1:]
    prediction = target + rng.normal(size=target.shape)
    metric = metrics.finding.find("r2", (columns,), False)
    metric.reset()
    for start in range(0, 50, 8):
        metric.update(prediction[start : start + 8], target[start : start + 8])
    assert metric.result() == pytest.approx(measures.r2_score(target, prediction), rel=1e-7)


@pytest.mark.parametrize(
    ("value", "message"), [(np.ones(2), r"an array of shape \(2,\)"), (None, "got None"), ("0.5", "got '0.5'")]
)
def test_a_function_that_returns_no_number_is_named(value, message, rng):
    def own(prediction, target):
        return value

    with pytest.raises(ValueError, match=f"the function 'own': expected one number, .*{message}"):
        measured(outputs(), own, rng.normal(size=(3, 3)), rng.normal(size=3))


def test_a_metric_that_takes_the_target_first_is_refused():
    class Other(mt.Metric):
        name = "other"

        def update(self, y_true, y_pred): ...

    with pytest.raises(ValueError, match=r"Other\.update\(y_true, y_pred\): predictions come first here"):
        mt.Sequential([mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss(), [Other()])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("acuracy", "Did you mean 'accuracy'"),
        ("recal", "Did you mean 'recall'"),
        (metrics.Precision, r"Precision is a class\. Write Precision\(\)"),
        (None, "got None"),
    ],
)
def test_what_is_no_metric_is_refused_when_compiled(given, message):
    with pytest.raises(ValueError, match=f"Sequential.compile: .*{message}"):
        mt.Sequential([mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss(), [given])


QUESTIONS = [(mt.BCELoss(), [mt.Sigmoid()]), (mt.BCEWithLogitsLoss(), []), (mt.FocalLoss(), []), (mt.HingeLoss(), [])]


@pytest.mark.parametrize(("loss", "end"), QUESTIONS, ids=lambda part: repr(part)[:20])
@pytest.mark.parametrize("units", [1, 4])
def test_an_object_gives_the_number_of_its_name(loss, end, units, rng):
    x, t = rng.normal(size=(30, 3)), rng.integers(0, 2, (30, units)).astype(float)
    model = outputs(units, loss, end)
    objects = {
        "binary_accuracy": metrics.BinaryAccuracy(),
        "precision": metrics.Precision(),
        "recall": metrics.Recall(),
        "f1": metrics.F1Score(),
        "balanced_accuracy": metrics.BalancedAccuracy(),
        "auc": metrics.AUC(),
        "mae": metrics.MeanAbsoluteError(),
    }
    for name, metric in objects.items():
        assert metric.name == ("accuracy" if name == "binary_accuracy" else name)
        assert measured(model, metric, x, t, 7) == pytest.approx(measured(model, name, x, t))


@pytest.mark.parametrize(("loss", "end"), QUESTIONS, ids=lambda part: repr(part)[:20])
def test_accuracy_of_several_questions_is_that_of_each(loss, end, rng):
    x, t = rng.normal(size=(30, 3)), rng.integers(0, 2, (30, 4)).astype(float)
    model = outputs(4, loss, end)
    right = (model.predict(x) > (0.5 if end else 0)) == t
    assert measured(model, "accuracy", x, t) == pytest.approx(right.mean())


def test_a_threshold_beside_scores_is_refused_and_beside_probabilities_followed(rng):
    x, t = rng.normal(size=(30, 3)), rng.integers(0, 2, 30).astype(float)
    for metric in (metrics.BinaryAccuracy(0.7), metrics.Precision(0.5), metrics.F1Score(threshold=0.9)):
        with pytest.raises(ValueError, match="has a threshold of its own, and the loss takes raw scores"):
            measured(outputs(1, mt.BCEWithLogitsLoss()), metric, x, t)
    model = outputs(1, mt.BCELoss(), [mt.Sigmoid()])
    due = ((model.predict(x)[:, 0] > 0.7) == t).mean()
    assert measured(model, metrics.BinaryAccuracy(0.7), x, t) == pytest.approx(due)
    with pytest.raises(ValueError, match="threshold outside 0 to 1, and the loss takes probabilities"):
        measured(model, metrics.Recall(70), x, t)
    with pytest.raises(ValueError, match="answers with the largest of several outputs"):
        measured(outputs(3, mt.CrossEntropyLoss(from_logits=False), [mt.Softmax()]), metrics.Recall(0.7), x, t)


@pytest.mark.parametrize("asked", ["accuracy", "binary_accuracy", "precision", "f1", "auc", "balanced_accuracy"])
def test_classes_are_warned_of_where_targets_are_numbers(asked, rng):
    x = rng.normal(size=(30, 3))
    with pytest.warns(UserWarning, match=r'compares classes, and the targets are not classes.*\["mae", "r2"\]'):
        measured(outputs(), asked, x, 2 * x[:, 0])


def test_accuracy_beside_mean_squares_works_for_classes(rng):
    x, t = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    model = outputs()
    assert measured(model, "accuracy", x, t) == pytest.approx(((model.predict(x)[:, 0] > 0.5) == t).mean())
    model, t = outputs(4), rng.integers(0, 4, 30)
    assert measured(model, "accuracy", x, np.eye(4)[t]) == pytest.approx((model.predict(x).argmax(axis=1) == t).mean())
    with pytest.warns(UserWarning, match='several yes-or-no columns with "binary_accuracy"'):
        measured(model, "accuracy", x, rng.integers(0, 2, (30, 4)))


def test_the_largest_of_one_output_is_refused(rng):
    x, t = rng.normal(size=(8, 3)), rng.integers(0, 2, 8)
    for metric in ("categorical_accuracy", metrics.CategoricalAccuracy()):
        with pytest.raises(ValueError, match=r'the model has only one\. Use "accuracy"'):
            measured(outputs(1, mt.BCELoss(), [mt.Sigmoid()]), metric, x, t)


def test_scores_of_classes_have_no_threshold_each(rng):
    for metric in ("binary_accuracy", metrics.BinaryAccuracy(), metrics.F1Score(binary=True)):
        with pytest.raises(ValueError, match="the loss takes scores of classes that are compared with each other"):
            measured(outputs(3, mt.CrossEntropyLoss()), metric, rng.normal(size=(8, 3)), rng.integers(0, 3, 8))


def test_the_name_in_the_history_is_the_one_that_was_asked_for(rng):
    model = outputs(1, mt.BCELoss(), [mt.Sigmoid()])
    model.metrics = ["accuracy", "binary_accuracy"]
    history = model.fit(rng.normal(size=(8, 3)), rng.integers(0, 2, 8), epochs=2)
    assert list(history) == ["loss", "accuracy", "binary_accuracy"]
    assert history["accuracy"] == history["binary_accuracy"]


@pytest.mark.parametrize(
    ("units", "metric", "loss"),
    [(1, metrics.BinaryAccuracy, mt.BCEWithLogitsLoss), (3, metrics.CategoricalAccuracy, mt.CrossEntropyLoss)],
)
def test_an_object_of_accuracy_is_called_accuracy(units, metric, loss, rng):
    x, y = rng.normal(size=(9, 3)), rng.integers(0, max(2, units), 9)
    model = outputs(units, loss())
    due = measured(model, "accuracy", x, y)
    model.metrics = [metric()]
    assert model.evaluate(x, y).accuracy == due
    stop = callbacks.EarlyStopping("accuracy", patience=3)
    assert len(model.fit(x, y, epochs=2, callbacks=[stop])["accuracy"]) == 2
    assert stop.best == max(model.history["accuracy"])


@pytest.mark.parametrize("count", [4, 8])
def test_the_absolute_error_of_class_numbers_is_that_of_one_hot_rows(count, rng):
    model, numbers = outputs(4, mt.CrossEntropyLoss()), rng.integers(0, 4, count)
    x = rng.normal(size=(count, 3))
    due = np.abs(model.predict(x) - np.eye(4)[numbers]).mean()
    assert measured(model, "mae", x, numbers) == pytest.approx(due)
    assert measured(model, "mae", x, np.eye(4)[numbers]) == pytest.approx(due)


@pytest.mark.parametrize("name", ["accuracy", "categorical_accuracy", "mae", "f1", "auc"])
def test_nothing_is_broadcast(name, rng):
    shape = (1,) if name in ("accuracy", "auc") else (4,)
    prediction, target = rng.normal(size=(4, *shape)), rng.normal(size=(3, *shape))
    with pytest.raises(ValueError, match="They are never broadcast"):
        metrics.finding.find(name, shape, False).update(prediction, target)


@pytest.mark.parametrize(
    ("name", "single"),
    [("auc", True)]
    + [
        (name, one)
        for name in ("accuracy", "precision", "f1", "balanced_accuracy", "mae", "r2")
        for one in (True, False)
    ],
)
def test_a_prediction_of_nan_gives_nan(name, single):
    prediction = np.array([[0.1], [np.nan], [0.8], [0.9]]) if single else np.array([[0.1, 2.0], [np.nan, 1.0]] * 2)
    target = np.array([[0.0], [1], [0], [1]]) if single else np.eye(2)[[0, 1, 1, 0]]
    metric = metrics.finding.find(name, prediction.shape[1:], False)
    metric.update(prediction, target)
    assert np.isnan(metric.result())


@pytest.mark.parametrize("name", ["accuracy", "categorical_accuracy", "precision", "f1", "auc", "mae", "r2"])
def test_a_result_before_any_example_says_so(name):
    metric = metrics.finding.find(name, (4,) if "cat" in name else (1,), False)
    for begin in (lambda: None, metric.reset, lambda: metric.update(np.zeros((0, 4)), np.zeros((0, 4)))):
        begin()
        with pytest.raises(RuntimeError, match=r"nothing is measured yet\. Call update"):
            metric.result()


def test_counting_needs_no_square_of_the_classes(rng):
    metric = metrics.F1Score()
    metric.reset()
    tracemalloc.start()
    metric.update(np.eye(4, 5000, dtype="f4"), np.arange(4))
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert memory < 1e6
    assert metric.result() == 1


def value(name, prediction, target, from_logits=False):
    metric = metrics.finding.find(name, prediction.shape[1:], from_logits)
    metric.reset()
    metric.update(prediction, target)
    return metric.result()


@pytest.mark.parametrize("seed", range(5))
def test_binary_metrics_agree_with_scikit_learn(seed):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    rng = np.random.default_rng(seed)
    score, target = rng.integers(0, 9, (40, 1)) / 8, rng.integers(0, 2, (40, 1))
    given = score > 0.5
    assert value("precision", score, target) == pytest.approx(measures.precision_score(target, given))
    assert value("recall", score, target) == pytest.approx(measures.recall_score(target, given))
    assert value("f1", score, target) == pytest.approx(measures.f1_score(target, given))
    assert value("balanced_accuracy", score, target) == pytest.approx(measures.balanced_accuracy_score(target, given))
    assert value("auc", score, target) == pytest.approx(measures.roc_auc_score(target, score))
    np.testing.assert_array_equal(metrics.confusion_matrix(target, given), measures.confusion_matrix(target, given))


@pytest.mark.parametrize("seed", range(5))
def test_metrics_of_several_classes_agree_with_scikit_learn(seed):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    rng = np.random.default_rng(seed)
    prediction, target = rng.normal(size=(60, 4)), rng.integers(0, 4, 60)
    given = prediction.argmax(axis=1)
    assert value("precision", prediction, target) == pytest.approx(
        measures.precision_score(target, given, average="macro")
    )
    due = measures.balanced_accuracy_score(target, given)
    assert value("balanced_accuracy", prediction, target) == pytest.approx(due)
    assert value("recall", prediction, target) == pytest.approx(measures.recall_score(target, given, average="macro"))
    assert value("f1", prediction, target) == pytest.approx(measures.f1_score(target, given, average="macro"))


def test_nothing_positive_gives_0_and_no_warning():
    nothing = np.zeros((4, 1))
    assert (
        value("precision", nothing, nothing) == value("recall", nothing, nothing) == value("f1", nothing, nothing) == 0
    )


@pytest.mark.parametrize(("target", "kind"), [(0, "negative"), (1, "positive")])
def test_auc_of_one_class_is_nan_and_says_so(target, kind, rng):
    with pytest.warns(
        UserWarning, match=f"'auc' compares .* all 4 are {kind}: it is NaN. Measure it on examples of both"
    ):
        assert np.isnan(value("auc", rng.random((4, 1)), np.full((4, 1), target)))


def test_auc_is_of_one_output_and_classes_have_numbers():
    with pytest.raises(ValueError, match="'auc' needs a model with one output"):
        metrics.finding.find("auc", (3,), False)
    with pytest.raises(ValueError, match="expected class numbers 0 to 1, got 2"):
        metrics.confusion_matrix([0, 2], [0, 1], 2)
    for classes in (-1, 2.5, True):
        with pytest.raises(ValueError, match="confusion_matrix: classes is an int of at least 1"):
            metrics.confusion_matrix([0], [0], classes)
    with pytest.raises(ValueError, match="2 true and 1 predicted"):
        metrics.confusion_matrix([0, 2], [0])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.2], [0.9]], r"expected class numbers in y_pred, got \[0\.2 0\.9\].* \(y_pred > 0\.5\)"),
        (np.eye(2), r"expected class numbers \(n,\) in y_pred, got shape \(2, 2\)\. .*y_pred\.argmax\(axis=-1\)"),
        (["cat", "dog"], "expected class numbers in y_pred, .* return_inverse=True"),
        ([0, np.nan], "expected class numbers in y_pred"),
    ],
)
def test_a_confusion_matrix_is_of_classes(answer, message):
    with pytest.raises(ValueError, match=message):
        metrics.confusion_matrix([0, 1], answer)


def test_a_confusion_matrix_takes_columns_and_whole_numbers_of_any_type():
    expected = metrics.confusion_matrix([0, 1, 1], [0, 0, 1])
    np.testing.assert_array_equal(metrics.confusion_matrix([[0.0], [1.0], [1.0]], [False, False, True]), expected)


@pytest.mark.parametrize("name", ["precision", "recall", "f1", "balanced_accuracy"])
@pytest.mark.parametrize("loss", [mt.BCELoss(), mt.BCEWithLogitsLoss()])
def test_outputs_that_are_questions_of_their_own_are_thresholded_each(name, loss, rng):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    target, scores = rng.integers(0, 2, (40, 3)), rng.normal(size=(40, 3))
    metric = metrics.finding.find(name, (3,), loss.from_logits, loss.binary)
    metric.reset()
    for rows in (slice(7), slice(7, 40)):
        metric.update(scores[rows] if loss.from_logits else mt.sigmoid(scores[rows]), target[rows])
    measure = getattr(measures, {"f1": "f1_score"}.get(name, f"{name}_score"))
    due = measure(target.ravel(), scores.ravel() > 0)
    assert metric.result() == pytest.approx(due)


@pytest.mark.parametrize("value", [np.ones(2), None, 1j])
def test_a_metric_whose_result_is_no_number_is_named(value, rng):
    class Says(mt.Metric):
        name = "says"

        def result(self):
            return value

        def score(self, prediction, target):
            return 0.0

    model, x = outputs(), rng.normal(size=(4, 3))
    model.metrics = [Says()]
    for use in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"Says\(\)\.result: expected one number, got"):
            use(x, x[:, 0])


@pytest.mark.parametrize(
    ("given", "due"), [("acuracy", "accuracy"), ("f1_score", "f1"), ("roc_auc", "auc"), ("accuracy_score", "accuracy")]
)
def test_names_from_elsewhere_are_answered(given, due):
    with pytest.raises(ValueError, match=f"Did you mean '{due}'"):
        mt.Sequential([mt.Dense(1)]).compile(mt.SGD(0.1), mt.MSELoss(), [given])


@pytest.mark.parametrize("batch_size", [3, 20])
def test_squared_errors_are_those_of_the_epoch(batch_size, rng):
    x, y, model = rng.normal(size=(20, 3)), rng.normal(size=20), outputs()
    due = np.mean((model.predict(x)[:, 0] - y) ** 2)
    assert measured(model, "mse", x, y, batch_size) == pytest.approx(due)
    assert measured(model, "rmse", x, y, batch_size) == pytest.approx(np.sqrt(due))


@pytest.mark.parametrize("given", ["accuracy", "f1", "auc", "mae", "rmse", "r2", rmse])
def test_a_metric_continues_from_its_state(given, rng):
    prediction, target = rng.uniform(size=(20, 1)), rng.integers(0, 2, (20, 1)).astype(float)
    one, other = metrics.finding.find(given, (1,), False, True), metrics.finding.find(given, (1,), False, True)
    one.reset()
    one.update(prediction[:8], target[:8])
    other.set_state(one.get_state())
    one.update(prediction[8:], target[8:])
    other.update(prediction[8:], target[8:])
    assert other.result() == one.result()
    assert copy.deepcopy(one).result() == one.result()


def test_a_copy_of_a_metric_gathers_by_itself(rng):
    one = metrics.finding.find(rmse, (1,), False)
    one.update(rng.normal(size=(5, 1)), rng.normal(size=(5, 1)))
    due = one.result()
    other = copy.deepcopy(one)
    other.update(rng.normal(size=(5, 1)), rng.normal(size=(5, 1)))
    assert one.result() == due != other.result()


def test_a_metric_may_be_called_on_arrays():
    metric = mt.metrics.Precision()
    metric.update(np.array([0.9, 0.9]), np.array([0, 0]))
    assert metric([0.2, 0.9], [0, 1]) == 1.0
    assert metric.result() == 0.0


def test_scores_may_be_read_by_name():
    model = mt.Sequential([mt.Input((3,)), mt.Dense(2)], rng=0).compile("sgd", "mse", ["mae"])
    scores = model.evaluate(np.ones((2, 3)), np.ones((2, 2)))
    assert scores["mae"] == scores.mae == scores[1] == scores[-1]
    assert scores[:1] == (scores["loss"],)


def test_a_metric_without_a_name_has_that_of_its_class(rng):
    class OffByTwo(mt.Metric):
        def score(self, prediction, target):
            return float(np.sum(abs(prediction - target) < 2))

    class Closer(OffByTwo):
        name = "closer"

    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile("sgd", "mse", [OffByTwo(), Closer()])
    assert list(model.fit(rng.normal(size=(5, 3)), rng.normal(size=(5, 1)))) == ["loss", "off_by_two", "closer"]
