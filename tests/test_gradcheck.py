"""The gradient checker: it passes what is right, catches and names what is wrong, and leaves no trace."""

import configparser
import json
import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from closed_forms import CLOSED_FORMS

import minitorch_np as mt
from minitorch_np import assert_gradients, gradcheck
from minitorch_np.checking import GradcheckWarning
from minitorch_np.checking.subject import State


def check(target, x, y=None, **options):
    return gradcheck(target, x, y, raise_exception=False, **options)


# What is right passes


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e9, 1e30])
@pytest.mark.parametrize("layer", [mt.Dense(3), mt.Sigmoid(), mt.ReLU()], ids=repr)
def test_the_verdict_does_not_change_with_the_scale(layer, scale):
    assert check(mt.Sequential([layer, mt.Rescaling(scale)]), (5, 3)).verdict == "pass"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wrt": []}, r"wrt is 'all' or names such as 'x' and 'kernel', got \[\]"),
        ({"wrt": 3}, "wrt is 'all' or names"),
        ({"rng": "a"}, "rng: expected an int"),
        ({"raise_exception": "no"}, "raise_exception is True or False"),
        ({"loss": "msee", "y": np.ones((3, 2))}, r"gradcheck: expected a loss .* got 'msee'\. Did you mean 'mse'\?"),
        ({"loss": mt.MSELoss()}, "loss compares with a target"),
        ({"y": np.ones((3, 2))}, "y is the target of a loss"),
        ({"x": (-1, 4)}, r"its shape with the batch, such as \(3, 4\); got \(-1, 4\)"),
        ({"x": (3.0, 4)}, "its shape with the batch"),
        ({"x": (None, 4)}, "its shape with the batch"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        mt.gradcheck(mt.Dense(2), **{"x": (3, 4), **arguments})


def test_arguments_of_other_checkers_are_answered():
    for name in ("eps", "atol", "seed", "input_shape"):
        with pytest.raises(TypeError, match=rf"gradcheck: there is no argument '{name}'\. (Leave it out|Write)"):
            mt.gradcheck(mt.Dense(2), (3, 4), **{name: 1})


def test_relu_at_exactly_0_passes_and_is_reported():
    report = check(mt.ReLU(), np.array([[0.0, 1.0], [-1.0, 0.0]]))
    assert report
    assert [kink.index for kink in report.kinks] == [(0, 0), (1, 1)]
    assert "the slope is 0 on one side and" in str(report)
    assert "one of the two or between them: right" in str(report)


def test_a_subgradient_outside_the_slopes_is_refused():
    class TwoAtZero(mt.ReLU):
        def backward(self, dy):
            y = self.cache
            return dy * np.where(y > 0, 1, 2 * (self.x == 0))

        def forward(self, x):
            self.x = x
            return super().forward(x)

    report = check(TwoAtZero(), np.array([[0.0, 1.0, -1.0]]))
    assert report.verdict == "fail"


def test_whole_models_pass_with_and_without_a_loss(rng):
    model = mt.Sequential([mt.Input((3,)), mt.Dense(4), mt.ReLU(), mt.Dense(1), mt.Sigmoid()], rng=0)
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 2, (6, 1)).astype(float)
    assert check(model, x)
    assert check(model, x, y, loss=mt.BCELoss())


def test_an_image_network_is_checked_by_sampling(rng):
    layers = [
        mt.Input((64, 64, 3)),
        mt.Rescaling(1 / 255),
        mt.Flatten(),
        mt.Dense(20),
        mt.ReLU(),
        mt.Dense(1),
        mt.Sigmoid(),
    ]
    assert check(mt.Sequential(layers, rng=0), rng.integers(0, 256, (209, 64, 64, 3)).astype(np.uint8))


def test_forward_that_bears_no_complex_numbers_is_checked_by_differences():
    class Softsign(mt.Layer):
        def forward(self, x):
            self.cache = x
            return x / (1 + np.abs(x))

        def backward(self, dy):
            return dy / (1 + np.abs(self.cache)) ** 2

    class Doubled(Softsign):
        def backward(self, dy):
            return 2 * super().backward(dy)

    report = check(Softsign(), (5, 3))
    assert report
    assert report.method.startswith("finite differences: forward loses the imaginary part of complex numbers for x")
    assert check(Doubled(), (5, 3)).diagnosis.name == "constant factor"


