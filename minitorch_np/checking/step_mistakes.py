"""The mistakes of a training step by name: each predicts what the wrong step would have done to the parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.parameters import Parameters
from minitorch_np.base.shapes import NDArray
from minitorch_np.checking.evidence import fraction
from minitorch_np.optimizers import Optimizer
from minitorch_np.tracing.graph import Graph, Node
from minitorch_np.tracing.operations import pull_back

_MATCH = 1e-5  # the true gradient comes from differences
Values = Mapping[str, NDArray]


class Rule:
    """The rule of an optimiser, for parameters by name; its state goes on from step to step."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.parameters: dict[str, Parameter] = {}

    def step(self, before: Values, gradients: Values) -> dict[str, NDArray]:
        """The values after one step from `before`."""
        for name, value in before.items():
            parameter = self.parameters.setdefault(name, Parameter(value))
            parameter.value[...] = value
            parameter.grad = gradients[name].copy()
        self.optimizer.step(Parameters(self.parameters))
        return {name: parameter.value.copy() for name, parameter in self.parameters.items()}


@dataclass
class StepRecord:
    """What happened in the steps so far, with one entry of each list for each step.

    Attributes:
        rule: an optimiser without state. sizes: numbers that may be the number of examples.
        before, gradients, expected, after: the values before the step, their true gradients, the values as they should be after
            it, and as they are.
    """

    rule: Optimizer
    sizes: tuple[int, ...]
    before: list[Values] = field(default_factory=list)
    gradients: list[Values] = field(default_factory=list)
    expected: list[Values] = field(default_factory=list)
    after: list[Values] = field(default_factory=list)

    def moved(self, name: str) -> NDArray:
        """By how much the last step moved a parameter."""
        return self.after[-1][name] - self.before[-1][name]

    def due(self, name: str) -> NDArray:
        """By how much it should have."""
        return self.expected[-1][name] - self.before[-1][name]

    def again(self, gradients: Sequence[Values]) -> dict[str, NDArray]:
        """By how much the last step would have moved every parameter with other gradients, one entry for each step."""
        rule = Rule(copy.deepcopy(self.rule))
        for before, gradient in zip(self.before, gradients, strict=True):
            values = rule.step(before, gradient)
        return {name: values[name] - self.before[-1][name] for name in values}


def explain(record: StepRecord, wrong: list[str], graph: Graph | None) -> tuple[str, str, str]:
    """What is wrong with the last step, the mistake if it is a known one, and what to change.

    Args:
        wrong: the parameters with wrong values.
        graph: the cost before the step, if it could be traced.
    """
    name = max(wrong, key=lambda name: float(np.abs(record.moved(name) - record.due(name)).max()))
    place = np.unravel_index(int(np.abs(record.moved(name) - record.due(name)).argmax()), record.due(name).shape)
    index = f"[{', '.join(map(str, place))}]" if place else ""
    right = [other for other in record.before[-1] if other not in wrong]
    verb = "is" if len(right) == 1 else "are"
    seen = f"step {len(record.before)} is wrong for {', '.join(wrong)}"
    seen += f" ({', '.join(right)} {verb} right)." if right else "."
    seen += f"\n {name}{index} changed by {record.moved(name)[place]:.7g}, expected {record.due(name)[place]:.7g} by {record.rule!r}."
    for mistake in (_not_moved, _adds_up, _factor, _decay):
        found = mistake(record, wrong)
        if found is not None:
            break
    else:
        found = _updated_too_early(record, wrong, graph)
    if found is not None:
        return seen, *found
    text = "No known mistake explains the step. Check backward alone with gradcheck, and the update alone with check_optimizer."
    if len(record.before) > 1:
        text += " Earlier steps were right: look at what is kept from one step to the next."
    return seen, "", text


def _not_moved(record: StepRecord, wrong: list[str]) -> tuple[str, str] | None:
    still = [name for name in wrong if not np.any(record.moved(name))]
    if not still:
        return None
    change = "Change the arrays in place (W -= …), or return the new ones. W = W - … in a function makes a new array of its own."
    return f"{', '.join(still)} did not change.", change


def _adds_up(record: StepRecord, wrong: list[str]) -> tuple[str, str] | None:
    """The gradients of all steps so far, added."""
    if len(record.before) == 1:
        return None
    sums = [
        {
            name: sum((past[name] for past in record.gradients[1 : step + 1]), first)
            for name, first in record.gradients[0].items()
        }
        for step in range(len(record.gradients))
    ]
    moved = record.again(sums)
    if not all(_same(record.moved(name), moved[name]) for name in wrong):
        return None
    return "gradients add up over the steps.", "Begin every step with new gradients: dW = …, not dW += …."


