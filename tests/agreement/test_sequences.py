"""Sequence layers agree with PyTorch and Keras in float64 to 1e-10: outputs, dx and every parameter's gradient."""

import importlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")

seeds = st.integers(0, 10**6)
sizes = st.integers(1, 7)
flags = st.booleans()
many = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def keras():
    module = pytest.importorskip("keras", reason="needs Keras: pip install keras")
    with pytest.MonkeyPatch.context() as patch:
        # Otherwise Keras multiplies matrices of float64 in float32, as JAX does.
        patch.setitem(
            importlib.import_module("keras.src.backend.common.dtypes").BIT64_TO_BIT32_DTYPE, "float64", "float64"
        )
        yield module


def tensor(array, grad=False):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, requires_grad=grad)


def assert_agrees(ours, theirs):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * max(1.0, np.abs(theirs).max(initial=0)))


def built(layer, shape, seed):
    """The layer with values that are all different, biases too."""
    layer.initialize(shape, seed, np.float64)
    rng = np.random.default_rng(seed)
    for parameter in layer.parameters().values():
        parameter.value = np.asfortranarray(rng.normal(size=parameter.shape) / np.sqrt(parameter.shape[0]))
    return layer


def cases(seed, shape):
    """x, and a function that draws a dy."""
    rng = np.random.default_rng(seed + 1)
    return rng.normal(size=shape), lambda y: rng.normal(size=y.shape)


# PyTorch