class Saturated(mt.Sigmoid):
    """Sigmoid of x + 40, or of x + 1000: saturated for inputs of every ordinary size."""

    def __init__(self, offset):
        self.offset = offset

    def forward(self, x):
        return super().forward(x + self.offset)


def test_saturation_at_every_size_is_inconclusive_and_warned_of():
    with pytest.warns(GradcheckWarning, match="INCONCLUSIVE"):
        report = gradcheck(Saturated(40), np.full((3, 2), 3.0))
    assert report.verdict == "inconclusive"
    assert not report
    with pytest.raises(mt.GradcheckError):
        assert_gradients(Saturated(1000), np.full((3, 2), 3.0))


def test_it_leaves_no_trace(rng):
    class Noisy(mt.Layer):
        def build(self, input_shape):
            self.mean = self.add_parameter(input_shape, "zeros", trainable=False)
            self.kernel = self.add_parameter(input_shape, "ones")

        def forward(self, x):
            self.mean.value = 0.9 * self.mean.value + 0.1 * x.mean(axis=0).real
            mask = self.generator.uniform(size=x.shape) > 0.5
            self.cache = x, mask
            return x * mask * self.kernel.value

        def backward(self, dy):
            x, mask = self.cache
            self.kernel.grad = (dy * mask * x).sum(axis=0)
            return dy * mask * self.kernel.value

    layer, x = Noisy(), rng.normal(size=(5, 3))
    layer.backward(layer(x))
    before, x_before = State(layer), x.copy()
    global_before = np.random.get_state()[1].copy()  # noqa: NPY002 that is what is looked at
    assert check(layer, x)
    assert before.arrays
    assert before.generators
    for array, content in before.arrays:
        np.testing.assert_array_equal(array, content)
    for generator, state in before.generators:
        assert generator.bit_generator.state == state
    np.testing.assert_array_equal(x, x_before)
    np.testing.assert_array_equal(global_before, np.random.get_state()[1])  # noqa: NPY002


# What is wrong is caught, placed and named


def broken(base, change):
    """A layer whose backward is followed by a change."""

    class Broken(base):
        def backward(self, dy):
            return change(self, super().backward(dy), dy)

    return Broken


def kernel_times(factor):
    def change(layer, dx, dy):
        layer.kernel.grad = layer.kernel.grad * (factor(dy) if callable(factor) else factor)
        return dx

    return change


def bias_mean(layer, dx, dy):
    layer.bias.grad = dy.mean(axis=0)
    return dx


def bias_other_axis(layer, dx, dy):
    layer.bias.grad = dy.sum(axis=1)
    return dx


def unsummed_bias(layer, dx, dy):
    layer.bias.grad = dy
    return dx


def decayed(layer, dx, dy):
    layer.kernel.grad = layer.kernel.grad + 0.01 * layer.kernel.value
    return dx


def one_element(layer, dx, dy):
    layer.kernel.grad[1, 0] *= 1.001
    return dx


@pytest.mark.parametrize("scale", [1.0, 1e-5])
@pytest.mark.parametrize(
    ("layer", "shape", "name", "tensor"),
    [
        (broken(mt.Dense, kernel_times(-1))(2), (5, 3), "sign flipped", "kernel"),
        (broken(mt.Dense, kernel_times(2))(2), (5, 3), "constant factor", "kernel"),
        (broken(mt.Dense, kernel_times(lambda dy: 1 / len(dy)))(2), (5, 3), "averaged over the batch", "kernel"),
        (broken(mt.Dense, kernel_times(lambda dy: 1 / len(dy)))(5), (5, 5), "averaged over the batch", "kernel"),
        (broken(mt.Dense, bias_mean)(2), (5, 3), "averaged over the batch", "bias"),
        (broken(mt.Dense, bias_other_axis)(5), (5, 3), "summed over the wrong axis", "bias"),
        (broken(mt.Dense, unsummed_bias)(2), (5, 3), "not summed over the batch", "bias"),
        (broken(mt.Dense, decayed)(2), (5, 3), "extra term", "kernel"),
        (broken(mt.Dense, one_element)(2), (5, 3), "wrong elements", "kernel"),
        (broken(mt.Dense, lambda layer, dx, dy: dy @ layer.kernel.value)(3), (5, 3), "Jacobian transposed", "x"),
        (broken(mt.Sigmoid, lambda layer, dx, dy: dy)(), (5, 3), "derivative forgotten", "x"),
        (broken(mt.Sigmoid, lambda layer, dx, dy: dx / dy)(), (5, 3), "ignores the upstream gradient", "x"),
        (broken(mt.ReLU, lambda layer, dx, dy: dy * (layer.cache <= 0))(), (5, 3), "wrong mask", "x"),
        (broken(mt.Sigmoid, lambda layer, dx, dy: np.zeros_like(dx))(), (5, 3), "all zero", "x"),
        (broken(mt.Sigmoid, lambda layer, dx, dy: None)(), (5, 3), "never set", "x"),
    ],
    ids=lambda value: None,
)  # fmt: skip
def test_bugs_are_named(layer, shape, name, tensor, scale):
    report = check(mt.Sequential([layer, mt.Rescaling(scale)]), shape)
    assert report.verdict == "fail"
    assert report.diagnosis.name == name
    assert report.diagnosis.tensor.endswith(tensor)


