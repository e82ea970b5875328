"""Layers of a Graph that give several arrays: recurrent layers with their state, and graphs with several outputs."""

import warnings

import numpy as np
import pytest

import minitorch_np as mt


def seq2seq(kind=mt.LSTM, dtype="float64", rng=0, **options):
    states = ["h", "c"] if kind is mt.LSTM else ["h"]
    return mt.Graph(
        inputs={"question": (5, 3), "answer": (4, 2)},
        nodes=[
            (["encoder", *states], kind(6, return_state=True), "question"),
            ("decoder", kind(6, return_sequences=True, **options), ["answer", *states]),
            ("y", mt.Dense(2), "decoder"),
        ],
        outputs="y",
        rng=rng,
        dtype=dtype,
    )


def data(rng, n=20):
    return [rng.normal(size=(n, 5, 3)), rng.normal(size=(n, 4, 2))], rng.normal(size=(n, 4, 2))


@pytest.mark.parametrize("kind", [mt.SimpleRNN, mt.LSTM, mt.GRU], ids=lambda kind: kind.__name__)
def test_gradients_reach_the_encoder_through_the_state(kind):
    mt.gradcheck(seq2seq(kind), [(3, 5, 3), (3, 4, 2)])


def test_the_decoder_begins_with_the_state_of_the_encoder(rng):
    graph = seq2seq()
    x, _ = data(rng)
    layers = dict(graph.walk())
    _, h, c = layers["encoder"](x[0])
    due = layers["y"](layers["decoder"](x[1], initial_state=[h, c]))
    np.testing.assert_allclose(graph.predict(x), due, rtol=1e-12)
    assert list(graph.parameters())[:2] == ["encoder.kernel", "encoder.recurrent_kernel"]


def test_outputs_and_summary_name_what_a_node_gives(rng, capsys):
    graph = seq2seq()
    x, _ = data(rng)
    graph.require_built("here")
    y, h, c = graph.outputs(x, "encoder")
    np.testing.assert_array_equal(y, h)
    np.testing.assert_array_equal(c, graph.get_layer("encoder")(x[0])[2])
    graph.summary()
    printed = capsys.readouterr().out
    assert "encoder, h, c (LSTM)" in printed
    assert "answer, h, c" in printed


@pytest.mark.filterwarnings("ignore:.*Keras")
def test_it_is_trained_copied_and_saved(rng, tmp_path):
    graph = seq2seq().compile("adam", "mse")
    x, y = data(rng)
    history = graph.fit(x, y, epochs=30)
    assert history["loss"][-1] < history["loss"][0]
    assert repr(mt.Graph(**graph.config())) == repr(graph)
    graph.save(tmp_path / "graph.keras")
    opened = mt.load_model(tmp_path / "graph.keras")
    np.testing.assert_array_equal(opened.predict(x), graph.predict(x))
    fits = [model.fit(x, y, epochs=2, shuffle=False) for model in (graph, opened)]
    assert dict(fits[0]) == dict(fits[1])
    graph.save_weights(tmp_path / "graph.weights.h5")
    other = seq2seq(rng=7)
    other.require_built("here")
    other.load_weights(tmp_path / "graph.weights.h5")
    np.testing.assert_array_equal(other.predict(x), graph.predict(x))


def test_a_frozen_encoder_does_not_learn_and_the_decoder_does(rng):
    graph = seq2seq().compile("sgd", "mse")
    graph.require_built("here")
    encoder, decoder = graph.get_layer("encoder"), graph.get_layer("decoder")
    encoder.trainable = False
    before = [encoder.get_weights(), decoder.get_weights()]
    graph.fit(*data(rng))
    assert all(np.array_equal(a, b) for a, b in zip(before[0], encoder.get_weights(), strict=True))
    assert all((a != b).any() for a, b in zip(before[1], decoder.get_weights(), strict=True))


def test_a_layer_in_two_nodes_may_give_several_arrays():
    lstm = mt.LSTM(4, return_state=True)
    nodes = [
        (["a", "h", "c"], lstm, "x"),
        (["b", "h2", "c2"], lstm, ["z", "h", "c"]),
        ("y", mt.Add(), ["b", "c2", "a"]),
    ]
    graph = mt.Graph({"x": (3, 2), "z": (4, 2)}, nodes, "y", dtype="float64")
    assert graph.nodes[1][1] == "a"
    mt.gradcheck(graph, [(5, 3, 2), (5, 4, 2)])


