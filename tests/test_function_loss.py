"""A function as loss: its gradient by the graph or by complex step, its refusals, and its cost."""

import copy
import math
import pickle
import threading

import numpy as np
import pytest
from numpy import zeros

import minitorch_np as mt
from minitorch_np.losses import slopes


def mse(prediction, target):
    return np.mean((prediction - target) ** 2)


def squares(prediction, target):
    return np.mean((prediction - target) ** 2, axis=-1)


def network(units=1, dtype="float64", **options):
    return mt.Sequential([mt.Input((3,)), mt.Dense(4), mt.Tanh(), mt.Dense(units, **options)], rng=0, dtype=dtype)


def weights_after(loss, x, y, units=2, dtype="float64", **options):
    model = network(units, dtype).compile(mt.Adam(0.05), loss)
    history = model.fit(x, y, epochs=4, batch_size=6, progress=False, **options)
    return np.concatenate([value.ravel() for value in model.get_weights()]), history["loss"]


@pytest.mark.parametrize(
    "function", [mse, squares, lambda p, t: (p - t) ** 2, lambda y_true, y_pred: (y_true - y_pred) ** 2]
)
@pytest.mark.parametrize(("dtype", "most"), [("float64", 1e-12), ("float32", 2e-5)])
def test_fit_is_that_of_the_class(function, dtype, most, rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    for one, other in zip(
        weights_after(function, x, y, dtype=dtype), weights_after(mt.MSELoss(), x, y, dtype=dtype), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=most)


@pytest.mark.parametrize("weights", [{"sample_weight": np.arange(20.0)}, {"class_weight": {0: 1.0, 1: 3.0}}])
def test_examples_are_weighed_as_by_the_class(weights, rng):
    x, y = rng.normal(size=(20, 3)), rng.integers(0, 2, 20)
    for one, other in zip(
        weights_after(squares, x, y, 1, **weights), weights_after(mt.MSELoss(), x, y, 1, **weights), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match=r"mse returns one number for the whole batch, .*np\.mean\(…, axis=-1\)"):
        weights_after(mse, x, y, 1, **weights)


def test_evaluate_and_validation_use_the_function(rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model = network().compile("sgd", squares, ["mse"])
    history = model.fit(x, y, epochs=2, validation_data=(x, y), progress=False)
    scores = model.evaluate(x, y, batch_size=7)
    assert scores.loss == pytest.approx(scores.mse, rel=1e-12)
    assert history["val_loss"][-1] == pytest.approx(scores.loss, rel=1e-12)


# The order of the parameters


@pytest.mark.parametrize(
    "function",
    [
        lambda p, t: 3 * p + t, lambda pred, target: 3 * pred + target, lambda prediction, y: 3 * prediction + y,
        lambda output, label: 3 * output + label, lambda y_hat, y: 3 * y_hat + y, lambda y_pred, y_true: 3 * y_pred + y_true,
        lambda z, t: 3 * z + t, lambda t, p: 3 * p + t, lambda target, pred: 3 * pred + target, lambda y, p: 3 * p + y,
        lambda label, output: 3 * output + label, lambda true, y_hat: 3 * y_hat + true, lambda y_true, y_pred: 3 * y_pred + y_true,
        lambda t, z: 3 * z + t,
    ],
)  # fmt: skip
def test_names_of_parameters_tell_their_order(function):
    p, t = np.array([[1.0], [2.0]]), np.array([[10.0], [20.0]])
    loss = mt.FunctionLoss(function)
    assert loss(p, t) == 3 * 1.5 + 15
    np.testing.assert_array_equal(loss.backward(), np.full((2, 1), 1.5))


def of_letters(a, b):
    return abs(a - b)


@pytest.mark.parametrize(
    ("function", "line"),
    [
        (of_letters, r"of_letters\(a, b\): .*write def of_letters\(prediction, target\)"),
        (lambda x, y: abs(x - y), r"<lambda>\(x, y\): .*write lambda prediction, target: …"),
        (np.subtract, r".*write lambda prediction, target: subtract\(prediction, target\)"),
        (lambda *arrays: 0.0, r"<lambda>\(\*arrays\): .*write lambda prediction, target: …"),
    ],
)
def test_names_that_say_nothing_are_asked_about(function, line):
    message = rf"{line}\.$"
    with pytest.raises(ValueError, match="Sequential.compile: loss: " + message):
        network().compile("sgd", function)
    with pytest.raises(ValueError, match="Sequential.compile: metrics: " + message):
        network().compile("sgd", "mse", [function])
    with pytest.raises(ValueError, match="FunctionLoss: " + message):
        mt.FunctionLoss(function)


@pytest.mark.parametrize("given", [mse(0.0, 0.0), None, mt.MSELoss, [mse, mse], object()])
def test_what_is_no_function_is_refused(given):
    with pytest.raises(ValueError, match=r"Sequential\.compile: expected a loss such as BCELoss\(\)"):
        network().compile("sgd", given)


def test_a_loss_object_of_another_framework_is_refused():
    torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
    with pytest.raises(
        ValueError, match=r"got MSELoss\(\)\. It is PyTorch's MSELoss\. Write mt\.MSELoss, with its arguments"
    ):
        network().compile("sgd", torch.nn.MSELoss())


# Ways to the gradient


POINTS = [-1.0, 0.0, 0.5, 1.5]


@pytest.mark.parametrize(
    "function",
    [
        lambda prediction, target: np.quantile(abs(prediction - target), 0.3, axis=-1),
        lambda prediction, target: np.quantile(prediction * target, 0.77),
        lambda prediction, target: np.square(prediction - np.quantile(prediction, 0.4, axis=1, keepdims=True)).mean(
            axis=1
        ),
        lambda prediction, target: np.square(np.quantile(prediction, [0.1, 0.9], axis=0, keepdims=True)).sum(),
        lambda prediction, target: np.square(np.quantile(prediction, [[0.0, 1.0]], keepdims=True)).sum(),
        lambda prediction, target: np.subtract(*np.percentile(prediction - target, [75, 25], axis=-1)),
        lambda prediction, target: np.percentile(np.square(prediction - target), q=90, axis=0).sum(),
        lambda prediction, target: np.interp(prediction, POINTS, [0.0, 1.0, 5.0, 2.0]).mean(axis=-1),
        lambda prediction, target: np.interp(prediction, POINTS, np.sin(POINTS), left=-3.0, right=4.0).mean(axis=-1),
        lambda prediction, target: np.interp(target, POINTS, prediction[0]).mean(),
    ],
)
def test_quantiles_and_interpolation_are_followed(function, rng):
    prediction, target = 1.5 * rng.normal(size=(7, 4)), rng.normal(size=(7, 4))
    loss = mt.FunctionLoss(function)
    assert float(loss(prediction, target)) == pytest.approx(np.mean(function(prediction, target)), rel=1e-14)
    gradient = loss.backward()
    for place in np.ndindex(prediction.shape):
        step = np.zeros_like(prediction)
        step[place] = 1e-6
        difference = np.mean(function(prediction + step, target)) - np.mean(function(prediction - step, target))
        assert gradient[place] == pytest.approx(difference / 2e-6, abs=1e-8)


def test_the_matrix_of_the_fourier_transform_is_the_answer_to_it(rng):
    prediction, target = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))

    def power(prediction, target):
        return np.square(abs(np.fft.rfft(prediction - target))).mean(axis=-1)

    refused = mt.FunctionLoss(power)
    value = refused(prediction, target)
    with pytest.raises(ValueError, match=r"F = np\.fft\.rfft\(np\.eye\(n\)\), then re, im = x @ F\.real, x @ F\.imag"):
        refused.backward()
    matrix = np.fft.rfft(np.eye(5))

    def by_matrix(prediction, target):
        x = prediction - target
        return (np.square(x @ matrix.real) + np.square(x @ matrix.imag)).mean(axis=-1)

    followed = mt.FunctionLoss(by_matrix)
    assert followed(prediction, target) == pytest.approx(value, rel=1e-14)
    followed.backward()


