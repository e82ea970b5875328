"""Sequences of unequal length: padding has no effect, from the first layer to the loss and the metrics."""

import warnings

import numpy as np
import pytest

import minitorch_np as mt
from minitorch_np.layers.masks import any_of, joined

RECURRENT = [mt.SimpleRNN(3), mt.LSTM(3), mt.GRU(3), mt.GRU(3, reset_after=False), mt.LSTM(3, go_backwards=True)]
RECURRENT += [mt.Bidirectional(mt.LSTM(3)), mt.Bidirectional(mt.GRU(3), merge_mode="mul")]
each_recurrent = pytest.mark.parametrize("layer", RECURRENT, ids=repr)
PADDINGS = ["pre", "post", "between"]


def random_mask(rng, batch, time, padding="between"):
    """A mask of random lengths, at least one step each."""
    lengths = rng.integers(1, time + 1, batch)
    mask = np.arange(time) < lengths[:, None]
    if padding == "pre":
        return mask[:, ::-1].copy()
    return rng.permuted(mask, axis=1) if padding == "between" else mask


def with_sequences(layer, dtype=np.float64, features=2):
    """The layer with return_sequences, built, and the same layer without."""
    if isinstance(layer, mt.Bidirectional):
        inner = type(layer.layer)(**{**layer.layer.config(), "return_sequences": True})
        every = mt.Bidirectional(inner, layer.merge_mode)
    else:
        every = type(layer)(**{**layer.config(), "return_sequences": True})
    every.initialize((4, features), 1, dtype)
    last = layer.clone().initialize((4, features), 1, dtype)
    return every, last


@each_recurrent
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_masked_recurrent_layer_gives_what_each_sequence_alone_gives(layer, padding, rng):
    every, last = with_sequences(layer)
    x, mask = rng.normal(size=(6, 5, 2)), random_mask(rng, 6, 5, padding)
    states, final = every.forward(x, mask=mask), last.forward(x, mask=mask)
    for row in range(6):
        alone = x[row : row + 1, mask[row]]
        np.testing.assert_allclose(final[row], last(alone)[0], rtol=1e-12, atol=1e-13)
        places = slice(
            None, None, -1 if getattr(layer, "go_backwards", False) else 1
        )  # outputs in the order of computing
        np.testing.assert_allclose(states[row, mask[row][places]], every(alone)[0], rtol=1e-12, atol=1e-13)


def test_the_state_stays_at_padded_steps_and_is_zero_before_the_first_real_one(rng):
    layer = mt.LSTM(3, return_sequences=True).initialize((5, 2), 0, np.float64)
    y = layer.forward(rng.normal(size=(1, 5, 2)), mask=np.array([[False, True, False, True, False]]))[0]
    assert not y[0].any()
    np.testing.assert_array_equal(y[2], y[1])
    np.testing.assert_array_equal(y[4], y[3])
    assert (y[3] != y[1]).all()
    y = (
        mt.Bidirectional(layer.clone())
        .initialize((5, 2), 0)
        .forward(rng.normal(size=(1, 5, 2)), mask=np.eye(5, dtype=bool)[:1])
    )
    assert not y[0, 1:].any()  # as in Keras


@each_recurrent
@pytest.mark.parametrize("sequences", [True, False])
def test_gradients_of_masked_recurrent_layers_are_right(layer, sequences, rng):
    every, last = with_sequences(layer)
    x = mt.Masking().example_input((5, 4, 2), rng)
    x[0] = 0  # a sequence without any step
    model = mt.Sequential([mt.Masking(), every if sequences else last], dtype="float64")
    mt.assert_gradients(model, x)


@pytest.mark.parametrize(
    "layers",
    [
        [mt.MultiHeadAttention(2, 3), mt.GlobalAveragePooling1D()],
        [mt.MultiHeadAttention(2, 3, causal=True), mt.Dense(2)],
        [mt.LayerNormalization(), mt.Dense(2), mt.Tanh(), mt.GRU(2)],
        [mt.Residual([mt.Dense(3), mt.LSTM(4, return_sequences=True)]), mt.GlobalAveragePooling1D(keepdims=True)],
        [mt.Concatenate([mt.LSTM(2, return_sequences=True), []]), mt.SimpleRNN(2)],
        [mt.Add([mt.Sequential([mt.Dense(4)]), []]), mt.PositionalEmbedding(6), mt.GRU(3)],
        [mt.BatchNormalization(momentum=0.5), mt.LSTM(2)],
        [mt.Dense(3), mt.BatchNormalization(), mt.Dense(2), mt.Softmax()],
    ],
    ids=str,
)
def test_gradients_of_masked_chains_are_right(layers, rng):
    x = rng.integers(0, 4, (6, 5))
    x[:, 0] += 1
    model = mt.Sequential([mt.Embedding(6, 4, mask_zero=True), *[layer.clone() for layer in layers]], dtype="float64")
    mt.assert_gradients(model, x)


