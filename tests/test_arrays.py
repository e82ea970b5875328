"""The entry for arrays: what has one meaning as numbers is accepted, all else is refused with the line to write."""

import collections
import datetime
from decimal import Decimal

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.arrays import as_floats, as_numbers, is_one_array


class Sparse:
    """Like a sparse matrix of SciPy's."""

    nnz = 1

    def toarray(self):
        return np.eye(2)


class Guarded:
    """Like a tensor of PyTorch's that requires a gradient."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Use tensor.detach().numpy() instead.")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "x is None. Give an array"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), r"masked array, with 1 of 2 values masked. Fill them, x\.filled\(0\)"),
        ([[1.0, 2.0], np.ma.array([1.0, 2.0], mask=[0, 1])], "member 1 is a masked array"),
        ([1.0, np.ma.masked], "masked value"),
        ([[np.ma.array([1.0, 2.0], mask=[0, 1])]], "masked array, with 1 of 2"),
        (Sparse(), r"sparse matrix \(Sparse\)\. Make it dense: x\.toarray\(\)"),
        ([Sparse()], "member 0 is a sparse matrix"),
        ({"age": [1, 2]}, r"a dictionary with 'age'\. Give one array, such as np\.column_stack"),
        ({"data": [1], "target": [1]}, r"x\['data'\] and x\['target'\]"),
        ([{"age": 1}], r"a list of dictionaries\..*\[list\(row\.values\(\)\) for row in x\]"),
        ({1, 2}, "a set, which has no order"),
        (iter([1, 2]), r"np\.array\(list\(x\)\)"),
        (np.ndarray, "the class ndarray"),
        ("data.csv", r"is text, 'data\.csv'"),
        ([[1, 2], [3]], r"rows differ in length \(row 0 has shape \(2,\), row 1 \(1,\)\)"),
        ([np.zeros(2), np.zeros(3)], r"rows differ in length \(row 0 has shape \(2,\), row 1 \(3,\)\)"),
        (np.array([np.zeros(2), np.zeros(3)], object), r"np\.stack\(x\)"),
        ([1j], r"got complex128.*x\.real, x\.imag"),
        (["a", "b"], r"got <U1\..*np\.unique\(x, return_inverse=True\)"),
        (np.array(["a", 1.0], object), r"text, 'a' at x\[0\]"),
        (np.array(["2020-01-01"], "M8[D]"), r"got datetime64\[D\].*np\.timedelta64\(1, 's'\)"),
        (np.array([3], "m8[s]"), r"got timedelta64\[s\].*np\.timedelta64\(1, 's'\)"),
        ([datetime.datetime(2020, 1, 1)], r"got datetime .* at x\[0\]"),
        (np.zeros(2, [("a", "f4")]), "structured_to_unstructured"),
        ([1.0, None], r"x\[1\] is None, a missing value"),
        (Guarded(), r"does not become an array: Use tensor\.detach\(\)"),
        (len, "expected numbers in x, got <built-in function len>"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_with_the_remedy(values, message):
    with pytest.raises(ValueError, match=rf"(?s)^Model\.fit: .*{message}"):
        as_numbers(values, "x", "Model.fit")


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.float32([1, 2]), "float32"),
        (np.arange(2, dtype=">f4"), "float32"),
        (np.arange(2, dtype=">i2"), "int16"),
        (np.float16([1, 2]), "float32"),
        (np.longdouble([1, 2]), "float64"),
        (np.array([1, 2.5, True], object), "float64"),
        ([Decimal("1.5"), 2], "float64"),
        ([2**70, 1], "float64"),
        (np.ma.array([1.0, 2.0]), "float64"),
        (np.rec.array(np.arange(2)), "int64"),
        (collections.deque([1, 2]), "int64"),
        (range(2), "int64"),
        ([True, False], "bool"),
        (bytearray(b"ab"), "uint8"),
        ([[np.zeros(2), [1.0, 2.0]]], "float64"),
    ],
)
def test_what_means_numbers_comes_as_a_plain_array(values, dtype):
    array = as_numbers(values, "x", "Model.fit")
    assert type(array) is np.ndarray
    assert array.dtype == dtype
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, np.array(values if not isinstance(values, np.ndarray) else np.asarray(values)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
def test_plain_arrays_come_back_themselves(dtype):
    array = np.zeros((2, 3), dtype)
    assert as_numbers(array, "x", "Model.fit") is array


def test_whole_numbers_become_floats_that_do_not_wrap_round():
    assert (as_floats(np.uint8([10]), "x", "loss") - as_floats(np.uint8([30]), "y", "loss"))[0] == -20


def test_complex_numbers_come_in_where_they_are_asked_for():
    assert as_numbers([1j], "x", "Dense", "biufc").dtype == complex


class Categories:
    """Like a Categorical of pandas: as an array it is of its values."""

    dtype = "category"

    def __init__(self, values):
        self.values = np.asarray(values)

    def astype(self, dtype):
        return self.values.astype(dtype)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class Column:
    def __init__(self, values, name):
        self.values, self.name = values, name
        self.dtype = "category" if isinstance(values, Categories) else values.dtype

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class Table:
    """Like a DataFrame of pandas: as an array it is of objects where the columns differ."""

    def __init__(self, **columns):
        self.columns, self.given = list(columns), columns
        self.dtypes = [column.dtype for column in columns.values()]
        self.iloc = self

    def __getitem__(self, key):
        name = key if isinstance(key, str) else self.columns[key[1]]
        return Column(self.given[name], name)

    def __array__(self, dtype=None, copy=None):
        same = len(set(self.dtypes)) == 1
        return np.column_stack([v if same else v.astype(object) for v in self.given.values()])


def test_tables_with_numeric_columns_come_in():
    table = Table(age=np.array([1.5, 2.5]), owns=np.array([True, False]))
    np.testing.assert_array_equal(as_numbers(table, "x", "Model.fit"), [[1.5, 1], [2.5, 0]])


def test_a_column_of_text_is_named():
    table = Table(age=np.array([1.5, 2.5]), city=np.array(["Rome", "Oslo"], object))
    with pytest.raises(ValueError, match=r"expected numbers in x\['city'\], got text, 'Rome' at x\['city'\]\[0\]"):
        as_numbers(table, "x", "Model.fit")


def test_a_missing_value_is_named_by_its_column():
    table = Table(age=np.array([1.5, 2.5]), size=np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"x\['size'\]\[1\] is nan, the first of 1 values that are not finite"):
        network().fit(table, [1, 2])


@pytest.mark.parametrize("categories", [["red", "blue"], [3, 7]])
def test_a_column_of_categories_is_named_with_the_line(categories):
    table = Table(age=np.array([1.5, 2.5]), colour=Categories(categories))
    with pytest.raises(ValueError, match=r"x\['colour'\] has categories.*pd\.get_dummies\(x, columns=\['colour'\]\)"):
        as_numbers(table, "x", "Model.fit")


def test_a_column_of_words_is_answered_with_columns_of_yes_and_no():
    table = Table(age=np.array([1.5, 2.5]), city=np.array(["Rome", "Oslo"], object))
    with pytest.raises(ValueError, match=r"pd\.get_dummies\(x, columns=\['city'\]\) makes a column of each word"):
        as_numbers(table, "x", "Model.fit")


@pytest.mark.parametrize(
    "values", [None, [1], (1,), range(3), "ab", {}, set(), np.zeros(2), Sparse(), Table(a=np.ones(2))]
)
def test_one_array_is_told_from_batches(values):
    assert is_one_array(values)
    assert not is_one_array(iter([1]))
    assert not is_one_array(lambda: iter([1]))


def network(units=1):
    layers = [mt.Input((2,)), mt.Dense(units)]
    return mt.Sequential(layers, rng=0).compile(mt.SGD(0.01), mt.MSELoss())


ENTRIES = {
    "fit": lambda x, good: network().fit(x, good[:, :1]),
    "targets of fit": lambda x, good: network(2).fit(good, x),
    "sample_weight": lambda x, good: network().fit(good, good[:, :1], sample_weight=x),
    "validation": lambda x, good: network().fit(good, good[:, :1], validation_data=(x, good[:, :1])),
    "evaluate": lambda x, good: network().evaluate(x, good[:, :1]),
    "predict": lambda x, good: network().predict(x),
    "model": lambda x, good: network()(x),
    "layer": lambda x, good: mt.Dense(1)(x),
    "prediction": lambda x, good: mt.MSELoss()(x, good),
    "target": lambda x, good: mt.MSELoss()(good, x),
    "adapt": lambda x, good: mt.Normalization().adapt(x),
    "set_weights": lambda x, good: mt.Sequential([mt.Input((3,)), mt.Dense(2, use_bias=False)]).set_weights([x]),
    "value": lambda x, good: setattr(mt.Parameter(np.zeros((3, 2))), "value", x),
    "cross_validate": lambda x, good: mt.tuning.cross_validate(network, x, good[:, :1], folds=2, workers=1),
}


UNFIT = {
    "masked": lambda x: np.ma.masked_less(x, x.max()),
    "sparse": lambda x: [Sparse()] * 3,
    "dictionary": lambda x: {"a": x},
    "expected numbers": lambda x: x.astype(object).astype(str),
    "datetime64": lambda x: x.astype("M8[s]"),
    "complex128": lambda x: x + 1j,
}
COMPLEX = ("model", "layer", "prediction")  # the gradient checker calls these with complex numbers


@pytest.mark.parametrize(
    ("entry", "message"), [(e, m) for e in ENTRIES for m in UNFIT if m != "complex128" or e not in COMPLEX]
)
def test_every_entry_refuses_alike(rng, entry, message):
    good = rng.normal(size=(3, 2))
    with pytest.raises(ValueError, match=message):
        ENTRIES[entry](UNFIT[message](good), good)


@pytest.mark.parametrize(
    "entry", [ENTRIES[name] for name in ("fit", "targets of fit", "predict", "model", "layer", "prediction", "target")]
)
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "longdouble", ">f4", ">i2"])
def test_every_entry_computes_in_the_models_precision(rng, entry, dtype):
    whole = rng.integers(0, 2, (3, 2))
    results = [entry(x, whole.astype(np.float32)) for x in (whole.astype(dtype), whole.astype(np.float32))]
    if entry is ENTRIES["layer"]:  # random each time
        assert results[0].dtype in (np.float32, np.float64)
    else:
        np.testing.assert_allclose(*[r["loss"] if isinstance(r, dict) else r for r in results], rtol=1e-6)


def test_bytes_do_not_wrap_round_in_a_loss():
    assert mt.MSELoss()(np.uint8([10]), np.uint8([30])) == 400
    with pytest.raises(ValueError, match=r"the prediction is of uint8.*Call loss\(prediction, target\)"):
        mt.MSELoss().forward(np.uint8([10]), np.uint8([30]))


def test_a_list_of_inputs_is_told_from_a_list_of_examples(rng):
    a = rng.normal(size=(8, 2))
    for x, y in (([a, a], a[:, :1]), ([a, a[:, :1]], a[:, :1]), (a, [a[:, :1], a[:, :1]])):
        with pytest.raises(ValueError, match=r"is a list of 2 arrays\. .*np\.concatenate"):
            network().fit(x, y)
    assert network().fit(list(a), list(a[:, :1])).epochs == 1


class Dataset:
    """Like a Dataset of PyTorch's."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.zeros(2), np.zeros(1)


