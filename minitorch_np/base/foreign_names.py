"""The one table of foreign names: what Keras, PyTorch and scikit-learn call it, and the line that does it here.

A row's key is what a person types:

    "Dense(activation=)"      an argument of a constructor
    "Model.fit(verbose=)"     an argument of a method
    "Optimizer.zero_grad"     an attribute or a method
    "Parameter.requires_grad ="   an attribute that would be set without any effect; reading it is answered alike
    "mt.Linear"               a name of the package or of one of its modules

A row of a class holds for its subclasses too. {cls} becomes the name of the class. To add a name, add a row.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

TABLE = {
    # Layers: arguments
    "Layer(activation=)": "Write {cls}(…), ReLU(): an activation is a layer of its own.",
    "Layer(input_shape=)": "Put Input(shape) in front of the first layer.",
    "Layer(name=)": "Leave it out: names come from the place in the model, such as dense_1.",
    "Layer(trainable=)": "Write layer.trainable = False once the layer is made.",
    # Optimisers
    "Optimizer(lr=)": "Write {cls}(learning_rate=…).",
    "Optimizer.lr =": "Write optimizer.learning_rate.",
    "Optimizer.zero_grad": "Leave it out: every backward replaces the gradients.",
    # Models
    "Model.fit(verbose=)": "Write progress=False to hide the bar.",
    # Parameters
    "Parameter.requires_grad =": "Write parameter.trainable = False to freeze it.",
    # The package
    "mt.Linear": "Write mt.Dense(units): the number of inputs is found from the data.",
}


def line_for(cls: type, name: str, form: str = "{cls}.{name}") -> str:
    """The row of the class or the nearest of its bases, or ""."""
    for base in cls.__mro__:
        key = form.format(cls=base.__name__, name=name)
        line = TABLE.get(key) or TABLE.get(f"{key} =")
        if line:
            return line.replace("{cls}", cls.__name__)
    return ""


def in_module(module: str, name: str) -> AttributeError:
    """What a module's __getattr__ raises for a name that it does not have."""
    line = TABLE.get(f"mt.{'.'.join([*module.split('.')[1:], name])}") or TABLE.get(f"mt.{name}", "")
    return AttributeError(f"module {module!r} has no attribute {name!r}. {line}".rstrip())


class AnswersForeignNames:
    """A class that answers arguments and attributes which other frameworks have, with the line to write here."""

    __slots__ = ()

    if not TYPE_CHECKING:  # where these would make every argument and attribute known

        def __new__(cls, *args, **kwargs):
            """Look at the names alone; that the rest fits is left to the constructor."""
            _refuse_unknown(cls, "", cls.__init__, args, kwargs)
            made = super().__new__(cls)
            made.before_constructor()
            return made

        def before_constructor(self):
            """Runs before the constructor; what is made here is there even if a subclass forgets super().__init__()."""

        def __getattr__(self, name):
            """Runs for what is missing. A property that failed fails again, with its own error."""
            try:
                return object.__getattribute__(self, name)
            except AttributeError as error:
                line = line_for(type(self), name)
                if line and not hasattr(type(self), name):
                    raise AttributeError(f"{error}. {line}", name=name, obj=self) from None
                raise

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for key in TABLE:
            place, _, rest = key.partition(".")
            if place == cls.__name__ and rest.endswith(" =") and rest[:-2] not in vars(cls):
                setattr(cls, rest[:-2], WithoutEffect(rest[:-2]))


class WithoutEffect:
    """An attribute that nothing here reads: setting it is refused, unless the constructor has an argument of that name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, owner_type: type) -> Any:
        if owner is None:
            return self
        if self.name in getattr(owner, "__dict__", {}):
            return vars(owner)[self.name]
        raise AttributeError(_missing(owner, self.name), name=self.name, obj=owner)

    def __set__(self, owner: Any, value: Any) -> None:
        if self.name not in inspect.signature(type(owner).__init__).parameters:
            raise AttributeError(_missing(owner, self.name), name=self.name, obj=owner)
        vars(owner)[self.name] = value


def answers_foreign_arguments(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a method, so that arguments which it does not have are answered from the table."""

    @functools.wraps(method)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        _refuse_unknown(type(args[0]), f".{method.__name__}", method, args[1:], kwargs)
        return method(*args, **kwargs)

    return checked


def _refuse_unknown(cls: type, method: str, called: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise TypeError for the first argument that there is not; `method` is ".fit", or "" for the constructor."""
    by_position, by_name, any_name = _arguments(called)
    unknown = [] if any_name else [name for name in kwargs if name not in by_name]
    if not unknown and len(args) <= by_position:
        return
    who = f"{cls.__name__}{method}"
    known = f"The arguments are {', '.join(by_name)}." if by_name else "It takes no arguments."
    if unknown:
        near = difflib.get_close_matches(unknown[0], by_name, 1, 0.75)
        line = line_for(cls, unknown[0], f"{{cls}}{method}({{name}}=)") or (f"Did you mean {near[0]}?" if near else "")
        raise TypeError(f"{who}: there is no argument {unknown[0]!r}. {line or known}")
    line = line_for(cls, "*", f"{{cls}}{method}({{name}})") or known
    raise TypeError(f"{who}: at most {by_position} arguments go by position, got {len(args)}. {line}")


@functools.cache
def _arguments(called: Any) -> tuple[float, tuple[str, ...], bool]:
    """How many arguments go by position, the names that there are, and whether any other name is taken too."""
    given = list(inspect.signature(called).parameters.values())[1:]
    kinds = [parameter.kind for parameter in given]
    by_position = [p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    many = math.inf if inspect.Parameter.VAR_POSITIONAL in kinds else len(by_position)
    return many, tuple(named), inspect.Parameter.VAR_KEYWORD in kinds


def _missing(owner: Any, name: str) -> str:
    return f"{type(owner).__name__!r} object has no attribute {name!r}. {line_for(type(owner), name)}".rstrip()
