"""What calling a model does, what may run twice before a backward, and the errors for layers that break their contract."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

import minitorch_np as mt

ONE = np.ones((1, 1), np.float32)


def network(*layers, rng=0):
    model = mt.Sequential([mt.Input((3,)), *layers, mt.Dense(1)], rng=rng)
    return model.compile(mt.SGD(0.01), mt.MSELoss())


@pytest.fixture
def x(rng):
    return rng.normal(size=(8, 3)).astype(np.float32)


# Calling is inference


def test_a_call_answers_as_predict_does_before_and_after_fit_and_load(x, tmp_path):
    model = network(mt.Dense(4), mt.BatchNormalization(), mt.Dropout(0.5))
    np.testing.assert_array_equal(model(x), model.predict(x))
    model.fit(x, x[:, :1], epochs=2)
    statistics = model.get_weights()
    np.testing.assert_array_equal(model(x), model.predict(x))
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "m.keras")(x), model.predict(x))
    for now, then in zip(model.get_weights(), statistics, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_call_in_training_mode_is_followed_by_backward(x):
    model = network(mt.Dense(4), mt.Tanh())
    y = model(x, training=True)
    dx = model.backward(np.ones_like(y))
    step = 1e-2
    for column in range(3):
        moved = np.zeros((1, 3), np.float32)
        moved[0, column] = step
        slope = (model(x + moved) - model(x - moved)).ravel() / (2 * step)
        np.testing.assert_allclose(dx[:, column], slope, atol=2e-3)


def test_train_and_eval_say_it_for_all_calls(x):
    model = network(mt.Dropout(0.5))
    model.train()
    assert not np.array_equal(model(x), model(x))
    model.eval()
    np.testing.assert_array_equal(model(x), model.predict(x))
    assert not np.array_equal(model(x, training=True), model(x, training=True))


def test_backward_after_a_call_that_kept_nothing_is_refused(x):
    model = network(mt.Dense(4))
    model.fit(x, x[:, :1])
    y = model(x)
    with pytest.raises(RuntimeError, match=r"model\(x, training=True\)"):
        model.backward(np.ones_like(y))


def test_asking_between_a_forward_and_its_backward_changes_nothing(x):
    model, alone = network(mt.Dense(4), mt.Tanh()), network(mt.Dense(4), mt.Tanh())
    for one in (model, alone):
        y = one(x, training=True)
        if one is model:
            one(2 * x)
            one.predict(3 * x)
        one.backward(np.ones_like(y))
    for mine, due in zip(model.parameters().values(), alone.parameters().values(), strict=True):
        np.testing.assert_array_equal(mine.grad, due.grad)


class CallsTwoParts(mt.Model):
    """A user-defined model that calls another one."""

    def __init__(self, rng=None, dtype="float32"):
        super().__init__(rng, dtype)
        self.first = mt.Sequential([mt.Dense(5), mt.Dropout(0.5)])
        self.last = mt.Dense(1)

    def forward(self, x):
        return self.last(self.first(x))

    def backward(self, dy):
        return self.first.backward(self.last.backward(dy))


def test_models_inside_follow_the_model_that_calls_them(x):
    model = CallsTwoParts(rng=0).compile(mt.SGD(0.01), mt.MSELoss())
    model.fit(x, x[:, :1], epochs=2)
    np.testing.assert_array_equal(model(x), model.predict(x))
    np.testing.assert_array_equal(model(x), model(x))
    y = model(x, training=True)
    assert not np.array_equal(y, model(x))
    assert model.backward(np.ones_like(y)).shape == x.shape


def test_a_model_outside_that_is_called_inside_a_forward_answers(x):
    teacher = network(mt.Dropout(0.9))
    due, answers = teacher.predict(x), []

    class Asks(mt.Layer):
        def forward(self, x):
            answers.append(teacher(x))
            return x

        def backward(self, dy):
            return dy

    network(Asks()).fit(x, x[:, :1], epochs=3, shuffle=False)
    for answer in answers:
        if len(answer) == len(due):
            np.testing.assert_array_equal(answer, due)


def in_a_lambda(drop):
    return [lambda x: drop(x)]


def in_a_partial(drop):
    return [functools.partial(drop)]


def in_an_object(drop):
    return [SimpleNamespace(drop=drop).drop]


@pytest.mark.parametrize("hidden", [in_a_lambda, in_a_partial, in_an_object])
def test_a_layer_that_is_hidden_from_its_model_follows_the_call_too(x, hidden):
    class Hiding(mt.Layer):
        def __init__(self):
            self.steps = hidden(mt.Dropout(0.9))

        def forward(self, x):
            for step in self.steps:
                x = step(x)
            return x

        def backward(self, dy):
            return dy

    model = network(Hiding(), rng=1)
    np.testing.assert_array_equal(model(x), model(x))
    assert not np.array_equal(model(x, training=True), model(x))


def test_a_layer_takes_the_mode_of_one_call_as_in_keras(x):
    drop = mt.Dropout(0.5)
    np.testing.assert_array_equal(drop(x, training=False), x)
    assert not np.array_equal(drop(x, training=True), x)
    assert drop.training
    with pytest.raises(ValueError, match="training is True or False"):
        drop(x, training="yes")


def test_a_layer_that_a_model_always_calls_in_one_mode_keeps_it(x):
    class Always(mt.Model):
        def __init__(self, mode, rng=None, dtype="float32"):
            super().__init__(rng, dtype)
            self.mode = mode
            self.drop, self.out = mt.Dropout(0.5), mt.Dense(1)

        def forward(self, x):
            return self.out(self.drop(x, training=self.mode))

        def backward(self, dy):
            return self.drop.backward(self.out.backward(dy))

    drawing, still = Always(True, rng=0), Always(False, rng=0)
    assert not np.array_equal(drawing(x), drawing(x))
    still.compile(mt.SGD(0.01), mt.MSELoss()).fit(x, x[:, :1])
    np.testing.assert_array_equal(still(x, training=True), still(x))


def test_layers_and_parameters_that_forward_makes_are_made_once(x):
    class Late(mt.Layer):
        def forward(self, x):
            if not hasattr(self, "inner"):
                self.inner = mt.Dense(2)
                self.scale = self.add_parameter((2,), "ones")
            return self.inner(x) * self.scale.value

        def backward(self, dy):
            return self.inner.backward(dy * self.scale.value)

    model = network(Late())
    np.testing.assert_array_equal(model.predict(x), model.predict(x))
    assert len(model.parameters()) == 5


def test_what_forward_writes_while_a_model_predicts_is_not_kept_and_an_error_says_so(x):
    class Probe(mt.Layer):
        def forward(self, x):
            self.last = x
            return x

        def backward(self, dy):
            return dy

    model = network(Probe())
    model.predict(x)
    with pytest.raises(AttributeError, match="is not kept"):
        model.layers[1].last  # noqa: B018
    model(x, training=True)
    np.testing.assert_array_equal(model.layers[1].last, x)


def test_a_layer_by_itself_is_called_as_before(x):
    layer = mt.Dense(2)
    y = layer(x)
    assert layer.backward(np.ones_like(y)).shape == x.shape
    assert layer.kernel.grad.shape == (3, 2)


def test_a_callback_may_take_gradients_of_its_own(x):
    taken = []

    class Saliency(mt.Callback):
        def on_epoch_end(self, epoch, logs=None):
            y = self.model(x, training=True)
            taken.append(self.model.backward(np.ones_like(y)))
            self.model(x, training=True)  # and a forward without a backward

    layers = lambda: [mt.Rescaling(0.5), mt.Dense(4), mt.Tanh()]  # noqa: E731
    watched, alone = network(*layers()), network(*layers())
    watched.fit(x, x[:, :1], epochs=3, callbacks=[Saliency()])
    alone.fit(x, x[:, :1], epochs=3)
    assert watched.history == alone.history
    y = alone(x, training=True)
    np.testing.assert_array_equal(taken[-1], alone.backward(np.ones_like(y)))


# Used twice


def test_two_calls_in_training_mode_before_a_backward_are_refused(x):
    model = network(mt.Dense(4))
    model(x, training=True)
    y = model(2 * x, training=True)
    with pytest.raises(RuntimeError, match="one batch"):
        model.backward(np.ones_like(y))
    model.drop_caches()
    model.backward(np.ones_like(model(x, training=True)))


class RunsInnerTwice(mt.Layer):
    def __init__(self, inner):
        self.inner = inner

    def forward(self, x):
        return self.inner(self.inner(x) + 1)

    def backward(self, dy):
        return self.inner.backward(self.inner.backward(dy))


class Plain(mt.Layer):
    """y = w x, with what backward needs in a plain attribute."""

    def build(self, input_shape):
        self.w = self.add_parameter((1,), "ones")

    def forward(self, x):
        self.x = x
        return x * self.w.value

    def backward(self, dy):
        self.w.grad = (dy * self.x).sum(axis=0)
        return dy * self.w.value


@pytest.mark.parametrize("inner", [mt.Dense(1), Plain(), mt.Sequential([mt.Dense(1)])], ids=repr)
def test_a_layer_used_twice_in_one_forward_is_refused_by_backward(inner):
    layer = RunsInnerTwice(inner)
    layer(3 * ONE)
    with pytest.raises(RuntimeError, match="ran twice in one forward"):
        layer.backward(ONE)
    model = mt.Sequential([mt.Input((1,)), RunsInnerTwice(inner.clone())]).compile(mt.SGD(0.1), mt.MSELoss())
    assert np.isfinite(model.predict(ONE)).all()
    with pytest.raises(RuntimeError, match="ran twice in one forward"):
        model.fit(ONE, ONE)


class OwnBackward(mt.Tanh):
    """Its forward is the package's."""

    def backward(self, dy):
        return super().backward(dy)


