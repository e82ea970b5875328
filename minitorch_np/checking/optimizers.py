"""check_optimizer: whether the steps of `update` are those of its formula."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from minitorch_np.base.answers import answers_foreign_arguments
from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.foreign_optimizer import ForeignOptimizer
from minitorch_np.checking.optimizer_mistakes import explain
from minitorch_np.checking.step_mistakes import Rule
from minitorch_np.checking.told_error import ToldError, check_hint
from minitorch_np.optimizers import SGD, Adagrad, Adam, Optimizer, RMSprop
from minitorch_np.optimizers.finding import find

_STEPS = 6
_LEAST = 0.3  # of gradients that are drawn for somebody else's optimiser
_INSIDE_ROOT = 10.0  # how much more an epsilon inside the root may change
T = TypeVar("T", Optimizer, ForeignOptimizer)


class OptimizerError(ToldError):
    """The steps of an optimiser are not those of its formula."""


@answers_foreign_arguments
def check_optimizer(
    optimizer: Any,
    closed_form: Callable[[NDArray, list[NDArray], Any], NDArray] | Optimizer | str | None = None,
    *,
    steps: int = _STEPS,
    rng: int = 0,
    hint: int = 3,
) -> None:
    """Compare `update` with its closed form, or with the rule of a name, over several steps.

    Args:
        optimizer: an Optimizer, or another object or function that updates arrays (see foreign_optimizer). It is not changed; the
            check runs on a copy with empty state.
        closed_form: `(first value, [grad of step 1, …, grad of step t], optimizer) -> value after step t`, written without
            state; or an optimiser of this package with the settings that are meant, such as Adam(0.01); or its name as in
            compile, or "momentum" or "nesterov", with the settings of `optimizer` as far as they are found. Frameworks add
            epsilon in different places, so it is left out of the comparison with an optimiser.
        steps: the number of steps.
        hint: how much the error tells: 0 right or wrong, 1 the step with both values, 2 the mistake, 3 what to change.

    The check also requires that a step goes downhill, that the gradient keeps its bytes, that the value keeps its array and
    dtype, that the state holds no array of the caller, and that two parameters do not share state.

    Raises:
        OptimizerError: names the step and what differs.
    """
    if isinstance(optimizer, type):
        raise ValueError(f"check_optimizer:{instead_of(optimizer)}")
    if closed_form is None:
        raise ValueError(
            f"check_optimizer: the closed form of {type(optimizer).__name__} is not known. "
            'Give closed_form="adam" or another name, an optimiser such as Adam(0.01), or a function: '
            "closed_form=lambda start, gradients, optimizer: value after these steps."
        )
    check_hint("check_optimizer", hint)
    try:
        _check(optimizer, closed_form, steps, rng)
    except OptimizerError as error:
        error.hint = int(hint)
        raise


def _check(optimizer: Any, closed_form: Any, steps: int, rng: int) -> None:
    own = isinstance(optimizer, Optimizer)
    optimizer = optimizer if own else ForeignOptimizer(optimizer)
    slack: Callable[..., Any] = lambda *_: 0.0  # noqa: E731
    rule = None
    if not callable(closed_form):
        rule = _named(closed_form, optimizer)
        closed_form, slack = _by_rule(rule), _by_epsilon(rule, optimizer)
    generator = np.random.default_rng(rng)
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-4)):
        checked = _without_state(optimizer)
        start = {name: generator.normal(size=(3, 2)) for name in ("a", "b")}
        parameters = {name: Parameter(value.astype(dtype)) for name, value in start.items()}
        arrays = {name: parameter.value for name, parameter in parameters.items()}
        gradients: dict[str, list[NDArray]] = {name: [] for name in parameters}
        for step in range(1, steps + 1):
            for name, parameter in parameters.items():
                gradient = generator.normal(size=(3, 2))
                if not own:
                    gradient += _LEAST * np.sign(gradient)  # where a gradient is nearly 0, the place of epsilon decides
                gradients[name].append(gradient.astype(dtype))
                parameter.grad = gradients[name][-1].copy()
            checked.step(parameters)
            for name, parameter in parameters.items():
                if own:
                    _check_arrays(checked, parameter, arrays[name], gradients[name][-1], step)
            _check_state(checked, parameters)
            for name, parameter in parameters.items():
                first = start[name].astype(dtype).astype(float)
                past = [gradient.astype(float) for gradient in gradients[name]]
                expected = closed_form(first, past, checked)
                allowed = tolerance * (1 + np.abs(expected)) + slack(first, past, checked)
                if not (np.abs(parameter.value - expected) <= allowed).all():
                    bug, change = explain(rule, first, past, np.array(parameter.value, float), expected)
                    seen = (
                        f"after step {step} {_worst(parameter.value, expected)} by {rule!r}."
                        if rule
                        else (f"after step {step} {_worst(parameter.value, expected)} by its formula.")
                    )
                    raise OptimizerError(f"check_optimizer: {optimizer!r}", seen, bug, change)
                parameter.grad[...] = np.nan  # if the state is this very array, the next step shows it
    _check_downhill(_without_state(optimizer))


def _named(rule: Any, optimizer: Optimizer | ForeignOptimizer) -> Optimizer:
    if isinstance(rule, str):
        other = {"momentum": SGD(momentum=0.9), "nesterov": SGD(momentum=0.9, nesterov=True)}
        rule = other.get(rule.lower()) or find(rule, "check_optimizer")
        if isinstance(optimizer, ForeignOptimizer):
            optimizer.take_over(rule)
        rule.learning_rate = optimizer.learning_rate
    if not isinstance(rule, Optimizer):
        raise ValueError(
            f"check_optimizer: closed_form is a function, an optimiser such as Adam(0.01) or its name; got {rule!r:.80}."
        )
    if not callable(rule.learning_rate) and not rule.learning_rate:
        raise ValueError(
            f"check_optimizer: the learning rate of {optimizer!r} is not found. Give the rule with it, such as Adam(0.01)."
        )
    return _without_state(rule)


def _by_rule(rule: Optimizer) -> Callable[[NDArray, list[NDArray], Any], NDArray]:
    """The rule of an optimiser as a closed form."""

    def closed_form(start: NDArray, gradients: list[NDArray], optimizer: Any) -> NDArray:
        own, values = Rule(copy.deepcopy(rule)), {"value": start}
        for gradient in gradients:
            values = own.step(values, {"value": gradient})
        return values["value"]

    return closed_form


def _by_epsilon(
    rule: Optimizer, optimizer: Optimizer | ForeignOptimizer
) -> Callable[[NDArray, list[NDArray], Any], NDArray]:
    """How much epsilon changes the value; more for another's epsilon, which may be larger and may stand inside the root."""
    rule, without = copy.deepcopy(rule), copy.deepcopy(rule)
    if isinstance(rule, (Adam, RMSprop, Adagrad)) and isinstance(without, (Adam, RMSprop, Adagrad)):
        without.epsilon = 0.0
        if isinstance(optimizer, ForeignOptimizer):
            rule.epsilon = _INSIDE_ROOT * max(rule.epsilon, optimizer.epsilon)
    one, other = _by_rule(rule), _by_rule(without)
    return lambda *arguments: np.abs(one(*arguments) - other(*arguments))


