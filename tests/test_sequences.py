"""Sequence layers: users' mistakes, and what the general tests of layers do not cover."""

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np import initializers


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[0, 3]], r"expected whole numbers from 0 to 2, got 3 at x\[0, 1\]"),
        ([[0], [-1]], r"got -1 at x\[1, 0\]"),
        ([[0.0, 1.5]], r"got 1.5 at x\[0, 1\]. Words have numbers"),
        ([[np.nan]], r"got nan at x\[0, 0\]"),
    ],
)
def test_an_embedding_refuses_what_is_no_word(x, message):
    with pytest.raises(ValueError, match=message):
        mt.Embedding(3, 2)(np.array(x))


def test_an_embedding_takes_whole_numbers_of_any_dtype(rng):
    layer = mt.Embedding(7, 2).initialize((3,), 0)
    x = rng.integers(0, 7, (5, 3))
    for dtype in (np.uint8, np.int32, np.float32, np.float64):
        np.testing.assert_array_equal(layer(x.astype(dtype)), layer.embeddings.value[x])


def test_a_vocabulary_too_large_for_float32_is_refused():
    with pytest.raises(
        ValueError, match=r'cannot represent all whole numbers above 16777216\. Give the model dtype="float64"'
    ):
        mt.Embedding(2**24 + 1, 1).initialize((3,))


def test_words_that_do_not_occur_have_no_gradient(rng):
    layer = mt.Embedding(5, 2).initialize((3,), 0, np.float64)
    layer(np.array([[1, 3, 1]]))
    layer.backward(dy := rng.normal(size=(1, 3, 2)))
    np.testing.assert_allclose(layer.embeddings.grad, [[0, 0], dy[0, 0] + dy[0, 2], [0, 0], dy[0, 1], [0, 0]])


def test_a_model_that_begins_with_an_embedding_passes_the_checker(rng):
    layers = [mt.Input((4,)), mt.Embedding(6, 3), mt.PositionalEmbedding(5), mt.LSTM(2), mt.Dense(3)]
    model = mt.Sequential(layers, rng=0)
    for x in (rng.integers(0, 6, (5, 4)), rng.integers(0, 6, (5, 4)).astype(float)):
        mt.assert_gradients(model, x, rng.integers(0, 3, 5), loss=mt.CrossEntropyLoss())


def test_the_checker_still_misses_dx_of_whole_numbers_that_are_values(rng):
    class Broken(mt.Dense):
        def backward(self, dy):
            super().backward(dy)

    report = mt.gradcheck(Broken(2), rng.integers(0, 5, (4, 3)), raise_exception=False)
    assert "backward returned None" in str(report)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mt.LSTM(0), "LSTM: units is the size of the state, an int of at least 1, got 0"),
        (lambda: mt.GRU(2.5), "GRU: units .* got 2.5"),
        (lambda: mt.SimpleRNN(True), "SimpleRNN: units .* got True"),
        (lambda: mt.Embedding(0, 2), "Embedding: input_dim is the size of the vocabulary"),
        (lambda: mt.PositionalEmbedding("3"), "PositionalEmbedding: sequence_length is the longest sequence"),
        (lambda: mt.MultiHeadAttention(2, 0), "MultiHeadAttention: key_dim is .* got 0"),
        (lambda: mt.MultiHeadAttention(2, 1, -1), "MultiHeadAttention: value_dim is .* got -1"),
        (lambda: mt.Bidirectional(mt.Dense(2)), "expected a SimpleRNN, LSTM or GRU without go_backwards"),
        (lambda: mt.Bidirectional(mt.LSTM(2, go_backwards=True)), "Bidirectional makes the second direction itself"),
        (lambda: mt.Bidirectional(mt.LSTM(2), "add"), "merge_mode is 'concat', 'sum', 'mul' or 'ave', got 'add'"),
        (lambda: mt.Sequential([mt.Input((3,)), mt.LSTM(2)]), r"expected inputs of shape \(batch, time, features\)"),
        (lambda: mt.Sequential([mt.Input((5, 3)), mt.GRU(2), mt.GRU(2)]), "needs return_sequences=True"),
        (lambda: mt.Sequential([mt.Input((3,)), mt.MultiHeadAttention(2, 2)]), "Put Embedding before it"),
        (lambda: mt.Sequential([mt.Input((5, 3)), mt.PositionalEmbedding(4)]), "at most 4 steps"),
    ],
)
def test_mistakes_are_reported_when_the_layer_or_the_model_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("layer", [mt.LSTM(2), mt.PositionalEmbedding(4), mt.MultiHeadAttention(2, 2)], ids=repr)
def test_other_features_than_built_for_are_refused(layer, rng):
    layer(rng.normal(size=(3, 4, 5)))
    with pytest.raises(ValueError, match=r"5.*got.*\(3, 4, 6\)"):
        layer(rng.normal(size=(3, 4, 6)))


