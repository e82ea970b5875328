"""A backward seen as a matrix: each of its numbers is followed from where it belongs to where it was put."""

from collections.abc import Callable

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.checking.naming.places import name_places
from minitorch_np.checking.naming.setting import settings


class Written(mt.Layer):
    """Forward and backward as functions (layer, array) -> array; a kernel of the shape that is given."""

    def __init__(self, forward_function, backward_function, kernel_shape=None):
        super().__init__()
        self.forward_function, self.backward_function = forward_function, backward_function
        self.kernel_shape = kernel_shape

    def build(self, input_shape):
        if self.kernel_shape:
            self.kernel = self.add_parameter(self.kernel_shape, "glorot_uniform")

    def forward(self, x):
        self.x = x
        self.y = self.forward_function(self, x)
        return self.y

    def backward(self, dy):
        return self.backward_function(self, dy)


def said(layer: mt.Layer, x: np.ndarray, failed: tuple[str, ...] = ("x",)) -> str:
    layer(x)
    return "\n".join(map(str, name_places(settings(layer, x), list(failed))))


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape)


def windows(layer, x):
    """Correlation along axis 1 with a stride of 2; x is (batch, time)."""
    kernel, count = layer.kernel.value, (x.shape[1] - 3) // 2 + 1
    return sum(kernel[tap] * x[:, tap : tap + 2 * count : 2][:, :count] for tap in range(3))


def windows_backward(step=2, taps=(0, 1, 2), flip=False, last=None) -> Callable:
    def backward(layer, dy):
        kernel, dx = layer.kernel.value[::-1] if flip else layer.kernel.value, np.zeros_like(layer.x)
        layer.kernel.grad = np.array(
            [(layer.x[:, t : t + 2 * dy.shape[1] : 2][:, : dy.shape[1]] * dy).sum() for t in range(3)]
        )
        for place in range(dy.shape[1]):
            if last is None or place == dy.shape[1] - 1:
                for tap in taps:
                    dx[:, step * place + tap] += kernel[tap] * dy[:, place]
        return dx

    return backward


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        (
            {"step": 1},
            "at i instead of 2 * i for output i (the stride is forgotten), along axis 1 of x",
        ),
        ({"step": 0}, "(always the first window)"),
        ({"taps": (0, 1)}, "place 2 of 0 to 2 is left out"),
        ({"flip": True}, "in reverse order within its window along axis 1 of x"),
        ({"last": True}, "only dy at the last place of dy's axis 1 is sent back"),
    ],
)
def test_numbers_of_a_window_are_followed(bug, words):
    assert words in said(Written(windows, windows_backward(**bug), (3,)), normal(4, 9))


def test_right_windows_are_not_accused():
    layer = Written(windows, windows_backward(), (3,))
    assert said(layer, normal(4, 9), ("x", "kernel")) == ""


def test_numbers_are_followed_behind_an_activation():
    right = windows_backward(step=1)
    layer = Written(lambda s, x: np.tanh(windows(s, x)), lambda s, dy: right(s, dy * (1 - s.y**2)), (3,))
    assert "at i instead of 2 * i for output i (the stride is forgotten)" in said(layer, normal(4, 9))


def doubled_and_overwritten(layer, dy):
    dx = np.zeros_like(layer.x)
    for place in range(dy.shape[1]):
        dx[:, place : place + 3] = dy[:, place, None] * layer.kernel.value
    return dx


def overlapping(layer, x):
    return np.stack([x[:, place : place + 3] @ layer.kernel.value for place in range(x.shape[1] - 2)], 1)


def test_the_last_writer_of_overlapping_windows_is_named():
    words = said(Written(overlapping, doubled_and_overwritten, (3,)), normal(4, 8))
    assert "gets only the last of their gradients: they must be added" in words


ORDER = np.array([2, 0, 3, 1, 4])


def swapped(layer, dy):
    return dy.swapaxes(1, 2) * 2


