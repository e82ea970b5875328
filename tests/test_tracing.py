"""Tracing: a forward runs once more on traced arrays, and the true backward follows from its graph."""

import math
import sys
import threading
from math import tanh

import numpy as np
import pytest
from numpy import zeros
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from test_layers import built, data, every_example

from minitorch_np.checking.subject import Subject
from minitorch_np.tracing.source import Place
from minitorch_np.tracing.trace import TraceError, trace


def error_of_gradients(forward, values, rng):
    """The largest error of the traced gradients along random directions, relative to all; the traced y must be y."""
    y = np.array(forward(values))
    graph = trace(forward, values)
    np.testing.assert_allclose(graph.output.value, y, rtol=1e-12)
    dy = rng.normal(size=y.shape)
    gradients = graph.gradients(dy)
    scale = sum(np.abs(gradient).sum() for gradient in gradients.values())
    errors = []
    for name, value in values.items():
        direction = rng.normal(size=value.shape)
        with_step = forward({n: v + 1e-60j * direction if n == name else v + 0j for n, v in values.items()})
        slope = (np.imag(with_step) * dy).sum() / 1e-60
        errors.append(abs(slope - (gradients[name] * direction).sum()) / scale)
    return max(errors)


@every_example
def test_the_traced_gradient_of_every_layer_is_the_complex_step(example, shape, rng):
    layer = built(example, shape)
    subject = Subject(layer, data(layer, shape, rng))
    values = {name: value.copy() for name, value in subject.values().items()}
    if not values:
        pytest.skip("no floats go in")
    assert error_of_gradients(subject.forward, values, rng) < 1e-12


def same_kind(x):
    return zeros(x.shape, x.dtype)


def in_place(x, w):
    y = x.copy()
    y[y.real < 0] = 0
    y += w
    y *= x
    y /= 3
    y[:, 1:] -= y[:, :-1]
    return y


def written_through_views(x, w):
    y = same_kind(np.concatenate([x, x], 1))
    inner = y[:, 1:7]
    inner[...] = x
    inner *= 2
    inner[1] += w
    y[:, -1] = x[:, 0]
    y[0] = y[1]
    return y


def masked(x, w):
    y = np.zeros_like(x)
    mask = x.real > 0
    y[mask] = np.log1p(x[mask])
    y[~mask] = np.expm1(x[~mask])
    return y * w


def into_out(x, w):
    y = np.empty_like(x)
    np.multiply(x, w, out=y)
    np.exp(y, out=y)
    np.add(y, 1, where=x.real > 0, out=y)
    return y


def added_at(x, w):
    y = np.zeros((len(x), 3), x.dtype)
    np.add.at(y, (slice(None), np.array([0, 1, 2, 0, 1, 0])), x * w)
    return y


def recurrent(x, w):
    h, states = np.zeros((len(x), 6), x.dtype), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t : t + 1] * w + h)
        states.append(h)
    return np.array(states).transpose(1, 0, 2)


def element_by_element(x, w):
    y = same_kind(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] ** 2 * w[j]
    return y


def windows(x, w):
    a, b = x.strides
    strided = as_strided(x[1:], (3, 4, 3), (a, b, b))
    return np.einsum("...k,k->...", sliding_window_view(x, 3, axis=1), w[:3]).sum() + strided @ w[3:]


def strided_before_it_is_filled(x, w):
    rows = np.zeros((4, 8), x.dtype)
    a, b = rows.strides
    pieces = as_strided(rows, (4, 6, 3), (a, b, b))
    rows[:, 1:7] = x
    return pieces @ w[:3] * w


def products(x, w):
    batch = np.tensordot(x.reshape(4, 3, 2), w.reshape(3, 2), axes=([1, 2], [0, 1]))
    return np.dot(x, w) + np.inner(x, w) + np.outer(batch, w).sum(1) + np.einsum("bi,bj->b", x, x)


def moved(x, w):
    first, second, third = np.split(x, 3, axis=1)
    joined = np.concatenate([np.hstack([first, second * third]), np.vstack([first, second])[:4]], axis=1)
    padded = np.pad(joined, ((0, 0), (1, 1)), constant_values=2.0)
    return padded[:, ::-1] + np.roll(padded, 1, 1) + np.tile(w[:4].repeat(2), 1) + np.take(w, [0, 1, 1, 2, 5, 5, 0, 3])


def unpacked(x, w):
    a, b, c, d = x
    return a * b + np.stack([c, d]).prod(0) * w


def statistics(x, w):
    return (x - x.mean(0)) / np.sqrt(((x - x.mean(0)) ** 2).mean(0) + 1e-3) * w + np.cumsum(x, 1) * np.cumprod(x, 0)


def inverse(x, w):
    return x @ np.linalg.inv(x.T @ x + 5 * np.eye(6)) * w


def chosen(x, w):
    order = np.argsort(x.real, 1)
    return (
        np.where(x.real > 0, x, w * x)
        + np.take_along_axis(x, order, 1) * np.arange(6)
        + x[np.arange(4), order[:, 0]][:, None]
    )