def test_a_layer_is_right_again_in_the_forward_after_one_that_used_it_twice(x):
    layer = OwnBackward()
    twice = RunsInnerTwice(layer)
    y = twice(x)
    with pytest.raises(RuntimeError, match="ran twice in one forward"):
        twice.backward(np.ones_like(y))
    y = layer(x)
    np.testing.assert_allclose(layer.backward(np.ones_like(y)), 1 - np.square(y), rtol=1e-5)


def test_a_layer_by_itself_may_run_often_before_its_backward(x):
    layer = Plain()
    for _ in range(3):
        layer(x)
    y = layer(2 * x)
    layer.backward(np.ones_like(y))
    np.testing.assert_allclose(layer.w.grad, (2 * x).sum(axis=0), rtol=1e-5)


def test_one_parameter_in_two_layers_is_refused():
    model = mt.Sequential([mt.Input((1,)), mt.Dense(1), mt.Tanh(), mt.Dense(1)])
    model.layers[3].kernel = model.layers[1].kernel
    with pytest.raises(ValueError, match=r"dense_1\.kernel and dense_2\.kernel are one Parameter"):
        model.compile(mt.SGD(0.1), mt.MSELoss()).fit(ONE, ONE)


def test_one_parameter_in_two_attributes_of_a_layer_is_stepped_once():
    class Listed(Plain):
        def build(self, input_shape):
            super().build(input_shape)
            self.weights = [self.w]

    layer = Listed()
    layer(ONE)
    layer.backward(ONE)
    assert list(layer.parameters()) == ["w"]
    mt.SGD(0.1).step(layer.parameters())
    np.testing.assert_allclose(layer.w.value, [0.9], rtol=1e-6)


