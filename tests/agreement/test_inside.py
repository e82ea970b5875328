"""Looking inside, beside PyTorch's autograd and hooks, in float64 to 1e-10."""

import numpy as np
import pytest

import minitorch_np as mt

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
nn, functional = torch.nn, torch.nn.functional


@pytest.fixture
def networks():
    """A small network of images that begins with Rescaling, and PyTorch's with the same weights and statistics."""
    layers = [mt.Rescaling(1 / 255), mt.Conv2D(4, 3), mt.ReLU(), mt.Conv2D(6, 3), mt.BatchNormalization(), mt.ReLU()]
    ours = mt.Sequential(
        [mt.Input((9, 9, 2)), *layers, mt.GlobalAveragePooling2D(), mt.Dense(5)], rng=1, dtype="float64"
    )
    ours.compile(mt.Adam(0.01), mt.CrossEntropyLoss())
    rng = np.random.default_rng(3)
    ours.fit(rng.integers(0, 256, (20, 9, 9, 2)), rng.integers(0, 5, 20), epochs=2, progress=False)
    theirs = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3),
        nn.BatchNorm2d(6, eps=1e-3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 5),
    ).double()
    k1, b1, k2, b2, gamma, beta, mean, variance, k3, b3 = map(torch.from_numpy, ours.get_weights())
    with torch.no_grad():
        theirs[0].weight.copy_(k1.permute(3, 2, 0, 1)), theirs[0].bias.copy_(b1)
        theirs[2].weight.copy_(k2.permute(3, 2, 0, 1)), theirs[2].bias.copy_(b2)
        theirs[3].weight.copy_(gamma), theirs[3].bias.copy_(beta)
        theirs[3].running_mean.copy_(mean), theirs[3].running_var.copy_(variance)
        theirs[7].weight.copy_(k3.T), theirs[7].bias.copy_(b3)
    return ours, theirs.eval()


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (6, 9, 9, 2))


def as_theirs(x):
    return torch.from_numpy(np.moveaxis(x, -1, 1).astype(float)).requires_grad_()


def as_ours(tensor):
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * max(1.0, abs(theirs).max()))


def test_outputs_of_layers(networks, images):
    ours, theirs = networks
    found = ours.outputs(images)
    close(found["conv2d_1"], as_ours(theirs[:1](as_theirs(images) / 255)))
    close(found["batch_normalization_1"], as_ours(theirs[:4](as_theirs(images) / 255)))
    close(found["dense_1"], theirs(as_theirs(images) / 255).detach().numpy())


def test_saliency(networks, images):
    ours, theirs = networks
    x = as_theirs(images)
    theirs(x / 255)[:, 3].sum().backward()
    close(ours.gradient(images, output=3), as_ours(x.grad))


def test_saliency_of_the_class_of_each_image(networks, images, rng):
    ours, theirs = networks
    x, chosen = as_theirs(images), rng.integers(0, 5, 6)
    theirs(x / 255)[torch.arange(6), torch.from_numpy(chosen)].sum().backward()
    close(ours.gradient(images, output=chosen), as_ours(x.grad))


def test_fgsm(networks, images, rng):
    ours, theirs = networks
    x, y = as_theirs(images), rng.integers(0, 5, 6)
    functional.cross_entropy(theirs(x / 255), torch.from_numpy(y)).backward()
    close(ours.gradient(images, y), as_ours(x.grad))
    close(images + 8 * np.sign(ours.gradient(images, y)), as_ours(x + 8 * x.grad.sign()))


def test_grad_cam(networks, images):
    ours, theirs = networks
    features = theirs[:5](as_theirs(images) / 255)
    features.retain_grad()
    theirs[5:](features)[:, 2].sum().backward()
    heat = functional.relu((features * features.grad.mean(dim=(2, 3), keepdim=True)).sum(dim=1))
    maps, slopes = ours.outputs(images, "relu_2"), ours.gradient(images, output=2, layer="relu_2")
    close(slopes, as_ours(features.grad))
    close(np.maximum((maps * slopes.mean(axis=(1, 2), keepdims=True)).sum(axis=-1), 0), heat.detach().numpy())


def test_an_upstream_gradient_in_training_mode(networks, images, rng):
    ours, theirs = networks
    x, dy, before = as_theirs(images), rng.normal(size=(6, 5)), ours.state_dict()
    theirs.train()(x / 255).backward(torch.from_numpy(dy))
    close(ours.gradient(images, dy=dy, training=True), as_ours(x.grad))
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