ANALYTIC = [
    in_place,
    written_through_views,
    masked,
    into_out,
    added_at,
    recurrent,
    element_by_element,
    windows,
    strided_before_it_is_filled,
    products,
    moved,
]
ANALYTIC += [unpacked, statistics, inverse, chosen]


@pytest.mark.parametrize("forward", ANALYTIC, ids=lambda forward: forward.__name__)
def test_idioms_of_numpy_are_followed(forward, rng):
    values = {"x": rng.normal(size=(4, 6)), "w": rng.normal(size=6)}
    assert error_of_gradients(lambda arrays: forward(arrays["x"], arrays["w"]), values, rng) < 1e-12


def in_place_product(x):
    y = x.copy()
    y @= np.ones((6, 6))
    return np.kron(y * x, [[1.0, 2.0]])


NOT_ANALYTIC = {
    "float()": lambda x: x * float(np.mean(x)) / float("2"),
    "math": lambda x: np.array([[tanh(v) + math.exp(v) for v in row] for row in x]),
    "norms": lambda x: x / np.linalg.norm(x, 2, -1, True) + np.linalg.norm(x) + np.linalg.norm(x, 1, axis=0),
    "var and std": lambda x: np.var(x, axis=0, ddof=1) + x.std(1).sum(),
    "clip": lambda x: np.clip(x, -0.5, None) + x.clip(max=0.3) + np.minimum(x, 0.1) + abs(x),
    "pad with inf": lambda x: np.maximum.reduce(np.pad(x, 1, constant_values=-np.inf)[1:-1], axis=1),
    "median": lambda x: x - np.median(x, 1, keepdims=True) + np.median(x),
    "sort": lambda x: np.sort(x, 1) * np.arange(6),
    "broadcast, block, trace": lambda x: (
        np.block([[x, 2 * x], [x * x, x]])[:4, :6] * np.broadcast_arrays(x, x[:1])[1] + np.trace(x)
    ),
    "in-place matmul": in_place_product,
    "fromiter": lambda x: np.fromiter((v * v for v in x[0]), float) * np.nan_to_num(x) * round(1.5 + 0 * x[0, 0]),
    "accumulate": lambda x: np.logaddexp(0, np.abs(x)) + np.hypot(x, 2.0) + np.power(np.abs(x) + 0.1, x),
    "sum of a list": lambda x: np.sum([row * row for row in x], axis=0) + np.mean([row.sum() for row in x]),
    "a generator": lambda x: sum(row * row for row in x) * next(one for one in (x[0, 0], x[1, 1])),
    "convolve": lambda x: np.array([np.convolve(row, [1.0, 2.0, 0.5], "same") for row in x]),
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_idioms_that_a_complex_step_does_not_follow_agree_with_differences(name, rng):
    forward, x = NOT_ANALYTIC[name], rng.normal(size=(4, 6))
    graph = trace(lambda arrays: forward(arrays["x"]), {"x": x})
    np.testing.assert_allclose(graph.output.value, forward(x), rtol=1e-12)
    dy, direction = rng.normal(size=graph.output.value.shape), rng.normal(size=x.shape)
    slope = (forward(x + 1e-6 * direction) - forward(x - 1e-6 * direction)) / 2e-6
    assert (graph.gradients(dy)["x"] * direction).sum() == pytest.approx((slope * dy).sum(), rel=1e-6)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: np.fft.fft(x).real,
        lambda x: np.array([f"{v}" for v in x[0]]).astype(float),
        lambda x: np.linalg.norm(x, "nuc"),
        lambda x: np.add.reduceat(x, [0, 2]),
        lambda x: np.exp(x, out=np.array([[0.0] * 6] * 4)),
        lambda x: x.no_such_method(),
        lambda x: np.meshgrid(x[0], x[1])[0],  # assigns to shape
        lambda x: 3.0,
    ],
)
def test_what_is_not_traced_raises(forward, rng):
    with pytest.raises(TraceError):
        trace(lambda arrays: forward(arrays["x"]), {"x": rng.normal(size=(4, 6))})


def test_a_buffer_that_a_generator_fills_is_read_when_it_is_used(rng):
    def forward(arrays):
        noise = np.empty(6)
        np.random.default_rng(3).standard_normal(out=noise)
        return arrays["x"] * noise

    graph = trace(forward, {"x": rng.normal(size=(4, 6))})
    np.testing.assert_array_equal(graph.nodes[-1].operands[1].value, np.random.default_rng(3).standard_normal(6))


def test_elements_that_were_overwritten_get_no_gradient_and_the_forward_keeps_its_argument(rng):
    x = rng.normal(size=(4, 6))

    def forward(arrays):
        arrays["x"][:, 2] = 1.0
        return arrays["x"] * 2

    before = x.copy()
    gradient = trace(forward, {"x": x}).gradients(np.ones((4, 6)))["x"]
    np.testing.assert_array_equal(x, before)
    assert not gradient[:, 2].any()
    assert (gradient[:, [0, 1, 3, 4, 5]] == 2).all()


