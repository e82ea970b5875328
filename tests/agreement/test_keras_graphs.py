"""Keras's Functional models: they open here, compute the same, train on alike, and come back from Keras; and ours open in Keras."""

import os
import warnings

import numpy as np
import pytest

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

L, ops = keras.layers, keras.ops
pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend


def model(inputs, call, **shared):
    """A Functional model: `call` takes one tensor for each input shape."""
    tensors = [L.Input(shape) for shape in inputs]
    return keras.Model(tensors if len(tensors) > 1 else tensors[0], call(*tensors, **shared))


def encoder(size=4):
    return keras.Sequential([L.Input((size,)), L.Dense(5, activation="relu"), L.Dense(3)])


def residual_model(size=4):
    return model([(size,)], lambda x: L.Add()([L.Dense(size)(x), x]))


def model_of_two_inputs():
    return model([(4,), (4,)], lambda a, b: L.Add()([L.Dense(4)(a), b]))


def model_of_two_outputs():
    shared = L.Dense(4)
    return model([(4,)], lambda x: [shared(x), L.Dense(3, activation="relu")(shared(x))])


def through_two_outputs(x, f):
    first, second = f(x)
    third, fourth = f(first)
    return [L.Concatenate()([second, fourth]), third]


def chain_of_one(x, layer):
    return layer(layer(layer(x)))


def squeeze(x):
    h = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    gate = L.Conv2D(4, 1, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(h))
    return L.Dense(2)(L.Flatten()(L.Multiply()([h, gate])))


def resnet(x):
    h = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(x)))
    branch = L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(h))
    return L.Dense(3, activation="softmax")(L.GlobalAveragePooling2D()(L.ReLU()(L.add([h, branch]))))


def unet(x):
    down = L.Conv2D(2, 3, activation="relu", padding="same")(x)
    inner = L.Conv2D(4, 3, activation="relu", padding="same")(L.MaxPooling2D()(down))
    return L.Conv2D(1, 1, activation="sigmoid")(L.Concatenate()([L.UpSampling2D()(inner), down]))


def dense_net(x):
    found = [x]
    for _ in range(4):
        found.append(L.Dense(4)(found[-1]))
    return L.Concatenate()(found)


def masked_attention(words):
    embedded = L.Embedding(10, 4, mask_zero=True)(words)
    attended = L.Add()([embedded, L.MultiHeadAttention(2, 2)(embedded, embedded)])
    return L.Dense(2)(L.GlobalAveragePooling1D()(attended))


def frozen_base(size=4):
    base = model([(size,)], lambda x: L.BatchNormalization()(L.Dense(3, activation="tanh")(x)))
    base.trainable = False
    return base


def small_head():
    return keras.Sequential([L.Input((3,)), L.Dense(3, activation="relu"), L.Dense(2)])


def small_chain():
    return model([(4,)], lambda x: L.Dense(1)(L.Dense(3, activation="tanh")(x)))


def gated(x):
    """In Keras the gate is as far from the output as the value; here its activation is one node more."""
    value, gate = L.Dense(4)(x), L.Dense(4, activation="sigmoid")(x)
    return L.Dense(2)(L.Multiply()([value, gate]) + L.Dense(4, activation="relu")(x))


def transformer(source, target):
    """An encoder and a decoder, each of one block, for numbers of words."""

    def feed_forward(x):
        return L.Add()([x, L.Dense(4)(L.Dense(8, activation="relu")(L.LayerNormalization()(x)))])

    source, target = L.Embedding(10, 4, mask_zero=True)(source), L.Embedding(10, 4, mask_zero=True)(target)
    normal = L.LayerNormalization()(source)
    encoded = L.LayerNormalization()(feed_forward(L.Add()([source, L.MultiHeadAttention(2, 2)(normal, normal)])))
    normal = L.LayerNormalization()(target)
    target = L.Add()([target, L.MultiHeadAttention(2, 2)(normal, normal, use_causal_mask=True)])
    target = L.Add()([target, L.MultiHeadAttention(2, 3)(L.LayerNormalization()(target), encoded)])
    return L.Dense(10)(feed_forward(target))


