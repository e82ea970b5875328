"""Metrics: exact over batches of any size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np import metrics

CASES = {
    "accuracy": (lambda rng, n: (rng.uniform(size=(n, 1)), rng.integers(0, 2, (n, 1)).astype(float)), (1,)),
    "categorical_accuracy": (lambda rng, n: (rng.normal(size=(n, 4)), rng.integers(0, 4, n)), (4,)),
    "precision": (lambda rng, n: (rng.uniform(size=(n, 1)), rng.integers(0, 2, (n, 1)).astype(float)), (1,)),
    "recall": (lambda rng, n: (rng.normal(size=(n, 4)), rng.integers(0, 4, n)), (4,)),
    "f1": (lambda rng, n: (rng.normal(size=(n, 4)), np.eye(4)[rng.integers(0, 4, n)]), (4,)),
    "auc": (lambda rng, n: (rng.integers(0, 5, (n, 1)) / 4, rng.integers(0, 2, (n, 1)).astype(float)), (1,)),
    "mae": (lambda rng, n: (rng.normal(size=(n, 2)), rng.normal(size=(n, 2))), (2,)),
}


@pytest.mark.parametrize("name", CASES)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 5))
def test_batches_of_any_size_give_the_value_of_the_whole(name, count, batch, seed):
    make, shape = CASES[name]
    prediction, target = make(np.random.default_rng(seed), count)
    whole, parts = metrics.find(name, shape, False), metrics.find(name, shape, False)
    whole.reset()
    whole.update(prediction, target)
    parts.reset()
    for start in range(0, count, batch):
        parts.update(prediction[start : start + batch], target[start : start + batch])
    assert parts.result() == pytest.approx(whole.result(), rel=1e-12)


def test_accuracy_agrees_with_scikit_learn(rng):
    measures = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn: pip install 'minitorch-np[baseline]'")
    prediction, target = rng.normal(size=(50, 5)), rng.integers(0, 5, 50)
    metric = metrics.find("accuracy", (5,), True)
    metric.reset()
    metric.update(prediction, target)
    assert metric.result() == pytest.approx(measures.accuracy_score(target, prediction.argmax(axis=1)))


def test_accuracy_of_logits_thresholds_at_zero():
    metric = metrics.find("accuracy", (1,), True)
    metric.reset()
    metric.update(np.array([[0.2], [-0.2]]), np.array([[1.0], [0.0]]))
    assert metric.result() == 1


def test_one_hot_targets_are_understood(rng):
    prediction, numbers = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    results = []
    for target in (numbers, np.eye(3)[numbers]):
        metric = metrics.find("accuracy", (3,), True)
        metric.reset()
        metric.update(prediction, target)
        results.append(metric.result())
    assert results[0] == results[1]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="expected one of accuracy, binary_accuracy"):
        metrics.find("acuracy", (1,), False)


def test_a_function_is_a_metric_under_its_own_name(rng):
    def largest_error(prediction, target):
        return np.abs(prediction - target).max()

    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0)
    model.compile(mt.SGD(0.01), mt.MSELoss(), metrics=[largest_error])
    history = model.fit(rng.normal(size=(8, 2)), rng.normal(size=8), epochs=2)
    assert len(history["largest_error"]) == 2


def value(name, prediction, target, from_logits=False):
    metric = metrics.find(name, prediction.shape[1:], from_logits)
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
    assert value("auc", nothing, nothing) == 0.5


def test_auc_is_of_one_output_and_classes_have_numbers():
    with pytest.raises(ValueError, match="'auc' is of models with one output"):
        metrics.find("auc", (3,), False)
    with pytest.raises(ValueError, match="expected class numbers 0 to 1, got 2"):
        metrics.confusion_matrix([0, 2], [0, 1], 2)
    with pytest.raises(ValueError, match="2 true and 1 predicted"):
        metrics.confusion_matrix([0, 2], [0])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.2], [0.9]], r"expected class numbers in y_pred, got \[0\.2 0\.9\].* \(y_pred > 0\.5\)"),
        (np.eye(2), r"expected class numbers \(n,\) in y_pred, got shape \(2, 2\)\. .*y_pred\.argmax\(axis=-1\)"),
        (["cat", "dog"], "expected class numbers in y_pred, .* return_inverse of names"),
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
    metric = metrics.find(name, (3,), loss.from_logits, loss.binary)
    metric.reset()
    for rows in (slice(7), slice(7, 40)):
        metric.update(scores[rows] if loss.from_logits else mt.sigmoid(scores[rows]), target[rows])
    measure = getattr(measures, {"f1": "f1_score"}.get(name, f"{name}_score"))
    due = measure(target.ravel(), scores.ravel() > 0)
    assert metric.result() == pytest.approx(due)
