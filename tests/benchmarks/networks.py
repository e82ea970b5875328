"""The same network in each library, as `run(steps)`: forward, loss, backward and plain SGD, on batches of given data.

All but scikit-learn add up the losses and the correct predictions of an epoch, as fit does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minitorch_np as mt

Run = Callable[[int], None]


@dataclass
class Case:
    """A fully connected network (ReLU between) and random data for it.

    One output ends in a sigmoid and binary cross-entropy, several in softmax cross-entropy of class numbers.
    """

    name: str
    sizes: tuple[int, ...]
    examples: int
    batch_size: int
    epochs: int
    dtype: str = "float32"
    contenders = ("PyTorch", "JAX jit", "Keras", "scikit-learn", "bare products")

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(self.examples, *self.shape)).astype(self.dtype)
        self.y = np.arange(self.examples) % max(2, self.sizes[-1])
        self.steps_per_epoch = -(-self.examples // self.batch_size)
        self.steps = self.epochs * self.steps_per_epoch

    @property
    def shape(self) -> tuple[int, ...]:
        return self.sizes[:1]

    @property
    def binary(self) -> bool:
        return self.sizes[-1] == 1

    @property
    def loss(self) -> str:
        """The loss's name in both libraries."""
        return "BCELoss" if self.binary else "CrossEntropyLoss"

    def layers(self) -> list[mt.Layer]:
        layers: list[mt.Layer] = [mt.Input((self.sizes[0],))]
        for units in self.sizes[1:]:
            layers += [mt.Dense(units), mt.ReLU()]
        return [*layers[:-1], mt.Sigmoid()] if self.binary else layers[:-1]

    def torch_layers(self) -> list[Any]:
        import torch

        layers: list[Any] = []
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
        return [*layers[:-1], torch.nn.Sigmoid()] if self.binary else layers[:-1]


RATE = 0.001