def encoder_and_decoder(question, answer, kind=L.LSTM, **options):
    _, *state = kind(4, return_state=True)(question)
    return L.Dense(2)(kind(4, return_sequences=True, **options)(answer, initial_state=state))


def masked_encoder_and_decoder(question, answer):
    question, answer = L.Embedding(10, 4, mask_zero=True)(question), L.Embedding(10, 4, mask_zero=True)(answer)
    _, *state = L.LSTM(4, return_state=True)(question)
    decoded, _, _ = L.LSTM(4, return_sequences=True, return_state=True)(answer, initial_state=state)
    return L.Dense(10, activation="softmax")(decoded)


def both_ways(question, answer):
    """A bidirectional encoder, a decoder of twice its size that also attends to the encoder's steps, and the final state."""
    encoded, h, c, h_back, c_back = L.Bidirectional(L.LSTM(3, return_sequences=True, return_state=True))(question)
    state = [L.Concatenate()([h, h_back]), L.Concatenate()([c, c_back])]
    decoded, h, _ = L.LSTM(6, return_sequences=True, return_state=True)(answer, initial_state=state)
    return [L.Dense(2)(L.Concatenate()([decoded, L.MultiHeadAttention(2, 3)(decoded, encoded)])), h]


def state_both_ways(question, answer):
    _, *state = L.Bidirectional(L.GRU(3, return_state=True))(question)
    return L.Bidirectional(L.GRU(3, return_sequences=True))(answer, initial_state=state)


def state_of_itself(a, b, layer):
    return layer(b, initial_state=layer(a)[1:])[0]


