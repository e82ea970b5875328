"""Ignored targets, weights of yes, constraints, weight averages, accumulation: against PyTorch and Keras."""

import os

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend


@pytest.mark.parametrize("shape", [(30, 4), (6, 5, 4)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_ignore_index_is_that_of_pytorch(rng, shape, smoothing):
    x, y = rng.normal(size=shape), rng.integers(0, 4, shape[:-1])
    y[rng.random(y.shape) < 0.3] = -100
    ours = mt.CrossEntropyLoss(label_smoothing=smoothing, ignore_index=-100)
    tensor = torch.tensor(x.reshape(-1, 4), requires_grad=True)
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(tensor, torch.tensor(y.ravel()))
    theirs.backward()
    assert float(ours(x, y)) == pytest.approx(theirs.item(), rel=1e-12)
    np.testing.assert_allclose(ours.backward().reshape(-1, 4), tensor.grad.numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("weight", [3.5, [0.5, 2.0, 7.0]])
def test_pos_weight_is_that_of_pytorch(rng, weight):
    x, y = 5 * rng.normal(size=(20, 3)), rng.random((20, 3))
    ours, tensor = mt.BCEWithLogitsLoss(pos_weight=weight), torch.tensor(x, requires_grad=True)
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight, dtype=torch.float64))(tensor, torch.tensor(y))
    theirs.backward()
    assert float(ours(x, y)) == pytest.approx(theirs.item(), rel=1e-12)
    np.testing.assert_allclose(ours.backward(), tensor.grad.numpy(), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"])
@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_constraints_are_those_of_keras(rng, name, axis):
    value = (3 * rng.normal(size=(5, 4, 3))).astype(np.float32)
    arguments = {"MaxNorm": {"max_value": 2.5}, "MinMaxNorm": {"min_value": 3.0, "max_value": 4.0, "rate": 0.7}}.get(
        name, {}
    )
    arguments |= {} if name == "NonNeg" else {"axis": axis}
    theirs = np.asarray(getattr(keras.constraints, name)(**arguments)(torch.tensor(value)))
    np.testing.assert_allclose(getattr(mt.constraints, name)(**arguments)(value), theirs, rtol=1e-5, atol=1e-6)


def test_constrained_training_is_that_of_keras(rng, tmp_path):
    """Ours goes to Keras and both train on; then Keras's goes here."""
    constraints = mt.constraints
    layers = [
        mt.Input((6, 4)),
        mt.LSTM(5, return_sequences=True, kernel_constraint=constraints.MaxNorm(0.8), recurrent_constraint="unit_norm"),
        mt.GRU(
            4, bias_constraint=constraints.MinMaxNorm(0.1, 0.3), bias_regularizer=mt.L2(0.1), bias_initializer="ones"
        ),
        mt.Dense(3, kernel_constraint="non_neg", bias_regularizer="l1"),
    ]
    ours = mt.Sequential(layers, rng=0).compile(mt.Adam(0.05), mt.MSELoss())
    x, y = rng.normal(size=(32, 6, 4)).astype(np.float32), rng.normal(size=(32, 3)).astype(np.float32)
    ours.fit(x, y, progress=False)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    for _ in range(10):
        expected = theirs.train_on_batch(x, y)
        loss = ours.fit(x, y, batch_size=None, progress=False)["loss"][0]
        assert loss == pytest.approx(float(np.ravel(expected)[0]), rel=1e-4)
    for one, other in zip(ours.get_weights(), _row_major(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)
    theirs.save(tmp_path / "theirs.keras")
    back = mt.load_model(tmp_path / "theirs.keras")
    assert repr(back.layers[1].kernel_constraint) == "MaxNorm(max_value=0.8)"
    np.testing.assert_allclose(back.predict(x), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    before = back.fit(x, y, batch_size=None, progress=False)["loss"][0]
    assert before == pytest.approx(float(np.ravel(theirs.train_on_batch(x, y))[0]), rel=1e-4)


def _row_major(model):
    return [np.asarray(weight) for layer in model.layers for weight in layer.get_weights()]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_average_weights_are_those_of_averaged_model_and_of_keras(rng, momentum):
    x, y = rng.normal(size=(24, 3)), rng.normal(size=(24, 2))
    ours = mt.Sequential([mt.Input((3,)), mt.Dense(2)], rng=0, dtype="float64").compile(mt.SGD(0.1), mt.MSELoss())
    linear = torch.nn.Linear(3, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(ours.layers[1].kernel.value.T))
        linear.bias.zero_()
    averaged = torch.optim.swa_utils.AveragedModel(
        linear, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(momentum)
    )
    optimizer = torch.optim.SGD(linear.parameters(), 0.1)
    ours.fit(
        x, y, epochs=5, batch_size=8, shuffle=False, callbacks=[mt.callbacks.AverageWeights(momentum)], progress=False
    )
    for _ in range(5):
        for start in (0, 8, 16):
            optimizer.zero_grad()
            loss = torch.nn.MSELoss()(linear(torch.tensor(x[start : start + 8])), torch.tensor(y[start : start + 8]))
            loss.backward()
            optimizer.step()
            averaged.update_parameters(linear)
    np.testing.assert_allclose(ours.layers[1].kernel.value.T, averaged.module.weight.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(ours.layers[1].bias.value, averaged.module.bias.detach().numpy(), rtol=1e-10)

    theirs = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, dtype="float64")])
    start = mt.Sequential([mt.Input((3,)), mt.Dense(2)], rng=0, dtype="float64").get_weights()
    theirs.set_weights(start)
    theirs.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=momentum), "mse")
    theirs.fit(x, y, epochs=5, batch_size=8, shuffle=False, verbose=0)
    theirs.optimizer.finalize_variable_values(theirs.trainable_variables)
    np.testing.assert_allclose(ours.layers[1].kernel.value, theirs.get_weights()[0], rtol=1e-5)


