"""Calls: which methods somebody else's object has for forward and backward, and what their arguments want."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minitorch_np.checking.adapting.gradient_names import is_upstream, plain

FORWARD = (
    "forward", "forward_pass", "forward_propagation", "forward_prop", "forward_propagate", "forwardprop", "feedforward", "feed_forward",
    "propagate", "fprop", "fwd", "call", "activate", "compute", "predict", "__call__",
)  # fmt: skip
BACKWARD = (
    "backward", "backward_pass", "backward_propagation", "back_propagation", "backpropagation", "backward_prop", "backprop",
    "back_prop", "backpropagate", "back_propagate", "backward_propagate", "propagate_backward", "bprop", "bwd", "back",
)  # fmt: skip
SLOPE = ("derivative", "grad", "gradient", "prime", "deriv", "d", "df", "dfn", "derive", "local_gradient")
LOSS = (
    "calculate",
    "loss",
    "forward",
    "compute",
    "compute_loss",
    "cost",
    "compute_cost",
    "calc_loss",
    "value",
    "fn",
    "__call__",
    "call",
)
LOSS_GRADIENT = (
    "backward", "grad", "gradient", "gradients", "derivative", "prime", "loss_gradient", "loss_grad", "numerical_free_gradient",
    "compute_gradient", "compute_gradients", "backprop", "backward_pass", "deriv", "delta", "dloss", "d_loss",
)  # fmt: skip
RESETS = (
    "flush_gradients", "zero_grad", "zero_grads", "zero_gradients", "zero_gradient", "reset_gradients", "reset_grad", "reset_grads",
    "clear_grads", "cleargrads", "clear_gradients", "clear_grad",
)  # fmt: skip

_TRAINING = ("training", "train", "is_training", "train_flg", "train_flag", "is_train", "training_mode")
_RATE = ("lr", "learning_rate", "rate", "eta", "alpha", "step_size", "lrate", "learningrate", "learn_rate", "l_rate")
_CACHE = (
    "cache",
    "caches",
    "ctx",
    "memory",
    "linear_cache",
    "activation_cache",
    "saved",
    "context",
    "mem",
    "store",
    "stash",
    "tape",
)
_TARGET = (
    "y", "t", "y_true", "ytrue", "target", "targets", "label", "labels", "actual", "truth", "ground_truth", "expected", "true", "y_t",
    "y_actual", "actuals", "trues", "y_real", "true_labels", "real", "gold", "tgt", "y_batch", "desired",
)  # fmt: skip
_PREDICTION = (
    "y_pred", "ypred", "pred", "preds", "prediction", "predictions", "predicted", "y_hat", "yhat", "logits", "scores", "p", "probs", "output",
    "outputs", "al", "a", "x", "z", "dvalues", "out",
)  # fmt: skip
_INPUT = ("x", "inputs", "input", "a_prev", "data", "z", "batch", "in", "inp", "x_batch", "activations")
_OUTPUT = ("out", "output", "outputs", "y_hat", "y_pred", "a", "activation", "s", "y")


@dataclass
class Call:
    """How a function is called: the role of each of its arguments, such as "x", "dy", "cache", "rate", or the name of an argument."""

    function: str
    roles: dict[str, str] = field(default_factory=dict)
    plain: bool = False  # called with the first value alone, because the signature is not known

    def arguments(self, values: Mapping[str, Any], first: str) -> tuple[list[Any], dict[str, Any]]:
        """The positional and the keyword arguments, where the values are known by their roles."""
        if self.plain:
            return [values[first]], {}
        given = [(name, values[role]) for name, role in self.roles.items()]
        places = [name for name in self.roles if name.startswith("/")]
        return [value for name, value in given if name in places], {n: v for n, v in given if n not in places}


def method_of(target: Any, names: tuple[str, ...]) -> str | None:
    """The first of these names that is a method of the object; a class's own `__call__` counts."""
    for name in names:
        there = hasattr(type(target), name) if name == "__call__" else callable(getattr(target, name, None))
        if there and not (name == "__call__" and isinstance(target, type)):
            return name
    return None


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """The arguments by name, or None where Python cannot tell."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    named = {
        f"/{name}" if argument.kind is argument.POSITIONAL_ONLY else name: argument
        for name, argument in found.items()
        if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
    }
    return named if named or not found else None


def forward_call(function: Callable[..., Any], given: Mapping[str, Any], who: str) -> Call:
    """forward(x, …): the first argument that is not given is x.

    Raises:
        ValueError: an argument has no default and no known meaning.
    """
    named = parameters_of(function)
    if named is None:
        return Call(who, plain=True)
    call = Call(who)
    for name, argument in named.items():
        low = plain(name.strip("/")).lower()
        if name.strip("/") in given:
            call.roles[name] = "given " + name.strip("/")
        elif "x" not in call.roles.values():
            call.roles[name] = "x"
        elif low in _TRAINING:
            call.roles[name] = "training"
        elif argument.default is argument.empty:
            raise ValueError(
                f"gradcheck: {who} also takes {name.strip('/')!r}. Give its value: adapt(…, parameters={{{name.strip('/')!r}: …}}) if it is to "
                f"be checked, arguments={{{name.strip('/')!r}: …}} if not."
            )
    return call


def backward_call(
    function: Callable[..., Any], given: Mapping[str, Any], forward: Call, who: str, *, is_pair: bool
) -> Call:
    """backward(dy, …): cache, learning rate, and forward's own arguments under their names.

    Args:
        is_pair: of functions, whose backward gets what else forward returned: as one argument of any name, or one by one.

    Raises:
        ValueError: an argument has no default and no known meaning.
    """
    named = parameters_of(function)
    if named is None:
        return Call(who, plain=True)
    call = Call(who)
    upstream = next((n for n in named if is_upstream(n.strip("/"))), None)
    x_names = [plain(name.strip("/")) for name, role in forward.roles.items() if role == "x"]
    for name, argument in named.items():
        role = _backward_role(name, x_names, given, first="dy" not in call.roles.values(), upstream=upstream)
        if role:
            call.roles[name] = role
        elif is_pair and argument.default is argument.empty:
            call.roles[name] = f"extra {len([r for r in call.roles.values() if r.startswith('extra')])}"
        elif argument.default is argument.empty:
            raise ValueError(
                f"gradcheck: {who} also takes {name.strip('/')!r}. Give its value: adapt(…, arguments={{{name.strip('/')!r}: …}}). "
                "If these are labels, give them as y, with a loss: gradcheck(net, x, y, loss=…)."
            )
    return call


def _backward_role(
    name: str, x_names: list[str], given: Mapping[str, Any], *, first: bool, upstream: str | None
) -> str | None:
    bare = name.strip("/")
    low = plain(bare).lower()
    if bare in given:
        return "given " + bare
    if name == upstream and first:
        return "dy"
    if low in _RATE:
        return "rate"
    if low in _CACHE or low.endswith("cache"):
        return "cache"
    if first and upstream is None:
        return "dy"
    if plain(bare) in x_names or (low in _INPUT and low not in ("z",)):
        return "x"
    if low in _OUTPUT and low not in _TARGET:
        return "y"
    if low in _TRAINING:
        return "training"
    return None


def loss_call(function: Callable[..., Any], given: Mapping[str, Any], who: str, *, upstream: bool = False) -> Call:
    """loss(prediction, target) in either order, told by the names; otherwise the prediction comes first.

    Args:
        upstream: whether the first of the arguments may be a gradient from above, which is 1.

    Raises:
        ValueError: an argument has no default and no known meaning.
    """
    named = parameters_of(function)
    if named is None:
        return Call(who, plain=True)
    call = Call(who)
    needed = [name for name, argument in named.items() if name.strip("/") not in given]
    lows = {name: plain(name.strip("/")).lower() for name in needed}
    target = next((name for name in needed if lows[name] in _TARGET and lows[name] not in ("y", "t")), None)
    target = target or next((name for name in needed if lows[name] in ("y", "t")), None)
    for name, argument in named.items():
        low = plain(name.strip("/")).lower()
        roles = call.roles.values()
        if name.strip("/") in given:
            call.roles[name] = "given " + name.strip("/")
        elif upstream and low not in _PREDICTION and (low in ("dout", "dy", "dloss", "g") or is_upstream(low)):
            call.roles[name] = "dy"
        elif name == target or (target is None and "x" in roles and "y" not in roles):
            call.roles[name] = "y"
        elif "x" not in roles and (low in _PREDICTION or argument.default is argument.empty):
            call.roles[name] = "x"
        elif low in _TRAINING:
            call.roles[name] = "training"
        elif low in _RATE:
            call.roles[name] = "rate"
        elif argument.default is argument.empty:
            raise ValueError(
                f"gradcheck: {who} also takes {name.strip('/')!r}. Give its value: adapt(…, arguments={{{name.strip('/')!r}: …}})."
            )
    return call
