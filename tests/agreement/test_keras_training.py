"""How a model learns and is measured, in Keras's terms and back: losses of probabilities, metrics, and what Keras does not have."""

import os

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)
CLASSES = np.arange(20) % 3
ONE_HOT = np.eye(3, dtype=np.float32)[CLASSES]

CROSS_ENTROPIES = [
    ("sparse_categorical_crossentropy", CLASSES, mt.CrossEntropyLoss(from_logits=False)),
    ("categorical_crossentropy", ONE_HOT, mt.CrossEntropyLoss(from_logits=False)),
    (keras.losses.SparseCategoricalCrossentropy(), CLASSES, mt.CrossEntropyLoss(from_logits=False)),
    (keras.losses.CategoricalCrossentropy(), ONE_HOT, mt.CrossEntropyLoss(from_logits=False)),
    (keras.losses.categorical_crossentropy, ONE_HOT, mt.CrossEntropyLoss(from_logits=False)),
    (keras.losses.CategoricalCrossentropy(label_smoothing=0.2), ONE_HOT, mt.CrossEntropyLoss(0.2, from_logits=False)),
    (keras.losses.CategoricalCrossentropy(True, 0.2), ONE_HOT, mt.CrossEntropyLoss(0.2)),
]


@pytest.mark.parametrize(("loss", "y", "due"), CROSS_ENTROPIES, ids=range(len(CROSS_ENTROPIES)))
def test_cross_entropies_go_both_ways(tmp_path, loss, y, due):
    last = [] if due.from_logits else [keras.layers.Softmax()]
    theirs = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5), keras.layers.ReLU(), keras.layers.Dense(3), *last]
    )
    theirs.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=["accuracy"])
    theirs.fit(X, y, epochs=5, batch_size=20, shuffle=False, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    ours = mt.load_model(tmp_path / "theirs.keras")
    assert repr(ours.loss) == repr(due)
    theirs.fit(X, y, epochs=10, batch_size=20, shuffle=False, verbose=0)
    ours.fit(X, y, epochs=10, batch_size=None)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    there = ONE_HOT if due.label_smoothing else CLASSES
    np.testing.assert_allclose(theirs.evaluate(X, there, verbose=0), list(ours.evaluate(X, y)), rtol=1e-5)
    theirs.fit(X, there, epochs=10, batch_size=20, shuffle=False, verbose=0)
    ours.fit(X, y, epochs=10, batch_size=None)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)


NAMES = ["accuracy", "precision", "recall", "auc", "mae"]


@pytest.mark.parametrize("logits", [False, True])
def test_metrics_of_one_output_mean_the_same_there_and_come_back(tmp_path, logits):
    layers = [mt.Input((4,)), mt.Dense(3), mt.Tanh(), mt.Dense(1), *([] if logits else [mt.Sigmoid()])]
    loss = mt.BCEWithLogitsLoss() if logits else mt.BCELoss()
    ours = mt.Sequential(layers, rng=1).compile(mt.SGD(0.1), loss, NAMES)
    ours.fit(X, Y, epochs=3)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    found, due = theirs.evaluate(X, Y[:, None], verbose=0, return_dict=True), ours.evaluate(X, Y)._asdict()
    assert set(found) == {"loss", *NAMES}
    for name in ("loss", *NAMES):
        assert found[name] == pytest.approx(due[name], abs=0.01 if name == "auc" else 1e-5), name
    theirs.save(tmp_path / "theirs.keras")
    assert mt.load_model(tmp_path / "theirs.keras").metrics == NAMES


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_metrics_that_keras_was_given_by_name(tmp_path, suffix):
    names = ["acc", "AUC", "mean_absolute_error", keras.metrics.Recall(), keras.metrics.BinaryAccuracy(), "Precision"]
    other = [keras.metrics.Precision(0.7, name="high"), keras.metrics.AUC(curve="PR", name="pr"), "cosine_similarity"]
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    theirs.compile("sgd", "binary_crossentropy", metrics=[*names, *other])
    theirs.fit(X, Y[:, None], verbose=0)
    theirs.save(tmp_path / f"m.{suffix}")
    with pytest.warns(
        UserWarning, match=r"this package has no Precision, AUC, .*osine.* that means the same, and leaves it"
    ):
        ours = mt.load_model(tmp_path / f"m.{suffix}")
    assert ours.metrics == ["accuracy", "auc", "mae", "recall", "precision"]
    ours.fit(X, Y)


def test_several_outputs_keep_the_accuracy_alone(tmp_path):
    layers = [mt.Input((4,)), mt.Dense(3)]
    ours = mt.Sequential(layers).compile(mt.SGD(), mt.CrossEntropyLoss(), ["accuracy", "f1", "precision"])
    with pytest.warns(UserWarning, match="Keras has no f1, precision that means the same, so it will not measure it"):
        ours.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    due = ours.evaluate(X, CLASSES)
    np.testing.assert_allclose(theirs.evaluate(X, CLASSES, verbose=0), [due.loss, due.accuracy], rtol=1e-5)
    assert mt.load_model(tmp_path / "m.keras").metrics == ["accuracy", "f1", "precision"]


@pytest.mark.parametrize(
    ("optimizer", "loss", "message"),
    [
        (
            mt.SGD(weight_decay=0.1),
            mt.MSELoss(),
            "Keras has no SGD with weight_decay in the gradient, so it will open this file",
        ),
        (
            mt.SGD(mt.schedules.CosineDecay(0.1, 9), 0.9),
            mt.MSELoss(),
            "Keras has no SGD with momentum and a schedule, so",
        ),
        (mt.Adam(mt.schedules.CosineDecay(0.1, 9, warmup=3)), mt.MSELoss(), "Keras has no CosineDecay with warmup, so"),
        (
            mt.SGD(weight_decay=0.1),
            mt.FocalLoss(),
            "no SGD with weight_decay in the gradient, FocalLoss, so .* uncompiled",
        ),
    ],
    ids=["decay", "momentum", "warmup", "focal"],
)
def test_what_keras_cannot_go_on_with_is_reported(tmp_path, optimizer, loss, message):
    ours = mt.Sequential([mt.Input((4,)), mt.Dense(1)], rng=1).compile(optimizer, loss)
    ours.fit(X, Y)
    with pytest.warns(UserWarning, match=message):
        ours.save(tmp_path / "m.keras")
    assert not keras.models.load_model(tmp_path / "m.keras").compiled
    assert repr(mt.load_model(tmp_path / "m.keras").optimizer) == repr(optimizer)


def test_momentum_under_a_schedule_is_another_one_in_keras(tmp_path):
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    theirs.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9), momentum=0.9), "mse")
    theirs.fit(X, Y[:, None], verbose=0)
    theirs.save(tmp_path / "m.keras")
    with pytest.warns(
        UserWarning, match="does not have the momentum of Keras's SGD with a schedule; compile the model before"
    ):
        mt.load_model(tmp_path / "m.keras")
