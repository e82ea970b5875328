"""What people type from habit, and what would be wrong without a sign: warnings, and messages whose line runs."""

import numpy as np
import pytest

import minitorch_np as mt

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.float32)


class Net(mt.Model):
    def __init__(self):
        super().__init__(rng=0)
        self.dense = mt.Dense(1)

    def forward(self, x):
        return self.dense(x)

    def backward(self, dy):
        return self.dense.backward(dy)


class Pairs(mt.Source):
    pass


class TrainStep(Net):
    def train_step(self, data):
        raise RuntimeError("is not called")


class Configured(Net):
    def configure_optimizers(self):
        raise RuntimeError("is not called")


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (TrainStep, r"TrainStep\.fit does not call TrainStep\.train_step\. Write model\.train_on_batch\(x, y\)"),
        (
            Configured,
            r"does not call Configured\.configure_optimizers\. Write model\.compile\(mt\.Adam\(0\.001\), loss\)",
        ),
    ],
)
def test_methods_that_another_framework_calls_are_warned_of(model, line):
    with pytest.warns(UserWarning, match=line):
        model().compile("sgd", "mse").fit(X, Y)


def test_a_metric_with_update_state_is_refused():
    class Hits(mt.Metric):
        name = "hits"

        def update_state(self, y_true, y_pred):
            raise RuntimeError("is not called")

        def score(self, prediction, target):
            return 1.0

    with pytest.raises(
        ValueError, match=r"Hits has update_state, which is never called here\. Write reset\(self\), update\(self, pr"
    ):
        Net().compile("sgd", "mse", [Hits()])


def test_a_forward_with_training_is_refused():
    with pytest.raises(TypeError, match=r"Noisy\.forward is not called with training\. .* read self\.training in it\."):

        class Noisy(mt.Layer):
            def forward(self, x, training=False):
                return x


def test_a_frozen_input_alone_is_warned_of(recwarn):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(2), mt.ReLU(), mt.Dense(1)], rng=0).compile("sgd", "mse")
    model.layers[0].trainable = False
    with pytest.warns(
        UserWarning,
        match=r"layers\[0\] is Input.* so trainable=False changes nothing\. The next layer is model\.layers\[1\]",
    ):
        model.fit(X, Y)
    recwarn.clear()
    for layer in model.layers[:-1]:  # as in Keras, where it freezes all but the last one
        layer.trainable = False
    model.fit(X, Y)
    model[:1].trainable = True
    model.trainable = True
    model.fit(X, Y)
    assert not recwarn.list


