"""Weights: the values of a model's parameters, copied out and replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minitorch_np.base.arrays import as_numbers, in_dtype
from minitorch_np.training import sharing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.shapes import NDArray
    from minitorch_np.layer import Layer
else:
    Layer = object  # Model, which has these methods, is a Layer


class Weights(Layer):
    """The methods of Model that read and write the values of its parameters."""

    def get_weights(self) -> list[NDArray]:
        """Copies of all values, in the order of `parameters()`; while another thread trains, the values after one of its steps."""
        parameters = self.parameters().values()
        with sharing.paused(parameters):
            return [parameter.value.copy() for parameter in parameters]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace all values; nothing is changed unless all of them fit.

        Raises:
            ValueError: the number of arrays differs, or an array has another shape, numbers too large for the dtype, or no real
                numbers; the message names the parameter.
        """
        names = list(self.parameters())
        who = f"{type(self).__name__}.set_weights"
        if not isinstance(weights, Sequence) or len(weights) != len(names):
            count = f"got {len(weights)}" if isinstance(weights, Sequence) else f"got {type(weights).__name__}"
            raise ValueError(
                f"{who}: expected {len(names)} arrays, {count}. get_weights gives such a list; load_state_dict takes a dictionary."
            )
        self._replace(dict(zip(names, weights, strict=True)), who)

    def state_dict(self) -> dict[str, NDArray]:
        """Copies of all values by name, as in PyTorch, each in C order, which formats such as safetensors need."""
        return {
            name: np.ascontiguousarray(value) for name, value in zip(self.parameters(), self.get_weights(), strict=True)
        }

    def load_state_dict(self, state: Mapping[str, ArrayLike]) -> None:
        """Replace all values by those of the same name; nothing is changed unless all are there and fit.

        Raises:
            ValueError: a name is missing or unknown; and as for set_weights.
        """
        who, names = f"{type(self).__name__}.load_state_dict", self.parameters().keys()
        if not isinstance(state, Mapping):
            raise ValueError(
                f"{who}: expected a dictionary by name, as state_dict gives it, got {type(state).__name__}."
            )
        for problem, wrong in (("is missing", names - state.keys()), ("is not in the model", state.keys() - names)):
            if wrong:
                raise ValueError(
                    f"{who}: {', '.join(sorted(map(str, wrong)))} {problem}. The names are {', '.join(names)}."
                )
        self._replace(state, who)

    def _replace(self, values: Mapping[str, ArrayLike], who: str) -> None:
        """Check that all values fit, then replace them by name."""
        parameters, fitting = self.parameters(), {}
        for name, parameter in parameters.items():
            array = as_numbers(values[name], name, who)
            if array.shape != parameter.shape:
                raise ValueError(f"{who}: {name} has shape {parameter.shape}, got {array.shape}.")
            fitting[name] = in_dtype(array, parameter.value.dtype, f"{who}: {name}").copy()
        with sharing.paused(parameters.values(), to_write=True):
            for name, parameter in parameters.items():
                parameter.value[...] = fitting[name]