MODELS = {
    "gated": lambda: model([(4,)], gated),
    "autoencoder": lambda: model([(4,)], lambda x, f, g: g(f(x)), f=frozen_base(), g=model([(3,)], lambda x: L.Dense(4)(x))),
    "ensemble": lambda: model([(4,)], lambda x: L.average([small_chain()(x) for _ in range(3)])),
    "base and head": lambda: model([(4,)], lambda x, f: L.Dense(2)(f(x, training=False)), f=frozen_base()),
    "base in a Sequential": lambda: keras.Sequential([L.Input((4,)), frozen_base(), small_head()]),
    "graph in a Sequential": lambda: keras.Sequential([residual_model(), L.Dense(2)]),
    "chain": lambda: model([(6,)], lambda x: L.Dense(2)(L.Dense(4, activation="relu")(x))),
    "residual": lambda: model([(6,)], lambda x: L.Dense(1)(L.Add()([x, L.Dense(6, activation="tanh")(x)]))),
    "two inputs": lambda: model([(4,), (3,)], lambda a, b: L.Dense(2)(L.Concatenate()([L.Dense(5)(a), L.Dense(2)(b)]))),
    "two outputs": lambda: model([(4,)], lambda x: [L.Dense(2)(x), L.Dense(1, activation="sigmoid")(x)]),
    "siamese": lambda: model([(4,), (4,)], lambda a, b, f: L.Dense(1)(L.Subtract()([f(a), f(b)])), f=L.Dense(3, activation="tanh")),
    "siamese nested": lambda: model([(4,), (4,)], lambda a, b, f: L.Dot(1, normalize=True)([f(a), f(b)]), f=encoder()),
    "nested functional": lambda: model([(4,), (4,)], lambda a, b, f: L.Multiply()([f(a), f(b)]), f=residual_model()),
    "nested, two inputs, twice": lambda: model([(4,), (4,)], lambda a, b, f: f([f([a, b]), b]), f=model_of_two_inputs()),
    "nested, two outputs": lambda: model([(4,)], lambda x, f: L.Concatenate()(f(x)), f=model_of_two_outputs()),
    "nested, two outputs, twice": lambda: model([(4,)], through_two_outputs, f=model_of_two_outputs()),
    "one layer three times": lambda: model([(4,)], chain_of_one, layer=L.Dense(4, activation="tanh")),
    "shared at two depths": lambda: model([(4,)], lambda x, f, g: [f(g(f(x))), g(x)], f=L.Dense(4), g=L.Dense(4)),
    "triplet": lambda: model([(3,)] * 3, lambda a, b, c, f: [f(a), f(b), f(c)], f=L.Dense(3)),
    "squeeze and excitation": lambda: model([(6, 6, 3)], squeeze),
    "resnet": lambda: model([(6, 6, 3)], resnet),
    "unet": lambda: model([(6, 6, 1)], unet),
    "inception": lambda: model([(6, 6, 1)], lambda x: L.Concatenate()([L.Conv2D(2, k, padding="same")(x) for k in (1, 3, 5)])),
    "dense net": lambda: model([(4,)], dense_net),
    "attention": lambda: model([(6, 5)], lambda x: L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x))),
    "causal": lambda: model([(6, 5)], lambda x: L.Add()([x, L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)])),
    "average, largest, smallest": lambda: model(
        [(4,)], lambda x: [merge()([L.Dense(3)(x), L.Dense(3)(x)]) for merge in (L.Average, L.Maximum, L.Minimum)]
    ),
    "words and numbers": lambda: model(
        [(5,), (2,)], lambda w, n: L.Dense(1)(L.concatenate([L.Flatten()(L.Embedding(10, 3)(w)), n]))
    ),
    "masked words and numbers": lambda: model(
        [(5,), (2,)], lambda w, n: L.Dense(1)(L.Concatenate()([L.LSTM(4)(L.Embedding(10, 3, mask_zero=True)(w)), n]))
    ),
    "attention to another sequence": lambda: model(
        [(4, 3), (6, 2)], lambda a, b: L.MultiHeadAttention(2, 4, value_dim=3)(a, b, use_causal_mask=True)
    ),
    "query, value and key by name": lambda: model(
        [(4, 3), (6, 2), (6, 7)], lambda a, b, c: L.MultiHeadAttention(2, 4)(key=c, value=b, query=a)
    ),
    "a key that is the query": lambda: model([(4, 3), (4, 2)], lambda a, b: L.MultiHeadAttention(2, 4)(a, b, a)),
    "attention in both directions": lambda: model(
        [(4, 3), (6, 3)], lambda a, b, f: [f(a, b), f(b, a), f(a, a)], f=L.MultiHeadAttention(2, 2)
    ),
    "transformer": lambda: model([(5,), (5,)], transformer),
    "masked attention": lambda: model([(5,)], masked_attention),
    "masking": lambda: model(
        [(6, 3)], lambda x: L.Dense(1)(L.GRU(2)(L.Dropout(0.1)(L.LSTM(4, return_sequences=True)(L.Masking()(x)))))
    ),
    "recurrent": lambda: model(
        [(7, 4)], lambda x: L.LSTM(3)(L.Concatenate()([L.LSTM(5, return_sequences=True)(x), L.GRU(5, return_sequences=True)(x)]))
    ),
    "a state that nobody takes": lambda: model([(7, 4)], lambda x: L.Dense(1)(L.LSTM(3, return_state=True)(x)[0])),
    "a state alone": lambda: model([(7, 4)], lambda x: L.SimpleRNN(3, return_state=True)(x)[1]),
    "encoder and decoder": lambda: model([(7, 4), (6, 3)], encoder_and_decoder),
    "encoder and decoder of GRUs": lambda: model([(7, 4), (6, 3)], lambda a, b: encoder_and_decoder(a, b, L.GRU, go_backwards=True)),
    "encoder and decoder, masked": lambda: model([(5,), (5,)], masked_encoder_and_decoder),
    "both ways, attention, a state": lambda: model([(7, 4), (6, 3)], both_ways),
    "state both ways": lambda: model([(7, 4), (6, 3)], state_both_ways),
    "state of itself": lambda: model([(7, 4), (6, 4)], state_of_itself, layer=L.LSTM(3, return_state=True)),
    "state from outside": lambda: model(
        [(7, 4), (3,), (3,)], lambda x, h, c: list(L.LSTM(3, return_sequences=True, return_state=True)(x, initial_state=[h, c]))
    ),
    "state by position": lambda: model([(7, 4), (3,)], lambda x, h: L.SimpleRNN(3)(x, h)),
    "state by name": lambda: model([(7, 4), (3,)], lambda x, h: L.GRU(3)(initial_state=[h], sequences=x)),
    "operators": lambda: model([(4,)], lambda x: L.Dense(4)(x) * L.Dense(4)(x) - x),
    "a number": lambda: model([(4,)], lambda x: L.Dense(2)(x) * 2.0 + 1.0),
    "nested chain": lambda: model([(4,)], lambda x, f: L.Dense(2)(f(x)), f=encoder()),
    "dot of matrices": lambda: model([(5, 4), (3, 4)], lambda a, b: L.Dot(axes=2)([L.Dense(4)(a), b])),
    "bidirectional": lambda: model(
        [(5, 4), (5, 4)], lambda a, b: L.Concatenate(axis=1)([L.Bidirectional(L.LSTM(3))(a), L.Bidirectional(L.GRU(3))(b)])
    ),
}  # fmt: skip