def test_a_source_can_be_looked_at_in_batches():
    class Two(mt.Source):
        def batches(self, batch_size, rng=None, skip=0):
            for start in range(0, 8, batch_size // 8):
                yield X[start : start + batch_size // 8], Y[start : start + batch_size // 8]

    assert [x.shape for x, y in Two()] == [(4, 3), (4, 3)]


@pytest.mark.filterwarnings("error")
def test_a_model_without_such_methods_gets_no_warning():
    Net().compile("sgd", "mse").fit(X, Y)


@pytest.mark.parametrize(
    "metric", [mt.metrics.AUC, mt.metrics.Precision, mt.metrics.Recall, mt.metrics.BalancedAccuracy]
)
def test_exchanged_arguments_of_a_metric_are_warned_of(metric):
    scores = np.array([0.1, 0.4, 0.6, 0.8, 0.3, 0.9, 0.2, 0.7])
    with pytest.warns(UserWarning, match=r"the targets are not classes.* The order is \(prediction, target\)\."):
        metric()(Y, scores)


def test_class_numbers_as_predictions_are_warned_of():
    classes = np.array([0, 1, 2, 1])
    with pytest.warns(UserWarning, match=r"predicted class numbers with mt\.metrics\.classification_report"):
        mt.metrics.F1Score()(classes, classes)


@pytest.mark.parametrize("shape", [(1,), ()])
@pytest.mark.parametrize("outputs", [(6,), (6, 1), (3, 2)])
def test_one_pos_weight_may_be_an_array(shape, outputs):
    prediction, target = np.linspace(-1, 1, 6).reshape(outputs), np.array([0, 1, 1, 0, 1, 0.0]).reshape(outputs)
    loss, of_number = mt.BCEWithLogitsLoss(pos_weight=np.full(shape, 3.0)), mt.BCEWithLogitsLoss(pos_weight=3.0)
    assert loss(prediction, target) == of_number(prediction, target)
    np.testing.assert_array_equal(loss.backward(), of_number.backward())


REFUSED = {
    "two inputs": (
        lambda: mt.Dense(8)(mt.Input((4,))),
        r"Write Sequential\(\[.*\), or Graph\({'a': \(8,\), 'b': \(8,\)}, \[\('y', Add\(\), \['a', 'b'\]\)\], 'y'\)\.",
    ),
    "staircase": (
        lambda: mt.schedules.ExponentialDecay(
            initial_learning_rate=0.1, decay_steps=100, decay_rate=0.9, staircase=True
        ),
        r"no argument 'staircase'\. Write StepDecay\(initial, every, factor\), with the numbers of initial_learning_rate",
    ),
    "a pair of data": (
        lambda: Net().compile("sgd", "mse").fit((Pairs(), Pairs())),
        r"x is a pair of data sets.* fit\(x\[0\], validation_data=x\[1\]\)",
    ),
    "smooth l1": (lambda: mt.SmoothL1Loss(beta=0.5), r"HuberLoss\(beta\) is beta times as large"),
    "table": (lambda: mt.Embedding(3, 4).weight, r"Write layer\.embeddings"),
    "groups": (
        lambda: mt.SGD([{"params": []}], learning_rate=0.1),
        r"given by name too.*For another rate or decay of some of them write par",
    ),
    "groups alone": (
        lambda: mt.SGD([{"params": []}]),
        r"For another rate or decay of some of them write parameter\.rate = 0\.1",
    ),
    "a layer as an attribute": (
        lambda: mt.Sequential([mt.Input((3,)), mt.Dense(1)]).initialize((3,)).dense_1,
        r"no attribute 'dense_1'\. Write model\.get_layer\('dense_1'\)",
    ),
    "check_grad": (lambda: mt.check_grad, r"mt\.gradcheck\(layer, x\)"),
    "betas": (lambda: mt.Adam(0.001, betas=(0.5, 0.999)), r"with the two numbers of \(0\.5, 0\.999\)"),
    "transform": (lambda: mt.Normalization().transform(X), r"Write scale\(x\) after scale\.adapt\(x\)"),
    "score": (lambda: mt.Metric()(Y, Y), r"score\(self, prediction, target\), which returns the sum over the batch"),
}


@pytest.mark.parametrize("call", REFUSED)
def test_a_line_from_habit_is_answered(call):
    line, message = REFUSED[call]
    with pytest.raises((AttributeError, TypeError, ValueError, NotImplementedError), match=message):
        line()


@pytest.mark.parametrize("value", [mt.Dense(3).initialize((3,), 0).kernel, np.eye(3)], ids=["a parameter", "an array"])
def test_a_kernel_that_is_set_before_the_layer_is_built_is_not_lost(value):
    layer = mt.Dense(3)
    layer.kernel = value
    with pytest.raises(ValueError, match=r"kernel was set before the layer was built.* layer\.kernel\.value = array\."):
        layer(X)
    layer = mt.Dense(3).initialize((3,))
    layer.kernel.value = value.value if isinstance(value, mt.Parameter) else value
    np.testing.assert_allclose(layer(X), X @ layer.kernel.value + layer.bias.value)


def test_a_layer_of_your_own_may_make_a_parameter_of_its_array():
    class Scale(mt.Layer):
        def __init__(self, factor):
            self.factor = factor

        def build(self, input_shape):
            self.factor = mt.Parameter(self.factor)

        def forward(self, x):
            return x * self.factor.value

    np.testing.assert_array_equal(Scale(np.full(3, 2.0, np.float32))(X), 2 * X)


def test_the_lines_of_these_messages_are_right():
    far = np.array([[3.0], [0.2]])
    beta = 0.5
    smooth_l1 = np.mean([3 - beta / 2, 0.2**2 / (2 * beta)])  # PyTorch's SmoothL1Loss(beta)
    assert mt.HuberLoss(beta)(far, np.zeros((2, 1))) == pytest.approx(beta * smooth_l1, rel=1e-12)
    scale = mt.Normalization()
    scale.adapt(X)
    np.testing.assert_allclose(scale(X) * np.sqrt(scale.adapt_variance.value) + scale.adapt_mean.value, X, atol=1e-6)
    result = mt.tuning.search(
        lambda rate: mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=0).compile(mt.SGD(rate), "mse"),
        {"rate": [0.01, 0.1]}, X, Y, method="grid", epochs=1, objective="loss",
    )  # fmt: skip
    for name, line in (
        ("best_params_", "result.best"),
        ("best_score_", "result.best_score"),
        ("cv_results_", "result.table"),
    ):
        with pytest.raises(AttributeError, match=line):
            getattr(result, name)
        assert eval(line) is not None


class PlainWeights(mt.Layer):
    def build(self, input_shape):
        self.w = np.ones((input_shape[-1], 2))

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, dy):
        self.dw = 3 * self.x.T @ dy  # wrong, and nobody would see it
        return dy @ self.w.T


