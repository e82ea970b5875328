"""Accumulation: gradients of several batches, averaged into one step of the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.shapes import NDArray


class Accumulation:
    """The sum of the gradients of several batches, each times the number of its examples.

    The gradient of one batch that has all these examples is this sum divided by their number, since a loss is a mean over examples.

    Args:
        batches: how many batches make one step.

    Attributes:
        pending: batches that were added since the last step.
    """

    def __init__(self, batches: int) -> None:
        self.batches = batches
        self.pending: int = 0
        self.examples: int = 0
        self.sums: dict[str, NDArray] = {}

    def add(self, parameters: Mapping[str, Parameter], examples: int) -> bool:
        """Add the gradients of a batch; return whether a step is due."""
        for name, parameter in parameters.items():
            if not parameter.trainable or parameter.grad is None:
                continue
            share = np.multiply(parameter.grad, examples)
            if name in self.sums:
                self.sums[name] += share
            else:
                self.sums[name] = share
        self.pending += 1
        self.examples += examples
        return self.pending == self.batches

    def put_mean(self, parameters: Mapping[str, Parameter]) -> None:
        """Set the gradients to the mean over all examples that were added, and begin anew."""
        for name, total in self.sums.items():
            parameters[name].grad = total / max(1, self.examples)
        self.sums, self.pending, self.examples = {}, 0, 0
