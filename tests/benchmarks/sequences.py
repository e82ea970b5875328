"""A recurrent network in this package and in PyTorch."""

from __future__ import annotations

from typing import Any

import minitorch_np as mt
from tests.benchmarks.networks import Case


class Recurrent(Case):
    """An LSTM whose last state goes into a Dense layer; sizes are its features, its units and the classes."""

    contenders = ("PyTorch",)

    @property
    def shape(self) -> tuple[int, ...]:
        return (50, self.sizes[0])

    def layers(self) -> list[mt.Layer]:
        return [mt.Input(self.shape), mt.LSTM(self.sizes[1]), mt.Dense(self.sizes[2])]

    def torch_layers(self) -> list[Any]:
        from torch import nn

        class LastState(nn.LSTM):
            def forward(self, x: Any) -> Any:
                return super().forward(x)[0][:, -1]

        features, units, classes = self.sizes
        return [LastState(features, units, batch_first=True), nn.Linear(units, classes)]
