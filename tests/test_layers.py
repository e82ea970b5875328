"""Every layer of the package, on every example it declares, has every property of the contract."""

import re

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.configurable import Configurable, is_built_in

LAYERS = [
    cls
    for cls in Configurable.registry.values()
    if issubclass(cls, mt.Layer)
    and is_built_in(cls)
    and cls not in (mt.Layer, mt.Model)
    and not cls.__name__.startswith("_")  # bases
    and ".checking." not in cls.__module__  # the checker's own wrappers
]
EXAMPLES = [pytest.param(layer, shape, id=f"{layer!r} on {shape}") for cls in LAYERS for layer, shape in cls.examples()]
every_example = pytest.mark.parametrize(("example", "shape"), EXAMPLES)


def built(example, shape, dtype=np.float64, seed=3):
    """A clone of the example with biases that are not 0, so that a wrong one shows."""
    layer = example.clone().initialize(shape, seed, dtype)
    rng = np.random.default_rng(4)
    for parameter in layer.parameters().values():
        parameter.value += 0.1 * rng.normal(size=parameter.shape).astype(dtype)
    return layer


def data(layer, shape, rng, batch=5, dtype=np.float64):
    x = layer.example_input((batch, *shape), rng)
    return x.astype(dtype) if x.dtype.kind == "f" else x


def inference(layer):
    """Inference mode with backward: here every example is by itself, and nothing is random."""
    return layer.in_mode(training=False, keep_cache=True)


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.__name__)
def test_every_layer_declares_an_example(cls):
    assert cls.examples(), (
        f"{cls.__name__} is not tested: give it\n    @classmethod\n    def examples(cls):\n"
        "        return [(cls(), (5,))]"
    )


@every_example
def test_gradients_are_right(example, shape, rng):
    layer = built(example, shape)
    report = mt.gradcheck(layer, data(layer, shape, rng), strict_dtype=True)  # raises if one is wrong
    # x and each parameter alone may be complex: an array inside that is made for the dtype of x would refuse them.
    assert report.method.startswith("complex step")


@every_example
def test_output_shape_is_known_without_data(example, shape, rng):
    fresh = example.clone()
    foretold = fresh.compute_output_shape(shape)
    assert not fresh.built
    for batch in (1, 7):
        assert built(example, shape)(data(example, shape, rng, batch)).shape == (batch, *foretold)


@every_example
def test_config_describes_the_layer_completely(example, shape):
    copy = type(example)(**example.config())
    assert repr(copy) == repr(example)
    assert repr(example.clone()) == repr(example)


@every_example
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(example, shape, rng, dtype):
    layer = built(example, shape, dtype)
    x = data(layer, shape, rng, dtype=dtype)
    y = layer.forward(x)
    dx = layer.backward(rng.normal(size=y.shape).astype(dtype))
    assert y.dtype == dtype
    assert dx.dtype == dtype if x.dtype.kind == "f" else dx is None
    for name, parameter in layer.parameters().items():
        assert parameter.value.dtype == dtype, name
        if not parameter.trainable:
            continue
        assert parameter.grad.dtype == dtype, name
        assert parameter.grad.shape == parameter.shape, name


@every_example
def test_numpy_numbers_do_not_widen_float32(example, shape, rng):
    settings = {k: np.float64(v) if isinstance(v, float) else v for k, v in example.clone().config().items()}
    layer = built(type(example)(**settings), shape, np.float32)
    x = data(layer, shape, rng, dtype=np.float32)
    y = layer.forward(x)
    dx = layer.backward(rng.normal(size=y.shape).astype(np.float32))
    arrays = [y, dx, *(parameter.grad for parameter in layer.parameters().values())]
    assert {array.dtype for array in arrays if array is not None} == {np.dtype(np.float32)}


@every_example
def test_nothing_handed_in_or_out_is_changed(example, shape, rng):
    layer, x = built(example, shape), data(example, shape, rng)
    x.flags.writeable = False
    y = layer.forward(x)
    dy = rng.normal(size=y.shape)
    dy.flags.writeable = False
    y_before = y.copy()
    dx = layer.backward(dy)
    dx_before = np.copy(dx)
    layer.backward(layer.forward(data(layer, shape, rng)))
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(dx, dx_before)


