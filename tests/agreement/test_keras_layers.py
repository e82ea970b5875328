"""Every layer that says that Keras has it opens there, says the same, and comes back."""

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