def test_a_loop_by_hand_learns_with_the_penalty_as_fit_does(x):
    def model():
        layers = [mt.Dense(4, kernel_regularizer=mt.L1L2(0.1, 0.2)), mt.Tanh()]
        return network(*layers)

    fitted, by_hand, loss, optimizer = model(), model(), mt.MSELoss(), mt.SGD(0.01)
    fitted.fit(x, x[:, :1], epochs=3, batch_size=8)
    by_hand.train()
    for _ in range(3):
        loss(by_hand(x), x[:, :1])
        by_hand.backward(loss.backward())
        optimizer.step(by_hand.parameters())
    for mine, due in zip(by_hand.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-6)


def test_a_penalty_is_added_once_for_each_backward():
    layer = mt.Dense(1, use_bias=False, kernel_initializer="ones", kernel_regularizer=mt.L2(1.0))
    layer(ONE)
    layer.backward(0 * ONE)
    optimizer = mt.SGD(0.1)
    optimizer.step(layer.parameters())
    assert layer.kernel.grad == 2
    optimizer.step(layer.parameters())
    assert layer.kernel.grad == 2


# Freezing


@pytest.mark.parametrize("compiled", ["before", "after"])
def test_trainable_of_a_layer_freezes_it_from_the_next_step_on(x, compiled):
    layers = [mt.Sequential([mt.Dense(4), mt.Tanh()]), mt.Dense(2)]
    model = network(*layers)
    before = model.get_weights()
    layers[0].trainable = False
    if compiled == "after":
        model.compile(mt.SGD(0.01), mt.MSELoss())
    model.fit(x, x[:, :1])
    frozen = [np.array_equal(now, then) for now, then in zip(model.get_weights(), before, strict=True)]
    assert frozen == [True, True, False, False, False, False]
    assert not layers[0].trainable
    assert model.trainable
    layers[0].trainable = True
    model.fit(x, x[:, :1])
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_trainable_holds_for_parameters_that_are_made_later(x):
    layer = mt.Dense(4)
    layer.trainable = False
    model = mt.Sequential([layer, mt.Dense(1)], rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    model.fit(x, x[:, :1])
    assert [parameter.trainable for parameter in model.parameters().values()] == [False, False, True, True]


def test_running_statistics_never_learn(x):
    model = network(mt.BatchNormalization())
    model.trainable = True
    kinds = {name: parameter.trainable for name, parameter in model.parameters().items()}
    assert kinds["batch_normalization_1.moving_mean"] is False
    model.trainable = False
    with pytest.raises(ValueError, match=r"model\.trainable = True"):
        model.fit(x, x[:, :1])
    with pytest.raises(ValueError, match="trainable is True or False"):
        model.trainable = "no"


# Layers that break their contract


def broken(forward=None, backward=None, build=None):
    def own_build(self, input_shape):
        self.w = self.add_parameter((input_shape[-1], 2))

    methods = {
        "build": build or own_build,
        "forward": forward or (lambda self, x: x @ self.w.value),
        "backward": backward or (lambda self, dy: dy @ self.w.value.T),
    }
    return type("Mine", (mt.Layer,), methods)()


def replacing(self, dy):
    dx = dy @ self.w.value.T
    self.w = np.zeros((3, 2))
    return dx


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (broken(forward=lambda self, x: None), r"Mine\(\)\.forward returned None.*return y"),
        (broken(forward=lambda self, x: (x, x)), r"Mine\(\)\.forward returned a tuple"),
        (broken(forward=lambda self, x: x.tolist()), r"Mine\(\)\.forward returned a list"),
        (broken(forward=lambda self, x: self.w), r"Mine\(\)\.forward returned a Parameter"),
        (broken(forward=lambda self, x: x @ self.w), r"Mine\(\)\.forward: .*write self\.w\.value, not self\.w"),
        (broken(forward=lambda self, x: x * self.cache), r"Mine\(\)\.forward reads self\.cache"),
        (broken(backward=lambda self, dy: None), r"Mine\(\)\.backward returned None.*return dx"),
        (broken(backward=lambda self, dy: (dy, dy)), r"Mine\(\)\.backward returned a tuple"),
        (broken(backward=replacing), r"Mine\(\)\.backward replaced the parameter self\.w.*self\.w\.grad"),
    ],
)
def test_a_layer_that_breaks_its_contract_is_named(x, layer, message):
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        network(mt.Dense(3), layer).fit(x, x[:, :1])


