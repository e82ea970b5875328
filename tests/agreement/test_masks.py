"""Masks, states and open lengths agree with Keras, on sequences of random lengths."""

import importlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch as Keras's backend: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
WORDS = 9


@pytest.fixture
def in_float64(monkeypatch):
    """Without this Keras multiplies matrices of float64 in float32, as JAX does."""
    dtypes = importlib.import_module("keras.src.backend.common.dtypes")
    remembered = [function for function in vars(dtypes).values() if hasattr(function, "cache_clear")]
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    for floatx in ("float64", "float32"):
        keras.backend.set_floatx(floatx)
        for function in remembered:
            function.cache_clear()
        if floatx == "float64":
            yield


def sequences(rng, n=7, time=6, padding="post"):
    """Numbers of words, 0 at padding; at least one word each."""
    lists = [rng.integers(1, WORDS, rng.integers(1, time + 1)).tolist() for _ in range(n)]
    if padding == "between":
        x = mt.datasets.pad_sequences(lists, maxlen=time)
        return rng.permuted(x, axis=1)
    return mt.datasets.pad_sequences(lists, maxlen=time, padding=padding)


def embedding():
    return mt.Embedding(WORDS, 4, mask_zero=True)


PER_STEP = {
    "rnn": lambda: [mt.SimpleRNN(5, return_sequences=True)],
    "lstm": lambda: [mt.LSTM(5, return_sequences=True)],
    "gru": lambda: [mt.GRU(5, return_sequences=True)],
    "gru before": lambda: [mt.GRU(5, return_sequences=True, reset_after=False)],
    "backwards": lambda: [mt.LSTM(5, return_sequences=True, go_backwards=True)],
    "two": lambda: [mt.GRU(5, return_sequences=True), mt.LSTM(4, return_sequences=True)],
    "both ways": lambda: [mt.Bidirectional(mt.LSTM(3, return_sequences=True))],
    "both ways, product": lambda: [mt.Bidirectional(mt.GRU(3, return_sequences=True), merge_mode="mul")],
    "both ways, mean": lambda: [mt.Bidirectional(mt.SimpleRNN(3, return_sequences=True), merge_mode="ave")],
    "dense": lambda: [mt.Dense(5), mt.ReLU(), mt.LayerNormalization(), mt.Dropout(0.0), mt.GELU()],
    "attention": lambda: [mt.MultiHeadAttention(2, 3)],
    "causal attention": lambda: [mt.MultiHeadAttention(2, 3, causal=True), mt.LayerNormalization()],
    "batch normalization": lambda: [mt.BatchNormalization(momentum=0.6), mt.Dense(4)],
    "residual": lambda: [mt.Residual([mt.LSTM(4, return_sequences=True), mt.Dense(4)]), mt.Tanh()],
    "joined": lambda: [mt.Concatenate([mt.GRU(2, return_sequences=True), [mt.Dense(3), mt.ReLU()], []])],
}
PER_SEQUENCE = {
    "rnn": lambda: [mt.SimpleRNN(5)],
    "lstm": lambda: [mt.LSTM(5)],
    "gru": lambda: [mt.GRU(5)],
    "backwards": lambda: [mt.GRU(5, go_backwards=True)],
    "both ways": lambda: [mt.Bidirectional(mt.LSTM(3))],
    "two": lambda: [mt.Bidirectional(mt.GRU(3, return_sequences=True)), mt.LSTM(4)],
    "mean": lambda: [mt.Dense(5), mt.Tanh(), mt.GlobalAveragePooling1D()],
    "mean, kept": lambda: [mt.GRU(5, return_sequences=True), mt.GlobalAveragePooling1D(keepdims=True), mt.Flatten()],
    "largest": lambda: [mt.GRU(5, return_sequences=True), mt.GlobalMaxPooling1D()],
    "flat": lambda: [mt.LSTM(3, return_sequences=True), mt.Flatten()],
    "attention": lambda: [mt.MultiHeadAttention(2, 3), mt.GlobalAveragePooling1D()],
    "transformer": lambda: [
        mt.Residual([mt.LayerNormalization(), mt.MultiHeadAttention(2, 2)]),
        mt.Residual([mt.LayerNormalization(), mt.Dense(8), mt.ReLU(), mt.Dense(4)]),
        mt.GlobalAveragePooling1D(),
    ],
}
CASES = [(name, True, make) for name, make in PER_STEP.items()]
CASES += [(name, False, make) for name, make in PER_SEQUENCE.items()]


