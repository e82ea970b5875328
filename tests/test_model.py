"""Model and Sequential: building, use, weights, and nesting."""

import copy
import gc
import threading
import warnings

import numpy as np
import pytest

import minitorch_np as mt


def network(**options):
    return mt.Sequential([mt.Input((4,)), mt.Dense(3), mt.ReLU(), mt.Dense(1), mt.Sigmoid()], **{"rng": 1, **options})


class TwoBranches(mt.Model):
    """sigmoid of the sum of a wide and a narrow branch."""

    def __init__(self, rng=None, dtype="float32"):
        super().__init__(rng, dtype)
        self.wide = mt.Sequential([mt.Dense(6), mt.ReLU(), mt.Dense(1)])
        self.narrow = mt.Dense(1)
        self.sigmoid = mt.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.wide(x) + self.narrow(x))

    def backward(self, dy):
        dy = self.sigmoid.backward(dy)
        return self.wide.backward(dy) + self.narrow.backward(dy)


def test_summary_needs_no_data(capsys):
    network().summary()
    assert capsys.readouterr().out.splitlines() == [
        "Sequential",
        " layer                 output shape   parameters",
        " -----------------------------------------------",
        " input_1 (Input)       (batch, 4)              0",
        " dense_1 (Dense)       (batch, 3)             15",
        " relu_1 (ReLU)         (batch, 3)              0",
        " dense_2 (Dense)       (batch, 1)              4",
        " sigmoid_1 (Sigmoid)   (batch, 1)              0",
        " -----------------------------------------------",
        " total 19 parameters, all trainable; 76 bytes as float32",
    ]


def test_every_shape_is_checked_before_any_data_exists():
    with pytest.raises(
        ValueError, match=r"dense_1: Dense\(units=20\): expected .* got \(batch, 64, 64, 3\)\. Put Flatten"
    ):
        mt.Sequential([mt.Input((64, 64, 3)), mt.Dense(20)])


def test_same_seed_same_weights_and_another_seed_others():
    weights = [network(rng=seed).get_weights()[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_dtype_is_that_of_the_model_not_of_the_data(rng):
    x = rng.normal(size=(3, 4))
    assert network().predict(x).dtype == np.float32
    assert network(dtype="float64").predict(x.astype(np.float32)).dtype == np.float64
    assert network()(x).dtype == np.float32


def test_predict_does_not_depend_on_the_batch_size(rng):
    x, model = rng.normal(size=(10, 4)), network(dtype="float64")
    for batch_size in (1, 3, 10, 100, None):
        np.testing.assert_allclose(model.predict(x, batch_size=batch_size), model(x), rtol=1e-14)


def test_predict_keeps_no_activations_and_puts_the_mode_back(rng):
    model = network()
    model.predict(rng.normal(size=(3, 4)))
    assert all("_cache" not in vars(node) and node.training and node.keep_cache for _, node in model.walk())


def test_weights_go_out_as_copies_and_back_in(rng):
    model, other, x = network(rng=1), network(rng=2), rng.normal(size=(3, 4))
    weights = model.get_weights()
    weights[0] += 1
    assert not np.array_equal(weights[0], model.get_weights()[0])
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(other.predict(x), model.predict(x))


def test_set_weights_changes_nothing_unless_all_fit():
    model = network()
    before = model.get_weights()
    wrong = [np.zeros_like(w) for w in before]
    wrong[-1] = np.zeros(7)
    with pytest.raises(ValueError, match=r"dense_2\.bias has shape \(1,\), got \(7,\)"):
        model.set_weights(wrong)
    with pytest.raises(ValueError, match="expected 4 arrays, got 1"):
        model.set_weights(before[:1])
    for kept, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_a_layer_has_the_methods_for_its_weights(rng):
    model, x = network(), rng.normal(size=(3, 4))
    dense, normalization = model.layers[1], mt.BatchNormalization().initialize((4,))
    kernel, bias = dense.get_weights()
    assert kernel.shape == (4, 3)
    assert bias.shape == (3,)
    assert dense.count_params() == 15
    assert model.count_params() == 15 + 4
    assert normalization.count_params() == 16
    assert mt.ReLU().get_weights() == []
    assert mt.ReLU().count_params() == 0
    dense.set_weights([kernel + 1, bias])
    np.testing.assert_allclose(dense(x), x @ (kernel + 1) + bias, rtol=1e-5)
    dense.load_state_dict({"kernel": kernel, "bias": bias})
    np.testing.assert_array_equal(dense.state_dict()["kernel"], kernel)
    assert mt.Dense(30).initialize((4000,)).state_dict()["kernel"].flags.c_contiguous
    with pytest.raises(ValueError, match=r"Dense\.set_weights: bias has shape \(3,\), got \(2,\)"):
        dense.set_weights([kernel, bias[:2]])
    with pytest.raises(ValueError, match="takes a dictionary"):
        dense.set_weights({"kernel": kernel, "bias": bias})
    for method in ("get_weights", "count_params", "state_dict"):
        with pytest.raises(RuntimeError, match=rf"Dense\.{method}: the layer is not built yet"):
            getattr(mt.Dense(3), method)()


def test_a_state_that_differs_lists_all_names_or_is_read_where_it_fits():
    model, other = network(rng=1), network(rng=2)
    state = {name: value for name, value in other.state_dict().items() if name != "dense_2.bias"} | {
        "head.kernel": [1.0]
    }
    before = model.state_dict()
    with pytest.raises(
        ValueError, match=r"dense_2\.bias is missing; head\.kernel is not in the model\. The model has dense_1\.kernel,"
    ):
        model.load_state_dict(state)
    found = model.load_state_dict(state, strict=False)
    assert found.missing_keys == ["dense_2.bias"]
    assert found.unexpected_keys == ["head.kernel"]
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name] if name == "dense_2.bias" else state[name])
    assert repr(model.load_state_dict(before)) == "<All keys matched successfully>"
    with pytest.raises(ValueError, match=r"dense_1\.kernel has shape \(4, 3\), got \(1,\)"):
        model.load_state_dict({"dense_1.bias": [1, 2, 3], "dense_1.kernel": [1.0]}, strict=False)
    np.testing.assert_array_equal(model.state_dict()["dense_1.bias"], before["dense_1.bias"])
    with pytest.warns(UserWarning, match="no name of the state is in the model"):
        model.load_state_dict({"0.weight": before["dense_1.kernel"].T}, strict=False)