def with_weights(theirs, rng):
    for weight in theirs.weights:
        if "seed" not in weight.path:
            drawn = 0.4 * rng.normal(size=weight.shape)
            weight.assign(0.5 + np.abs(drawn) if "variance" in weight.path else drawn)
    return theirs


@pytest.fixture(params=MODELS, ids=str)
def theirs(request, rng):
    return with_weights(MODELS[request.param](), rng)


def data(theirs, rng, n=6):
    x = [
        rng.integers(0, 10, (n, *one.shape[1:]))
        if one.shape[1:] == (5,)
        else rng.normal(size=(n, *one.shape[1:])).astype("f")
        for one in theirs.inputs
    ]
    y = [rng.normal(size=(n, *one.shape[1:])).astype("f") for one in theirs.outputs]
    return (x if len(x) > 1 else x[0]), (y if len(y) > 1 else y[0])


def assert_equal(found, wanted, most=1e-6):
    several = (found, wanted) if isinstance(wanted, list) else ([found], [wanted])
    for ours, its in zip(*several, strict=True):
        its = np.asarray(its)
        assert np.abs(ours - its).max() <= most * np.abs(its).max()


def test_a_functional_model_goes_both_ways(theirs, rng, tmp_path):
    x, _ = data(theirs, rng)
    wanted = theirs.predict(x, verbose=0)
    for name in ("theirs.keras", "theirs.h5"):
        theirs.save(tmp_path / name)
        ours = mt.load_model(tmp_path / name)
        assert_equal(ours.predict(x), wanted)
    ours.save(tmp_path / "ours.keras")
    assert_equal(mt.load_model(tmp_path / "ours.keras").predict(x), wanted)
    back = keras.saving.load_model(tmp_path / "ours.keras")
    assert_equal(
        np.asarray(back.predict(x, verbose=0)) if not isinstance(wanted, list) else back.predict(x, verbose=0), wanted
    )
    back.save(tmp_path / "again.keras")
    assert_equal(mt.load_model(tmp_path / "again.keras").predict(x), wanted)
    assert len(ours.get_weights()) == len([w for w in theirs.weights if "seed" not in w.path])


@pytest.mark.parametrize(
    "name",
    [
        "siamese",
        "nested functional",
        "two outputs",
        "resnet",
        "shared at two depths",
        "recurrent",
        "transformer",
        "query, value and key by name",
        "encoder and decoder",
        "both ways, attention, a state",
        "state of itself",
    ],
)
def test_they_train_on_alike(name, rng, tmp_path):
    keras.utils.set_random_seed(0)
    theirs = MODELS[name]()
    x, y = data(theirs, rng, 16)
    several = len(theirs.outputs) > 1
    options = (
        {"loss": ["mse"] * 2, "loss_weights": [1.0, 0.5], "metrics": [["mae"], []]} if several else {"loss": "mse"}
    )
    theirs.compile(keras.optimizers.SGD(0.02, momentum=0.9), **options)
    fit = {"epochs": 5, "batch_size": 8, "shuffle": False}
    theirs.fit(x, y, verbose=0, **fit)
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras")
    ours.save(tmp_path / "ours.keras")
    back = keras.saving.load_model(tmp_path / "ours.keras")
    losses = [one.fit(x, y, verbose=0, **fit).history["loss"][-1] for one in (theirs, back)]
    losses.append(ours.fit(x, y, **fit)["loss"][-1])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    for one in (theirs, back):
        assert_equal(ours.predict(x), one.predict(x, verbose=0), 1e-5)