def test_a_bug_without_a_pattern_is_caught_and_not_named():
    def scrambled(layer, dx, dy):
        layer.kernel.grad = np.sin(37 * layer.kernel.grad) + np.abs(layer.kernel.value)
        return dx

    report = check(broken(mt.Dense, scrambled)(4), (5, 3))
    assert report.verdict == "fail"
    assert all(diagnosis.name == "not linear in the upstream gradient" for diagnosis in report.diagnoses)


def test_the_layer_in_a_deep_model_is_named():
    for position in range(9):
        layers = [mt.Dense(4) if i % 2 == 0 else mt.Sigmoid() for i in range(9)]
        wrong = kernel_times(1.01) if position % 2 == 0 else (lambda layer, dx, dy: 1.01 * dx)
        layers[position] = broken(type(layers[position]), wrong)(*([4] if position % 2 == 0 else []))
        report = check(mt.Sequential(layers), (5, 4))
        assert report.where.startswith("broken_1 "), position
        assert all(name.startswith("broken_1.") for name, r in report.tensors.items() if r.verdict == "fail")


def test_a_model_whose_parts_are_right_but_not_their_chain(rng):
    class Forgetful(mt.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = mt.Dense(3), mt.Dense(3)

        def forward(self, x):
            return self.first(x) + self.second(x)

        def backward(self, dy):
            self.first.backward(dy)
            return self.second.backward(dy)

    report = check(Forgetful(), (5, 3))
    assert report.verdict == "fail"
    assert report.where == ""
    assert report.tensors["x"].verdict == "fail"


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [
        ("writes into its arguments", lambda self, x: np.multiply(x, 2, out=x), lambda self, dy: 2 * dy),
        (
            "stale cache",
            lambda self, x: (self.__dict__.setdefault("seen", x), x * x)[1],
            lambda self, dy: 2 * self.seen * dy,
        ),
    ],
)
def test_what_numbers_do_not_show_is_probed(name, forward, backward):
    layer = type("Probed", (mt.Layer,), {"forward": forward, "backward": backward})()
    report = check(layer, (5, 3))
    assert report.verdict == "fail"
    assert report.diagnosis.name == name


def test_a_gradient_that_is_added_up_is_named():
    class Adding(mt.Dense):
        def backward(self, dy):
            before = self.kernel.grad
            dx = super().backward(dy)
            self.kernel.grad = self.kernel.grad + (0 if before is None else before)
            return dx

    assert check(Adding(2), (5, 3)).diagnosis.name == "accumulates"


def test_a_bug_for_one_batch_size_or_mode_alone_is_caught():
    only_one = broken(mt.Sigmoid, lambda layer, dx, dy: dx * (2 if len(dy) == 1 else 1))()
    assert "for a batch of 1" in str(check(only_one, (5, 3)))
    asleep = broken(mt.Sigmoid, lambda layer, dx, dy: dx if layer.training else 2 * dx)()
    assert "in inference mode" in str(check(asleep, (5, 3)))


def test_a_gradient_hidden_by_parameters_that_are_all_1_is_caught():
    class Scale(mt.Layer):
        def build(self, input_shape):
            self.gamma = self.add_parameter(input_shape, "ones")

        def forward(self, x):
            self.cache = x
            return x * self.gamma.value

        def backward(self, dy):
            self.gamma.grad = (dy * self.cache).sum(axis=0)
            return dy

    assert check(Scale(), (5, 3)).verdict == "fail"


