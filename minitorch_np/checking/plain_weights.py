"""Plain weights: a layer of this package that keeps its weights as arrays, which neither training nor gradcheck sees."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import numpy as np

from minitorch_np.base.configurable import is_built_in
from minitorch_np.checking.adapting.gradient_names import is_gradient_of, is_of_input, match
from minitorch_np.layer import Layer


def plain_weights(layer: Layer) -> list[str]:
    """A finding for each array of a built layer of a person's own whose gradient backward keeps: dw for w, or grads["w"]."""
    if is_built_in(type(layer)):
        return []
    return [
        f"{gradient} was not checked, and training does not change {name}, because {name} is an array. Write self.{name} = "
        f"self.add_parameter(shape) in build, self.{name}.value in forward, and self.{name}.grad = … in backward."
        for name, gradient in _pairs(layer)
    ]


def _pairs(layer: Layer) -> Iterator[tuple[str, str]]:
    """The names of such arrays, and those of their gradients."""
    code = inspect.unwrap(type(layer).backward).__code__
    for name, value in vars(layer).items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
            for used in code.co_names:
                if is_gradient_of(used, name) and not is_of_input(used, "x"):
                    yield name, used
                elif name in code.co_consts and match((used, name), ("params", name)):
                    yield name, f"{used}[{name!r}]"
