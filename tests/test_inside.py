"""Looking inside: layers by name, outputs of all layers, and gradients with respect to inputs."""

import numpy as np
import pytest

import minitorch_np as mt


@pytest.fixture
def x(rng):
    return rng.normal(size=(8, 3)).astype(np.float32)


def network(*layers, rng=0, dtype="float32"):
    layers = layers or (mt.Dense(4), mt.Tanh(), mt.Dense(2))
    model = mt.Sequential([mt.Input((3,)), *layers], rng=rng, dtype=dtype)
    return model.compile(mt.SGD(0.01), mt.MSELoss())


def nested():
    return network(
        mt.Residual([mt.Dense(5), mt.ReLU(), mt.Dense(3)]), mt.Sequential([mt.Dense(4), mt.Tanh()]), mt.Dense(2)
    )


# Layers by name


def test_a_layer_is_found_by_the_name_that_its_parameters_have(capsys):
    model = nested()
    for name in model.parameters():
        place, _, attribute = name.rpartition(".")
        assert getattr(model.get_layer(place), attribute) is model.parameters()[name]
    assert model.get_layer("residual_1.dense_2") is model.layers[1].layers[2]
    model.summary()
    assert "residual_1 (Residual)" in capsys.readouterr().out
    assert model.get_layer(index=0) is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[-1]
    assert model.get_layer(2) is model.layers[2]


