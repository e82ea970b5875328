"""Signatures: whether a user's method takes the arguments that it is called with."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any


def check_class(cls: type) -> None:
    """Raise TypeError if a user-defined layer has `__slots__`, or a method that cannot be called as this package calls it.

    forward and backward may take more arguments than these: a node of a Graph may have several inputs.
    """
    if vars(cls).get("__slots__"):
        raise TypeError(
            f"{cls.__name__}: a layer has no __slots__, as layers and parameters are looked for in its attributes. Leave it out."
        )
    for name, argument in (("build", "input_shape"), ("forward", "x"), ("backward", "dy")):
        given = ("self", argument)
        if name in vars(cls):
            line = f"def {name}(self, {argument})"
            wrong = not_taken(f"{cls.__name__}.{name}", vars(cls)[name], given, line, more=name != "build")
            if wrong:
                raise TypeError(wrong)
            if name == "forward" and "training" in inspect.signature(vars(cls)[name]).parameters:
                raise TypeError(
                    f"{cls.__name__}.forward is not called with training. Write def forward(self, x), and read self.training in it."
                )


def not_taken(who: str, method: Any, given: Sequence[str], line: str, *, more: bool = False) -> str:
    """Why the method does not take arguments of these names, which go by position, with the line to write; "" if it takes them.

    >>> not_taken("Mine.build", lambda self: None, ("self", "input_shape"), "def build(self, input_shape)")
    'Mine.build is called with (input_shape), and does not take these (too many positional arguments). Write def build(self, input_shape).'

    Args:
        more: whether it may need further arguments.
    """
    try:
        takes = inspect.signature(method)
        (takes.bind_partial if more else takes.bind)(*given)
    except TypeError as error:
        shown = ", ".join(name for name in given if name != "self")
        return f"{who} is called with ({shown}), and does not take these ({error}). Write {line}."
    except ValueError:  # a built-in function without a signature
        pass
    return ""


def first_parameter(function: Any) -> str:
    """The name of the first parameter, or "" where it is not known."""
    try:
        return next(iter(inspect.signature(function).parameters), "")
    except ValueError:
        return ""
