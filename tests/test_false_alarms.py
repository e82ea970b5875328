"""What is right is not called wrong: saturated layers, random nets, losses at the edge of their domain. What is wrong there is found."""

import numpy as np
import pytest
from gradcheck_benchmark.false_alarms import LAYERS, nets

import minitorch_np as mt
from minitorch_np import gradcheck


def check(target, x, y=None, seed=0):
    return gradcheck(target, x, y, rng=seed, raise_exception=False)


# Saturated layers


@pytest.mark.parametrize("size", [100, 1e4])
@pytest.mark.parametrize("name", ["LSTM", "GRU", "Bidirectional", "MultiHeadAttention", "GELU", "Softmax"])
def test_layers_pass_although_they_are_saturated(name, size):
    for seed in (5, 6):
        layer = LAYERS[name]().initialize((3, 2), seed, np.float64)
        report = check(layer, np.random.default_rng(seed).normal(size=(3, 3, 2)) * size, seed=seed)
        assert report.verdict == "pass", report


@pytest.mark.parametrize("x", [30.0, 1000.0])
def test_what_is_lost_in_rounding_is_said_and_compared_at_ordinary_size(x):
    report = check(mt.Sigmoid(), np.full((3, 2), x))
    assert report
    assert "lost in rounding" in str(report)
    assert "compared for x and parameters of size 1 instead" in str(report)


class WrongGate(mt.LSTM):
    """The sign of the gradient of the input gate's weights is wrong."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.kernel.grad[:, :2] *= -1
        return dx


class WrongOutput(mt.GRU):
    """dx is too large by a thousandth."""

    def backward(self, dy):
        return 1.001 * super().backward(dy)


class WrongQuery(mt.MultiHeadAttention):
    """The gradient of the query's weights is doubled."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.query_kernel.grad *= 2
        return dx


class WrongSigmoid(mt.Sigmoid):
    """The derivative is y instead of y (1 - y), which is the same where y is 0."""

    def backward(self, dy):
        return dy * self.cache


@pytest.mark.parametrize("scale", [1, 100, 1e4])
@pytest.mark.parametrize(
    ("make", "tensor"),
    [
        (lambda: WrongGate(2), "kernel"),
        (lambda: WrongOutput(2), "x"),
        (lambda: WrongQuery(1, 2), "query_kernel"),
        (WrongSigmoid, "x"),
    ],
)
def test_bugs_are_found_where_the_layer_is_saturated_too(make, tensor, scale):
    layer = make().initialize((3, 2), 1, np.float64)
    report = check(layer, np.random.default_rng(1).normal(size=(3, 3, 2)) * scale)
    assert report.verdict == "fail"
    assert report.tensors[tensor].verdict == "fail"


def test_a_bug_that_shows_at_ordinary_size_alone_says_so():
    class Doubled(mt.Sigmoid):
        def backward(self, dy):
            return 2 * super().backward(dy)

    report = check(Doubled(), np.full((3, 2), 300.0))
    assert report.setting == "for x and parameters of size 1"
    assert report.diagnosis.name == "constant factor"
    assert "At the given x and parameters its error is lost in rounding" in str(report)


def test_the_tail_of_an_approximated_function_is_no_bug():
    """Below -8, erf of GELU is an approximation with 8 digits of a slope of 1e-14, and differences see its last digit alone."""
    for seed in (3, 10, 12, 17, 22, 25, 26, 38):
        x = np.random.default_rng(seed).uniform(-9, -7, (2, 1))
        assert check(mt.GELU(), x, seed=seed).verdict == "pass"
    assert next(nets(2010, 1))[1] == "pass"


def test_hundreds_of_kinks_are_no_bug():
    x = np.random.default_rng(0).normal(size=(6, 144))
    x[:, ::3] = 0
    assert check(mt.ReLU(), x).verdict == "pass"
    pixels = np.random.default_rng(0).normal(size=(6, 3, 3, 6)).repeat(2, axis=1).repeat(2, axis=2)
    assert check(mt.MaxPooling2D(2), pixels).verdict == "pass"

    class Wrong(mt.ReLU):
        def backward(self, dy):
            return np.where(x == 0, -dy, super().backward(dy)) if len(dy) == 6 else super().backward(dy)

    assert check(Wrong(), x).verdict == "fail"


# Nets of all families


def test_random_nets_of_all_families_pass():
    verdicts = {seed: (verdict, text) for seed, verdict, text in nets(20, 4)}
    assert all(verdict == "pass" for verdict, _ in verdicts.values()), verdicts


# Losses at the edge of their domain


class Clipped(mt.Loss):
    """Cross-entropy of clipped probabilities, whose backward uses the clipped ones, as most implementations do."""

    def forward(self, prediction, target):
        p = np.clip(prediction, 1e-7, 1 - 1e-7)
        self.cache = p, target
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()

    def backward(self):
        p, target = self.cache
        return (p - target) / (p * (1 - p)) / p.size


class Unclipped(Clipped):
    def forward(self, prediction, target):
        self.cache = prediction, target
        return -(target * np.log(prediction) + (1 - target) * np.log(1 - prediction)).mean()


