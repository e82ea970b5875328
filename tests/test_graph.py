"""Graph: what it computes, layers in several places, several inputs and outputs in fit, files, and graphs that do not fit."""

import numpy as np
import pytest

import minitorch_np as mt


def two_heads(rng=0, dtype="float64"):
    """Two inputs, one encoder for both, two outputs."""
    encoder = mt.Sequential([mt.Dense(5), mt.Tanh()])
    return mt.Graph(
        inputs={"left": (4,), "right": (4,)},
        nodes=[
            ("a", encoder, "left"),
            ("b", encoder, "right"),
            ("both", mt.Concatenate(), ["a", "b"]),
            ("difference", mt.Subtract(), ["a", "b"]),
            ("same", mt.Sequential([mt.Dense(1), mt.Sigmoid()]), "both"),
            ("kind", mt.Dense(3), "difference"),
        ],
        outputs=["same", "kind"],
        rng=rng,
        dtype=dtype,
    )


def data(rng, n=40):
    left, right = rng.normal(size=(n, 4)), rng.normal(size=(n, 4))
    return left, right, (left[:, 0] > right[:, 0]).astype(float), rng.integers(0, 3, n)


def compiled(graph, **options):
    losses = [mt.BCELoss(), mt.CrossEntropyLoss()]
    return graph.compile(mt.SGD(0.1), losses, {"same": ["accuracy"], "kind": "accuracy"}, **options)


def test_it_computes_what_its_nodes_say(rng):
    graph = two_heads()
    left, right, *_ = data(rng)
    same, kind = graph.predict([left, right])
    layers = {name: layer for name, layer in graph.walk() if name}
    a, b = layers["a"](left), layers["a"](right)
    np.testing.assert_allclose(same, layers["same"](np.concatenate([a, b], axis=1)))
    np.testing.assert_allclose(kind, layers["kind"](a - b))


def test_the_gradients_of_a_layer_in_two_places_add_up(rng):
    graph = two_heads()
    left, right, *_ = data(rng)
    dys = [rng.normal(size=(40, 1)), rng.normal(size=(40, 3))]

    def value():
        return sum((y * dy).sum() for y, dy in zip(graph([left, right]), dys, strict=True))

    graph([left, right], training=True)
    dxs = graph.backward(dys)
    for array, gradient in [
        *zip((left, right), dxs, strict=True),
        *((p.value, p.grad) for p in graph.parameters().values()),
    ]:
        place = tuple(rng.integers(0, size) for size in array.shape)
        before, found = array[place], gradient[place]
        array[place] = before + 1e-6
        above = value()
        array[place] = before - 1e-6
        assert (above - value()) / 2e-6 == pytest.approx(found, rel=1e-5, abs=1e-8)
        array[place] = before


def test_the_summary_shows_what_each_node_takes(capsys):
    two_heads().summary()
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "layer output shape parameters takes" in lines
    assert "a (Sequential) (batch, 5) 25 left" in lines
    assert "b (a again) (batch, 5) 0 right" in lines
    assert "both (Concatenate) (batch, 10) 0 a, b" in lines


def test_a_shared_layer_is_one_layer():
    graph = two_heads()
    graph.require_built("here")
    assert list(graph.parameters()) == [
        "a.dense_1.kernel", "a.dense_1.bias", "same.dense_1.kernel", "same.dense_1.bias", "kind.kernel", "kind.bias",
    ]  # fmt: skip
    assert ("b", "a", "right") in graph.nodes
    by_name = mt.Graph(**graph.config())
    assert repr(by_name) == repr(graph) == repr(graph.clone())


@pytest.mark.parametrize("form", ["lists", "dictionaries", "batches"])
def test_fit_takes_lists_dictionaries_and_batches(form, rng):
    left, right, same, kind = data(rng)
    x, y = [left, right], [same, kind]
    if form == "dictionaries":
        x, y = {"right": right, "left": left}, {"kind": kind, "same": same}
    reference = compiled(two_heads()).fit([left, right], [same, kind], epochs=3, batch_size=10, shuffle=False)
    graph = compiled(two_heads())
    if form == "batches":
        batches = [
            ([left[i : i + 10], right[i : i + 10]], (same[i : i + 10], kind[i : i + 10])) for i in range(0, 40, 10)
        ]
        history = graph.fit(batches, epochs=3)
    else:
        history = graph.fit(x, y, epochs=3, batch_size=10, shuffle=False)
    assert dict(history) == dict(reference)
    assert list(history) == ["loss", "same_loss", "same_accuracy", "kind_loss", "kind_accuracy"]