def test_losses_are_checked_by_their_prediction(rng):
    class Summed(mt.MSELoss):
        def backward(self):
            return super().backward() * self.cache.size

    p, t = rng.uniform(0.1, 0.9, (5, 3)), rng.uniform(size=(5, 3))
    assert check(mt.BCELoss(), p, t)
    assert check(Summed(), p, t).diagnosis.name == "missing 1/m"
    with pytest.raises(ValueError, match="give both"):
        gradcheck(mt.BCELoss(), p)


def test_a_loss_that_is_infinite_for_finite_predictions_is_wrong():
    class Naive(mt.Loss):
        def forward(self, prediction, target):
            self.cache = prediction, target
            return np.log(1 + np.exp(prediction)).mean() - (prediction * target).mean()

        def backward(self):
            prediction, target = self.cache
            return (mt.sigmoid(prediction) - target) / prediction.size

    target = np.array([[0.0], [1.0]])
    assert check(Naive(), np.array([[3.0], [-2.0]]), target)
    report = check(Naive(), np.array([[1000.0], [-2.0]]), target)
    assert report.verdict == "fail"
    assert "forward gives inf for finite inputs" in str(report)
    assert check(mt.BCEWithLogitsLoss(), np.array([[1000.0], [-2.0]]), target).verdict != "fail"


def test_digits_lost_in_float32_are_noted_and_no_failure(rng):
    class Variance(mt.Layer):
        """The variance over the features as mean(x²) - mean(x)², whose gradient has the same form."""

        def forward(self, x):
            self.cache = x
            return (x * x).mean(axis=1, keepdims=True) - x.mean(axis=1, keepdims=True) ** 2

        def backward(self, dy):
            x = self.cache
            return dy * (2 * x / x.shape[1]) - dy * (2 * x.mean(axis=1, keepdims=True) / x.shape[1])

    report = check(Variance(), 1e6 + rng.normal(size=(4, 3)))
    assert report.verdict != "fail"
    assert "In float32 dx is off by" in str(report)


# The report


def test_the_error_carries_the_report_and_says_how_to_repeat():
    with pytest.raises(mt.GradcheckError, match=r"is WRONG for kernel") as error:
        gradcheck(broken(mt.Dense, kernel_times(2))(2), (5, 3), rng=3)
    report = error.value.report
    assert report.worst.name == "kernel"
    text = str(report)
    assert len(text.splitlines()) <= 20
    assert "LIKELY BUG: kernel.grad: constant factor. Every element is 2 times the true one." in text
    assert "rng=3" in text


@pytest.mark.parametrize(
    ("hint", "told", "kept_back"),
    [
        (0, ["is WRONG"], ["kernel", "LIKELY BUG", "Multiply"]),
        (1, ["kernel.grad", "worst element", "(dx and bias.grad are right)"], ["LIKELY BUG", "2 times", "1/2"]),
        (2, ["LIKELY BUG: kernel.grad: constant factor", "2 times"], ["Multiply kernel.grad by 1/2"]),
        (3, ["Multiply kernel.grad by 1/2"], []),
    ],
)
def test_hint_decides_how_much_is_told(hint, told, kept_back):
    report = gradcheck(broken(mt.Dense, kernel_times(2))(2), (5, 3), hint=hint, raise_exception=False)
    for text in (str(report), report.to_json()):
        assert not [words for words in kept_back if words in text]
    assert not [words for words in told if words not in str(report)]
    with pytest.raises(mt.GradcheckError) as error:
        assert_gradients(broken(mt.Dense, kernel_times(2))(2), (5, 3), hint=hint)
    assert str(error.value) == str(report)


def test_hint_is_0_to_3():
    with pytest.raises(ValueError, match="hint is 0, 1, 2 or 3, got 4"):
        gradcheck(mt.Dense(2), (5, 3), hint=4)


def test_sampled_elements_are_said():
    assert "40 of 9000" in str(gradcheck(mt.Dense(30), (4, 300)))


def test_a_failure_without_a_wrong_number_has_its_reason_in_the_first_line():
    class Forgetful(mt.Layer):
        def forward(self, x):
            return x * x

        def backward(self, dy):
            return 2 * dy * self.cache

    assert "is WRONG: backward raised" in str(check(Forgetful(), (4, 3))).splitlines()[0]