def test_a_function_of_numpy_that_is_not_followed_is_named(rng):
    loss = mt.FunctionLoss(lambda prediction, target: np.unwrap(prediction).mean(axis=-1))
    loss(rng.normal(size=(3, 5)), rng.normal(size=(3, 5)))
    with pytest.raises(ValueError, match=r"np\.unwrap is not traced"):
        loss.backward()


def filled(prediction, target):
    values = zeros(len(prediction))
    for row in range(len(prediction)):
        values[row] = ((prediction[row] - target[row]) ** 2).mean()
    return values


def of_lists(prediction, target):
    return [sum((p - t) ** 2 for p, t in zip(*rows, strict=True)) / 2 for rows in zip(prediction, target, strict=True)]


def converted(prediction, target):
    prediction, target = np.asarray(prediction), np.array(target)
    return np.array([float(np.mean((p - t) ** 2)) for p, t in zip(prediction, target, strict=True)])


def of_math(prediction, target):
    return [math.exp(2 * math.log(math.hypot(*row))) / 2 for row in prediction - target]


def changed(prediction, target):
    prediction -= target
    prediction **= 2
    return prediction


def by_cases(prediction, target):
    error = prediction - target
    return error * error if np.mean(error) > 0 else error**2


@pytest.mark.parametrize("function", [filled, of_lists, converted, of_math, changed, by_cases, squares, mse])
def test_these_are_followed_by_the_graph(function, rng):
    p, t = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    before = p.copy(), t.copy()
    loss = mt.FunctionLoss(function)
    assert loss(p, t) == pytest.approx(mse(p, t), rel=1e-12)
    np.testing.assert_allclose(loss.backward(), (p - t) / 7, rtol=1e-12)
    np.testing.assert_array_equal((p, t), before)
    assert np.zeros is zeros
    assert not isinstance(math.exp, type(mse))