def both(
    layers, tmp_path, first=None, time=6, dtype="float32", optimizer=None, loss=None, metrics=("accuracy",), last=3
):
    """Our model, and Keras's that opens its file."""
    first = first or [mt.Input((time,)), embedding()]
    ours = mt.Sequential([*first, *layers, mt.Dense(last)], rng=1, dtype=dtype)
    rng = np.random.default_rng(3)
    for parameter in ours.parameters().values():
        parameter.value += 0.1 * rng.normal(size=parameter.shape).astype(dtype)
    ours.compile(optimizer or mt.SGD(0.1), loss or mt.CrossEntropyLoss(), list(metrics))
    ours.save(tmp_path / "ours.keras")
    return ours, keras.models.load_model(tmp_path / "ours.keras")


def assert_close(a, b, tolerance):
    a, b = np.asarray(a), np.asarray(b)
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max()))


@pytest.mark.parametrize(("name", "per_step", "make"), CASES, ids=[f"{n}{'' if p else ' (one)'}" for n, p, _ in CASES])
@pytest.mark.parametrize("padding", ["post", "between"])
def test_outputs_loss_metrics_and_ten_steps_agree_with_keras(name, per_step, make, padding, tmp_path):
    rng = np.random.default_rng(len(name))
    ours, theirs = both(make(), tmp_path)
    x = sequences(rng, padding=padding)
    y = rng.integers(0, 3, x.shape if per_step else len(x))
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-6)
    assert_close(list(ours.evaluate(x, y)), theirs.evaluate(x, y, verbose=0), 1e-6)
    ours.fit(x, y, epochs=10, batch_size=None)
    theirs.fit(x, y, epochs=10, batch_size=len(x), shuffle=False, verbose=0)
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-5)
    assert_close(list(ours.evaluate(x, y)), theirs.evaluate(x, y, verbose=0), 1e-5)