class PlainInDictionary(PlainWeights):
    def backward(self, dy):
        self.grads = {}
        self.grads["w"] = self.x.T @ dy
        return dy @ self.w.T


class FixedTable(PlainWeights):
    """Its array has no gradient: it is a constant."""

    def backward(self, dy):
        self.dx = dy @ self.w.T
        return self.dx


@pytest.mark.parametrize(("cls", "name"), [(PlainWeights, "dw"), (PlainInDictionary, r"grads\['w'\]")])
@pytest.mark.parametrize("inside", [False, True])
def test_a_layer_whose_weights_are_arrays_is_not_called_right(cls, name, inside):
    layer = mt.Sequential([mt.Dense(3), cls()]) if inside else cls()
    with pytest.raises(
        mt.GradcheckError, match=rf"{name} was not checked, and training does not change w.*add_parameter"
    ):
        mt.assert_gradients(layer, (5, 3))


def test_an_array_that_is_a_constant_is_right():
    mt.assert_gradients(FixedTable(), (5, 3))


def test_fit_names_the_array_that_should_be_a_parameter():
    model = mt.Sequential([PlainWeights()]).compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"PlainWeights\.w is an array: write self\.w = self\.add_parameter\(shape\)"):
        model.fit(X, np.ones((8, 2)))


class Scaled(mt.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape)


class Sampling(mt.Layer):
    def forward(self, inputs):
        mean, log_variance, noise = inputs
        return mean + log_variance * noise


class Joined(mt.Layer):
    def forward(self, a, b):
        return a + b


def after_forward():
    model = mt.Sequential([mt.Dense(2)])
    model(X, training=True)
    return model


class Forgets(mt.Model):
    def build(self, input_shape):
        self.w = self.add_parameter(input_shape)

    def forward(self, x):
        return x * self.w.value

    def backward(self, dy):
        return dy * self.w.value


class Plain:
    def on_epoch_end(self, epoch, logs=None):
        pass


class Chain(mt.Model):
    def __init__(self):
        super().__init__()
        self.a, self.b = mt.Dense(3), mt.Dense(2)

    def forward(self, x):
        return self.b(self.a(x))


