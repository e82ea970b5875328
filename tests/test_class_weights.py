"""Weights of classes, of steps, of answers; ignored targets; pos_weight."""

import numpy as np
import pytest

import minitorch_np as mt


def losses_of(model, x, y, **options):
    """The loss of one batch of all examples, before its step."""
    return model.fit(x, y, batch_size=None, progress=False, **options)["loss"][0]


def still(layers, loss):
    """A model that does not change."""
    model = mt.Sequential(layers, rng=0, dtype="float64")
    return model.compile(mt.SGD(0.0), loss)


def log_softmax(scores):
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def test_balanced_is_that_of_scikit_learn(rng):
    from sklearn.utils.class_weight import compute_class_weight

    x, y = rng.normal(size=(60, 3)), rng.choice(4, 60, p=[0.6, 0.2, 0.15, 0.05])
    weights = dict(enumerate(compute_class_weight("balanced", classes=np.arange(4), y=y)))
    model = still([mt.Input((3,)), mt.Dense(4)], mt.CrossEntropyLoss())
    balanced = losses_of(model, x, y, class_weight="balanced")
    assert balanced == losses_of(model, x, y, class_weight=weights)
    log_p = log_softmax(model.predict(x))[np.arange(60), y]
    assert balanced == pytest.approx(-np.mean([weights[k] * p for k, p in zip(y, log_p, strict=True)]), rel=1e-12)
    assert losses_of(model, x, np.eye(4)[y], class_weight="balanced") == pytest.approx(balanced, rel=1e-12)


def test_balanced_counts_the_examples_to_learn_from_alone(rng):
    x, y = rng.normal(size=(40, 3)), np.repeat([0, 1, 0, 1], [5, 15, 18, 2])
    model = still([mt.Input((3,)), mt.Dense(2)], mt.CrossEntropyLoss())
    split = losses_of(model, x, y, class_weight="balanced", validation_split=0.5)
    assert split == losses_of(model, x[:20], y[:20], class_weight={0: 20 / (2 * 5), 1: 20 / (2 * 15)})


def test_weights_of_the_classes_of_each_step(rng):
    """y of (n, time): each step has the weight of its class, 0.693 * 7 for y = 010 111 and equal scores."""
    x, y = np.zeros((2, 3, 1)), np.array([[0, 1, 0], [1, 1, 1]])
    for units, loss in ((2, mt.CrossEntropyLoss()), (1, mt.BCEWithLogitsLoss())):
        targets = y if units == 2 else y[..., None]
        model = still([mt.Input((3, 1)), mt.Dense(units)], loss)
        given = losses_of(model, x, targets, class_weight={0: 1.0, 1: 10.0})
        assert given == pytest.approx(np.log(2) * 7, rel=1e-12)
        balanced = losses_of(model, x, targets, class_weight="balanced")
        assert balanced == pytest.approx(np.log(2) * (2 * 6 / (2 * 2) + 4 * 6 / (2 * 4)) / 6, rel=1e-12)
    with pytest.raises(ValueError, match="y also has 1"):
        losses_of(model, x, targets, class_weight={0: 1.0})


def test_weights_of_the_classes_of_each_label(rng):
    x, y = rng.normal(size=(30, 3)), (rng.random((30, 2)) < [0.2, 0.7]).astype(float)
    model = still([mt.Input((3,)), mt.Dense(2)], mt.BCEWithLogitsLoss())
    scores = model.predict(x)
    entropy = np.log1p(np.exp(scores)) - scores * y
    each = [{0: 1.0, 1: 4.0}, {0: 2.0, 1: 0.5}]
    factor = np.stack([np.where(y[:, k] == 1, each[k][1], each[k][0]) for k in (0, 1)], axis=1)
    assert losses_of(model, x, y, class_weight=each) == pytest.approx((factor * entropy).mean(), rel=1e-12)
    count = y.sum(axis=0)
    factor = np.where(y == 1, 30 / (2 * count), 30 / (2 * (30 - count)))
    assert losses_of(model, x, y, class_weight="balanced") == pytest.approx((factor * entropy).mean(), rel=1e-12)
    both = losses_of(model, x, y, class_weight=each, sample_weight=np.arange(30) / 10)
    factor = np.stack([np.where(y[:, k] == 1, each[k][1], each[k][0]) for k in (0, 1)], axis=1)
    assert both == pytest.approx((factor * np.arange(30)[:, None] / 10 * entropy).mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({0: 1.0, 1: 2.0}, "each of the 2 columns of y as a separate question. Give class_weight a list"),
        ([{0: 1.0, 1: 2.0}], "has 1 dictionaries, one for each yes-or-no output"),
        ([{0: 1.0}, {0: 1.0, 1: 2.0}], "y also has 1"),
        ("balance", "or 'balanced', got 'balance'"),
        ([], "a list of these"),
        ([1.0, 2.0], r"a list of these.*Write dict\(enumerate\(weights\)\)"),
        (np.array([1.0, 2.0]), r"Write dict\(enumerate\(weights\)\)"),
    ],
)
def test_wrong_weights_of_labels_are_refused(rng, weights, message):
    model = still([mt.Input((3,)), mt.Dense(2)], mt.BCEWithLogitsLoss())
    with pytest.raises(ValueError, match=message):
        losses_of(model, rng.normal(size=(4, 3)), np.array([[0, 1], [1, 1], [1, 0], [0, 0]]), class_weight=weights)