def test_a_layer_is_found_in_a_model_that_is_not_built_and_in_one_of_ones_own():
    model = mt.Sequential([mt.Dense(4), mt.Dense(2)])
    assert model.get_layer("dense_2") is model.get_layer(index=1)

    class Own(mt.Model):
        def __init__(self):
            super().__init__()
            self.first, self.blocks = mt.Dense(3), [mt.Dense(2), mt.Dense(2)]

    own = Own()
    assert own.get_layer("first") is own.first
    assert own.get_layer("blocks.dense_2") is own.blocks[1]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda m: m.get_layer("dense"),
            r"there is no layer 'dense'\. The layers are input_1, residual_1, residual_1\.dense_1,",
        ),
        (lambda m: m.get_layer("dense_1.kernel"), r"Write get_layer\('dense_1'\)\.kernel\."),
        (lambda m: m.get_layer(), r"expected a name or an index\. The layers are input_1"),
        (lambda m: m.get_layer("dense_1", 2), "expected a name or an index"),
        (lambda m: m.get_layer(index=9), r"expected an index from 0 to 3, got 9\. The layers are"),
        (lambda m: m.outputs(np.ones((1, 3)), "dens_1"), "there is no layer 'dens_1'"),
        (lambda m: m.outputs(np.ones((1, 3)), mt.Dense(2)), r"Dense\(units=2\) is not a layer of this model"),
    ],
)
def test_a_name_that_no_layer_has_lists_those_that_there_are(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(nested())


# Outputs of layers


def test_outputs_of_layers_are_what_parts_of_the_model_predict(x):
    model = nested()
    found = model.outputs(x)
    assert list(found) == [name for name, _ in model.walk() if name]
    for number in range(1, len(model) + 1):
        name = list(model.sublayers())[number - 1]
        np.testing.assert_array_equal(found[name], model[:number].predict(x))
        np.testing.assert_array_equal(model.outputs(x, name), found[name])
        np.testing.assert_array_equal(model.outputs(x, number - 1), found[name])
        np.testing.assert_array_equal(model.outputs(x, model.layers[number - 1], batch_size=3).shape, found[name].shape)
    inner = model.get_layer("residual_1").layers[0]
    np.testing.assert_array_equal(found["residual_1.dense_1"], inner(x))


def test_outputs_are_those_of_inference_and_change_nothing(x):
    model = network(mt.Dense(4), mt.BatchNormalization(), mt.Dropout(0.5), mt.Dense(2))
    model.fit(x, x[:, :2], epochs=2)
    model.train()
    before = model.state_dict()
    found = model.outputs(x)
    np.testing.assert_array_equal(found["dropout_1"], found["batch_normalization_1"])
    np.testing.assert_array_equal(found["dense_2"], model.predict(x))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_outputs_of_a_model_of_ones_own(x):
    class Own(mt.Model):
        def __init__(self, rng=None):
            super().__init__(rng)
            self.first, self.last = mt.Dense(4), mt.Sequential([mt.Tanh(), mt.Dense(1)])

        def forward(self, x):
            return self.last(self.first(x))

        def backward(self, dy):
            return self.first.backward(self.last.backward(dy))

    model = Own(rng=0)
    model(x)
    found = model.outputs(x)
    np.testing.assert_array_equal(found["last.tanh_1"], np.tanh(model.first(x)))
    np.testing.assert_array_equal(found["last"], model.predict(x))
    slope = model.gradient(x, layer="first")
    np.testing.assert_allclose(slope, (1 - found["last.tanh_1"] ** 2) * model.last.layers[1].kernel.value.T, rtol=1e-5)


def test_a_layer_that_runs_twice_has_two_entries(x):
    class RunsTwice(mt.Layer):
        def __init__(self):
            self.inner = mt.Tanh()

        def forward(self, x):
            return self.inner(self.inner(x))

        def backward(self, dy):
            return dy

    found = network(RunsTwice(), mt.Dense(1)).outputs(x)
    np.testing.assert_array_equal(found["runs_twice_1.inner"], np.tanh(x))
    np.testing.assert_array_equal(found["runs_twice_1.inner#2"], np.tanh(np.tanh(x)))


# Gradients with respect to inputs


def slopes(function, x, step=1e-6):
    """The gradient of a function of arrays, by differences."""
    found = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[place] = step
        found[place] = (function(x + moved) - function(x - moved)) / (2 * step)
    return found


def test_gradients_are_slopes(rng):
    model = network(dtype="float64")
    x, y, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    loss = mt.MSELoss()
    close = {"rtol": 1e-6, "atol": 1e-8}
    np.testing.assert_allclose(model.gradient(x, y), slopes(lambda x: loss(model(x), y), x), **close)
    np.testing.assert_allclose(model.gradient(x, output=1), slopes(lambda x: model(x)[:, 1].sum(), x), **close)
    np.testing.assert_allclose(model.gradient(x, output=-2), model.gradient(x, output=0))
    np.testing.assert_allclose(model.gradient(x, dy=dy), slopes(lambda x: (model(x) * dy).sum(), x), **close)
    chosen = rng.integers(0, 2, 5)
    due = slopes(lambda x: model(x)[np.arange(5), chosen].sum(), x)
    np.testing.assert_allclose(model.gradient(x, output=chosen), due, **close)
    rest, h = model[2:], model.outputs(x, "dense_1")
    due = slopes(lambda h: rest(h)[:, 1].sum(), h)
    np.testing.assert_allclose(model.gradient(x, output=1, layer="dense_1"), due, **close)


def test_an_output_of_a_step(rng):
    model = mt.Sequential([mt.Input((4, 3)), mt.LSTM(5, return_sequences=True), mt.Dense(2)], rng=0, dtype="float64")
    x = rng.normal(size=(2, 4, 3))
    due = slopes(lambda x: model(x)[:, 2, 1].sum(), x)
    np.testing.assert_allclose(model.gradient(x, output=(2, 1)), due, atol=1e-8)
    with pytest.raises(ValueError, match=r"output is a pair \(step, output\) of whole numbers below \(4, 2\)"):
        model.gradient(x, output=1)


@pytest.mark.parametrize("training", [False, True])
def test_a_gradient_leaves_modes_caches_gradients_and_statistics(x, training):
    model = network(mt.Dense(4), mt.BatchNormalization(), mt.Dropout(0.5), mt.Dense(2))
    y = model(x, training=True)
    for parameter in model.parameters().values():
        parameter.grad = np.full(parameter.shape, 7.0, np.float32)
    before, gradients = model.state_dict(), {name: p.grad for name, p in model.parameters().items()}
    model.layers[3].eval()
    model.gradient(x, y, training=training)
    for name, parameter in model.parameters().items():
        assert parameter.grad is gradients[name]
        np.testing.assert_array_equal(parameter.value, before[name])
    assert not model.layers[3].training
    assert model.layers[2].training
    model.backward(np.ones_like(y))  # of the forward before
    assert all((parameter.grad != 7).any() for parameter in model.parameters().values() if parameter.trainable)


def test_looking_inside_in_a_callback_changes_no_step(x):
    class Looks(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append({name: p.grad.copy() for name, p in self.model.parameters().items() if p.trainable})
            self.model.gradient(x, x[:, :2])
            self.model.outputs(x)

    found = []
    for callbacks in ([], [Looks()]):
        seen = []
        model = network(mt.Rescaling(2.0), mt.Dense(4), mt.BatchNormalization(), mt.Dropout(0.5), mt.Dense(2))
        model.fit(x, x[:, :2], epochs=3, batch_size=3, callbacks=callbacks)
        found.append(model.get_weights())
    for with_callback, without in zip(*found, strict=True):
        np.testing.assert_array_equal(with_callback, without)
    assert len(seen) == 9
    assert {"dense_1.kernel", "batch_normalization_1.gamma"} <= seen[0].keys()


def test_the_gradients_that_a_callback_sees_are_those_of_the_step(x):
    class Keeps(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.seen = self.model.get_layer("dense_1").kernel.grad.copy()

    model, keeps = network(mt.Dense(2)), Keeps()
    before = model.layers[1].kernel.value.copy()
    model.fit(x, x[:, :2], batch_size=None, callbacks=[keeps])
    np.testing.assert_allclose(before - 0.01 * keeps.seen, model.layers[1].kernel.value, rtol=1e-6)


def test_the_gradient_with_respect_to_embedded_words(rng):
    model = mt.Sequential([mt.Input((4,)), mt.Embedding(9, 3), mt.Flatten(), mt.Dense(1)], rng=0)
    words = rng.integers(0, 9, (5, 4))
    with pytest.raises(ValueError, match=r"no gradient with respect to whole numbers.*layer=….*embedding_1"):
        model.gradient(words)
    slope = model.gradient(words, layer="embedding_1")
    np.testing.assert_allclose(slope, np.broadcast_to(model.layers[3].kernel.value.reshape(4, 3), (5, 4, 3)), rtol=1e-6)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda m, x: m.gradient(x), r"the outputs are \(batch, 2\)\. Write output=i .* target=y .* dy=…"),
        (lambda m, x: m.gradient(x, x[:, :2], output=1), "expected one of target, output and dy"),
        (
            lambda m, x: m.gradient(x, output=2),
            r"output is a whole number below \(2,\), or one for each example, got 2",
        ),
        (lambda m, x: m.gradient(x, output=0.5), "got 0.5"),
        (lambda m, x: m.gradient(x, output=[0, 1]), r"got \[0, 1\]"),
        (lambda m, x: m.gradient(x, dy=np.ones((8, 3))), r"expected dy of the shape of y, \(8, 2\), got \(8, 3\)"),
        (lambda m, x: m.gradient(x[:, :2], output=0), r"expected x of shape \(batch, 3\)"),
        (lambda m, x: m.gradient(x, output=0, training=1), "training is True or False"),
        (lambda m, x: m.gradient(x, outputs=0), "no argument 'outputs'. Did you mean output?"),
    ],
)
def test_a_gradient_of_what_there_is_not_is_refused(ask, message, x):
    with pytest.raises((ValueError, TypeError), match=message):
        ask(network(), x)