def test_accumulated_gradients_are_those_of_pytorch(rng):
    """PyTorch's habit: loss / 4, backward four times, one step."""
    x, y = rng.normal(size=(32, 3)), rng.normal(size=(32, 2))
    ours = mt.Sequential([mt.Input((3,)), mt.Dense(2)], rng=0, dtype="float64").compile(
        mt.SGD(0.1, momentum=0.9), mt.MSELoss()
    )
    linear = torch.nn.Linear(3, 2).double()
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(ours.layers[1].kernel.value.T))
        linear.bias.zero_()
    optimizer = torch.optim.SGD(linear.parameters(), 0.1, momentum=0.9)
    ours.fit(x, y, epochs=5, batch_size=4, accumulate=4, shuffle=False, progress=False)
    for _ in range(5):
        for group in (0, 16):
            optimizer.zero_grad()
            for start in range(group, group + 16, 4):
                part = slice(start, start + 4)
                (torch.nn.MSELoss()(linear(torch.tensor(x[part])), torch.tensor(y[part])) / 4).backward()
            optimizer.step()
    np.testing.assert_allclose(ours.layers[1].kernel.value.T, linear.weight.detach().numpy(), rtol=1e-10)


def test_initial_epoch_validation_freq_and_weights_are_those_of_keras(rng):
    x, y, weights = rng.normal(size=(40, 3)), rng.normal(size=(40, 1)), rng.random(40)
    ours = mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    theirs = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    theirs.set_weights(ours.get_weights())
    theirs.compile(keras.optimizers.SGD(0.1), "mse")
    options = {"epochs": 6, "initial_epoch": 2, "batch_size": 10, "shuffle": False, "validation_freq": 2}
    options |= {"validation_data": (x[30:], y[30:], weights[30:]), "sample_weight": weights[:30]}
    history = ours.fit(x[:30], y[:30], progress=False, **options)
    expected = theirs.fit(x[:30], y[:30], verbose=0, **options).history
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)
    assert [epoch for epoch, value in enumerate(history["val_loss"]) if value == value] == [1, 3]
    np.testing.assert_allclose(history.history["val_loss"], expected["val_loss"], rtol=1e-4)
    assert ours.evaluate(x, y, sample_weight=weights, batch_size=10).loss == pytest.approx(
        theirs.evaluate(x, y, sample_weight=weights, batch_size=10, verbose=0), rel=1e-4
    )


