"""Names of other frameworks are answered with the line to write here."""

import copy
import pickle

import pytest

import minitorch_np as mt


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: mt.Dense(20, activation="relu"),
            r"Dense: there is no argument 'activation'\. Write Dense\(…\), ReLU\(\)",
        ),
        (lambda: mt.Adam(lr=0.1), r"Adam: there is no argument 'lr'\. Write Adam\(learning_rate=…\)"),
        (lambda: mt.Dense(unitts=3), r"no argument 'unitts'\. Did you mean units\?"),
        (lambda: mt.Dense(3, colour=1), "no argument 'colour'. The arguments are units, use_bias"),
        (lambda: mt.MSELoss(colour=1), "no argument 'colour'. It takes no arguments"),
        (lambda: mt.MSELoss(1), "at most 0 arguments go by position, got 1"),
    ],
)
def test_unknown_arguments_are_answered(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_unknown_attributes_are_answered():
    with pytest.raises(AttributeError, match=r"no attribute 'lr'\. Write optimizer\.learning_rate\.$"):
        mt.Adam().lr  # noqa: B018 the access is the test
    with pytest.raises(AttributeError, match=r"no attribute 'Linear'\. Write mt\.Dense"):
        mt.Linear  # noqa: B018 the access is the test


def test_attributes_without_effect_cannot_be_set():
    with pytest.raises(AttributeError, match=r"Write optimizer\.learning_rate"):
        mt.Adam().lr = 0.1


class Plain(mt.Optimizer):
    def __init__(self, lr):
        super().__init__(lr)
        self.lr = lr


def test_a_class_may_use_a_foreign_name_for_an_argument_of_its_own():
    optimizer = Plain(0.5)
    for one in (optimizer, optimizer.clone(), copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert one.lr == 0.5
    assert repr(optimizer) == "Plain(lr=0.5)"