def test_the_loss_is_the_weighted_sum(rng):
    left, right, same, kind = data(rng)
    graph = compiled(two_heads(), loss_weights={"same": 2.0, "kind": 0.5})
    scores = graph.evaluate([left, right], [same, kind])
    assert scores.loss == pytest.approx(2 * scores.same_loss + 0.5 * scores.kind_loss)
    probabilities, logits = graph.predict([left, right])
    assert scores.same_loss == pytest.approx(float(mt.BCELoss()(probabilities, same[:, None])))
    assert scores.kind_loss == pytest.approx(float(mt.CrossEntropyLoss()(logits, kind)))


def test_validation_weights_and_a_resumed_run(rng, tmp_path):
    left, right, same, kind = data(rng)
    weights = rng.uniform(size=40)
    options = {"batch_size": 8, "validation_split": 0.25, "sample_weight": weights}
    whole = compiled(two_heads()).fit([left, right], [same, kind], epochs=4, **options)
    assert {"val_loss", "val_same_accuracy", "val_kind_loss"} < set(whole)
    path = tmp_path / "run.ckpt"
    compiled(two_heads()).fit([left, right], [same, kind], epochs=2, resume=path, **options)
    resumed = compiled(two_heads()).fit([left, right], [same, kind], epochs=4, resume=path, **options)
    assert dict(resumed) == dict(whole)


@pytest.mark.parametrize("form", ["a list", "a dictionary", "batches", "examples"])
def test_each_output_may_have_weights_of_its_own(form, rng, tmp_path):
    """Their loss is the mean of w_i L_i, also in training, and a run that is resumed has the same weights."""
    left, right, same, kind = data(rng)
    weights = rng.uniform(size=40)
    given = {"a list": [weights, None], "a dictionary": {"same": weights}}.get(form)
    graph = compiled(two_heads())
    scores = graph.evaluate([left, right], [same, kind], sample_weight=[weights, None])
    probabilities, logits = graph.predict([left, right])
    of_one = mt.BCELoss()
    of_one.weights = weights
    assert scores.same_loss == pytest.approx(float(of_one(probabilities, same[:, None])))
    assert scores.kind_loss == pytest.approx(float(mt.CrossEntropyLoss()(logits, kind)))
    wanted = compiled(two_heads()).fit(
        [left, right], [same, kind], sample_weight=[weights, np.ones(40)], epochs=3, batch_size=10, shuffle=False
    )
    arrays = [([left, right], [same, kind], [weights, np.ones(40)])]
    if form == "batches":
        parts = [slice(start, start + 10) for start in range(0, 40, 10)]
        x = [tuple([one[rows] for one in arrays[0][part]] for part in range(3)) for rows in parts]
        history = graph.fit(x, epochs=3)
    elif form == "examples":
        history = graph.fit(Rows(arrays[0]), epochs=3, batch_size=10, shuffle=False)
    else:
        options = {"sample_weight": given, "batch_size": 10, "shuffle": False, "resume": tmp_path / "run.ckpt"}
        graph.fit([left, right], [same, kind], epochs=1, **options)
        history = compiled(two_heads()).fit([left, right], [same, kind], epochs=3, **options)
        with pytest.raises(mt.ModelFileError, match="weights"):
            compiled(two_heads()).fit([left, right], [same, kind], epochs=4, **options | {"sample_weight": None})
    assert list(history) == list(wanted)
    for name, values in wanted.items():
        assert history[name] == pytest.approx(values), name


class Rows:
    """Single examples of several arrays, in lists."""

    def __init__(self, parts):
        self.parts = parts

    def __len__(self):
        return len(self.parts[0][0])

    def __getitem__(self, number):
        return tuple([array[number] for array in part] for part in self.parts)