def test_what_no_node_takes_has_the_gradient_0():
    """A state that is an output of the graph, one that is not used, and an output of an inner graph that is not used."""
    lstm = mt.Bidirectional(mt.LSTM(3, return_sequences=True, return_state=True))
    nodes = [(["y", "h", "c", "h_back", "c_back"], lstm, "x"), ("z", mt.Dense(2), "c_back")]
    mt.gradcheck(mt.Graph({"x": (4, 2)}, nodes, ["z", "h"], dtype="float64"), (5, 4, 2))
    inner = mt.Graph({"x": (4,)}, [("a", mt.Dense(3), "x"), ("b", mt.Tanh(), "a")], ["a", "b"])
    for used in ("p", "q"):
        graph = mt.Graph(
            {"x": (4,)}, [(["p", "q"], inner.clone(), "x"), ("s", mt.Dense(2), used)], "s", dtype="float64"
        )
        mt.gradcheck(graph, (5, 4))


def test_with_a_state_padding_is_read_as_in_keras(rng):
    """It makes no difference at the end of sequences; before real steps a warning says so."""
    states, options = ["h"], {"return_sequences": True}
    graph = mt.Graph(
        inputs={"question": (5, 3), "answer": (4, 2)},
        nodes=[
            (["encoder", *states], mt.GRU(6, return_state=True), "question"),
            ("real", mt.Masking(), "answer"),
            ("decoder", mt.GRU(6, **options), ["real", *states]),
            ("y", mt.Dense(1), "decoder"),
        ],
        outputs="y",
        rng=0,
    )
    graph.require_built("here")
    (question, answer), _ = data(rng)
    at_end, before = answer.copy(), answer.copy()
    at_end[:, 3:], before[:, :1] = 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(graph.predict([question, at_end])[:, :3], graph.predict([question, answer])[:, :3])
    with pytest.warns(UserWarning, match=r'reads padding like real steps.* pad_sequences\(x, padding="post"\)'):
        graph.predict([question, before])
    np.testing.assert_array_equal(
        graph.compile("sgd", "mse").evaluate([question, at_end], at_end[..., :1]).loss > 0, True
    )


X = {"x": (5, 3)}
ENCODER = (["e", "h", "c"], mt.LSTM(4, return_state=True), "x")


@pytest.mark.parametrize(
    ("nodes", "output", "message"),
    [
        ([("e", ENCODER[1], "x")], "e", r"gives 3 arrays. Name each of them: \(\['e', 'e_2', 'e_3'\], layer, source\)"),
        ([(["e", "h"], ENCODER[1], "x")], "e", r"Name each of them: \(\['e', 'e_2', 'e_3'\]"),
        ([(["e", "h", "c"], mt.LSTM(4), "x")], "e", "gives one array, and the node has 3 names. .* with return_state=True"),
        ([(["e", "h"], mt.Dense(4), "x")], "e", "gives one array, and the node has 2 names.$"),
        ([(["e", "h", "h"], ENCODER[1], "x")], "e", "the name 'h' is used twice"),
        ([ENCODER, ("h", mt.Dense(2), "e")], "h", "the name 'h' is used twice"),
        ([ENCODER, ("d", mt.LSTM(4), ["x", "h"])], "d", r"a state \(h, c\) of shape \(batch, 4\), got \(batch, 4\)\. .* \['x', 'h', 'c'\]"),
        ([ENCODER, ("d", mt.GRU(4), ["x", "h", "c"])], "d", r"a state h of .* got \(batch, 4\) and \(batch, 4\)\. .* \['x', 'h'\]"),
        ([ENCODER, ("d", mt.LSTM(5), ["x", "h", "c"])], "d", r"of shape \(batch, 5\), got \(batch, 4\) and \(batch, 4\)"),
        ([ENCODER, ("d", mt.LSTM(4), ["x", ["h", "c"]])], "d", r"Write them in one list, as in \['x', 'h', 'c'\]"),
        ([ENCODER, ("d", "h", "x")], "d", "there is no earlier node 'h' whose layer it could use"),
        ([ENCODER, ("d", mt.LSTM(4), ["x", "state_h", "c"])], "d", "no input or earlier node 'state_h'. There are 'x', 'e', 'h', 'c'"),
        ([([], ENCODER[1], "x")], "e", "a name is text"),
    ],
)  # fmt: skip
def test_names_and_states_that_do_not_fit_are_refused(nodes, output, message):
    with pytest.raises(ValueError, match=message):
        mt.Graph(X, nodes, output)


def test_the_state_as_an_argument_of_the_constructor_has_an_answer():
    with pytest.raises(TypeError, match=r"there is no argument 'initial_state'. .*\['x', 'h', 'c'\]"):
        mt.LSTM(4, initial_state=["h", "c"])
