"""Losses that people write as a function: value and gradient are those of PyTorch's automatic differentiation."""

import numpy as np
import pytest

import minitorch_np as mt

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
functional = torch.nn.functional


def norm(values):
    return torch.linalg.vector_norm(values, dim=-1)


def dice(prediction, target):
    overlap = np.sum(prediction * target, axis=-1)
    return 1 - (2 * overlap + 1) / (np.sum(prediction, axis=-1) + np.sum(target, axis=-1) + 1)


def torch_dice(p, t):
    return 1 - (2 * (p * t).sum(-1) + 1) / (p.sum(-1) + t.sum(-1) + 1)


def tversky(y_true, y_pred, alpha=0.3, beta=0.7):
    right = np.sum(y_true * y_pred, -1)
    return 1 - right / (right + alpha * np.sum((1 - y_true) * y_pred, -1) + beta * np.sum(y_true * (1 - y_pred), -1))


def torch_tversky(p, t):
    right = (t * p).sum(-1)
    return 1 - right / (right + 0.3 * ((1 - t) * p).sum(-1) + 0.7 * (t * (1 - p)).sum(-1))


def focal(p, t):
    p = np.clip(p, 1e-7, 1 - 1e-7)
    right = np.where(t == 1, p, 1 - p)
    return np.mean(-((1 - right) ** 2) * np.log(right), axis=-1)


def torch_focal(p, t):
    p = p.clamp(1e-7, 1 - 1e-7)
    right = torch.where(t == 1, p, 1 - p)
    return (-((1 - right) ** 2) * right.log()).mean(-1)


def log_cosh(y_true, y_pred):
    error = y_pred - y_true
    return np.mean(error + np.log1p(np.exp(-2 * error)) - np.log(2.0), axis=-1)


def torch_log_cosh(p, t):
    error = p - t
    return (error + functional.softplus(-2 * error, threshold=1e9) - np.log(2.0)).mean(-1)


def quantile(prediction, target):
    error = target - prediction
    return np.maximum(0.9 * error, -0.1 * error).mean(axis=-1)


def torch_quantile(p, t):
    error = t - p
    return torch.maximum(0.9 * error, -0.1 * error).mean(-1)


def contrastive(output, label):
    half = output.shape[1] // 2
    distance = np.linalg.norm(output[:, :half] - output[:, half:], axis=1)
    same = label[:, 0]
    return same * distance**2 + (1 - same) * np.maximum(0, 1 - distance) ** 2


def torch_contrastive(p, t):
    half = p.shape[1] // 2
    distance, same = norm(p[:, :half] - p[:, half:]), t[:, 0]
    return same * distance**2 + (1 - same) * (1 - distance).clamp(min=0) ** 2


def cosine(y_hat, y):
    lengths = np.linalg.norm(y_hat, axis=-1) * np.linalg.norm(y, axis=-1)
    return 1 - np.sum(y_hat * y, axis=-1) / lengths


def torch_cosine(p, t):
    return 1 - functional.cosine_similarity(p, t, dim=-1)


def huber(pred, target):
    error = abs(pred - target)
    return np.where(error < 1, 0.5 * error**2, error - 0.5).mean(-1)


def torch_huber(p, t):
    return functional.huber_loss(p, t, reduction="none").mean(-1)


def iou(predicted, truth):
    """Of boxes x1, y1, x2, y2."""
    low, high = np.maximum(predicted[:, :2], truth[:, :2]), np.minimum(predicted[:, 2:], truth[:, 2:])
    overlap = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = [np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (predicted, truth)]
    return 1 - overlap / (areas[0] + areas[1] - overlap)


def torch_iou(p, t):
    low, high = torch.maximum(p[:, :2], t[:, :2]), torch.minimum(p[:, 2:], t[:, 2:])
    overlap = (high - low).clamp(min=0).prod(1)
    areas = [(box[:, 2:] - box[:, :2]).prod(1) for box in (p, t)]
    return 1 - overlap / (areas[0] + areas[1] - overlap)


def wing(prediction, target, w=0.5, curvature=0.2):
    error = np.abs(prediction - target)
    offset = w - w * np.log(1 + w / curvature)
    return np.sum(np.where(error < w, w * np.log(1 + error / curvature), error - offset), axis=-1)


def torch_wing(p, t):
    error, offset = (p - t).abs(), 0.5 - 0.5 * np.log(1 + 0.5 / 0.2)
    return torch.where(error < 0.5, 0.5 * torch.log(1 + error / 0.2), error - offset).sum(-1)


