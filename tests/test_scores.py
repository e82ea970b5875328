"""What evaluate returns: a named tuple, which is no number."""

import numpy as np
import pytest

import minitorch_np as mt


@pytest.fixture
def scores(rng):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile("sgd", "mse", ["mae"])
    return model.evaluate(rng.normal(size=(5, 3)), rng.normal(size=(5, 1)))


def test_scores_are_read_by_name_by_place_and_all_at_once(scores):
    loss, mae = scores
    assert (loss, mae) == (scores.loss, scores.mae) == (scores[0], scores["mae"]) == scores
    assert scores._asdict() == dict(scores) == dict(scores.items()) == {"loss": loss, "mae": mae}
    assert (list(scores.keys()), list(scores.values()), scores.get("mae")) == (["loss", "mae"], [loss, mae], mae)
    assert f"{scores}" == str(scores) == f"Scores(loss={loss}, mae={mae})"
    assert {scores: 1}[scores] == 1
    assert np.array(scores).shape == (2,)
    with pytest.raises(KeyError, match="'acc' was not measured; there is loss, mae"):
        scores["acc"]
    with pytest.raises(AttributeError, match=r"^'acc' was not measured; there is loss, mae$"):
        scores.acc  # noqa: B018 the access is the test


def test_a_metric_named_as_a_method_of_a_dictionary_is_read(rng):
    def items(prediction, target):
        return 2.0

    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile("sgd", "mse", [items])
    assert model.evaluate(rng.normal(size=(5, 3)), rng.normal(size=(5, 1))).items == 2.0


@pytest.mark.parametrize(
    "use",
    [
        float, round, int,
        lambda scores: f"{scores:.3f}",
        lambda scores: scores < 0.5,
        lambda scores: scores >= 0.5,
        lambda scores: scores == 0.5,
        lambda scores: scores != 0.5,
        lambda scores: scores - 1,
        lambda scores: 1 - scores,
        lambda scores: scores * 2,
        lambda scores: -scores,
        lambda scores: scores / 2,
        lambda scores: scores + np.float32(1),
    ],
)  # fmt: skip
def test_a_use_as_one_number_says_which_to_take(scores, use):
    with pytest.raises(
        TypeError, match=r"^Scores\(loss=.*\) is a named tuple .*, and no number\. Write scores\.loss\.$"
    ):
        use(scores)
