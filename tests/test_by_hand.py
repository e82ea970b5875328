"""A step by hand: train_on_batch is a step of fit, and step takes a gradient of one's own."""

import copy
import threading

import numpy as np
import pytest

import minitorch_np as mt


@pytest.fixture
def x(rng):
    return rng.normal(size=(32, 6)).astype(np.float32)


@pytest.fixture
def y(x):
    return x[:, :2] - x[:, 2:4]


def network(optimizer=None, rng=0, loss=None):
    layers = [mt.Input((6,)), mt.Rescaling(0.5), mt.Dense(8, kernel_regularizer=mt.L2(0.01)), mt.BatchNormalization()]
    model = mt.Sequential([*layers, mt.Tanh(), mt.Dropout(0.3), mt.Dense(2)], rng=rng)
    return model.compile(optimizer or mt.Adam(0.01), loss or mt.MSELoss())


def images():
    layers = [mt.Input((6, 6, 2)), mt.Conv2D(4, 3), mt.ReLU(), mt.Flatten(), mt.Dense(3)]
    return mt.Sequential(layers, rng=0).compile(mt.SGD(0.01, momentum=0.9), mt.CrossEntropyLoss())


class Own(mt.Model):
    """A user-defined model with a user-defined layer."""

    def __init__(self, rng=None, dtype="float32"):
        super().__init__(rng, dtype)
        self.first, self.last = mt.Sequential([mt.Dense(5), mt.Dropout(0.5)]), mt.Dense(2)

    def forward(self, x):
        return self.last(self.first(x))

    def backward(self, dy):
        return self.first.backward(self.last.backward(dy))


def own():
    model = Own(rng=0).compile(mt.RMSprop(0.01), mt.MSELoss())
    model(np.zeros((1, 6), np.float32))
    return model


def batches(x, size=8):
    return [x[start : start + size] for start in range(0, len(x), size)]


# train_on_batch


@pytest.mark.parametrize("make", [network, own])
def test_train_on_batch_is_a_step_of_fit(make, x, y):
    by_hand, fitted = make(), make()
    history = fitted.fit(x, y, epochs=3, batch_size=8, shuffle=False)
    for epoch in range(3):
        losses = [by_hand.train_on_batch(*batch) for batch in zip(batches(x), batches(y), strict=True)]
        np.testing.assert_allclose(np.mean(losses), history["loss"][epoch], rtol=1e-6)
    for mine, due in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)
    assert all(isinstance(loss, float) for loss in losses)
    assert by_hand.optimizer.iteration == 12


def test_train_on_batch_of_images_is_a_step_of_fit(rng):
    x, y = rng.normal(size=(12, 6, 6, 2)), rng.integers(0, 3, 12)
    by_hand, fitted = images(), images()
    fitted.fit(x, y, epochs=2, batch_size=4, shuffle=False, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    for _ in range(2):
        for batch in zip(batches(x, 4), batches(y, 4), strict=True):
            by_hand.train_on_batch(*batch, class_weight={0: 1.0, 1: 2.0, 2: 0.5})
    for mine, due in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)


def test_train_on_batch_weighs_examples_as_fit_does(x, y):
    weights = np.linspace(0, 2, 32)
    by_hand, fitted = network(), network()
    loss = by_hand.train_on_batch(x, y, weights)
    assert loss == fitted.fit(x, y, batch_size=None, sample_weight=weights)["loss"][0]
    for mine, due in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)
    assert by_hand.loss.weights is None


def freeze_first(model):
    model.layers[2].trainable = False


def freeze_all_but_last(model):
    for layer in model.layers[:-1]:
        layer.trainable = False


def let_all_learn(model):
    model.trainable = True


def replace_a_parameter(model):
    model.layers[2].kernel = mt.Parameter(np.full((6, 8), 0.1, np.float32))


def replace_a_layer(model):
    layer = mt.Dense(8).initialize((6,), 5)
    model.layers[2] = layer


def replace_the_last_layer(model):
    model.pop()
    model.add(mt.Dense(2))


def give_a_penalty(model):
    model.layers[-1].kernel.regularizer = mt.L1(0.1)