@pytest.mark.parametrize(
    "make",
    [
        lambda: mt.Sequential(mt.Dense(3), mt.ReLU()),
        lambda: mt.Sequential(mt.Dense(3)),
        lambda: mt.Residual(mt.Dense(3)),
    ],
)
def test_a_list_that_was_forgotten_is_shown(make):
    with pytest.raises(ValueError, match=r"(Sequential|Residual)\(\[Dense\(units=3\)"):
        make()


# What takes the place of a parameter


@pytest.mark.parametrize("layer", [mt.Dense(3), broken()], ids=["built-in", "own"])
@pytest.mark.parametrize("use", ["predict", "fit", "parameters", "save_weights", "training", "layer"])
def test_an_array_in_the_place_of_a_parameter_is_refused_with_the_line_to_write(x, layer, use, tmp_path):
    layer = layer.clone() if isinstance(layer, mt.Dense) else type(layer)()
    model = network(mt.Dense(3), layer)
    model.predict(x)
    name = next(iter(layer.parameters()))
    before = layer.parameters()[name]
    setattr(layer, name, np.zeros(before.shape))
    ways = {
        "predict": lambda: model.predict(x),
        "fit": lambda: model.fit(x, x[:, :1]),
        "parameters": model.parameters,
        "save_weights": lambda: model.save_weights(tmp_path / "m.weights.h5"),
        "training": lambda: model(x, training=True),
        "layer": lambda: layer(x),
    }
    with pytest.raises(ValueError, match=rf"{name}.*replaced by an array.*layer\.{name}\.value\[\.\.\.\] = "):
        ways[use]()
    assert layer.parameters()[name] is before