class Float(Clipped):
    def forward(self, prediction, target):
        return float(super().forward(prediction, target))


class Divergence(mt.Loss):
    """Kullback-Leibler divergence that gives nan for a target of 0."""

    def forward(self, prediction, target):
        self.cache = prediction, target
        return (target * np.log(target / prediction)).sum() / len(prediction)

    def backward(self):
        prediction, target = self.cache
        return -target / prediction / len(prediction)


class Overlap(mt.Loss):
    """The Dice loss, which is 0 / 0 where prediction and target are 0."""

    def forward(self, prediction, target):
        self.cache = target, (prediction * target).sum(), prediction.sum() + target.sum()
        return 1 - 2 * self.cache[1] / self.cache[2]

    def backward(self):
        target, common, total = self.cache
        return -2 * (target * total - common) / total**2


CERTAIN = np.array([[0.0, 1.0], [1.0, 0.0], [0.3, 0.7], [1.0, 0.0]])
ONE_HOT = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize("prediction", [CERTAIN, ONE_HOT, 1 - ONE_HOT, np.clip(CERTAIN, 1e-9, 1 - 1e-9)])
@pytest.mark.parametrize("loss", [Clipped, Unclipped, Float, Divergence, mt.BCELoss, Overlap])
def test_losses_pass_at_probabilities_of_0_and_1(loss, prediction):
    report = check(loss(), prediction, ONE_HOT)
    assert report.verdict == "pass", report


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "words"),
    [
        (Clipped(), CERTAIN, ONE_HOT, "6 of 8 predictions are 0 or 1, or within 1e-06 of it"),
        (Unclipped(), CERTAIN, ONE_HOT, "At x itself forward gives nan for finite inputs"),
        (Divergence(), CERTAIN, ONE_HOT, "At predictions and targets between 0 and 1 backward is right"),
        (Overlap(), 0 * ONE_HOT, 0 * ONE_HOT, "forward gives nan for finite inputs"),
        (mt.MSELoss(), ONE_HOT, ONE_HOT, "compared at other predictions instead"),
    ],
)
def test_what_happens_at_the_edge_is_a_remark(loss, prediction, target, words):
    report = check(loss, prediction, target)
    assert report.verdict == "pass"
    assert words in str(report)


@pytest.mark.parametrize("loss", [Clipped, Unclipped, Float, mt.BCELoss, mt.MSELoss])
def test_a_wrong_loss_is_found_at_the_edge_of_its_domain(loss):
    class Doubled(loss):
        def backward(self):
            return 2 * super().backward()

    for prediction in (CERTAIN, ONE_HOT, 1 - ONE_HOT):
        report = check(Doubled(), prediction, ONE_HOT)
        assert report.verdict == "fail"
        assert report.diagnosis.name == "constant factor"


def test_a_loss_that_writes_into_predictions_at_the_edge_is_found():
    class Writes(Clipped):
        def forward(self, prediction, target):
            if not np.iscomplexobj(prediction):
                np.clip(prediction, 1e-7, 1 - 1e-7, out=prediction)
            return super().forward(prediction, target)

    assert check(Writes(), CERTAIN, ONE_HOT).diagnosis.name == "writes into its arguments"


def test_a_loss_with_a_gradient_of_another_shape_is_found_at_the_given_predictions():
    class Short(Clipped):
        def backward(self):
            return super().backward()[:1]

    report = check(Short(), CERTAIN, ONE_HOT)
    assert report.verdict == "fail"
    assert not report.setting


@pytest.mark.parametrize("margin", [-1, 0, 1, 2])
@pytest.mark.parametrize("loss", [mt.HingeLoss, mt.L1Loss, mt.HuberLoss])
def test_losses_pass_at_their_kinks(loss, margin):
    signs = 2 * ONE_HOT - 1
    assert check(loss(), margin * signs, signs).verdict == "pass"


def test_a_model_that_is_certain_passes_with_its_loss():
    model = mt.Sequential([mt.Dense(2), mt.Sigmoid()], rng=0)
    x = 1e3 * np.random.default_rng(0).normal(size=(4, 3))
    report = gradcheck(model, x, ONE_HOT, loss=mt.BCELoss(), raise_exception=False)
    assert report.verdict == "pass", report


def test_a_model_that_is_certain_in_inference_mode_alone_passes_with_its_loss():
    assert next(nets(1095, 1))[1] == "pass"


@pytest.mark.parametrize("shift", [12, 20, 25])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_loss_that_is_the_rounding_of_1_is_not_judged_by_its_last_digits(shift, seed):
    """The loss is log(1 + 1e-9): its own last digit is 1e-25, but that of the sum inside is 1e-16."""
    layers = [mt.Dense(12), mt.Softplus(), mt.LogSoftmax(), mt.Dense(3), mt.LogSoftmax()]
    model = mt.Sequential(layers, rng=seed, dtype="float64")
    x = np.random.default_rng(seed).normal(size=(1, 12))
    model(x)
    layers[3].bias.value[1] += shift
    report = mt.gradcheck(model, x, np.array([1]), loss=mt.NLLLoss(), rng=0, raise_exception=False)
    assert report.verdict == "pass", str(report)