@pytest.mark.parametrize("name", ["gated", "autoencoder", "ensemble", "siamese nested", "nested functional", "unet"])
def test_weights_alone_go_both_ways(name, rng, tmp_path):
    theirs = with_weights(MODELS[name](), rng)
    x, _ = data(theirs, rng)
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras").clone()
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    wanted = theirs.predict(x, verbose=0)
    assert_equal(ours.predict(x), wanted)
    ours.save_weights(tmp_path / "ours.weights.h5")
    with_weights(theirs, rng).load_weights(tmp_path / "ours.weights.h5")
    assert_equal(theirs.predict(x, verbose=0), wanted)


def test_dictionaries_keep_their_names(rng, tmp_path):
    """In Keras fit and predict take the names of the dictionary, which are not those of the layers, and sort them."""
    a, b = L.Input((4,), name="one"), L.Input((3,), name="two")
    both = L.Concatenate()([a, b])
    outputs = {"score": L.Dense(2, name="first")(both), "class": L.Dense(3, activation="softmax", name="last")(both)}
    theirs = keras.Model({"b": b, "a": a}, outputs)
    theirs.compile(keras.optimizers.SGD(0.1), {"score": "mse", "class": "categorical_crossentropy"})
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras")
    assert list(ours.inputs) == ["a", "b"]
    assert ours.output_names == ["class", "score"]
    x = {"b": rng.normal(size=(6, 3)).astype("f"), "a": rng.normal(size=(6, 4)).astype("f")}
    y = {"score": rng.normal(size=(6, 2)).astype("f"), "class": np.eye(3, dtype="f")[[0, 1, 2, 0, 1, 2]]}
    for _ in range(2):
        due = theirs.predict(x, verbose=0)
        assert_equal(ours.predict(x), [due["class"], due["score"]])
        theirs.fit(x, y, batch_size=6, epochs=5, shuffle=False, verbose=0)
        ours.fit(x, y, batch_size=None, epochs=5)


@pytest.mark.parametrize("layer", [mt.Add(), mt.Average(), mt.Multiply(), mt.Maximum(), mt.Minimum(), mt.Subtract(), mt.Concatenate(), mt.Dot(1)], ids=repr)  # fmt: skip
def test_our_graphs_open_in_keras_with_what_they_share(layer, rng, tmp_path):
    shared = mt.Sequential([mt.Dense(4), mt.Tanh()])
    nodes = [
        ("a", shared, "left"),
        ("b", shared, "right"),
        ("both", layer.clone(), ["a", "b"]),
        ("y", mt.Dense(2), "both"),
    ]
    ours = mt.Graph({"left": (3,), "right": (3,)}, nodes, ["y", "both"], rng=1)
    x = [rng.normal(size=(5, 3)).astype("f") for _ in range(2)]
    wanted = ours.predict(x)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    assert_equal([np.asarray(one) for one in theirs.predict(x, verbose=0)], wanted)
    assert len(theirs.trainable_weights) == 4
    theirs.save(tmp_path / "theirs.keras")
    again = mt.load_model(tmp_path / "theirs.keras")
    assert_equal(again.predict(x), wanted)
    assert len(again.parameters()) == 4


def masked(words):
    return L.Embedding(10, 4, mask_zero=True)(words)


def attention_by_hand(x):
    h = L.GRU(3, return_sequences=True)(x)
    weights = ops.softmax(L.Dense(1)(h), axis=1)
    return L.Dense(2)(ops.sum(weights * h, axis=1))


