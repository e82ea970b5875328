"""Training with regularisers takes PyTorch's steps in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.01, 0.5]), st.sampled_from([0.0, 0.01, 0.5]))
def test_steps_and_losses_with_a_penalty(seed, l1, l2):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    layers = [mt.Input((4,)), mt.Dense(3, kernel_regularizer=mt.L1L2(l1, l2)), mt.Tanh(), mt.Dense(1)]
    ours = mt.Sequential(layers, rng=seed, dtype="float64").compile(mt.SGD(0.05, 0.9), mt.MSELoss())
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in ours.get_weights()]
    reference, losses = torch.optim.SGD(theirs, 0.05, momentum=0.9), []
    for _ in range(10):
        reference.zero_grad()
        kernel, bias, last, last_bias = theirs
        prediction = torch.tanh(torch.tensor(x) @ kernel + bias) @ last + last_bias
        loss = ((prediction - torch.tensor(y)) ** 2).mean() + l1 * kernel.abs().sum() + l2 * (kernel**2).sum()
        loss.backward()
        losses.append(loss.item())
        reference.step()
    history = ours.fit(x, y, epochs=10, batch_size=None)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-10)
    for value, tensor in zip(ours.get_weights(), theirs, strict=True):
        np.testing.assert_allclose(value, tensor.detach().numpy(), rtol=1e-10, atol=1e-12)