def test_json_and_plot():
    report = check(broken(mt.Dense, kernel_times(2))(2), (5, 3))
    data = json.loads(report.to_json())
    assert data["verdict"] == "fail"
    assert data["diagnoses"][0]["name"] == "constant factor"
    assert data["tensors"]["kernel"]["verdict"] == "fail"
    assert "WRONG" in report._repr_html_()
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    assert "kernel" in report.plot().get_title()


def test_the_same_seed_gives_the_same_report():
    layer = broken(mt.Dense, kernel_times(2))(2)
    assert str(check(layer, (5, 3), rng=4)) == str(check(layer, (5, 3), rng=4))


def test_wrt_looks_at_some_tensors_only():
    layer = broken(mt.Dense, kernel_times(2))(2)
    assert check(layer, (5, 3), wrt=["x", "bias"])
    assert not check(layer, (5, 3), wrt="kernel")
    with pytest.raises(ValueError, match="wrt is 'all' or some of bias, kernel, x, got 'weight'"):
        check(layer, (5, 3), wrt="weight")


@pytest.mark.parametrize(
    ("x", "message"), [(np.array([["a"]]), "expected numbers in x"), (5, r"its shape with the batch, such as \(3, 4\); got 5"), ([[np.nan]], "not finite"), (np.ones((0, 3)), "no numbers")]
)  # fmt: skip
def test_inputs_that_make_no_sense_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        gradcheck(mt.Sigmoid(), x)


def test_backward_that_raises_is_a_failure_with_its_own_message():
    class Raises(mt.Sigmoid):
        def backward(self, dy):
            raise KeyError("mask")

    report = check(Raises(), (5, 3))
    assert report.verdict == "fail"
    assert "backward raised KeyError: 'mask'" in str(report)


# Layers of other packages


class TheirLayer:
    """A layer as many write it: W and b, dW and db, gradients as attributes."""

    def __init__(self, averaged=False):
        legacy = np.random.RandomState(0)
        self.W, self.b, self.averaged = legacy.randn(3, 2), np.zeros(2), averaged
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.mean(axis=0) if self.averaged else dout.sum(axis=0)
        return dout @ self.W.T


def test_layers_of_other_packages_are_checked_as_they_are():
    assert check(TheirLayer(), (5, 3))
    report = check(TheirLayer(averaged=True), (5, 3))
    assert (report.diagnosis.name, report.diagnosis.tensor) == ("averaged over the batch", "b")


def test_layers_of_other_packages_with_dictionaries():
    class Joel:
        def __init__(self):
            self.params = {"w": np.random.RandomState(0).randn(3, 2), "b": np.zeros(2)}
            self.grads = {}

        def forward(self, inputs):
            self.inputs = inputs
            return inputs @ self.params["w"] + self.params["b"]

        def backward(self, grad):
            self.grads["b"] = grad.sum(axis=0)
            self.grads["w"] = self.inputs.T @ grad * 3
            return grad @ self.params["w"].T

    report = check(Joel(), (5, 3))
    assert report.diagnosis.name == "constant factor"
    assert report.diagnosis.tensor == "params.w"


def test_layers_of_other_packages_with_other_names_and_pairs_of_functions(rng):
    class Named:
        def __init__(self):
            self.slope, self.slope_change = np.ones(3), np.zeros(3)

        def run(self, x):
            self.seen = x
            return x * self.slope

        def pull(self, dy):
            self.slope_change = (dy * self.seen).sum(axis=0)
            return -dy * self.slope

    layer = gradcheck.adapt(Named(), "pull", {"slope": "slope_change"}, forward="run")
    assert check(layer, (5, 3)).diagnosis.name == "sign flipped"

    def affine_forward(x, w, b):
        return x @ w + b, (x, w)

    def affine_backward(dout, cache):
        x, w = cache
        return dout @ w.T, x.T @ dout, dout.sum(axis=0)

    assert check(
        gradcheck.adapt(affine_forward, affine_backward, {"w": rng.normal(size=(3, 2)), "b": np.zeros(2)}), (5, 3)
    )
    with pytest.raises(ValueError, match="has no method 'forward'"):
        gradcheck.adapt(object())