@pytest.mark.parametrize(
    ("forward", "backward", "shape", "words"),
    [
        (lambda s, x: x[:, ORDER], lambda s, dy: dy[:, ORDER], (4, 5), "by the inverse of forward's index"),
        (lambda s, x: 2 * x, lambda s, dy: 2 * dy[:, ::-1], (4, 5), "in reverse order along axis 1"),
        (
            lambda s, x: 2 * x,
            lambda s, dy: 2 * np.roll(dy, 1, 1),
            (4, 5),
            "1 place too late along axis 1 of x, around the end",
        ),
        (lambda s, x: 2 * x, swapped, (4, 5, 5), "with axes 1 and 2 of x exchanged"),
        (lambda s, x: x.max(1), lambda s, dy: np.outer(dy, np.eye(5)[0]), (6, 5), "always at 0 along axis 1"),
        (
            lambda s, x: x.sum(1),
            lambda s, dy: np.full(s.x.shape, dy.sum()),
            (6, 5),
            "it is summed over axis 0 of x too, and is that one number everywhere along it",
        ),
        (
            lambda s, x: 2 * x,
            lambda s, dy: 2 * dy * (np.arange(5) < 4),
            (4, 5),
            "what comes from dy at the last place of dy's axis 1 is missing",
        ),
    ],
)
def test_elements_are_followed(forward, backward, shape, words):
    assert words in said(Written(forward, backward), normal(*shape))


def test_a_parameter_that_is_not_transposed_is_named():
    layer = Written(lambda s, x: x @ s.kernel.value, lambda s, dy: dy @ s.kernel.value, (4, 4))
    assert "kernel is read at the wrong places: with axes 0 and 1 of kernel exchanged" in said(layer, normal(5, 4))


def leaky(layer, x):
    return np.where(x > 0, x, 0.1 * x)


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (
            lambda s, dy: np.where(s.x > 0, 1.0, 0.1),
            "the incoming gradient is not used: it is what dy = 1 gives",
        ),
        (lambda s, dy: np.where(s.x > 0, dy, 0.1), "the incoming gradient is not used where x < 0"),
        (lambda s, dy: dy * np.where(s.x > 0, 1, 0.2), "the derivative where x < 0 is 0.2 instead of 0.1"),
        (
            lambda s, dy: dy * np.where(s.x > 0, s.x, s.y + 3),
            "the derivative is x where x > 0 and 3 + 0.1 * x where x < 0",
        ),
        (lambda s, dy: dy * np.where(s.x > 0, 1, 0), "is 0"),
    ],
)
def test_the_derivative_of_an_elementwise_layer_is_told_piece_by_piece(backward, words):
    assert words in said(Written(leaky, backward), normal(6, 5))


def exponential(layer, x):
    return np.where(x > 0, 2 * x, 2 * (np.exp(np.minimum(x, 0)) - 1))


def test_a_formula_of_y_is_told_beside_the_one_that_is_due():
    words = said(Written(exponential, lambda s, dy: dy * np.where(s.x > 0, 2, s.y + 1)), normal(6, 5))
    assert "the derivative where x < 0 is 1 + y instead of 2 * exp(x) (y: the output)" in words


@pytest.mark.parametrize(
    "backward",
    [
        lambda s, dy: dy * np.where(s.x > 0, 1, 0.1),
        lambda s, dy: np.random.default_rng(0).normal(size=dy.shape),
        lambda s, dy: dy * (1 + 0.1 * np.random.default_rng(0).normal(size=dy.shape)),
        lambda s, dy: dy * np.sin(37 * s.x**2),
        lambda s, dy: np.clip(dy, -0.5, 0.5),
        lambda s, dy: dy @ np.random.default_rng(0).normal(size=(5, 5)),
    ],
)
def test_nothing_is_said_of_right_numbers_and_of_noise(backward):
    assert said(Written(leaky, backward), normal(6, 5)) == ""


def test_a_backward_that_fails_for_other_upstream_gradients_is_let_be():
    def backward(layer, dy):
        if not dy.any():
            raise ZeroDivisionError
        return 2 * dy

    assert said(Written(lambda s, x: x, backward), normal(4, 5)) == ""


def test_gradcheck_tells_the_places_that_the_graph_does_not_explain():
    layer = Written(exponential, lambda s, dy: dy * np.where(s.x > 0, 2, s.y + 1))
    report = mt.gradcheck(layer, normal(6, 5), rng=1, raise_exception=False)
    assert "the derivative where x < 0 is 1 + y instead of 2 * exp(x)" in str(report.diagnoses[0])