def call_in_training_mode(model):
    model.backward(np.ones_like(model(np.ones((3, 6)), training=True)))


CHANGES = [
    freeze_first,
    freeze_all_but_last,
    replace_a_parameter,
    replace_a_layer,
    replace_the_last_layer,
    give_a_penalty,
    call_in_training_mode,
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [None, let_all_learn])
def test_train_on_batch_follows_a_model_that_changes(change, after, x, y):
    by_hand, fitted = network(mt.SGD(0.01)), network(mt.SGD(0.01))
    for step in (None, None, change, None, after, None):
        for model in (by_hand, fitted):
            if step is not None:
                step(model)
        loss = by_hand.train_on_batch(x, y)
        assert loss == fitted.fit(x, y, batch_size=None)["loss"][0]
    for mine, due in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)
    again = copy.deepcopy(by_hand)
    assert again.train_on_batch(x, y) == by_hand.train_on_batch(x, y)
    assert all(layer.wants_dx for _, layer in by_hand.walk())


def test_train_on_batch_follows_a_model_of_ones_own_that_changes(x, y):
    by_hand, fitted = own(), own()
    for model in (by_hand, fitted):
        model.optimizer = mt.SGD(0.01)
    for turn in range(4):
        if turn == 2:
            for model in (by_hand, fitted):
                model.last = mt.Dense(2).initialize((5,), 3)
        loss = by_hand.train_on_batch(x, y)
        assert loss == fitted.fit(x, y, batch_size=None)["loss"][0]
    np.testing.assert_array_equal(by_hand.last.kernel.value, fitted.last.kernel.value)


def test_train_on_batch_builds_the_model_and_takes_lists():
    model = mt.Sequential([mt.Dense(1)], rng=0).compile("sgd", "mse")
    assert model.train_on_batch([[1, 2], [3, 4]], [1, 2]) > 0
    assert model.layers[0].kernel.shape == (2, 1)


def test_train_on_batch_leaves_modes_and_the_next_backward_as_they_are(x, y):
    model = network().eval()
    model.train_on_batch(x, y)
    assert not any(node.training for _, node in model.walk())
    with pytest.raises(RuntimeError, match=r"model\(x, training=True\)|Run forward first"):
        model.backward(y)
    out = model(x, training=True)
    assert model.backward(np.ones_like(out)).shape == x.shape
    model(x, training=True)
    model.train_on_batch(x[:3], y[:3])  # a forward that awaits its backward is dropped


def test_train_on_batch_in_a_callback_of_fit(x, y):
    class Trains(mt.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.train_on_batch(x[:4], y[:4])

    model, twice = network(mt.SGD(0.01)), network(mt.SGD(0.01))
    model.fit(x, y, epochs=2, batch_size=8, shuffle=False, callbacks=[Trains()])
    for _ in range(2):
        for batch in zip(batches(x), batches(y), strict=True):
            twice.train_on_batch(*batch)
            twice.train_on_batch(x[:4], y[:4])
    for mine, due in zip(model.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)


def test_threads_may_predict_while_another_trains_by_hand(x, y):
    model, wrong = network(), []

    def predict():
        while training:
            if not np.isfinite(model.predict(x)).all():
                wrong.append(1)

    training = [1]
    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            model.train_on_batch(x, y)
    finally:
        training.clear()
        for thread in threads:
            thread.join()
    assert not wrong
    alone = network()
    for _ in range(30):
        alone.train_on_batch(x, y)
    for mine, due in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)


def test_a_loss_that_is_not_finite_takes_no_step(x, y):
    model = network()
    model.train_on_batch(x, y)
    before, steps = model.get_weights()[0], model.optimizer.iteration
    model.layers[-1].kernel.value[0, 0] = np.inf
    with pytest.raises(
        FloatingPointError, match=r"train_on_batch: the loss is .*First output .* dense_2 .*No step was taken"
    ):
        model.train_on_batch(x, y)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    assert model.optimizer.iteration == steps