@pytest.mark.parametrize(("name", "per_step", "make"), CASES, ids=[f"{n}{'' if p else ' (one)'}" for n, p, _ in CASES])
def test_gradients_agree_with_keras_in_float64(name, per_step, make, tmp_path, in_float64):
    """One step of SGD with the rate 1 subtracts the gradient from every weight."""
    rng = np.random.default_rng(len(name))
    ours, theirs = both(make(), tmp_path, dtype="float64", optimizer=mt.SGD(1.0))
    x = sequences(rng)
    y = rng.integers(0, 3, x.shape if per_step else len(x))
    before = {name: parameter.value.copy() for name, parameter in ours.parameters().items()}
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-10)
    ours.fit(x, y, batch_size=None)
    theirs.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
    if type(theirs) is keras.Sequential:
        theirs.save(tmp_path / "theirs.keras")
        after = mt.load_model(tmp_path / "theirs.keras").parameters()
        for name, parameter in ours.parameters().items():
            assert_close(before[name] - parameter.value, before[name] - after[name].value, 1e-7)
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-7)


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Maximum", "Minimum", "Concatenate"])
@pytest.mark.parametrize("case", ["of three lengths", "one without mask", "gate"])
def test_merging_sequences_of_different_lengths_agrees_with_keras(kind, case, tmp_path):
    """In Keras padding counts as 1 in a product, and not at all in a maximum or minimum, where another array has none."""
    rng, layers = np.random.default_rng(len(kind)), keras.layers
    inputs = [keras.Input((5,)) for _ in range(3 if case == "of three lengths" else 2)]
    embedded = [
        layers.Embedding(WORDS, 4, mask_zero=case != "one without mask" or number == 0)(words)
        for number, words in enumerate(inputs)
    ]
    if case == "gate" and kind != "Concatenate":
        embedded[1] = layers.Dense(1, activation="sigmoid")(embedded[1])
    merged = getattr(layers, kind)()(embedded)
    theirs = keras.Model(inputs, [merged, layers.GlobalAveragePooling1D()(merged)])
    theirs.compile(keras.optimizers.SGD(0.5), ["mse", "mse"])
    theirs.save(tmp_path / "theirs.keras")
    ours = mt.load_model(tmp_path / "theirs.keras")
    x = [sequences(rng, time=5) for _ in inputs]
    x[0][1] = 0  # no step at all
    y = [rng.normal(size=(7, *part.shape[1:])).astype("f") for part in theirs.outputs]
    for most in (1e-6, 1e-5):
        for found, due in zip(ours.predict(x), theirs.predict(x, verbose=0), strict=True):
            assert_close(found, due, most)
        ours.fit(x, y, epochs=5, batch_size=None)
        theirs.fit(x, y, epochs=5, batch_size=7, shuffle=False, verbose=0)


def test_metrics_leave_padding_out_where_keras_counts_it(tmp_path):
    """Keras's metrics that are no means of single values do not see the mask. Ours are those of the real steps alone."""
    rng = np.random.default_rng(9)
    names = ["accuracy", "precision", "recall", "rmse"]
    layers = [mt.GRU(3, return_sequences=True)]
    ours, theirs = both(layers, tmp_path, loss=mt.BCEWithLogitsLoss(), metrics=names, last=1)
    x = sequences(rng, n=23)
    y = rng.integers(0, 2, (*x.shape, 1)).astype("f")
    found, due = ours.evaluate(x, y), theirs.evaluate(x, y, verbose=0, return_dict=True)
    real, positive = x > 0, ours.predict(x)[..., 0] > 0
    recall_of = [
        (positive & (y[..., 0] == 1) & steps).sum() / ((y[..., 0] == 1) & steps).sum() for steps in (real, True)
    ]
    assert_close([found.accuracy, found.recall], [due["accuracy"], recall_of[0]], 1e-6)
    assert_close(due["recall"], recall_of[1], 1e-6)


def test_a_metric_of_batches_of_several_lengths_counts_steps(tmp_path):
    """Keras takes the mean over the steps of each batch first, padding included, so that a step of a long batch counts less."""
    rng = np.random.default_rng(10)
    first = [mt.Input((None,)), embedding()]
    ours, theirs = both([mt.GRU(3, return_sequences=True)], tmp_path, first)
    batches = []
    for time in (3, 9, 5):
        x = sequences(rng, n=4, time=time)
        batches.append((x, rng.integers(0, 3, x.shape)))
    right = [(ours.predict(x).argmax(axis=-1) == y)[x > 0].sum() for x, y in batches]
    real = [(x > 0).sum() for x, _ in batches]
    lengths = np.array([3, 9, 5])
    ours.compile(mt.SGD(0.0), ours.loss, ["accuracy"])
    found = ours.fit(batches)
    theirs.compile(keras.optimizers.SGD(0.0), theirs.loss, metrics=["accuracy"])
    due = theirs.fit((batch for batch in batches), verbose=0).history
    assert_close(found["loss"], due["loss"], 1e-6)
    assert_close(found["accuracy"], np.sum(right) / np.sum(real), 1e-6)
    assert_close(due["accuracy"], np.sum(right / lengths) / np.sum(real / lengths), 1e-6)


