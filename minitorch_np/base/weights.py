"""Weights: the values of the parameters of a layer or a model, copied out and replaced."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minitorch_np.base import sharing
from minitorch_np.base.arrays import as_numbers, in_dtype
from minitorch_np.base.callers import caller
from minitorch_np.base.node import Node
from minitorch_np.base.validation import check_number

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from minitorch_np.base.parameter import Parameter
    from minitorch_np.base.parameters import Parameters
    from minitorch_np.base.shapes import NDArray


class Difference(NamedTuple):
    """What load_state_dict returns: the names that the state lacks, and those that only the state has. Both lists are PyTorch's."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"Difference(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Weights(Node):
    """The methods of layers and models that read and write the values of their parameters."""

    def parameters(self) -> Parameters:
        self._refuse_unbuilt("parameters")
        return super().parameters()

    def get_weights(self) -> list[NDArray]:
        """Copies of all values, in the order of `parameters()`; while another thread trains, the values after one of its steps."""
        parameters = self._made_parameters("get_weights").values()
        with sharing.paused(parameters):
            return [parameter.value.copy() for parameter in parameters]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Replace all values; nothing is changed unless all of them fit.

        Raises:
            ValueError: the number of arrays differs, or an array has another shape, numbers too large for the dtype, or no real
                numbers; the message names the parameter.
        """
        names = list(self._made_parameters("set_weights"))
        who = f"{type(self).__name__}.set_weights"
        if not isinstance(weights, Sequence) or len(weights) != len(names):
            count = f"got {len(weights)}" if isinstance(weights, Sequence) else f"got {type(weights).__name__}"
            raise ValueError(
                f"{who}: expected {len(names)} arrays, {count}. get_weights gives such a list; load_state_dict takes a dictionary."
            )
        self._replace(dict(zip(names, weights, strict=True)), who)

    def count_params(self) -> int:
        """The number of values in all parameters, those that do not learn included."""
        return sum(parameter.size for parameter in self._made_parameters("count_params").values())

    def state_dict(self) -> dict[str, NDArray]:
        """Copies of all values by name, as in PyTorch, each in C order, which formats such as safetensors need."""
        names = self._made_parameters("state_dict")
        return {name: np.ascontiguousarray(value) for name, value in zip(names, self.get_weights(), strict=True)}

    def load_state_dict(self, state: Mapping[str, ArrayLike], strict: bool = True) -> Difference:
        """Replace all values by those of the same name; nothing is changed unless all fit.

        Args:
            state: arrays by name, as state_dict gives them.
            strict: False replaces the values whose names the state has, and leaves the others.

        Returns:
            The names that differ, as in PyTorch: `missing_keys`, `unexpected_keys`. With strict=True both are empty.

        Raises:
            ValueError: a name is missing or unknown and strict is True; and as for set_weights, whatever strict is.
        """
        who, parameters = f"{type(self).__name__}.load_state_dict", self._made_parameters("load_state_dict")
        if not isinstance(state, Mapping):
            raise ValueError(
                f"{who}: expected a dictionary by name, as state_dict gives it, got {type(state).__name__}."
            )
        missing = [name for name in parameters.keys() if name not in state]  # noqa: SIM118 iteration gives other strings
        unexpected = [str(name) for name in state if name not in parameters]
        if strict and (missing or unexpected):
            wrong = [f"{', '.join(missing)} is missing"] if missing else []
            wrong += [f"{', '.join(unexpected)} is not in the model"] if unexpected else []
            raise ValueError(
                f"{who}: {'; '.join(wrong)}. The model has {', '.join(parameters) or 'no parameters'}. "
                "strict=False replaces the values whose names are in both."
            )
        fitting = {name: state[name] for name in parameters.keys() if name in state}  # noqa: SIM118
        if parameters and not fitting:
            warnings.warn(
                f"{who}: no name of the state is in the model, so nothing is replaced. The model has {', '.join(parameters)}.",
                stacklevel=caller(),
            )
        self._replace(fitting, who)
        return Difference(missing, unexpected)

    def move_towards(self, other: Weights, share: float) -> None:
        """value = (1 - share) * value + share * other's value, for all parameters and running statistics: a target network that follows.

        Args:
            other: a layer or model with parameters of the same names and shapes.
            share: from 0 (nothing moves) to 1 (a copy).
        """
        who = f"{type(self).__name__}.move_towards"
        if not isinstance(other, Weights):
            raise ValueError(f"{who}: expected the model to move towards, got {other!r:.80}.")
        check_number(who, "share", share, "[0, 1]")
        own, theirs = self._made_parameters("move_towards"), other._made_parameters("move_towards")
        shapes = [{name: parameter.shape for name, parameter in one.items()} for one in (own, theirs)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{who}: expected a model with the same parameters, {shapes[0]}, got {shapes[1]}.")
        with sharing.paused(theirs.values()):
            goal = [parameter.value.copy() for parameter in theirs.values()]
        with sharing.paused(own.values(), to_write=True):
            for parameter, value in zip(own.values(), goal, strict=True):
                parameter.value[...] = value if share == 1 else (1 - share) * parameter.value + share * value

    def _made_parameters(self, method: str) -> Parameters:
        self._refuse_unbuilt(method)
        return self.parameters()

    def _refuse_unbuilt(self, method: str) -> None:
        """Raise RuntimeError if the parameters will only be made when the layer is built."""
        if getattr(self, "built", True):
            return
        builds = (
            sum("build" in vars(base) for base in type(self).__mro__) > 1
        )  # besides the one of Layer, which makes nothing
        if builds and not super().parameters():
            raise RuntimeError(
                f"{type(self).__name__}.{method}: the layer is not built yet, so it has no weights. Call it on data, or write "
                "layer.initialize(input_shape); a model that begins with Input(shape) builds its layers: model.layers[1]."
            )

    def _replace(self, values: Mapping[str, ArrayLike], who: str) -> None:
        """Check that all values fit, then replace them by name."""
        parameters, fitting = self.parameters(), {}
        for name, value in values.items():
            fitting[name] = _fitting(value, parameters[name], name, who)
        with sharing.paused(parameters.values(), to_write=True):
            for name, array in fitting.items():
                parameters[name].value[...] = array


def _fitting(value: ArrayLike, parameter: Parameter, name: str, who: str) -> NDArray:
    """A copy of the value in the parameter's dtype. Raises ValueError if it has another shape."""
    array = as_numbers(value, name, who)
    if array.shape != parameter.shape:
        raise ValueError(f"{who}: {name} has shape {parameter.shape}, got {array.shape}.")
    return in_dtype(array, parameter.value.dtype, f"{who}: {name}").copy()
