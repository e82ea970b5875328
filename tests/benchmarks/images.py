"""Convolutional networks in this package and in PyTorch."""

from __future__ import annotations

from typing import Any

import minitorch_np as mt
from tests.benchmarks.networks import Case


class LeNet(Case):
    """LeNet-5 with ReLU and max pooling: two convolutions, three Dense layers, ten classes."""

    contenders = ("PyTorch",)
    shape = (28, 28, 1)

    def layers(self) -> list[mt.Layer]:
        return [
            mt.Input(self.shape),
            *(mt.Conv2D(6, 5, padding="same"), mt.ReLU(), mt.MaxPooling2D()),
            *(mt.Conv2D(16, 5), mt.ReLU(), mt.MaxPooling2D()),
            *(mt.Flatten(), mt.Dense(120), mt.ReLU(), mt.Dense(84), mt.ReLU(), mt.Dense(10)),
        ]

    def torch_layers(self) -> list[Any]:
        from torch import nn

        return [
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        ]


class CatConvNet(Case):
    """Four blocks of convolution, batch normalisation, ReLU and max pooling; one logit."""

    contenders = ("PyTorch",)
    shape = (64, 64, 3)
    loss = "BCEWithLogitsLoss"
    filters = (16, 32, 64, 64)

    def layers(self) -> list[mt.Layer]:
        layers: list[mt.Layer] = [mt.Input(self.shape)]
        for filters in self.filters:
            layers += [mt.Conv2D(filters, 3, padding="same"), mt.BatchNormalization(), mt.ReLU(), mt.MaxPooling2D()]
        return [*layers, mt.Flatten(), mt.Dense(1)]

    def torch_layers(self) -> list[Any]:
        from torch import nn

        layers: list[Any] = []
        for before, filters in zip((3, *self.filters), self.filters, strict=False):
            layers += [nn.Conv2d(before, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d(2)]
        return [*layers, nn.Flatten(), nn.Linear(1024, 1)]
