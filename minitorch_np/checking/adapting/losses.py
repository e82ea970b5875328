"""Losses of somebody else, and networks that compute loss and gradients from x and the targets."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.adapting.calls import (
    BACKWARD,
    FORWARD,
    LOSS,
    LOSS_GRADIENT,
    is_prediction,
    method_of,
    owner_of,
    parameters_of,
)
from minitorch_np.checking.adapting.foreign_code import ForeignCode, Options
from minitorch_np.checking.adapting.loss_code import LossCode
from minitorch_np.checking.adapting.telling import looked_at
from minitorch_np.checking.arrays_inside import copied, is_number, leaves
from minitorch_np.checking.evidence import gradient_of
from minitorch_np.checking.losses import LossLayer

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class ForeignLoss(ForeignCode, LossLayer):
    """loss(prediction, target) and its gradient; or a network's loss(x, y) and the gradients of its parameters."""

    code: LossCode

    def __init__(self, code: LossCode) -> None:
        ForeignCode.__init__(self, code, Options(examples="rows", averaged=False))

    @property
    def loss(self) -> Any:
        return self.code.root if hasattr(self.code.root, "__dict__") else None

    @property
    def target(self) -> Any:
        return self.code.target

    @target.setter
    def target(self, target: Any) -> None:
        self.code.target = target

    def meet(self, x: NDArray) -> NDArray:
        x = np.asarray(x, np.float64)
        if np.size(self.code.forward(copied(self.code.root), x.copy())) > 1:
            self.code.reduction = self._nearest_reduction(x)
        return super().meet(x)

    def _nearest_reduction(self, x: NDArray) -> str:
        """A loss for each example: whether the gradient is that of their sum or of their mean."""
        code, root = self.code, copied(self.code.root)
        direction = np.random.default_rng(0).normal(size=x.shape)
        after, before = (code.forward(root, x + step * direction) for step in (1e-6, -1e-6))
        slope = (after - before) / 2e-6
        y = code.forward(root, x.copy())
        gradients = leaves(code.backward(root, 1.0, x.copy(), y, y, 1.0)).values()
        dx = next((value for value in gradients if np.shape(value) == x.shape), None)
        told = 0.0 if dx is None else float((np.asarray(dx) * direction).sum())
        return "mean" if abs(told - slope.mean()) < abs(told - slope.sum()) else "sum"

    def backward(self, dy: NDArray) -> Any:
        dx = super().backward(dy)
        for name, parameter in self.values.items():
            if is_number(parameter.grad):
                parameter.grad = self.narrow(gradient_of(name), dy * parameter.grad)
        return self.narrow("dx", dy * dx) if is_number(dx) else dx

    def checked(self, wrt: Any) -> Any:
        return list(self.values) if self._read().dx.kind == "missing" and self.values and wrt == "all" else wrt

    def looked_at(self) -> str:
        reduction = self.code.reduction
        note = f"the loss is the {reduction} of what it returns for each example" if reduction != "none" else ""
        return looked_at(self._read(), [note], has_slope=True)


def adapt_loss(target: Any, y: NDArray, arguments: Mapping[str, Any] | None = None) -> LossLayer:
    """What has a loss of x and y: a loss, a network with its loss, a function that returns loss and gradients, or a pair of functions.

    Raises:
        ValueError: no method looks like a loss or its gradient.
    """
    given = dict(arguments or {})
    value, gradient = target if isinstance(target, tuple) else (target, None)
    owner = owner_of(value)
    if owner is not None and (gradient is None or owner is owner_of(gradient)):
        return ForeignLoss(LossCode(owner, value.__name__, gradient and gradient.__name__, y, given))
    if gradient is not None or inspect.isroutine(target):
        return ForeignLoss(LossCode(None, value, gradient, y, given))
    value, gradient = method_of(target, LOSS), method_of(target, (*LOSS_GRADIENT, *BACKWARD))
    if value == "__call__" and gradient is None:
        return ForeignLoss(LossCode(None, target, None, y, given))
    if value is None:
        raise ValueError(
            f"gradcheck: {type(target).__name__} has no method for a loss of x and y, such as forward(prediction, target) or loss(x, y). "
            "For functions write gradcheck((loss, gradient), prediction, y)."
        )
    net = method_of(target, FORWARD)
    if net is None or len(_needed(target, net)) != 1:
        return ForeignLoss(LossCode(target, value, gradient, y, given))
    value = method_of(target, tuple(name for name in LOSS if name not in FORWARD))
    if value is None:
        raise ValueError(
            f"gradcheck: {type(target).__name__} has {net}(x), and no loss of which {gradient or 'backward'} is the gradient. Give it: "
            f"gradcheck((loss, gradient), x, y), two functions of x and y."
        )
    takes_prediction = is_prediction(_needed(target, value)[0])
    return ForeignLoss(LossCode(target, value, gradient, y, given, net if takes_prediction else None))


def _needed(target: Any, method: str) -> list[str]:
    """The arguments without a default."""
    named = parameters_of(getattr(target, method)) or {}
    return [name.strip("/") for name, argument in named.items() if argument.default is argument.empty]