def test_ignored_classes_go_to_keras_and_back(rng, tmp_path):
    x, y = rng.normal(size=(20, 5, 3)).astype(np.float32), rng.integers(-1, 4, (20, 5))
    ours = mt.Sequential([mt.Input((5, 3)), mt.Dense(4)], rng=0).compile(
        mt.SGD(0.5), mt.CrossEntropyLoss(ignore_index=-1)
    )
    ours.fit(x, y, progress=False)
    ours.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    assert theirs.loss.ignore_class == -1
    for _ in range(5):
        loss = ours.fit(x, y, batch_size=None, progress=False)["loss"][0]
        assert loss == pytest.approx(float(np.ravel(theirs.train_on_batch(x, y))[0]), rel=1e-4)
    theirs.save(tmp_path / "k.keras")
    assert mt.load_model(tmp_path / "k.keras").loss.ignore_index == -1


def test_an_embedding_with_a_table_goes_to_keras(rng, tmp_path):
    table = rng.normal(size=(7, 3)).astype(np.float32)
    ours = mt.Sequential(
        [mt.Input((2,)), mt.Embedding(7, 3, weights=[table], embeddings_constraint="unit_norm")], rng=0
    )
    ours.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(np.asarray(theirs.layers[0].embeddings), table)
    assert isinstance(theirs.layers[0].embeddings_constraint, keras.constraints.UnitNorm)
    kept = keras.Sequential([keras.layers.Input((2,)), keras.layers.Embedding(7, 3, weights=[table])])
    kept.save(tmp_path / "k.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "k.keras").get_weights()[0], table)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataset_and_a_loader_of_pytorch_are_data(rng, workers):
    x, y = rng.normal(size=(23, 4)).astype(np.float32), rng.integers(0, 3, 23)

    def model():
        layers = [mt.Input((4,)), mt.Dense(3)]
        return mt.Sequential(layers, rng=0).compile("sgd", mt.CrossEntropyLoss(), ["accuracy"])

    dataset = torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y))
    single, arrays, loaded = model(), model(), model()
    single.fit(dataset, epochs=2, batch_size=5, progress=False)
    arrays.fit(x, y, epochs=2, batch_size=5, progress=False)
    np.testing.assert_array_equal(single.get_weights()[0], arrays.get_weights()[0])
    assert single.evaluate(dataset) == arrays.evaluate(x, y)
    np.testing.assert_array_equal(single.predict(dataset), arrays.predict(x))
    loader = torch.utils.data.DataLoader(dataset, batch_size=5, num_workers=workers)
    loaded.fit(loader, epochs=2, progress=False)
    ordered = model()
    ordered.fit(x, y, epochs=2, batch_size=5, shuffle=False, progress=False)
    np.testing.assert_array_equal(loaded.get_weights()[0], ordered.get_weights()[0])


def test_a_py_dataset_of_keras_is_data(rng):
    x, y = rng.normal(size=(23, 4)).astype(np.float32), rng.integers(0, 3, 23)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 5

        def __getitem__(self, number):
            return x[number * 5 : number * 5 + 5], y[number * 5 : number * 5 + 5]

    model = mt.Sequential([mt.Input((4,)), mt.Dense(3)], rng=0).compile("sgd", mt.CrossEntropyLoss())
    model.fit(Batches(), epochs=2, validation_data=Batches(), progress=False)
    assert model.optimizer.iteration == 10
    assert model.predict(Batches()).shape == (23, 3)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_top_k_of_keras_is_opened(rng, tmp_path, sparse):
    x, y = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 6, 50)
    kind, start = ("SparseTopK", "sparse_") if sparse else ("TopK", "")
    metric = getattr(keras.metrics, f"{kind}CategoricalAccuracy")(k=3)
    theirs = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6), keras.layers.Softmax()])
    theirs.compile("sgd", f"{start}categorical_crossentropy", metrics=[metric])
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras")
    outputs = theirs.predict(x, verbose=0)
    expected = np.mean([label in np.argsort(row)[-3:] for label, row in zip(y, outputs, strict=True)])
    assert ours.evaluate(x, y).top_3 == pytest.approx(expected, rel=1e-6)
