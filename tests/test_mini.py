"""docs/mini.py gives the numbers of the package, from the same weights and the same order of examples."""

import copy
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minitorch_np as mt

PATH = Path(__file__).parents[1] / "docs" / "mini.py"
specification = importlib.util.spec_from_file_location("mini", PATH)
mini = importlib.util.module_from_spec(specification)
specification.loader.exec_module(mini)

# Each item is the units of a Dense or an activation; a list is a Sequential inside the Sequential.
ARCHITECTURES = [
    (1, "Sigmoid"),
    (7, "ReLU", 1, "Sigmoid"),
    (16, "ReLU", 16, "ReLU", 3, "Sigmoid"),
    (5, "Sigmoid", (4, "ReLU", 6), "Sigmoid", 2, "Sigmoid"),
]
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)


def small(architecture, inputs, rng):
    """The layers in mini.py, and the number of outputs."""
    layers = []
    for part in architecture:
        if isinstance(part, tuple):
            inner, inputs = small(part, inputs, rng)
            layers.append(inner)
        elif isinstance(part, str):
            layers.append(getattr(mini, part)())
        else:
            layers.append(mini.Dense(inputs, part, rng))
            inputs = part
    return mini.Sequential(layers), inputs


def layers_of(architecture):
    made = []
    for part in architecture:
        if isinstance(part, tuple):
            made.append(mt.Sequential(layers_of(part)))
        else:
            made.append(getattr(mt, part)() if isinstance(part, str) else mt.Dense(part))
    return made


def pair(architecture, rng):
    """The same network in mini.py and in the package, with the same random weights, biases included; x and t."""
    ours, outputs = small(architecture, 4, rng)
    for parameter in ours.parameters():
        parameter.value = 0.5 * rng.normal(size=parameter.value.shape)
    theirs = mt.Sequential([mt.Input((4,)), *layers_of(architecture)], rng=3, dtype="float64")
    theirs.set_weights([parameter.value for parameter in ours.parameters()])
    x = rng.normal(size=(50, 4))
    t = (x[:, :outputs] + x[:, 3:] > 0).astype(float)
    for array in (x, t):
        array.flags.writeable = False
    return ours, theirs, x, t


@every_architecture
@pytest.mark.parametrize("batch_size", [1, 7, 25, 50])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_mini_and_the_package_have_the_same_history_and_weights(architecture, batch_size, momentum, rng):
    ours, theirs, x, t = pair(architecture, rng)
    order = copy.deepcopy(theirs.shuffling)  # both draw the order of the examples from equal generators
    optimizer = mini.SGD(ours.parameters(), learning_rate=0.02, momentum=momentum)
    losses = mini.fit(ours, mini.BCELoss(), optimizer, x, t, epochs=12, batch_size=batch_size, rng=order)
    theirs.compile(mt.SGD(0.02, momentum=momentum), mt.BCELoss())
    history = theirs.fit(x, t, epochs=12, batch_size=batch_size, progress=False)
    np.testing.assert_allclose(losses, history["loss"], rtol=1e-12, atol=1e-12)
    assert losses[-1] < losses[0]
    for parameter, value in zip(ours.parameters(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(parameter.value, value, rtol=1e-12, atol=1e-12)


@every_architecture
def test_mini_and_the_package_have_the_same_gradients(architecture, rng):
    ours, theirs, x, t = pair(architecture, rng)
    loss, package_loss = mini.BCELoss(), mt.BCELoss()
    assert loss.forward(ours.forward(x), t) == pytest.approx(package_loss(theirs(x, training=True), t), rel=1e-13)
    dp = loss.backward()
    np.testing.assert_allclose(dp, package_loss.backward(), rtol=1e-12)
    np.testing.assert_allclose(ours.backward(dp), theirs.backward(dp), rtol=1e-12, atol=1e-15)
    for small_one, large_one in zip(ours.parameters(), theirs.parameters().values(), strict=True):
        np.testing.assert_allclose(small_one.grad, large_one.grad, rtol=1e-12, atol=1e-15)


@every_architecture
def test_the_gradient_check_passes_right_gradients(architecture, rng):
    ours, _, x, t = pair(architecture, rng)
    before = [parameter.value.copy() for parameter in ours.parameters()]
    assert mini.gradient_check(ours, mini.BCELoss(), x, t) < 1e-6
    assert all((parameter.value == value).all() for parameter, value in zip(ours.parameters(), before, strict=True))


def test_the_gradient_check_finds_a_mean_in_place_of_a_sum(rng, monkeypatch):
    ours, _, x, t = pair((7, "ReLU", 1, "Sigmoid"), rng)
    right = mini.Dense.backward

    def averaging(self, dy):
        dx = right(self, dy)
        self.kernel.grad = self.kernel.grad / len(dy)
        return dx

    monkeypatch.setattr(mini.Dense, "backward", averaging)
    assert mini.gradient_check(ours, mini.BCELoss(), x, t) > 1e-3


def test_extreme_values_give_finite_numbers_as_in_the_package():
    x = np.array([[-1e4, -800.0, -30.0, 0.0, 30.0, 800.0, 1e4]])
    sigmoid = mini.Sigmoid()
    y = sigmoid.forward(x)
    np.testing.assert_allclose(y, mt.sigmoid(x), rtol=1e-15)
    for target in (np.zeros_like(x), np.ones_like(x)):
        loss, package_loss = mini.BCELoss(), mt.BCELoss()
        assert loss.forward(y, target) == pytest.approx(package_loss(y, target), rel=1e-14)
        np.testing.assert_allclose(loss.backward(), package_loss.backward(), rtol=1e-14)
        assert np.isfinite(sigmoid.backward(loss.backward())).all()


def test_the_page_runs_by_itself_and_prints_loss_and_gradient_check(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", PATH], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    lines = run.stdout.splitlines()
    assert float(lines[0].removeprefix("largest error of a gradient: ")) < 1e-8
    losses = [float(line.split("loss ")[1]) for line in lines if line.startswith("epoch")]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.1 < 0.5 < losses[0]


def test_the_page_names_files_of_the_package_that_exist():
    package = PATH.parents[1] / "minitorch_np"
    for item in (
        mini.Parameter,
        mini.Layer,
        mini.Dense,
        mini.ReLU,
        mini.Sigmoid,
        mini.Sequential,
        mini.BCELoss,
        mini.SGD,
    ):
        name = item.__doc__.split("In the package: ")[1].rstrip(".")
        assert f"class {item.__name__}" in (package / name).read_text(), name
    assert "fit" in (package / mini.fit.__doc__.split("In the package: ")[1].rstrip(".")).read_text()
    assert (package / mini.gradient_check.__doc__.split("In the package: ")[1].rstrip(".")).is_dir()