each = np.vectorize(lambda error: error * error)


def by_complex_step(prediction, target):
    return each(prediction - target).mean(axis=1)


def by_complex_step_of_the_mean(prediction, target):
    return each(prediction - target).mean()


@pytest.mark.parametrize(("function", "evaluations"), [(by_complex_step, 2), (by_complex_step_of_the_mean, 14)])
def test_the_complex_step_says_its_cost(function, evaluations, rng):
    p, t = rng.normal(size=(7, 2)), rng.normal(size=(7, 2))
    loss = mt.FunctionLoss(function)
    loss(p, t)
    with pytest.warns(
        UserWarning, match=rf"{function.__name__}: its gradient takes {evaluations} evaluations in each step, because"
    ):
        gradient = loss.backward()
    np.testing.assert_allclose(gradient, (p - t) / 7, rtol=1e-12)
    loss(p, t)
    np.testing.assert_allclose(loss.backward(), (p - t) / 7, rtol=1e-12)  # without a second warning


def test_a_value_that_depends_on_other_examples_takes_a_step_for_each_number(rng):
    def relative(prediction, target):
        values = each(prediction - target).mean(axis=1)
        return values / values.sum()

    p, t = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    loss = mt.FunctionLoss(relative)
    loss.weights = np.arange(5.0)
    loss(p, t)
    with pytest.warns(UserWarning, match="takes 10 evaluations"):
        gradient = loss.backward()
    plain = mt.FunctionLoss(lambda p, t: (lambda v: v / v.sum())(np.mean((p - t) ** 2, axis=1)))
    plain.weights = loss.weights
    plain(p, t)
    np.testing.assert_allclose(gradient, plain.backward(), rtol=1e-12)


def test_too_many_evaluations_are_refused(rng):
    p, t = rng.normal(size=(200, 6)), rng.normal(size=(200, 6))
    loss = mt.FunctionLoss(by_complex_step_of_the_mean)
    loss(p, t)
    with pytest.raises(
        ValueError,
        match=r"would take 1,200 evaluations in each step, and 1,000 are allowed \(one value for each example would take 6\)",
    ):
        loss.backward()


def random(prediction, target):
    return abs(prediction - target) * np.random.default_rng().uniform()


def misses(prediction, target):
    return np.mean(np.round(prediction) != np.round(target))


def constant(prediction, target):
    return np.mean(target**2)


lost = np.vectorize(lambda p, t: abs(p - t))


