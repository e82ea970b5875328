"""Settings: two graphs of one layer, with the true gradients and those of its backward."""

import numpy as np
import pytest
from test_layers import built, data, every_example

import minitorch_np as mt
from minitorch_np.checking.losses import LossLayer
from minitorch_np.checking.naming.setting import settings
from minitorch_np.tracing.trace import TraceError


class Scaled(mt.Layer):
    """y = x * scale, with a buffer, and without the part of dx."""

    def build(self, input_shape):
        self.scale = self.add_parameter(input_shape, "ones")
        self.buffer = np.zeros(input_shape)

    def forward(self, x):
        if np.iscomplexobj(x) or np.iscomplexobj(self.scale.value):
            return x * self.scale.value
        self.cache = x
        self.buffer[...] = x[0]
        return x * self.scale.value + 0 * self.buffer

    def backward(self, dy):
        self.scale.grad = (self.cache * dy).sum(0)
        return dy


@every_example
def test_every_layer_has_two_settings_in_which_its_gradients_are_true(example, shape, rng):
    pair = settings(built(example, shape), data(example, shape, rng))
    for setting in pair:
        for name, true in setting.true.items():
            scale = max(np.abs(gradient).max() for gradient in setting.true.values())
            np.testing.assert_allclose(setting.observed[name], true, rtol=1e-9, atol=1e-10 * scale)


def test_settings_have_other_batches_and_leave_layer_and_data_as_they_are(rng):
    layer, x = Scaled().initialize((4,), 3, np.float64), rng.normal(size=(5, 4))
    before = x.copy()
    first, second = settings(layer, x)
    assert (first.values["x"].shape, second.values["x"].shape) == ((5, 4), (3, 4))
    np.testing.assert_array_equal(first.observed["x"], first.dy)
    np.testing.assert_allclose(first.true["x"], first.dy * first.values["scale"])
    np.testing.assert_array_equal(x, before)
    assert not layer.buffer.any()
    assert type(layer.scale.value) is np.ndarray
    np.testing.assert_array_equal(first.kept["cache"], first.values["x"])


def test_a_forward_of_one_batch_size_gets_other_data(rng):
    class Fixed(Scaled):
        def forward(self, x):
            return super().forward(x if x.ndim == 2 and len(x) == 1 else x.reshape(5, 4))

    first, second = settings(Fixed().initialize((4,), 3, np.float64), rng.normal(size=(5, 4)))
    assert first.values["x"].shape == second.values["x"].shape
    assert not np.isclose(first.values["x"], second.values["x"]).any()


def test_the_target_of_a_loss_is_at_hand_and_has_as_many_examples(rng):
    target = rng.normal(size=(5, 3))
    pair = settings(LossLayer(mt.MSELoss(), target), rng.normal(size=(5, 3)))
    for setting, count in zip(pair, (5, 3), strict=True):
        np.testing.assert_array_equal(setting.kept["target"], target[:count])
        assert setting.dy == 1


def test_numbers_that_leave_the_trace_unseen_are_noticed(rng):
    class Hidden(Scaled):
        def forward(self, x):
            self.cache = x
            return x * np.array(x.tobytes() and np.frombuffer(x.tobytes()).reshape(x.shape).real)

    layer = Hidden().initialize((4,), 3, np.float64)
    with pytest.raises(TraceError, match="is not the slope of forward"):
        settings(layer, rng.normal(size=(5, 4)))


def test_of_many_examples_a_few_are_taken(rng):
    first, second = settings(mt.Dense(3).initialize((40,), 3, np.float64), rng.normal(size=(300, 40)))
    assert (len(first.values["x"]), len(second.values["x"])) == (50, 48)