def ours(case: Case) -> Run:
    """Through the public fit: shuffling, history, accuracy and the check for divergence included."""
    model = mt.Sequential(case.layers(), rng=0, dtype=case.dtype)
    model.compile(optimizer=mt.SGD(learning_rate=RATE), loss=getattr(mt, case.loss)(), metrics=["accuracy"])

    def run(steps: int) -> None:
        model.fit(case.x, case.y, epochs=steps // case.steps_per_epoch, batch_size=case.batch_size, progress=False)

    return run


def pytorch(case: Case) -> Run:
    import torch

    dtype = getattr(torch, case.dtype)
    model = torch.nn.Sequential(*case.torch_layers()).to(dtype)
    loss_of = getattr(torch.nn, case.loss)()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    x = torch.from_numpy(case.x)
    if x.ndim == 4:
        x = x.permute(0, 3, 1, 2).contiguous()  # the layout that it expects
    y = torch.from_numpy(case.y)
    if case.binary:
        y = y[:, None].to(dtype)
    threshold = 0.0 if "Logits" in case.loss else 0.5

    def run(steps: int) -> None:
        for _ in range(steps // case.steps_per_epoch):
            order = None if case.batch_size >= case.examples else torch.randperm(case.examples)
            total, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)
            for start in range(0, case.examples, case.batch_size):
                rows = slice(None) if order is None else order[start : start + case.batch_size]
                optimizer.zero_grad()
                y_batch, prediction = y[rows], model(x[rows])
                loss = loss_of(prediction, y_batch)
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(y_batch)
                prediction = prediction.detach()
                answers = (prediction > threshold).to(dtype) if case.binary else prediction.argmax(1)
                hits += (answers == y_batch).sum()
            total.item(), hits.item()

    return run


def jax_jit(case: Case) -> Run:
    """One jitted function for the step, waited for once at the end."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", case.dtype == "float64")
    rng = np.random.default_rng(0)
    parameters = [
        (jnp.asarray(rng.normal(size=(a, b)) / np.sqrt(a), case.dtype), jnp.zeros(b, case.dtype))
        for a, b in zip(case.sizes, case.sizes[1:], strict=False)
    ]

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        for position, (kernel, bias) in enumerate(parameters):
            x = x @ kernel + bias
            if position < len(parameters) - 1:
                x = jax.nn.relu(x)
        if case.binary:
            loss, answers = jnp.mean(jax.nn.softplus(x[:, 0]) - x[:, 0] * y), x[:, 0] > 0
        else:
            loss, answers = -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1)), x.argmax(1)
        return loss, jnp.sum(answers == y)

    @jax.jit
    def step(parameters: Any, totals: Any, x: Any, y: Any) -> Any:
        (loss, hits), gradients = jax.value_and_grad(loss_of, has_aux=True)(parameters, x, y)
        parameters = jax.tree.map(lambda value, gradient: value - RATE * gradient, parameters, gradients)
        return parameters, (totals[0] + loss * len(y), totals[1] + hits)

    whole = case.batch_size >= case.examples
    x_whole, y_whole = jnp.asarray(case.x), jnp.asarray(case.y)

    def run(steps: int) -> None:
        nonlocal parameters
        shuffled = np.random.default_rng(0)
        for _ in range(steps // case.steps_per_epoch):
            order, totals = shuffled.permutation(case.examples), (0.0, 0)
            for start in range(0, case.examples, case.batch_size):
                rows = order[start : start + case.batch_size]
                x, y = (x_whole, y_whole) if whole else (case.x[rows], case.y[rows])
                parameters, totals = step(parameters, totals, x, y)
        jax.block_until_ready(parameters)

    return run


def scikit_learn(case: Case) -> Run:
    """MLPClassifier's own epochs, through partial_fit."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        case.sizes[1:-1],
        solver="sgd",
        alpha=0,
        momentum=0,
        learning_rate_init=RATE,
        batch_size=case.batch_size,
        shuffle=True,
    )
    model.partial_fit(case.x, case.y, classes=np.unique(case.y))

    def run(steps: int) -> None:
        for _ in range(steps // case.steps_per_epoch):
            model.partial_fit(case.x, case.y)

    return run


def keras(case: Case) -> Run:
    import keras

    layers = [keras.Input((case.sizes[0],)), *(keras.layers.Dense(units, "relu") for units in case.sizes[1:-1])]
    layers.append(keras.layers.Dense(case.sizes[-1], "sigmoid" if case.binary else "linear"))
    model = keras.Sequential(layers)
    loss = (
        keras.losses.BinaryCrossentropy()
        if case.binary
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    model.compile(keras.optimizers.SGD(RATE), loss, metrics=["accuracy"])

    def run(steps: int) -> None:
        model.fit(case.x, case.y, epochs=steps // case.steps_per_epoch, batch_size=case.batch_size, verbose=0)

    return run


def bare_products(case: Case) -> Run:
    """The matrix products that one step cannot do without, each in its fastest layout: the limit."""
    rng = np.random.default_rng(0)
    kernels = [
        np.asfortranarray(rng.normal(size=s).astype(case.dtype)) for s in zip(case.sizes, case.sizes[1:], strict=False)
    ]
    inputs = [rng.normal(size=(case.batch_size, size)).astype(case.dtype) for size in case.sizes]
    gradients = [np.empty_like(kernel) for kernel in kernels]

    def run(steps: int) -> None:
        for _ in range(steps):
            for x, kernel in zip(inputs, kernels, strict=False):
                x @ kernel
            for position in reversed(range(len(kernels))):
                dy = inputs[position + 1]
                np.matmul(dy.T, inputs[position], out=gradients[position].T)
                if position:
                    dy @ kernels[position].T

    return run


CONTENDERS: dict[str, tuple[str, Callable[[Case], Run]]] = {
    "PyTorch": ("torch", pytorch),
    "JAX jit": ("jax", jax_jit),
    "Keras": ("keras", keras),
    "scikit-learn": ("sklearn", scikit_learn),
    "bare products": ("numpy", bare_products),
}
