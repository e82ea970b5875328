"""How people name the gradient of W: dW, W_grad, dL_dW, grads["W"], W.grad …"""

from __future__ import annotations

import re
from typing import Any

from minitorch_np.checking.arrays_inside import Path

_OF = r"(?:l|j|c|e|z|loss|cost|error|err|out|output)"
_BEFORE = re.compile(
    rf"^(?:d_?{_OF}_?_?d_?|d_?{_OF}_|d{_OF}_?|d_?|delta_?|grads?_?|gradients?_?|grad_of_|g_?|nabla_?|partial_?|deriv_?|del_)(?=.)"
)
_SHORT_BEFORE = re.compile(r"^(?:d_?|delta_?|grads?_?|gradients?_?|g_?|nabla_?)(?=.)")
_AFTER = re.compile(r"(?<=.)_?(?:gradients?|grads?|derivatives?|deriv|prime|delta|_g|_d)$")
_VALUES = {
    "params",
    "parameters",
    "param",
    "weights",
    "variables",
    "values",
    "data",
    "value",
    "array",
    "p",
    "theta",
    "cached_data",
}
_GRADIENTS = {
    "grads",
    "gradients",
    "grad",
    "gradient",
    "dparams",
    "dparameters",
    "dweights",
    "g",
    "derivatives",
    "deltas",
    "d",
}


def plain(name: Any) -> str:
    """A name without underscores at its ends and without a class in front, as private attributes have it (_Dense__W)."""
    return re.sub(r"^_[A-Za-z0-9]+__(?=.)", "", str(name)).strip("_")


def stems(name: Any) -> set[str]:
    """Of what the name may be the gradient: the name without each of the words for a gradient, in lower case."""
    low = plain(name).lower()
    return {pattern.sub("", low) for pattern in (_BEFORE, _SHORT_BEFORE, _AFTER)} - {low}


def is_gradient_of(gradient: Any, name: Any) -> bool:
    """Whether one name is the other with a word for a gradient: dW and W."""
    return plain(name).lower() in stems(gradient)


def looks_like_gradient_of(gradient: Any, name: Any) -> bool:
    """The same for shortened names: dW and weights, grad_biases and bias."""
    low = plain(name).lower()
    return any(low.startswith(stem) or stem.startswith(low) for stem in stems(gradient) if stem)


def match(gradient: Path, parameter: Path, *, shortened: bool = False) -> bool:
    """Whether one path is that of the other's gradient: every step is equal, or a value's name and its gradient's.

    >>> match(("layers", 0, "dW"), ("layers", 0, "W")), match(("grads", "w"), ("params", "w")), match(("w", "grad"), ("w", "data"))
    (True, True, True)
    """
    if len(gradient) != len(parameter) or gradient == parameter:
        return False
    fits = looks_like_gradient_of if shortened else is_gradient_of
    return all(
        g == p or _containers(g, p) or (isinstance(p, str) and fits(g, p))
        for g, p in zip(gradient, parameter, strict=True)
    )


def match_last(gradient: Any, parameter: Path) -> bool:
    """Whether a name alone, such as a key of a dictionary, is that of a parameter or of its gradient."""
    last = next((step for step in reversed(parameter) if plain(step).lower() not in _VALUES), parameter[-1])
    return plain(gradient).lower() == plain(last).lower() or is_gradient_of(gradient, last)


def is_upstream(name: str) -> bool:
    """Whether an argument's name says that it is the gradient from above: dy, dout, grad_output, delta, error."""
    low = plain(name).lower()
    return bool(
        re.match(r"(?:d(?!ata|im|rop)|grad|delta|err|up|gy|nabla|loss_grad|back)", low)
        or re.search(r"grad|error|delta|deriv", low)
    ) or low in ("g", "v", "eta_out")


def is_of_input(name: Any, argument: str) -> bool:
    """Whether the name is that of the gradient of x: dx, dinputs, dA_prev, or d with forward's own name for x."""
    low = plain(name).lower()
    return is_gradient_of(name, argument) or low in (
        "dx", "d_x", "dinputs", "dinput", "d_inputs", "d_input", "grad_input", "grad_inputs", "grad_x", "gradx", "input_grad",
        "input_gradient", "inputs_grad", "da_prev", "dprev", "d_prev", "dxt", "din", "gx", "dlda", "dldx", "dl_dx", "dx_t", "bottom_diff",
        "input_error", "dxs",
    )  # fmt: skip


def _containers(gradient: Any, parameter: Any) -> bool:
    return plain(gradient).lower() in _GRADIENTS and plain(parameter).lower() in _VALUES
