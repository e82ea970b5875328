"""SGD: steps along the gradient, with or without momentum."""

from __future__ import annotations

from collections.abc import Sequence

from minitorch_np.base.parameter import Parameter
from minitorch_np.base.shapes import NDArray
from minitorch_np.base.validation import Checks, flag, number
from minitorch_np.optimizers.optimizer import Optimizer, Schedule


class SGD(Optimizer):
    """Stochastic gradient descent: value -= learning_rate * direction, with

    g = grad + weight_decay * value
    velocity = momentum * velocity + g       (g itself in the first step)
    direction = g without momentum, velocity with it, g + momentum * velocity with nesterov.

    The formulas are PyTorch's: the rate is not part of the velocity, and weight decay is part of the gradient.

    Args:
        learning_rate: a number of at least 0, or a schedule `step -> rate`.
        momentum: share of the velocity that is kept, in [0, 1). Polyak 1964.
        nesterov: look ahead along the velocity. Needs momentum. Sutskever et al. 2013, section 2.
        weight_decay: at least 0; adds the gradient of weight_decay / 2 * value^2.
        exclude: parts of the names of parameters that do not decay, such as ["bias"].
        clipnorm, clipvalue, global_clipnorm: see Optimizer; gradients are clipped before anything is added to them.
    """

    elementwise: bool = True
    rotation_invariant: bool = True
    checks: Checks = {"momentum": number("[0, 1)"), "nesterov": flag, "weight_decay": number()}

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        super().__init__(learning_rate, clipnorm, clipvalue, global_clipnorm)
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.exclude = exclude

    def settle(self) -> None:
        super().settle()
        if self.nesterov and not self.momentum:
            raise ValueError("SGD: nesterov=True needs a velocity: give a momentum, such as 0.9.")

    def update(self, parameter: Parameter, state: dict[str, NDArray]) -> None:
        direction = parameter.grad
        if self.weight_decay:
            direction = direction + float(self.weight_decay) * parameter.value
        if self.momentum:
            direction = self._with_velocity(direction, parameter, state)
        self.descend(parameter, direction)

    def _with_velocity(self, gradient: NDArray, parameter: Parameter, state: dict[str, NDArray]) -> NDArray:
        momentum = float(self.momentum)
        if "velocity" not in state:
            state["velocity"] = gradient.astype(parameter.value.dtype)
        else:
            velocity = state["velocity"]
            velocity *= momentum
            velocity += gradient
        return gradient + momentum * state["velocity"] if self.nesterov else state["velocity"]