def test_a_target_network_moves_towards_another():
    target, online = network(rng=1), network(rng=2)
    before = target.get_weights()
    target.move_towards(online, 0.25)
    for now, then, goal in zip(target.get_weights(), before, online.get_weights(), strict=True):
        np.testing.assert_allclose(now, 0.75 * then + 0.25 * goal, rtol=1e-6, atol=1e-7)
    target.move_towards(online, 1)
    for now, goal in zip(target.get_weights(), online.get_weights(), strict=True):
        np.testing.assert_array_equal(now, goal)
    online.layers[1].kernel.value += 1
    assert not np.array_equal(target.layers[1].kernel.value, online.layers[1].kernel.value)
    with pytest.raises(
        ValueError, match=r"move_towards: expected a model with the same parameters, \{'dense_1\.kernel': \(4, 3\)"
    ):
        target.move_towards(mt.Sequential([mt.Input((4,)), mt.Dense(2)]), 0.1)
    with pytest.raises(ValueError, match=r"share is a number in \[0, 1\], got 1\.5"):
        target.move_towards(online, 1.5)


def test_a_custom_model_learns_and_nests(rng):
    x = rng.normal(size=(80, 4))
    y = (x[:, 0] * x[:, 1] > 0) * 1.0
    model = TwoBranches(rng=3)
    model.compile(mt.SGD(0.5, momentum=0.9), mt.BCELoss(), ["accuracy"])
    history = model.fit(x, y, epochs=60)
    assert history["loss"][-1] < 0.3 * history["loss"][0]
    outer = mt.Sequential([mt.Input((4,)), mt.Rescaling(2.0), TwoBranches()], rng=3)
    outer.compile(mt.SGD(0.5), mt.BCELoss())
    losses = outer.fit(x, y, epochs=20)["loss"]
    assert losses[-1] < losses[0]
    assert next(iter(outer.parameters())) == "two_branches_1.wide.dense_1.kernel"