def test_weights_of_outputs_that_do_not_fit_are_refused(rng):
    left, right, same, kind = data(rng)
    weights = rng.uniform(size=40)
    graph = compiled(two_heads())
    for given, message in (
        ([weights] * 3, "expected sample_weight as a list of 2, one for each output, .* got a list of 3"),
        ({"other": weights}, "sample_weight: there is no output 'other'. The outputs are 'same', 'kind'"),
        ([weights[:3], None], r"expected sample_weight\[0\] of shape \(40,\), got \(3,\)"),
        ({"kind": -weights}, "weights are at least 0"),
        ([0 * weights, 0 * weights], "the weights of all examples to learn from are 0"),
        ({0: 1.0, 1: 2.0}, r"Weights of classes are class_weight=\{0: 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            graph.fit([left, right], [same, kind], sample_weight=given)
    with pytest.raises(ValueError, match="no output 'other'"):
        graph.evaluate([left, right], [same, kind], sample_weight={"other": weights})
    one = mt.Graph({"x": (4,)}, [("y", mt.Dense(1), "x")], "y", rng=0, dtype="float64").compile("sgd", "mse")
    named = one.evaluate(left, same, sample_weight={"y": weights})
    assert named == one.evaluate(left, same, sample_weight=weights) != one.evaluate(left, same)


def test_an_output_that_is_not_learnt_has_a_loss_with_the_factor_0(rng):
    left, right, same, _ = data(rng)
    graph = two_heads().compile(
        "sgd", {"same": "mse", "kind": "mse"}, {"same": None, "kind": ["mae"]}, loss_weights={"kind": 0}
    )
    before = graph.get_layer("kind").get_weights()
    history = graph.fit([left, right], [same, np.zeros((40, 3))], epochs=2)
    assert list(history) == ["loss", "same_loss", "kind_loss", "kind_mae"]
    assert history["loss"] == history["same_loss"]
    for value, due in zip(graph.get_layer("kind").get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, due)


def test_classes_of_each_output_may_have_weights(rng):
    left, right, same, kind = data(rng)
    x, of_examples = [left, right], rng.uniform(size=40)
    counts, tens = np.bincount(kind), np.array([1.0, 10.0])
    of_kind, of_same = 40 / (3 * counts), tens[same.astype(int)]
    for class_weight, weights in (
        ({"kind": "balanced"}, [None, of_kind[kind]]),
        ({"kind": dict(enumerate(of_kind)), "same": {0: 1, 1: 10}}, [of_same, of_kind[kind]]),
    ):
        fits = [
            compiled(two_heads()).fit(x, [same, kind], epochs=3, shuffle=False, **options)
            for options in ({"class_weight": class_weight}, {"sample_weight": weights})
        ]
        assert dict(fits[0]) == dict(fits[1])
    both = compiled(two_heads()).train_on_batch(x, [same, kind], of_examples, {"same": {0: 1, 1: 10}})
    times = [of_examples * of_same, of_examples]
    assert both == pytest.approx(compiled(two_heads()).train_on_batch(x, [same, kind], times))
    nodes = [("both", mt.Concatenate(), ["left", "right"]), ("y", mt.Dense(3), "both")]
    fits = []
    for options in ({"class_weight": "balanced"}, {"sample_weight": of_kind[kind]}):
        one = mt.Graph({"left": (4,), "right": (4,)}, nodes, "y", rng=0).clone()
        fits.append(one.compile("sgd", mt.CrossEntropyLoss()).fit(x, kind, shuffle=False, **options))
    assert fits[0]["loss"] == pytest.approx(fits[1]["loss"])


def test_a_frozen_front_gets_no_gradient(rng):
    graph = two_heads()
    left, right, same, kind = data(rng)
    graph.require_built("here")
    encoder = graph.sublayers()["a"]
    encoder.trainable = False
    before = [value.copy() for value in encoder.get_weights()]
    compiled(graph).fit([left, right], [same, kind], epochs=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, encoder.get_weights(), strict=True))


def test_dropout_in_two_places_draws_twice(rng):
    drop = mt.Dropout(0.5)
    graph = mt.Graph(
        {"x": (50,)}, [("a", drop, "x"), ("b", drop, "x"), ("both", mt.Subtract(), ["a", "b"])], "both", rng=0
    )
    assert graph(np.ones((2, 50)), training=True).any()
    assert not graph(np.ones((2, 50))).any()


def test_averages_of_a_shared_layer_move_in_both_places(rng):
    norm = mt.BatchNormalization(momentum=0.5)
    graph = mt.Graph(
        {"x": (2,), "z": (2,)}, [("a", norm, "x"), ("b", norm, "z"), ("y", mt.Add(), ["a", "b"])], "y", dtype="float64"
    )
    graph([np.full((3, 2), 4.0), np.full((3, 2), 8.0)], training=True)
    np.testing.assert_allclose(norm.moving_mean.value, 0.5 * (0.5 * 4) + 0.5 * 8)


def test_one_output_is_an_array_and_a_graph_may_be_a_layer(rng):
    inner = mt.Graph({"x": (3,)}, [("h", mt.Dense(3), "x"), ("y", mt.Add(), ["x", "h"])], "y")
    model = mt.Sequential([mt.Input((3,)), inner, mt.Dense(1)], rng=0).compile("sgd", "mse")
    x = rng.normal(size=(20, 3))
    history = model.fit(x, x.sum(1), epochs=5)
    assert history["loss"][-1] < history["loss"][0]
    assert model.predict(x).shape == (20, 1)


class Gate(mt.Layer):
    """A layer of two arrays, as a user writes it."""

    def build(self, shapes):
        self.scale = self.add_parameter(shapes[0][-1], "ones")

    def forward(self, x, gate):
        self.cache = x, gate
        return x * gate * self.scale.value

    def backward(self, dy):
        x, gate = self.cache
        self.scale.grad = (dy * x * gate).sum(0)
        return dy * gate * self.scale.value, dy * x * self.scale.value


def test_a_layer_of_ones_own_may_have_several_sources(rng):
    graph = mt.Graph({"x": (3,)}, [("h", mt.Dense(3), "x"), ("y", Gate(), ["x", "h"])], "y", rng=0, dtype="float64")
    mt.gradcheck(graph, (4, 3))
    assert list(graph.parameters()) == ["h.kernel", "h.bias", "y.scale"]


@pytest.mark.filterwarnings("ignore:.*Keras")
def test_a_file_keeps_what_is_shared(rng, tmp_path):
    left, right, same, kind = data(rng)
    graph = compiled(two_heads(), loss_weights=[1, 0.5])
    graph.fit([left, right], [same, kind], epochs=2, shuffle=False)
    graph.save(tmp_path / "graph.keras")
    opened = mt.load_model(tmp_path / "graph.keras")
    assert repr(opened) == repr(two_heads(rng=None))
    fits = [model.fit([left, right], [same, kind], epochs=2, shuffle=False) for model in (graph, opened)]
    assert dict(fits[0]) == dict(fits[1])


def test_a_file_keeps_the_order_of_the_inputs(rng, tmp_path):
    """Not that of the alphabet."""
    nodes = [("h", mt.Dense(4), "deep"), ("y", mt.Concatenate(), ["wide", "h"])]
    graph = mt.Graph({"wide": (3,), "deep": (3,)}, nodes, "y", rng=0).compile("adam", "mse")
    x = [rng.normal(size=(8, 3)), rng.normal(size=(8, 3))]
    options = {"shuffle": False, "resume": tmp_path / "run.ckpt", "validation_split": 0.25}
    graph.fit(x, np.ones((8, 7)), epochs=1, **options)
    graph.save(tmp_path / "graph.keras")
    opened = mt.load_model(tmp_path / "graph.keras")
    assert list(opened.inputs) == ["wide", "deep"]
    assert opened.input_shape == graph.input_shape == ((3,), (3,))
    np.testing.assert_array_equal(opened.predict(x), graph.predict(x))
    assert list(graph.fit(x, np.ones((8, 7)), epochs=2, **options)) == ["loss", "val_loss"]


NODE = ("a", mt.Dense(3), "x")


@pytest.mark.parametrize(
    ("inputs", "nodes", "outputs", "message"),
    [
        ({"x": (3,)}, [("a", mt.Dense(3), "y")], "a", "node 'a': there is no input or earlier node 'y'. There are 'x'"),
        ({"x": (3,)}, [NODE, ("b", mt.Dense(2), "a")], "a", "'b' leads to no output"),
        ({"x": (3,), "z": (4,)}, [NODE], "a", "'z' leads to no output"),
        ({"x": (3,), "z": (4,)}, [("a", mt.Add(), ["x", "z"])], "a", r"Add: source 1 gives \(batch, 3\), source 2 gives \(batch, 4\)"),
        ({"x": (3,)}, [("a", mt.Dense(3), ["x", "x"])], "a", r"does not take 2 arrays. Join them first, in a node with mt.Concatenate"),
        ({"x": (3,)}, [("a", mt.Add(), "x")], "a", "expected several arrays, got one"),
        ({"x": (3,)}, [("a", "relu", "x")], "a", r"no earlier node 'relu' whose layer it could use. Write mt.ReLU\(\)"),
        ({"x": (3,)}, [("a", mt.ReLU, "x")], "a", "ReLU is a class"),
        ({"x": 3}, [NODE], "a", r"a shape is a tuple: write \{'x': \(3,\)\}"),
        ({}, [NODE], "a", "inputs is a dictionary"),
        ({"x": (3,)}, [NODE, ("a", mt.ReLU(), "a")], "a", "the name 'a' is used twice"),
        ({"x": (3,)}, [NODE], ["a", "a"], "expected each name once"),
        ({"x": (3,)}, [NODE], "b", "there is no node 'b'"),
        ({"x": (3,)}, [("a.b", mt.Dense(3), "x")], "a.b", "without dots"),
        ({"x": (3,)}, [("a", mt.Dense(3))], "a", "a node is"),
        ({"x": (3,)}, [("a", "x", mt.Dense(3))], "a", r"in this order: write \('a', Dense\(units=3\), 'x'\)"),
        ({"x": mt.Input((3,))}, [NODE], "a", r"inputs has shapes: write \{'x': \(3,\)\}"),
    ],
)  # fmt: skip
def test_a_graph_that_does_not_fit_is_refused(inputs, nodes, outputs, message):
    with pytest.raises(ValueError, match=message):
        mt.Graph(inputs, nodes, outputs)


def test_data_and_losses_that_do_not_fit_are_refused(rng):
    left, right, same, kind = data(rng)
    graph = compiled(two_heads())
    for x, y, message in (
        (left, [same, kind], "expected x as a list of 2 arrays, in the order 'left', 'right'"),
        ([left, right[:3]], [same, kind], r"'right' has shape \(3, 4\)"),
        (
            {"left": left, "other": right},
            [same, kind],
            "x has 'left', 'other', and the model's names are 'left', 'right'",
        ),
        ([left, right[:, :2]], [same, kind], r"expected x\[1\] of shape \(batch, 4\), got \(40, 2\)"),
        ([left, right], [same, kind + 7], "output 'kind'"),
        ([left, right], same, "expected y as a list of 2 arrays"),
        ([left, np.full_like(right, np.nan)], [same, kind], r"x\[1\]\[0, 0\] is nan"),
    ):
        with pytest.raises(ValueError, match=message):
            graph.fit(x, y)
    for class_weight, message in (
        (
            {0: 1, 1: 2, 2: 3},
            r"the outputs 'same', 'kind', so class_weight names those that it is for: class_weight=\{'same': ",
        ),
        ("balanced", "the outputs 'same', 'kind'"),
        ({"other": "balanced"}, "the outputs 'same', 'kind'"),
        ({"kind": {0: 1, 1: 2}}, "output 'kind': class_weight has .*, y also has 2"),
        ({"kind": 3}, "output 'kind': class_weight is a dictionary"),
    ):
        with pytest.raises(ValueError, match=message):
            graph.fit([left, right], [same, kind], class_weight=class_weight)
    with pytest.raises(ValueError, match="output 'kind': class_weight='balanced' needs all targets"):
        graph.train_on_batch([left, right], [same, kind], class_weight={"kind": "balanced"})
    for loss, message in (
        (["mse"], "expected loss as a list of 2"),
        ({"same": "mse"}, r"output 'kind' has no loss\. One that is not learnt .*loss_weights=\{'kind': 0\}"),
        (["mse", None], "output 'kind' has no loss"),
        ({"same": "mse", "kind": "mse", "x": "mse"}, "there is no output 'x'"),
        ([mt.MSELoss, "mse"], "output 'same': expected a loss"),
    ):
        with pytest.raises(ValueError, match=message):
            graph.compile("sgd", loss)
    with pytest.raises(ValueError, match="loss_weights"):
        mt.Graph({"x": (3,)}, [NODE], "a").compile("sgd", "mse", loss_weights=[2])


@pytest.mark.parametrize(
    "layer",
    [mt.Add(), mt.Average(), mt.Multiply(), mt.Maximum(), mt.Minimum(), mt.Concatenate(), mt.Concatenate(axis=1)],
    ids=repr,
)
def test_what_merges_several_arrays_has_right_gradients(layer):
    mt.gradcheck(layer, [(4, 2, 3), (4, 2, 3), (4, 2, 3)], strict_dtype=True)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (mt.Subtract(), [(4, 3), (4, 3)]),
        (mt.Dot(), [(4, 3), (4, 3)]),
        (mt.Dot(2, normalize=True), [(4, 3, 5), (4, 2, 5)]),
        (mt.Dot((1, 2)), [(4, 3, 5), (4, 2, 3)]),
        (mt.Multiply(), [(4, 3, 3, 5), (4, 1, 1, 5)]),
        (mt.Subtract(), [(4, 2, 1), (4, 1, 3)]),
        (mt.Maximum(), [(4, 3), (4, 1)]),
    ],
    ids=repr,
)
def test_two_arrays_of_other_shapes_have_right_gradients(layer, shapes):
    mt.gradcheck(layer, shapes, strict_dtype=True)


