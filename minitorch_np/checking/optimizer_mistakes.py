"""The mistakes of an update rule by name: each predicts the wrong value after the steps so far."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np

from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.evidence import fraction
from minitorch_np.checking.step_mistakes import Rule
from minitorch_np.optimizers import SGD, Adagrad, Adam, Nadam, Optimizer, RMSprop

_MATCH = 1e-4  # of the step; the place of epsilon may change it a little
Mistake = tuple[str, str]  # the bug, and what to do instead


def explain(rule: Optimizer | None, start: NDArray, gradients: list[NDArray], got: NDArray, due: NDArray) -> Mistake:
    """The mistake that leads from `start` to `got` instead of to `due`, or ("", "").

    Args:
        rule: what the steps should be, without state; None if it is a formula.
        gradients: of the steps so far.
    """
    moved, expected = got - start, due - start
    if not np.isfinite(got).all():
        change = (
            "In the bias correction, count steps from 1: with t = 0 it divides by 0." if isinstance(rule, Adam) else ""
        )
        return "the value is not finite.", change
    if _same(moved, -expected):
        return "the step has the wrong sign: it goes uphill.", "Subtract it: value -= …."
    for bug, change, predicted in _predictions(rule, start, gradients) if rule is not None else ():
        if _same(moved, predicted - start):
            return bug, change
    if len(gradients) > 1:
        return "", "Earlier steps were right: look at the state and at what depends on the number of the step."
    ratio = float((moved * expected).sum() / (expected * expected).sum()) if np.any(expected) else 0.0
    if ratio and _same(moved, ratio * expected):
        bug = f"the first step is {fraction(ratio)} times as long as it should be."
        return bug, "Look at the learning rate, and for a factor that is missing or that should not be there."
    return "", ""


def _predictions(rule: Optimizer, start: NDArray, gradients: list[NDArray]) -> Iterator[tuple[str, str, NDArray]]:
    """Each mistake with what it does."""
    if isinstance(rule, Adam) and not isinstance(rule, Nadam):
        for of, change, first, second in (
            (
                "m and v",
                "Divide m by 1 - beta_1**t and v by 1 - beta_2**t, t being the number of the step from 1 on.",
                False,
                False,
            ),
            ("m", "Divide m by 1 - beta_1**t, t being the number of the step from 1 on.", False, True),
            ("v", "Divide v by 1 - beta_2**t, t being the number of the step from 1 on.", True, False),
        ):
            yield (
                f"the bias correction of {of} is missing.",
                change,
                _adam(rule, start, gradients, first, second, np.sqrt),
            )
        bug, change = "the square root of v is missing.", "Divide by np.sqrt(v) + epsilon."
        yield bug, change, _adam(rule, start, gradients, True, True, lambda v: v)
    if len(gradients) > 1:
        bug = "what the rule keeps, such as a velocity, is lost from one step to the next."
        yield bug, "Keep it in the optimiser, for each array.", _steps(rule, start, gradients, keep=False)
    for name, other in _rules(rule).items():
        yield f"these are the steps of {name}.", "", _steps(other, start, gradients)


def _rules(rule: Optimizer) -> dict[str, Optimizer]:
    """The common rules with the settings of this one."""
    rate, momentum = rule.current_rate(), float(getattr(rule, "momentum", 0) or 0)
    rules: dict[str, Optimizer] = {
        "SGD without momentum": SGD(rate),
        "Adagrad": Adagrad(rate),
        "RMSprop": RMSprop(rate),
    }
    if momentum:
        rules |= {"SGD with momentum": SGD(rate, momentum), "Nesterov momentum": SGD(rate, momentum, nesterov=True)}
        averaged = SGD(rate * (1 - momentum), momentum)
        rules["SGD with momentum in which the gradient is multiplied by 1 - momentum"] = averaged
    return {name: other for name, other in rules.items() if repr(other) != repr(rule)}


def _steps(rule: Optimizer, start: NDArray, gradients: list[NDArray], *, keep: bool = True) -> NDArray:
    """The value after steps of a rule, with its state or without."""
    own, values = Rule(copy.deepcopy(rule)), {"value": start}
    for gradient in gradients:
        own = own if keep else Rule(copy.deepcopy(rule))
        values = own.step(values, {"value": gradient})
    return values["value"]


def _adam(
    rule: Adam,
    start: NDArray,
    gradients: list[NDArray],
    first: bool,
    second: bool,
    root: Callable[[NDArray], NDArray],
) -> NDArray:
    """Adam with the bias correction of m, of v, of both or of none, and with another root."""
    beta_1, beta_2, rate = float(rule.beta_1), float(rule.beta_2), rule.current_rate()
    value, m, v = start.copy(), np.zeros(start.shape), np.zeros(start.shape)
    for t, gradient in enumerate(gradients, 1):
        m, v = beta_1 * m + (1 - beta_1) * gradient, beta_2 * v + (1 - beta_2) * gradient**2
        numerator = m / (1 - beta_1**t) if first else m
        value -= rate * numerator / root(v / (1 - beta_2**t) if second else v)
    return value


def _same(a: NDArray, b: NDArray) -> bool:
    return bool(np.abs(a - b).max() <= _MATCH * max(np.abs(a).max(), np.abs(b).max()))