def test_what_attention_gives_at_padding_is_that_of_keras(tmp_path):
    """It shows where a later layer takes padding for data."""
    ours, theirs = both([mt.MultiHeadAttention(2, 3), mt.GlobalMaxPooling1D()], tmp_path)
    x = sequences(np.random.default_rng(8))
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["SimpleRNN", "LSTM", "GRU"]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 8),
)
def test_masked_recurrent_layers_agree_with_keras_on_any_mask(seed, kind, sequences, backwards, time):
    """Also sequences without any real step, and an initial state."""
    rng = np.random.default_rng(seed)
    options = {"return_sequences": sequences, "go_backwards": backwards, "return_state": True}
    ours = getattr(mt, kind)(3, **options).initialize((time, 2), seed)
    theirs = getattr(keras.layers, kind)(3, **options)
    x = rng.normal(size=(5, time, 2)).astype(np.float32)
    mask = rng.random((5, time)) < 0.6
    theirs.build(x.shape)
    theirs.set_weights([parameter.value for parameter in ours.parameters().values()])
    state = [rng.normal(size=(5, 3)).astype(np.float32) for _ in range(ours.state_size)]
    for given_state in ([], state):
        found = ours.forward(x, *given_state, mask=mask)
        due = theirs(
            keras.ops.convert_to_tensor(x),
            initial_state=[keras.ops.convert_to_tensor(part) for part in given_state] or None,
            mask=keras.ops.convert_to_tensor(mask),
        )
        for a, b in zip(found, due, strict=True):
            assert_close(a, keras.ops.convert_to_numpy(b), 1e-6)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_masking_agrees_with_keras(kind, value, tmp_path):
    rng = np.random.default_rng(4)
    first = [mt.Input((6, 3)), mt.Masking(value)]
    layers = [getattr(mt, kind)(5, return_sequences=True)]
    ours, theirs = both(layers, tmp_path, first, loss=mt.MSELoss(), metrics=["mae"])
    theirs.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    lists = [rng.normal(size=(rng.integers(1, 7), 3)) for _ in range(8)]
    x = mt.datasets.pad_sequences(lists, maxlen=6, value=value)
    y = rng.normal(size=(8, 6, 3)).astype(np.float32)
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-6)
    for _ in range(2):
        found, due = ours.evaluate(x, y), theirs.evaluate(x, y, verbose=0, return_dict=True)
        assert_close(found.loss, due["loss"], 1e-6)
        assert_close(found.mae, due["mae"], 1e-6)
        ours.fit(x, y, epochs=5, batch_size=4, shuffle=False)
        theirs.fit(x, y, epochs=5, batch_size=4, shuffle=False, verbose=0)


def test_the_loss_of_an_epoch_of_several_batches_is_that_of_keras(tmp_path):
    rng = np.random.default_rng(5)
    ours, theirs = both([mt.LSTM(5, return_sequences=True)], tmp_path)
    x = sequences(rng, n=23)
    y = rng.integers(0, 3, x.shape)
    assert_close(list(ours.evaluate(x, y, batch_size=5)), theirs.evaluate(x, y, batch_size=5, verbose=0), 1e-6)
    found = ours.fit(x, y, batch_size=5, shuffle=False, validation_data=(x, y))
    due = theirs.fit(x, y, batch_size=5, shuffle=False, verbose=0, validation_data=(x, y)).history
    for name in ("loss", "accuracy", "val_accuracy"):
        assert_close(found[name], due[name], 1e-5)


