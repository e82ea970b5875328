"""The contract of a layer, checked around every user-defined `forward` and `backward`.

A user-defined layer may forget to return y, or run twice before its backward. Without a check this shows late, as a wrong number
or as an error elsewhere. `guard` puts the checks around such methods when their class is defined. The layers of this package
are tested instead.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

from minitorch_np.base.any_length import fits
from minitorch_np.base.cache import Call, current_call, is_second_use, used_twice
from minitorch_np.base.callers import caller
from minitorch_np.base.configurable import PACKAGE, is_built_in
from minitorch_np.base.parameter import Parameter, UsedAsArray
from minitorch_np.base.randomness import streams
from minitorch_np.base.replica import replica
from minitorch_np.base.shapes import Shape, batch_of
from minitorch_np.base.signatures import check_class

if TYPE_CHECKING:
    from minitorch_np.layer import Layer

    Reading = Callable[[Layer], AbstractContextManager[Layer]]


@contextmanager
def calling(call: Call | None) -> Iterator[None]:
    """Inside the `with` block this call runs, in this thread."""
    token = current_call.set(call)
    try:
        yield
    finally:
        current_call.reset(token)


@contextmanager
def explicit_mode(*, training: bool) -> Iterator[None]:
    """Inside the `with` block a layer called with training=True runs in training mode, even if its model runs inference."""
    call = current_call.get()
    if call is None or not (training and call.inference):
        yield
        return
    with calling(Call(call.root, call.node, call.method)):
        yield


# For each layer that a fit trains now, by its id: the thread of the fit, and the function that gives other threads a replica.
_trained: dict[int, tuple[int, Reading]] = {}


@contextmanager
def trained(layers: Iterable[Layer], reading: Reading) -> Iterator[None]:
    """Inside the `with` block this thread trains a model. Another thread that calls one of its layers runs inference.

    Args:
        layers: the model and those inside it.
        reading: gives the other thread a replica of a layer, with its weights between two steps.
    """
    nodes = dict.fromkeys(map(id, layers), (get_ident(), reading))
    before = {key: _trained[key] for key in nodes.keys() & _trained.keys()}
    _trained.update(nodes)
    try:
        yield
    finally:
        for key in nodes:
            _trained.pop(key, None)
        _trained.update(before)


def read_beside_training(node: Layer) -> Reading | None:
    """The function that gives a replica of this layer, if another thread trains it now; else None."""
    thread, reading = _trained.get(id(node), (get_ident(), None))
    return None if thread == get_ident() else reading


def has_user_classes(node: Layer) -> bool:
    """Whether the node or one below it is of a user-defined class."""
    return any(not is_built_in(type(below)) for _, below in node.walk())


def is_called(node: Layer) -> bool:
    """Whether this thread is in a call of a model that contains this node. The node then has the mode of that call."""
    call = current_call.get()
    return call is not None and any(below is node for _, below in call.root.walk())


def warn_of_hidden(node: Layer) -> None:
    """Warn of a layer that a forward calls and that is in no attribute of a layer of the model."""
    call = current_call.get()
    if call is None or is_called(node) or not any(parameter.learnable for parameter in node.parameters().values()):
        return
    warnings.warn(
        f"{call.node!r}.forward calls {node!r}, which the model does not find: its parameters do not learn and are not saved. Keep it in "
        "an attribute of the layer, or in a list or dictionary there; sets and objects of other classes are not looked into.",
        stacklevel=caller(),
    )


def _running() -> Call | None:
    """The call that runs in this thread. The guarded methods do not name the ContextVar: joblib sends a function to other processes
    with the globals that it names, and a ContextVar cannot be sent."""
    return current_call.get()


def guard(cls: type) -> None:
    """Put the checks around the `forward` and `backward` that the class or a user-defined base defines."""
    if not is_built_in(cls):
        check_class(cls)
    for name, check in (("forward", _guarded_forward), ("backward", _guarded_backward)):
        method = getattr(cls, name)
        if not hasattr(method, "is_guarded") and (method.__module__ or "").partition(".")[0] != PACKAGE:
            method = check(method)
            method.is_guarded = True  # type: ignore[attr-defined]
            setattr(cls, name, method)
    cls._notes_use = not hasattr(cls.forward, "is_guarded")  # type: ignore[attr-defined]


def _guarded_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def guarded(self: Layer, *arguments: Any, **named: Any) -> Any:
        call = _running()
        if call is not None and call.node is self:  # super().forward
            return forward(self, *arguments, **named)
        names = known_parameters(self)
        if self.keep_cache and not (call is not None and call.inference):
            self._used_twice = is_second_use(self, call)
            self._taken = getattr(arguments[0], "shape", None) if len(arguments) == 1 and not named else None
            self.before_forward()
        with calling(_inner(call, self, "forward")), _explaining(self, "forward", arguments):
            y = forward(self, *arguments, **named)
        if not hasattr(y, "shape") or isinstance(y, Parameter):
            raise ValueError(f"{self!r}.forward returned {_described(y)}, expected an array. {_remedy(y)}")
        _refuse_replaced(self, names, "forward", "self.{0}.value[...] = … to change its values")
        return y

    return guarded


def _guarded_backward(backward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(backward)
    def guarded(self: Layer, dy: Any, *arguments: Any, **named: Any) -> Any:
        call = _running()
        if call is not None and call.node is self:  # super().backward
            return backward(self, dy, *arguments, **named)
        if dy is None:
            raise ValueError(
                f"{self!r}.backward got None for dy: the layer after it returned no dL/dx. End its backward with `return dx`."
            )
        self.before_backward(dy)
        if self._used_twice and not self._notes_use:  # otherwise reading the cache raises this error
            raise RuntimeError(used_twice(self))
        names = known_parameters(self)
        with calling(_inner(call, self, "backward")), _explaining(self, "backward", vars(self).get("_cache")):
            dx = backward(self, dy, *arguments, **named)
        if self._taken is not None and dx is not None and getattr(dx, "shape", None) != self._taken:
            raise ValueError(
                f"{self!r}.backward returned {_described(dx)}, expected the array dL/dx, which has the shape of x, {self._taken}. "
                "Gradients of parameters go into their grad."
            )
        _refuse_replaced(self, names, "backward", "self.{0}.grad = …")
        return dx

    return guarded


@contextmanager
def _explaining(node: Layer, method: str, given: Any) -> Iterator[None]:
    """Name the layer, and say what to write, if a Parameter is used as an array or a float as an index in the `with` block."""
    try:
        yield
    except (IndexError, TypeError, ValueError) as error:
        from minitorch_np.base.raised import explain_index, explain_several, name_parameter

        if isinstance(error, UsedAsArray):
            raise name_parameter(error, node, method) from None
        if not isinstance(error, ValueError):
            explain_index(error, node, method, given)
        if not isinstance(error, IndexError) and method == "forward" and len(given) == 1:
            explain_several(error, node, given[0])
        raise


def _inner(call: Call | None, node: Layer, method: str) -> Call:
    inner = Call(node if call is None else call.root, node, method, inference=call is not None and call.inference)
    if call is not None:
        inner.turn = call.turn
    return inner


def known_parameters(node: Layer) -> dict[str, Parameter]:
    """The Parameters in the attributes of a layer, by name. They are looked for only once."""
    if node._known is None:
        node._known = Known((name, value) for name, value in vars(node).items() if isinstance(value, Parameter))
    return node._known.parameters


class Known:
    """The parameters that a layer was built with. A dictionary would be a second place in which the parameters are found."""

    def __init__(self, parameters: Iterable[tuple[str, Parameter]]) -> None:
        self.parameters: dict[str, Parameter] = dict(parameters)


def refuse_lost_parameters(node: Layer) -> None:
    """If an attribute that held a Parameter was set to something else, put the Parameter back.

    Another Parameter is accepted, in a layer of this package one of the same shape; its value is converted to the layer's dtype.

    Raises:
        ValueError: the attribute was set to something else; the message has the line that changes its values.
    """
    known = {} if node._known is None else node._known.parameters
    for name, before in known.items():
        now = vars(node).get(name)
        if now is before:
            continue
        built_in = is_built_in(type(node))
        if isinstance(now, Parameter) and (not built_in or now.shape == before.shape):
            now.replace(now.value.astype(before.value.dtype, copy=False))
            known[name] = now
        elif now is not None or built_in:  # a user-defined layer may set a parameter to None
            vars(node)[name] = before
            raise ValueError(
                f"{node!r}: the parameter {name}, of shape {before.shape}, was replaced by {_described(now)}. To change its values, "
                f"write layer.{name}.value[...] = …; it is back in its place now."
            )


def _refuse_replaced(node: Layer, known: dict[str, Parameter], method: str, remedy: str) -> None:
    """Put back a Parameter that the method has replaced by something else, and raise."""
    for name, before in known.items():
        now = vars(node).get(name)
        if now is not before and not isinstance(now, Parameter):
            vars(node)[name] = before
            raise ValueError(
                f"{node!r}.{method} replaced the parameter self.{name} by {_described(now)}. Write {remedy.format(name)}."
            )


def _remedy(y: Any) -> str:
    if isinstance(y, (tuple, list)) and any(hasattr(part, "shape") for part in y):
        return "Return the parts side by side, np.concatenate(parts, axis=-1), and take them apart where they are used."
    return "End it with `return y`."


def _described(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, Parameter):
        return f"a Parameter of shape {value.shape} (its array is .value)"
    kind = type(value).__name__
    return f"an array of shape {value.shape}" if hasattr(value, "shape") else f"a {kind}"


def no_backward(node: Layer) -> str:
    """The message for a layer without a backward; with layers in its attributes it shows their chain rule."""
    chain, inner = "dy", [name for name in node.sublayers() if "." not in name]
    for name in reversed(inner):
        chain = f"self.{name}.backward({chain})"
    hint = (
        f" If forward only calls its layers in this order, that is {chain}. What else forward does has its part: for x + f(x) it is "
        "dy + f.backward(dy). mt.gradcheck(layer, shape) tests it; mt.Sequential and mt.Graph have a backward."
    )
    return f"{node!r} has no backward: write backward(self, dy) and return dL/dx.{hint if inner else ''}"


def refuse_other_shape(node: Layer, input_shape: Shape) -> None:
    """Raise ValueError if a layer is built for inputs of another shape, and inputs of this shape need other parameters.

    To find out, a replica is built for inputs of this shape.
    """
    if not node.built or node.input_shape is None or fits(input_shape, node.input_shape):
        return
    known = node.own_parameters()
    if not known and not node.sublayers():
        return
    rebuilt = replica(node)
    rebuilt.set_streams(streams(0), node._dtype)
    rebuilt.build(input_shape)
    for name, parameter in rebuilt.own_parameters().items():
        if name not in known or parameter.shape != known[name].shape:
            has = f"there {name} has shape {known[name].shape}, here" if name in known else "here"
            raise ValueError(
                f"{node!r}: the layer is built for inputs of shape {batch_of(node.input_shape)}, got "
                f"{batch_of(input_shape)}: {has} it needs {parameter.shape}. Make a new layer for them."
            )
