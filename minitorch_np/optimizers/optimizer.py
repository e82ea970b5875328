"""Optimizer: what all optimisers have in common."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments, line_for
from minitorch_np.base.configurable import OwnAttributes, is_built_in, says_itself
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.parameters import Parameters, warn_of_lost
from minitorch_np.base.shapes import NDArray, Shape
from minitorch_np.base.state import as_state, attributes, set_attributes
from minitorch_np.base.text import of_class
from minitorch_np.base.validation import Checks, anything, is_number, whole
from minitorch_np.optimizers.blocks import updating
from minitorch_np.optimizers.clipping import clipping
from minitorch_np.optimizers.exclusion import check_exclude, excluded
from minitorch_np.optimizers.networks import OfNetwork, Owners, belongs, of_another, of_network, settings_of, state_of

Schedule = Callable[[int], float]

_TRANSIENT = ("_buffers", "_owners", "_others", "_known")  # not part of the state
_MOST_STEPS = 2**53


class _RateOfStep:
    """The attribute `rate`, which each step sets. Without __get__, so that reading costs no more than for any attribute."""

    def __set__(self, owner: Optimizer, value: float) -> None:
        if is_built_in(type(owner)):  # a user-defined subclass may have an argument of that name
            raise AttributeError(
                f"{type(owner).__name__}: rate is the learning rate of the current step, which each step sets anew. "
                f"Write optimizer.learning_rate = {value!r}."
            )
        vars(owner)["rate"] = value


def _check_rate(who: str, name: str, value: Any) -> None:
    of_model = hasattr(value, "parameters") or getattr(value, "__name__", "") == "parameters"  # model, or its method
    if not callable(value) or isinstance(value, type) or of_model:
        checked_rate(who, value)


class Optimizer(OwnAttributes):
    """Changes parameters so that the loss falls.

    A subclass writes `update(parameter, state)`, which changes `parameter.value` in place. It uses `parameter.grad`,
    `self.rate` and `self.iteration`. `state` is a dictionary of arrays for this parameter alone; it is empty at first.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate` with steps counted from 0.
        clipnorm: the gradient of each parameter is scaled down to at most this length.
        clipvalue: elements of gradients are clipped to [-clipvalue, clipvalue].
        global_clipnorm: as clipnorm, for the length of all gradients together. Pascanu et al. 2013, algorithm 1. Give at most
            one of the three.

    Attributes:
        iteration: number of the current step, from 1; 0 before the first.
        rate: the learning rate of the current step, in `update` times the `rate` of the parameter; 0 before the first.
        state: the dictionaries of all parameters, by their names. If one optimiser steps several networks, each has its own state and its
            own iteration; `state`, `iteration` and get_state are those of the first network, and in fit or a step those of its network.
        elementwise: True on classes whose update treats each element of a parameter by itself: large ones are then updated in blocks.
        rotation_invariant: True on classes whose steps turn with the weights: see docs/wide_data.md.
    """

    checks: Checks = {
        "learning_rate": _check_rate,
        "iteration": whole(),
        **dict.fromkeys(("clipnorm", "global_clipnorm", "clipvalue"), anything),
        "exclude": check_exclude,
    }
    elementwise: bool = False
    rotation_invariant: bool = False
    exclude: Sequence[str]
    rate: float = _RateOfStep()  # type: ignore[assignment]
    learning_rate: float | Schedule
    clipnorm: float | None
    global_clipnorm: float | None
    clipvalue: float | None
    iteration: int
    state: dict[str, dict[str, NDArray]]

    def before_constructor(self) -> None:
        """Set what every step needs, even if a subclass forgets super().__init__()."""
        vars(self).update(rate=0.0, clipnorm=None, clipvalue=None, global_clipnorm=None, exclude=())
        Optimizer.reset(self)

    def __init__(
        self,
        learning_rate: float | Schedule,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.clipnorm, self.global_clipnorm, self.clipvalue = clipnorm, global_clipnorm, clipvalue
        self.reset()

    def settle(self) -> None:
        limits = [limit for limit in (self.clipnorm, self.global_clipnorm, self.clipvalue) if limit is not None]
        if len(limits) > 1 or not all(is_number(limit) and limit > 0 for limit in limits):
            raise ValueError(
                f"{type(self).__name__}: give one of clipnorm, global_clipnorm and clipvalue, a positive number; "
                f"got {self.clipnorm!r}, {self.global_clipnorm!r} and {self.clipvalue!r}."
            )

    def reset(self) -> None:
        """Forget all steps: iteration 0 and no state."""
        attributes = vars(self)
        attributes["iteration"] = 0
        attributes["state"] = {}
        self._buffers: dict[tuple[Shape, np.dtype, int], NDArray] = {}
        self._owners: Owners = {}  # the parameter that each state belongs to
        self._others: list[OfNetwork] = []  # what is kept for networks after the first
        self._known: weakref.ref[Parameters] | None = None  # the owners, as they were passed in the last step

    def forget(self, names: Iterable[str]) -> None:
        """Forget the state of these parameters, which the network no longer has."""
        for name in names:
            self.state.pop(name, None)
            self._owners.pop(name, None)
        self._known = None

    def get_state(self) -> dict[str, Any]:
        """A copy of what changes in training: iteration, rate, learning_rate (None for a function), the state of each parameter,
        and the other attributes of a subclass."""
        rate = self.learning_rate
        known = attributes(self, ("learning_rate", "state", *_TRANSIENT))
        return known | {"learning_rate": None if callable(rate) else float(rate), "state": as_state(self.state)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore what get_state returned.

        Raises:
            ValueError: an attribute that does not belong to the state, a learning rate that is not a rate, or an iteration that
                is not an int from 0 to 2**53.
        """
        steps = state.get("iteration", 0)
        if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= _MOST_STEPS:
            raise ValueError(f"{type(self).__name__}: iteration is an int from 0 to {_MOST_STEPS}, got {steps!r:.40}.")
        others = {name: value for name, value in state.items() if name not in ("learning_rate", "state")}
        rate = state["learning_rate"]
        rate = self.learning_rate if rate is None else self.checked_rate(rate)
        vars(self)["rate"] = self.checked_rate(others.pop("rate", 0.0))
        set_attributes(self, others, _TRANSIENT)
        self.learning_rate, self.state = rate, as_state(state["state"])
        self._owners, self._known = {}, None

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles. The state of a copy belongs to the parameters of its first step."""
        return {**vars(self), "_buffers": {}, "_owners": {}, "_others": [], "_known": None}

    def of(self, parameters: Mapping[str, Parameter]) -> AbstractContextManager[None]:
        """Inside the `with` block, state and iteration are those of the network with these parameters."""
        return of_network(self, parameters)

    @answers_foreign_arguments
    def step(self, parameters: Mapping[str, Parameter]) -> None:
        """Update every trainable parameter. Fit calls it with `model.parameters()`.

        If a parameter has a regularizer, the gradient of its penalty is first added to `grad`, once for each backward. The parameters of
        another network have a state and an iteration of their own, as if it had an optimiser of its own.

        Raises:
            RuntimeError: a parameter has no gradient yet.
            ValueError: a gradient has another shape than its parameter.
        """
        if type(parameters) is not Parameters and not isinstance(parameters, Mapping):
            raise ValueError(
                f"{self!r}.step: expected model.parameters(), a dictionary by name, got {type(parameters).__name__}."
            )
        if type(parameters) is dict:
            warn_of_lost(parameters, f"{self!r}.step")
        if self._known is not None and self._known() is parameters:  # as in every step of fit but the first
            self._update_all(parameters, known=True)
        elif belongs(parameters, self._owners):
            self._update_all(parameters)
            self._known = weakref.ref(parameters) if type(parameters) is Parameters else None
        else:
            with of_another(self, parameters):
                self._update_all(parameters)

    def _update_all(self, parameters: Mapping[str, Parameter], *, known: bool = False) -> None:
        attributes = vars(self)
        attributes["rate"] = self.current_rate()
        attributes["iteration"] += 1
        clip, spared = clipping(self, parameters), excluded(self, parameters) if self.exclude else ()
        update = updating(self.update, in_blocks=says_itself(self, "elementwise"))
        for name, parameter in parameters.items():
            if not parameter.trainable:
                continue
            if parameter.regularizer is not None:
                parameter.add_penalty()
            gradient, shape = parameter.grad, parameter.value.shape
            if gradient is None:
                line = f"self.{name.rpartition('.')[2]}.grad = …"
                raise RuntimeError(
                    f"{self!r}.step: {name} has no gradient. Run forward and backward first; the backward of a layer of your own sets {line}"
                )
            if getattr(gradient, "shape", None) != shape and np.shape(gradient) != shape:
                raise ValueError(
                    f"{self!r}.step: {name} has shape {shape}, its gradient {np.shape(gradient)}. "
                    "The gradient has the parameter's shape: sum over the batch, as in dy.sum(axis=0)."
                )
            state = self.state.get(name)
            if state is None or not known:
                state = state_of(parameter, name, self.state, self._owners)
            parameter.grad = gradient if clip is None else clip(gradient)
            if parameter.factors is None and name not in spared:
                update(parameter, state)
            else:
                with settings_of(parameter, attributes, decays=name not in spared):
                    update(parameter, state)
            parameter.grad = gradient
            if parameter.constraint is not None:
                parameter.value[...] = parameter.constraint(parameter.value)

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        raise NotImplementedError(f"{self!r} has no update: write update(self, parameter, state).")

    def descend(self, parameter: Parameter, direction: NDArray) -> None:
        """value -= rate * direction, in place."""
        value = parameter.value
        buffer = self._buffers.get((value.shape, value.dtype, 0))  # as in buffer(), without the time of a call
        value -= np.multiply(direction, self.rate, out=self.buffer(parameter) if buffer is None else buffer)

    def decay(self, parameter: Parameter, weight_decay: float | None) -> None:
        """value -= rate * weight_decay * value, separately from the gradient. Loshchilov & Hutter 2019, algorithm 2."""
        if weight_decay:
            value = parameter.value
            value *= 1 - self.rate * float(weight_decay)

    def buffer(self, parameter: Parameter, number: int = 0) -> NDArray:
        """An array of the value's shape and dtype for intermediate results, the same in every step. Its content is arbitrary.

        To allocate a large array in every step would take longer than the arithmetic.
        """
        value = parameter.value
        kind = value.shape, value.dtype, number
        if kind not in self._buffers:
            self._buffers[kind] = np.empty_like(value)
        return self._buffers[kind]

    def current_rate(self) -> float:
        """The learning rate of the next step, as a Python float: a NumPy float64 would turn float32 into float64."""
        if callable(self.learning_rate):
            return self.checked_rate(self.learning_rate(self.iteration))
        return float(self.learning_rate)

    def checked_rate(self, rate: float) -> float:
        """The rate as a Python float.

        Raises:
            ValueError: it is not a finite number of at least 0.
        """
        return checked_rate(type(self).__name__, rate)


def checked_rate(who: str, rate: Any) -> float:
    """See Optimizer.checked_rate."""
    if isinstance(rate, (bool, np.bool_, type)) or np.ndim(rate) or not hasattr(rate, "__float__"):
        remedy = of_class(rate)
        if isinstance(rate, (Mapping, list, tuple)) or callable(rate) and not isinstance(rate, type):
            remedy = f" {line_for(Optimizer, '(*)')}"
        raise ValueError(f"{who}: learning_rate is a number or a schedule (step) -> rate, got {rate!r:.80}.{remedy}")
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"{who}: learning_rate is a finite number of at least 0, got {rate!r}.")
    return float(rate)


def quotient(numerator: NDArray, denominator: NDArray, epsilon: float) -> NDArray:
    """numerator / denominator, written into the denominator. 0 / 0, which is possible if epsilon is 0, gives 0."""
    if denominator.dtype.type(epsilon):  # 1e-50 is 0 in float32
        return np.divide(numerator, denominator, out=denominator)
    return np.divide(numerator, denominator, out=denominator, where=denominator != 0)


def slot(state: dict[str, NDArray], name: str, value: NDArray, initial: float = 0.0) -> NDArray:
    """The array of this name in a parameter's state. A new one has the shape and dtype of the value, and is filled with `initial`."""
    if name not in state:
        state[name] = np.full_like(value, initial)
    return state[name]


def update_average(average: NDArray, new: NDArray, share: float, buffer: NDArray) -> None:
    """average = (1 - share) * average + share * new, in place: the exponential moving average.

    The formula average += share * (new - average) would lose digits of a new value that is far smaller than the average.
    """
    np.multiply(new, share, out=buffer)
    average *= 1 - share
    average += buffer