def smooth_l1(p, t, beta=0.5):
    error, values = np.abs(p - t), np.zeros_like(p)
    near = error < beta
    values[near] = 0.5 * error[near] ** 2 / beta
    values[~near] = error[~near] - 0.5 * beta
    return values.mean(axis=1)


def torch_smooth_l1(p, t):
    return functional.smooth_l1_loss(p, t, beta=0.5, reduction="none").mean(-1)


def poisson(prediction, target):
    return np.mean(np.exp(prediction) - target * prediction, axis=-1)


def torch_poisson(p, t):
    return functional.poisson_nll_loss(p, t, reduction="none").mean(-1)


def gaussian(outputs, target):
    mean, variance = outputs[:, 0], np.maximum(np.exp(outputs[:, 1]), 1e-6)
    return 0.5 * (np.log(variance) + (mean - target[:, 0]) ** 2 / variance)


def torch_gaussian(p, t):
    return functional.gaussian_nll_loss(p[:, 0], t[:, 0], p[:, 1].exp(), reduction="none")


def triplet(prediction, target):
    anchor, positive, negative = np.split(prediction, 3, axis=1)
    far, near = (np.linalg.norm(anchor - other + 1e-6, axis=1) for other in (negative, positive))
    return np.maximum(near - far + 1.0, 0)


def torch_triplet(p, t):
    return functional.triplet_margin_loss(*p.chunk(3, dim=1), reduction="none")


def smoothed_cross_entropy(logits, labels):
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -0.9 * log_p[np.arange(len(labels)), labels] - 0.1 * log_p.mean(axis=1)


def torch_smoothed_cross_entropy(p, t):
    return functional.cross_entropy(p, t, label_smoothing=0.1, reduction="none")


def numbers(rng, n):
    return rng.normal(size=(n, 4)), rng.normal(size=(n, 4))


def probabilities(rng, n):
    return rng.uniform(0.01, 0.99, (n, 4)), rng.integers(0, 2, (n, 4)).astype(float)


def counts(rng, n):
    return rng.normal(size=(n, 3)), rng.poisson(3.0, (n, 3)).astype(float)


def pairs(rng, n):
    return rng.normal(size=(n, 6)) * 0.4, rng.integers(0, 2, (n, 1)).astype(float)


def boxes(rng, n):
    corners = [rng.uniform(0, 1, (n, 2)) for _ in range(2)]
    return tuple(np.concatenate([corner, corner + rng.uniform(0.5, 2, (n, 2))], axis=1) for corner in corners)


def two_columns(rng, n):
    return rng.normal(size=(n, 2)), rng.normal(size=(n, 1))


def triples(rng, n):
    return rng.normal(size=(n, 9)), np.zeros((n, 1))


def classes(rng, n):
    return 3 * rng.normal(size=(n, 5)), rng.integers(0, 5, n)


LOSSES = [
    (dice, torch_dice, probabilities), (tversky, torch_tversky, probabilities), (focal, torch_focal, probabilities),
    (log_cosh, torch_log_cosh, numbers), (quantile, torch_quantile, numbers), (contrastive, torch_contrastive, pairs),
    (cosine, torch_cosine, numbers), (huber, torch_huber, numbers), (iou, torch_iou, boxes), (wing, torch_wing, numbers),
    (smooth_l1, torch_smooth_l1, numbers), (poisson, torch_poisson, counts), (gaussian, torch_gaussian, two_columns),
    (triplet, torch_triplet, triples), (smoothed_cross_entropy, torch_smoothed_cross_entropy, classes),
]  # fmt: skip


def mean_of(function):
    if function in (tversky, log_cosh):
        return lambda y_true, y_pred: np.mean(function(y_true, y_pred))
    return lambda prediction, target: np.mean(function(prediction, target))


def of_torch(function, prediction, target, weights=1.0):
    p = torch.tensor(np.asarray(prediction, float), requires_grad=True)
    value = (function(p, torch.tensor(target)) * torch.as_tensor(weights)).mean()
    value.backward()
    return value.item(), p.grad.numpy()