def test_another_parameter_may_take_the_place_and_gets_the_dtype_of_the_layer(x):
    model = network(mt.Dense(3, use_bias=False))
    model.predict(x)
    model.layers[1].kernel = mt.Parameter(np.eye(3))
    assert model.predict(x).dtype == np.float32
    assert model.layers[1].kernel.value.dtype == np.float32
    model.layers[1].kernel = mt.Parameter(np.ones((3, 5)))
    with pytest.raises(ValueError, match=r"kernel, of shape \(3, 3\), was replaced by a Parameter of shape \(3, 5\)"):
        model.predict(x)
    model.layers[1].kernel = None
    with pytest.raises(ValueError, match="replaced by None"):
        model.predict(x)


def test_dx_of_another_shape_than_x_is_refused(x):
    class Total(mt.Layer):
        def forward(self, x):
            return x.sum(axis=1, keepdims=True)

        def backward(self, dy):
            return dy  # which the Tanh before it would broadcast

    with pytest.raises(
        ValueError, match=r"Total\(\)\.backward returned an array of shape \(8, 1\).*shape of x, \(8, 3\)"
    ):
        network(mt.Dense(3), mt.Tanh(), Total()).fit(x, x[:, :1])


def test_the_shape_of_a_parameter_may_be_one_number():
    class Scale(mt.Layer):
        def build(self, input_shape):
            self.a = self.add_parameter(input_shape[-1], "ones")

        def forward(self, x):
            return x * self.a.value

    layer = Scale()
    np.testing.assert_array_equal(layer(np.ones((2, 3))), np.ones((2, 3)))
    assert layer.a.shape == (3,)


# What habit types


def test_train_takes_a_mode_as_in_pytorch(x):
    model = network(mt.Dropout(0.5)).train(False)
    np.testing.assert_array_equal(model(x), model.predict(x))
    assert not np.array_equal(model.train(True)(x), model.predict(x))
    with pytest.raises(ValueError, match="mode is True or False"):
        model.train("no")


def test_a_layer_in_eval_mode_stays_so_in_a_loop_by_hand(x):
    norm = mt.BatchNormalization()
    model = network(norm)
    model.train()
    model(x)
    norm.eval()
    before = norm.moving_mean.value.copy()
    model(x)
    np.testing.assert_array_equal(norm.moving_mean.value, before)
    model(x, training=True)
    assert not np.array_equal(norm.moving_mean.value, before)