def test_a_keras_model_with_masks_and_open_length_opens_here(tmp_path):
    rng = np.random.default_rng(6)
    layers = keras.layers
    theirs = keras.Sequential(
        [
            keras.Input((None,)),
            layers.Embedding(WORDS, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
            layers.GRU(4, return_sequences=True),
            layers.Dense(3, activation="softmax"),
        ]
    )
    theirs.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    theirs.save(tmp_path / "theirs.keras")
    ours = mt.load_model(tmp_path / "theirs.keras")
    assert ours.input_shape == (None,)
    for time in (3, 8):
        x = sequences(rng, time=time)
        assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-6)
        y = rng.integers(0, 3, x.shape)
        ours.fit(x, y, batch_size=None)
        theirs.fit(x, y, batch_size=len(x), shuffle=False, verbose=0)
        assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-5)
    ours.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    assert again.input_shape == (None, None)
    assert_close(again.predict(x, verbose=0), ours.predict(x), 1e-6)


def test_stateful_models_go_both_ways(tmp_path):
    rng = np.random.default_rng(7)
    options = {"return_sequences": True, "stateful": True}
    layers = [mt.Input((None, 3), batch_size=2), mt.LSTM(4, **options), mt.GRU(3, **options), mt.Dense(2)]
    ours = mt.Sequential(layers, rng=0)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    again = mt.load_model(tmp_path / "theirs.keras")
    assert again.layers[0].batch_size == 2
    assert again.layers[1].stateful
    for time in (3, 1, 4):
        x = rng.normal(size=(2, time, 3)).astype(np.float32)
        due = theirs.predict(x, batch_size=2, verbose=0)
        assert_close(ours.predict(x), due, 1e-6)
        assert_close(again.predict(x), due, 1e-6)


def test_a_stateful_model_without_a_batch_size_says_that_keras_needs_it(tmp_path):
    model = mt.Sequential([mt.Input((None, 3)), mt.LSTM(2, stateful=True)], rng=0)
    with pytest.warns(UserWarning, match=r"Input\(shape, batch_size=4\)"):
        model.save(tmp_path / "m.keras")
    assert mt.load_model(tmp_path / "m.keras").layers[1].stateful


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(-5, 50), max_size=7), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(1, 8)),
    st.sampled_from(["pre", "post"]),
    st.sampled_from(["pre", "post"]),
    st.integers(-2, 2),
)
def test_pad_sequences_is_that_of_keras(lists, maxlen, padding, truncating, value):
    if maxlen is None and not any(lists):
        return  # Keras gives an array without steps
    options = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": value}
    due = keras.utils.pad_sequences(lists, **options)
    found = mt.datasets.pad_sequences(lists, **options)
    assert found.dtype == due.dtype
    np.testing.assert_array_equal(found, due)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 6), st.booleans())
def test_packed_sequences_of_pytorch_are_masked_ones(seed, batch, time, both_ways):
    """pack_padded_sequence: outputs, final states, and the gradients of x and of the initial state."""
    rng = np.random.default_rng(seed)
    ours = mt.LSTM(3, return_sequences=True, return_state=True)
    ours = (mt.Bidirectional(ours) if both_ways else ours).initialize((time, 2), seed, np.float64)
    theirs = torch.nn.LSTM(2, 3, batch_first=True, bidirectional=both_ways, dtype=torch.float64)
    values = [parameter.value for parameter in ours.parameters().values()]
    for place, suffix in enumerate(["", "_reverse"][: 1 + both_ways]):
        kernel, recurrent, bias = values[3 * place : 3 * place + 3]
        with torch.no_grad():
            getattr(theirs, f"weight_ih_l0{suffix}").copy_(torch.tensor(kernel.T.copy()))
            getattr(theirs, f"weight_hh_l0{suffix}").copy_(torch.tensor(recurrent.T.copy()))
            getattr(theirs, f"bias_ih_l0{suffix}").copy_(torch.tensor(bias))
            getattr(theirs, f"bias_hh_l0{suffix}").zero_()
    x, lengths = rng.normal(size=(batch, time, 2)), rng.integers(1, time + 1, batch)
    state = [rng.normal(size=(batch, 3)) for _ in range(2 + 2 * both_ways)]
    x_torch = torch.tensor(x, requires_grad=True)
    h, c = (torch.tensor(np.stack(state[part::2]), requires_grad=True) for part in (0, 1))
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x_torch, torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    packed, (h_n, c_n) = theirs(packed, (h, c))
    y_torch, _ = torch.nn.utils.rnn.pad_packed_sequence(packed, batch_first=True, total_length=time)
    mask = np.arange(time) < lengths[:, None]
    y, *final = ours.forward(x, *state, mask=mask)
    tight = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(y * mask[..., None], y_torch.detach(), **tight)
    np.testing.assert_allclose(np.stack(final[0::2]), h_n.detach(), **tight)
    np.testing.assert_allclose(np.stack(final[1::2]), c_n.detach(), **tight)
    dy = rng.normal(size=y.shape) * mask[..., None]
    dfinal = [rng.normal(size=part.shape) for part in final]
    due = (torch.tensor(dy) * y_torch).sum()
    due = due + (torch.tensor(np.stack(dfinal[0::2])) * h_n).sum() + (torch.tensor(np.stack(dfinal[1::2])) * c_n).sum()
    due.backward()
    dx, *dstate = ours.backward((dy, *dfinal))
    np.testing.assert_allclose(dx * mask[..., None], x_torch.grad, **tight)
    np.testing.assert_allclose(np.stack(dstate[0::2]), h.grad, **tight)
    np.testing.assert_allclose(np.stack(dstate[1::2]), c.grad, **tight)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", ["query", "value", "both"])
