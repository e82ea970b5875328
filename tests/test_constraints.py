"""Constraints, bias regularisers, exclusion from weight decay, tables of first values."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.constraints import MaxNorm, MinMaxNorm, NonNeg, UnitNorm

KERNEL_LAYERS = [
    (lambda **k: mt.Dense(4, **k), (5,), "kernel"),
    (lambda **k: mt.Conv2D(4, 2, **k), (4, 4, 3), "kernel"),
    (lambda **k: mt.SimpleRNN(4, **k), (3, 5), "kernel"),
    (lambda **k: mt.LSTM(4, **k), (3, 5), "kernel"),
    (lambda **k: mt.GRU(4, **k), (3, 5), "kernel"),
    (lambda **k: mt.MultiHeadAttention(2, 3, **k), (3, 5), "query_kernel"),
]


def trained(layers, x, y, optimizer=None, **options):
    model = mt.Sequential(layers, rng=0, dtype="float64").compile(optimizer or mt.SGD(0.5), mt.MSELoss())
    model.fit(x, y, progress=False, **options)
    return model


def test_lengths_are_closed_forms(rng):
    value = rng.normal(size=(5, 4)) * 3
    lengths = np.sqrt((value**2).sum(axis=0))
    np.testing.assert_allclose(np.linalg.norm(MaxNorm(2)(value), axis=0), np.minimum(lengths, 2), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(UnitNorm()(value), axis=0), 1, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(UnitNorm(axis=1)(value), axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(MinMaxNorm(3, 4, rate=0.5)(value), axis=0), (lengths + np.clip(lengths, 3, 4)) / 2, rtol=1e-6
    )
    np.testing.assert_array_equal(NonNeg()(value), np.where(value > 0, value, 0))
    assert not UnitNorm()(np.zeros((3, 2))).any()
    for constraint in (MaxNorm(), UnitNorm(), MinMaxNorm(), NonNeg()):
        assert constraint(value.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(("make", "shape", "name"), KERNEL_LAYERS)
def test_kernel_and_bias_are_constrained_after_each_step(rng, make, shape, name):
    layer = make(kernel_constraint=UnitNorm(), bias_constraint="non_neg", bias_initializer="ones")
    model = mt.Sequential([mt.Input(shape), layer, mt.Flatten(), mt.Dense(1)], rng=0, dtype="float64")
    lengths, signs = [], []

    class Look(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            lengths.append(np.linalg.norm(getattr(layer, name).value, axis=0))
            bias = layer.query_bias if name == "query_kernel" else layer.bias
            signs.append(bias.value.min())

    model.compile(mt.SGD(0.5), mt.MSELoss())
    model.fit(rng.normal(size=(20, *shape)), rng.normal(size=20), batch_size=7, callbacks=[Look()], progress=False)
    assert len(lengths) == 3
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    assert min(signs) >= 0


def test_frozen_parameters_are_not_constrained(rng):
    layer = mt.Dense(3, kernel_constraint=UnitNorm())
    model = mt.Sequential([mt.Input((4,)), layer, mt.Dense(1)], rng=0).compile("sgd", "mse")
    model.parameters()
    layer.trainable = False
    before = layer.kernel.value.copy()
    model.fit(rng.normal(size=(9, 4)), np.ones(9), progress=False)
    np.testing.assert_array_equal(layer.kernel.value, before)


def test_a_constraint_of_ones_own_and_of_a_parameter(rng):
    class Half(mt.constraints.Constraint):
        def __call__(self, value):
            return value / 2

    x, y = rng.normal(size=(8, 3)), rng.normal(size=8)
    plain = trained([mt.Input((3,)), mt.Dense(1)], x, y)
    halved = trained([mt.Input((3,)), mt.Dense(1, kernel_constraint=Half())], x, y)
    np.testing.assert_allclose(halved.layers[1].kernel.value, plain.layers[1].kernel.value / 2)
    late = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0, dtype="float64").compile(mt.SGD(0.5), mt.MSELoss())
    late.layers[1].kernel.constraint = Half()
    late.fit(x, y, progress=False)
    np.testing.assert_array_equal(late.layers[1].kernel.value, halved.layers[1].kernel.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mt.Sequential([mt.Input((2,)), mt.Dense(1, kernel_constraint="max")]).ensure_built((2,)), "expected an object such as constraints.MaxNorm.* Did you mean 'max_norm'"),
        (lambda: mt.Sequential([mt.Input((2,)), mt.Dense(1, kernel_constraint=MaxNorm)]).ensure_built((2,)), "is a class"),
        (lambda: MaxNorm(-1), "max_value"),
        (lambda: MinMaxNorm(2, 1), "min_value is at most max_value"),
        (lambda: UnitNorm(axis="0"), "axis is an int"),
        (lambda: UnitNorm(axis=2)(np.ones((2, 2))), "has no such axis"),
    ],
)  # fmt: skip
def test_wrong_constraints_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_in_span_refuses_a_constraint(rng):
    model = mt.Sequential([mt.Input((400,)), mt.Dense(2, kernel_constraint="max_norm")], rng=0)
    with pytest.raises(ValueError, match="changes the kernel outside the span"):
        model.compile("sgd", "mse").fit(
            rng.normal(size=(5, 400)), rng.normal(size=(5, 2)), in_span=True, progress=False
        )


def test_constraints_and_bias_regularizers_are_saved(tmp_path, rng):
    layers = [
        mt.Input((6, 6, 2)),
        mt.Conv2D(3, 2, kernel_constraint=MaxNorm(1.5, axis=(0, 1, 2)), bias_regularizer=mt.L1(0.1)),
        mt.DepthwiseConv2D(2, depthwise_constraint="non_neg", bias_constraint=MinMaxNorm(0.1, 0.9, 0.5)),
        mt.Reshape((16, 3)),
        mt.LSTM(3, recurrent_constraint=UnitNorm(), bias_regularizer="l2"),
        mt.Dense(2, kernel_constraint=MaxNorm(2)),
    ]
    model = trained(layers, rng.normal(size=(5, 6, 6, 2)), rng.normal(size=(5, 2)))
    model.save(tmp_path / "m.keras")
    loaded = mt.load_model(tmp_path / "m.keras")
    assert [repr(layer) for layer in loaded.layers] == [repr(layer) for layer in model.layers]
    assert [repr(p.constraint) for p in loaded.parameters().values()] == [
        repr(p.constraint) for p in model.parameters().values()
    ]
    x, y = rng.normal(size=(5, 6, 6, 2)), rng.normal(size=(5, 2))
    assert model.fit(x, y, epochs=3, progress=False)["loss"] == loaded.fit(x, y, epochs=3, progress=False)["loss"]


def test_a_constraint_that_cannot_be_saved_is_named(tmp_path, rng):
    class Local(mt.constraints.Constraint):
        def __init__(self, f):
            self.f = f

        def __call__(self, value):
            return np.abs(value)

    model = trained([mt.Input((3,)), mt.Dense(1, kernel_constraint=Local({1: 2}))], rng.normal(size=(8, 3)), np.ones(8))
    with pytest.warns(UserWarning, match=r"dense_1\.kernel\"\]\.constraint = Local"):
        model.save(tmp_path / "m.keras")
    assert mt.load_model(tmp_path / "m.keras").layers[1].kernel.constraint is None


@pytest.mark.parametrize(("make", "shape", "name"), KERNEL_LAYERS)
def test_bias_regularizer_is_part_of_the_loss_and_of_the_gradient(rng, make, shape, name):
    x = rng.normal(size=(6, *shape))
    models = []
    for regularizer in (None, mt.L2(0.1)):
        layer = make(bias_initializer="ones", bias_regularizer=regularizer)
        model = mt.Sequential([mt.Input(shape), layer, mt.Flatten(), mt.Dense(1)], rng=0, dtype="float64")
        models.append(model.compile(mt.SGD(0.5), mt.MSELoss()))
    plain, penalized = models
    biases = [n for n in plain.parameters() if n.endswith("bias") and not n.startswith("dense")]
    biases = biases or ["dense_1.bias"]
    before = {n: plain.parameters()[n].value.copy() for n in biases}
    losses = [m.fit(x, np.ones(6), batch_size=None, progress=False)["loss"][0] for m in models]
    assert losses[1] - losses[0] == pytest.approx(sum(0.1 * (b**2).sum() for b in before.values()), rel=1e-9)
    for n, value in before.items():
        moved = penalized.parameters()[n].value - plain.parameters()[n].value
        np.testing.assert_allclose(moved, -0.5 * 0.1 * 2 * value, rtol=1e-6)


OPTIMIZERS = [
    mt.AdamW(0.01, weight_decay=0.1),
    mt.Adam(0.01, weight_decay=0.1),
    mt.Nadam(0.01, weight_decay=0.1),
    mt.Adagrad(0.01, weight_decay=0.1),
    mt.RMSprop(0.01, weight_decay=0.1),
    mt.Lion(0.01, weight_decay=0.1),
    mt.SGD(0.01, momentum=0.9, weight_decay=0.1),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: type(optimizer).__name__)
def test_excluded_parameters_do_not_decay(rng, optimizer):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    layers = [mt.Input((3,)), mt.Dense(4, bias_initializer="ones"), mt.Tanh(), mt.Dense(1, bias_initializer="ones")]

    def step(weight_decay, exclude):
        arguments = optimizer.config() | {"weight_decay": weight_decay, "exclude": exclude}
        model = mt.Sequential([layer.clone() for layer in layers], rng=0, dtype="float64")
        model.compile(type(optimizer)(**arguments), mt.MSELoss()).fit(x, y, batch_size=None, progress=False)
        return {name: parameter.value for name, parameter in model.parameters().items()}

    none, all_decay, some = step(0, ()), step(0.1, ()), step(0.1, ["bias", "dense_2"])
    for name in none:
        np.testing.assert_array_equal(some[name], (all_decay if name == "dense_1.kernel" else none)[name])
        assert not np.array_equal(all_decay[name], none[name])


def test_exclude_of_a_name_that_is_not_there_warns(rng):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0)
    model.compile(mt.AdamW(exclude=["biass"]), mt.MSELoss())
    with pytest.warns(UserWarning, match="no parameter has 'biass' in its name.*dense_1.bias"):
        model.fit(rng.normal(size=(4, 3)), np.ones(4), progress=False)
    model.fit(rng.normal(size=(4, 3)), np.ones(4), progress=False)  # and once only


@pytest.mark.parametrize("exclude", ["bias", [3], [""], None])
def test_a_wrong_exclude_is_refused(exclude):
    with pytest.raises(ValueError, match=r"exclude is a list of parts of names, such as \['bias'\]"):
        mt.AdamW(exclude=exclude)


def test_exclude_is_saved(tmp_path, rng):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0)
    model.compile(mt.AdamW(exclude=["bias"]), mt.MSELoss()).fit(rng.normal(size=(4, 3)), np.ones(4), progress=False)
    with pytest.warns(UserWarning, match="Keras has no AdamW with exclude"):
        model.save(tmp_path / "m.keras")
    assert mt.load_model(tmp_path / "m.keras").optimizer.exclude == ["bias"]


@pytest.mark.parametrize("wrap", [lambda table: table, lambda table: [table], lambda table: table.tolist()])
def test_an_embedding_begins_with_its_table(rng, wrap, tmp_path):
    table = rng.normal(size=(7, 3))
    layers = [mt.Input((2,)), mt.Embedding(7, 3, weights=wrap(table)), mt.Flatten(), mt.Dense(1)]
    model = mt.Sequential(layers, rng=0, dtype="float64").compile("sgd", "mse")
    np.testing.assert_array_equal(model.layers[1].embeddings.value, table)
    model.fit(rng.integers(0, 7, (9, 2)), np.ones(9), progress=False)
    assert not np.array_equal(model.layers[1].embeddings.value, table)
    model.save(tmp_path / "m.keras")  # with the trained values, and without the table
    loaded = mt.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.layers[1].embeddings.value, model.layers[1].embeddings.value)
    assert loaded.layers[1].weights is None
    np.testing.assert_array_equal(model.clone().initialize((2,)).layers[1].embeddings.value, table)


def test_a_table_of_another_shape_is_refused(rng):
    with pytest.raises(ValueError, match=r"expected weights of shape \(7, 3\), one row for each word, got \(3, 7\)"):
        mt.Embedding(7, 3, weights=rng.normal(size=(3, 7)))
    layer = mt.Embedding(7, 3)
    layer.initialize((2,))
    with pytest.raises(ValueError, match="stays so, as the layer is built"):
        layer.weights = np.ones((7, 3))


def test_constant_takes_a_table(rng, tmp_path):
    table = rng.normal(size=(3, 2))
    layers = [mt.Input((3,)), mt.Dense(2, kernel_initializer=mt.initializers.Constant(table), bias_initializer=mt.initializers.Constant([1, 2]))]  # fmt: skip
    model = mt.Sequential(layers, rng=0, dtype="float64").compile("sgd", "mse")
    np.testing.assert_array_equal(model.layers[1].kernel.value, table)
    np.testing.assert_array_equal(model.layers[1].bias.value, [1, 2])
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "m.keras").layers[1].kernel.value, table)
    with pytest.raises(ValueError, match=r"the parameter has shape \(4, 2\), and the value \(3, 2\)"):
        mt.Dense(2, kernel_initializer=mt.initializers.Constant(table)).initialize((4,))
    with pytest.raises(ValueError, match="not finite"):
        mt.initializers.Constant([1, np.nan])
