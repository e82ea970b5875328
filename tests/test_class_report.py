"""The classification report and the accuracy of the top k."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.metrics import CategoricalAccuracy, TopKCategoricalAccuracy, classification_report

sklearn = pytest.importorskip("sklearn.metrics")


def assert_equal(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, row in theirs.items():
        if isinstance(row, dict):
            assert ours[name].keys() == row.keys()
            for measure, value in row.items():
                assert ours[name][measure] == pytest.approx(value, rel=1e-12), (name, measure)
        else:
            assert ours[name] == pytest.approx(row, rel=1e-12)


CASES = {
    "three classes": lambda r: (r.integers(0, 3, 50), r.integers(0, 3, 50)),
    "a class that is never predicted": lambda r: (r.integers(0, 4, 50), r.integers(0, 3, 50)),
    "a class that never occurs": lambda r: (r.integers(0, 3, 50), r.integers(0, 4, 50)),
    "two classes": lambda r: (r.integers(0, 2, 50), r.integers(0, 2, 50)),
    "bools": lambda r: (r.random(50) < 0.3, r.random(50) < 0.4),
    "numbers with gaps": lambda r: (r.choice([-3, 5, 70], 50), r.choice([-3, 5, 70], 50)),
    "names": lambda r: (r.choice(["cat", "dog"], 50), r.choice(["cat", "owl"], 50)),
    "names as objects": lambda r: (
        r.choice(["cat", "dog"], 50).astype(object),
        r.choice(["cat", "owl"], 50).astype(object),
    ),
    "one class": lambda r: (np.ones(9, int), np.ones(9, int)),
    "labels": lambda r: ((r.random((50, 4)) < 0.3).astype(int), (r.random((50, 4)) < 0.4).astype(int)),
    "labels that never occur": lambda r: ((r.random((20, 3)) < [0.3, 0, 0.5]).astype(int), np.zeros((20, 3), int)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_scikit_learn(rng, case):
    true, predicted = CASES[case](rng)
    theirs = sklearn.classification_report(true, predicted, output_dict=True, zero_division=0)
    assert_equal(classification_report(true, predicted), theirs)


def test_outputs_columns_and_names(rng):
    true, outputs = rng.integers(0, 3, 40), rng.normal(size=(40, 3))
    names = ["cat", "dog", "owl"]
    theirs = sklearn.classification_report(
        true, outputs.argmax(axis=1), output_dict=True, target_names=names, zero_division=0
    )
    assert_equal(classification_report(true, outputs, names), theirs)
    assert_equal(classification_report(true[:, None], outputs.argmax(axis=1)[:, None].astype(float), names), theirs)
    assert classification_report([0, 1], [0, 1], names)["owl"]["support"] == 0


def test_the_text_is_the_table_of_scikit_learn(rng):
    true, predicted = rng.integers(0, 3, 40), rng.integers(0, 3, 40)
    ours, theirs = str(classification_report(true, predicted)), sklearn.classification_report(true, predicted)
    assert ours.split() == theirs.split()


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([0, 1], [0, 1, 1], r"shapes \(2,\) and \(3,\)"),
        ([0, 1], [0.2, 0.9], r"expected classes in y_pred, got 0\.2\. Write \(y_pred > 0\.5\)"),
        ([[0, 1], [1, 1]], [[0.2, 0.4], [0.7, 0.1]], "y_pred has one column for each label"),
        (["a", "b"], [0, 1], "y_true has names and the other one numbers"),
        ([], [], "expected one true and one predicted class"),
    ],
)
def test_what_are_no_classes_is_refused(true, predicted, message):
    with pytest.raises(ValueError, match=message):
        classification_report(true, predicted)


def test_names_of_another_number_are_refused():
    with pytest.raises(ValueError, match="class_names has 1 names, and there are 2 classes"):
        classification_report([0, 1], [1, 1], ["cat"])
    with pytest.raises(TypeError, match=r"Write class_names=\['a', 'b'\]"):
        classification_report([0, 1], [1, 1], target_names=["a", "b"])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_that_of_scikit_learn(rng, k):
    scores, y = rng.normal(size=(100, 8)), rng.integers(0, 8, 100)
    expected = sklearn.top_k_accuracy_score(y, scores, k=k, labels=np.arange(8))
    for target in (y, np.eye(8)[y]):
        metric = TopKCategoricalAccuracy(k)
        for rows in (slice(0, 30), slice(30, 100)):
            metric.update(scores[rows], target[rows])
        assert metric.result() == pytest.approx(expected, rel=1e-12)


def test_top_1_is_accuracy_also_where_outputs_are_equal(rng):
    scores, y = rng.integers(0, 2, (200, 5)).astype(float), rng.integers(0, 5, 200)
    one, plain = TopKCategoricalAccuracy(1), CategoricalAccuracy()
    for metric in (one, plain):
        metric.update(scores, y)
    assert one.result() == plain.result()
    constant = TopKCategoricalAccuracy(2)
    constant.update(np.zeros((200, 5)), y)
    assert constant.result() == (y < 2).mean()  # not 1


@pytest.mark.parametrize(("name", "k"), [("top_5", 5), ("top_2", 2), ("top_3_accuracy", 3), ("top_k_categorical_accuracy", 5), ("sparse_top_k_categorical_accuracy", 5)])  # fmt: skip
def test_the_names_of_top_k(rng, name, k):
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 7, 40)
    model = mt.Sequential([mt.Input((3,)), mt.Dense(7)], rng=0).compile("sgd", mt.CrossEntropyLoss(), [name])
    expected = sklearn.top_k_accuracy_score(y, model.predict(x), k=k, labels=np.arange(7))
    assert model.evaluate(x, y)._asdict()[name] == pytest.approx(expected)
    stopping = mt.callbacks.EarlyStopping(f"val_{name}")
    assert name in model.fit(x, y, validation_split=0.2, callbacks=[stopping], progress=False)


def test_a_k_that_says_nothing_is_refused(rng):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(5)], rng=0).compile("sgd", mt.CrossEntropyLoss(), ["top_5"])
    with pytest.raises(ValueError, match="is 1 for every model, since there are only 5 classes"):
        model.evaluate(rng.normal(size=(4, 3)), [0, 1, 2, 3])
    with pytest.raises(ValueError, match="k is an int of at least 1"):
        TopKCategoricalAccuracy(0)
    with pytest.raises(ValueError, match="expected a Metric, a function, 'top_5' or one of"):
        model.compile("sgd", mt.CrossEntropyLoss(), ["topp"])
