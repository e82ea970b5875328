"""Node: finding sublayers and parameters, their names, and modes."""

import re

import numpy as np
import pytest

import minitorch_np as mt


class Block(mt.Layer):
    def __init__(self):
        self.first = mt.Dense(3)
        self.rest = [mt.Dense(2), mt.ReLU(), mt.Dense(2)]
        self.named = {"gate": mt.Dense(2)}

    def build(self, input_shape):
        self.shift = self.add_parameter((2,), "zeros")
        self.mean = self.add_parameter((2,), "zeros", trainable=False)

    def forward(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return self.named["gate"](x) + self.shift.value

    def backward(self, dy):
        self.shift.grad = dy.sum(axis=0)
        dy = self.named["gate"].backward(dy)
        for layer in reversed(self.rest):
            dy = layer.backward(dy)
        return self.first.backward(dy)


def test_names_come_from_the_place():
    block = Block().initialize((4,), 0)
    assert list(block.parameters()) == [
        "shift", "mean",
        "first.kernel", "first.bias",
        "rest.dense_1.kernel", "rest.dense_1.bias",
        "rest.dense_2.kernel", "rest.dense_2.bias",
        "named.gate.kernel", "named.gate.bias",
    ]  # fmt: skip


def test_sequential_adds_no_name_of_its_own():
    model = mt.Sequential([mt.Input((4,)), mt.Dense(3), mt.ReLU(), mt.Sequential([mt.Dense(2)])])
    assert list(model.parameters()) == [
        "dense_1.kernel", "dense_1.bias", "sequential_1.dense_1.kernel", "sequential_1.dense_1.bias"
    ]  # fmt: skip


def test_parameters_of_a_list_are_found(rng):
    class Powers(mt.Layer):
        def build(self, input_shape):
            self.factors = [self.add_parameter((1,), "ones") for _ in range(2)]

        def forward(self, x):
            return x * self.factors[0].value + x * x * self.factors[1].value

    assert list(Powers().initialize((3,)).parameters()) == ["factors.parameter_1", "factors.parameter_2"]


def test_modes_go_through_the_tree_and_come_back():
    block = Block().initialize((4,), 0)
    block.rest[0].training = False
    with block.in_mode(training=True, keep_cache=False):
        assert all(node.training and not node.keep_cache for _, node in block.walk())
    assert not block.rest[0].training
    assert block.rest[2].training
    assert not any(node.training for _, node in block.eval().walk())
    assert all(node.training for _, node in block.train().walk())


def test_the_same_layer_twice_is_refused_with_the_reason():
    layer = mt.Dense(3)
    with pytest.raises(
        ValueError, match=r"twice\. A layer remembers one forward for its backward: make a second instance"
    ):
        mt.Sequential([mt.Input((3,)), layer, mt.ReLU(), layer])
    with pytest.raises(ValueError, match="make a second instance"):
        mt.Sequential([layer, mt.Sequential([layer])])


def test_generators_of_layers_do_not_move_each_other():
    class Noise(mt.Layer):
        def forward(self, x):
            return x + self.generator.normal(size=x.shape)

    def second_output(extra_draws):
        model = mt.Sequential([Noise(), Noise()], rng=5, dtype="float64").initialize((2,))
        model(np.zeros((1, 2)))
        for _ in range(extra_draws):
            model.layers[0](np.zeros((1, 2)))
        return model.layers[1](np.zeros((1, 2)))

    np.testing.assert_array_equal(second_output(0), second_output(3))


def test_lists_inside_lists_are_named_by_their_position():
    class Grid(mt.Layer):
        def __init__(self):
            self.rows = [[mt.Dense(2), mt.Dense(2)], mt.Dense(2), ([mt.ReLU()],)]

    assert list(Grid().sublayers()) == ["rows.1.dense_1", "rows.1.dense_2", "rows.dense_1", "rows.3.1.relu_1"]


def test_a_layer_is_not_initialised_twice():
    layer = mt.Dense(3).initialize((4,), 0)
    with pytest.raises(RuntimeError, match=r"Dense\(3\)|Dense\(units=3\)"):
        layer.initialize((4,), 99, np.float64)
    assert layer.kernel.value.dtype == np.float32


class Scale(mt.Layer):
    """A user-defined layer with one weight for each feature."""

    def build(self, input_shape):
        self.scale = self.add_parameter(input_shape, "ones")

    def forward(self, x):
        self.cache = x
        return x * self.scale.value

    def backward(self, dy):
        self.scale.grad = (dy * self.cache).sum(axis=0)
        return dy * self.scale.value


@pytest.mark.parametrize(
    ("layer", "shape", "other"),
    [
        (mt.Dense(3), (4,), (5,)),
        (mt.Conv2D(2, 3), (8, 8, 3), (8, 8, 1)),
        (mt.DepthwiseConv2D(3), (8, 8, 3), (8, 8, 1)),
        (mt.LSTM(3), (5, 2), (5, 4)),
        (mt.Bidirectional(mt.GRU(3)), (5, 2), (5, 4)),
        (mt.BatchNormalization(), (4,), (5,)),
        (mt.BatchNormalization(axis=1), (4, 2), (5, 2)),
        (mt.LayerNormalization(), (4,), (5,)),
        (mt.Normalization(), (4,), (5,)),
        (mt.PositionalEmbedding(6), (5, 2), (5, 4)),
        (mt.MultiHeadAttention(2, 3), (5, 2), (5, 4)),
        (mt.Residual([mt.Dense(4)]), (4,), (5,)),
        (mt.Add([mt.Dense(4), mt.Dense(4)]), (4,), (5,)),
        (mt.Sequential([mt.Dense(3), mt.ReLU()]), (4,), (5,)),
        (Scale(), (4,), (5,)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, mt.Layer) else None,
)
def test_a_layer_that_is_built_for_another_shape_is_refused_in_a_new_model(layer, shape, other):
    layer = layer.clone()
    y = layer(np.zeros((2, *shape), np.float32))
    values = {name: parameter.value.copy() for name, parameter in layer.parameters().items()}
    again = mt.Sequential([mt.Input(shape), layer])
    again.parameters()
    assert again.predict(np.zeros((2, *shape))).shape == y.shape
    sizes = rf"{re.escape(str(shape)[1:-1].rstrip(','))}.*{re.escape(str(other)[1:-1].rstrip(','))}"
    with pytest.raises(ValueError, match=sizes):
        mt.Sequential([mt.Input(other), layer]).parameters()
    for name, parameter in layer.parameters().items():
        np.testing.assert_array_equal(parameter.value, values[name])


@pytest.mark.parametrize(
    ("layer", "shape", "other"),
    [
        (mt.Dense(3), (5, 4), (7, 4)),
        (mt.Conv2D(2, 3), (8, 8, 3), (9, 7, 3)),
        (mt.LSTM(3, return_sequences=True), (5, 2), (6, 2)),
        (mt.BatchNormalization(), (8, 8, 3), (4, 3)),
        (mt.Embedding(5, 2), (3,), (4,)),
        (mt.ReLU(), (3,), (4, 5)),
        (mt.Sequential([mt.Dense(3)]), (5, 4), (7, 4)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, mt.Layer) else None,
)
def test_a_layer_whose_parameters_fit_serves_in_a_model_of_another_shape(layer, shape, other):
    layer(np.zeros((2, *shape), np.float32))
    model = mt.Sequential([mt.Input(other), layer, mt.Flatten(), mt.Dense(2)])
    assert model.predict(np.zeros((2, *other))).shape == (2, 2)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (mt.Softmax(axis=-2), (3, 4)),
        (mt.LogSoftmax(axis=-2), (3, 4)),
        (mt.Concatenate([[], []], axis=-2), (3, 4)),
        (mt.BatchNormalization(axis=-2), (5, 4)),
        (mt.LayerNormalization(axis=-2), (5, 4)),
        (mt.Normalization(axis=-2), (5, 4)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, mt.Layer) else None,
)
def test_a_negative_axis_never_means_the_batch(layer, shape):
    layer(np.zeros((2, *shape), np.float32))
    with pytest.raises(ValueError, match=type(layer).__name__):
        layer(np.zeros((5, 4), np.float32))
