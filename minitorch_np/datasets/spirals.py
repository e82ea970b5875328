"""Spirals: points in two dimensions whose classes no straight line separates."""

from __future__ import annotations

import numpy as np

from minitorch_np.base.shapes import NDArray


def make_spirals(
    n: int = 600, classes: int = 2, noise: float = 0.1, rng: int | np.random.Generator = 0
) -> tuple[NDArray, NDArray]:
    """Points on intertwined spirals: x (n, 2) float64, y (n,) the number of the spiral.

    Each arm winds one and a half times around the origin, out to a radius of 4; its point at radius r has the angle
    3 pi r / 4 + 2 pi class / classes, plus normal noise. Each class has n / classes points.

    Args:
        noise: standard deviation, in both directions; neighbouring arms are 8 / (3 classes) apart.
    """
    if classes < 2 or n < classes or not 0 <= noise < np.inf:
        raise ValueError(
            f"make_spirals: expected n >= classes >= 2 and noise >= 0, got n={n}, classes={classes}, noise={noise}."
        )
    generator = np.random.default_rng(rng)
    y = np.arange(n) % classes
    radius = 4 * np.sqrt(
        generator.uniform(0.02, 1, n)
    )  # the square root keeps the outer turns as dense as the inner ones
    angle = 0.75 * np.pi * radius + 2 * np.pi * y / classes
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return x + generator.normal(scale=noise, size=x.shape), y
