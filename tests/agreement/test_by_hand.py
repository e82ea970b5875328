"""Training loops by hand, beside the same loops in PyTorch: ten steps in float64, in no more lines."""

import inspect
import itertools

import numpy as np
import pytest

import minitorch_np as mt

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch")
nn, functional = torch.nn, torch.nn.functional
N = 12


def pair(*sizes, seed=0):
    """A network with Tanh between its layers, and PyTorch's with the same weights."""
    layers, theirs = [mt.Input((sizes[0],))], []
    for before, after in itertools.pairwise(sizes):
        layers += [mt.Dense(after), mt.Tanh()]
        theirs += [nn.Linear(before, after, dtype=torch.float64), nn.Tanh()]
    ours, other = mt.Sequential(layers[:-1], rng=seed, dtype="float64"), nn.Sequential(*theirs[:-1])
    values = ours.get_weights()
    with torch.no_grad():
        for number, parameter in enumerate(other.parameters()):
            parameter.copy_(torch.from_numpy(values[number].T.copy()))
    return ours, other


def assert_same(ours, theirs):
    for value, parameter in zip(ours.get_weights(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy().T, rtol=0, atol=1e-10)


def assert_not_longer(ours, theirs):
    """The functions of one step have no more lines than PyTorch's."""
    assert len(inspect.getsource(ours).splitlines()) <= len(inspect.getsource(theirs).splitlines())


def our_adam():
    """Adam whose epsilon is PyTorch's: torch adds it to sqrt(velocity / (1 - beta_2^t)). With 0 both are the same formula."""
    return mt.Adam(0.01, epsilon=0.0)


def their_adam(*networks):
    return torch.optim.Adam([p for network in networks for p in network.parameters()], lr=0.01, eps=0.0)


def tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]


# Two networks against each other


def gan(g, d, real, z, ones, zeros):
    d.train_on_batch(np.concatenate([real, g(z)]), np.concatenate([ones, zeros]))
    fake = g(z, training=True)
    g.step(d.gradient(fake, ones))


def gan_of_pytorch(g, d, of_g, of_d, real, z, ones, zeros):
    bce = functional.binary_cross_entropy_with_logits
    of_d.zero_grad()
    bce(d(torch.cat([real, g(z).detach()])), torch.cat([ones, zeros])).backward()
    of_d.step()
    of_g.zero_grad()
    bce(d(g(z)), ones).backward()
    of_g.step()


def test_gan(rng):
    (g, theirs_g), (d, theirs_d) = pair(3, 8, 2), pair(2, 8, 1, seed=1)
    g.optimizer = our_adam()
    d.compile(our_adam(), mt.BCEWithLogitsLoss())
    optimizers = their_adam(theirs_g), their_adam(theirs_d)
    ones, zeros = np.ones((N, 1)), np.zeros((N, 1))
    for _ in range(10):
        batch = rng.normal(size=(N, 2)), rng.normal(size=(N, 3)), ones, zeros
        gan(g, d, *batch)
        gan_of_pytorch(theirs_g, theirs_d, *optimizers, *tensors(*batch))
    assert_same(g, theirs_g)
    assert_same(d, theirs_d)
    assert_not_longer(gan, gan_of_pytorch)


