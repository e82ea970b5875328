"""Configurable: repr, config, clone and the registry, all from the constructor's signature."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.base.configurable import Configurable


def test_repr_shows_what_differs_from_the_defaults():
    assert repr(mt.Dense(20)) == "Dense(units=20)"
    assert repr(mt.SGD(0.1, momentum=0.9)) == "SGD(learning_rate=0.1, momentum=0.9)"
    assert (
        repr(mt.Sequential([mt.Input((3,)), mt.ReLU()], rng=1))
        == "Sequential(layers=[Input(shape=(3,)), ReLU()], rng=1)"
    )


def test_config_gives_every_argument_as_given():
    assert mt.Dense(3, use_bias=False).config() == {
        "units": 3, "use_bias": False, "kernel_initializer": "glorot_uniform", "bias_initializer": "zeros",
        "kernel_regularizer": None, "bias_regularizer": None, "kernel_constraint": None, "bias_constraint": None,
    }  # fmt: skip


def test_an_argument_that_is_not_stored_is_named():
    class Forgetful(mt.Layer):
        def __init__(self, width):
            pass

    with pytest.raises(RuntimeError, match=r"takes 'width' but does not store it\. Write self\.width = width"):
        Forgetful(3).config()


def test_collected_arguments_are_refused():
    class Collector(mt.Layer):
        def __init__(self, **options):
            self.options = options

    with pytest.raises(TypeError, match="name every argument"):
        repr(Collector())


def test_clone_has_the_arguments_and_none_of_the_state(rng):
    layer = mt.Dense(3)
    layer(rng.normal(size=(2, 4)))
    assert not layer.clone().built
    model = mt.Sequential([mt.Input((3,)), mt.Dense(2)], rng=4)
    assert model.clone().layers[1] is not model.layers[1]


def test_a_users_class_never_hides_a_built_in_one():
    class Dense(mt.Layer):
        pass

    assert Configurable.registry["Dense"] is mt.Dense
    assert Dense in Configurable.registry.values()


def test_a_class_defined_again_replaces_the_earlier_one():
    def define():
        class Cell(mt.Layer):
            pass

        return Cell

    define()
    second = define()
    assert Configurable.registry["Cell"] is second


def test_a_layer_may_forget_super_init(rng):
    class Scale(mt.Layer):
        def __init__(self, factor):
            self.factor = factor

        def forward(self, x):
            return x * self.factor

        def backward(self, dy):
            return dy * self.factor

    layer = Scale(3.0)
    x = rng.normal(size=(2, 4))
    np.testing.assert_array_equal(layer(x), 3 * x)
    np.testing.assert_array_equal(layer.backward(x), 3 * x)


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_a_missing_method_is_reported(method):
    class Empty(mt.Layer):
        pass

    with pytest.raises(NotImplementedError, match=f"Empty\\(\\) has no {method}: write {method}"):
        getattr(Empty(), method)(np.zeros((1, 2)))


@pytest.mark.parametrize("name", ["forward", "backward", "build", "config"])
def test_an_argument_named_like_a_method_is_not_taken_for_the_method(name):
    source = f"def __init__(self, {name}): super(type(self), self).__init__(); self.kept = {name}"
    inner: dict = {}
    exec(source, inner)
    layer = type("Named", (mt.Layer,), {"__init__": inner["__init__"], "forward": lambda self, x: x})(3)
    assert repr(layer) == "Named()"
    with pytest.raises(RuntimeError, match=f"takes '{name}' but does not store it"):
        mt.Layer.config(layer)