# Optimisers


class WrongSign(mt.SGD):
    def update(self, parameter, state):
        self.descend(parameter, -parameter.grad)


class Aliased(mt.SGD):
    def update(self, parameter, state):
        state.setdefault("velocity", parameter.grad)
        self.descend(parameter, state["velocity"])


class Forgets(mt.SGD):
    def update(self, parameter, state):
        self.descend(parameter, parameter.grad)


class Replaces(mt.SGD):
    def update(self, parameter, state):
        parameter.replace(parameter.value - self.rate * parameter.grad)


def plain(start, gradients, optimizer):
    return start - 0.1 * sum(gradients)


def momentum(start, gradients, optimizer):
    steps = len(gradients)
    return start - 0.1 * sum(g * sum(0.9**k for k in range(steps - i)) for i, g in enumerate(gradients))


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}])
def test_right_optimizers_pass(options):
    mt.check_optimizer(mt.SGD(0.1, **options), CLOSED_FORMS[mt.SGD])
    mt.check_optimizer(mt.SGD(lambda step: 0.1 / (1 + step), **options), CLOSED_FORMS[mt.SGD])


@pytest.mark.parametrize(
    ("optimizer", "form", "message"),
    [
        (WrongSign(0.1), plain, "wrong sign"),
        (Aliased(0.1), plain, "caller's own array"),
        (Forgets(0.1, 0.9), momentum, "Earlier steps were right"),
        (Replaces(0.1), plain, "Change it in place"),
        (mt.SGD(0.2), plain, "2 times as long as it should be"),
    ],
)
def test_wrong_optimizers_are_caught(optimizer, form, message):
    with pytest.raises(AssertionError, match=message):
        mt.check_optimizer(optimizer, form)


def test_an_unknown_optimizer_asks_for_its_formula():
    with pytest.raises(ValueError, match="the closed form of Forgets is not known"):
        mt.check_optimizer(Forgets(0.1))


# In pytest and on the command line


@pytest.mark.gradients(layers=[mt.Dense(3), mt.Sigmoid()], shapes=[(5, 3), (1, 4)])
def test_the_marker_runs_over_layers_and_shapes(gradient_case):
    gradient_case(rng=1)


def test_pytest_in_another_project_does_not_load_the_package():
    entries = configparser.ConfigParser()
    entries.read(Path(__file__).parent.parent / "setup.cfg")
    assert "pytest11" not in entries["options.entry_points"]


def test_the_plugin_is_named_in_conftest(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["minitorch_np.checking.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import minitorch_np as mt\nimport pytest\n\n"
        "@pytest.mark.gradients(layers=[mt.Dense(3), mt.Sigmoid()], shapes=[(5, 3), (1, 4)])\n"
        "def test_gradients(gradient_case):\n    gradient_case()\n"
    )
    line = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    only_this = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, env=only_this, check=False)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_pytest_shortens_the_report_to_the_hint(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["minitorch_np.checking.pytest_plugin"]\n')
    (tmp_path / "test_mine.py").write_text(
        "import minitorch_np as mt\n\n"
        "class Doubled(mt.Sigmoid):\n"
        "    def backward(self, dy):\n        return 2 * super().backward(dy)\n\n"
        "def test_gradients():\n    mt.assert_gradients(Doubled(), (5, 3))\n\n"
        "def test_rule():\n    mt.check_optimizer(lambda w, dw: w + 0.1 * dw, mt.SGD(0.1))\n"
    )
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--hint"]
    only_this = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    for hint, told in (("1", False), ("2", True)):
        done = subprocess.run([*line, hint], capture_output=True, text=True, cwd=tmp_path, env=only_this, check=False)
        assert "is WRONG for dx" in done.stdout, done.stdout + done.stderr
        assert ("LIKELY BUG: dx: " in done.stdout) is told
        assert ("LIKELY BUG: the step has the wrong sign" in done.stdout) is told


@pytest.fixture
def command(tmp_path):
    (tmp_path / "mine.py").write_text(
        textwrap.dedent(
            """
            import minitorch_np as mt

            class Right(mt.Sigmoid):
                pass

            class Wrong(mt.Sigmoid):
                def backward(self, dy):
                    return 2 * super().backward(dy)

            class Needs(mt.Layer):
                def __init__(self, width):
                    self.width = width

            class Raises(mt.Layer):
                def forward(self, x):
                    raise ValueError("no forward today")
            """
        )
    )
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")

    def run(*arguments):
        line = [sys.executable, "-m", "minitorch_np", "gradcheck", *arguments]
        return subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, check=False)

    return run


