"""Inputs whose length is None: batches of any length go through fit, evaluate and predict."""

import numpy as np
import pytest

import minitorch_np as mt


def batches(rng, lengths=(5, 3, 8, 5), n=4):
    return [(rng.integers(1, 9, (n, length)), rng.integers(0, 3, n)) for length in lengths]


def reader(*layers, dtype="float64"):
    given = layers or (mt.LSTM(5), mt.Dense(3))
    model = mt.Sequential([mt.Input((None,)), mt.Embedding(9, 4), *given], rng=1, dtype=dtype)
    return model.compile(mt.SGD(0.1), mt.CrossEntropyLoss(), ["accuracy"])


def test_shapes_and_the_summary_show_the_open_length(capsys):
    model = reader(mt.Bidirectional(mt.GRU(5, return_sequences=True)), mt.Dense(3))
    model.summary()
    assert model.input_shape == (None,)
    assert model.output_shape == (None, 3)
    assert "(batch, None, 10)" in capsys.readouterr().out


def test_batches_of_differing_length_in_fit_evaluate_and_predict(rng):
    data = batches(rng)
    model, by_hand = reader(), reader()
    history = model.fit(data, epochs=2, validation_data=data)
    losses = []
    for _ in range(2):
        for x, y in data:
            losses.append(by_hand.fit(x, y, batch_size=None)["loss"][0])
    np.testing.assert_allclose(history["loss"], np.reshape(losses, (2, -1)).mean(axis=1), rtol=1e-12)
    found = model.evaluate(data)
    assert found.loss == pytest.approx(np.mean([model.evaluate(x, y).loss for x, y in data]), rel=1e-12)
    assert history["val_loss"][-1] == pytest.approx(found.loss, rel=1e-12)
    np.testing.assert_array_equal(model.predict(data), np.concatenate([model.predict(x) for x, _ in data]))


def test_a_class_for_each_step_of_batches_of_differing_length(rng):
    data = [(x, x % 3) for x, _ in batches(rng)]
    model = reader(mt.GRU(8, return_sequences=True), mt.Dense(3)).compile(
        mt.Adam(0.05), mt.CrossEntropyLoss(), ["accuracy"]
    )
    assert model.fit(data, epochs=60)["accuracy"][-1] > 0.95
    with pytest.raises(
        ValueError, match=r"outputs of different shapes, \(batch, 3, 3\), \(batch, 5, 3\), .*\[model\(x\) for"
    ):
        model.predict(data)


@pytest.mark.parametrize(
    "layers", [[mt.Flatten(), mt.Dense(3)], [mt.LayerNormalization(axis=(1, 2)), mt.LSTM(3)]], ids=str
)
def test_a_layer_that_needs_one_length_is_refused_with_the_remedy(layers):
    with pytest.raises(ValueError, match=r"sequences of one length. Give Input a number in place of None"):
        reader(*layers).summary()


def test_other_sizes_than_the_open_one_are_refused(rng):
    model = mt.Sequential([mt.Input((None, 3)), mt.LSTM(2)], rng=0)
    model.predict(rng.normal(size=(2, 7, 3)))
    for wrong in ((2, 7, 4), (2, 7)):
        with pytest.raises(ValueError, match=r"expected x of shape \(batch, None, 3\), got"):
            model.predict(rng.normal(size=wrong))
    with pytest.raises(ValueError, match="shape is a tuple of positive ints"):
        mt.Input((None, 0))


def test_another_length_than_that_of_the_first_batch_names_the_remedy(rng):
    model = mt.Sequential([mt.LSTM(2)], rng=0)
    model(rng.normal(size=(2, 7, 3)))
    with pytest.raises(
        ValueError, match=r"begin the model with Input\(\(None, 3\)\), or use mt.datasets.pad_sequences"
    ):
        model.predict(rng.normal(size=(2, 5, 3)))


def test_images_of_any_size(rng):
    layers = [mt.Input((None, None, 3)), mt.Conv2D(4, 3), mt.ReLU(), mt.MaxPooling2D(2), mt.GlobalAveragePooling2D()]
    model = mt.Sequential([*layers, mt.Dense(2)], rng=0)
    assert model.layers[3].output_shape == (None, None, 4)
    for size in ((9, 12), (20, 8)):
        assert model.predict(rng.normal(size=(2, *size, 3))).shape == (2, 2)


def test_positions_and_attention_take_any_length_up_to_the_table(rng):
    model = reader(mt.PositionalEmbedding(10), mt.MultiHeadAttention(2, 2), mt.GlobalAveragePooling1D(), mt.Dense(2))
    assert model.predict(rng.integers(0, 9, (3, 10))).shape == (3, 2)
    with pytest.raises(ValueError, match="at most 10 steps"):
        model.predict(rng.integers(0, 9, (3, 11)))


def test_the_longest_text_need_not_be_known_for_a_custom_layer(rng):
    class Scale(mt.Layer):
        def build(self, input_shape):
            self.scale = self.add_parameter((input_shape[-1],), "ones")

        def forward(self, x):
            self.cache = x
            return x * self.scale.value

        def backward(self, dy):
            self.scale.grad = (dy * self.cache).sum(axis=(0, 1))
            return dy * self.scale.value

    model = reader(Scale(), mt.LSTM(2), mt.Dense(3))
    assert model.layers[2].output_shape == (None, 4)
    model.fit(batches(rng))


# pad_sequences


def test_pad_sequences_fills_and_cuts():
    from minitorch_np.datasets import pad_sequences

    lists = [[1], [2, 3, 4], []]
    np.testing.assert_array_equal(pad_sequences(lists), [[0, 0, 1], [2, 3, 4], [0, 0, 0]])
    np.testing.assert_array_equal(pad_sequences(lists, padding="post"), [[1, 0, 0], [2, 3, 4], [0, 0, 0]])
    np.testing.assert_array_equal(pad_sequences(lists, maxlen=2), [[0, 1], [3, 4], [0, 0]])
    np.testing.assert_array_equal(
        pad_sequences(lists, maxlen=2, truncating="post", value=-1), [[-1, 1], [2, 3], [-1, -1]]
    )
    assert pad_sequences(lists).dtype == np.int32
    halves = pad_sequences([[0.5], [1, 2]])
    assert halves.dtype == np.float32
    np.testing.assert_array_equal(halves, [[0, 0.5], [1, 2]])
    vectors = [np.ones((2, 3)), np.ones((1, 3))]
    assert pad_sequences(vectors, padding="post").shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("abc",), "expected a list of sequences .* got str 'abc'. Text becomes numbers first"),
        (([1, 2],), "got 1 at place 0"),
        (([],), "expected a list of sequences"),
        (([[1]], 0), "maxlen"),
        (([[1]], 2, None, "left"), "padding is 'pre' or 'post', got 'left'"),
        (([np.ones((2, 3)), np.ones((2, 4))],), r"the steps of sequence 1 have shape \(4,\), those before it \(3,\)"),
        (([["a"]],), "text"),
    ],
)
def test_pad_sequences_names_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        mt.datasets.pad_sequences(*arguments)