def words(rng, n=8, time=6, vocabulary=9):
    return rng.integers(1, vocabulary, (n, time)) * random_mask(rng, n, time, "post")


@pytest.mark.parametrize(
    "layers",
    [
        [mt.LSTM(3), mt.Dense(2)],
        [mt.Bidirectional(mt.GRU(3, return_sequences=True)), mt.SimpleRNN(2)],
        [mt.MultiHeadAttention(2, 2), mt.LayerNormalization(), mt.Dense(3), mt.ReLU(), mt.GlobalAveragePooling1D()],
        [mt.Residual([mt.Dense(4)]), mt.Concatenate([mt.Dense(2), [mt.Dense(3), mt.Tanh()]]), mt.LSTM(2)],
    ],
    ids=str,
)
def test_more_padding_changes_nothing(layers, rng):
    model = mt.Sequential([mt.Input((None,)), mt.Embedding(9, 4, mask_zero=True), *layers], rng=0, dtype="float64")
    x = words(rng)
    longer = np.pad(x, ((0, 0), (0, 3)))
    before = np.pad(x, ((0, 0), (2, 0)))
    np.testing.assert_allclose(model.predict(longer), model.predict(x), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.predict(before), model.predict(x), rtol=1e-10, atol=1e-12)


def tagger(*last, loss=None, metrics=("accuracy",), optimizer=None):
    """A class for each step."""
    layers = [
        mt.Input((None,)),
        mt.Embedding(9, 4, mask_zero=True),
        mt.GRU(5, return_sequences=True),
        mt.Dense(3),
        *last,
    ]
    model = mt.Sequential(layers, rng=0, dtype="float64")
    return model.compile(optimizer or mt.SGD(0.1), loss or mt.CrossEntropyLoss(), list(metrics))