OPERATIONS = {
    "numbers before": lambda: model([(4,)], lambda x: 1 - L.Dense(3)(x) + 2 * L.Dense(3)(x) - (-L.Dense(3)(x)) / 3),
    "squares": lambda: model([(4,)], lambda x: ops.square(L.Dense(3)(x)) + L.Dense(3)(x) ** 2),
    "functions": lambda: model([(4,)], lambda x: ops.tanh(L.Dense(3)(ops.relu(L.Dense(4)(ops.silu(L.Dense(4)(x))))))),
    "largest": lambda: model([(4,)], lambda x: ops.maximum(0.0, L.Dense(3)(x)) + ops.sigmoid(L.Dense(3)(x))),
    "shapes": lambda: model([(12,)], lambda x: L.GRU(2)(ops.transpose(ops.reshape(L.Dense(12)(x), (-1, 4, 3)), (0, 2, 1)))),
    "axes": lambda: model([(4,)], lambda x: ops.squeeze(L.GRU(2, return_sequences=True)(ops.expand_dims(x, 1)), 1)),
    "pooled": lambda: model(
        [(6, 4)], lambda x: ops.concatenate([f(L.Dense(3)(x), axis=1) for f in (ops.mean, ops.sum, ops.max)], axis=-1)
    ),
    "pooled images": lambda: model([(4, 5, 2)], lambda x: ops.mean(L.Conv2D(3, 2)(x), axis=(1, 2)) * 2),
    "attention by hand": lambda: model([(6, 4)], attention_by_hand),
    "layers without trainable": lambda: model(
        [(4, 4, 2)], lambda x: L.Dense(2)(L.Flatten()(L.SpatialDropout2D(0.0)(L.GaussianNoise(0.0)(L.Permute((2, 1, 3))(x)))))
    ),
    "each step": lambda: model(
        [(5,)], lambda w: L.TimeDistributed(L.Dense(2))(L.TimeDistributed(L.Dense(3, activation="tanh"))(L.LSTM(3, return_sequences=True)(masked(w))))
    ),
    "each step and a gate": lambda: model([(5, 4)], lambda x: L.Multiply()([L.TimeDistributed(L.Dense(3))(x), L.Dense(3)(x)])),
    "nothing": lambda: model([(4,)], lambda x: L.Dense(2)(L.Identity()(x))),
    "masked sum": lambda: model([(5,)], lambda w: L.LSTM(3)(masked(w) + L.Dense(4)(masked(w)))),
    "masked product": lambda: model([(5,)], lambda w: L.GlobalAveragePooling1D()(masked(w) * 2.0)),
    "masked mean": lambda: model([(5,)], lambda w: ops.mean(L.GRU(3, return_sequences=True)(masked(w)), axis=1)),
    "masked parts": lambda: model([(5,)], lambda w: L.LSTM(3)(ops.concatenate([masked(w), masked(w)], axis=-1))),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_functions_of_tensors_are_layers_here(name, rng, tmp_path):
    """In Keras a function ends the mask, where the layer of its name passes it on."""
    theirs = with_weights(OPERATIONS[name](), rng)
    x, y = data(theirs, rng)
    theirs.compile(keras.optimizers.SGD(0.02), "mse")
    for suffix in ("keras", "h5"):
        theirs.save(tmp_path / f"m.{suffix}")
        ours = mt.load_model(tmp_path / f"m.{suffix}")
        assert_equal(ours.predict(x), theirs.predict(x, verbose=0))
    ours.save(tmp_path / "ours.keras")
    back = keras.saving.load_model(tmp_path / "ours.keras")
    for one, options in ((theirs, {"verbose": 0}), (back, {"verbose": 0}), (ours, {})):
        one.fit(x, y, batch_size=6, epochs=10, shuffle=False, **options)
    assert_equal(ours.predict(x), theirs.predict(x, verbose=0), 1e-5)
    assert_equal(ours.predict(x), back.predict(x, verbose=0), 1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.reshape(x, (-1, 4)),
        lambda x: ops.transpose(x, (1, 0, 2)),
        lambda x: ops.mean(x, axis=0),
        lambda x: ops.sum(x),
        lambda x: ops.abs(x),
        lambda x: x[:, 0],
        lambda x: 1 / x,
        lambda x: x**3,
        lambda x: x * np.ones(4, "f"),
        lambda x: ops.minimum(x, 0.0),
        lambda x: ops.matmul(x, x),
    ],
)
def test_other_functions_are_refused(call, tmp_path):
    model([(4, 4)], lambda x: call(L.Dense(4)(x))).save(tmp_path / "m.keras")
    with pytest.raises(
        mt.ModelFileError, match=r"which this package does not have. Build the network here with a layer of your own"
    ):
        mt.load_model(tmp_path / "m.keras")


def masked_state(x, h):
    return L.LSTM(2)(x, initial_state=[h, h], mask=x._keras_mask)