def test_a_dataset_of_single_examples_is_named():
    with pytest.raises(
        ValueError, match=r"x is a Dataset\. Give arrays, or its batches; .*DataLoader\(x, batch_size=32\)"
    ):
        mt.Dense(1)(Dataset())


def test_layers_are_not_called_on_each_other():
    with pytest.raises(ValueError, match=r"Dense\(units=3\): .*Write Sequential"):
        mt.Dense(3)(mt.Input((8,)))


@pytest.mark.parametrize("streamed", [False, True])
def test_numbers_that_the_dtype_cannot_hold_are_refused(streamed, rng):
    x, y = rng.normal(size=(8, 1)), rng.normal(size=(8, 1))
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.01), mt.MSELoss())

    def given(*arrays):
        return ([arrays],) if streamed else arrays

    large = r"has numbers up to .*e\+2\d\d, too large for float32\. Scale them, or make the model with dtype="
    for ask in (model.fit, model.evaluate):
        for pair in ((x * 1e250, y), (x, y * 1e250)):
            with pytest.raises(ValueError, match=large):
                ask(*given(*pair))
    with pytest.raises(ValueError, match=large):
        model.predict(*given(x * 1e250)) if not streamed else model.predict(iter([(x * 1e250,)]))
    with pytest.raises(ValueError, match=large):
        model(x * 1e250)
    with pytest.raises(ValueError, match=f"class_weight {large}"):
        model.fit(x, y, sample_weight=np.full(8, 1e250))
