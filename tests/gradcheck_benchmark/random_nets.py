"""Random right nets of one to five blocks, of all families of the package, with inputs that nobody scaled and perhaps a loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import minitorch_np as mt

Shape = tuple[int, ...]
ACTIVATIONS = (
    mt.ReLU,
    mt.LeakyReLU,
    mt.ELU,
    mt.SELU,
    mt.GELU,
    lambda: mt.GELU(approximate=True),
    mt.SiLU,
    mt.Softplus,
    mt.Sigmoid,
    mt.Tanh,
    mt.Softmax,
    mt.LogSoftmax,
)
RECURRENT = (mt.SimpleRNN, mt.LSTM, mt.GRU)
STARTS = ((4,), (3, 4), (6, 6, 2), "tokens")


@dataclass
class Net:
    """A right net, its inputs, and perhaps a loss with its target."""

    model: mt.Sequential
    x: np.ndarray
    y: np.ndarray | None = None
    loss: mt.Loss | None = None

    def check(self, seed: int) -> mt.GradcheckReport:
        return mt.gradcheck(self.model, self.x, self.y, loss=self.loss, rng=seed, raise_exception=False)

    def __repr__(self) -> str:
        return (
            f"{self.model!r}, x {self.x.dtype}{list(self.x.shape)} up to {np.abs(self.x).max():.3g}, loss {self.loss!r}"
        )


class Builder:
    """Draws blocks that fit one after another."""

    def __init__(self, seed: int) -> None:
        self.seed, self.rng = seed, np.random.default_rng(seed)
        self.layers: list[mt.Layer] = []
        self.shape: Shape = ()

    def net(self) -> Net:
        rng = self.rng
        start = STARTS[rng.integers(len(STARTS))]
        batch = int(rng.integers(1, 8))
        if start == "tokens":
            x = rng.integers(0, 5, (batch, 3))
            self.layers, self.shape = [mt.Embedding(5, 4)], (3, 4)
        else:
            x, self.shape = self._inputs((batch, *start)), start
        for _ in range(rng.integers(1, 6)):
            self._add(self._block())
        y, loss = self._loss(batch) if rng.random() < 0.5 else (None, None)
        model = mt.Sequential(self.layers, rng=self.seed, dtype=("float32", "float64")[self.seed % 2])
        return Net(model, x, y, loss)

    def _inputs(self, shape: Shape) -> np.ndarray:
        """Inputs as they come: of any size, with an offset, with zeros, pixels, or columns in units of their own."""
        rng = self.rng
        x = rng.normal(size=shape)
        kind = rng.integers(5)
        if kind == 0:
            return np.floor(rng.uniform(0, 256, shape))
        if kind == 1:
            return x * 10 ** rng.uniform(-3, 4, shape[-1])
        x = x * 10 ** rng.uniform(-2, 4)
        if kind == 2:
            x = x + 10 ** rng.uniform(-1, 3)
        if kind == 3:
            x[rng.uniform(size=shape) < 0.3] = 0
        return x

    def _add(self, block: list[mt.Layer]) -> None:
        self.layers += block
        for layer in block:
            self.shape = layer.compute_output_shape(self.shape)

    def _activation(self) -> mt.Layer:
        return ACTIVATIONS[self.rng.integers(len(ACTIVATIONS))]()

    def _block(self) -> list[mt.Layer]:
        families = (self._on_vectors, self._on_sequences, self._on_images)
        block = families[len(self.shape) - 1]()
        return [*block, self._activation()] if self.rng.random() < 0.4 else block

    def _on_vectors(self) -> list[mt.Layer]:
        rng, features = self.rng, self.shape[-1]
        units = int(rng.integers(1, 7))
        choices = [
            lambda: [mt.Dense(units, use_bias=bool(rng.integers(2)))],
            lambda: [mt.Dense(units, kernel_initializer="he_normal"), mt.BatchNormalization()],
            lambda: [mt.LayerNormalization()],
            lambda: [mt.Dropout(0.3)],
            lambda: [mt.GaussianNoise(0.1)],
            lambda: [mt.Residual([mt.Dense(features), self._activation()])],
            lambda: [mt.Add([[], mt.Dense(features)])],
            lambda: [mt.Concatenate([[], mt.Dense(units), [mt.Dense(2), self._activation()]])],
            lambda: [mt.Rescaling(float(10 ** rng.uniform(-2, 2)), 0.5)],
            lambda: [mt.Dense(6), mt.Reshape((3, 2))],
        ]
        return choices[rng.integers(len(choices))]()

    def _on_sequences(self) -> list[mt.Layer]:
        rng, (steps, features) = self.rng, self.shape
        recurrent = RECURRENT[rng.integers(3)]
        whole, backwards, units = bool(rng.integers(2)), bool(rng.integers(2)), int(rng.integers(1, 4))
        choices = [
            lambda: [recurrent(units, return_sequences=whole, go_backwards=backwards)],
            lambda: [recurrent(units, return_sequences=whole)],
            lambda: [mt.Bidirectional(recurrent(units, return_sequences=whole))],
            lambda: [mt.MultiHeadAttention(int(rng.integers(1, 3)), 2, causal=whole)],
            lambda: [mt.Residual([mt.LayerNormalization(), mt.MultiHeadAttention(1, 2)])],
            lambda: [mt.Residual([mt.Dense(features), self._activation()]), mt.LayerNormalization()],
            lambda: [mt.PositionalEmbedding(steps)],
            lambda: [mt.Dense(units)],
            lambda: [mt.Permute((2, 1))],
            lambda: [mt.Flatten()],
        ]
        return choices[rng.integers(len(choices))]()

    def _on_images(self) -> list[mt.Layer]:
        rng, (height, width, _) = self.rng, self.shape
        padding = ("valid", "same")[rng.integers(2)] if min(height, width) > 2 else "same"
        stride, filters = int(rng.integers(1, 3)), int(rng.integers(1, 4))
        choices = [
            lambda: [mt.Conv2D(filters, 3, strides=stride, padding=padding)],
            lambda: [mt.Conv2D(filters, 2, padding="same", use_bias=False), mt.BatchNormalization()],
            lambda: [mt.DepthwiseConv2D(3, padding=padding)],
            lambda: [mt.MaxPooling2D(2, padding="same")],
            lambda: [mt.AveragePooling2D(2, strides=1, padding="same")],
            lambda: [mt.ZeroPadding2D(1), mt.Conv2D(filters, 3)],
            lambda: [mt.UpSampling2D(2, ("nearest", "bilinear")[rng.integers(2)])] if height < 7 else [mt.Flatten()],
            lambda: [mt.SpatialDropout2D(0.3)],
            lambda: [mt.GlobalMaxPooling2D()],
            lambda: [mt.GlobalAveragePooling2D()],
            lambda: [mt.Flatten()],
        ]
        return choices[rng.integers(len(choices))]()

    def _loss(self, batch: int) -> tuple[np.ndarray, mt.Loss]:
        """A loss, its target, and the layers before it that give what it takes."""
        rng = self.rng
        if len(self.shape) > 1:
            self._add([mt.Flatten()])
        labels = rng.integers(0, 3, batch)
        bits = rng.integers(0, 2, (batch, 2)).astype(float)
        number = rng.normal(size=(batch, 2))
        heads = [
            ([mt.Dense(2)], (mt.MSELoss(), mt.L1Loss(), mt.HuberLoss()), number),
            ([mt.Dense(2)], (mt.BCEWithLogitsLoss(),), bits),
            ([mt.Dense(2)], (mt.HingeLoss(),), 2 * bits - 1),
            ([mt.Dense(2), mt.Sigmoid()], (mt.BCELoss(), mt.FocalLoss()), bits),
            ([mt.Dense(3)], (mt.CrossEntropyLoss(), mt.CrossEntropyLoss(label_smoothing=0.1)), labels),
            ([mt.Dense(3), mt.Softmax()], (mt.CrossEntropyLoss(from_logits=False),), labels),
            ([mt.Dense(3), mt.LogSoftmax()], (mt.NLLLoss(),), labels),
            ([mt.Dense(3), mt.LogSoftmax()], (mt.KLDivLoss(),), rng.dirichlet(np.ones(3), batch)),
        ]
        head, losses, target = heads[rng.integers(len(heads))]
        self._add(head)
        return target, losses[rng.integers(len(losses))]


def net(seed: int) -> Net:
    """The net of a seed."""
    return Builder(seed).net()
