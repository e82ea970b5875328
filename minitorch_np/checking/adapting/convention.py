"""Conventions that are no bug: the 1/m of a mean loss in the gradients of the parameters, and a whole net without dx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.subject import GlobalRandomness, State

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.shapes import NDArray
    from minitorch_np.checking.adapting.foreign import Foreign

_STEP = 1e-6
_CLOSE = 1e-4  # how well differences tell a slope, in proportion


def divides_by_the_batch(layer: Foreign, x: NDArray) -> bool:
    """Whether the gradients of most parameters, and of no x, are the true ones divided by the number of examples.

    Courses put the 1/m of the mean loss there. If one parameter alone is divided, or dx too, it is a bug.
    """
    m = len(x) if x.ndim else 0
    if m < 2 or not layer.values:
        return False
    randomness, state = GlobalRandomness(), State(layer)
    try:
        factors = _factors(layer, x)
    except Exception:  # the check itself reports it
        return False
    finally:
        state.restore()
        randomness.restore()
    of_x, of_parameters = factors.pop("x", 1.0), [*factors.values()]
    divided = sum(bool(np.isclose(factor * m, 1, rtol=_CLOSE)) for factor in of_parameters)
    return bool(np.isclose(of_x, 1, rtol=_CLOSE)) and 2 * divided > len(of_parameters)


def _factors(layer: Foreign, x: NDArray) -> dict[str, float]:
    """For x and each parameter, the slope by backward divided by the true slope, in a random direction."""
    rng = np.random.default_rng(3)
    randomness, state = GlobalRandomness(), State(layer)

    def cost(name: str, value: NDArray) -> float:
        state.restore()
        randomness.restore()
        if name != "x":
            layer.values[name].replace(value)
        return float(np.sum(dy * layer.forward(value if name == "x" else x)))

    dy = rng.normal(size=np.shape(layer.forward(x)))
    dx = layer.backward(dy)
    at: dict[str, tuple[NDArray, Any]] = {n: (p.value.copy(), p.grad) for n, p in layer.values.items()}
    if dx is not None and x.dtype.kind == "f":
        at["x"] = x, np.array(dx)
    found = {}
    for name, (value, gradient) in at.items():
        direction = rng.normal(size=value.shape)
        slope = (cost(name, value + _STEP * direction) - cost(name, value - _STEP * direction)) / (2 * _STEP)
        if slope and gradient is not None:
            found[name] = float(np.sum(gradient * direction)) / slope
    return found


def is_net(parameters: Mapping[str, Parameter]) -> bool:
    """Whether these are the parameters of several layers: matrices with numbered names or of different shapes.

    A net does not need the gradient of its x; a layer does.
    """
    matrices = {name: p.value.shape for name, p in parameters.items() if sum(size > 1 for size in p.value.shape) > 1}
    without_numbers = {re.sub(r"\d+", "", name) for name in matrices}
    return len(without_numbers) < len(matrices) or len(set(matrices.values())) > 1
