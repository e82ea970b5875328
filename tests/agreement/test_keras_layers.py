"""Every layer that Keras has too opens there, gives the same, and comes back."""

import os

import numpy as np
import pytest
from test_layers import LAYERS

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
# What Keras computes otherwise on PyTorch than on its other backends: a mean over zeros at the edge, and a norm of axes that are
# not the last ones. On JAX they agree too.
ODD_ON_TORCH = ("AveragePooling2D(pool_size=(2, 3)", "LayerNormalization(axis=(1, 2)", "LayerNormalization(axis=(-2,)")
TWINS = [
    pytest.param(layer, shape, id=f"{layer!r} on {shape}")
    for cls in LAYERS
    for layer, shape in cls.examples()
    if (layer.in_keras or layer.keras_activation)
    and cls is not mt.MultiHeadAttention  # which needs a graph, see below
    and not (os.environ["KERAS_BACKEND"] == "torch" and repr(layer).startswith(ODD_ON_TORCH))
]


@pytest.mark.parametrize(("example", "shape"), TWINS)
def test_a_layer_goes_to_keras_and_comes_back(example, shape, tmp_path):
    rng = np.random.default_rng(1)
    ours = mt.Sequential([mt.Input(shape), example.clone(), mt.Flatten(), mt.Dense(2)], rng=1)
    for parameter in ours.parameters().values():
        parameter.value[...] = rng.uniform(0.2, 1, parameter.shape)
    x = example.example_input((6, *shape), rng).astype(np.float32)
    due = ours.predict(x)
    ours.compile(mt.SGD(0.01), mt.MSELoss()).save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), due, atol=1e-6 * np.abs(due).max(initial=1))
    theirs.save(tmp_path / "theirs.keras")
    back = mt.load_model(tmp_path / "theirs.keras")
    np.testing.assert_array_equal(back.predict(x), due)
    assert type(back.layers[1]) is type(ours.layers[1])
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    theirs.fit(x, np.zeros((6, 2)), verbose=0)  # it learns there


def block(width, heads):
    attention = mt.MultiHeadAttention(heads, 3, causal=True)
    mlp = [mt.Dense(2 * width), mt.GELU(), mt.Dense(width)]
    return [
        mt.Residual([mt.LayerNormalization(), attention, mt.Dropout(0.1)]),
        mt.Residual([mt.LayerNormalization(), *mlp]),
    ]


GRAPHS = {
    "transformer": ((5,), [mt.Embedding(7, 6), mt.PositionalEmbedding(5)], False),
    "blocks": ((5, 6), [*block(6, 2), *block(6, 2), mt.Flatten(), mt.Dense(2)], True),
    "branches": (
        (4,),
        [mt.Dense(5), mt.Add([mt.Dense(3), [mt.Dense(6), mt.ReLU(), mt.Dense(3)]]),
         mt.Concatenate([[], mt.Dense(2), [mt.Dense(4), mt.Residual([mt.Dense(4), mt.Tanh()])]]), mt.Dense(2)],
        True,
    ),
    "residual images": (
        (6, 6, 3),
        [mt.Conv2D(4, 3, padding="same"), mt.Residual([mt.BatchNormalization(), mt.ReLU(), mt.Conv2D(4, 3, padding="same")]),
         mt.Sequential([mt.Add([mt.Conv2D(2, 1), [mt.DepthwiseConv2D(3, padding="same"), mt.Conv2D(2, 1)]])]),
         mt.GlobalAveragePooling2D(), mt.Dense(2)],
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_branches_open_in_keras_as_a_graph(name, tmp_path):
    shape, layers, known = GRAPHS[name]
    rng = np.random.default_rng(1)
    ours = mt.Sequential([mt.Input(shape), *(layer.clone() for layer in layers)], rng=1)
    x = ours.example_input((6, *shape), rng).astype(np.float32)
    if not known:
        with pytest.warns(UserWarning, match="Keras has no PositionalEmbedding"):
            ours.save(tmp_path / "ours.keras")
        return
    for parameter in ours.parameters().values():
        parameter.value[...] = rng.uniform(0.1, 0.3, parameter.shape)
    ours.compile(mt.SGD(0.001, momentum=0.9), mt.MSELoss())
    y = np.zeros((6, 2), np.float32)
    ours.fit(x, y, epochs=2, batch_size=None)
    due = ours.predict(x)
    ours.save(tmp_path / "ours.keras")
    np.testing.assert_array_equal(mt.load_model(tmp_path / "ours.keras").predict(x), due)
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), due, atol=2e-6 * np.abs(due).max(initial=1))
    if name == "branches":  # no dropout: ten more steps from the same velocities
        ours.fit(x, y, epochs=10, batch_size=None)
        theirs.fit(x, y, epochs=10, batch_size=6, shuffle=False, verbose=0)
        np.testing.assert_allclose(theirs.predict(x, verbose=0), ours.predict(x), atol=1e-5)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), ours.predict(x), atol=2e-6 * np.abs(due).max(initial=1))


@pytest.mark.parametrize(
    "backwards",
    [
        lambda: keras.layers.LSTM(3, go_backwards=True, activation="relu"),
        lambda: keras.layers.LSTM(3, go_backwards=True, use_bias=False),
        lambda: keras.layers.GRU(3, go_backwards=True),
    ],
)
def test_two_directions_that_differ_are_refused(tmp_path, backwards):
    layer = keras.layers.Bidirectional(keras.layers.LSTM(3), backward_layer=backwards())
    keras.Sequential([keras.Input((4, 2)), layer]).save(tmp_path / "k.keras")
    with pytest.raises(mt.ModelFileError, match=r"which this package does not have\. The file itself may be sound"):
        mt.load_model(tmp_path / "k.keras")