def _factor(record: StepRecord, wrong: list[str]) -> tuple[str, str] | None:
    """The step is a multiple of the due one."""
    factors = [factor_of(record.moved(name), record.due(name)) for name in wrong]
    c = factors[0]
    if c is None or any(other is None or abs(other - c) > _MATCH * abs(c) for other in factors):
        return None
    who = ", ".join(wrong)
    if abs(c + 1) < _MATCH:
        return (
            f"the step of {who} goes uphill: it has the wrong sign.",
            "Subtract the gradient: W -= learning_rate * dW.",
        )
    for n in record.sizes:
        if n > 1 and abs(c * n - 1) < _MATCH:
            change = "The cost is a mean, so its gradient is divided by the batch size already. Divide once, in the loss or in the step."
            return (
                f"the step of {who} is {fraction(1 / n)} of the right one: it is divided by the batch size twice.",
                change,
            )
        if n > 1 and abs(c / n - 1) < _MATCH:
            change = "The cost is a mean: divide the gradient by the number of examples."
            return (
                f"the step of {who} is {n} times the right one: the gradient is a sum over the batch, not a mean.",
                change,
            )
    text = f"the step of {who} is {_rounded(c)} times the right one."
    return text, "Look at the learning rate, and for a factor that is missing or that should not be there."


def _decay(record: StepRecord, wrong: list[str]) -> tuple[str, str] | None:
    """What is left is a multiple of the parameter itself."""
    factors = [factor_of(record.moved(name) - record.due(name), record.before[-1][name]) for name in wrong]
    c = factors[0]
    if c is None or any(other is None or abs(other - c) > 1e-3 * abs(c) for other in factors):
        return None
    rate = record.rule.current_rate()
    decay = float(getattr(record.rule, "weight_decay", 0) or 0)
    text = f"the step of {', '.join(wrong)} is the right one plus {_rounded(c)} times the parameter"
    if decay and abs(c - 2 * rate * decay) < 1e-3 * abs(c):
        return (
            f"{text}: weight decay has the wrong sign.",
            "Decay makes weights smaller: add weight_decay * W to dW, then W -= rate * dW.",
        )
    if decay and abs(c - rate * decay) < 1e-3 * abs(c):
        return f"{text}: weight decay is missing.", "Add weight_decay * W to the gradient."
    sign = (
        "Its sign makes weights grow."
        if c > 0
        else "If you want it, give the rule with it, such as SGD(0.1, weight_decay=0.01)."
    )
    return f"{text}: a decay that neither the cost nor the rule has.", sign


def _updated_too_early(record: StepRecord, wrong: list[str], graph: Graph | None) -> tuple[str, str] | None:
    """backward multiplied with the new value of a parameter, or of all of them."""
    if graph is None:
        return None
    after = record.after[-1]
    for changed in [*([name] for name in after), list(after)]:
        gradients = _with_new_values(graph, {name: after[name] for name in changed})
        moved = record.again([*record.gradients[:-1], gradients])
        if all(_same(record.moved(name), moved[name]) for name in wrong):
            of = f"the new {changed[0]}" if len(changed) == 1 else "the new parameters"
            text = f"the gradient of {', '.join(wrong)} was computed with {of}: the update came too early."
            return text, "Compute all gradients first, and change the parameters after that."
    return None


def _with_new_values(graph: Graph, new: Values) -> dict[str, NDArray]:
    """The gradients of a backward that multiplies with new values of these parameters, where forward used the old ones."""
    changed: dict[int, NDArray] = {leaf.index: new[name] for name, leaf in graph.leaves.items() if name in new}

    def values(node: Node) -> list[NDArray]:
        return [changed.get(operand.index, operand.value) for operand in node.operands]

    for node in graph.nodes:
        if node.op == "gather" and any(operand.index in changed for operand in node.operands):  # such as W.T
            changed[node.index] = np.concatenate([[0.0], *map(np.ravel, values(node))])[node.detail]
    cotangents: dict[int, NDArray] = {graph.output.index: np.ones(graph.output.value.shape)}
    for node in reversed(graph.nodes):
        for k, operand in enumerate(node.operands if node.index in cotangents else ()):
            if operand.active:
                part = pull_back(node, k, cotangents[node.index], values(node))
                cotangents[operand.index] = cotangents.get(operand.index, 0) + part
    return {name: cotangents.get(leaf.index, np.zeros(leaf.value.shape)) for name, leaf in graph.leaves.items()}


def factor_of(a: NDArray, b: NDArray) -> float | None:
    """c with a = c b, as well as the differences tell."""
    size = float((b * b).sum())
    c = float((a * b).sum()) / size if size else 0.0
    return c if c and _same(a, c * b) else None


def _same(a: NDArray, b: NDArray) -> bool:
    return bool(np.abs(a - b).max(initial=0) <= _MATCH * max(np.abs(a).max(initial=0), np.abs(b).max(initial=0)))


def _rounded(c: float) -> str:
    return f"{c:.4g}"
