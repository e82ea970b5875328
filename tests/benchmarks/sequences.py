"""Recurrent networks and a transformer block in this package and in PyTorch."""

from __future__ import annotations

from typing import Any

import minitorch_np as mt
from tests.benchmarks.networks import Case


class Recurrent(Case):
    """An LSTM whose last state goes into a Dense layer; sizes are its features, its units and the classes."""

    contenders = ("PyTorch",)
    kind = "LSTM"

    @property
    def shape(self) -> tuple[int, ...]:
        return (50, self.sizes[0])

    def layers(self) -> list[mt.Layer]:
        return [mt.Input(self.shape), getattr(mt, self.kind)(self.sizes[1]), mt.Dense(self.sizes[2])]

    def torch_layers(self) -> list[Any]:
        from torch import nn

        class LastState(getattr(nn, self.kind)):  # type: ignore[misc]
            def forward(self, x: Any) -> Any:
                return super().forward(x)[0][:, -1]

        features, units, classes = self.sizes
        return [LastState(features, units, batch_first=True), nn.Linear(units, classes)]


class Gated(Recurrent):
    """A GRU in its place."""

    kind = "GRU"


class Transformer(Case):
    """A block of attention and two Dense layers, with normalisation before each; sizes are its features and the classes."""

    contenders = ("PyTorch",)

    @property
    def shape(self) -> tuple[int, ...]:
        return (64, self.sizes[0])

    def layers(self) -> list[mt.Layer]:
        features, classes = self.sizes
        return [
            mt.Input(self.shape),
            mt.Residual([mt.LayerNormalization(), mt.MultiHeadAttention(4, features // 4)]),
            mt.Residual([mt.LayerNormalization(), mt.Dense(4 * features), mt.ReLU(), mt.Dense(features)]),
            *(mt.Flatten(), mt.Dense(classes)),
        ]

    def torch_layers(self) -> list[Any]:
        from torch import nn

        features, classes = self.sizes
        block = nn.TransformerEncoderLayer(features, 4, 4 * features, 0.0, batch_first=True, norm_first=True)
        return [block, nn.Flatten(), nn.Linear(64 * features, classes)]