def test_what_merges_arrays_may_be_called_on_them():
    x = np.ones((2, 3))
    for y in (mt.Add()(x, 2 * x), mt.Add()([x, 2 * x])):
        np.testing.assert_array_equal(y, 3 * x)
    np.testing.assert_array_equal(mt.Add([[], mt.Rescaling(2.0)])(x), 3 * x)
    with pytest.raises(ValueError, match="got a second one in the place of training"):
        mt.ReLU()(x, x)


def test_gradcheck_of_graphs(rng):
    mt.gradcheck(two_heads(), [(5, 4), (5, 4)])
    mt.gradcheck(two_heads(), {"left": rng.normal(size=(5, 4)), "right": rng.normal(size=(5, 4))})
    words = mt.Graph(
        inputs={"words": (4,), "numbers": (3,)},
        nodes=[
            ("vectors", mt.Embedding(10, 2), "words"),
            ("flat", mt.Flatten(), "vectors"),
            ("all", mt.Concatenate(), ["flat", "numbers"]),
            ("y", mt.Dense(1), "all"),
        ],
        outputs="y",
    )
    report = mt.gradcheck(words, [rng.integers(0, 10, (6, 4)), rng.normal(size=(6, 3))])
    assert {"x", "vectors.embeddings", "y.kernel"} <= set(report.tensors)


