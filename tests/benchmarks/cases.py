"""What is timed."""

from __future__ import annotations

from tests.benchmarks.images import CatConvNet, LeNet
from tests.benchmarks.networks import Case
from tests.benchmarks.sequences import Gated, Recurrent, Transformer

SEED = (12288, 20, 7, 5, 1)
CASES = [
    Case("seed network, 209 images, float32", SEED, 209, 209, 60),
    Case("seed network, 209 images, float64", SEED, 209, 209, 60, "float64"),
    Case("2-8-1, batches of 4, 400 examples", (2, 8, 1), 400, 4, 10),
    Case("2-8-1, all 4 examples, one step an epoch", (2, 8, 1), 4, 4, 1000),
    Case("784-256-128-10, batches of 128", (784, 256, 128, 10), 128 * 40, 128, 3),
    Case("784-256-128-10, batches of 64", (784, 256, 128, 10), 64 * 40, 64, 3),
    LeNet("LeNet-5, 28x28x1, batches of 64", (784, 10), 64 * 20, 64, 3),
    CatConvNet("cat ConvNet, 64x64x3, batches of 16", (12288, 1), 16 * 12, 16, 3),
    Recurrent("LSTM(128) on 50 steps of 64 features, batches of 32", (64, 128, 10), 32 * 20, 32, 2),
    Gated("GRU(128) on 50 steps of 64 features, batches of 32", (64, 128, 10), 32 * 20, 32, 2),
    Transformer("transformer block, 64 steps of 128 features, batches of 16", (128, 10), 16 * 20, 16, 2),
]