def test_what_is_not_here_is_refused_by_name(tmp_path):
    cases = {
        r"the layer Conv1D, which this package does not have. There are no one-dimensional .* mt.Reshape": model(
            [(5, 4)], lambda x: L.Conv1D(2, 3)(x)
        ),
        "LSTM called with a mask and an initial state": model(
            [(5,), (2,)], lambda x, h: masked_state(L.Embedding(10, 3, mask_zero=True)(x), h)
        ),
        "MultiHeadAttention called with attention_mask": model(
            [(5, 4), (5, 5)], lambda a, m: L.MultiHeadAttention(2, 3)(a, a, attention_mask=m)
        ),
        "MultiHeadAttention called with and without use_causal_mask": model(
            [(5, 4)], lambda a, f: f(f(a, a), a, use_causal_mask=True), f=L.MultiHeadAttention(2, 3)
        ),
        "LSTM called with a mask of its own": model(
            [(5, 3), (5,)], lambda x, m: L.LSTM(2)(x, mask=keras.ops.not_equal(m, 0))
        ),
        "TimeDistributed of a LSTM": model([(5, 4, 3)], lambda x: L.TimeDistributed(L.LSTM(2))(x)),
        "the layer RMSNormalization": model([(4,)], lambda x: L.RMSNormalization()(L.Dense(2)(x))),
    }
    for message, theirs in cases.items():
        theirs.save(tmp_path / "m.keras")
        with pytest.raises(mt.ModelFileError, match=message):
            mt.load_model(tmp_path / "m.keras")


def of_three_outputs(words, numbers):
    h = L.Concatenate()([L.LSTM(4, return_sequences=True)(L.Embedding(10, 3, mask_zero=True)(words)), numbers])
    last = L.GlobalAveragePooling1D()(h)
    heads = [L.Dense(1, name="a")(last), L.Dense(1, activation="sigmoid", name="b")(last)]
    return [*heads, L.Dense(3, activation="softmax", name="steps")(h)]


@pytest.mark.parametrize("form", ["one for all", "a list", "with None"])
def test_weights_of_each_output_are_those_of_keras(form, rng, tmp_path):
    """Loss and metrics of training, validation, evaluate and single batches, also with masked steps."""
    n = 30
    x = [rng.integers(0, 3, (n, 5)), rng.normal(size=(n, 5, 2)).astype("f")]
    y = [rng.normal(size=(n, 1)).astype("f"), rng.integers(0, 2, (n, 1)).astype("f"), rng.integers(0, 3, (n, 5))]
    one, other, of_steps = (rng.uniform(0, 2, shape).astype("f") for shape in (n, n, (n, 5)))
    weights = {"one for all": one, "a list": [one, other, of_steps], "with None": [None, one, None]}[form]
    count = 2 if form == "one for all" else 3  # Keras takes (n,) for no output of steps
    theirs = model([(5,), (5, 2)], lambda *inputs: of_three_outputs(*inputs)[:count])
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras")
    losses, metrics = ["mse", "binary_crossentropy", "sparse_categorical_crossentropy"], [["mae"], ["accuracy"], []]
    for made, optimizer in ((theirs, keras.optimizers.SGD(0.1)), (ours, mt.SGD(0.1))):
        made.compile(optimizer, losses[:count], metrics=metrics[:count], loss_weights=[1.0, 0.5, 2.0][:count])
    y = y[:count]
    options = {"epochs": 3, "batch_size": 8, "shuffle": False, "sample_weight": weights}
    options["validation_data"] = (x, y, weights)
    wanted, found = theirs.fit(x, y, verbose=0, **options).history, ours.fit(x, y, **options)
    assert set(found) == set(wanted)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-6, atol=1e-6, err_msg=name)
    scores = theirs.evaluate(x, y, batch_size=8, sample_weight=weights, verbose=0, return_dict=True)
    assert ours.evaluate(x, y, batch_size=8, sample_weight=weights)._asdict() == pytest.approx(scores, abs=1e-6)
    for method in ("test_on_batch", "train_on_batch"):
        loss = getattr(theirs, method)(x, y, sample_weight=weights, return_dict=True)["loss"]
        assert getattr(ours, method)(x, y, sample_weight=weights) == pytest.approx(float(loss), abs=1e-6)