class WrongGate(Gate):
    def backward(self, dy):
        x, gate = self.cache
        self.scale.grad = (dy * x * gate).sum(0)
        return dy * gate * self.scale.value, dy * gate * self.scale.value


def test_gradcheck_names_the_node_of_a_graph_that_is_wrong():
    nodes = [("h", mt.Dense(3), "x"), ("y", WrongGate(), ["x", "h"]), ("z", mt.Dense(2), "y")]
    with pytest.raises(mt.GradcheckError, match=r"is WRONG in y \(WrongGate\(\)\)"):
        mt.gradcheck(mt.Graph({"x": (3,)}, nodes, "z"), (4, 3))
    with pytest.raises(mt.GradcheckError, match="is used instead of `x`"):
        mt.gradcheck(WrongGate(), [(4, 3), (4, 3)])


class Examples:
    """Single examples of two inputs and two outputs, as a Dataset of PyTorch gives them."""

    def __init__(self, arrays, *, by_name):
        self.arrays, self.by_name = arrays, by_name

    def __len__(self):
        return 40

    def __getitem__(self, number):
        left, right, same, kind = (array[number] for array in self.arrays)
        if self.by_name:
            return {"right": right, "left": left}, {"kind": kind, "same": same}
        return (left, right), (same, kind)