TORCH_GATES = {"SimpleRNN": [0], "LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2]}  # its GRU has the gates r, z, n


def as_torch(array, name):
    """A kernel or bias of ours as PyTorch lays it out: one row for each unit, the gates in its order."""
    gates = np.split(array, len(TORCH_GATES[name]), axis=-1)
    return np.concatenate([gates[gate] for gate in TORCH_GATES[name]], axis=-1).T


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@many
@given(seeds, sizes, sizes, sizes, sizes, flags, flags)
def test_recurrent_layers_agree_with_pytorch(name, seed, batch, time, features, units, sequences, backwards):
    x, draw = cases(seed, (batch, time, features))
    layer = getattr(mt, name)(units, return_sequences=sequences, go_backwards=backwards)
    ours = built(layer, (time, features), seed)
    theirs = getattr(torch.nn, name.removeprefix("Simple"))(features, units, batch_first=True, dtype=torch.float64)
    bias = ours.bias.value if name == "GRU" else np.stack([ours.bias.value, np.zeros_like(ours.bias.value)])
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(tensor(as_torch(ours.kernel.value, name)))
        theirs.weight_hh_l0.copy_(tensor(as_torch(ours.recurrent_kernel.value, name)))
        theirs.bias_ih_l0.copy_(tensor(as_torch(bias[0], name)))
        theirs.bias_hh_l0.copy_(tensor(as_torch(bias[1], name)))
    x_torch = tensor(x, grad=True)
    states = theirs(x_torch.flip(1) if backwards else x_torch)[0]
    y_torch = states if sequences else states[:, -1]
    y = ours(x)
    dy = draw(y)
    y_torch.backward(tensor(dy))
    assert_agrees(y, y_torch)
    assert_agrees(ours.backward(dy), x_torch.grad)
    assert_agrees(as_torch(ours.kernel.grad, name), theirs.weight_ih_l0.grad)
    assert_agrees(as_torch(ours.recurrent_kernel.grad, name), theirs.weight_hh_l0.grad)
    grads = ours.bias.grad if name == "GRU" else [ours.bias.grad] * 2
    assert_agrees(as_torch(grads[0], name), theirs.bias_ih_l0.grad)
    assert_agrees(as_torch(grads[1], name), theirs.bias_hh_l0.grad)


@many
@given(seeds, sizes, sizes, sizes, sizes)
def test_embedding_agrees_with_pytorch(seed, batch, time, vocabulary, features):
    rng = np.random.default_rng(seed)
    x, dy = rng.integers(0, vocabulary, (batch, time)), rng.normal(size=(batch, time, features))
    ours = built(mt.Embedding(vocabulary, features), (time,), seed)
    theirs = torch.nn.Embedding.from_pretrained(tensor(ours.embeddings.value), freeze=False)
    y_torch = theirs(torch.tensor(x))
    y_torch.backward(tensor(dy))
    assert_agrees(ours(x), y_torch)
    assert ours.backward(dy) is None
    assert_agrees(ours.embeddings.grad, theirs.weight.grad)


@many
@given(seeds, sizes, sizes, sizes, st.integers(0, 3))
def test_positional_embedding_adds_the_first_rows_of_its_table(seed, batch, time, features, spare):
    x, draw = cases(seed, (batch, time, features))
    ours = built(mt.PositionalEmbedding(time + spare), (time, features), seed)
    x_torch, table = tensor(x, grad=True), tensor(ours.position_embeddings.value, grad=True)
    y_torch = x_torch + table[:time]
    y = ours(x)
    dy = draw(y)
    y_torch.backward(tensor(dy))
    assert_agrees(y, y_torch)
    assert_agrees(ours.backward(dy), x_torch.grad)
    assert_agrees(ours.position_embeddings.grad, table.grad)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@many
@given(seeds, sizes, sizes, sizes, sizes)
def test_an_encoder_and_a_decoder_agree_with_pytorch(name, seed, batch, time, features, units):
    kind, states = getattr(mt, name), ["h", "c"] if name == "LSTM" else ["h"]
    graph = mt.Graph(
        inputs={"question": (time, features), "answer": (3, 2)},
        nodes=[
            (["encoder", *states], kind(units, return_state=True), "question"),
            ("decoder", kind(units, return_sequences=True), ["answer", *states]),
        ],
        outputs="decoder",
        dtype="float64",
    )
    built(graph, ((time, features), (3, 2)), seed)
    rng = np.random.default_rng(seed + 1)
    x = [rng.normal(size=(batch, time, features)), rng.normal(size=(batch, 3, 2))]
    theirs, pairs = [], list(zip(("encoder", "decoder"), (features, 2), strict=True))
    for layer, size in ((graph.get_layer(part), size) for part, size in pairs):
        theirs.append(
            getattr(torch.nn, name.removeprefix("Simple"))(size, units, batch_first=True, dtype=torch.float64)
        )
        bias = layer.bias.value if name == "GRU" else np.stack([layer.bias.value, np.zeros_like(layer.bias.value)])
        with torch.no_grad():
            theirs[-1].weight_ih_l0.copy_(tensor(as_torch(layer.kernel.value, name)))
            theirs[-1].weight_hh_l0.copy_(tensor(as_torch(layer.recurrent_kernel.value, name)))
            theirs[-1].bias_ih_l0.copy_(tensor(as_torch(bias[0], name)))
            theirs[-1].bias_hh_l0.copy_(tensor(as_torch(bias[1], name)))
    given = [tensor(array, grad=True) for array in x]
    y_torch, _ = theirs[1](given[1], theirs[0](given[0])[1])
    y = graph(x, training=True)
    dy = rng.normal(size=y.shape)
    y_torch.backward(tensor(dy))
    assert_agrees(y, y_torch)
    for dx, x_torch in zip(graph.backward(dy), given, strict=True):
        assert_agrees(dx, x_torch.grad)
    for (part, _), module in zip(pairs, theirs, strict=True):
        layer = graph.get_layer(part)
        assert_agrees(as_torch(layer.kernel.grad, name), module.weight_ih_l0.grad)
        assert_agrees(as_torch(layer.recurrent_kernel.grad, name), module.weight_hh_l0.grad)


# Keras, on PyTorch


def assert_agrees_with_keras(ours, theirs, x, draw, call=lambda layer, x: layer(x), **options):
    """theirs has been built; its weights become ours, in the order in which both list them."""
    values = list(ours.parameters().values())
    theirs.set_weights([parameter.value for parameter in values])
    arrays = x if isinstance(x, list) else [x]
    given = [tensor(array, grad=True) for array in arrays]
    y_torch = call(theirs, *given)
    y = ours.forward(*arrays, **options)
    dy = draw(y)
    y_torch.backward(tensor(dy))
    assert_agrees(y, y_torch)
    found = ours.backward(dy)
    for dx, x_torch in zip(found if isinstance(found, tuple) else [found], given, strict=True):
        assert_agrees(dx, x_torch.grad)
    for parameter, weight in zip(ours.parameters().values(), theirs.trainable_weights, strict=True):
        gradient = weight.value.grad
        assert_agrees(parameter.grad, torch.zeros_like(weight.value) if gradient is None else gradient)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@settings(max_examples=12, deadline=None)
@given(seeds, sizes, sizes, sizes, sizes, flags, flags, flags, flags)
def test_recurrent_layers_agree_with_keras(
    keras, name, seed, batch, time, features, units, use_bias, sequences, backwards, reset_after
):
    options = {"use_bias": use_bias, "return_sequences": sequences, "go_backwards": backwards}
    if name == "GRU":
        options["reset_after"] = reset_after
    x, draw = cases(seed, (batch, time, features))
    ours = built(getattr(mt, name)(units, **options), (time, features), seed)
    theirs = getattr(keras.layers, name)(units, **options, dtype="float64")
    theirs.build(x.shape)
    assert_agrees_with_keras(ours, theirs, x, draw)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave"])
@settings(max_examples=4, deadline=None)
@given(seeds, sizes, sizes, sizes, sizes, flags)
def test_bidirectional_agrees_with_keras(keras, name, merge_mode, seed, batch, time, features, units, sequences):
    x, draw = cases(seed, (batch, time, features))
    layer = getattr(mt, name)(units, return_sequences=sequences)
    ours = built(mt.Bidirectional(layer, merge_mode), (time, features), seed)
    layer = getattr(keras.layers, name)(units, return_sequences=sequences, dtype="float64")
    theirs = keras.layers.Bidirectional(layer, merge_mode, dtype="float64")
    theirs.build(x.shape)
    assert_agrees_with_keras(ours, theirs, x, draw)


@settings(max_examples=40, deadline=None)
@given(seeds, sizes, sizes, sizes, sizes, st.none() | sizes, sizes, flags, flags, st.sampled_from([None, 2, 3]))
def test_attention_agrees_with_keras(
    keras, seed, batch, time, features, key_dim, value_dim, heads, use_bias, causal, mask_rank
):
    x, draw = cases(seed, (batch, time, features))
    mask = None
    if mask_rank:
        mask = np.random.default_rng(seed).random((batch, time, time)) < 0.7
        mask = mask[:, 0] if mask_rank == 2 else mask
        mask[..., 0] = True  # every row has something to look at
    ours = built(mt.MultiHeadAttention(heads, key_dim, value_dim, use_bias, causal=causal), (time, features), seed)
    theirs = keras.layers.MultiHeadAttention(heads, key_dim, value_dim, use_bias=use_bias, dtype="float64")
    theirs.build(x.shape, x.shape)
    attention_mask = None if mask is None else torch.tensor(mask.reshape(batch, -1, time))
    assert_agrees_with_keras(
        ours,
        theirs,
        x,
        draw,
        lambda layer, x: layer(x, x, attention_mask=attention_mask, use_causal_mask=causal),
        mask=mask,
    )


def test_a_row_that_may_look_at_nothing_gives_the_bias(keras):
    x, draw = cases(0, (3, 4, 5))
    ours = built(mt.MultiHeadAttention(2, 3), (4, 5), 0)
    theirs = keras.layers.MultiHeadAttention(2, 3, dtype="float64")
    theirs.build(x.shape, x.shape)
    mask = np.random.default_rng(1).random((3, 4, 4)) < 0.5
    mask[1, 2], mask[2] = False, False

    def call(layer, x):
        return layer(x, x, attention_mask=torch.tensor(mask), return_attention_scores=True)[0]

    assert_agrees_with_keras(ours, theirs, x, draw, call, mask=mask)
    np.testing.assert_array_equal(ours.forward(x, mask=mask)[1, 2], ours.output_bias.value)


def several_sequences(seed, batch, time, steps, features, others):
    """A query, and a value or a value and a key, each with features of its own; and their shapes without the batch."""
    shapes = [(time, features), *((steps, size) for size in others)]
    rng = np.random.default_rng(seed + 1)
    return [rng.normal(size=(batch, *shape)) for shape in shapes], tuple(shapes), lambda y: rng.normal(size=y.shape)


@settings(max_examples=40, deadline=None)
@given(seeds, sizes, sizes, sizes, sizes, st.lists(sizes, min_size=1, max_size=2), sizes, flags, flags, flags)
def test_attention_to_another_sequence_agrees_with_keras(
    keras, seed, batch, time, steps, features, others, heads, use_bias, causal, masked
):
    x, shapes, draw = several_sequences(seed, batch, time, steps, features, others)
    mask = np.random.default_rng(seed).random((batch, time, steps)) < 0.7 if masked else None
    if masked:
        mask[..., 0] = True
    ours = built(mt.MultiHeadAttention(heads, 3, 2, use_bias, causal=causal), shapes, seed)
    theirs = keras.layers.MultiHeadAttention(heads, 3, 2, use_bias=use_bias, dtype="float64")
    theirs.build(*(array.shape for array in x))
    given = None if mask is None else torch.tensor(mask)
    assert_agrees_with_keras(
        ours,
        theirs,
        x,
        draw,
        lambda layer, *x: layer(*x, attention_mask=given, use_causal_mask=causal),
        mask=mask,
    )


@many
@given(seeds, sizes, sizes, sizes, st.lists(sizes, min_size=2, max_size=2), st.integers(1, 3), flags)
def test_attention_to_another_sequence_agrees_with_pytorch(seed, batch, time, steps, others, heads, masked):
    features = 2 * heads
    x, shapes, draw = several_sequences(seed, batch, time, steps, features, others)
    ours = built(mt.MultiHeadAttention(heads, 2), shapes, seed)
    theirs = torch.nn.MultiheadAttention(
        features, heads, kdim=others[1], vdim=others[0], batch_first=True, dtype=torch.float64
    )
    theirs._qkv_same_embed_dim = False  # otherwise one kernel for all three, if their sizes are equal
    places = {"q_proj_weight": ours.query_kernel, "k_proj_weight": ours.key_kernel, "v_proj_weight": ours.value_kernel}
    for name, kernel in places.items():
        value = tensor(kernel.value.reshape(len(kernel.value), -1).T)
        setattr(theirs, name, torch.nn.Parameter(value))
    with torch.no_grad():
        biases = [ours.query_bias, ours.key_bias, ours.value_bias]
        theirs.in_proj_bias.copy_(tensor(np.concatenate([bias.value.ravel() for bias in biases])))
        theirs.out_proj.weight.copy_(tensor(ours.output_kernel.value.reshape(-1, features).T))
        theirs.out_proj.bias.copy_(tensor(ours.output_bias.value))
    padding = np.random.default_rng(seed).random((batch, steps)) < 0.3 if masked else np.zeros((batch, steps), bool)
    padding[:, 0] = False
    query, value, key = (tensor(array, grad=True) for array in x)
    y_torch, _ = theirs(query, key, value, key_padding_mask=torch.tensor(padding))
    y = ours(*x, mask=~padding)
    dy = draw(y)
    y_torch.backward(tensor(dy))
    assert_agrees(y, y_torch)
    for dx, x_torch in zip(ours.backward(dy), (query, value, key), strict=True):
        assert_agrees(dx, x_torch.grad)
    for name, kernel in places.items():
        assert_agrees(kernel.grad.reshape(len(kernel.value), -1).T, getattr(theirs, name).grad)
    assert_agrees(np.concatenate([bias.grad.ravel() for bias in biases]), theirs.in_proj_bias.grad)
    assert_agrees(ours.output_kernel.grad.reshape(-1, features).T, theirs.out_proj.weight.grad)