def test_dropout_in_training_mode_gives_the_spread_of_predictions(x):
    model = network(mt.Dense(50), mt.Dropout(0.5), mt.Dense(1))
    answers = np.stack([model(x, training=True) for _ in range(300)])
    assert (answers.std(axis=0) > 0.01).all()
    np.testing.assert_allclose(answers.mean(axis=0), model.predict(x), atol=0.2)


# Graphs


def graph():
    shared = mt.Dense(4)
    nodes = [
        ("a", shared, "left"),
        ("b", "a", "right"),
        ("curved", mt.Tanh(), "b"),
        ("both", mt.Concatenate(), ["a", "curved"]),
        ("same", mt.Dense(1), "both"),
    ]
    return mt.Graph({"left": (3,), "right": (3,)}, nodes, "same", rng=0, dtype="float64")


def test_the_nodes_of_a_graph_have_outputs_and_gradients(rng):
    model, left, right, y = graph(), *rng.normal(size=(2, 5, 3)), rng.normal(size=(5, 1))
    found = model.outputs([left, right])
    assert list(found) == ["a", "b", "curved", "both", "same"]
    shared = model.get_layer("b")
    assert shared is model.get_layer("a")
    np.testing.assert_allclose(found["a"], shared(left))
    np.testing.assert_allclose(found["b"], shared(right))
    np.testing.assert_array_equal(model.outputs({"right": right, "left": left}, "b"), found["b"])
    np.testing.assert_array_equal(found["same"], model.predict([left, right]))
    model.compile("sgd", "mse")
    loss = mt.MSELoss()
    of_left, of_right = model.gradient([left, right], y)
    np.testing.assert_allclose(of_left, slopes(lambda x: loss(model([x, right]), y), left), atol=1e-8)
    np.testing.assert_allclose(of_right, slopes(lambda x: loss(model([left, x]), y), right), atol=1e-8)
    due = np.broadcast_to(model.get_layer("same").kernel.value.T, (5, 8))
    np.testing.assert_allclose(model.gradient([left, right], layer="both"), due)
    # Each use of the shared layer has the gradient with respect to its own output.
    assert model.layers[0] is shared
    assert len(model.layers) == 4
    np.testing.assert_allclose(model.gradient([left, right], layer="a"), due[:, :4])
    np.testing.assert_allclose(model.gradient([left, right], layer="b"), due[:, 4:] * (1 - np.tanh(found["b"]) ** 2))
    for ambiguous in (shared, 0):
        with pytest.raises(ValueError, match=r"each use of a has a gradient of its own\. Write layer='a' or layer='b'"):
            model.gradient([left, right], layer=ambiguous)
    assert "outputs='same'" in repr(model)


