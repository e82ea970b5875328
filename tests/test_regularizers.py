"""Regularisers: their numbers, their gradients, and what fit makes of them."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import regularizers

ALL = [mt.L1(), mt.L2(), mt.L1L2(), mt.L1L2(0.3, 0.2), mt.L1(2.0), mt.L2(0.5)]


@pytest.mark.parametrize("regularizer", ALL, ids=repr)
def test_gradient_is_the_derivative(regularizer, rng):
    value = rng.normal(size=(4, 3))
    slopes = np.zeros_like(value)
    for place in np.ndindex(value.shape):
        step = np.zeros_like(value)
        step[place] = 1e-6
        slopes[place] = (regularizer(value + step) - regularizer(value - step)) / 2e-6
    np.testing.assert_allclose(regularizer.gradient(value), slopes, atol=1e-8)
    assert regularizer.gradient(value.astype(np.float32)).dtype == np.float32


def test_values_follow_their_formulas(rng):
    w = rng.normal(size=(4, 3))
    assert mt.L1(0.5)(w) == pytest.approx(0.5 * np.abs(w).sum())
    assert mt.L2(0.5)(w) == pytest.approx(0.5 * (w**2).sum())
    assert mt.L1L2(0.5, 2.0)(w) == pytest.approx(mt.L1(0.5)(w) + mt.L2(2.0)(w))


def test_names_are_those_of_keras():
    assert repr(regularizers.find("l1")) == "L1()"
    assert (regularizers.find("l2").l2, regularizers.find("l1_l2").l1) == (0.01, 0.0)
    with pytest.raises(ValueError, match=r"expected l1, l2, l1_l2, an object such as L2\(0.01\), or None, got 'l3'"):
        mt.Dense(2, kernel_regularizer="l3").initialize((3,))


def model(regularizer):
    layers = [mt.Input((4,)), mt.Dense(3, kernel_regularizer=regularizer), mt.Tanh(), mt.Dense(1)]
    return mt.Sequential(layers, rng=1, dtype="float64").compile(mt.SGD(0.1), mt.MSELoss())


def test_the_penalty_is_part_of_the_losses_that_are_reported(rng):
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    penalised, free = model(mt.L2(0.1)), model(None)
    penalty = 0.1 * (penalised.layers[1].kernel.value ** 2).sum()
    assert penalised.evaluate(x, y).loss == pytest.approx(free.evaluate(x, y).loss + penalty, rel=1e-12)
    first = penalised.fit(x, y, validation_data=(x, y), batch_size=None)
    assert first["loss"][0] == pytest.approx(free.evaluate(x, y).loss + penalty, rel=1e-12)
    assert first["val_loss"][0] == pytest.approx(penalised.evaluate(x, y).loss, rel=1e-12)


def test_with_sgd_l2_is_weight_decay_of_twice_its_penalty(rng):
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    by_penalty, by_decay = (mt.Sequential([mt.Input((4,)), mt.Dense(1, use_bias=False, kernel_regularizer=r)], rng=1,
                                        dtype="float64") for r in (mt.L2(0.05), None))  # fmt: skip
    by_penalty.compile(mt.SGD(0.1), mt.MSELoss()).fit(x, y, epochs=5)
    by_decay.compile(mt.SGD(0.1, weight_decay=0.1), mt.MSELoss()).fit(x, y, epochs=5)
    np.testing.assert_allclose(by_penalty.get_weights()[0], by_decay.get_weights()[0], rtol=1e-12)


def test_what_is_not_trainable_has_no_penalty(rng):
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    frozen = model(mt.L2(0.1))
    frozen.layers[1].kernel.trainable = False
    assert frozen.evaluate(x, y).loss == pytest.approx(model(None).evaluate(x, y).loss)


def test_l1_takes_useless_weights_near_0(rng):
    x = rng.normal(size=(200, 10))
    net = mt.Sequential([mt.Input((10,)), mt.Dense(1, kernel_regularizer=mt.L1(0.1))], rng=1)
    net.compile(mt.SGD(0.01), mt.MSELoss()).fit(x, x[:, :1], epochs=100)
    assert np.abs(net.get_weights()[0][1:]).max() < 0.02


@pytest.mark.filterwarnings("ignore:.*Keras has no Tanh")
def test_a_regularized_model_is_saved(tmp_path, rng):
    net = model(mt.L1L2(0.1, 0.2))
    net.save(tmp_path / "m.keras")
    again = mt.load_model(tmp_path / "m.keras")
    assert repr(again.layers[1]) == "Dense(units=3, kernel_regularizer=L1L2(l1=0.1, l2=0.2))"
    assert again.layers[1].kernel.regularizer.l2 == 0.2


KERNELS = {
    "kernel_regularizer": [mt.Dense, mt.Conv2D, mt.SimpleRNN, mt.LSTM, mt.GRU, mt.MultiHeadAttention],
    "recurrent_regularizer": [mt.SimpleRNN, mt.LSTM, mt.GRU],
    "depthwise_regularizer": [mt.DepthwiseConv2D],
    "embeddings_regularizer": [mt.Embedding],
}


@pytest.mark.parametrize(
    ("cls", "argument"), [(cls, argument) for argument, classes in KERNELS.items() for cls in classes]
)
def test_every_kernel_takes_a_penalty(cls, argument):
    example, shape = cls.examples()[0]
    layer = cls(**{**example.config(), argument: mt.L2(0.5)}).initialize(shape)
    penalised = [name for name, parameter in layer.parameters().items() if parameter.regularizer is not None]
    assert penalised
    assert all(name.endswith(("kernel", "embeddings")) for name in penalised)
    assert {repr(layer.parameters()[name].regularizer) for name in penalised} == {"L2(l2=0.5)"}