@pytest.mark.parametrize("layer", [mt.LSTM(2), mt.MultiHeadAttention(2, 2)], ids=repr)
def test_forward_before_building_says_how_to_build(layer, rng):
    with pytest.raises(RuntimeError, match=r"not built yet. Call it as layer\(x\)"):
        layer.forward(rng.normal(size=(3, 4, 5)))


def test_the_forget_gate_begins_open():
    bias = mt.LSTM(3).initialize((4, 2), 0).bias.value
    np.testing.assert_array_equal(bias, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    assert not mt.LSTM(3, unit_forget_bias=False).initialize((4, 2), 0).bias.value.any()


def test_extreme_inputs_give_finite_states(rng):
    for layer in (mt.SimpleRNN(3), mt.LSTM(3), mt.GRU(3)):
        y = layer(1e4 * rng.normal(size=(2, 5, 4)))
        assert np.isfinite(y).all()
        assert np.isfinite(layer.backward(rng.normal(size=y.shape))).all()


@pytest.mark.parametrize("shape", [(7, 7), (3, 8), (8, 3), (2, 3, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape, rng):
    matrix = initializers.find("orthogonal")(shape, rng).reshape(-1, shape[-1])
    gram = matrix @ matrix.T if len(matrix) < matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


def test_orthogonal_prefers_no_direction(rng):
    elements = np.stack([initializers.find("orthogonal")((3, 3), rng) for _ in range(4000)])
    np.testing.assert_allclose(elements.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose((elements**2).mean(axis=0), 1 / 3, atol=0.03)


# Masks


def test_causal_attention_does_not_see_what_comes_later(rng):
    layer = mt.MultiHeadAttention(2, 3, causal=True).initialize((6, 4), 0, np.float64)
    x = rng.normal(size=(2, 6, 4))
    later = x.copy()
    later[:, 4:] += 1
    np.testing.assert_array_equal(layer(later)[:, :4], layer(x)[:, :4])
    assert (layer(later)[:, 4:] != layer(x)[:, 4:]).all()


def test_padding_changes_nothing_at_real_positions(rng):
    layer = mt.MultiHeadAttention(2, 3).initialize((6, 4), 0, np.float64)
    x = rng.normal(size=(2, 6, 4))
    mask = np.arange(6) < np.array([[6], [4]])
    np.testing.assert_allclose(layer.forward(x, mask=mask)[1, :4], layer(x[1:, :4])[0], rtol=1e-12)


@pytest.mark.parametrize(
    "mask", [np.ones((2, 5), bool), np.ones((2, 6), np.float32), np.ones((2, 1, 6), bool), np.ones((2, 2, 6, 6), bool)]
)
def test_masks_of_another_shape_or_dtype_are_refused(mask, rng):
    layer = mt.MultiHeadAttention(2, 3).initialize((6, 4), 0)
    with pytest.raises(ValueError, match=r"expected a mask of bool, \(2, 6\) or \(2, 6, 6\)"):
        layer.forward(rng.normal(size=(2, 6, 4)), mask=mask)


class Masked(mt.Model):
    """Attention over x[..., :-1]; the last feature marks the positions that are real."""

    def __init__(self, rng=None, dtype="float32"):
        super().__init__(rng, dtype)
        self.attention = mt.MultiHeadAttention(2, 3, causal=True)

    def build(self, input_shape):
        self.attention.ensure_built((input_shape[0], input_shape[1] - 1))

    def forward(self, x):
        return self.attention.forward(x[..., :-1], mask=x[..., -1].real > 0)

    def backward(self, dy):
        dx = self.attention.backward(dy)
        return np.concatenate([dx, np.zeros((*dx.shape[:2], 1), dx.dtype)], axis=-1)


def test_a_model_passes_a_mask_and_passes_the_checker(rng):
    x = rng.normal(size=(5, 4, 4))
    x[0, 0, -1] = -1  # the first position may look at itself alone, and may not
    mt.assert_gradients(Masked(rng=0, dtype="float64"), x)


def test_the_layer_that_overflows_is_named_behind_a_mask(rng):
    model = Masked(rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    x = rng.normal(size=(5, 4, 4))
    model(x)
    model.attention.value_kernel.value[:] = np.inf
    with pytest.raises(FloatingPointError, match="attention"):
        model.fit(x, np.zeros((5, 4, 3)), progress=False)


def test_the_layer_that_overflows_is_named_if_a_sequential_passes_its_mask():
    model = mt.Sequential([mt.Input((4, 2)), mt.Masking(), mt.GRU(3), mt.Dense(1)], rng=0).compile("sgd", "mse")
    model.get_layer("gru_1").kernel.value[:] = np.nan
    with pytest.raises(FloatingPointError, match="gru_1"):
        model.fit(np.ones((5, 4, 2)), np.zeros(5), progress=False)


# Attention to another sequence


def test_attention_to_the_sequence_itself_is_self_attention(rng):
    layer = mt.MultiHeadAttention(2, 3).initialize((6, 4), 0, np.float64)
    x, dy = rng.normal(size=(2, 3, 6, 4))
    y = layer(x)
    dx, grads = layer.backward(dy), [parameter.grad for parameter in layer.parameters().values()]
    for arrays in ((x, x), (x, x, x)):
        np.testing.assert_array_equal(layer(*arrays), y)
        np.testing.assert_allclose(sum(layer.backward(dy)), dx, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(layer.query_kernel.grad, grads[0])
    np.testing.assert_array_equal(layer(value=x, query=x), y)


def test_a_causal_position_sees_those_of_the_same_number_and_before(rng):
    layer = mt.MultiHeadAttention(2, 3, causal=True)
    x, other = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 2))
    y = layer(x, other)
    later = other.copy()
    later[:, 2] += 1
    assert ((layer(x, later) == y).all(axis=(0, 2)) == [True, True, False]).all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shapes", [[(5, 3, 4), (5, 6, 2)], [(5, 4, 2), (5, 3, 5), (5, 3, 4)]], ids=str)
def test_gradients_reach_query_value_and_key(shapes, causal):
    mt.gradcheck(mt.MultiHeadAttention(2, 3, value_dim=4, causal=causal), shapes, strict_dtype=True)


def test_attention_is_a_node_of_several_sources(rng):
    graph = mt.Graph(
        inputs={"x": (3, 4), "other": (5, 2)},
        nodes=[
            ("words", mt.Dense(3), "other"),
            ("found", mt.MultiHeadAttention(2, 3), ["x", "words"]),
            ("again", "found", ["found", "words", "words"]),
            ("y", mt.Dense(2), "again"),
        ],
        outputs="y",
        dtype="float64",
    )
    mt.gradcheck(graph, [(5, 3, 4), (5, 5, 2)])
    mt.gradcheck(mt.Graph({"x": (3, 4)}, [("y", mt.MultiHeadAttention(2, 3), ["x", "x"])], "y"), (5, 3, 4))


def test_the_weights_of_attention_are_in_the_cache(rng):
    """As the answer to return_attention_scores says."""
    layer = mt.MultiHeadAttention(2, 3)
    layer(rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)))
    assert layer.cache[4].shape == (2, 2, 3, 5)
    np.testing.assert_allclose(layer.cache[4].sum(axis=-1), 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda layer, x, y: layer(x, y[:2]), r"equally many examples.* got \(4, 3, 5\), \(2, 6, 2\)"),
        (lambda layer, x, y: layer(x, y, x), r"value and key equally many steps; got|each value has one key, got 6 values and 3 keys"),
        (lambda layer, x, y: layer(x, key=y), r"got a key without a value. Write layer\(query, value, key\)"),
        (lambda layer, x, y: layer(x, x[:, 0]), r"expected inputs of shape \(batch, time, features\), got \(batch, 5\)"),
        (lambda layer, x, y: layer(x, y, mask=np.ones((4, 3), bool)), r"expected a mask of bool, \(4, 6\) or \(4, 3, 6\)"),
        (lambda layer, x, y: layer(x, y, query_mask=np.ones((4, 6), bool)), r"expected a mask of bool, \(4, 3\)"),
        (lambda layer, x, y: [layer(x, y), layer(x, y[..., :1])], r"expected a value of shape \(batch, time, 2\), got \(4, 6, 1\)"),
        (lambda layer, x, y: [layer(x), layer.forward(x, np.ones((4, 3), bool))], "Write mask=… for a mask"),
        (lambda layer, x, y: mt.Graph({"a": (3, 5), "b": (6, 2)}, [("y", layer, ["a", "b", "b", "b"])], "y"), "does not take 4 arrays"),
        (lambda layer, x, y: mt.Graph({"a": (3, 5), "b": (2,)}, [("y", layer, ["a", "b"])], "y"), r"node 'y': .* got \(batch, 2\)"),
    ],
)  # fmt: skip
def test_arrays_that_attention_cannot_join_are_refused(call, message, rng):
    with pytest.raises(ValueError, match=message):
        call(mt.MultiHeadAttention(2, 3), rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 6, 2)))


@pytest.mark.parametrize(
    ("argument", "remedy"),
    [
        ("attention_mask", r"Write mask=…, bool of shape \(batch, time, steps\)"),
        ("value_mask", r"Write mask=…, bool of shape \(batch, steps\)"),
        ("key_padding_mask", "Write mask=~padding"),
        ("use_causal_mask", "causal=True"),
        ("return_attention_scores", r"layer.cache\[4\]"),
    ],
)
def test_arguments_of_the_call_in_keras_and_pytorch_have_an_answer(argument, remedy, rng):
    x = rng.normal(size=(4, 3, 5))
    with pytest.raises(TypeError, match=f"there is no argument '{argument}'. .*{remedy}"):
        mt.MultiHeadAttention(2, 3)(x, x, **{argument: True})
