"""Formulas: the functions of x and y that authors write for a derivative; x is what goes in, y what comes out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minitorch_np.base.shapes import NDArray

Formula = Callable[[NDArray, NDArray], NDArray]


def _sigmoid(x: NDArray) -> NDArray:
    return 1 / (1 + np.exp(-x))


FORMULAS: dict[str, Formula] = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "x**2": lambda x, y: x * x,
    "y**2": lambda x, y: y * y,
    "1 / x": lambda x, y: 1 / x,
    "1 / y": lambda x, y: 1 / y,
    "1 / x**2": lambda x, y: 1 / (x * x),
    "y / x": lambda x, y: y / x,
    "exp(x)": lambda x, y: np.exp(x),
    "exp(-x)": lambda x, y: np.exp(-x),
    "exp(y)": lambda x, y: np.exp(y),
    "tanh(x)": lambda x, y: np.tanh(x),
    "sign(x)": lambda x, y: np.sign(x),
    "sigmoid(x)": lambda x, y: _sigmoid(x),
    "sigmoid(y)": lambda x, y: _sigmoid(y),
    "sigmoid(x) * (1 - sigmoid(x))": lambda x, y: _sigmoid(x) * _sigmoid(-x),
    "sigmoid(y) * (1 - sigmoid(y))": lambda x, y: _sigmoid(y) * _sigmoid(-y),
    "x * sigmoid(x) * (1 - sigmoid(x))": lambda x, y: x * _sigmoid(x) * _sigmoid(-x),
}
