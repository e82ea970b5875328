"""The published exercise, number by number. There one COLUMN is an example; here it is one row, hence the transposes.

There `linear_backward` divides by the number of examples m; here the loss's gradient carries the 1/m, so dy is divided.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import minitorch_np as mt

PUBLISHED = json.loads(Path(__file__).with_name("published.json").read_text())


def drawn(seed, shapes):
    """NumPy's legacy generator, one array after the other in the listed order; transposed to rows."""
    legacy = np.random.RandomState(seed)
    return {name: legacy.randn(*shape).T for name, shape in shapes.items()}


def dense(kernel, bias):
    layer = mt.Dense(kernel.shape[1]).initialize((len(kernel),), dtype=np.float64)
    layer.kernel.value, layer.bias.value = kernel, bias.ravel()
    return layer


def assert_published(ours, theirs, decimals=5):
    """To the published decimals; some were cut off and not rounded."""
    np.testing.assert_allclose(ours, np.transpose(theirs), rtol=0, atol=10**-decimals)


def legacy_init(seed):
    legacy = np.random.RandomState(seed)
    return lambda shape, rng: legacy.randn(*shape[::-1]).T / np.sqrt(shape[0])


def test_initialise():
    case, init = PUBLISHED["initialise"], legacy_init(3)
    layers = [mt.Dense(units, kernel_initializer=init) for units in case["layer_dims"][1:]]
    model = mt.Sequential([mt.Input((2,)), *layers], dtype="float64")
    assert_published(model.layers[1].kernel.value, case["W1"], 8)
    assert_published(model.layers[2].kernel.value, case["W2"], 8)


def test_linear_forward():
    case = PUBLISHED["linear_forward"]
    a = drawn(case["seed"], case["draws"])
    assert_published(dense(a["W"], a["b"])(a["A"]), case["Z"])


def test_sigmoid():
    case = PUBLISHED["sigmoid"]
    np.testing.assert_allclose(mt.Sigmoid()(np.array([case["x"]], float)), [case["y"]], atol=5e-5)


@pytest.mark.parametrize(("name", "activation"), [("sigmoid", mt.Sigmoid()), ("relu", mt.ReLU())])
def test_linear_activation_forward(name, activation):
    case = PUBLISHED["linear_activation_forward"]
    a = drawn(case["seed"], case["draws"])
    assert_published(activation(dense(a["W"], a["b"])(a["A_prev"])), case[name])


def test_model_forward():
    case = PUBLISHED["model_forward"]
    a = drawn(case["seed"], case["draws"])
    layers = [
        dense(a["W1"], a["b1"]),
        mt.ReLU(),
        dense(a["W2"], a["b2"]),
        mt.ReLU(),
        dense(a["W3"], a["b3"]),
        mt.Sigmoid(),
    ]
    assert_published(mt.Sequential(layers, dtype="float64")(a["X"]), case["AL"])


def test_cost():
    case = PUBLISHED["cost"]
    assert mt.BCELoss()(np.transpose(case["AL"]), np.transpose(case["Y"])) == pytest.approx(case["cost"], abs=5e-6)


def test_linear_backward():
    case = PUBLISHED["linear_backward"]
    a = drawn(case["seed"], case["draws"])
    m, layer = len(a["A"]), dense(a["W"], a["b"])
    layer(a["A"])
    assert_published(layer.backward(a["dZ"] / m) * m, case["dA_prev"])
    assert_published(layer.kernel.grad, case["dW"])
    assert_published(layer.bias.grad, case["db"][0])


@pytest.mark.parametrize(("name", "activation"), [("sigmoid", mt.Sigmoid()), ("relu", mt.ReLU())])
def test_linear_activation_backward(name, activation):
    case = PUBLISHED["linear_activation_backward"]
    a = drawn(case["seed"], case["draws"])
    m, layer = len(a["A"]), dense(a["W"], a["b"])
    layer(a["A"])
    activation(a["Z"])
    assert_published(layer.backward(activation.backward(a["dA"] / m)) * m, case[name]["dA_prev"])
    assert_published(layer.kernel.grad, case[name]["dW"])
    assert_published(layer.bias.grad, case[name]["db"][0])


def test_model_backward():
    """The published AL is a normal draw outside (0, 1), so dL/dAL is written out here, and not computed by BCELoss."""
    case = PUBLISHED["model_backward"]
    a = drawn(case["seed"], case["draws"])
    y, m = np.transpose(case["Y"]), len(a["AL"])
    first, relu, second, sigmoid = dense(a["W1"], a["b1"]), mt.ReLU(), dense(a["W2"], a["b2"]), mt.Sigmoid()
    for layer, x in ((first, a["A1"]), (relu, a["Z1"]), (second, a["A2"]), (sigmoid, a["Z2"])):
        layer(x)
    dy = -(y / a["AL"] - (1 - y) / (1 - a["AL"])) / m
    dy = second.backward(sigmoid.backward(dy))
    assert_published(dy * m, case["dA1_input_side_of_layer_2"])
    first.backward(relu.backward(dy))
    assert_published(first.kernel.grad, case["dW1"])
    np.testing.assert_allclose(first.bias.grad, np.ravel(case["db1"]), atol=6e-6)


def test_update():
    case = PUBLISHED["update"]
    values, grads = (drawn(case[f"{kind}_seed"], case["draws_each"]) for kind in ("parameter", "gradient"))
    parameters = {name: mt.Parameter(value) for name, value in values.items()}
    for name, parameter in parameters.items():
        parameter.grad = grads[name]
    mt.SGD(case["learning_rate"]).step(parameters)
    for name, parameter in parameters.items():
        assert_published(parameter.value, case[name])


def test_training_follows_the_published_curve(cats):
    case, init = PUBLISHED["training"], legacy_init(1)
    layers = [mt.Input((64, 64, 3)), mt.Rescaling(1 / 255), mt.Flatten()]
    for units in case["layer_dims"][1:-1]:
        layers += [mt.Dense(units, kernel_initializer=init), mt.ReLU()]
    layers += [mt.Dense(1, kernel_initializer=init), mt.Sigmoid()]
    model = mt.Sequential(layers, dtype="float64")
    model.compile(mt.SGD(case["learning_rate"]), mt.BCELoss(), ["accuracy"])
    history = model.fit(cats.x_train, cats.y_train, epochs=case["iterations"], batch_size=None)
    np.testing.assert_allclose(history["loss"][::100], case["cost_every_100_iterations"], rtol=0, atol=1e-6)
    assert model.evaluate(cats.x_train, cats.y_train).accuracy == pytest.approx(case["train_accuracy"], abs=1e-12)
    wrong = (model.predict(cats.x_test).ravel() > 0.5) != cats.y_test
    assert wrong.sum() == case["test_misses"] == round(50 * (1 - case["test_accuracy"]))