@pytest.mark.parametrize("by_name", [True, False])
def test_single_examples_of_several_inputs_are_stacked(by_name, rng):
    arrays = data(rng)
    left, right, same, kind = arrays
    fits = [
        compiled(two_heads()).fit(Examples(arrays, by_name=by_name), epochs=2, batch_size=8),
        compiled(two_heads()).fit([left, right], [same, kind], epochs=2, batch_size=8),
    ]
    for name, values in fits[1].items():
        assert fits[0][name] == pytest.approx(values)


def test_one_output_may_be_named_too():
    graph = mt.Graph({"x": (3,)}, [("a", mt.Dense(1), "x")], ["a"]).compile("sgd", {"a": "mse"}, {"a": "mae"})
    history = graph.fit({"x": np.ones((4, 3))}, {"a": np.ones(4)})
    assert list(history) == ["loss", "mae"]
    with pytest.raises(TypeError, match=r"Write mt\.Graph"):
        mt.Graph(inputs={"x": (3,)}, outputs="a")


def test_a_generator_of_dictionaries(rng):
    left, right, same, kind = data(rng)

    def batches():
        for start in range(0, 40, 10):
            rows = slice(start, start + 10)
            yield {"left": left[rows], "right": right[rows]}, {"same": same[rows], "kind": kind[rows]}

    graph = compiled(two_heads())
    history = graph.fit(batches, epochs=3)
    assert history.epochs == 3
    graph.fit(batches())