def test_sequential_is_a_list_of_layers():
    model = network()
    assert len(model) == 5
    assert [type(layer).__name__ for layer in model] == ["Input", "Dense", "ReLU", "Dense", "Sigmoid"]
    part = model[1:3]
    assert part.layers[0] is model.layers[1]
    assert model[np.int64(1)] is model.layers[1]
    assert part.output_shape == (3,)
    assert model[-1] is model.layers[-1]


def test_layers_can_be_added_one_by_one(rng):
    model = mt.Sequential(rng=1)
    model.add(mt.Input((4,)))
    model.add(mt.Dense(2))
    with pytest.raises(ValueError, match="Input gives the shape"):
        model.add(mt.Input((2,)))
    x = rng.normal(size=(3, 4))
    before = model.predict(x)
    assert before.shape == (3, 2)
    model.add(mt.Dense(3))
    model.add(mt.ReLU())
    np.testing.assert_allclose(model.predict(x), np.maximum(model.layers[2](before), 0), rtol=1e-6)
    assert model.output_shape == (3,)
    with pytest.raises(ValueError, match="expected inputs of shape"):
        model.add(mt.Conv2D(2, 3))
    assert len(model) == 4


def test_the_last_layer_is_removed_and_another_one_put_in_its_place(rng):
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    model = network().compile(mt.Adam(0.01), mt.MSELoss())
    model.fit(x, y[:, :1])
    base, kernel = model[:-2].predict(x), model.layers[1].kernel
    last = model.pop()
    assert isinstance(last, mt.Sigmoid)
    assert model.output_shape == (1,)
    dense = model.pop()
    np.testing.assert_array_equal(model.predict(x), base)
    assert model.optimizer.state.keys() == {"dense_1.kernel", "dense_1.bias"}
    model.add(mt.Dense(3))
    assert model.layers[1].kernel is kernel
    assert dense.kernel.shape == (3, 1)
    model.fit(x, y)
    assert model.optimizer.iteration == 2
    assert model.predict(x).shape == (6, 3)

    class Pops(mt.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.pop()

    with pytest.raises(RuntimeError, match=r"Sequential\.pop: fit is running"):
        model.fit(x, y, callbacks=[Pops()])
    with pytest.raises(ValueError, match="the model has no layers"):
        mt.Sequential().pop()


def test_without_input_the_shape_comes_with_the_data(rng):
    model = mt.Sequential([mt.Dense(3), mt.Dense(1)], rng=0)
    with pytest.raises(RuntimeError, match=r"not built yet, .* Begin it with Input\(shape\), call it on data, or fit"):
        model.predict(rng.normal(size=(2, 4)))
    model(rng.normal(size=(2, 4)))
    assert model.predict(rng.normal(size=(2, 4))).shape == (2, 1)


def test_a_parameter_asked_for_too_early_says_when_it_comes():
    dense = mt.Dense(3)
    model = mt.Sequential([mt.Input((4,)), dense])
    early = r"has no attribute 'kernel'\. The layer is not built yet, so it has no parameters\. Call it on data, or"
    with pytest.raises(AttributeError, match=early):
        dense.kernel  # noqa: B018
    assert model.layers[1].kernel is dense.kernel
    with pytest.raises(AttributeError, match=r"has no attribute 'kernl'$"):
        dense.kernl  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute 'kernel'$"):
        mt.ReLU().kernel  # noqa: B018


def test_parameters_that_do_not_exist_yet_are_not_an_empty_dictionary():
    body = mt.Dense(3)
    model = mt.Sequential([mt.Input((4,)), body])
    with pytest.raises(RuntimeError, match=r"Dense\.parameters: the layer is not built yet, .*: model\.layers\[1\]\."):
        body.parameters()
    assert list(model.layers[1].parameters()) == list(body.parameters()) == ["kernel", "bias"]
    assert not mt.ReLU().parameters()


def test_a_property_that_fails_says_what_it_missed():
    class Halved(mt.Layer):
        def build(self, input_shape):
            self.scale = self.add_parameter((1,))

        @property
        def half(self):
            return self.scale.value / 2

    with pytest.raises(AttributeError, match="has no attribute 'scale'") as error:
        Halved().half  # noqa: B018
    assert str(error.value).count("not built yet") == 1


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([mt.Dense], r"Dense is a class\. Write Dense\(\)"),
        ([3], "expected layers, got 3 at position 1"),
        ([mt.Dense(2), mt.Input((2,))], "only be the first"),
    ],
)
def test_what_is_no_layer_is_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        mt.Sequential(layers)