def test_layers_inside_a_shared_model_have_a_gradient_for_each_use(rng):
    encoder = mt.Sequential([mt.Dense(4), mt.Tanh(), mt.Dense(2)])
    nodes = [("a", encoder, "x"), ("b", encoder, "z"), ("y", mt.Multiply(), ["a", "b"])]
    model = mt.Graph({"x": (3,), "z": (3,)}, nodes, ["y", "a"], rng=0, dtype="float64")
    x, z = rng.normal(size=(2, 5, 3))
    found, kernel = model.outputs([x, z]), encoder.layers[2].kernel.value
    for name, other in (("a.tanh_1", "b"), ("a.tanh_1#2", "a")):
        due = found[other][:, 1:] * kernel[:, 1]
        np.testing.assert_allclose(model.gradient([x, z], output={"y": 1}, layer=name), due)
    alone = model.gradient([x, z], output={"a": 0, "y": 1})
    wanted = model.gradient([x, z], output={"a": 0})[0] + model.gradient([x, z], output={"y": 1})[0]
    np.testing.assert_allclose(alone[0], wanted)
    one_hot = np.tile([1.0, 0.0], (5, 1))
    np.testing.assert_allclose(
        model.gradient([x, z], output={"a": 0})[0], model.gradient([x, z], dy=[np.zeros((5, 2)), one_hot])[0]
    )
    for wrong, message in (
        ({"output": {"other": 0}}, "there is no output 'other'"),
        ({"output": 0}, r"several outputs. Write output=\{'y': 0\}"),
        ({"output": {"y": 0}, "layer": "a.tanh_1#3"}, "Write layer='a.tanh_1' or layer='a.tanh_1#2'"),
    ):
        with pytest.raises(ValueError, match=message):
            model.gradient([x, z], **wrong)
    with pytest.raises(ValueError, match=r"Write model\(\[a, b\]\)"):
        model(x, z)


def test_a_graph_with_two_outputs_is_trained_by_hand(rng):
    def network():
        nodes = [("h", mt.Dense(4), "x"), ("one", mt.Dense(1), "h"), ("two", mt.Dense(2), "h")]
        return mt.Graph({"x": (3,)}, nodes, ["one", "two"], rng=0).compile(mt.Adam(0.01), ["mse", "mae"])

    x, y = rng.normal(size=(6, 3)), [rng.normal(size=(6, 1)), rng.normal(size=(6, 2))]
    model, fitted, by_dy = network(), network(), network()
    history = fitted.fit(x, y, epochs=3, batch_size=None)
    for epoch in range(3):
        np.testing.assert_allclose(model.train_on_batch(x, y), history["loss"][epoch], rtol=1e-6)
        one, two = by_dy(x, training=True)
        by_dy.step([2 * (one - y[0]) / 6, np.sign(two - y[1]) / 12])
    for mine, due, other in zip(model.get_weights(), fitted.get_weights(), by_dy.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)
        np.testing.assert_allclose(other, due, rtol=1e-5, atol=1e-6)
    assert set(model.outputs(x)) == {"h", "one", "two"}
    with pytest.raises(ValueError, match=r"several outputs\. Write output=.*, target=\[…\]"):
        model.gradient(x, output=0)
    assert model.gradient(x, y).shape == x.shape


def test_outputs_of_several_layers_by_name_or_index():
    model = mt.Sequential([mt.Input((3,)), mt.Dense(2), mt.ReLU()], rng=0)
    found = model.outputs(np.ones((4, 3)), ["dense_1", 2])
    assert list(found) == ["dense_1", "relu_1"]
