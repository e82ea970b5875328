"""The columns of tables: a model refuses a table whose columns are not those that fit got."""

import numpy as np
import pytest
from test_arrays import Table

import minitorch_np as mt

GENERATOR = np.random.default_rng(0)
AGE, INCOME = GENERATOR.normal(size=(2, 20))
Y = AGE > 0


def people(*names):
    columns = {"age": AGE, "income": INCOME, "debt": -INCOME}
    return Table(**{name: columns[name] for name in names})


@pytest.fixture
def model():
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1), mt.Sigmoid()], rng=1).compile("adam", "bce")
    model.fit(people("age", "income"), Y)
    return model


def test_fit_notes_the_columns_and_the_file_keeps_them(model, tmp_path):
    assert model.feature_names == ["age", "income"]
    model.save(tmp_path / "m.keras")
    loaded = mt.load_model(tmp_path / "m.keras")
    assert loaded.feature_names == ["age", "income"]
    with pytest.raises(ValueError, match=r"another order"):
        loaded.predict(people("income", "age"))


CALLS = {
    "predict": lambda model, x: model.predict(x),
    "model": lambda model, x: model(x),
    "evaluate": lambda model, x: model.evaluate(x, Y),
    "predict_proba": lambda model, x: model.predict_proba(x),
    "outputs": lambda model, x: model.outputs(x),
    "gradient": lambda model, x: model.gradient(x),
    "train_on_batch": lambda model, x: model.train_on_batch(x, Y),
    "fit": lambda model, x: model.fit(x, Y),
    "batches": lambda model, x: model.fit([(x, Y), (x, Y)]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_same_columns_in_another_order_are_refused(model, call):
    call(model, people("age", "income"))
    before = model.get_weights()
    with pytest.raises(
        ValueError,
        match=r"^Sequential.*: the columns of x are those of fit in another order: 'income', 'age', in fit 'age', 'income'\. Write "
        r"x\[model\.feature_names\]\. To give them as they are, write x\.to_numpy\(\)\.$",
    ):
        call(model, people("income", "age"))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_table_with_another_column_is_refused(model):
    with pytest.raises(ValueError, match=r"predict: x has no column 'income', got 'debt' instead\. To give"):
        model.predict(people("age", "debt"))
    with pytest.raises(ValueError, match=r"predict: x has no column 'income', which fit got\."):
        model.predict(people("age"))
    with pytest.raises(ValueError, match=r"predict: x has the column 'debt', which fit did not get\. Write x\[model"):
        model.predict(people("age", "income", "debt"))


def test_validation_data_have_the_columns_of_fit():
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1), mt.Sigmoid()]).compile("adam", "bce")
    with pytest.raises(ValueError, match=r"validation_data: the columns of x are those of fit in another order"):
        model.fit(people("age", "income"), Y, validation_data=(people("income", "age"), Y))
    assert model.feature_names is None  # nothing was learned


def test_arrays_have_no_columns(model):
    given = np.stack([INCOME, AGE], axis=1)
    assert model.predict(given).shape == (20, 1)
    model.fit(given, Y)
    assert model.feature_names == ["age", "income"]


def test_numbers_as_columns_are_no_names():
    table = people("age", "income")
    table.columns = [0, 1]
    table.given = {0: AGE, 1: INCOME}
    model = mt.Sequential([mt.Input((2,)), mt.Dense(1), mt.Sigmoid()]).compile("adam", "bce")
    model.fit(table, Y)
    assert model.feature_names is None


def test_the_inputs_of_a_graph_are_columns_in_any_order():
    nodes = [
        ("both", mt.Concatenate(), ["age", "income"]),
        ("score", mt.Dense(1), "both"),
        ("p", mt.Sigmoid(), "score"),
    ]
    graph = mt.Graph({"age": (1,), "income": (1,)}, nodes, "p", rng=0).compile("adam", "bce")
    given = [AGE[:, None], INCOME[:, None]]
    graph.fit(people("income", "age"), Y)
    expected = graph.predict(given)
    for x in (people("income", "age"), people("age", "income"), {"income": INCOME, "age": AGE}, [AGE, INCOME]):
        np.testing.assert_array_equal(graph.predict(x), expected)
    np.testing.assert_array_equal(graph(people("income", "age")), graph(given))
    with pytest.raises(ValueError, match=r"x has 'age', 'debt', and the model's names are 'age', 'income'"):
        graph.predict(people("age", "debt"))


@pytest.mark.parametrize("x", [[1.0, 2.0], (1.0, 2.0)])
def test_a_list_is_told_to_become_an_array_first(model, x):
    with pytest.raises(ValueError, match=r"got \(2,\)\. For a single example write np\.asarray\(x\)\[None\]\."):
        model.predict(x)
    assert model.predict(np.asarray(x)[None]).shape == (1, 1)
