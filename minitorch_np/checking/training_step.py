"""check_training_step: whether a training step written by hand, forward, backward and update together, is the step of a named rule."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.arrays_inside import FloatArrays
from minitorch_np.checking.step_mistakes import Rule, StepRecord, explain
from minitorch_np.checking.subject import GlobalRandomness, State
from minitorch_np.checking.told_error import ToldError, check_hint
from minitorch_np.optimizers import Optimizer
from minitorch_np.optimizers.finding import find as find_optimizer
from minitorch_np.tracing.graph import Graph
from minitorch_np.tracing.trace import TraceError, trace

_ELEMENTS = 5_000  # the cost is computed four times for each
_STEP = 3e-4  # of the differences, in proportion to the size of the array
_RELATIVE = 1e-7  # how well the differences know a gradient, in proportion
_OF_LARGEST = 1e-9  # and to the largest of them all


class TrainingStepError(ToldError):
    """A training step does not change the parameters as its rule does."""


@answers_foreign_arguments
def check_training_step(
    step: Callable[..., Any],
    cost: Callable[..., Any],
    parameters: Any,
    x: Any,
    y: Any = None,
    *,
    optimizer: Optimizer | str,
    steps: int = 3,
    hint: int = 3,
) -> None:
    """Compare what `step` does to the parameters with the rule of an optimiser, applied to the true gradient of `cost`.

    Args:
        step: one step of training: `step(parameters, x, y)`, `step(x, y)` or `step(W1, b1, …, x, y)` with the arrays in the order
            of `parameters`. It changes the arrays in place, or returns new ones in the same order or as a dictionary.
        cost: the number that training makes smaller, called in one of these ways too. It must change nothing.
        parameters: a dictionary of arrays by name, or the object that holds them in its attributes. Of an object, the float
            arrays on which the cost depends are the parameters.
        x, y: one batch. Every step is given the same one. Without y, `step` and `cost` are called without it.
        optimizer: the rule, such as SGD(0.1), or its name as in compile.
        hint: how much the error tells: 0 right or wrong, 1 the step and a number with both values, 2 the mistake, 3 what to change.
        steps: the number of steps; a later one shows gradients that add up, and momentum.

    The true gradient is taken by differences of fourth order of `cost`, in float64. The parameters are the same afterwards as before.

    Raises:
        TrainingStepError: names the step, the parameter, what it should be, and the mistake if it is a known one.
        ValueError: no parameters are found, there are more than 5,000 numbers in them, or a call does not fit.
    """
    for given, name in ((step, "step"), (cost, "cost")):
        if isinstance(given, type) or not callable(given):
            raise ValueError(f"check_training_step: {name} is a function, got {given!r:.80}.{instead_of(given)}")
    if isinstance(optimizer, type):
        raise ValueError(f"check_training_step:{instead_of(optimizer)}")
    check_hint("check_training_step", hint)
    rule = find_optimizer(optimizer, "check_training_step") if isinstance(optimizer, str) else copy.deepcopy(optimizer)
    if not isinstance(rule, Optimizer):
        raise ValueError(f"check_training_step: optimizer is one such as SGD(0.1), or its name; got {optimizer!r:.80}.")
    rule.reset()
    state, randomness = State([parameters, getattr(step, "__self__", None)]), GlobalRandomness()
    try:
        _Check(step, cost, parameters, (x,) if y is None else (x, y), rule).run(steps)
    except TrainingStepError as error:
        error.hint = int(hint)
        raise
    finally:
        state.restore()
        randomness.restore()


class _Check:
    """The check of one step function. `data` is x, or x and y."""

    def __init__(
        self,
        step: Callable[..., Any],
        cost: Callable[..., Any],
        parameters: Any,
        data: tuple[Any, ...],
        rule: Optimizer,
    ) -> None:
        self.step, self.cost, self.data, self.rule = step, cost, data, rule
        self.parameters = parameters
        self.arrays = FloatArrays(parameters)
        self.arrays.put(
            {name: a.astype(np.float64) for name, a in self.arrays.current().items() if a.dtype != np.float64}
        )
        if not isinstance(parameters, Mapping):
            self._keep_those_that_count()
        if not self.arrays.names:
            raise ValueError(
                "check_training_step: no parameters are found: no float array on which the cost depends. "
                'Give them by name: parameters={"W1": W1, "b1": b1}.'
            )
        size = sum(array.size for array in self.arrays.current().values())
        if size > _ELEMENTS:
            raise ValueError(
                f"check_training_step: the parameters have {size:,} numbers, at most {_ELEMENTS:,} are checked. "
                "Check a smaller network: its mistakes are the same."
            )

    def run(self, steps: int) -> None:
        # The gradient is known to some digits only. Two more rules, with the gradient a little smaller and larger, show what this
        # means for the step: Adam's first step is the sign of the gradient. A third one leaves epsilon out, because books and
        # frameworks add it in different places.
        rules = [Rule(copy.deepcopy(self.rule)) for _ in range(4)]
        if hasattr(rules[3].optimizer, "epsilon"):
            rules[3].optimizer.epsilon = 0.0
        record = StepRecord(self.rule, self._batch())
        for _ in range(steps):
            before = self.arrays.values()
            gradient = self._true_gradient()
            unsure = _OF_LARGEST * max(float(np.abs(g).max(initial=0)) for g in gradient.values())
            expected, low, high, without_epsilon = (
                rule.step(before, {name: g + sign * (_RELATIVE * np.abs(g) + unsure) for name, g in gradient.items()})
                for rule, sign in zip(rules, (0, -1, 1, 0), strict=True)
            )
            after = self._stepped()
            for entries, entry in zip(
                (record.before, record.gradients, record.expected, record.after),
                (before, gradient, expected, after),
                strict=True,
            ):
                entries.append(entry)
            wrong = []
            for name, value in expected.items():
                moved = np.abs(value - before[name]).max(initial=0)
                allowed = np.abs(high[name] - low[name]) + np.abs(without_epsilon[name] - value)
                allowed += 1e-6 * moved + 1e-13 * np.abs(before[name])
                if not (np.abs(after[name] - value) <= allowed).all():
                    wrong.append(name)
            if wrong:
                raise TrainingStepError("check_training_step", *explain(record, wrong, self._graph(before)))

    def _call(self, function: Callable[..., Any]) -> Any:
        """Call step or cost in the way that its arguments ask for."""
        values = self.arrays.current()
        arguments = _required(function)
        count = None if arguments is None else len(arguments)
        if arguments is not None and arguments[: len(values)] == list(values):
            return function(*values.values(), *self.data)
        if count in (None, 1 + len(self.data)):
            return function(self.parameters, *self.data)
        if count == len(self.data):
            return function(*self.data)
        if count == len(values) + len(self.data):
            return function(*values.values(), *self.data)
        name = getattr(function, "__name__", "the function")
        raise ValueError(
            f"check_training_step: {name} takes {count} arguments. It is called as {name}(parameters, x, y), {name}(x, y), "
            f"or with the arrays {', '.join(values)} before x and y; without y if none is given."
        )

    def _cost(self) -> float:
        cost = np.asarray(self._call(self.cost))
        if cost.size != 1:
            raise ValueError(f"check_training_step: cost returns one number, got an array of shape {cost.shape}.")
        return float(cost.reshape(()))

    def _true_gradient(self) -> dict[str, NDArray]:
        """dcost / dparameter by differences: (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h."""
        state = State(self.parameters)
        gradients = {}
        for name, array in self.arrays.current().items():
            gradient = np.zeros(array.shape)
            size = float(np.abs(array).max(initial=0)) or 1.0
            for place in np.ndindex(array.shape):
                here, costs = array[place], {}
                h = _STEP * max(abs(float(here)), 0.1 * size)
                for k in (-2, -1, 1, 2):
                    array[place] = here + k * h
                    costs[k] = self._cost()
                array[place] = here
                gradient[place] = (8 * (costs[1] - costs[-1]) - (costs[2] - costs[-2])) / (12 * h)
            gradients[name] = gradient
        state.restore()
        return gradients

    def _graph(self, values: dict[str, NDArray]) -> Graph | None:
        """The graph of the cost at these values of the parameters, or None if it cannot be traced."""
        state = State(self.parameters)

        def cost(arrays: dict[str, NDArray]) -> Any:
            self.arrays.put(arrays)
            return self._call(self.cost)

        try:
            return trace(cost, values)
        except TraceError:
            return None
        finally:
            state.restore()

    def _stepped(self) -> dict[str, NDArray]:
        """The parameters after one call of step."""
        returned = self._call(self.step)
        names = self.arrays.names
        if isinstance(returned, Mapping) and set(names) <= set(returned):
            self.arrays.put(returned)
        elif isinstance(returned, (tuple, list)) and len(returned) >= len(names):
            if all(
                np.shape(new) == old.shape for new, old in zip(returned, self.arrays.current().values(), strict=False)
            ):
                self.arrays.put(dict(zip(names, returned, strict=False)))
        elif (
            isinstance(returned, np.ndarray)
            and len(names) == 1
            and returned.shape == self.arrays.current()[names[0]].shape
        ):
            self.arrays.put({names[0]: returned})
        return self.arrays.values()

    def _keep_those_that_count(self) -> None:
        """Of an object's arrays, only those on which the cost depends: not velocities, caches or gradients."""
        kept = []
        for name, array in self.arrays.current().items():
            state = State(self.parameters)
            before = self._cost()
            array += 1e-3 * (np.abs(array).max(initial=0) or 1.0) * np.cos(np.arange(array.size)).reshape(array.shape)
            kept += [name] if self._cost() != before else []
            state.restore()
        self.arrays.keep(kept)

    def _batch(self) -> tuple[int, ...]:
        """The numbers that may be the number of examples: rows, or columns."""
        return tuple(dict.fromkeys(np.shape(self.data[0])[:2]))


def _required(function: Callable[..., Any]) -> list[str] | None:
    """The names of the arguments that must be given; None if it takes any number, or does not say."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(argument.kind is argument.VAR_POSITIONAL for argument in arguments):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [argument.name for argument in arguments if argument.kind in kinds and argument.default is argument.empty]