FURTHER = {
    "input": (lambda: mt.Sequential([mt.Input((3,)), mt.Dense(1)])[0].weight, r"next layer is model\.layers\[1\]"),
    "first": (lambda: mt.Sequential([mt.Input((3,)), mt.Dense(1)]).layers[0].reset_states(), r"next layer is model\.layers\[1\]"),
    "no weights": (lambda: mt.Input((3,)).get_weights()[0], r"Input has no weights.*next layer is model\.layers\[1\]"),
    "pretrained": (lambda: mt.Embedding.from_pretrained(X), r"Write mt\.Embedding\(\*table\.shape, weights=\[table\]\)"),
    "from_config": (lambda: mt.Dense.from_config({"units": 3}), r"'Dense' object has no attribute 'from_config'\. Write Dense\(\*\*config\), or layer\.clone\(\)\.$"),
    "from_config of a layer": (lambda: mt.Dense(3).from_config({}), r"'Dense' object has no attribute 'from_config'\. Write Dense\(\*\*config\), or layer\.clone\(\)\.$"),
    "add_weight": (lambda: Scaled().add_weight(shape=(3,)), r"'Scaled' object has no attribute 'add_weight'\. Write self\.kernel = [^.]*\.add_parameter\([^.]*\) in build\.$"),
    "chain": (lambda: Chain().compile("sgd", "mse").fit(X, X[:, :2]), r"that is self\.a\.backward\(self\.b\.backward\(dy\)\)\. .*dy \+ f\.backward\(dy\)\. .* mt\.Sequential and"),
    "threshold": (lambda: Net().predict_classes(X, threshold=0.3), r"\(model\.predict_proba\(x\)\[:, 1\] > 0\.3\)\.astype\(int\)"),
    "update": (lambda: Net().update(), r"optimizer\.step\(model\.parameters\(\)\)"),
    "derivative": (lambda: mt.MSELoss().derivative(X, X), r"then dy = loss\.backward\(\)"),
    "cross_entropy": (lambda: Net().compile("adam", "cross_entropy"), r"mt\.CrossEntropyLoss\(\) with several outputs"),
    "functional": (lambda: mt.Dense(4)(mt.Input((8,))), r"Layers are not called on each other\. .* or Graph\({'a': \(8,\)"),
    "units": (lambda: mt.Sequential([8, 16]), r"Write Dense\(8\)\."),
    "ordered": (lambda: mt.Sequential({"fc": mt.Dense(3)}), r"Sequential\(\[Dense\(units=3\)\]\)"),
    "graph": (lambda: mt.Graph({"x": 8}, [("h", mt.Dense(3), "x")], "h"), r"a shape is a tuple: write {'x': \(8,\)}"),
    "callback": (lambda: Net().compile("sgd", "mse").fit(X, Y, callbacks=[Plain()]), r"Write class Plain\(mt\.Callback\), or use one of"),
    "validation": (lambda: mt.Callback().validation_data, r"to the constructor of your callback"),
    "list call": (lambda: Sampling()([X, X]), r"Sampling\(\)\.forward: not enough values .* forward\(self, a, b\), .*\('z', layer, \['a', 'b'\]\)"),
    "list call of two": (lambda: Joined()([X, X]), r"missing 1 required positional argument.* node of mt\.Graph"),
    "dy of another": (lambda: after_forward().backward(np.ones((8, 8))), r"docs/how_do_i\.md, \"Policy gradient, Q-learning \(DQN\)\" and"),
    "curve": (lambda: mt.metrics.roc_curve, r"scikit-learn's own takes the same arrays"),
    "state": (lambda: mt.GRU(3)(np.ones((2, 4, 3)), np.ones((2, 3))), r"initial_state=h"),
    "forward": (lambda: mt.Sequential([mt.Dense(2)]).forward(X, training=True), r"Write model\(x, training=True\)"),
    "W of the Input": (lambda: setattr(mt.Input((3,)), "W", 3), r"no attribute 'W'\. If this is model\.layers\[0\][^\[]*\[1\]\.$"),
    "b": (lambda: setattr(mt.Dense(3), "b", 3), r"Write layer\.bias\."),
    "states": (lambda: mt.LSTM(3)(np.ones((2, 4, 3)), (np.ones((2, 3)), np.ones((2, 3)))), r"initial_state=h"),
    "momentum": (lambda: mt.nn.BatchNorm1d(5), r"momentum=0\.9, epsilon=1e-5\): PyTorch's momentum 0\.1 is 0\.9 here"),
    "twice": (lambda: mt.SGD({}, learning_rate=0.1), r"an argument by position is 'learning_rate', which is given by name too\. The parameters are given to step"),
    "regularizer": (lambda: setattr(mt.Dense(3).initialize((2,)), "kernel_regularizer", mt.L2(0.1)), r"is None and stays so, as the layer is built\. Write layer\.kernel\.regularizer = L2\(.*0\.1\)\."),
    "word": (lambda: setattr(mt.Dense(3).initialize((2,)).kernel, "regularizer", "l2"), r"regularizer is an object such as mt\.L2\(0\.01\), or None, got 'l2'"),
    "bound": (lambda: setattr(mt.Dense(3).initialize((2,)).kernel, "constraint", 2), r"constraint is an object such as mt\.constraints\.MaxNorm\(2\), or None, got 2"),
    "scheduler": (lambda: mt.schedules.StepDecay(0.1, 5).step(), r"it counts the steps of the optimiser.*optimizer\.current_rate\(\)"),
    "both columns": (lambda: Net().compile("sgd", "mse").fit(X.T, Y.reshape(1, -1)), r"x has 3 examples and y has 1\. If its examples are columns, write x\.T and y\.T"),
    "softmax of an axis": (lambda: mt.LogSoftmax(X, axis=1), r"Write LogSoftmax\(\)\(x\)"),
    "order": (lambda: mt.CrossEntropyLoss()(np.eye(3)[[0, 1]], X[:2]), r"The order is loss\(prediction, target\)"),
    "no gradient": (lambda: Forgets().compile("sgd", "mse").train_on_batch(X, X), r"w has no gradient.* sets self\.w\.grad = …"),
    "weight": (lambda: setattr(mt.Dense(2), "weight", 3), r"no attribute 'weight'\. Write layer\.kernel"),
    "tied": (lambda: setattr(mt.Embedding(3, 2), "weight", 3), r"Write layer\.embeddings, .*tied weights"),
    "half a loss": (lambda: (mt.MSELoss()(X, X) / 2).backward(), r"0\.5 \* criterion\.backward\(\)"),
    "mean loss": (lambda: (sum([mt.MSELoss()(X, X)] * 2) * 0.5).backward(), r"model\.backward\(criterion\.backward\(\)\)"),
    "rate of a schedule": (lambda: float(mt.SGD(mt.schedules.CosineDecay(0.1, steps=9)).learning_rate), r"optimizer\.current_rate\(\)"),
    "penalties": (lambda: mt.Sequential([mt.Dense(2)]).losses, r"sum\(p\.regularizer\(p\.value\) for p in"),
    "W": (lambda: setattr(mt.Dense(2).initialize((3,), 0), "W", np.zeros((3, 2))), r"no attribute 'W'\. Write layer\.kernel"),
    "dW": (lambda: mt.Dense(2).initialize((3,), 0).dW, r"Write layer\.kernel\.grad\."),
    "params": (lambda: mt.Sequential([mt.Dense(2)]).params, r"Write layer\.parameters\(\)"),
    "none": (lambda: mt.MSELoss(reduction="none"), r"loss\.weights = mask, then loss\(prediction, target\).*\[loss\(p\[None\], t\[None\]\) for p, t in zip\(prediction, target\)\]"),
    "seed": (lambda: mt.seed_everything(42), r"rng=0"),
    "columns": (lambda: Net().compile("sgd", "mse").fit(X.T, Y), r"x has 3 examples and y has 8\. If its examples are columns, write x\.T"),
    "fewer": (lambda: Net().compile("sgd", "mse").fit(X[:4], Y), r"x has 4 examples and y has 8\. Give one target per example"),
    "arrays": (lambda: mt.SGD(0.1).step({"W": np.ones(3)}), r"expected Parameters, got a ndarray as 'W'\. Write W = mt\.Parameter"),
    "backward": (lambda: mt.relu_backward, r"layer\.backward\(dy\)"),
    "cv": (lambda: mt.tuning.cross_validate(Net, X, Y, cv=3), r"no argument 'cv'\. Write folds=5"),
    "grid": (lambda: mt.tuning.search(Net, param_grid={}, x=X, y=Y), r"Write search\(build, space, x, y\)"),
    "history": (lambda: Net().compile("sgd", "mse").fit(X, Y).predict(X), r"Write model\.predict\(…\): fit returns the History"),
    "softmax": (lambda: mt.softmax(X, axis=0), r"mt\.Softmax\(\)\(x\.T\)\.T"),
}  # fmt: skip


@pytest.mark.parametrize("call", FURTHER)
def test_a_further_line_from_habit_is_answered(call):
    line, message = FURTHER[call]
    with pytest.raises(
        (AttributeError, IndexError, NotImplementedError, RuntimeError, TypeError, ValueError), match=message
    ):
        line()


def test_an_attribute_of_a_subclass_is_its_own():
    class Mine(mt.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.W = 3

    assert Mine(2).initialize((3,)).W == 3


def test_the_loss_of_each_example_is_that_of_the_message():
    loss, prediction = mt.MSELoss(), np.arange(6.0).reshape(3, 2)
    each = [loss(p[None], t[None]) for p, t in zip(prediction, np.zeros((3, 2)), strict=True)]
    np.testing.assert_allclose(each, (prediction**2).mean(axis=1))


def test_training_raises_nothing_where_numpy_raises_for_underflow():
    model = mt.Sequential([mt.Input((3,)), mt.Dense(1), mt.Sigmoid()], rng=0).compile("sgd", "bce")
    with np.errstate(all="raise"):
        model.fit(1e3 * X, Y)
        model.train_on_batch(1e3 * X, Y)
