"""Calls: which methods somebody else's object has for forward and backward, and what their arguments want."""

from __future__ import annotations

import inspect
import types
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
    "back_prop", "backpropagate", "back_propagate", "backward_propagate", "propagate_backward", "bprop", "bwd", "back", "vjp", "pullback",
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

PARAMETER_LISTS = (
    "parameters", "params", "get_parameters", "get_params", "get_weights", "trainable_parameters", "parameters_and_gradients",
    "params_and_grads", "get_params_and_grads", "get_parameters_and_gradients", "named_parameters",
)  # fmt: skip
GRADIENT_LISTS = (
    "gradients", "grads", "get_gradients", "get_grads", "get_grad", "get_gradient", "parameter_gradients", "param_grads", "get_param_grads",
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
        there = callable(target if name == "__call__" else getattr(target, name, None))
        if there and not (name == "__call__" and isinstance(target, type)):
            return name
    return None


def owner_of(method: Any) -> Any:
    """The object to which a method is bound; None for functions, and for methods of classes."""
    owner = getattr(method, "__self__", None)
    return None if isinstance(owner, (type, types.ModuleType)) else owner


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

    def role(name: str, known: list[str], needed: bool) -> str | None:
        return "x" if "x" not in known else "training" if low(name) in _TRAINING else None

    remedy = "Give its value: adapt(…, parameters={NAME: …}) if it is to be checked, arguments={NAME: …} if not."
    return _call(function, given, who, role, remedy)


def backward_call(
    function: Callable[..., Any], given: Mapping[str, Any], forward: Call, who: str, *, is_pair: bool
) -> Call:
    """backward(dy, …): cache, learning rate, and forward's own arguments under their names.

    Args:
        is_pair: of functions, whose backward gets what else forward returned: as one argument of any name, or one by one.

    Raises:
        ValueError: an argument has no default and no known meaning.
    """
    upstream = next(filter(is_upstream, map(_bare, parameters_of(function) or {})), None)
    x_names = [low(name) for name, role in forward.roles.items() if role == "x"]

    def role(name: str, known: list[str], needed: bool) -> str | None:
        word, first = low(name), "dy" not in known
        if first and name == upstream:
            return "dy"
        if word in _RATE:
            return "rate"
        if is_cache(word):
            return "cache"
        if first and upstream is None:
            return "dy"
        if word in x_names or (word in _INPUT and word != "z"):
            return "x"
        if word in _OUTPUT and word not in _TARGET:
            return "y"
        if word in _TRAINING:
            return "training"
        return f"extra {sum(r.startswith('extra') for r in known)}" if is_pair and needed else None

    remedy = "Give its value: adapt(…, arguments={NAME: …}). If these are labels, give them as y, with a loss: gradcheck(net, x, y, loss=…)."
    return _call(function, given, who, role, remedy)


def is_cache(name: str) -> bool:
    """Whether a name says that it is what forward keeps for backward."""
    word = low(name)
    return word in _CACHE or word.endswith("cache")


def loss_call(
    function: Callable[..., Any], given: Mapping[str, Any], who: str, *, upstream: bool = False, of_net: bool = False
) -> Call:
    """loss(prediction, target) in either order, told by the names; otherwise the prediction comes first.

    Args:
        upstream: whether the first of the arguments may be a gradient from above, which is 1.
        of_net: whether x and the prediction are two things.

    Raises:
        ValueError: an argument has no default and no known meaning.
    """
    names = [name for name in map(_bare, parameters_of(function) or {}) if name not in given]
    targets = sorted((name for name in names if low(name) in _TARGET), key=lambda name: low(name) in ("y", "t"))
    target = targets[0] if targets else None

    def role(name: str, known: list[str], needed: bool) -> str | None:
        word = low(name)
        if upstream and word not in _PREDICTION and (word == "g" or is_upstream(word)):
            return "dy"
        if name == target or (target is None and "x" in known and "y" not in known):
            return "y"
        if of_net and is_prediction(name):
            return "prediction"
        if "x" not in known and (word in _PREDICTION or needed):
            return "x"
        return "training" if word in _TRAINING else "rate" if word in _RATE else None

    return _call(function, given, who, role, "Give its value: adapt(…, arguments={NAME: …}).")


def _call(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    who: str,
    role_of: Callable[[str, list[str], bool], str | None],
    remedy: str,
) -> Call:
    """A role for each argument.

    Args:
        role_of: the role of an argument by its name, the roles of the arguments before it, and whether it has no default.
        remedy: what to write for an argument without one.

    Raises:
        ValueError: an argument has no default and no role.
    """
    named = parameters_of(function)
    call = Call(who, plain=named is None)
    for name, argument in (named or {}).items():
        bare, needed = _bare(name), argument.default is argument.empty
        role = f"given {bare}" if bare in given else role_of(bare, list(call.roles.values()), needed)
        if role is not None:
            call.roles[name] = role
        elif needed:
            raise ValueError(f"gradcheck: {who} also takes {bare!r}. {remedy.replace('NAME', repr(bare))}")
    return call


def is_prediction(name: str) -> bool:
    """Whether an argument of this name is what a net computes, and not its x."""
    return low(name) in _PREDICTION and low(name) not in _INPUT


def low(name: str) -> str:
    """A name in lower case, without what marks it as private or as positional alone."""
    return plain(_bare(name)).lower()


def _bare(name: str) -> str:
    return name.strip("/")
