"""Losses: values, gradients, extreme inputs, and targets that do not fit."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np.base.configurable import Configurable, is_built_in
from minitorch_np.base.functions import log_softmax


def problem(loss, rng, shape=(6, 4)):
    """A prediction and a target that the loss takes."""
    if isinstance(loss, mt.BCELoss):
        return rng.uniform(0.05, 0.95, shape), rng.uniform(size=shape)
    if isinstance(loss, mt.CrossEntropyLoss) and not loss.from_logits:
        return rng.uniform(0.05, 0.95, shape), rng.integers(0, shape[-1], shape[:-1])
    if isinstance(loss, mt.CrossEntropyLoss):
        return rng.normal(size=shape), rng.integers(0, shape[-1], shape[:-1])
    if isinstance(loss, mt.NLLLoss):
        return log_softmax(rng.normal(size=shape)), rng.integers(0, shape[-1], shape[:-1])
    if isinstance(loss, mt.KLDivLoss):
        return log_softmax(rng.normal(size=shape)), rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    if isinstance(loss, mt.HingeLoss):
        return rng.normal(size=shape), rng.choice([-1.0, 1.0], shape)
    return rng.normal(size=shape), rng.uniform(size=shape)


def log_cosh(prediction, target):
    return np.logaddexp(prediction - target, target - prediction)


LOSSES = [mt.FunctionLoss(log_cosh), mt.MSELoss(), mt.BCELoss(), mt.BCEWithLogitsLoss(), mt.CrossEntropyLoss(), mt.CrossEntropyLoss(0.1),
          mt.L1Loss(), mt.HuberLoss(), mt.HuberLoss(0.3), mt.HingeLoss(), mt.FocalLoss(), mt.FocalLoss(0.5, None),
          mt.FocalLoss(0, 0.7), mt.NLLLoss(), mt.KLDivLoss(), mt.CrossEntropyLoss(from_logits=False),
          mt.CrossEntropyLoss(0.1, from_logits=False)]  # fmt: skip
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def test_every_loss_of_the_package_is_here():
    known = {
        cls
        for cls in Configurable.registry.values()
        if issubclass(cls, mt.Loss) and is_built_in(cls) and cls.__name__[0] != "_"
    }
    of_graphs = {cls for cls in known if cls.__name__ == "LossOfOutputs"}  # takes several outputs: test_graph.py
    assert known - {mt.Loss} - of_graphs == {type(loss) for loss in LOSSES}


@every_loss
def test_gradients_are_right(loss, rng):
    mt.assert_gradients(loss, *problem(loss, rng), strict_dtype=True)


@every_loss
def test_float32_stays_float32_and_nothing_is_changed(loss, rng):
    prediction, target = problem(loss, rng)
    prediction = prediction.astype(np.float32)
    targets = [target, target.astype(np.int64)] if target.dtype.kind == "i" else [target.astype(np.float32), target]
    if isinstance(loss, (mt.BCELoss, mt.BCEWithLogitsLoss, mt.MSELoss, mt.L1Loss, mt.HuberLoss, mt.FocalLoss)):
        targets.append(rng.integers(0, 2, target.shape))
    for target in targets:
        prediction.flags.writeable = target.flags.writeable = False
        assert loss(prediction, target).dtype == np.float32
        assert loss.backward().dtype == np.float32


@every_loss
def test_numpy_numbers_do_not_widen_float32(loss, rng):
    widened = type(loss)(**{k: np.float64(v) if isinstance(v, float) else v for k, v in loss.config().items()})
    prediction, target = problem(loss, rng)
    prediction = prediction.astype(np.float32)
    target = target if target.dtype.kind == "i" else target.astype(np.float32)
    assert widened(prediction, target).dtype == widened.backward().dtype == np.float32


@every_loss
def test_backward_before_forward_names_the_loss(loss):
    with pytest.raises(RuntimeError, match=r"\.backward: there is no cache to read"):
        loss.clone().backward()


@every_loss
@pytest.mark.parametrize("shape", [(1, 3), (5, 2), (4, 3, 2)])
def test_gradients_are_right_in_other_shapes(loss, shape, rng):
    mt.assert_gradients(loss, *problem(loss, rng, shape), strict_dtype=True)


@every_loss
def test_weights_multiply_each_examples_part(loss, rng):
    prediction, target = problem(loss, rng)
    alone, slopes = [], []
    for row in range(len(prediction)):
        alone.append(loss(prediction[row : row + 1], target[row : row + 1]))
        slopes.append(loss.backward())
    weighted, weights = loss.clone(), rng.uniform(0, 2, len(prediction))
    weighted.weights = weights
    assert weighted(prediction, target) == pytest.approx(np.mean(weights * alone))
    np.testing.assert_allclose(
        weighted.backward(), weights[:, None] * np.concatenate(slopes) / len(prediction), rtol=1e-12, atol=1e-15
    )


def test_bce_is_finite_and_silent_at_0_and_1():
    loss, p, t = mt.BCELoss(), np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([[0.0], [1.0], [1.0], [0.0]])
    assert loss(p, t) == 50
    assert np.isfinite(loss.backward()).all()


def test_logits_of_1000_are_exact():
    loss, x, t = mt.BCEWithLogitsLoss(), np.array([[1000.0], [-1000.0]]), np.array([[0.0], [0.0]])
    assert loss(x, t) == 500
    np.testing.assert_array_equal(loss.backward(), [[0.5], [0.0]])
    assert mt.CrossEntropyLoss()(np.array([[1000.0, 0.0]]), np.array([1])) == 1000


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_cross_entropy_of_probabilities_is_that_of_their_logits(share, rng):
    x, numbers, softmax = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), mt.Softmax()
    of_scores, of_chances = mt.CrossEntropyLoss(share), mt.CrossEntropyLoss(share, from_logits=False)
    assert of_chances(softmax(x), numbers) == pytest.approx(of_scores(x, numbers), rel=1e-14)
    np.testing.assert_allclose(softmax.backward(of_chances.backward()), of_scores.backward(), rtol=1e-12, atol=1e-15)


def test_cross_entropy_of_probabilities_is_finite_and_silent_at_0_and_1():
    loss = mt.CrossEntropyLoss(from_logits=False)
    assert loss(np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([0, 1])) == 50
    assert np.isfinite(loss.backward()).all()


@given(st.lists(st.tuples(st.floats(-30, 30), st.sampled_from([0.0, 1.0])), min_size=1, max_size=20))
def test_both_binary_losses_agree(pairs):
    x, t = (np.array(column)[:, None] for column in zip(*pairs, strict=True))
    assert mt.BCELoss()(mt.sigmoid(x), t) == pytest.approx(mt.BCEWithLogitsLoss()(x, t), rel=1e-3, abs=1e-12)


def test_class_numbers_and_one_hot_rows_mean_the_same(rng):
    x, numbers = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    first, second = mt.CrossEntropyLoss(0.1), mt.CrossEntropyLoss(0.1)
    assert first(x, numbers) == second(x, np.eye(4)[numbers])
    np.testing.assert_array_equal(first.backward(), second.backward())


@pytest.mark.parametrize("loss", [mt.MSELoss(), mt.BCELoss(), mt.BCEWithLogitsLoss()], ids=repr)
def test_a_vector_is_never_broadcast_against_a_column(loss):
    with pytest.raises(
        ValueError, match=r"expected a target of the prediction's shape \(5, 1\), got \(5,\)\. They are never"
    ):
        loss(np.full((5, 1), 0.5), np.ones(5))


def test_probabilities_outside_0_and_1_are_refused():
    with pytest.raises(
        ValueError, match=r"expected probabilities between 0 and 1, got 1\.5\. End the network with Sigmoid"
    ):
        mt.BCELoss()(np.array([[1.5]]), np.array([[1.0]]))


def test_prepare_makes_a_column_of_a_vector():
    assert mt.BCELoss().prepare(np.array([0, 1]), (1,), np.dtype("f4")).shape == (2, 1)


def test_labels_outside_0_and_1_are_listed():
    with pytest.raises(ValueError, match=r"expected targets 0 and 1 \(or between\), got -1, 1\. Map the labels first"):
        mt.BCELoss().prepare(np.array([-1, 1, -1]), (1,), np.dtype("f4"))


def test_a_single_class_is_warned_of():
    with pytest.warns(UserWarning, match="every target is 1; a model can learn only that"):
        mt.BCELoss().prepare(np.array([1, 1]), (1,), np.dtype("f4"))


def test_class_numbers_must_fit_the_outputs():
    with pytest.raises(ValueError, match="expected class numbers 0 to 2, got 3"):
        mt.CrossEntropyLoss().prepare(np.array([0, 3]), (3,), np.dtype("f4"))


def test_class_numbers_against_several_sigmoids_name_the_right_loss():
    with pytest.raises(ValueError, match=r"For class numbers use CrossEntropyLoss\(\)"):
        mt.BCELoss().prepare(np.array([0, 3]), (10,), np.dtype("f4"))


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_label_smoothing_is_a_share(share):
    with pytest.raises(ValueError, match="label_smoothing"):
        mt.CrossEntropyLoss(share)


@pytest.mark.parametrize("gamma", [0, 0.5, 2.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_focal_loss_is_finite_and_silent_at_extreme_logits(gamma, dtype):
    loss, x = mt.FocalLoss(gamma), np.array([[-1e4, -100.0, 0.0, 100.0, 1e4]] * 2, dtype)
    assert np.isfinite(loss(x, np.array([[0.0] * 5, [1.0] * 5], dtype)))
    assert np.isfinite(loss.backward()).all()


def test_focal_loss_without_focus_is_binary_cross_entropy(rng):
    x, t = problem(mt.FocalLoss(), rng)
    assert mt.FocalLoss(0, None)(x, t) == pytest.approx(mt.BCEWithLogitsLoss()(x, t), rel=1e-14)


def test_hinge_takes_0_for_minus_1(rng):
    x, t = problem(mt.HingeLoss(), rng)
    first, second = mt.HingeLoss(), mt.HingeLoss()
    assert first(x, t) == second(x, (t + 1) / 2)
    np.testing.assert_array_equal(first.backward(), second.backward())


def test_cross_entropy_is_nll_of_log_softmax(rng):
    x, t = problem(mt.CrossEntropyLoss(), rng)
    assert mt.NLLLoss()(log_softmax(x), t) == pytest.approx(mt.CrossEntropyLoss()(x, t), rel=1e-14)


def test_log_softmax_and_nll_learn_exactly_as_cross_entropy(rng):
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    histories = []
    for end, loss in (([], mt.CrossEntropyLoss()), ([mt.LogSoftmax()], mt.NLLLoss())):
        model = mt.Sequential([mt.Input((3,)), mt.Dense(4), *end], rng=1, dtype="float64")
        histories.append(model.compile(mt.SGD(0.5), loss, ["accuracy"]).fit(x, y, epochs=4, batch_size=8))
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_masked_class_costs_nothing(dtype, rng):
    """Logits of -inf, as attention and action masks write them: the loss and the gradient are those without that class."""
    kept, t = rng.normal(size=(6, 3)).astype(dtype), rng.dirichlet(np.ones(3), 6).astype(dtype)
    masked, rows = np.insert(kept, 1, -np.inf, axis=1), np.insert(t, 1, 0, axis=1)
    numbers = rng.integers(0, 3, 6)
    for loss, due, got in (
        (mt.CrossEntropyLoss(), (kept, t), (masked, rows)),
        (mt.CrossEntropyLoss(), (kept, numbers), (masked, numbers + (numbers > 0))),
        (mt.KLDivLoss(), (log_softmax(kept), t), (log_softmax(masked), rows)),
        (mt.NLLLoss(), (log_softmax(kept), numbers), (log_softmax(masked), numbers + (numbers > 0))),
    ):
        expected = loss(*due), loss.backward()
        assert loss(*got) == pytest.approx(expected[0], rel=1e-6)
        gradient = loss.backward()
        np.testing.assert_allclose(np.delete(gradient, 1, axis=1), expected[1], rtol=1e-6)
        assert not gradient[:, 1].any()


def test_weights_that_do_not_fit_the_values_are_refused():
    loss = mt.MSELoss()
    loss.weights = np.ones((3, 3))
    with pytest.raises(ValueError, match=r"weigh: the weights have shape \(3, 3\), and the values \(3,\)"):
        loss(np.zeros(3), np.ones(3))


def test_a_masked_class_of_few():
    """log(1 + e) and 0: the values of PyTorch and Keras by class number."""
    loss = mt.CrossEntropyLoss()
    assert loss(np.array([[0.0, -np.inf, 1.0]]), np.array([0])) == pytest.approx(np.log(1 + np.e))
    assert loss(np.array([[0.0, -np.inf]]), np.array([0])) == 0
    assert mt.KLDivLoss()(np.array([[0.0, -np.inf]]), np.array([[1.0, 0.0]])) == 0


@pytest.mark.parametrize("loss", [mt.BCEWithLogitsLoss(), mt.FocalLoss(), mt.FocalLoss(0, None)], ids=repr)
def test_infinite_logits_cost_nothing_where_they_are_right(loss):
    x, t = np.array([[np.inf, -np.inf, 0.3]]), np.array([[1.0, 0.0, 1.0]])
    assert loss(x, t) == pytest.approx(loss(x[:, 2:], t[:, 2:]) / 3)
    loss(x, t)
    gradient = loss.backward()
    assert np.isfinite(gradient).all()
    assert not gradient[0, :2].any()
    assert loss(-x, t) == np.inf


def test_many_classes_need_no_square_of_them(rng):
    x, t = rng.normal(size=(4, 50_000)).astype(np.float32), rng.integers(0, 50_000, 4)
    loss = mt.CrossEntropyLoss()
    tracemalloc.start()
    loss(x, t)
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * x.nbytes


MISTAKES = [
    (
        lambda: mt.HingeLoss().prepare(np.array([1, 2, 3]), (1,), np.dtype("f4")),
        "targets -1 and 1, or 0 and 1, got 2, 3",
    ),
    (lambda: mt.FocalLoss().prepare(np.array([0, 2]), (1,), np.dtype("f4")), r"expected targets 0 and 1"),
    (
        lambda: mt.KLDivLoss().prepare(np.full((2, 3), 1.5), (3,), np.dtype("f4")),
        "expected probabilities, at least 0 and with sum 1 in each row, got 1.5 to 1.5 and sums of 4.5",
    ),
    (lambda: mt.NLLLoss().prepare(np.array([0, 3]), (3,), np.dtype("f4")), "expected class numbers 0 to 2, got 3"),
    (lambda: mt.NLLLoss().prepare(np.eye(3), (3,), np.dtype("f4")), r"Give y as class numbers \(n,\)"),
    *[
        (
            lambda rows=rows: mt.CrossEntropyLoss().prepare(np.array(rows), (3,), np.dtype("f4")),
            "at least 0 and with sum 1 in each row",
        )
        for rows in ([[1.0, 1, 0]], [[1.5, -0.5, 0]], [[0.0, 0, 0]])
    ],
    *[
        (
            lambda loss=loss, wrong=wrong: loss(np.zeros((2, 3)), np.array([0, wrong])),
            f"class numbers 0 to 2, got {wrong}",
        )
        for loss in (mt.CrossEntropyLoss(), mt.NLLLoss())
        for wrong in (3, -1)
    ],
    *[
        (
            lambda wrong=wrong: mt.CrossEntropyLoss(from_logits=False)(np.array([[0.5, wrong]]), np.array([0])),
            r"expected probabilities between 0 and 1, got (-0\.5|1\.5)\. End the network with Softmax\(\), or leave out from_logits",
        )
        for wrong in (-0.5, 1.5)
    ],
    (lambda: mt.CrossEntropyLoss(from_logits="no"), "CrossEntropyLoss: from_logits is True or False, got 'no'"),
    (lambda: mt.CrossEntropyLoss()(np.zeros((2, 3)), np.zeros(2)), r"whole numbers; use y\.astype\(int\)"),
    (lambda: mt.NLLLoss()(np.zeros((2, 3)), np.zeros(2)), r"expected class numbers of shape \(2,\), got float64"),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_arguments_and_targets_are_checked(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# User-defined losses, and outputs that make no sense


class Squares(mt.Loss):
    """A correct one; the others are wrong variants of it."""

    def forward(self, prediction, target):
        self.cache = prediction - target
        return (self.cache**2).mean()

    def backward(self):
        return 2 * self.cache / self.cache.size


class Each(Squares):
    def forward(self, prediction, target):
        super().forward(prediction, target)
        return self.cache**2


class Nothing(Squares):
    def forward(self, prediction, target):
        super().forward(prediction, target)


class Kept(Squares):
    def forward(self, prediction, target):
        return np.array([super().forward(prediction, target)])


class NoGradient(Squares):
    def backward(self):
        super().backward()


class Flat(Squares):
    def backward(self):
        return super().backward().ravel()


class Swapped(Squares):
    def forward(self, y_true, y_pred):
        return super().forward(y_pred, y_true)


def of_one(loss, *end, units=1, inputs=3):
    return mt.Sequential([mt.Input((inputs,)), mt.Dense(units), *end], rng=0).compile(mt.SGD(0.1), loss)


@pytest.mark.parametrize(
    ("loss", "got"),
    [(Each(), r"an array of shape \(6, 1\)"), (Nothing(), "None"), (Kept(), r"an array of shape \(1,\)")],
    ids=repr,
)
def test_a_loss_that_is_no_number_is_named_everywhere(loss, got, rng):
    x, y, message = rng.normal(size=(6, 3)), rng.normal(size=(6, 1)), rf"\.forward: expected one number, got {got}"
    for use in (
        lambda: of_one(loss).fit(x, y),
        lambda: of_one(loss).evaluate(x, y),
        lambda: mt.gradcheck(loss, x[:, :1], y),
        lambda: mt.gradcheck(mt.Sequential([mt.Dense(1)], rng=0), x, y, loss=loss),
    ):
        with pytest.raises(ValueError, match=type(loss).__name__ + r"\(\)" + message):
            use()


@pytest.mark.parametrize(("loss", "got"), [(Flat(), r"\(6,\)"), (NoGradient(), "None")], ids=repr)
def test_a_gradient_of_another_shape_is_named_everywhere(loss, got, rng):
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))
    with pytest.raises(
        ValueError, match=rf"{loss!r}\.backward: expected .* shape \(6, 1\), got {got}".replace("()", r"\(\)")
    ):
        of_one(loss).fit(x, y)
    with pytest.raises(mt.GradcheckError, match=r"\(5?6?,?\), expected|got None"):
        mt.gradcheck(loss, x[:, :1], y)


def test_a_loss_that_takes_the_target_first_is_refused(rng):
    message = (
        r"Swapped\.forward\(y_true, y_pred\): predictions come first here.* Write forward\(self, prediction, target\)"
    )
    with pytest.raises(ValueError, match=message):
        of_one(Swapped())
    with pytest.raises(ValueError, match=message):
        mt.gradcheck(Swapped(), rng.normal(size=(6, 1)), rng.normal(size=(6, 1)))


@pytest.mark.parametrize("loss", [mt.NLLLoss(), mt.KLDivLoss()], ids=repr)
@pytest.mark.parametrize("use", ["fit", "evaluate"])
def test_a_loss_of_log_probabilities_refuses_other_outputs(loss, use, rng):
    x, numbers = rng.normal(size=(8, 3)), rng.integers(0, 4, 8)
    y = numbers if isinstance(loss, mt.NLLLoss) else np.eye(4)[numbers]
    for model in (of_one(loss, units=4), of_one(loss, mt.ReLU(), units=4)):
        before = model.get_weights()[0]
        with pytest.raises(ValueError, match=r"expected log-probabilities.*LogSoftmax\(\), or use CrossEntropyLoss"):
            getattr(model, use)(x, y)
        np.testing.assert_array_equal(model.get_weights()[0], before)
    getattr(of_one(loss, mt.LogSoftmax(), units=4), use)(x, y)


class Own(mt.Model):
    """A model whose last layer cannot be found in a list."""

    def __init__(self, units, last, rng=0):
        super().__init__(rng)
        self.last, self.dense = last, mt.Dense(units)

    def forward(self, x):
        return self.last(self.dense(x))

    def backward(self, dy):
        return self.dense.backward(self.last.backward(dy))


@pytest.mark.parametrize("use", ["fit", "evaluate"])
def test_scores_that_are_probabilities_already_are_warned_of(use, rng):
    x, numbers = rng.normal(size=(8, 3)), rng.integers(0, 4, 8)
    model = Own(4, mt.Softmax()).compile(mt.SGD(0.1), mt.CrossEntropyLoss())
    model(x)
    with pytest.warns(
        UserWarning, match=r"rows that sum to 1, and CrossEntropyLoss\(\) takes scores.*from_logits=False"
    ):
        getattr(model, use)(x, numbers)
    for loss in (mt.CrossEntropyLoss(from_logits=False), mt.MSELoss()):
        getattr(model.compile(mt.SGD(0.1), loss), use)(x, np.eye(4)[numbers])


def test_a_sigmoid_before_a_loss_of_scores_is_warned_of_in_a_model_of_ones_own(rng):
    model = Own(1, mt.Sigmoid()).compile(mt.SGD(0.1), mt.BCEWithLogitsLoss())
    with pytest.warns(UserWarning, match=r"the last layer is Sigmoid\(\).*leave it out, or use BCELoss\(\)"):
        model.fit(rng.normal(size=(8, 3)), rng.integers(0, 2, 8))


def test_a_softmax_over_one_unit_is_warned_of_inside_a_model(rng):
    layers = [mt.Input((3,)), mt.Dense(1), mt.Softmax(), mt.Dense(2)]
    model = mt.Sequential(layers, rng=0).compile(mt.SGD(0.1), mt.MSELoss())
    with pytest.warns(UserWarning, match=r"Softmax\(\) over one unit gives the same for every input"):
        model.fit(rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))


def test_outputs_that_are_no_probabilities_of_classes_are_warned_of(rng):
    model = of_one(mt.CrossEntropyLoss(from_logits=False), mt.Sigmoid(), units=4)
    with pytest.warns(UserWarning, match=r"outputs do not sum to 1: end it with Softmax\(\)"):
        model.fit(rng.normal(size=(8, 3)), rng.integers(0, 4, 8))


@pytest.mark.parametrize("loss", [mt.BCELoss(), mt.MSELoss(), mt.CrossEntropyLoss(from_logits=False)], ids=repr)
@pytest.mark.parametrize("end", [mt.Softmax, mt.LogSoftmax])
def test_a_softmax_over_one_unit_is_warned_of(loss, end, rng):
    message = r"oftmax\(\) over one unit gives the same for every input: end the model with Dense\(1\) and Sigmoid\(\)"
    with pytest.warns(UserWarning, match=r"Sequential\.compile: .*" + message):
        of_one(loss, end())
    if end is mt.Softmax and isinstance(loss, mt.BCELoss):
        for model in (mt.Sequential([mt.Dense(1), end()], rng=0), Own(1, end())):
            with pytest.warns(UserWarning, match=message):
                model.compile(mt.SGD(0.1), loss).fit(rng.normal(size=(8, 3)), rng.integers(0, 2, 8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_small_loss_of_a_large_logit_keeps_its_digits(dtype):
    """log(1 + exp(-40)) beside x = 40 is far below its last digit."""
    x, t = np.array([[40.0], [-40.0]], dtype), np.array([[1.0], [0.0]], dtype)
    assert mt.BCEWithLogitsLoss()(x, t) == pytest.approx(np.exp(-40.0), rel=1e-6)
    assert mt.FocalLoss(0, None)(x, t) == pytest.approx(np.exp(-40.0), rel=1e-6)


def test_a_loss_that_is_nan_for_finite_outputs_is_named_everywhere(rng):
    class Undefined(Squares):
        def forward(self, prediction, target):
            return 0 * super().forward(prediction, target) + np.nan

    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))
    with pytest.raises(FloatingPointError, match=r"First output that is not finite: Undefined\(\)"):
        of_one(Undefined()).fit(x, y)
    with pytest.warns(UserWarning, match=r"evaluate: Undefined\(\) gives nan for outputs and targets that are finite"):
        assert np.isnan(of_one(Undefined()).evaluate(x, y).loss)
    with pytest.raises(mt.GradcheckError, match="forward gives nan for finite inputs"):
        mt.gradcheck(Undefined(), y, y + 1)


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "message"),
    [
        (mt.NLLLoss(), [[0.3, 0.7]], [0], "expected log-probabilities"),
        (mt.KLDivLoss(), [[0.3, 0.7]], [[0.5, 0.5]], "expected log-probabilities"),
        (mt.CrossEntropyLoss(), [[0.3, 0.7]], [[1, 1]], "sum 1 in each row, got 1 to 1 and sums of 2"),
        (mt.BCELoss(), [[0.3], [0.7]], [[1], [2]], "expected targets 0 and 1 .*got 1, 2"),
        (mt.BCEWithLogitsLoss(), [[0.3], [0.7]], [[-1], [1]], "expected targets 0 and 1 .*got -1, 1"),
        (mt.FocalLoss(), [[0.3], [0.7]], [[-1], [1]], "expected targets 0 and 1 .*got -1, 1"),
        (mt.HingeLoss(), [[0.3], [0.7]], [[0.5], [1]], r"expected targets -1 and 1, or 0 and 1, got 0\.5"),
    ],
    ids=repr,
)
def test_a_direct_call_refuses_what_fit_refuses(loss, prediction, target, message):
    with pytest.raises(ValueError, match=message):
        loss(prediction, target)


@pytest.mark.parametrize("loss", [mt.BCELoss(), mt.BCEWithLogitsLoss(), mt.FocalLoss()], ids=repr)
def test_a_call_in_the_order_of_keras_is_warned_of(loss):
    with pytest.warns(UserWarning, match=r"The order is loss\(prediction, target\)"):
        loss([0.0, 1.0], [0.2, 0.9])
    loss([0.2, 0.9], [0.0, 1.0])
    loss([0.0, 1.0], [0.0, 1.0])
    mt.MSELoss()([0.0, 1.0], [0.2, 0.9])


def test_a_loss_of_ones_own_takes_class_numbers(rng):
    class Own(mt.Loss):
        from_logits = True

        def forward(self, prediction, target):
            self.inner = mt.CrossEntropyLoss()
            return self.inner(prediction, target)

        def backward(self):
            return self.inner.backward()

    class OfNumbers(Own):
        def prepare(self, target, output_shape, dtype):
            return target

    x, y = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    losses = []
    for loss in (OfNumbers(), mt.CrossEntropyLoss()):
        model = mt.Sequential([mt.Input((4,)), mt.Dense(3)], rng=0).compile("sgd", loss)
        losses.append(model.fit(x, y, epochs=3)["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)
    model.compile("sgd", Own())
    with pytest.raises(ValueError, match=r"write def prepare\(self, target, output_shape, dtype\): return target\.$"):
        model.fit(x, y)