@pytest.mark.parametrize("given", [True, False])
def test_a_model_inside_follows_what_its_call_says(x, given):
    class Outer(mt.Model):
        def __init__(self):
            super().__init__(0)
            self.base, self.last = mt.Sequential([mt.Dropout(0.5), mt.Dense(4)]), mt.Dense(1)

        def forward(self, x):
            return self.last(self.base(x, training=given))

        def backward(self, dy):
            return self.base.backward(self.last.backward(dy))

    model = Outer().compile(mt.SGD(0.1), mt.MSELoss())
    for training in (True, False):
        assert np.array_equal(model(x, training=training), model(x, training=training)) is not given
        model.drop_caches()
    model.fit(x, x[:, :1])


@pytest.mark.parametrize("training", ["yes", 2, np.ones((8, 3))], ids=["text", "number", "array"])
def test_a_call_refuses_what_is_no_mode(x, training):
    with pytest.raises(ValueError, match=r"training is True or False|called with one array"):
        network()(x, training)


@pytest.mark.parametrize("dy", [None, 1.0, np.ones(8), np.ones((8, 1)), np.ones((1, 3))], ids=repr)
def test_backward_refuses_a_gradient_of_another_shape_than_y(x, dy):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(3), mt.Sigmoid()], rng=0)
    model(x, training=True)
    with pytest.raises(ValueError, match=r"Sequential\.backward: expected dL/dy of the shape of y, \(8, 3\)"):
        model.backward(dy)


def test_a_gradient_under_another_name_says_grad():
    with pytest.raises(AttributeError, match="grad"):
        mt.Parameter([1.0]).gradient = np.ones(1)


def test_layers_that_the_model_cannot_find_are_warned_of(x):
    class Boxed(mt.Layer):
        def __init__(self):
            self.box = SimpleNamespace(inner=mt.Dense(3))

        def forward(self, x):
            return self.box.inner(x)

        def backward(self, dy):
            return self.box.inner.backward(dy)

    with pytest.warns(UserWarning, match=r"Boxed\(\)\.forward calls Dense\(units=3\), which the model does not find"):
        network(Boxed()).fit(x, x[:, :1])


def test_slots_are_refused():
    with pytest.raises(TypeError, match="Slotted: a layer has no __slots__"):
        type("Slotted", (mt.Layer,), {"__slots__": ("k",)})


@pytest.mark.parametrize(("shape", "axes"), [((4, 3, 16, 16), "0, 2, 3, 1"), ((4, 16, 3, 16), "0, 1, 3, 2")])
def test_images_whose_axes_are_in_another_order_are_refused_with_the_line_that_orders_them(rng, shape, axes):
    model = mt.Sequential([mt.Input((16, 16, 3)), mt.Conv2D(4, 3), mt.Flatten(), mt.Dense(2)], rng=0)
    model.compile("adam", mt.CrossEntropyLoss())
    x = rng.normal(size=shape)
    for call in (lambda: model.fit(x, np.zeros(4, int)), lambda: model.predict(x)):
        with pytest.raises(ValueError, match=rf"another order: use x\.transpose\({axes}\)"):
            call()
    model.predict(eval(f"x.transpose({axes})"))


def test_a_convolution_names_the_order_of_the_axes(rng):
    conv = mt.Conv2D(4, 3)
    conv(rng.normal(size=(2, 8, 8, 3)))
    with pytest.raises(ValueError, match=r"Channels are the last axis: x\.transpose\(0, 2, 3, 1\)"):
        conv(rng.normal(size=(2, 3, 8, 8)))


def test_layers_in_training_mode_after_eval_stay_in_it_when_the_model_is_called(x):
    layers = [mt.Dense(16), mt.Dropout(0.5), mt.BatchNormalization(), mt.Dense(1)]
    model = mt.Sequential([mt.Input((3,)), *layers], rng=0).compile("adam", "mse")
    model.fit(x, np.ones((len(x), 1)))
    model.eval()
    np.testing.assert_array_equal(model(x), model(x))
    mean = layers[2].moving_mean.value.copy()
    for _, layer in model.walk():
        if isinstance(layer, mt.Dropout):
            layer.train()
    assert np.all(model(x) != model(x))
    np.testing.assert_array_equal(model.predict(x), model.predict(x))
    np.testing.assert_array_equal(layers[2].moving_mean.value, mean)
    model.eval()
    np.testing.assert_array_equal(model(x), model(x))