def without_imaginary_part(prediction, target):
    return lost(prediction, target).mean()


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (random, "it gives two results for the same arrays, as if it drew random numbers"),
        (misses, "it does not change with small changes of its predictions, as after a comparison, argmax or round"),
        (constant, "it does not change with small changes"),
        (without_imaginary_part, "the complex step gives another gradient than differences"),
    ],
)
def test_a_function_without_a_known_gradient_is_refused_by_name(function, reason, rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model = network().compile("sgd", function)
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=rf"^{function.__name__}: its gradient cannot be found, because .*{reason}.*"
    ) as caught:
        model.fit(x, y, progress=False)
    title = "".join(word.capitalize() for word in function.__name__.split("_"))
    assert f"\nclass {title}(mt.Loss):\n    def forward(self, prediction, target):" in str(caught.value)
    for value, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize("wrong", ["half", "of_one"])
def test_a_wrong_gradient_is_found_by_differences(wrong, rng, monkeypatch):
    """Plant the bug: a graph with another gradient is not taken."""
    right = slopes.by_graph

    def by_graph(*arguments):
        def gradient(function, x, upstream):
            found = right(*arguments).gradient(function, x, upstream)
            if wrong == "half":
                return found / 2
            found[0, 0] = 0
            return found

        return right()._replace(gradient=gradient)

    monkeypatch.setattr(slopes, "by_graph", by_graph)
    loss = mt.FunctionLoss(squares)
    p, t = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    loss(p, t)
    with pytest.warns(UserWarning, match="the graph of its operations gives another gradient than differences"):
        np.testing.assert_allclose(loss.backward(), (p - t) / 4, rtol=1e-12)


def test_a_flat_loss_is_no_error_and_is_looked_at_again(rng):
    def hinge(prediction, target):
        return np.maximum(0, 1 - prediction * target)

    loss = mt.FunctionLoss(hinge)
    loss(np.full((3, 1), 5.0), np.ones((3, 1)))
    np.testing.assert_array_equal(loss.backward(), 0)
    assert loss._gradient is None
    loss(np.full((3, 1), -5.0), np.ones((3, 1)))
    np.testing.assert_allclose(loss.backward(), -1 / 3)
    assert loss._gradient is not None


def test_an_infinite_gradient_of_a_finite_loss_is_named():
    def distance(prediction, target):
        return np.sqrt(np.sum((prediction - target) ** 2, axis=1))

    same = np.array([[1.0, 2.0], [3.0, 4.0]])
    loss = mt.FunctionLoss(distance)
    assert loss(same, same) == 0
    with pytest.raises(
        FloatingPointError, match=r"distance: the gradient is nan at prediction\[0, 0\] = 1\. .*np\.sqrt\(… \+ 1e-12\)"
    ):
        loss.backward()
    smooth = mt.FunctionLoss(lambda p, t: np.linalg.norm(p - t, axis=1))
    smooth(same, same)
    np.testing.assert_array_equal(smooth.backward(), 0)


def test_a_branch_that_the_graph_does_not_follow_is_met_later(rng):
    def branches(prediction, target):
        error = prediction - target
        return each(error).mean(axis=1) if np.mean(target) > 0 else np.mean(error**2, axis=1)

    loss = mt.FunctionLoss(branches)
    p, t = rng.normal(size=(4, 2)), np.abs(rng.normal(size=(4, 2)))
    loss(p, -t)
    np.testing.assert_allclose(loss.backward(), (p + t) / 4, rtol=1e-12)
    loss(p, t)
    with pytest.warns(UserWarning, match="takes 2 evaluations"):
        np.testing.assert_allclose(loss.backward(), (p - t) / 4, rtol=1e-12)


# What the function gets and gives


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (lambda p, t: None, "None"),
        (lambda p, t: np.mean((p - t) ** 2, axis=0), r"an array of shape \(2,\)"),
        (lambda p, t: "much", "'much'"),
        (lambda p, t: np.sqrt(p - t + 0j), r"an array of shape \(3, 2\)"),
    ],
)
def test_other_results_are_refused(returned, got):
    with pytest.raises(ValueError, match=f"expected one value for each of the 3 examples, or their mean, got {got}"):
        mt.FunctionLoss(returned)(np.ones((3, 2)), np.zeros((3, 2)))