@every_example
def test_same_seed_same_bits(example, shape, rng):
    x = data(example, shape, rng)
    first, second = (example.clone().initialize(shape, 11, np.float64) for _ in range(2))
    np.testing.assert_array_equal(first(x), second(x))


@every_example
def test_backward_overwrites_and_repeats(example, shape, rng):
    layer = built(example, shape)
    dy = rng.normal(size=layer.forward(data(layer, shape, rng)).shape)
    trainable = [parameter for parameter in layer.parameters().values() if parameter.trainable]
    for parameter in trainable:
        parameter.grad = np.full(parameter.shape, np.nan)
    first = layer.backward(dy)
    grads = [parameter.grad.copy() for parameter in trainable]
    np.testing.assert_array_equal(layer.backward(dy), first)
    for parameter, grad in zip(trainable, grads, strict=True):
        np.testing.assert_array_equal(parameter.grad, grad)
        assert np.isfinite(grad).all()


@every_example
def test_backward_sums_over_the_batch(example, shape, rng):
    layer, x = built(example, shape), data(example, shape, rng)
    with inference(layer):
        dy = rng.normal(size=layer.forward(x).shape)
        trainable = {name: parameter for name, parameter in layer.parameters().items() if parameter.trainable}
        layer.backward(dy)
        whole = {name: parameter.grad.copy() for name, parameter in trainable.items()}
        parts = dict.fromkeys(whole, 0.0)
        for row in range(len(x)):
            layer.forward(x[row : row + 1])
            layer.backward(dy[row : row + 1])
            for name, parameter in trainable.items():
                parts[name] = parts[name] + parameter.grad
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12, atol=1e-12)


@every_example
def test_inference_keeps_nothing(example, shape, rng):
    layer, x = built(example, shape), data(example, shape, rng)
    with inference(layer):
        y = layer.forward(x)
    with layer.in_mode(training=False, keep_cache=False):
        np.testing.assert_allclose(layer.forward(x), y)
    assert all("_cache" not in vars(node) for _, node in layer.walk())


@every_example
def test_weights_survive_a_file(example, shape, rng, tmp_path):
    x = data(example, shape, rng)
    first, second = (mt.Sequential([example.clone()], seed, "float64").initialize(shape) for seed in (1, 2))
    first.save_weights(tmp_path / "layer.weights.h5")
    second.load_weights(tmp_path / "layer.weights.h5")
    np.testing.assert_array_equal(first.predict(x), second.predict(x))


@every_example
def test_whole_numbers_count_as_the_layers_dtype(example, shape, rng):
    layer = built(example, shape, np.float32)
    whole = rng.integers(0, 2, (4, *shape))
    with inference(layer):
        y = layer(whole)
        np.testing.assert_array_equal(y, layer(whole.astype(np.float32)))
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: mt.Conv2D(2, 3), (8, 8, 1)),
        (lambda: mt.MaxPooling2D(2), (8, 8, 1)),
        (lambda: mt.LSTM(3), (5, 3)),
        (lambda: mt.MultiHeadAttention(2, 4), (5, 8)),
        (lambda: mt.Sequential([mt.Conv2D(2, 3), mt.Flatten(), mt.Dense(2)]), (8, 8, 1)),
    ],
)
@pytest.mark.parametrize("batch", [None, 32])
def test_the_batch_in_a_shape_is_answered_with_the_shape_without_it(make, shape, batch):
    message = rf"[Ll]eave the batch out: {re.escape(str(shape))}, as in layer\.initialize\({re.escape(str(shape))}\)\.$"
    with pytest.raises(ValueError, match=message) as caught:
        make().initialize((batch, *shape))
    assert ("If you wrote" in str(caught.value)) == (batch is not None)
    with pytest.raises(ValueError, match=message):
        mt.Sequential([mt.Input((batch, *shape)), make()])
    assert make().initialize(shape)(np.zeros((2, *shape))).shape[0] == 2


def test_a_layer_that_was_built_by_hand_tells_how_to_build_it():
    layer = mt.Dense(3)
    layer.build((None, 4))
    with pytest.raises(ValueError, match=r"Build it first with layer\.initialize\(input_shape\), without the batch"):
        layer(np.zeros((2, 4)))
    assert mt.Dense(3).initialize((4,))(np.zeros((2, 4))).shape == (2, 3)