@pytest.mark.parametrize("form", ["per example", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("ours", "theirs", "draw"), LOSSES, ids=lambda item: getattr(item, "__name__", ""))
def test_value_and_gradient_of_a_function_are_those_of_pytorch(ours, theirs, draw, dtype, form):
    for seed, n in enumerate((1, 2, 7, 32)):
        prediction, target = draw(np.random.default_rng(seed), n)
        prediction = prediction.astype(dtype)
        loss = mt.FunctionLoss(ours if form == "per example" else mean_of(ours))
        value, gradient = of_torch(theirs, prediction, target)
        small = 1e-13 if dtype == "float64" else 1e-6
        np.testing.assert_allclose(loss(prediction, target), value, rtol=10 * small, atol=small)
        found = loss.backward()
        assert found.dtype == dtype
        np.testing.assert_allclose(found, gradient, rtol=10 * small, atol=small * np.abs(gradient).max())


@pytest.mark.parametrize(("ours", "theirs", "draw"), LOSSES, ids=lambda item: getattr(item, "__name__", ""))
def test_weights_of_examples_are_those_of_the_mean(ours, theirs, draw, rng):
    prediction, target = draw(rng, 8)
    loss = mt.FunctionLoss(ours)
    loss.weights = rng.uniform(size=8)
    value, gradient = of_torch(theirs, prediction, target, loss.weights)
    np.testing.assert_allclose(loss(prediction, target), value, rtol=1e-12)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p, t: abs(p - t), lambda p, t: (p - t).abs()),
        (lambda p, t: np.fabs(p - t), lambda p, t: (p - t).abs()),
        (lambda p, t: np.maximum(p, t), lambda p, t: torch.maximum(p, t)),
        (lambda p, t: np.linalg.norm(p - t, axis=1), lambda p, t: norm(p - t)),
        (lambda p, t: np.max(p, axis=1), lambda p, t: p.amax(1)),
    ],
    ids=["abs", "fabs", "maximum", "norm", "max"],
)
def test_gradients_at_kinks_are_those_of_pytorch(ours, theirs):
    prediction = np.array([[0.5, 0.5, 2.0], [1.0, -1.0, 1.0]])
    target = np.array([[0.5, 0.5, 2.0], [1.0, 3.0, -2.0]])
    loss = mt.FunctionLoss(ours)
    value, gradient = of_torch(theirs, prediction, target)
    np.testing.assert_allclose(loss(prediction, target), value, rtol=1e-15)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-15)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda p, t: 1 - np.corrcoef(p[:, 0], t[:, 0])[0, 1], lambda p, t: 1 - torch.corrcoef(torch.stack([p[:, 0], t[:, 0]]))[0, 1]),
        (lambda p, t: np.sum(np.cov(p, rowvar=False) ** 2), lambda p, t: (torch.cov(p.T) ** 2).sum()),
        (lambda p, t: np.prod(np.cov(p[:, 1], t[:, 1], bias=True)), lambda p, t: torch.cov(torch.stack([p[:, 1], t[:, 1]]), correction=0).prod()),
        (lambda p, t: np.logaddexp.reduce(p, axis=1) - p[:, 0], lambda p, t: torch.logsumexp(p, 1) - p[:, 0]),
    ],
    ids=["correlation", "covariances", "of pairs", "logsumexp"],
)  # fmt: skip
def test_gradients_of_further_functions(ours, theirs, rng):
    prediction, target = numbers(rng, 9)
    loss = mt.FunctionLoss(ours)
    value, gradient = of_torch(theirs, prediction, target)
    np.testing.assert_allclose(loss(prediction, target), value, rtol=1e-12)
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-11, atol=1e-14)


def test_ten_steps_with_a_function_are_those_of_pytorch(rng):
    x, t = rng.normal(size=(32, 3)), rng.normal(size=(32, 2))
    model = mt.Sequential([mt.Input((3,)), mt.Dense(8), mt.Tanh(), mt.Dense(2)], rng=0, dtype="float64")
    model.compile(mt.SGD(0.05, momentum=0.9), huber)
    first, second = (torch.nn.Linear(*size, dtype=torch.float64) for size in ((3, 8), (8, 2)))
    with torch.no_grad():
        for linear, name in ((first, "dense_1"), (second, "dense_2")):
            linear.weight.copy_(torch.tensor(model.parameters()[f"{name}.kernel"].value.T))
            linear.bias.copy_(torch.tensor(model.parameters()[f"{name}.bias"].value))
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.05, momentum=0.9)
    for _ in range(10):
        optimizer.zero_grad()
        torch_huber(second(first(torch.tensor(x)).tanh()), torch.tensor(t)).mean().backward()
        optimizer.step()
    model.fit(x, t, epochs=10, batch_size=None, progress=False)
    np.testing.assert_allclose(model.parameters()["dense_1.kernel"].value, first.weight.detach().numpy().T, rtol=1e-10)
