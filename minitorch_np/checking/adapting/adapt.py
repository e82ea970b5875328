"""adapt: code of somebody else as layers of this package, so that it can be checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minitorch_np.base.foreign_objects import instead_of
from minitorch_np.checking.adapting.calls import BACKWARD, FORWARD, SLOPE, method_of, owner_of, parameters_of
from minitorch_np.checking.adapting.code import Code
from minitorch_np.checking.adapting.foreign import Foreign
from minitorch_np.checking.adapting.foreign_code import ForeignCode, Options
from minitorch_np.checking.adapting.frameworks import JaxCode, TorchCode, is_jax, is_torch
from minitorch_np.checking.adapting.functions import Slope, is_right_slope, is_slope
from minitorch_np.checking.adapting.graphs import NodeGraph, node_class
from minitorch_np.checking.adapting.layout import Layout
from minitorch_np.checking.adapting.wrapping import pull, returns_a_function, with_gradient
from minitorch_np.layer import Layer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_PAIR = "gradcheck((forward, backward), x)"


def adapt(
    target: Any,
    backward: Callable[..., Any] | str | None = None,
    parameters: Mapping[str, ArrayLike] | Mapping[str, str] | None = None,
    *,
    forward: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    output: str | None = None,
    dx: str | None = None,
    learning_rate: float | None = None,
    examples: str | None = None,
    averaged: bool | None = None,
    node: Callable[..., Any] | None = None,
) -> Layer:
    """Code of somebody else as a Layer.

    gradcheck takes such code without adapt wherever there is one way to understand it. adapt says what gradcheck cannot know.

    Args:
        target: an object with methods for forward and backward; a function forward(x, *parameters) -> out or (out, cache);
            a function that returns a value and its gradient; with `node`, a function or model of nodes that differentiate
            themselves; a PyTorch Function or Module, or a JAX function.
        backward: the name of the object's method, if it is not a usual one; or the function backward(dout, cache) -> dx, or
            (dx, *gradients), or a dictionary of them.
        parameters: for an object, the attributes that hold parameters and those that hold their gradients, {"W": "dW"}; dotted
            names reach further inside, {"layers.0.W": "layers.0.dW"}. Others count as constants. For functions, the further arguments of forward that are to be checked, {"w": w, "b": b}; a
            value may be a dictionary of arrays.
        forward: the name of the object's method, if it is not a usual one.
        arguments: further arguments of forward or backward by name, which are passed as they are.
        output: the attribute that holds y, if forward returns nothing.
        dx: the attribute, or the key of what backward returns, that is dL/dx.
        learning_rate: of a backward that changes the parameters itself and keeps no gradient.
        examples: "rows"; "columns", if the last axis of x counts the examples; "one", if x is one example without such an axis. By
            default rows, or columns if forward takes another number of columns and refuses another number of rows.
        averaged: True if backward divides the gradients of parameters, but not dx, by the number of examples, as courses do that
            put the 1/m of the mean there. By default this is found out where examples are columns; where they are rows, it is
            taken for a bug.
        node: the class of the nodes, for code that builds a graph: node(number or array), with `.data`, `.grad` and `.backward()`.

    Raises:
        ValueError: the object has no such methods or attributes.
    """
    if isinstance(target, Layer):
        return target
    given = dict(arguments or {})
    foreign = _of_framework(target, parameters, given, node)
    if foreign is not None:
        return foreign
    if is_pair(target):
        target, backward = target
    owner = owner_of(target)
    if owner is not None and owner is owner_of(backward):
        target, forward, backward = owner, target.__name__, backward.__name__  # type: ignore[union-attr]
    if isinstance(target, type) and _is_static(target):
        target, backward = target.forward, target.backward  # type: ignore[attr-defined]
    if isinstance(target, type):
        raise ValueError(f"gradcheck: target:{instead_of(target)}")
    options = Options(output=output, dx=dx, learning_rate=learning_rate, examples=examples, averaged=averaged)
    Layout(examples or "rows")  # raises for another word
    if callable(target) and callable(backward):
        return _pair(target, backward, parameters, given, options)
    names = forward or method_of(target, FORWARD), backward or method_of(target, BACKWARD)
    if backward is None and all(names) and _takes_the_same(target, str(names[0]), str(names[1])):
        methods = getattr(target, str(names[0])), getattr(target, str(names[1]))
        if is_right_slope(*methods):
            return Slope(*methods, type(target).__name__)
    if isinstance(backward, str) or isinstance(forward, str) or all(names):
        return _object(target, names, parameters, given, options)  # type: ignore[arg-type]
    slope = method_of(target, SLOPE)
    if names[0] and slope and not inspect.isfunction(target):
        return Slope(getattr(target, names[0]), getattr(target, slope), type(target).__name__)
    if names[0] and slope is None and returns_a_function(getattr(target, names[0])) and not inspect.isroutine(target):
        return _object(target, (names[0], pull), parameters, given, options)
    if inspect.isroutine(target) or (callable(target) and not names[1] and not hasattr(target, "__dict__")):
        return _pair(with_gradient(target), pull, parameters, given, options)
    missing = "forward" if names[0] is None or names[0] == "__call__" else "backward"
    raise ValueError(
        f"adapt: {type(target).__name__} has no method {missing!r}. Name its methods: adapt(layer, forward='…', backward='…'). "
        f"For two functions write {_PAIR}."
    )


def _takes_the_same(target: Any, forward: str, backward: str) -> bool:
    """Whether both methods take one argument of one name, or backward none by name: it may be a derivative without dy."""
    needed = [
        [name for name, one in (parameters_of(getattr(target, method)) or {}).items() if one.default is one.empty]
        for method in (forward, backward)
    ]
    return not needed[1] or (len(needed[1]) == 1 and needed[0] == needed[1])


def _of_framework(
    target: Any, parameters: Any, given: dict[str, Any], node: Callable[..., Any] | None
) -> Foreign | None:
    """The adapter for PyTorch, JAX or a graph of nodes, if the object is of that kind."""
    if is_torch(target):
        return TorchCode(target, dict(parameters or {}), given)
    if is_jax(target):
        return JaxCode(target, dict(parameters or {}), given)
    kind = node or node_class(target)
    return NodeGraph(target, kind) if kind is not None else None


def is_pair(target: Any) -> bool:
    """Whether it is a tuple of two functions."""
    return (
        isinstance(target, (tuple, list))
        and len(target) == 2
        and all(callable(one) and not isinstance(one, Layer) for one in target)
    )


def _is_static(cls: type) -> bool:
    """Whether a class is only a name for two functions."""
    return all(
        isinstance(inspect.getattr_static(cls, name, None), (staticmethod, classmethod))
        for name in ("forward", "backward")
    )


def _pair(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    parameters: Any,
    given: dict[str, Any],
    options: Options,
) -> Layer:
    root = {name: _as_floats(value) for name, value in dict(parameters or {}).items()}
    named = _in_order_of_arguments(forward, root, given)
    if not named and not given and is_slope_pair(forward, backward):
        return Slope(forward, backward, getattr(forward, "__name__", "forward"))
    return ForeignCode(Code(named, forward, backward, given), options)


def is_slope_pair(forward: Callable[..., Any], backward: Callable[..., Any]) -> bool:
    """Whether the pair is f and its derivative; forward is tried on two numbers."""
    try:
        return is_slope(forward, backward, np.array([[0.3, 0.7]]))
    except Exception:  # a forward that needs other inputs
        return False


def _in_order_of_arguments(forward: Callable[..., Any], root: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The parameters under the names of forward's arguments: their own, or, if these are others, in the order of the arguments."""
    try:
        arguments = [
            name
            for name, one in inspect.signature(forward).parameters.items()
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return root
    if all(name in arguments for name in root):
        return root
    free = [name for name in arguments[1:] if name not in given]
    if len(free) == 1 and len(root) > 1:  # forward(x, parameters)
        return {free[0]: root}
    if len(free) < len(root):
        raise ValueError(
            f"adapt: {getattr(forward, '__name__', 'forward')} takes {', '.join(arguments)}; parameters has {', '.join(root)}. "
            "Use the names of the arguments."
        )
    return dict(zip(free, root.values(), strict=False))


def _as_floats(value: Any) -> Any:
    """Arrays and numbers as floats of their own; a dictionary or a list is copied with what is inside."""
    if isinstance(value, dict):
        return {key: _as_floats(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(item, (np.ndarray, dict)) for item in value):
        return type(value)(_as_floats(item) for item in value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return np.array(value, float)
    if isinstance(value, list) and value and np.asarray(value).dtype.kind in "iuf":
        return np.array(value, float)
    return value


def _object(target: Any, names: tuple[str, Any], parameters: Any, given: dict[str, Any], options: Options) -> Layer:
    """An object with these methods; its backward may also be a function of dy and of what forward returned."""
    for method, word in zip(names, ("forward", "backward"), strict=True):
        if not callable(method) and (method is None or not callable(getattr(target, method, None))):
            raise ValueError(
                f"adapt: {type(target).__name__} has no method {method or word!r}. "
                "Name its methods: adapt(layer, forward='…', backward='…')."
            )
    return ForeignCode(Code(target, names[0], names[1], given), replace(options, pairs=parameters))