def test_test_on_batch_is_the_loss_of_evaluate(x, y):
    model = network()
    model.fit(x, y, epochs=2)
    before = model.state_dict()
    np.testing.assert_allclose(model.test_on_batch(x, y), model.evaluate(x, y).loss, rtol=1e-6)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict(x))
    half = model.test_on_batch(x, y, np.full(32, 0.5))
    penalty = 0.01 * float((model.layers[2].kernel.value ** 2).sum())
    np.testing.assert_allclose(half - penalty, (model.test_on_batch(x, y) - penalty) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda m, x, y: m.train_on_batch(x, y[:3]), r"train_on_batch: x has 32 examples and y has 3"),
        (lambda m, x, y: m.train_on_batch(x, y, sample_weight=np.ones(3)), r"expected sample_weight of shape \(32,\)"),
        (lambda m, x, y: m.train_on_batch(x, np.full_like(y, np.nan)), r"train_on_batch: y\[0, 0\] is nan"),
        (lambda m, x, y: m.train_on_batch(x, y, return_dict=True), "Leave it out: it returns the loss"),
        (lambda m, x, y: mt.Sequential([mt.Dense(1)]).train_on_batch(x, y), "the model is not compiled"),
        (
            lambda m, x, y: mt.Sequential([mt.Input((6,)), mt.ReLU()]).compile("sgd", "mse").train_on_batch(x, x),
            "its layers have none",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(attempt, message, x, y):
    model = network()
    before = model.get_weights()
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        attempt(model, x, y)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


# step


def test_step_with_the_gradient_of_the_loss_is_train_on_batch(x, y):
    by_hand, due = network(), network()
    for _ in range(5):
        prediction = by_hand(x, training=True)
        by_hand.loss(prediction, y)
        dx = by_hand.step(by_hand.loss.backward())
        due.train_on_batch(x, y)
        assert dx.shape == x.shape
    for mine, other in zip(by_hand.get_weights(), due.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_step_needs_an_optimizer_and_no_loss(x, y):
    model = mt.Sequential([mt.Input((6,)), mt.Dense(2)], rng=0)
    model(x, training=True)
    with pytest.raises(RuntimeError, match=r"step: the model has no optimizer\. Write model\.optimizer = mt\.Adam"):
        model.step(y)
    model.optimizer = mt.SGD(0.1)
    before = model.layers[1].kernel.value.copy()
    model.step(y.astype(np.float64).tolist())
    np.testing.assert_allclose(model.layers[1].kernel.value, before - 0.1 * x.T @ y, rtol=1e-4, atol=1e-5)
    model(x)
    with pytest.raises(RuntimeError, match=r"model\(x, training=True\)|Run forward first"):
        model.step(y)
    model(x, training=True)
    with pytest.raises(ValueError, match=r"expected dL/dy of the shape of y, \(32, 2\), got shape \(2,\)"):
        model.step(y[0])


# Freezing


def test_what_is_frozen_stays_at_once_also_in_nested_models(x, y):
    base = mt.Sequential([mt.Dense(5), mt.BatchNormalization()])
    model = mt.Sequential([mt.Input((6,)), base, mt.Tanh(), mt.Dense(2)], rng=0).compile(mt.Adam(0.01), mt.MSELoss())
    model.train_on_batch(x, y)
    base.trainable = False
    assert not base.layers[0].trainable
    assert model.trainable
    before = base.state_dict()
    head = model.layers[3].get_weights()
    model.train_on_batch(x, y)
    for name, value in base.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert not np.array_equal(model.layers[3].get_weights()[0], head[0])
    base.layers[0].trainable = True
    model.train_on_batch(x, y)
    assert not np.array_equal(base.layers[0].kernel.value, before["dense_1.kernel"])
    np.testing.assert_array_equal(base.layers[1].gamma.value, before["batch_normalization_1.gamma"])


def test_a_layer_of_ones_own_is_frozen_before_and_after_it_is_built(x, y):
    class Scale(mt.Layer):
        def __init__(self, trainable=True):
            self.trainable = trainable

        def build(self, input_shape):
            self.scale, self.inner = self.add_parameter(input_shape[-1:], "ones"), mt.Dense(6)

        def forward(self, x):
            self.cache = x
            return self.inner(x * self.scale.value)

        def backward(self, dy):
            dy = self.inner.backward(dy)
            self.scale.grad = (dy * self.cache).sum(axis=0)
            return dy * self.scale.value

    layer = Scale(trainable=False)
    model = mt.Sequential([mt.Input((6,)), layer, mt.Dense(2)], rng=0).compile("sgd", "mse")
    model.train_on_batch(x, y)
    before = layer.get_weights()
    model.train_on_batch(x, y)
    for now, then in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    layer.trainable = True
    model.train_on_batch(x, y)
    assert all(not np.array_equal(now, then) for now, then in zip(layer.get_weights(), before, strict=True))


def test_the_old_recipe_of_a_gan_says_how_to_switch_the_discriminator(x, y):
    generator = mt.Sequential([mt.Input((2,)), mt.Dense(6)], rng=0)
    discriminator = mt.Sequential([mt.Input((6,)), mt.Dense(1), mt.Sigmoid()], rng=1).compile("adam", "bce")
    discriminator.trainable = False
    gan = mt.Sequential([generator, discriminator]).compile("adam", "bce")
    before = discriminator.get_weights()
    with pytest.raises(ValueError, match="all 2 are frozen") as caught:
        discriminator.train_on_batch(x, np.ones(32))
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert [line.split("  ")[0] for line in lines] == [
        "discriminator.trainable = True",
        "discriminator.trainable = False",
    ]
    with pytest.raises(ValueError, match=r"discriminator\.trainable = True"):
        discriminator.fit(x, np.ones(32))
    gan.train_on_batch(y, np.ones(32))
    for now, then in zip(discriminator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    for line in lines[:1]:
        exec(line, {"discriminator": discriminator})
    discriminator.train_on_batch(x, np.ones(32))
    assert not np.array_equal(discriminator.get_weights()[0], before[0])


# Rates and decays of single parameters


def test_the_factors_of_a_parameter_are_kept_in_files_copies_and_resumed_runs(x, y, tmp_path):
    model = network()
    first = model.layers[2]
    first.kernel.rate, first.bias.decay = 0.1, 0.0
    with pytest.warns(UserWarning, match="Keras has no rate or decay of a single parameter"):
        model.save(tmp_path / "m.keras")
    for other in (mt.load_model(tmp_path / "m.keras"), copy.deepcopy(model)):
        layer = other.layers[2]
        assert (layer.kernel.rate, layer.kernel.decay, layer.bias.rate, layer.bias.decay) == (0.1, 1.0, 1.0, 0.0)
        other.optimizer = mt.SGD(0.1)
        with pytest.raises(
            ValueError, match="rate, a factor of the learning rate, is a finite number of at least 0, got -1"
        ):
            layer.kernel.rate = -1

    class Slows(mt.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.layers[2].kernel.rate = 0.5

    straight, one, two = network(), network(), network()
    straight.fit(x, y, epochs=4, callbacks=[Slows()])
    one.fit(x, y, epochs=2, callbacks=[Slows()], resume=tmp_path / "run")
    two.fit(x, y, epochs=4, callbacks=[Slows()], resume=tmp_path / "run")
    for mine, due in zip(two.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, due)
    assert two.layers[2].kernel.rate == 0.5


def test_a_rate_of_zero_moves_nothing(x, y):
    model = network(mt.SGD(0.1, momentum=0.9))
    kernel = model.layers[2].kernel
    kernel.rate = 0
    before = kernel.value.copy()
    model.fit(x, y, epochs=2)
    np.testing.assert_array_equal(kernel.value, before)


def test_the_factor_of_a_large_parameter_that_is_updated_in_blocks():
    kernels = []
    for rate in (1.0, 0.5):
        parameter = mt.Parameter(np.ones((600, 600), np.float32))
        parameter.grad = np.full((600, 600), 2.0, np.float32)
        parameter.rate = rate
        optimizer = mt.SGD(0.1)
        optimizer.step({"w": parameter})
        assert optimizer.rate == 0.1
        kernels.append(parameter.value)
    np.testing.assert_allclose(kernels, [np.full((600, 600), 0.8), np.full((600, 600), 0.9)], rtol=1e-6)
