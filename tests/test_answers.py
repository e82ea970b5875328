"""From scores to answers: probabilities and classes of a model, by its loss."""

import numpy as np
import pytest

import minitorch_np as mt


def outputs_of(scores, loss=None, last=()):
    """A model that puts out the scores that it is given, and then runs the last layers."""
    scores = np.asarray(scores, float)
    model = mt.Sequential(
        [mt.Input(scores.shape[1:]), mt.Dense(scores.shape[-1], use_bias=False), *last], dtype="float64"
    )
    model.layers[1].kernel.value = np.eye(scores.shape[-1])
    return model if loss is None else model.compile("sgd", loss)


@pytest.fixture
def scores(rng):
    return rng.normal(size=(7, 3))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
    ("loss", "last"),
    [
        (mt.BCEWithLogitsLoss(), []),
        (mt.FocalLoss(), []),
        (mt.BCELoss(), [mt.Sigmoid()]),
        (None, [mt.Sigmoid()]),
        (mt.MSELoss(), [mt.Sigmoid()]),
    ],
    ids=repr,
)
def test_one_output_has_two_columns(scores, loss, last):
    model = outputs_of(scores[:, :1], loss, [layer.clone() for layer in last])
    p = model.predict_proba(scores[:, :1])
    np.testing.assert_allclose(p, np.concatenate([1 - sigmoid(scores[:, :1]), sigmoid(scores[:, :1])], axis=1))
    np.testing.assert_array_equal(model.predict_classes(scores[:, :1]), (scores[:, 0] > 0).astype(int))


@pytest.mark.parametrize(
    ("loss", "last"),
    [
        (mt.CrossEntropyLoss(), []),
        (mt.CrossEntropyLoss(from_logits=False), [mt.Softmax()]),
        (mt.NLLLoss(), [mt.LogSoftmax()]),
        (None, [mt.Softmax()]),
    ],
    ids=repr,
)
def test_several_classes_have_a_column_each(scores, loss, last):
    model = outputs_of(scores, loss, [layer.clone() for layer in last])
    np.testing.assert_allclose(model.predict_proba(scores), softmax(scores))
    found = model.predict_classes(scores)
    np.testing.assert_array_equal(found, scores.argmax(axis=1))
    assert found.dtype.kind == "i"


def test_several_yes_or_no_questions_have_an_answer_each(scores):
    for loss, last in ((mt.BCEWithLogitsLoss(), []), (mt.BCELoss(), [mt.Sigmoid()])):
        model = outputs_of(scores, loss, last)
        np.testing.assert_allclose(model.predict_proba(scores), sigmoid(scores))
        np.testing.assert_array_equal(model.predict_classes(scores), (scores > 0).astype(int))


def test_steps_of_sequences_have_a_class_each(rng):
    scores = rng.normal(size=(2, 4, 3))
    model = outputs_of(scores, mt.CrossEntropyLoss())
    np.testing.assert_allclose(model.predict_proba(scores), softmax(scores))
    np.testing.assert_array_equal(model.predict_classes(scores), scores.argmax(axis=-1))


def test_one_example_and_names_of_classes(scores):
    model = outputs_of(scores, mt.CrossEntropyLoss())
    model.class_names = ["ant", "bee", "cat"]
    assert model.predict_proba(scores[:1]).shape == (1, 3)
    names = np.array(model.class_names)[model.predict_classes([[0.0, 2.0, 1.0]])]
    assert names.tolist() == ["bee"]


def test_margins_have_classes_and_no_probabilities(scores):
    model = outputs_of(scores[:, :1], mt.HingeLoss())
    np.testing.assert_array_equal(model.predict_classes(scores[:, :1]), (scores[:, 0] > 0).astype(int))
    with pytest.raises(
        ValueError,
        match=r"predict_proba: HingeLoss\(\) says nothing of probabilities, so the outputs are taken as margins",
    ):
        model.predict_proba(scores[:, :1])


@pytest.mark.parametrize("loss", [mt.MSELoss(), mt.L1Loss(), mt.HuberLoss()], ids=repr)
@pytest.mark.parametrize("method", ["predict_proba", "predict_classes"])
def test_losses_of_numbers_are_refused_by_name(scores, loss, method):
    with pytest.raises(
        ValueError,
        match=rf"Sequential\.{method}: {type(loss).__name__}\(\) says nothing of probabilities, so the outputs are taken as numbers.*model\.predict\(x\)",
    ):
        getattr(outputs_of(scores, loss), method)(scores)


def test_outputs_that_are_no_probabilities_are_refused(scores):
    with pytest.raises(ValueError, match="the model is not compiled, and the outputs lie between -"):
        outputs_of(scores).predict_proba(scores)
    with pytest.raises(ValueError, match="the model is not compiled, so it is not known"):
        outputs_of(scores[:, :1]).predict_classes(scores[:, :1])


def test_softmax_after_a_built_model_gives_its_probabilities(scores):
    model = outputs_of(scores, mt.CrossEntropyLoss())
    np.testing.assert_allclose(mt.Sequential([model, mt.Softmax()]).predict(scores), model.predict_proba(scores))

    class Own(mt.Model):
        def __init__(self):
            super().__init__(dtype="float64")
            self.inner = model.layers[1]

        def forward(self, x):
            return self.inner(x)

    own = Own()
    own(scores)
    np.testing.assert_allclose(mt.Sequential([own, mt.Softmax()], dtype="float64").predict(scores), softmax(scores))


def test_a_graph_has_answers_for_each_output(rng):
    nodes = [("kind", mt.Dense(3), "x"), ("yes", mt.Dense(1), "x")]
    model = mt.Graph({"x": (4,)}, nodes, ["kind", "yes"], rng=0)
    model.compile("adam", [mt.CrossEntropyLoss(), mt.BCEWithLogitsLoss()])
    x = rng.normal(size=(5, 4))
    kind, yes = model.predict(x)
    of_kind, of_yes = model.predict_proba(x)
    np.testing.assert_allclose(of_kind, softmax(kind), rtol=1e-5)
    np.testing.assert_allclose(of_yes[:, 1:], sigmoid(yes), rtol=1e-5)
    classes = model.predict_classes(x)
    np.testing.assert_array_equal(classes[0], kind.argmax(axis=1))
    np.testing.assert_array_equal(classes[1], (yes[:, 0] > 0).astype(int))
