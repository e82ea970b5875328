"""Optimisers take Keras's steps, and PyTorch's where the formulas are the same, in float64."""

import os

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import minitorch_np as mt

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
with pytest.MonkeyPatch.context():
    keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")

pytestmark = pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
few = settings(max_examples=20, deadline=None)
seeds, shares = st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.9, 0.99])
epsilons, decays = st.sampled_from([1e-7, 1e-3]), st.sampled_from([None, 0.1])
clipping = st.sampled_from([{}, {"clipvalue": 0.25}])  # Keras computes the norms for the others in float32


@pytest.fixture(autouse=True, scope="module")
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def assert_same_steps(ours, theirs, seed, steps=10):
    rng = np.random.default_rng(seed)
    start = {"a": rng.normal(size=(4, 3)), "b": rng.normal(size=5)}
    parameters = {name: mt.Parameter(value.copy()) for name, value in start.items()}
    variables = [keras.Variable(value, dtype="float64") for value in start.values()]
    theirs.build(variables)
    for _ in range(steps):
        gradients = [rng.normal(size=value.shape) for value in start.values()]
        for parameter, gradient in zip(parameters.values(), gradients, strict=True):
            parameter.grad = gradient
        ours.step(parameters)
        theirs.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients], variables)
        for parameter, variable in zip(parameters.values(), variables, strict=True):
            value = variable.value.detach().numpy()
            np.testing.assert_allclose(parameter.value, value, rtol=1e-10, atol=1e-12)


def both(name, options):
    return getattr(mt, name)(**options), getattr(keras.optimizers, name)(**options)


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop", "Adam", "AdamW", "Nadam", "Lion"])
def test_defaults_are_those_of_keras(name):
    ours, theirs = both(name, {})
    theirs.learning_rate = ours.learning_rate = 2.0**-10  # a number that Keras's float32 rate holds exactly
    assert getattr(mt, name)().learning_rate == 0.001
    assert_same_steps(ours, theirs, seed=1)


@few
@given(seeds, st.sampled_from([0.0, 0.1, 2.0]), epsilons, decays, clipping)
def test_adagrad(seed, initial, epsilon, decay, clip):
    options = {"initial_accumulator_value": initial, "epsilon": epsilon, "weight_decay": decay, **clip}
    assert_same_steps(*both("Adagrad", {"learning_rate": 0.125, **options}), seed)


@few
@given(seeds, shares, shares, epsilons, st.booleans(), decays, clipping)
@example(999999, 0.0, 0.99, 1e-7, True, 0.1, {})
def test_rmsprop(seed, rho, momentum, epsilon, centered, decay, clip):
    if centered and rho == 0:
        epsilon = (
            10.0  # the variance is the rounding of a square alone, which a small epsilon under the root would show
        )
    options = {
        "rho": rho,
        "momentum": momentum,
        "epsilon": epsilon,
        "centered": centered,
        "weight_decay": decay,
        **clip,
    }
    assert_same_steps(*both("RMSprop", {"learning_rate": 0.015625, **options}), seed)


@few
@given(seeds, shares, shares, epsilons, st.booleans(), st.sampled_from([0.0, 0.1]), clipping, st.booleans())
def test_adam_and_adamw(seed, beta_1, beta_2, epsilon, amsgrad, decay, clip, decoupled):
    options = {
        "beta_1": beta_1,
        "beta_2": beta_2,
        "epsilon": epsilon,
        "amsgrad": amsgrad,
        "weight_decay": decay,
        **clip,
    }
    assert_same_steps(*both("AdamW" if decoupled else "Adam", {"learning_rate": 0.125, **options}), seed)


@few
@given(seeds, shares, shares, epsilons, decays, clipping)
def test_nadam(seed, beta_1, beta_2, epsilon, decay, clip):
    options = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "weight_decay": decay, **clip}
    assert_same_steps(*both("Nadam", {"learning_rate": 0.125, **options}), seed)


@few
@given(seeds, st.sampled_from([0.5, 0.9, 0.99]), shares, decays, clipping)
def test_lion(seed, beta_1, beta_2, decay, clip):
    options = {"beta_1": beta_1, "beta_2": beta_2, "weight_decay": decay, **clip}
    assert_same_steps(*both("Lion", {"learning_rate": 0.125, **options}), seed)


def assert_torch_steps(ours, make, seed):
    rng = np.random.default_rng(seed)
    parameter = mt.Parameter(rng.normal(size=(4, 3)))
    tensor = torch.nn.Parameter(torch.tensor(parameter.value))
    theirs = make([tensor])
    for _ in range(10):
        parameter.grad = rng.normal(size=(4, 3))
        tensor.grad = torch.tensor(parameter.grad)
        ours.step({"p": parameter})
        theirs.step()
        np.testing.assert_allclose(parameter.value, tensor.detach().numpy(), rtol=1e-10, atol=1e-12)


@few
@given(seeds, shares, st.sampled_from([0.5, 0.9, 0.999]), st.sampled_from([0.0, 0.1]), st.booleans())
def test_adam_is_pytorchs_where_epsilon_is_0(seed, beta_1, beta_2, decay, amsgrad):
    """Only the place of epsilon differs; both take the largest velocity (amsgrad) before the correction."""
    ours = mt.AdamW(0.05, decay, beta_1, beta_2, 0.0, amsgrad)
    options = {"lr": 0.05, "betas": (beta_1, beta_2), "eps": 0.0, "weight_decay": decay, "amsgrad": amsgrad}
    assert_torch_steps(ours, lambda p: torch.optim.AdamW(p, **options), seed)


@few
@given(seeds, shares, shares.filter(bool), st.booleans())
def test_rmsprop_is_pytorchs_where_epsilon_is_0(seed, momentum, rho, centered):
    ours = mt.RMSprop(0.05, rho, momentum, 1e-30 if centered else 0.0, centered)
    options = {"lr": 0.05, "alpha": rho, "eps": 0.0, "momentum": momentum, "centered": centered}
    assert_torch_steps(ours, lambda p: torch.optim.RMSprop(p, **options), seed)


@few
@given(seeds, st.sampled_from([0.1, 2.0]))
def test_adagrad_is_pytorchs_where_epsilon_is_0(seed, initial):
    ours = mt.Adagrad(0.05, initial, 0.0)
    options = {"lr": 0.05, "initial_accumulator_value": initial, "eps": 0.0}
    assert_torch_steps(ours, lambda p: torch.optim.Adagrad(p, **options), seed)
