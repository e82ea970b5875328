"""LossCode: somebody else's loss of x and y and its gradients, called as Code is, with the targets bound in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.checking.adapting.calls import Call, loss_call
from minitorch_np.checking.adapting.code import Code, returned_names
from minitorch_np.checking.adapting.wrapping import outer_variables
from minitorch_np.checking.arrays_inside import is_number

if TYPE_CHECKING:
    from minitorch_np.base.shapes import NDArray


class LossCode(Code):
    """A loss, or a net with its loss.

    Args:
        root: the object; None for functions.
        value, gradient: the names of its methods, or the functions; gradient is None if value returns both.
        target: y.
        arguments: further arguments that are passed as they are.
        net: the method that computes the predictions, if value takes those in place of x.

    Attributes:
        reduction: of a value for each example: "sum", "mean" or "none".
    """

    returns_dx_first = False

    def __init__(
        self,
        root: Any,
        value: Callable[..., Any] | str,
        gradient: Callable[..., Any] | str | None,
        target: NDArray,
        arguments: Mapping[str, Any],
        net: str | None = None,
    ) -> None:
        self.given_forward, self.given = value, dict(arguments)
        self.given_backward, self.has_gradient = gradient or value, gradient is not None
        self.target, self.net, self.reduction = target, net, "none"
        self.is_pair, self.resets = root is None, True
        outside = outer_variables(value, gradient) if self.is_pair else {}
        self.is_outside = bool(outside)
        self.root = outside if self.is_pair else root
        self.forward_call: Call = loss_call(self._function(value, self.root), self.given, self.name)
        self.backward_call = Call(self.name)
        if gradient is not None:
            function = self._function(gradient, self.root)
            self.backward_call = loss_call(function, self.given, self.name, upstream=True, of_net=net is not None)
        self.kept: Any = None

    @property
    def name(self) -> str:
        if self.is_pair:
            return getattr(self.given_forward, "__name__", type(self.given_forward).__name__)
        return type(self.root).__name__ + ("" if self.has_gradient else f".{self.given_forward}")

    def upstream(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray:
        """1: nothing is above a loss."""
        return np.ones(shape)

    def forward(self, root: Any, x: Any, *, training: bool = True) -> Any:
        """The loss as one number."""
        prediction = x if self.net is None else getattr(root, self.net)(x)
        self.prediction = prediction
        positional, named = self.forward_call.arguments(self._roles(root, prediction), "x")
        value = self._function(self.given_forward, root)(*positional, **named)
        if not self.has_gradient or isinstance(value, tuple):
            value = self._split(value)
        if self.reduction != "none":
            value = value.sum() if self.reduction == "sum" else value.mean()
        return value.reshape(()) if isinstance(value, np.ndarray) and value.size == 1 else np.asarray(value)

    def backward(self, root: Any, dy: Any, x: Any, returned: Any, y: Any, rate: float) -> Any:
        """The gradients, as the code returns them."""
        if not self.has_gradient:
            return self.kept
        own = getattr(root, "output", None)
        softmax = (
            isinstance(own, np.ndarray) and own.shape == x.shape
        )  # softmax and loss in one class take back the softmax
        values = self._roles(root, own if softmax else x) | {
            "dy": np.float64(1),
            "rate": rate,
            "prediction": self.prediction,
        }
        positional, named = self.backward_call.arguments(values, "x")
        return self._function(self.given_backward, root)(*positional, **named)

    def return_names(self) -> list[str]:
        names = returned_names(self._function(self.given_backward, self.root))
        return names if self.has_gradient else names[1:] if len(names) > 2 else []

    def _roles(self, root: Any, x: Any) -> dict[str, Any]:
        return self._values(root) | {"x": x, "y": self.target, "training": True}

    def _split(self, returned: Any) -> Any:
        """The loss of what a function returns that also gives gradients, which are kept.

        Raises:
            ValueError: it gives nothing but a value.
        """
        if not isinstance(returned, (tuple, list)) or len(returned) < 2:
            raise ValueError(
                f"gradcheck: {self.name} returns {type(returned).__name__} for x and y, expected the loss and its gradients."
            )
        numbers = [n for n, item in enumerate(returned) if is_number(item) and np.ndim(item) == 0]
        place = numbers[0] if numbers else 0
        others = [item for n, item in enumerate(returned) if n != place]
        rest = [item for item in others if isinstance(item, (dict, list, tuple)) or np.ndim(item)]
        self.kept = rest[0] if len(rest) == 1 else tuple(rest)
        return returned[place]