def test_a_site_is_the_same_when_the_code_is_warm_and_its_visits_count_the_iterations(rng):
    def step(h, x):
        return np.tanh(h + x)

    def forward(arrays):
        h = arrays["x"][:, 0]
        for t in range(1, 4):
            h = step(h, arrays["x"][:, t])
        return h

    def sites():
        graph = trace(forward, {"x": rng.normal(size=(4, 6))})
        return [(node.op, node.site, node.visit) for node in graph.nodes]

    first = sites()
    for _ in range(30):  # CPython specialises code that has run often
        forward({"x": rng.normal(size=(4, 6))})
    assert sites() == first
    assert [visit for op, _, visit in first if op == "tanh"] == [0, 1, 2]
    assert len({site for op, site, _ in first if op == "tanh"}) == 1


def test_other_threads_see_numpy_as_it_is(rng):
    seen = []

    def elsewhere():
        seen.extend([type(np.zeros(3)), type(np.array([1.0])), math.exp(0.0), float("2"), isinstance(2.0, float)])

    def forward(arrays):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return arrays["x"] + np.zeros(6)

    trace(forward, {"x": rng.normal(size=(4, 6))})
    assert seen == [np.ndarray, np.ndarray, 1.0, 2.0, True]


def test_everything_is_restored_also_after_an_exception(rng):
    held = [np.zeros, np.array, np.sum, math.exp, as_strided, np.lib.stride_tricks.as_strided, zeros, tanh]

    def forward(arrays):
        raise ValueError("no")

    with pytest.raises(TraceError, match="ValueError: no"):
        trace(forward, {"x": rng.normal(size=(4, 6))})
    here = sys.modules[__name__]
    now = [
        np.zeros,
        np.array,
        np.sum,
        math.exp,
        here.as_strided,
        np.lib.stride_tricks.as_strided,
        here.zeros,
        here.tanh,
    ]
    assert all(a is b for a, b in zip(held, now, strict=True))
    assert "float" not in vars(here)


def test_float_is_the_same_class_to_code_that_asks_for_it(rng):
    def forward(arrays):
        assert isinstance(2.0, float)
        assert not isinstance("2", float)
        assert np.ones(2, dtype=float).dtype == np.float64 == np.arange(2).astype(float).dtype
        assert type(float(3)).__name__ == "float"
        assert float("-inf") < 0
        return arrays["x"] * 1.0

    trace(forward, {"x": rng.normal(size=(4, 6))})


def test_a_place_quotes_the_line_in_the_words_of_its_author(rng):
    def forward(arrays):
        x = arrays["x"]
        scale, shift = np.split(x, 2, axis=1)
        # fmt: off
        total = scale * (shift - 1); other = total.sum(0)  # noqa: E702 two statements on one line
        # fmt: on
        other += np.tanh(other)
        return other

    graph = trace(forward, {"x": rng.normal(size=(4, 6))})
    places = {node.op if node.op != "gather" else node.part: Place(node) for node in graph.nodes if node.leaf is None}
    assert places["multiply"].expression == "scale * (shift - 1)"
    assert places["multiply"].operands == ["scale", "shift - 1"]
    assert places["multiply"].variable == "total"
    assert places["sum"].statement == "other = total.sum(0)"
    assert (places["sum"].operands, places["sum"].variable) == (["total", "0"], "other")
    assert [places[0].variable, places[1].variable] == ["scale", "shift"]
    assert places["add"].expression == "other += np.tanh(other)"
    assert places["add"].operands == ["other", "np.tanh(other)"]
    assert places["tanh"].line == forward.__code__.co_firstlineno + 6


def test_what_no_node_reaches_is_not_in_the_graph_and_its_leaf_has_gradient_0(rng):
    def forward(arrays):
        np.exp(arrays["w"])
        return arrays["x"] * 2

    graph = trace(forward, {"x": rng.normal(size=3), "w": rng.normal(size=3)})
    assert [node.op for node in graph.nodes] == ["leaf", "multiply"]
    assert not graph.gradients(np.ones(3))["w"].any()


def test_a_sweep_without_a_node_sends_nothing_through_it(rng):
    x = rng.normal(size=3)
    graph = trace(lambda arrays: np.tanh(arrays["x"]) + arrays["x"], {"x": x})
    tanh_node = next(node for node in graph.nodes if node.op == "tanh")
    cotangents, contributions = graph.sweep(np.ones(3), without={tanh_node.index})
    np.testing.assert_array_equal(cotangents[graph.leaves["x"].index], np.ones(3))
    assert (tanh_node.index, 0) not in contributions


def test_functions_of_one_array_are_traced_whether_or_not_their_derivative_is_written_down(rng):
    special = pytest.importorskip("scipy.special", reason="needs SciPy, which scikit-learn brings")

    def forward(arrays):
        x = arrays["x"]
        return np.arctan(x) * np.log2(3 + x) + special.erf(x) - np.sinh(x) * special.gamma(3 + x)

    assert error_of_gradients(forward, {"x": rng.uniform(-1, 1, (4, 3))}, rng) < 1e-12
