"""Losses agree with PyTorch (Hinge with Keras) in float64, value and gradient, over random shapes."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minitorch_np as mt
from minitorch_np.base.functions import log_softmax

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
functional = torch.nn.functional
many = settings(max_examples=40, deadline=None)
seeds, scales = st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 50.0])
shapes = st.lists(st.integers(1, 6), min_size=2, max_size=3)


def assert_agrees(ours, theirs, prediction, target):
    p = torch.tensor(prediction, requires_grad=True)
    value = theirs(p, torch.tensor(target))
    value.backward()
    np.testing.assert_allclose(ours(prediction, target), value.item(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ours.backward(), p.grad.numpy(), rtol=1e-12, atol=1e-13)


@many
@given(seeds, shapes, scales, st.sampled_from([0.1, 1.0, 3.0]))
def test_l1_and_huber(seed, shape, scale, delta):
    rng = np.random.default_rng(seed)
    prediction, target = scale * rng.normal(size=shape), rng.normal(size=shape)
    assert_agrees(mt.L1Loss(), torch.nn.L1Loss(), prediction, target)
    assert_agrees(mt.HuberLoss(delta), torch.nn.HuberLoss(delta=delta), prediction, target)


@many
@given(seeds, st.integers(1, 6), st.integers(1, 6), scales)
def test_nll(seed, batch, classes, scale):
    rng = np.random.default_rng(seed)
    log_p = log_softmax(scale * rng.normal(size=(batch, classes)))
    assert_agrees(mt.NLLLoss(), torch.nn.NLLLoss(), log_p, rng.integers(0, classes, batch))


@many
@given(seeds, st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_nll_of_sequences(seed, batch, time, classes):
    """PyTorch has the classes in axis 1."""
    rng = np.random.default_rng(seed)
    log_p = log_softmax(rng.normal(size=(batch, time, classes)))
    theirs = lambda p, t: functional.nll_loss(p.transpose(1, 2), t)  # noqa: E731
    assert_agrees(mt.NLLLoss(), theirs, log_p, rng.integers(0, classes, (batch, time)))


@many
@given(seeds, st.integers(1, 5), st.integers(2, 6), scales, st.sampled_from([0.0, 0.2]))
def test_cross_entropy_of_masked_classes(seed, batch, classes, scale, soft):
    """Logits of -inf in any place but the target's. PyTorch takes class numbers; rows that have 0 there mean the same."""
    rng = np.random.default_rng(seed)
    x, numbers = scale * rng.normal(size=(batch, classes)), rng.integers(0, classes, batch)
    masked = (rng.random(x.shape) < 0.5) & (np.arange(classes) != numbers[:, None])
    x[masked] = -np.inf
    assert_agrees(mt.CrossEntropyLoss(), functional.cross_entropy, x, numbers)
    assert_agrees(mt.NLLLoss(), functional.nll_loss, log_softmax(x), numbers)
    rows = np.eye(classes)[numbers]
    ours = mt.CrossEntropyLoss()
    assert ours(x, rows) == pytest.approx(functional.cross_entropy(torch.tensor(x), torch.tensor(numbers)).item())
    if soft:
        kept = ~masked * (1 - soft) * rows + ~masked * soft
        loss = mt.KLDivLoss()(log_softmax(x), kept / kept.sum(axis=1, keepdims=True))
        assert np.isfinite(loss)


@many
@given(seeds, shapes, scales, st.booleans())
def test_kl_divergence(seed, shape, scale, sparse):
    rng = np.random.default_rng(seed)
    target = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    if sparse:
        target[..., 0] = 0
    log_p = log_softmax(scale * rng.normal(size=shape))
    assert_agrees(mt.KLDivLoss(), torch.nn.KLDivLoss(reduction="batchmean"), log_p, target)