def test_the_command_says_pass_fail_and_why(command, tmp_path):
    right = command("mine.py:Right", "--shape", "5,3")
    assert (right.returncode, right.stdout.splitlines()[0]) == (0, "gradcheck: Right() is right")
    wrong = command("mine.py:Wrong", "--shape", "5,3", "--json")
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout)["diagnoses"][0]["name"] == "constant factor"
    pytest.importorskip("matplotlib", reason="needs matplotlib")
    assert command("mine.py:Wrong", "--shape", "5,3", "--plot", "errors.png").returncode == 1
    assert (tmp_path / "errors.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mine.py:Wrnog", "there is no Wrnog; classes there: Right, Wrong, Needs, Raises"),
        ("mine.py:Needs", "it cannot be built: TypeError"),
        ("mine.py:Raises", "forward raised ValueError: no forward today"),
        ("none.py:Right", "there is no such file"),
        ("broken.py:Right", "the file does not import: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("mine.py", "expected file.py:Name"),
    ],
)
def test_the_command_says_in_one_line_what_it_cannot_do(command, target, message):
    done = command(target, "--shape", "5,3")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


GENERATOR, CALLS = np.random.default_rng(0), [0]


def counted():
    CALLS[0] += 1
    return CALLS[0]


@pytest.mark.parametrize(
    "factor",
    [lambda: np.random.default_rng().random(), lambda: GENERATOR.random(), lambda: time.time() % 1, counted],
    ids=["made in forward", "of the module", "clock", "counter"],
)
def test_a_forward_that_does_not_repeat_is_reported_before_anything_else(factor):
    class Noisy(mt.Layer):
        def forward(self, x):
            self.cache = 1
            return x * factor()

        def backward(self, dy):
            return dy

    for layer in (Noisy(), mt.Sequential([mt.Dense(3), Noisy()])):
        report = check(layer, (3, 4))
        assert report.verdict == "inconclusive"
        assert "forward is not repeatable" in report.findings[0]
        assert not report.diagnoses
        assert not report.kinks


def test_a_forward_that_draws_from_its_own_generator_repeats():
    class Scaled(mt.Layer):
        def forward(self, x):
            scale = self.generator.random() + np.random.random() + random.random()  # noqa: NPY002
            self.cache = scale
            return x * scale

        def backward(self, dy):
            return dy * self.cache

    report = check(Scaled(), (3, 4))
    assert report
    assert not report.findings


@pytest.mark.parametrize(
    "layer", [mt.Dropout(0.5), mt.GaussianNoise(0.5), mt.Sequential([mt.Dense(3), mt.Dropout(0.5)])], ids=repr
)
def test_nothing_is_reported_of_float32_where_a_layer_draws(layer):
    report = check(layer, (3, 4))
    assert report
    assert not report.findings


@pytest.mark.parametrize(
    ("target", "x", "message"),
    [
        (mt.Dense, (3, 4), r"gradcheck: target: Dense is a class\. Write Dense\(\), with its arguments"),
        ([mt.Dense(2)], (3, 4), r"gradcheck: target is a list\. Put its layers into one: Sequential"),
        (mt.Dense(2), 5, r"x is an array, or its shape with the batch, such as \(3, 4\); got 5"),
        (mt.Dense(2), np.ma.masked_less(np.ones((2, 3)), 2), "masked array"),
        (mt.Dense(2), None, "x is None"),
    ],
)
def test_targets_and_inputs_of_another_kind_are_named(target, x, message):
    with pytest.raises(ValueError, match=message):
        mt.gradcheck(target, x)


def test_a_model_whose_own_backward_is_wrong_may_begin_with_an_embedding():
    class Doubled(mt.Sequential):
        def backward(self, dy):
            return super().backward(2 * dy)

    model = Doubled([mt.Embedding(5, 4), mt.Flatten(), mt.Dense(3)], rng=0)
    report = mt.gradcheck(model, np.array([[1, 2], [0, 4]]), raise_exception=False)
    assert report.verdict == "fail"
    assert "Every element is 2 times the true one" in str(report)