def test_an_empty_model_says_so():
    with pytest.raises(ValueError, match="the model has no layers"):
        mt.Sequential([])(np.zeros((1, 2)))


@pytest.mark.parametrize("rng", [-1, 1.5, "seed", True])
def test_rng_is_a_seed_or_a_generator(rng):
    with pytest.raises(ValueError, match="rng: "):
        mt.Sequential([], rng=rng)


@pytest.mark.parametrize("dtype", ["float16", "int32", "nonsense"])
def test_dtype_is_float32_or_float64(dtype):
    with pytest.raises(ValueError, match="dtype is 'float32' or 'float64'"):
        mt.Sequential([], dtype=dtype)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, mt.BCELoss()), r"expected an optimizer such as SGD\(learning_rate=0\.01\), got 3"),
        ((mt.SGD(0.1), None), r"expected a loss such as BCELoss\(\), got None"),
        (
            ("sdg", mt.BCELoss()),
            r"expected an optimizer such as SGD.* or one of sgd, .*got 'sdg'\. Did you mean 'sgd'\?",
        ),
        ((mt.SGD(0.1), "bec"), r"expected a loss such as BCELoss.* or one of mse, .*got 'bec'\. Did you mean 'bce'\?"),
        ((mt.SGD(0.1), mt.BCELoss), "expected a loss"),
        ((mt.SGD(0.1), mt.BCELoss(), "accuracy"), r"metrics is a list, got 'accuracy'\. Write metrics=\['accuracy'\]"),
    ],
)
def test_compile_says_what_it_takes(arguments, message):
    with pytest.raises(ValueError, match=message):
        network().compile(*arguments)


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAM"])
def test_compile_takes_names(name):
    model = network().compile(name, "Mean_Squared_Error", ["acc"])
    assert repr(model.optimizer) == "Adam()"
    assert repr(model.loss) == "MSELoss()"
    other = network().compile(name, "categorical_crossentropy")
    assert repr(other.loss) == "CrossEntropyLoss(from_logits=False)"
    assert other.optimizer is not model.optimizer


@pytest.mark.parametrize("binary", [True, False])
def test_accuracy_beside_mse_is_of_0_and_1(rng, binary):
    x = rng.normal(size=(20, 3))
    y = x[:, :1] > 0 if binary else 3 * x[:, :1]
    model = mt.Sequential([mt.Dense(1)], rng=0).compile("adam", "mse", ["acc"])
    if binary:
        model.fit(x, y)
        assert model.evaluate(x, y).acc == np.mean((model.predict(x) > 0.5) == y)
    else:
        with pytest.warns(UserWarning, match="'acc' compares classes, and the targets are not classes"):
            model.fit(x, y)


def test_numpys_global_generator_is_never_touched(rng):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 that is what is looked at
    model = network(rng=None)
    model.compile(mt.SGD(0.1), mt.MSELoss())
    model.fit(rng.normal(size=(20, 4)), rng.uniform(size=20), epochs=2, batch_size=3)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def pair(optimizers, dtype="float64"):
    """Two networks whose parameters have the same names, with these optimisers."""
    layers = [[mt.Input((3,)), mt.Dense(4), mt.Tanh(), mt.Dense(1)] for _ in range(2)]
    models = [mt.Sequential(own, rng=seed, dtype=dtype) for seed, own in enumerate(layers)]
    return [model.compile(optimizer, "mse") for model, optimizer in zip(models, optimizers, strict=True)]


def schedule(step):
    return 0.1 / (1 + step)