def test_penalty_on_the_gradient_of_a_critic(rng):
    """The example of docs/how_do_i.md: ten steps, differences in place of the second derivative."""
    critic, theirs = pair(2, 8, 1)
    critic.optimizer, of_theirs = mt.SGD(0.05), torch.optim.SGD(theirs.parameters(), lr=0.05)
    for _ in range(10):
        real, fake, share = rng.normal(3, 1, (N, 2)), rng.normal(size=(N, 2)), rng.uniform(size=(N, 1))
        between = share * real + (1 - share) * fake
        slope = critic.gradient(between, output=0)
        norm = np.linalg.norm(slope, axis=1, keepdims=True) + 1e-12
        move = 1e-4 * slope / norm
        penalty = 10 * 2 * (norm - 1) / N / (2 * 1e-4)
        critic(np.concatenate([fake, real, between + move, between - move]), training=True)
        critic.step(np.concatenate([np.full((N, 1), 1 / N), np.full((N, 1), -1 / N), penalty, -penalty]))

        points, fake, real = tensors(between, fake, real)
        (slopes,) = torch.autograd.grad(theirs(points.requires_grad_()).sum(), points, create_graph=True)
        loss = theirs(fake).mean() - theirs(real).mean() + 10 * ((slopes.norm(dim=1) - 1) ** 2).mean()
        of_theirs.zero_grad()
        loss.backward()
        of_theirs.step()
    for value, parameter in zip(critic.get_weights(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy().T, rtol=0, atol=1e-7)


# Two networks after each other


def vae(encoder, decoder, x, noise):
    mu, log_variance = np.split(encoder(x, training=True), 2, axis=1)
    sigma = np.exp(log_variance / 2)
    decoder.loss(decoder(mu + noise * sigma, training=True), x)
    dz = decoder.step(decoder.loss.backward())
    of_mu, of_log_variance = mu / mu.size, (sigma**2 - 1) / (2 * mu.size)
    encoder.step(np.concatenate([dz + of_mu, dz * noise * sigma / 2 + of_log_variance], axis=1))


def vae_of_pytorch(encoder, decoder, optimizer, x, noise):
    mu, log_variance = encoder(x).chunk(2, dim=1)
    sigma = (log_variance / 2).exp()
    loss = functional.mse_loss(decoder(mu + noise * sigma), x)
    loss = loss - ((1 + log_variance - mu**2 - log_variance.exp()) / 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_variational_autoencoder(rng):
    (encoder, theirs_e), (decoder, theirs_d) = pair(5, 8, 4), pair(2, 8, 5, seed=1)
    encoder.optimizer = our_adam()
    decoder.compile(our_adam(), mt.MSELoss())
    optimizer = their_adam(theirs_e, theirs_d)
    for _ in range(10):
        batch = rng.normal(size=(N, 5)), rng.normal(size=(N, 2))
        vae(encoder, decoder, *batch)
        vae_of_pytorch(theirs_e, theirs_d, optimizer, *tensors(*batch))
    assert_same(encoder, theirs_e)
    assert_same(decoder, theirs_d)
    assert_not_longer(vae, vae_of_pytorch)


# Reinforcement learning


def dqn(q, target, state, action, reward, then):
    goal, rows = reward + 0.9 * target(then).max(axis=1), np.arange(N)
    values = q(state, training=True)
    dy = np.zeros_like(values)
    dy[rows, action] = 2 * (values[rows, action] - goal) / N
    q.step(dy)
    target.move_towards(q, 0.01)


def dqn_of_pytorch(q, target, optimizer, state, action, reward, then):
    with torch.no_grad():
        goal = reward + 0.9 * target(then).max(dim=1).values
    loss = functional.mse_loss(q(state).gather(1, action[:, None])[:, 0], goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), q.parameters(), strict=True):
            slow.mul_(0.99).add_(0.01 * fast)


def test_dqn(rng):
    (q, theirs_q), (target, theirs_t) = pair(4, 16, 3), pair(4, 16, 3, seed=1)
    q.optimizer = our_adam()
    optimizer = their_adam(theirs_q)
    for _ in range(10):
        batch = rng.normal(size=(N, 4)), rng.integers(0, 3, N), rng.normal(size=N), rng.normal(size=(N, 4))
        dqn(q, target, *batch)
        dqn_of_pytorch(theirs_q, theirs_t, optimizer, *tensors(*batch))
    assert_same(q, theirs_q)
    assert_same(target, theirs_t)
    assert_not_longer(dqn, dqn_of_pytorch)


def policy_gradient(policy, state, action, advantage):
    slope = mt.Softmax()(policy(state, training=True)) - np.eye(3)[action]
    policy.step(slope * advantage[:, None] / N)


def policy_gradient_of_pytorch(policy, optimizer, state, action, advantage):
    chosen = torch.log_softmax(policy(state), dim=1)[torch.arange(N), action]
    optimizer.zero_grad()
    (-chosen * advantage).mean().backward()
    optimizer.step()


def policy_gradient_by_weights(policy, state, action, advantage):
    policy.train_on_batch(state, action, sample_weight=advantage)


@pytest.mark.parametrize("policy_gradient", [policy_gradient, policy_gradient_by_weights])
def test_policy_gradient(rng, policy_gradient):
    policy, theirs = pair(4, 16, 3)
    policy.compile(our_adam(), mt.CrossEntropyLoss())
    optimizer = their_adam(theirs)
    for _ in range(10):
        batch = rng.normal(size=(N, 4)), rng.integers(0, 3, N), rng.normal(size=N)
        policy_gradient(policy, *batch)
        policy_gradient_of_pytorch(theirs, optimizer, *tensors(*batch))
    assert_same(policy, theirs)
    assert_not_longer(policy_gradient, policy_gradient_of_pytorch)


# One body with two heads; one network for two inputs


def two_heads(body, classes, number, x, kind, size):
    h = body(x, training=True)
    classes.loss(classes(h, training=True), kind)
    number.loss(number(h, training=True), size)
    body.step(classes.step(classes.loss.backward()) + number.step(0.5 * number.loss.backward()))


def two_heads_of_pytorch(body, classes, number, optimizer, x, kind, size):
    h = body(x)
    loss = functional.cross_entropy(classes(h), kind) + 0.5 * functional.mse_loss(number(h), size)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def test_two_heads(rng):
    (body, theirs_b), (classes, theirs_c), (number, theirs_n) = pair(4, 8, 6), pair(6, 3, seed=1), pair(6, 1, seed=2)
    body.optimizer = our_adam()
    classes.compile(our_adam(), mt.CrossEntropyLoss())
    number.compile(our_adam(), mt.MSELoss())
    optimizer = their_adam(theirs_b, theirs_c, theirs_n)
    for _ in range(10):
        batch = rng.normal(size=(N, 4)), rng.integers(0, 3, N), rng.normal(size=(N, 1))
        two_heads(body, classes, number, *batch)
        two_heads_of_pytorch(theirs_b, theirs_c, theirs_n, optimizer, *tensors(*batch))
    for ours, theirs in ((body, theirs_b), (classes, theirs_c), (number, theirs_n)):
        assert_same(ours, theirs)
    assert_not_longer(two_heads, two_heads_of_pytorch)


def contrastive(network, a, b, same):
    u, v = np.split(network(np.concatenate([a, b]), training=True), 2)
    distance = np.linalg.norm(u - v, axis=1, keepdims=True)
    slope = 2 * (same * distance - (1 - same) * np.maximum(1 - distance, 0)) / N
    du = slope * (u - v) / distance
    network.step(np.concatenate([du, -du]))


def contrastive_of_pytorch(network, optimizer, a, b, same):
    distance = (network(a) - network(b)).norm(dim=1, keepdim=True)
    near, far = same * distance**2, (1 - same) * functional.relu(1 - distance) ** 2
    optimizer.zero_grad()
    (near + far).mean().backward()
    optimizer.step()


def test_contrastive_pairs(rng):
    network, theirs = pair(4, 8, 2)
    network.optimizer = mt.SGD(
        0.1, momentum=0.9
    )  # Adam would enlarge the rounding of the last bias, whose gradient is 0
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for _ in range(10):
        batch = rng.normal(size=(N, 4)), rng.normal(size=(N, 4)), rng.integers(0, 2, (N, 1)).astype(float)
        contrastive(network, *batch)
        contrastive_of_pytorch(theirs, optimizer, *tensors(*batch))
    assert_same(network, theirs)
    assert_not_longer(contrastive, contrastive_of_pytorch)


# Optimisers


@pytest.mark.parametrize("clip", [None, 0.1])
def test_train_on_batch_with_penalties_and_clipping(rng, clip):
    ours, theirs = pair(4, 8, 1)
    ours.compile(mt.SGD(0.1, momentum=0.9, global_clipnorm=clip), mt.MSELoss())
    for layer in (ours.layers[1], ours.layers[3]):
        layer.kernel.regularizer = mt.L2(0.05)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    for _ in range(10):
        x, y = rng.normal(size=(N, 4)), rng.normal(size=(N, 1))
        optimizer.zero_grad()
        loss = functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y))
        loss = loss + 0.05 * sum((p**2).sum() for p in theirs.parameters() if p.ndim == 2)
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        optimizer.step()
        np.testing.assert_allclose(ours.train_on_batch(x, y), loss.item(), rtol=1e-6 if clip else 1e-12)
    for value, parameter in zip(ours.get_weights(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(value, parameter.detach().numpy().T, atol=1e-6 if clip else 1e-10)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_rate_and_decay_of_one_parameter_are_those_of_a_parameter_group(rng, name):
    ours, theirs = pair(4, 8, 1)
    mine = {
        "SGD": lambda: mt.SGD(0.05, momentum=0.9, weight_decay=0.2),
        "AdamW": lambda: mt.AdamW(0.05, 0.2, epsilon=0.0),
    }
    ours.compile(mine[name](), mt.MSELoss())
    first, last = ours.layers[1], ours.layers[3]
    first.kernel.rate, first.bias.decay = 0.1, 0.0
    last.bias.rate, last.bias.decay = 2.0, 0.5
    of_first, of_first_bias, of_last, of_last_bias = theirs.parameters()
    groups = [
        {"params": [of_first], "lr": 0.005},
        {"params": [of_first_bias], "weight_decay": 0.0},
        {"params": [of_last]},
        {"params": [of_last_bias], "lr": 0.1, "weight_decay": 0.1},
    ]
    other = {
        "SGD": lambda: torch.optim.SGD(groups, lr=0.05, momentum=0.9, weight_decay=0.2),
        "AdamW": lambda: torch.optim.AdamW(groups, lr=0.05, weight_decay=0.2, eps=0.0),
    }
    optimizer = other[name]()
    for _ in range(10):
        x, y = rng.normal(size=(N, 4)), rng.normal(size=(N, 1))
        ours.train_on_batch(x, y)
        optimizer.zero_grad()
        functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        optimizer.step()
    assert_same(ours, theirs)


def test_one_optimizer_of_two_networks_is_two_optimizers(rng):
    networks = [pair(4, 8, 1), pair(4, 8, 1, seed=1)]
    optimizer, others = our_adam(), [their_adam(theirs) for _, theirs in networks]
    loss = mt.MSELoss()
    for turn in range(20):
        number = min(turn % 3, 1)  # the second takes twice as many steps
        (ours, theirs), other = networks[number], others[number]
        x, y = rng.normal(size=(N, 4)), rng.normal(size=(N, 1))
        loss(ours(x, training=True), y)
        ours.backward(loss.backward())
        optimizer.step(ours.parameters())
        other.zero_grad()
        functional.mse_loss(theirs(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        other.step()
    for ours, theirs in networks:
        assert_same(ours, theirs)
