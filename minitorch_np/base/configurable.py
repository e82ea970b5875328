"""Configurable: what layers, losses, optimisers and metrics have in common.

The constructor's signature describes an object. From it follow `repr`, `config` and
`clone`, so nothing else has to change when a class gets a new argument.
"""

from __future__ import annotations

import functools
import inspect
import re
from typing import TYPE_CHECKING, Any, ClassVar, Self

from minitorch_np.base.answers import AnswersForeignNames, answers_foreign_arguments, line_for
from minitorch_np.base.validation import Checked, CheckedArguments

PACKAGE = __name__.partition(".")[0]


class Configurable(CheckedArguments, AnswersForeignNames):
    """An object that its constructor's arguments describe completely.

    The contract is scikit-learn's: the constructor takes named arguments (no `*args`, no `**kwargs`) and
    stores each one, unmodified, in the attribute of the same name.
    """

    registry: ClassVar[dict[str, type[Configurable]]] = {}

    @answers_foreign_arguments
    def __init__(self) -> None:
        """No arguments, unless a subclass names some."""
        super().__init__()

    def __init_subclass__(cls) -> None:
        """Enter the class under its name; defined again, it replaces the earlier one.

        A class from outside the package never hides a built-in one: where the names are equal it is
        entered under its full name instead.
        """
        super().__init_subclass__()
        taken = Configurable.registry.get(cls.__name__)
        hides = taken is not None and is_built_in(taken) and not is_built_in(cls)
        Configurable.registry[f"{cls.__module__}.{cls.__qualname__}" if hides else cls.__name__] = cls

    def config(self) -> dict[str, Any]:
        """The constructor's arguments by name, as they were given.

        Raises:
            RuntimeError: the constructor did not store one of its arguments.
        """
        missing = [name for name in signature_defaults(type(self)) if not self._stores(name)]
        if missing:
            raise RuntimeError(
                f"{type(self).__name__}.__init__ takes {missing[0]!r} but does not store it. "
                f"Write self.{missing[0]} = {missing[0]} in the constructor."
            )
        return {name: self._stored(name) for name in signature_defaults(type(self))}

    def clone(self) -> Self:
        """A new object with the same constructor arguments and none of the state."""
        return type(self)(**{name: _clone(value) for name, value in self.config().items()})

    def __repr__(self) -> str:
        arguments = [
            f"{name}={self._stored(name)!r}"
            for name, default in signature_defaults(type(self)).items()
            if self._stores(name) and not _same(self._stored(name), default)
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"

    # The instance's own dictionary comes first, so that a property of the same name may do more than read.
    def _stores(self, name: str) -> bool:
        """Whether the argument is kept. A method of the same name is not the argument."""
        of_class = getattr(type(self), name, None)
        by_class = hasattr(type(self), name) and not isinstance(of_class, Checked) and not inspect.isroutine(of_class)
        return name in vars(self) or by_class

    def _stored(self, name: str) -> Any:
        return vars(self)[name] if name in vars(self) else getattr(self, name)


class OwnAttributes(Configurable):
    """An object on which a misspelt attribute cannot be set, if its class is of this package."""

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            known = name[0] == "_" or name in vars(self) or checks_values(type(self), name)
            if not known and replaces_nothing(type(self), name, value) and is_built_in(type(self)):
                raise AttributeError(no_attribute(self, name), name=name, obj=self)
            object.__setattr__(self, name, value)


def replaces_nothing(cls: type, name: str, value: Any) -> bool:
    """Whether an assignment creates an attribute, or replaces a method by a value."""
    if not hasattr(cls, name):
        return True
    return inspect.isroutine(getattr(cls, name)) and not callable(value)


@functools.cache
def checks_values(cls: type, name: str) -> bool:
    """Whether the class has a descriptor of this name that is called when a value is set, as `cache` is."""
    return hasattr(type(getattr(cls, name, None)), "__set__")


def no_attribute(owner: Configurable, name: str) -> str:
    names = ", ".join(signature_defaults(type(owner))) or "none"
    line = line_for(type(owner), f".{name}") or f"The attributes that can be set are {names}."
    return f"{type(owner).__name__} has no attribute {name!r}, so setting it has no effect. {line}"


def without_address(thing: Any) -> str:
    """The repr of an object without its address in memory, so that it is the same in two runs."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(thing))


def says_itself(thing: object, attribute: str) -> bool:
    """Whether the class itself, not one that it inherits from, sets this attribute to True. A subclass may do something else, so it
    has to say it again.
    """
    return bool(vars(type(thing)).get(attribute, False))


def is_built_in(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == PACKAGE


def signature_defaults(cls: type) -> dict[str, Any]:
    """The names of the constructor's arguments and their defaults (`inspect.Parameter.empty` if required)."""
    return dict(_defaults(cls, cls.__init__))  # type: ignore[misc]


@functools.lru_cache(maxsize=1024)
def _defaults(cls: type, constructor: Any) -> dict[str, Any]:
    """Reading a signature takes longer than a small network's step."""
    if constructor is object.__init__:
        return {}
    arguments = list(inspect.signature(constructor).parameters.values())[1:]
    for argument in arguments:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise TypeError(
                f"{cls.__name__}.__init__ takes {argument}: name every argument, so that the object can be "
                "printed, cloned and saved from its signature."
            )
    return {argument.name: argument.default for argument in arguments}


def _clone(value: Any) -> Any:
    if isinstance(value, Configurable):
        return value.clone()
    if isinstance(value, (list, tuple)):
        return type(value)([_clone(item) for item in value])
    return value


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))