def test_an_error_in_the_function_says_what_it_was_called_with():
    def wrong(prediction, target):
        return prediction @ target

    with pytest.raises(ValueError, match="matmul") as caught:
        mt.FunctionLoss(wrong)(np.ones((3, 2)), np.zeros((3, 2)))
    assert caught.value.__notes__ == [
        "It was raised by the loss wrong, called with NumPy arrays of shapes (3, 2) and (3, 2)."
    ]


def test_class_numbers_stay_whole_numbers_and_other_columns_arrive(rng):
    kinds = []

    def cross_entropy(logits, labels):
        kinds.append(labels.dtype.kind)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -log_p[np.arange(len(labels)), labels]

    x, y = rng.normal(size=(20, 3)), rng.integers(0, 4, 20)
    for one, other in zip(
        weights_after(cross_entropy, x, y, 4), weights_after(mt.CrossEntropyLoss(), x, y, 4), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
    assert set(kinds) == {"i"}

    def scaled(prediction, target):
        return ((prediction[:, 0] - target[:, 0]) / target[:, 1]) ** 2

    scale = rng.uniform(1, 2, 20)
    one, _ = weights_after(scaled, x, np.column_stack([y, scale]), 1)
    other, _ = weights_after(mt.MSELoss(), x, y, 1, sample_weight=scale**-2)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


def test_shapes_that_only_broadcasting_joins_are_refused(rng):
    x = rng.normal(size=(4, 3))
    with pytest.raises(
        ValueError, match=r"outputs of shape \(4, 4\) and targets of shape \(4,\), but not one example fewer"
    ):
        network(4).compile("sgd", mse).fit(x, rng.normal(size=4), progress=False)
    with pytest.raises(ValueError, match=r"exchanging the columns of y changes nothing.*Give the last layer 2 units"):
        network(1).compile("sgd", mse).fit(x, rng.normal(size=(4, 2)), progress=False)


def test_scores_are_cut_at_zero_if_the_loss_says_so(rng):
    def of_logits(prediction, target):
        return np.logaddexp(0, -prediction * (2 * target - 1))

    x = rng.normal(size=(40, 3))
    y = (x[:, 0] > 0).astype(int)
    model = network().compile(mt.Adam(0.05), mt.FunctionLoss(of_logits, from_logits=True), ["accuracy"])
    model.fit(x, y, epochs=5, progress=False)
    assert model.evaluate(x, y).accuracy == np.mean((model.predict(x)[:, 0] > 0) == y)


def test_copies_pickles_and_threads(rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = network().compile("sgd", filled)
    model.fit(x, y, progress=False)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        again.fit(x, y, shuffle=False, progress=False)
        assert again.evaluate(x, y) != model.evaluate(x, y)
    models = [network().compile("sgd", filled) for _ in range(4)]
    threads = [threading.Thread(target=one.fit, args=(x, y), kwargs={"epochs": 5, "progress": False}) for one in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.evaluate(x, y).loss for one in models}) == 1
    assert np.zeros is zeros


def test_one_loss_may_serve_two_models_at_once(rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    loss = mt.FunctionLoss(squares)
    models = [network().compile("sgd", loss) for _ in range(2)]
    threads = [threading.Thread(target=one.fit, args=(x, y), kwargs={"progress": False}) for one in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert models[0].evaluate(x, y) == models[1].evaluate(x, y)


def test_a_resumed_run_is_the_same(tmp_path, rng):
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    whole = network().compile("adam", squares)
    whole.fit(x, y, epochs=4, progress=False)
    for epochs in (2, 4):
        parts = network().compile("adam", squares)
        parts.fit(x, y, epochs=epochs, resume=tmp_path / "run", progress=False)
    for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_outputs_of_a_graph_may_have_functions(rng):
    def graph(loss):
        nodes = [("hidden", mt.Dense(4), "x"), ("two", mt.Dense(2), "hidden"), ("one", mt.Dense(1), "hidden")]
        model = mt.Graph({"x": (3,)}, nodes, ["two", "one"], rng=0, dtype="float64")
        return model.compile("sgd", loss, loss_weights=[1, 0.5])

    x, y = rng.normal(size=(20, 3)), [rng.normal(size=(20, 2)), rng.normal(size=(20, 1))]
    models = [graph([mse, squares]), graph(["mse", "mse"]), graph(squares)]
    losses = [model.fit(x, y, epochs=3, progress=False)["loss"] for model in models]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    np.testing.assert_allclose(losses[2], losses[1], rtol=1e-12)


def test_steps_of_padding_are_left_out(rng):
    x, y = rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 5, 2))
    x[0, 3:] = x[2, 1:] = 0

    def after(loss):
        layers = [mt.Input((5, 3)), mt.Masking(), mt.SimpleRNN(4, return_sequences=True), mt.Dense(2)]
        model = mt.Sequential(layers, rng=0, dtype="float64").compile("sgd", loss)
        return model.fit(x, y, epochs=3, progress=False)["loss"]

    np.testing.assert_allclose(after(squares), after(mt.MSELoss()), rtol=1e-12)
    with pytest.raises(
        ValueError, match=r"returns values of shape \(6,\), and there are weights, or padding to leave out, of shape"
    ):
        after(lambda p, t: np.mean((p - t) ** 2, axis=(1, 2)))


# gradcheck


@pytest.mark.parametrize("function", [mse, squares, lambda y_true, y_pred: abs(y_true - y_pred), filled])
def test_gradcheck_takes_a_function(function, rng):
    p, t = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    report = mt.gradcheck(function, p, t)
    assert report
    assert "FunctionLoss" in str(report)
    assert mt.gradcheck(network(2), rng.normal(size=(4, 3)), t, loss=function)
    assert mt.gradcheck(mt.FunctionLoss(function), p, t)


def test_gradcheck_asks_for_the_order_and_still_takes_pairs(rng):
    p, t = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    with pytest.raises(ValueError, match=r"gradcheck: loss: of_letters\(a, b\)"):
        mt.gradcheck(of_letters, p, t)
    assert mt.gradcheck((mse, lambda prediction, target: 2 * (prediction - target) / target.size), p, t)
    assert mt.gradcheck(lambda p, t: (mse(p, t), 2 * (p - t) / p.size), p, t)
    assert not mt.gradcheck(lambda p, t: (mse(p, t), (p - t) / p.size), p, t, raise_exception=False)


# Callbacks and searches that monitor a function


def closeness(prediction, target):
    return -np.mean(abs(prediction - target))


@pytest.mark.parametrize(
    "callback",
    [
        lambda **mode: mt.callbacks.EarlyStopping("closeness", **mode),
        lambda **mode: mt.callbacks.ModelCheckpoint("m.weights.h5", "closeness", save_best_only=True, **mode),
        lambda **mode: mt.callbacks.ReduceLROnPlateau("closeness", **mode),
    ],
    ids=["EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"],
)
def test_callbacks_ask_for_the_direction_of_a_function(callback, rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    model = network().compile("sgd", "mse", [closeness])
    message = r"whether a larger 'closeness' is better is not known\. Give mode=\"max\" or mode=\"min\".* of a function, write closeness\.mode = \"max\""
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, callbacks=[callback()], progress=False)
    model.fit(x, y, callbacks=[callback(mode="max")], progress=False)
    monkeypatch.setattr(closeness, "mode", "max", raising=False)
    model.fit(x, y, callbacks=[callback()], progress=False)


def test_a_search_asks_for_the_direction_of_a_function(rng):
    x, y = rng.normal(size=(40, 3)), rng.normal(size=40)

    def build(rate=0.1, rng=None):
        return mt.Sequential([mt.Input((3,)), mt.Dense(1)], rng=rng).compile(mt.SGD(rate), squares, [closeness])

    options = {"trials": 3, "objective": "val_closeness", "epochs": 3, "workers": 1, "progress": False}
    space = {"rate": [1e-9, 0.1]}
    with pytest.raises(ValueError, match="search: whether a larger 'val_closeness' is better is not known"):
        mt.tuning.search(build, space, x, y, **options)
    best = mt.tuning.search(build, space, x, y, mode="max", **options)
    assert best.best == {"rate": 0.1}