def _without_state(optimizer: T) -> T:
    optimizer = copy.deepcopy(optimizer)
    optimizer.reset()
    return optimizer


def _error(optimizer: Any, seen: str, change: str) -> OptimizerError:
    return OptimizerError(f"check_optimizer: {optimizer!r}", seen, change=change)


def _check_arrays(optimizer: Optimizer, parameter: Parameter, array: NDArray, gradient: NDArray, step: int) -> None:
    """A step writes into the array of the value and leaves the gradient alone."""
    if not np.array_equal(parameter.grad, gradient):
        raise _error(optimizer, f"step {step} changes the gradient in place.", "Make a new array.")
    if parameter.value is not array:
        raise _error(optimizer, f"step {step} replaces the value's array.", "Change it in place: value -= ….")
    if parameter.value.dtype != gradient.dtype:
        raise _error(
            optimizer,
            f"step {step} turns {gradient.dtype} into {parameter.value.dtype}.",
            "Keep the dtype of the value.",
        )


def _check_state(optimizer: Optimizer, parameters: dict[str, Parameter]) -> None:
    """Each parameter has state of its own, and none of it is the caller's."""
    owners: dict[int, str] = {}
    for name, parameter in parameters.items():
        for key, array in optimizer.state.get(name, {}).items():
            shared = owners.setdefault(id(array), name)
            if shared != name:
                raise _error(
                    optimizer, f"{key!r} of {name} and of {shared} is one array.", "Keep one for each parameter."
                )
            if isinstance(array, np.ndarray) and (array is parameter.value or np.shares_memory(array, parameter.grad)):
                raise _error(optimizer, f"the state {key!r} is the caller's own array.", "Store a copy.")


def _check_downhill(optimizer: Optimizer) -> None:
    parameter = Parameter(np.array([1.0, -2.0, 3.0]))
    parameter.grad = parameter.value.copy()
    before = float((parameter.value**2).sum())
    optimizer.step({"p": parameter})
    if not float((parameter.value**2).sum()) < before:
        raise _error(
            optimizer, "a step along the gradient of value**2 / 2 goes uphill.", "Subtract the step: value -= …."
        )


def _worst(got: NDArray, expected: NDArray) -> str:
    """The element that is furthest off, with both values."""
    error = np.abs(got - expected)
    place = np.unravel_index(int(np.where(np.isfinite(error), error, np.inf).argmax()), error.shape)
    return f"value[{', '.join(map(str, place))}] is {got[place]:.8g}, expected {expected[place]:.8g}"