def test_attention_to_another_sequence_has_the_masks_of_keras(masked, causal, tmp_path, in_float64):
    """Also where a position may attend to nothing, and where a whole sequence is padding. One step of SGD shows the gradients."""
    rng = np.random.default_rng(3)
    shared = {"query": masked != "value", "value": masked != "query"}
    ours = mt.Graph(
        inputs={"query": (6,), "value": (5,), "key": (5, 3)},
        nodes=[
            ("q", mt.Embedding(WORDS, 4, mask_zero=shared["query"]), "query"),
            ("v", mt.Embedding(WORDS, 2, mask_zero=shared["value"]), "value"),
            (
                "w",
                mt.Embedding(WORDS, 2, mask_zero=shared["value"]),
                "value",
            ),  # Keras removes the mask of v after its first use
            ("k", mt.Masking(), "key"),
            ("two", mt.MultiHeadAttention(2, 3, causal=causal), ["q", "v"]),
            ("three", mt.MultiHeadAttention(2, 3, value_dim=2), ["two", "w", "k"]),
            ("y", mt.Dense(3), "three"),
        ],
        outputs="y",
        rng=1,
        dtype="float64",
    )
    ours.compile(mt.SGD(1.0), mt.CrossEntropyLoss(), ["accuracy"]).save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    query, value = (sequences(rng, time=time, padding="between") for time in (6, 5))
    query[0], value[1] = 0, 0
    key = rng.normal(size=(7, 5, 3)) * (rng.random((7, 5, 1)) < 0.7)
    x, y = [query, value, key], rng.integers(0, 3, (7, 6))
    assert_close(ours.predict(x), theirs.predict(x, verbose=0), 1e-10)
    assert_close(list(ours.evaluate(x, y)), theirs.evaluate(x, y, verbose=0), 1e-6)
    # Where all scores are masked, Keras gives them a gradient although they have no effect. So from here on each row has one that is not.
    x[1], x[2][:, 0] = sequences(rng, time=5), 1
    before = {name: parameter.value.copy() for name, parameter in ours.parameters().items()}
    ours.fit(x, y, batch_size=None)
    theirs.fit(x, y, batch_size=7, shuffle=False, verbose=0)
    theirs.save(tmp_path / "theirs.keras")
    after = mt.load_model(tmp_path / "theirs.keras").parameters()
    for name, parameter in ours.parameters().items():
        assert_close(before[name] - parameter.value, before[name] - after[name].value, 1e-7)