def focal_loss(gamma, alpha):
    """The formula of torchvision.ops.sigmoid_focal_loss with reduction="mean"."""

    def loss(x, t):
        p = torch.sigmoid(x)
        entropy = functional.binary_cross_entropy_with_logits(x, t, reduction="none")
        values = entropy * (1 - (p * t + (1 - p) * (1 - t))) ** gamma
        return (values if alpha is None else (alpha * t + (1 - alpha) * (1 - t)) * values).mean()

    return loss


@many
@given(seeds, shapes, st.sampled_from([0.1, 1.0, 5.0]), st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5]),
       st.sampled_from([None, 0.25, 0.8, 1.0]), st.booleans())  # fmt: skip
def test_focal(seed, shape, scale, gamma, alpha, soft):
    rng = np.random.default_rng(seed)
    target = rng.uniform(size=shape) if soft else rng.integers(0, 2, shape).astype(float)
    assert_agrees(mt.FocalLoss(gamma, alpha), focal_loss(gamma, alpha), scale * rng.normal(size=shape), target)


@pytest.mark.filterwarnings("ignore")  # Keras's own, of its backend
@many
@given(seeds, shapes, scales, st.sampled_from([-1.0, 0.0]))
def test_hinge(seed, shape, scale, negative):
    with pytest.MonkeyPatch.context():
        keras = pytest.importorskip("keras", reason="needs Keras: pip install keras")
    rng = np.random.default_rng(seed)
    x, t = scale * rng.normal(size=shape), rng.choice([negative, 1.0], shape)
    assert_agrees(mt.HingeLoss(), lambda p, t: (1 - torch.where(t == 0, -1, t) * p).clamp(min=0).mean(), x, t)
    reference = keras.losses.hinge(t, x).mean().item()
    np.testing.assert_allclose(mt.HingeLoss()(x, t), reference, rtol=1e-6, atol=1e-6)  # Keras computes it in float32


@many
@given(seeds, st.booleans())
def test_weights_by_hand_are_those_of_an_unreduced_loss_of_pytorch(seed, of_labels):
    """loss.weights = mask is (PyTorch's loss with reduction="none" * mask).mean(), and so are sample_weight of fit and of train_on_batch."""
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=(6, 4)), rng.integers(0, 2, (6, 3)).astype(float)
    mask = rng.integers(0, 2, (6, 3) if of_labels else 6)
    mask[0] = 1  # fit refuses a mask of zeros alone
    factors = torch.tensor(mask if of_labels else mask[:, None])

    def ours(loss):
        loss.weights = mask.tolist()
        return loss

    for loss, theirs in (
        (mt.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits),
        (mt.MSELoss, functional.mse_loss),
        (mt.L1Loss, functional.l1_loss),
        (mt.HuberLoss, functional.huber_loss),
    ):
        assert_agrees(
            ours(loss()),
            lambda p, t, theirs=theirs: (theirs(p, t, reduction="none") * factors).mean(),
            rng.normal(size=(6, 3)),
            target,
        )
        value, models = (
            ours(loss()),
            [
                mt.Sequential([mt.Input((4,)), mt.Dense(3)], rng=0, dtype="float64").compile("sgd", loss())
                for _ in range(3)
            ],
        )
        losses = [
            value(models[0](x, training=True), target),
            models[1].train_on_batch(x, target, mask),
            models[2].fit(x, target, sample_weight=mask, batch_size=None, progress=False)["loss"][0],
        ]
        models[0].step(value.backward())
        np.testing.assert_allclose(losses, losses[0], rtol=1e-12)
        for model in models[1:]:
            np.testing.assert_allclose(model(x), models[0](x), rtol=1e-12)


def test_weights_of_a_loss_that_is_a_function_may_be_a_list():
    loss = mt.losses.FunctionLoss(lambda prediction, target: (prediction - target) ** 2)
    loss.weights = [1, 0, 2]
    assert loss(np.array([[1.0], [5.0], [2.0]]), np.zeros((3, 1))) == (1 + 8) / 3
    np.testing.assert_allclose(loss.backward(), [[2 / 3], [0], [8 / 3]])