@pytest.mark.parametrize(
    "make", [lambda: mt.Adam(0.1), lambda: mt.SGD(schedule, momentum=0.9)], ids=["Adam", "schedule"]
)
def test_one_optimizer_of_two_models_has_state_and_steps_for_each(make, rng, tmp_path):
    """They learn, are saved, resumed and copied as with an optimiser for each."""
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    shared = make()
    histories = []
    for models in (pair([shared, shared]), pair([make(), make()])):
        first, second = models
        found = [first.fit(x, y, epochs=2), second.fit(x, y, epochs=3)]
        found.append(first.train_on_batch(x[:5], y[:5]))
        found.append(second.train_on_batch(x[:5], y[:5]))
        second(x, training=True)
        second.step(np.ones((20, 1)) / 20)
        path = tmp_path / "second.keras"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the schedule, which is a function
            second.save(path)
            opened = mt.load_model(path, functions={"schedule": schedule})
        copied = copy.deepcopy(second)
        run = {"resume": tmp_path / f"{len(histories)}.ckpt", "shuffle": False}
        second.fit(x, y, epochs=1, **run)
        first.train_on_batch(x, y)
        found += [one.fit(x, y, epochs=2, shuffle=False) for one in (opened, copied)]
        found += [second.fit(x, y, epochs=2, **run), first.fit(x, y, epochs=1)]
        histories.append([dict(one) if isinstance(one, dict) else one for one in found])
    assert histories[0] == histories[1]
    assert histories[0][4] == histories[0][5] == histories[0][6]
    assert shared.iteration == 2 + 1 + 1 + 1


def test_an_optimizer_steps_two_models_in_one_thread_only(rng):
    first, second = pair([mt.Adam(0.1)] * 2)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    second.train_on_batch(x, y)
    raised = []

    def train_first(epoch, logs):
        def train():
            with pytest.raises(RuntimeError, match=r"another thread trains another model .*model.compile\(Adam"):
                first.fit(x, y)
            raised.append(epoch)

        thread = threading.Thread(target=train)
        thread.start()
        thread.join()

    second.fit(x, y, epochs=2, callbacks=[mt.callbacks.LambdaCallback(on_epoch_end=train_first)])
    assert raised == [0, 1]
    first.fit(x, y)


def test_a_new_model_takes_the_optimizer_of_one_that_is_gone():
    first, second = (mt.Sequential([mt.Input((3,)), mt.Dense(1)]) for _ in range(2))
    optimizer = mt.Adam()
    x = np.ones((4, 3))
    first.compile(optimizer, mt.MSELoss()).compile(optimizer, mt.L1Loss()).fit(x, x[:, 0], epochs=3)
    del first
    gc.collect()
    second.compile(optimizer, mt.MSELoss()).fit(x, x[:, 0])
    assert optimizer.iteration == 1


@pytest.mark.parametrize(
    ("last", "loss", "message"),
    [
        (
            mt.Softmax(),
            mt.CrossEntropyLoss(),
            r"CrossEntropyLoss\(\) takes scores before it: leave it out, or give from_logits=F",
        ),
        (
            mt.Sigmoid(),
            mt.BCEWithLogitsLoss(),
            r"the last layer is Sigmoid\(\), and .* leave it out, or use BCELoss\(\)",
        ),
        (mt.Sigmoid(), mt.HingeLoss(), r"takes scores before it: leave it out\."),
        (mt.Sequential([mt.Dense(3), mt.Softmax()]), mt.NLLLoss(), r"leave it out and use CrossEntropyLoss\(\)"),
    ],
    ids=repr,
)
def test_probabilities_for_a_loss_of_scores_are_warned_of(last, loss, message):
    with pytest.warns(UserWarning, match=message):
        mt.Sequential([mt.Dense(3), last]).compile(mt.SGD(), loss)


def test_probabilities_for_a_loss_of_probabilities_are_not():
    mt.Sequential([mt.Dense(3), mt.Softmax()]).compile(mt.SGD(), mt.CrossEntropyLoss(from_logits=False))


class EndsInSigmoid(mt.Model):
    def __init__(self):
        self.dense, self.end = mt.Dense(1), mt.Sigmoid()

    def forward(self, x):
        return self.end(self.dense(x))

    def backward(self, dy):
        return self.dense.backward(self.end.backward(dy))


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_model_of_ones_own_is_warned_of_in_fit_and_evaluate_at_the_line_that_calls(method, rng):
    x, y = rng.normal(size=(8, 3)), np.arange(8) % 2
    model = EndsInSigmoid().compile(mt.SGD(), mt.BCEWithLogitsLoss())
    model.initialize((3,))
    with pytest.warns(
        UserWarning, match=r"EndsInSigmoid: the last layer is Sigmoid\(\), and .* use BCELoss\(\)"
    ) as caught:
        getattr(model, method)(x, y)
    assert [warning.filename for warning in caught] == [__file__]
    EndsInSigmoid().compile(mt.SGD(), mt.BCELoss()).fit(x, y)