def test_what_is_for_one_input_or_output_is_refused(rng):
    left, right, same, kind = data(rng)
    graph = compiled(two_heads())
    assert [found.shape for found in graph.predict_proba([left, right])] == [(40, 2), (40, 3)]
    assert [found.shape for found in graph.predict_classes([left, right])] == [(40,), (40,)]
    with pytest.raises(ValueError, match="only a Sequential says which layer is the first, got a Graph"):
        graph.fit([left, right], [same, kind], in_span=True)


def build(rng, rate=0.1):
    graph = two_heads(rng)
    return graph.compile(
        mt.SGD(rate), [mt.BCELoss(), mt.CrossEntropyLoss()], {"same": ["accuracy"], "kind": "accuracy"}
    )


def test_cross_validation_holds_out_rows_of_every_input_and_output(rng):
    left, right, same, kind = data(rng, 60)
    x, y = {"right": right, "left": left}, {"kind": kind, "same": same}
    found = mt.tuning.cross_validate(build, x, y, folds=3, epochs=2, batch_size=10)
    for fold, ((train, held_out), seed) in enumerate(zip(found.folds, found.seeds, strict=True)):
        graph = build(seed)
        graph.fit([left[train], right[train]], [same[train], kind[train]], epochs=2, batch_size=10)
        wanted = graph.evaluate([left[held_out], right[held_out]], [same[held_out], kind[held_out]])
        assert {name: values[fold] for name, values in found.scores.items()} == wanted._asdict()
        for classes in (same, 3 * same + kind):  # each class of the first output, and in it each class of the second
            counts = [np.unique(classes[rows], return_counts=True)[1] for rows in (held_out, slice(None))]
            assert abs(counts[0] - counts[1] / 3).max() < (1 if classes is same else 2)
    again = mt.tuning.cross_validate(build, [left, right], [same, kind], folds=3, epochs=2, batch_size=10)
    assert repr(again) == repr(found)
    assert repr(found).split()[:3] == ["fold", "loss", "same_loss"]
    for wrong, message in (
        ([left], "expected x as a list of 2 arrays"),
        ({"left": left, "x": right}, "the model's names are 'left', 'right'"),
    ):
        with pytest.raises(ValueError, match=message):
            mt.tuning.cross_validate(build, wrong, y, folds=3)


def test_search_looks_at_one_of_several_outputs(rng):
    left, right, same, kind = data(rng, 60)
    x, y = {"right": right, "left": left}, {"kind": kind, "same": same}
    options = {"method": "grid", "folds": 2, "epochs": 3, "objective": "val_same_loss", "workers": 1}
    found = mt.tuning.search(build, {"rate": [1e-6, 0.5]}, x, y, **options)
    assert found.best == {"rate": 0.5}
    assert found.refit(x, y).history.epochs == 3
    by_accuracy = mt.tuning.search(
        build, {"rate": [0.0, 0.5]}, [left, right], [same, kind], **options | {"objective": "val_kind_accuracy"}
    )
    assert by_accuracy.table[0]["score"] >= by_accuracy.table[1]["score"]
    result = mt.tuning.rate_test(build(0), x, y, steps=10)
    assert result.losses == mt.tuning.rate_test(build(0), [left, right], [same, kind], steps=10).losses


def test_batches_of_dictionaries_resume_where_their_numbers_are_the_same(rng, tmp_path):
    left, right, same, kind = data(rng)

    def batches(scale=1.0):
        rows = [slice(start, start + 10) for start in range(0, 40, 10)]
        return [
            ({"left": scale * left[r], "right": right[r]}, {"same": same[r], "kind": kind[r]}, {"kind": same[r] + 1})
            for r in rows
        ]

    whole = compiled(two_heads()).fit(batches(), epochs=3)
    path = tmp_path / "run.ckpt"
    compiled(two_heads()).fit(batches(), epochs=1, resume=path)
    assert dict(compiled(two_heads()).fit(batches(), epochs=3, resume=path)) == dict(whole)
    with pytest.raises(mt.ModelFileError, match="data"):
        compiled(two_heads()).fit(batches(2.0), epochs=4, resume=path)
