"""Agreement with PyTorch in float64 to 1e-12, over random shapes and with random upstream gradients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")

seeds = st.integers(0, 10**6)
sizes = st.integers(1, 9)
many = settings(max_examples=60, deadline=None)
EXTREME = [-1e3, -745.2, -36.8, -1e-300, 0.0, 1e-300, 1e-8, 36.8, 745.2, 1e3]


def tensor(array, grad=False):
    return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64, requires_grad=grad)


def assert_agrees(ours, theirs):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(theirs).max(initial=0)))


def assert_layer_agrees(ours, theirs, x, dy):
    x_torch = tensor(x, grad=True)
    y = theirs(x_torch)
    y.backward(tensor(dy))
    assert_agrees(ours(x), y)
    assert_agrees(ours.backward(dy), x_torch.grad)


@many
@given(seeds, sizes, sizes, sizes, st.booleans(), st.booleans())
def test_dense(seed, batch, inputs, units, use_bias, sequence):
    rng = np.random.default_rng(seed)
    shape = (batch, 3, inputs) if sequence else (batch, inputs)
    ours = mt.Dense(units, use_bias=use_bias).initialize(shape[1:], seed, np.float64)
    theirs = torch.nn.Linear(inputs, units, bias=use_bias, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight.copy_(tensor(ours.kernel.value.T))
        if use_bias:
            ours.bias.value[:] = rng.normal(size=units)
            theirs.bias.copy_(tensor(ours.bias.value))
    assert_layer_agrees(ours, theirs, rng.normal(size=shape), rng.normal(size=(*shape[:-1], units)))
    assert_agrees(ours.kernel.grad, theirs.weight.grad.T)
    if use_bias:
        assert_agrees(ours.bias.grad, theirs.bias.grad)


@many
@given(seeds, sizes, sizes, st.sampled_from([0.1, 1.0, 50.0, 1e4]))
def test_activations(seed, batch, features, scale):
    rng = np.random.default_rng(seed)
    x, dy = scale * rng.normal(size=(batch, features)), rng.normal(size=(batch, features))
    assert_layer_agrees(mt.ReLU(), torch.relu, x, dy)
    assert_layer_agrees(mt.Sigmoid(), torch.sigmoid, x, dy)


def test_activations_at_extreme_inputs(rng):
    x, dy = np.array([EXTREME]), rng.normal(size=(1, len(EXTREME)))
    assert_layer_agrees(mt.ReLU(), torch.relu, x, dy)
    assert_layer_agrees(mt.Sigmoid(), torch.sigmoid, x, dy)


def assert_loss_agrees(ours, theirs, prediction, target, torch_target=None):
    p_torch = tensor(prediction, grad=True)
    value = theirs(p_torch, tensor(target) if torch_target is None else torch_target)
    value.backward()
    assert_agrees(ours(prediction, target), value)
    assert_agrees(ours.backward(), p_torch.grad)


@many
@given(seeds, sizes, sizes)
def test_losses(seed, batch, outputs):
    rng = np.random.default_rng(seed)
    logits, target = 2 * rng.normal(size=(batch, outputs)), rng.integers(0, 2, (batch, outputs)).astype(float)
    soft = rng.uniform(size=(batch, outputs))
    for t in (target, soft):
        assert_loss_agrees(mt.BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss(), logits, t)
        assert_loss_agrees(mt.BCELoss(), torch.nn.BCELoss(), mt.sigmoid(logits), t)
        assert_loss_agrees(mt.MSELoss(), torch.nn.MSELoss(), logits, t)


@many
@given(seeds, sizes, st.integers(2, 9), st.sampled_from([0.0, 0.1, 0.7]))
def test_cross_entropy(seed, batch, classes, smoothing):
    rng = np.random.default_rng(seed)
    logits, numbers = 20 * rng.normal(size=(batch, classes)), rng.integers(0, classes, batch)
    theirs = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
    assert_loss_agrees(mt.CrossEntropyLoss(smoothing), theirs, logits, numbers, torch.tensor(numbers))
    soft = rng.dirichlet(np.ones(classes), batch)
    assert_loss_agrees(mt.CrossEntropyLoss(smoothing), theirs, logits, soft)


def test_losses_at_extreme_inputs():
    x = np.array([EXTREME + EXTREME]).T
    t = np.array([[0.0] * len(EXTREME) + [1.0] * len(EXTREME)]).T
    assert_loss_agrees(mt.BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss(), x, t)


@pytest.mark.parametrize("p", [0.0, 1e-300, 1e-13, 1e-9, 0.5, 1 - 1e-9, 1 - 1e-13, 1.0])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_bce_at_0_and_1(p, t):
    """PyTorch's denominator is clamped at float32(1e-12), ours at 1e-12: up to 1e-8 apart inside the clamp, and only there."""
    theirs, p_torch = torch.nn.BCELoss(), tensor([[p]], grad=True)
    value = theirs(p_torch, tensor([[t]]))
    value.backward()
    ours = mt.BCELoss()
    assert_agrees(ours(np.array([[p]]), np.array([[t]])), value)
    clamped = p * (1 - p) < 1.1e-12
    np.testing.assert_allclose(ours.backward(), p_torch.grad.numpy(), rtol=1e-7 if clamped else 1e-12)


@many
@given(seeds, st.sampled_from([0.0, 0.5, 0.9]), st.booleans(), st.sampled_from([0.0, 0.01, 0.3]))
def test_sgd(seed, momentum, nesterov, decay):
    nesterov = nesterov and momentum > 0
    rng = np.random.default_rng(seed)
    ours, theirs = mt.Parameter(rng.normal(size=(4, 3))), None
    theirs = torch.nn.Parameter(tensor(ours.value))
    optimizer = mt.SGD(0.05, momentum, nesterov, decay)
    reference = torch.optim.SGD([theirs], 0.05, momentum=momentum, nesterov=nesterov, weight_decay=decay)
    for _ in range(10):
        ours.grad = rng.normal(size=(4, 3))
        theirs.grad = tensor(ours.grad)
        optimizer.step({"p": ours})
        reference.step()
        assert_agrees(ours.value, theirs)


def test_training_a_network_step_by_step(rng):
    x, y = rng.normal(size=(40, 6)), rng.integers(0, 2, 40)
    ours = mt.Sequential([mt.Input((6,)), mt.Dense(5), mt.ReLU(), mt.Dense(1), mt.Sigmoid()], rng=0, dtype="float64")
    theirs = torch.nn.Sequential(
        torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1), torch.nn.Sigmoid()
    ).double()
    with torch.no_grad():
        for parameter, value in zip(theirs.parameters(), ours.get_weights(), strict=True):
            parameter.copy_(tensor(value.T))
    reference = torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=0.001)
    for _ in range(50):
        reference.zero_grad()
        torch.nn.functional.binary_cross_entropy(theirs(tensor(x)), tensor(y[:, None])).backward()
        reference.step()
    ours.compile(mt.SGD(0.1, 0.9, True, 0.001), mt.BCELoss())
    ours.fit(x, y, epochs=50, batch_size=None)
    for parameter, value in zip(theirs.parameters(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(value.T, parameter.detach().numpy(), rtol=1e-10, atol=1e-12)