def tickets(title, tags):
    h = L.concatenate([L.LSTM(6)(L.Embedding(20, 4)(title)), tags])
    return [L.Dense(1, name="priority")(h), L.Dense(4, name="department")(h)]


def test_callbacks_and_logs_of_several_outputs_have_the_names_and_numbers_of_keras(rng, tmp_path):
    """A router of tickets, as Keras's guide of the functional API has it: history, CSVLogger, EarlyStopping, ModelCheckpoint."""
    theirs = model([(6,), (5,)], tickets)
    theirs.save(tmp_path / "m.keras")
    ours = mt.load_model(tmp_path / "m.keras")
    x = [rng.integers(0, 20, (60, 6)), rng.integers(0, 2, (60, 5)).astype("f")]
    y = {
        "priority": rng.integers(0, 2, (60, 1)).astype("f"),
        "department": np.eye(4, dtype="f")[rng.integers(0, 4, 60)],
    }
    K = keras.losses
    losses = [
        {"priority": K.BinaryCrossentropy(from_logits=True), "department": K.CategoricalCrossentropy(from_logits=True)},
        {"priority": mt.BCEWithLogitsLoss(), "department": mt.CrossEntropyLoss()},
    ]
    found = []
    for made, loss, optimizers, callbacks in zip(
        (theirs, ours), losses, (keras.optimizers, mt.optimizers), (keras.callbacks, mt.callbacks), strict=True
    ):
        made.compile(
            optimizers.Adam(0.05),
            loss,
            metrics={"priority": ["mae"], "department": ["accuracy"]},
            loss_weights={"priority": 1.0, "department": 0.2},
        )
        log, best = tmp_path / f"{len(found)}.csv", tmp_path / f"{len(found)}.keras"
        called = [
            callbacks.EarlyStopping("val_department_accuracy", mode="max", patience=2, restore_best_weights=True),
            callbacks.ModelCheckpoint(str(best), monitor="val_priority_loss", mode="min", save_best_only=True),
            callbacks.CSVLogger(str(log)),
        ]
        options = {"epochs": 12, "batch_size": 20, "shuffle": False, "callbacks": called}
        history = made.fit(x, y, validation_data=(x, y), **options, **({"verbose": 0} if made is theirs else {}))
        history = dict(getattr(history, "history", history))
        after = made.evaluate(x, y, **({"verbose": 0, "return_dict": True} if made is theirs else {}))
        lines = log.read_text().splitlines()
        after = after if made is theirs else after._asdict()
        found.append((history, after, sorted(lines[0].split(",")), len(lines)))
        assert best.exists()
    wanted, due = found
    assert set(due[0]) == set(wanted[0])
    for name, values in wanted[0].items():
        np.testing.assert_allclose(due[0][name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert due[1] == pytest.approx(wanted[1], rel=1e-4)
    assert due[2:] == wanted[2:]
    assert len(wanted[0]["loss"]) < 12


def attention_over_a_sum(source, target):
    source, target = masked(source), masked(target)
    source = L.LayerNormalization()(L.Add()([source, L.MultiHeadAttention(2, 2)(source, source)]))
    return L.Dense(2)(L.MultiHeadAttention(2, 2)(target, source))


def test_a_mask_that_attention_in_keras_removes_is_warned_of(rng, tmp_path):
    """A layer that takes the same array as attention does not see its mask in Keras, whose outputs then depend on padding."""
    theirs = with_weights(model([(5,), (5,)], attention_over_a_sum), rng)
    theirs.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="In Keras multi_head_attention.* removes the mask of what it takes"):
        ours = mt.load_model(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="removes the mask"):
        ours.save(tmp_path / "ours.keras")
    source, target = rng.integers(1, 10, (2, 6, 5))
    assert_equal(ours.predict([source, target]), theirs.predict([source, target], verbose=0))
    source[:, 3:] = 0
    changed = np.abs(ours.predict([source, target]) - theirs.predict([source, target], verbose=0)).max()
    assert changed > 1e-3  # if this fails, Keras keeps the mask, and the warning can go
    model([(5,), (5,)], transformer).save(tmp_path / "m.keras")
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        mt.load_model(tmp_path / "m.keras")
    assert not [one for one in given if "removes the mask" in str(one.message)]