def test_balanced_of_batches_is_refused_with_the_line(rng):
    x, y = rng.normal(size=(6, 3)), np.array([0, 0, 1, 1, 1, 2])
    model = still([mt.Input((3,)), mt.Dense(3)], mt.CrossEntropyLoss())
    with pytest.raises(ValueError, match=r"needs all targets before training.*dict\(enumerate\(") as caught:
        model.fit([(x, y)], class_weight="balanced", progress=False)
    assert "np.bincount(labels)" in str(caught.value)
    with pytest.raises(ValueError, match="needs all targets before training"):
        model.train_on_batch(x, y, class_weight="balanced")
    counts = np.bincount(y)
    model.fit([(x, y)], class_weight=dict(enumerate(counts.sum() / (len(counts) * counts))), progress=False)
    assert model.history["loss"][0] == losses_of(model, x, y, class_weight="balanced")


def test_weights_like_y_leave_missing_labels_out(rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    known = rng.random((20, 2)) < 0.6
    with pytest.raises(ValueError, match=r"Missing labels get weight 0: fit\(x, np\.nan_to_num\(y\)"):
        still([mt.Input((3,)), mt.Dense(2)], mt.MSELoss()).fit(x, np.where(known, y, np.nan), progress=False)
    models = [still([mt.Input((3,)), mt.Dense(2)], mt.MSELoss()).compile(mt.SGD(0.1), mt.MSELoss()) for _ in (0, 1)]
    for model, filling in zip(models, (0.0, 1e6), strict=True):
        model.fit(x, np.where(known, y, filling), sample_weight=known, epochs=2, progress=False)
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    start = still([mt.Input((3,)), mt.Dense(2)], mt.MSELoss())
    expected = (known * (start.predict(x) - y) ** 2).mean()
    assert losses_of(start, x, y, sample_weight=known) == pytest.approx(expected, rel=1e-12)
    assert start.evaluate(x, y, sample_weight=known, batch_size=7).loss == pytest.approx(expected, rel=1e-12)


def test_weights_of_steps(rng):
    x, y, weights = rng.normal(size=(5, 4, 2)), rng.integers(0, 3, (5, 4)), rng.random((5, 4))
    model = still([mt.Input((4, 2)), mt.Dense(3)], mt.CrossEntropyLoss())
    log_p = np.take_along_axis(log_softmax(model.predict(x)), y[..., None], axis=-1)[..., 0]
    assert losses_of(model, x, y, sample_weight=weights) == pytest.approx(-(weights * log_p).mean(), rel=1e-12)


def test_ignored_targets_do_not_count(rng):
    x, y = rng.normal(size=(40, 5, 3)), rng.integers(0, 4, (40, 5))
    padded = np.where(rng.random((40, 5)) < 0.4, -100, y)
    padded[:3] = -100  # examples that do not count at all
    kept = padded != -100
    layers, loss = [mt.Input((5, 3)), mt.Dense(4)], mt.CrossEntropyLoss(ignore_index=-100)
    model = mt.Sequential(layers, rng=0, dtype="float64").compile(mt.SGD(0.0), loss, ["accuracy", "balanced_accuracy"])
    scores = model.predict(x)
    log_p = np.take_along_axis(log_softmax(scores), y[..., None], axis=-1)[..., 0]
    right = scores.argmax(axis=-1) == y
    history = model.fit(x, padded, batch_size=7, progress=False)
    for loss_of, accuracy in (
        (history["loss"][0], history["accuracy"][0]),
        model.evaluate(x, padded, batch_size=3)[:2],
    ):
        assert loss_of == pytest.approx(-log_p[kept].mean(), rel=1e-12)
        assert accuracy == pytest.approx(right[kept].mean(), rel=1e-12)


def test_what_is_ignored_has_no_gradient_and_may_be_anything(rng):
    loss = mt.CrossEntropyLoss(ignore_index=9)
    scores, y = rng.normal(size=(6, 4)), np.array([0, 9, 3, 9, 2, 1])
    value = float(loss(scores, y))
    slope = loss.backward()
    assert not slope[y == 9].any()
    plain = mt.CrossEntropyLoss()
    assert value == pytest.approx(float(plain(scores[y != 9], y[y != 9])), rel=1e-12)
    np.testing.assert_allclose(slope[y != 9], plain.backward(), rtol=1e-12)
    scores[1] = np.inf, 0, -np.inf, 1
    with np.errstate(all="ignore"):
        assert float(loss(np.where(np.isfinite(scores), scores, -np.inf), y)) == pytest.approx(value, rel=1e-12)
    everything = mt.CrossEntropyLoss(ignore_index=9)
    assert float(everything(scores[[0]], np.array([9]))) == 0
    assert not everything.backward().any()


def test_a_target_outside_the_classes_that_is_not_ignored_is_refused(rng):
    model = still([mt.Input((3,)), mt.Dense(2)], mt.CrossEntropyLoss(ignore_index=-1))
    with pytest.raises(ValueError, match="expected class numbers 0 to 1, got -100"):
        model.fit(rng.normal(size=(3, 3)), np.array([0, -1, -100]), progress=False)
    with pytest.raises(ValueError, match="ignores all targets"):
        model.fit(rng.normal(size=(3, 3)), np.full(3, -1), progress=False)
    with pytest.raises(ValueError, match="ignores all targets"):
        model.evaluate(rng.normal(size=(3, 3)), np.full(3, -1))


def test_ignored_targets_that_are_held_out_are_no_class_that_is_not_learnt(rng):
    y = np.where(np.arange(20) > 17, -1, np.arange(20) % 2)
    model = still([mt.Input((3,)), mt.Dense(2)], mt.CrossEntropyLoss(ignore_index=-1))
    model.fit(rng.normal(size=(20, 3)), y, validation_split=0.2, progress=False)  # pytest turns a warning into an error


def test_one_output_of_a_graph_may_ignore_targets(rng):
    x, y = rng.normal(size=(50, 4)), [np.where(np.arange(50) % 3 == 0, -1, rng.integers(0, 3, 50)), rng.normal(size=50)]
    nodes = [("c", mt.Dense(3), "x"), ("r", mt.Dense(1), "x")]
    model = mt.Graph(inputs={"x": (4,)}, nodes=nodes, outputs=["c", "r"], rng=0, dtype="float64")
    model.compile("sgd", {"c": mt.CrossEntropyLoss(ignore_index=-1), "r": "mse"}, metrics={"c": ["accuracy"]})
    whole, parts = model.evaluate(x, y, batch_size=50), model.evaluate(x, y, batch_size=7)
    scores, kept = model.predict(x)[0], y[0] >= 0
    log_p = log_softmax(scores)[np.arange(50), np.maximum(y[0], 0)]
    for measured in (whole, parts):
        assert measured.c_accuracy == pytest.approx((scores.argmax(axis=1) == y[0])[kept].mean())
        assert measured.c_loss == pytest.approx(-log_p[kept].mean())
        assert measured.r_loss == pytest.approx(((model.predict(x)[1][:, 0] - y[1]) ** 2).mean())
    assert whole.loss == pytest.approx(whole.c_loss + whole.r_loss)


def test_class_weights_go_with_ignored_targets(rng):
    x, y = rng.normal(size=(9, 3)), np.array([0, 0, 0, 0, 1, 1, -1, -1, -1])
    model = still([mt.Input((3,)), mt.Dense(2)], mt.CrossEntropyLoss(ignore_index=-1))
    log_p = log_softmax(model.predict(x))[np.arange(6), y[:6]]
    expected = -(np.repeat([6 / (2 * 4), 6 / (2 * 2)], [4, 2]) * log_p).mean()
    assert losses_of(model, x, y, class_weight="balanced") == pytest.approx(expected, rel=1e-12)
    assert losses_of(model, x, y, class_weight={0: 0.75, 1: 1.5}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weight", [0, -1, "2", [[1, 2]], [], [1, np.nan]])
def test_a_wrong_pos_weight_is_refused(weight):
    with pytest.raises(ValueError, match="pos_weight"):
        mt.BCEWithLogitsLoss(pos_weight=weight)


def test_pos_weight_of_another_number_of_outputs_is_refused(rng):
    with pytest.raises(ValueError, match="pos_weight has 3 numbers"):
        mt.BCEWithLogitsLoss(pos_weight=[1, 2, 3])(rng.normal(size=(4, 2)), np.ones((4, 2)))


def test_pos_weight_keeps_infinite_scores_finite():
    loss = mt.BCEWithLogitsLoss(pos_weight=3.0)
    assert float(loss(np.array([[np.inf, -np.inf]]), np.array([[1.0, 0.0]]))) == 0
    np.testing.assert_array_equal(loss.backward(), [[0, 0]])


@pytest.mark.parametrize("loss", [mt.CrossEntropyLoss(ignore_index=-1), mt.BCEWithLogitsLoss(pos_weight=[1.0, 4.0])])
def test_such_losses_are_saved(loss, tmp_path, rng):
    model = still([mt.Input((3,)), mt.Dense(2)], loss)
    if isinstance(loss, mt.BCEWithLogitsLoss):
        with pytest.warns(UserWarning, match="Keras has no BCEWithLogitsLoss with pos_weight"):
            model.save(tmp_path / "m.keras")
    else:
        model.save(tmp_path / "m.keras")
    assert repr(mt.load_model(tmp_path / "m.keras").loss) == repr(loss)


def test_weights_of_classes_in_the_place_of_sample_weight_are_refused():
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1)], rng=0).compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"Weights of classes are class_weight=\{0: 1.0\}"):
        model.fit(np.ones((2, 2)), np.ones(2), sample_weight={0: 1.0})