@pytest.fixture
def recurrent():
    """A model whose kernels are in Fortran order."""
    return mt.Sequential([mt.Input((5, 3)), mt.LSTM(4), mt.BatchNormalization(), mt.Dense(2)], rng=0)


def test_the_state_by_name_is_in_c_order_and_is_a_copy(recurrent):
    state = recurrent.state_dict()
    assert list(state) == list(recurrent.parameters())
    for name, parameter in recurrent.parameters().items():
        assert state[name].flags.c_contiguous
        np.testing.assert_array_equal(state[name], parameter.value)
        read_raw = np.frombuffer(state[name].tobytes(), state[name].dtype).reshape(state[name].shape)
        np.testing.assert_array_equal(read_raw, parameter.value)
        assert not np.shares_memory(state[name], parameter.value)


def test_a_state_by_name_goes_into_another_model(recurrent, rng, tmp_path):
    other = mt.Sequential([mt.Input((5, 3)), mt.LSTM(4), mt.BatchNormalization(), mt.Dense(2)], rng=1)
    x = rng.normal(size=(6, 5, 3))
    other.load_state_dict(dict(reversed(recurrent.state_dict().items())))
    np.testing.assert_array_equal(other.predict(x), recurrent.predict(x))
    np.savez(tmp_path / "w.npz", **recurrent.state_dict())
    with np.load(tmp_path / "w.npz") as state:
        other.load_state_dict(state)
    np.testing.assert_array_equal(other.predict(x), recurrent.predict(x))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"dense_1.bias": np.zeros(3)}, r"dense_1\.bias has shape \(2,\), got \(3,\)"),
        ({"dense_1.bias": np.array([1j, 0])}, r"expected numbers in dense_1\.bias, got complex128"),
        ({"dense_1.bias": np.array(["3", "4"])}, r"expected numbers in dense_1\.bias, got"),
        ({"dense_1.bias": ["a", "b"]}, r"dense_1\.bias"),
        ({"dense_1.bias": [None, 1]}, r"dense_1\.bias"),
        ({"dense_1.bias": np.ma.array([1, 2], mask=[0, 1])}, r"dense_1\.bias is a masked array"),
        ({"dense_1.bias": [1e300, 0]}, r"dense_1\.bias has numbers up to 1e\+300, too large for float32"),
    ],
)
def test_nothing_is_changed_unless_every_value_fits(recurrent, wrong, message):
    before = recurrent.state_dict()
    state = {name: value + 1 for name, value in before.items()} | wrong
    with pytest.raises(ValueError, match=rf"Sequential\.load_state_dict: .*{message}"):
        recurrent.load_state_dict(state)
    with pytest.raises(ValueError, match=rf"Sequential\.set_weights: .*{message}"):
        recurrent.set_weights(list(state.values()))
    for name, value in recurrent.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_names_that_are_missing_or_too_many_are_reported(recurrent):
    state = recurrent.state_dict()
    with pytest.raises(ValueError, match=r"extra\.kernel is not in the model"):
        recurrent.load_state_dict(state | {"extra.kernel": np.zeros(1)})
    state.pop("dense_1.bias")
    with pytest.raises(ValueError, match=r"dense_1\.bias is missing"):
        recurrent.load_state_dict(state)
    with pytest.raises(ValueError, match="expected a dictionary by name"):
        recurrent.load_state_dict(recurrent.get_weights())


def test_the_output_shape_of_a_model_is_known_with_its_input():
    model = mt.Sequential([mt.Input((8,)), mt.Dense(4), mt.Dense(2)])
    assert model.output_shape == (2,)
    assert not model.built
    model.add(mt.Dense(5))
    assert model.output_shape == (5,)
    model.parameters()
    assert (model.input_shape, model.output_shape, model.pop().units, model.output_shape) == ((8,), (5,), 5, (2,))
    assert mt.Sequential([mt.Dense(2)]).output_shape is None
    assert mt.Graph({"x": (8,)}, [("h", mt.Dense(3), "x")], "h").output_shape == (3,)