def test_the_loss_is_the_mean_over_real_steps_and_metrics_count_these_alone(rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    model = tagger(metrics=["accuracy", "f1"])
    found = model.evaluate(x, y)
    real = x != 0
    scores = model.predict(x)[real]
    assert found.loss == pytest.approx(float(mt.CrossEntropyLoss()(scores, y[real])), rel=1e-12)
    assert found.accuracy == pytest.approx((scores.argmax(axis=1) == y[real]).mean(), rel=1e-12)
    other = y.copy()
    other[~real] = (other[~real] + 1) % 3
    assert model.evaluate(x, other) == found


def test_targets_of_padded_steps_have_no_effect_on_training(rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    other = np.where(x == 0, (y + 1) % 3, y)
    weights = []
    for targets in (y, other):
        model = tagger(optimizer=mt.Adam(0.01))
        history = model.fit(x, targets, epochs=3, batch_size=3, validation_data=(x, targets))
        weights.append([*model.get_weights(), history["loss"], history["val_accuracy"]])
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["sample", "class", "both"])
def test_weights_of_examples_and_classes_come_on_top_of_the_mask(kind, rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    of_class = {0: 1.0, 1: 2.0, 2: 0.5} if kind != "sample" else None
    of_example = rng.uniform(size=len(x)) if kind != "class" else None
    model = tagger()
    real, scores = x != 0, model.predict(x)
    factors = np.ones(x.shape)
    if of_class:
        factors = np.vectorize(of_class.get)(y)
    if of_example is not None:
        factors = factors * of_example[:, None]
    losses = np.array(
        [
            [float(mt.CrossEntropyLoss()(s[None], t[None])) for s, t in zip(*row, strict=True)]
            for row in zip(scores, y, strict=True)
        ]
    )
    due = (losses * factors)[real].sum() / real.sum()
    history = model.fit(x, y, batch_size=None, sample_weight=of_example, class_weight=of_class)
    assert history["loss"][0] == pytest.approx(due, rel=1e-10)


def test_ignored_targets_and_padding_are_both_left_out(rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    y[0, 0] = y[3] = -100
    model = tagger(loss=mt.CrossEntropyLoss(ignore_index=-100))
    kept, scores = (x != 0) & (y != -100), model.predict(x)
    found = model.evaluate(x, y)
    assert found.loss == pytest.approx(float(mt.CrossEntropyLoss()(scores[kept], y[kept])), rel=1e-12)
    assert found.accuracy == pytest.approx((scores[kept].argmax(axis=1) == y[kept]).mean(), rel=1e-12)


def test_accumulated_gradients_weigh_each_real_step_alike(rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    at_once, in_parts = tagger(), tagger()
    at_once.fit(x, y, batch_size=None)
    in_parts.fit(x, y, batch_size=2, accumulate=4, shuffle=False)
    for a, b in zip(at_once.get_weights(), in_parts.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


def test_a_loss_of_numbers_leaves_padding_out(rng):
    x = mt.Masking().example_input((6, 5, 2), rng)
    y = rng.normal(size=(6, 5, 3))
    layers = [mt.Input((5, 2)), mt.Masking(), mt.LSTM(4, return_sequences=True), mt.Dense(3)]
    model = mt.Sequential(layers, rng=0, dtype="float64").compile("sgd", "mse", ["mae", "rmse"])
    real = (x != 0).any(axis=2)
    off = (model.predict(x) - y)[real]
    found = model.evaluate(x, y)
    np.testing.assert_allclose(list(found), [(off**2).mean(), abs(off).mean(), np.sqrt((off**2).mean())], rtol=1e-10)


def test_a_batch_of_padding_alone_gives_no_loss_and_no_nan(rng):
    model = tagger(metrics=[])
    x = np.zeros((4, 5), int)
    assert model.fit(x, np.zeros((4, 5), int))["loss"] == [0]
    assert all(np.isfinite(value).all() for value in model.get_weights())


def test_a_loss_without_weights_is_refused_where_there_is_a_mask(rng):
    class Plain(mt.Loss):
        def forward(self, prediction, target):
            self.cache = prediction - target
            return (self.cache**2).mean()

        def backward(self):
            return 2 * self.cache / self.cache.size

    model = tagger(loss=Plain(), metrics=[])
    x = words(rng)
    with pytest.raises(ValueError, match=r"Plain\(\) takes no weights, so it cannot leave out steps that are padding"):
        model.fit(x, np.zeros((*x.shape, 3)))


# Which layers pass a mask on


class Twice(mt.Layer):
    """A layer in two methods, which knows nothing of masks."""

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class TwiceWithMask(Twice):
    supports_masking = True


class Seen(Twice):
    seen = ()

    def forward(self, x, mask=None):
        Seen.seen = (*Seen.seen, mask)
        return 2 * x


def chain(*layers):
    return mt.Sequential([mt.Embedding(9, 4, mask_zero=True), *layers], rng=0)


@pytest.mark.parametrize(
    ("layer", "passes"),
    [
        (mt.Dense(2), True),
        (mt.Dropout(0.2), True),
        (mt.ReLU(), True),
        (mt.LayerNormalization(), True),
        (mt.UnitNormalization(), True),
        (mt.BatchNormalization(), True),
        (mt.MultiHeadAttention(2, 2), True),
        (mt.PositionalEmbedding(9), True),
        (mt.LSTM(2, return_sequences=True), True),
        (mt.Bidirectional(mt.LSTM(2, return_sequences=True)), True),
        (mt.Sequential([mt.Dense(2), mt.Tanh()]), True),
        (mt.Residual([mt.Dense(4)]), True),
        (TwiceWithMask(), True),
        (mt.LSTM(2), False),
        (mt.Bidirectional(mt.LSTM(2)), False),
        (mt.GlobalAveragePooling1D(), False),
        (mt.Sequential([mt.LSTM(2)]), False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_mask_goes_on_as_in_keras(layer, passes, rng):
    x = words(rng)
    model = chain(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(x, training=True)
    if passes:
        np.testing.assert_array_equal(model.output_mask, x != 0)
    else:
        assert model.output_mask is None


@pytest.mark.parametrize("layer", [mt.Flatten(), mt.GlobalMaxPooling1D(), mt.Reshape((2, -1)), Twice()], ids=repr)
def test_a_layer_that_ends_the_mask_is_named_once(layer, rng):
    model = chain(layer)
    model.ensure_built((6,))
    with pytest.warns(
        UserWarning, match=r"gets a mask and does not pass it on: .* set supports_masking = True"
    ) as seen:
        [model.predict(words(rng)) for _ in range(3)]
    assert len(seen) == 1
    model(words(rng), training=True)
    assert model.output_mask is None


def test_a_layer_whose_forward_takes_a_mask_sees_it(rng):
    Seen.seen = ()
    x = words(rng)
    model = chain(Seen())
    model.ensure_built((6,))
    model(x)
    np.testing.assert_array_equal(Seen.seen[-1], x != 0)
    assert model.output_mask is None


def test_without_padding_there_is_no_mask(rng):
    model = mt.Sequential([mt.Embedding(9, 4), mt.GRU(2, return_sequences=True), mt.Dense(2)], rng=0)
    model(words(rng), training=True)
    assert model.output_mask is None


def test_a_mask_of_an_earlier_batch_is_not_used_again(rng):
    model = chain(mt.Dense(2))
    model(words(rng), training=True)
    assert model.output_mask is not None
    model.layers[0].mask_zero = False
    model.drop_caches()
    model(words(rng), training=True)
    assert model.output_mask is None


def test_masks_of_branches_are_joined():
    a, b = np.array([[True, False, False]]), np.array([[True, True, False]])
    x = np.zeros((1, 3, 2))
    np.testing.assert_array_equal(any_of([a, b]), b)
    assert any_of([a, None]) is None
    np.testing.assert_array_equal(joined([a, b], [x, x], -1), b)
    np.testing.assert_array_equal(joined([a, None], [x, x], 1), [[True, False, False, True, True, True]])
    assert joined([a, None], [x, x], 2).all()
    assert joined([None, None], [x, x], 1) is None


def test_a_model_of_ones_own_passes_the_mask_itself(rng):
    class Reader(mt.Model):
        def __init__(self, rng=None, dtype="float32"):
            super().__init__(rng, dtype)
            self.embedding, self.lstm = mt.Embedding(9, 4, mask_zero=True), mt.LSTM(3, return_sequences=True)

        def build(self, input_shape):
            self.lstm.ensure_built(self.embedding.ensure_built(input_shape))

        def forward(self, x):
            h = self.embedding.forward(x)
            self.output_mask = self.embedding.output_mask
            return self.lstm.forward(h, mask=self.output_mask)

        def backward(self, dy):
            return self.embedding.backward(self.lstm.backward(dy))

    x = words(rng)
    y = rng.normal(size=(*x.shape, 3))
    own = Reader(rng=0, dtype="float64").compile("sgd", "mse", ["mae"])
    chained = mt.Sequential([mt.Embedding(9, 4, mask_zero=True), mt.LSTM(3, return_sequences=True)], dtype="float64")
    chained.compile("sgd", "mse", ["mae"]).ensure_built((6,))
    own.ensure_built((6,))
    chained.set_weights(own.get_weights())
    assert own.evaluate(x, y) == chained.evaluate(x, y)
    assert own.fit(x, y, epochs=2, batch_size=None)["loss"] == chained.fit(x, y, epochs=2, batch_size=None)["loss"]
    mt.assert_gradients(own, x)


@pytest.mark.parametrize("mask", [np.ones((4, 6)), np.ones((4, 5), bool), np.ones((4, 6, 1), bool), "all"])
@pytest.mark.parametrize("layer", [mt.LSTM(2), mt.GlobalAveragePooling1D(), mt.BatchNormalization()], ids=repr)
def test_a_wrong_mask_is_refused(layer, mask, rng):
    layer = layer.clone().initialize((6, 3), 0)
    with pytest.raises(ValueError, match=r"expected a mask of bool, \(4, 6\), True where x has a step"):
        layer.forward(rng.normal(size=(4, 6, 3)), mask=mask)


def test_a_layer_that_moves_steps_and_claims_to_pass_the_mask_is_named(rng):
    class Shorter(mt.Layer):
        supports_masking = True

        def forward(self, x):
            self.cache = x.shape
            return x[:, 1:]

        def backward(self, dy):
            return np.concatenate([np.zeros_like(dy[:, :1]), dy], axis=1)

    model = mt.Sequential([mt.Embedding(9, 4, mask_zero=True), Shorter(), mt.Dense(2)], rng=0)
    model.compile("sgd", mt.CrossEntropyLoss())
    with pytest.raises(
        ValueError, match=r"the mask of the model's outputs has shape \(8, 6\), and the outputs have \(8, 5, 2\)"
    ):
        model.fit(words(rng), rng.integers(0, 2, (8, 5)))


# Graphs


def test_a_graph_passes_masks_as_a_sequential_does(rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    parts = [mt.Embedding(9, 4, mask_zero=True), mt.LSTM(4, return_sequences=True), mt.Dense(4), mt.Dense(3)]
    nodes = [
        ("e", parts[0], "x"),
        ("l", parts[1], "e"),
        ("d", parts[2], "e"),
        ("s", mt.Add(), ["l", "d"]),
        ("o", parts[3], "s"),
    ]
    graph = mt.Graph({"x": (None,)}, nodes, "o", rng=0, dtype="float64")
    assert graph.output_shape == (None, 3) or graph.compute_output_shape((None,)) == (None, 3)
    a, b, c, d = (part.clone() for part in parts)
    chained = mt.Sequential([mt.Input((None,)), a, mt.Add([b, c]), d], dtype="float64")
    for model in (graph, chained):
        model.compile(mt.SGD(0.1), mt.CrossEntropyLoss(), ["accuracy"])
    graph.require_built("test")
    chained.layers  # noqa: B018 builds it
    chained.set_weights(graph.get_weights())
    assert graph.evaluate(x, y) == chained.evaluate(x, y)
    assert graph.fit(x, y, epochs=3, batch_size=None)["loss"] == chained.fit(x, y, epochs=3, batch_size=None)["loss"]
    mt.assert_gradients(graph, x)


def test_each_output_of_a_graph_has_its_own_mask(rng):
    x = words(rng)
    nodes = [
        ("words", mt.Embedding(9, 4, mask_zero=True), "x"),
        ("tags", mt.GRU(3, return_sequences=True), "words"),
        ("all", mt.GRU(2), "words"),
    ]
    model = mt.Graph({"x": (6,)}, nodes, ["tags", "all"], rng=0, dtype="float64")
    model.compile(mt.SGD(0.1), [mt.CrossEntropyLoss(), mt.CrossEntropyLoss()], [["accuracy"], ["accuracy"]])
    tags, kinds = rng.integers(0, 3, x.shape), rng.integers(0, 2, len(x))
    of_tags, of_all = model.predict(x)
    real, loss = x != 0, mt.CrossEntropyLoss()
    found = model.evaluate(x, [tags, kinds])
    due = float(loss(of_tags[real], tags[real])), float(loss(of_all, kinds))
    np.testing.assert_allclose([found.tags_loss, found.all_loss], due, rtol=1e-12)
    assert found.loss == pytest.approx(sum(due), rel=1e-12)
    assert found.tags_accuracy == pytest.approx((of_tags[real].argmax(axis=1) == tags[real]).mean())
    history = model.fit(x, [np.where(real, tags, (tags + 1) % 3), kinds], batch_size=None)
    assert history["loss"][0] == pytest.approx(sum(due), rel=1e-12)


def test_a_node_of_a_graph_takes_a_sequence_and_a_state(rng):
    nodes = [
        ("summary", mt.GRU(4), "question"),
        ("words", mt.GRU(4, return_sequences=True), ["answer", "summary"]),
        ("out", mt.Dense(2), "words"),
    ]
    model = mt.Graph({"question": (5, 3), "answer": (None, 2)}, nodes, "out", rng=0, dtype="float64")
    inputs = [rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 4, 2))]
    mt.assert_gradients(model, inputs)
    assert model.predict(inputs).shape == (6, 4, 2)


# Steps by hand, and looking inside


def test_a_step_by_hand_and_a_look_inside_know_the_mask(rng):
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    fitted, by_hand = tagger(), tagger()
    loss = fitted.fit(x, y, batch_size=None)["loss"][0]
    assert by_hand.test_on_batch(x, y) == pytest.approx(loss, rel=1e-12)
    assert by_hand.train_on_batch(x, y) == pytest.approx(loss, rel=1e-12)
    for a, b in zip(fitted.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    inside = fitted.outputs(x)
    np.testing.assert_array_equal(inside["dense_1"], fitted.predict(x))
    gradient = fitted.gradient(x, target=y, layer="embedding_1")
    assert not gradient[x == 0].any()
    assert gradient[x != 0].all()


# Threads and files


def test_predictions_in_several_threads_keep_their_masks_apart(rng):
    from concurrent.futures import ThreadPoolExecutor

    model = tagger()
    batches = [words(rng, n=20) for _ in range(20)]
    due = [model.predict(x) for x in batches]
    with ThreadPoolExecutor(8) as pool:
        for found, right in zip(pool.map(model.predict, batches), due, strict=True):
            np.testing.assert_array_equal(found, right)


def test_a_file_keeps_masks_and_open_lengths(tmp_path, rng):
    model = tagger(mt.Softmax(), loss=mt.CrossEntropyLoss(from_logits=False))
    x = words(rng)
    y = rng.integers(0, 3, x.shape)
    model.fit(x, y)
    model.save(tmp_path / "m.keras")
    again = mt.load_model(tmp_path / "m.keras")
    assert repr(again.layers) == repr(model.layers)
    assert again.input_shape == (None,)
    assert again.evaluate(x, y) == model.evaluate(x, y)
