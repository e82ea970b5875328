"""Answers: errors for unknown names and arguments, with the line to write instead, from foreign_names.txt."""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from minitorch_np.base.text import as_sentence

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@functools.cache
def table() -> dict[str, str]:
    """The answer to each name in foreign_names.txt."""
    with open(os.path.join(os.path.dirname(__file__), "foreign_names.txt"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    answers: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        if line.startswith("    "):
            answers |= dict.fromkeys(names, line.strip())
            names = []
        elif line and line[0] != "#":
            names += line.removesuffix(",").split(", ")
    return answers


def line_for(cls: type | None, *places: str) -> str:
    """The answer to the first of these places, such as ".lr", "(lr=)" or ".fit(lr=)", in the class or the nearest of its bases, or ""."""
    for base in ("",) if cls is None else (base.__name__ for base in cls.__mro__):
        for place in places:
            line = table().get(f"{base}{place}") or table().get(f"{base}{place} =")
            if line:
                return line.replace("{cls}", cls.__name__ if cls else "").replace("{name}", place[1:])
    return ""


class AnswersForeignNames:
    """A base class. Arguments and attributes of other frameworks raise an error with the line to write here."""

    __slots__ = ()

    if not TYPE_CHECKING:  # with these, type checkers would accept every argument

        def __new__(cls, *args, **kwargs):
            """Check the names of the arguments; Python checks the rest when it calls the constructor."""
            if args or kwargs:  # copy and pickle give none
                _refuse_unknown(cls, "", cls.__init__, args, kwargs)
            made = super().__new__(cls)
            made.before_constructor()
            return made

        def before_constructor(self):
            """Runs before the constructor, for what must exist even if a subclass forgets super().__init__()."""

    def __init_subclass__(cls) -> None:
        """Make the foreign names of the class attributes that raise the error. A __getattr__ would make all attributes slower to
        read; a class that has one anyway calls answer_missing in it.
        """
        super().__init_subclass__()
        for name in _rows().get(cls.__name__, ()):
            of_class = name.startswith("from_")  # from_config is read on the class, where no __getattr__ runs
            if name.removesuffix(" =") in vars(cls):
                continue
            if name.endswith(" ="):
                setattr(cls, name[:-2], WithoutEffect(name[:-2]))
            elif name.isidentifier() and not cls.__dictoffset__:
                setattr(cls, name, NeverThere(name))
            elif name.isidentifier() and (of_class or not hasattr(cls, "__getattr__")):
                setattr(cls, name, Missing(name))

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(inspect.getattr_static(self, name, None), Missing)]


class Missing:
    """An attribute of another framework: reading it raises the error with the line to write."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, owner_type: type) -> Any:
        raise AttributeError(_missing(owner_type, self.name), name="")  # without a name Python adds no guess of its own


class NeverThere(Missing):
    """The same for a class with `__slots__`, where it cannot be set either."""

    def __set__(self, owner: Any, value: Any) -> None:
        self.__get__(owner, type(owner))


class WithoutEffect(Missing):
    """An attribute that would have no effect: setting it raises the error too, unless it is an argument of the constructor."""

    def __get__(self, owner: Any, owner_type: type) -> Any:
        if owner is None:
            return self
        if self.name in getattr(owner, "__dict__", {}):
            return vars(owner)[self.name]
        return super().__get__(owner, owner_type)

    def __set__(self, owner: Any, value: Any) -> None:
        own = not type(owner).__module__.startswith(
            f"{__name__.partition('.')[0]}."
        )  # in a person's own class the name is theirs
        if not own and self.name not in inspect.signature(type(owner).__init__).parameters:
            raise AttributeError(_missing(type(owner), self.name), name="")
        vars(owner)[self.name] = value


def answer_missing(owner: Any, name: str) -> Any:
    """The end of a class's __getattr__: raise AttributeError, with the line to write. A failed property raises its own error."""
    try:
        return object.__getattribute__(owner, name)
    except AttributeError as error:
        line = line_for(type(owner), f".{name}")
        if not line and {"layers", "nodes"} & vars(owner).keys() and name in owner.sublayers():
            line = f"Write model.get_layer({name!r})."
        if line and not hasattr(type(owner), name) and line not in str(error):
            raise AttributeError(f"{error}. {line}", name="") from None
        raise


def missing_attribute(node: Any, name: str) -> Any:
    """For the __getattr__ of a layer: raise AttributeError, and say when the attribute will exist."""
    try:
        return answer_missing(node, name)
    except AttributeError as error:
        hint, built = "", vars(node).get("built")
        if built and name in inspect.unwrap(type(node).forward).__code__.co_names:
            hint = (
                "What forward sets while a model predicts is not kept. To look inside, call a part of the model, "
                "model[:3].predict(x), or run a forward in training mode, model(x, training=True)."
            )
        builds = [vars(base)["build"] for base in type(node).__mro__ if "build" in vars(base)]
        made = any(name in getattr(getattr(build, "__code__", None), "co_names", ()) for build in builds)
        if made and not built and not hasattr(type(node), name) and not line_for(type(node), f".{name}"):
            hint = (
                "The layer is not built yet, so it has no parameters. Call it on data, or, if its model begins with "
                "Input(shape), call model.parameters(): both build it."
            )
        if hint:
            raise AttributeError(f"{as_sentence(error)} {hint}", name="") from None
        raise


def answers_foreign_arguments(called: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a method or a function, so that unknown and missing arguments raise an error with the line to write."""
    name, is_method = called.__name__, "." in called.__qualname__

    @functools.wraps(called)
    def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return called(*args, **kwargs)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # the call itself failed
                if is_method and args:
                    _refuse_unknown(type(args[0]), f".{name}", called, args[1:], kwargs)
                elif not is_method:
                    _refuse_unknown(None, name, called, args, kwargs)
            raise

    return checked


def _refuse_unknown(
    cls: type | None, method: str, called: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Raise TypeError for the first unknown argument, or a missing one that has an answer; `method` is ".fit", or "" (constructor)."""
    by_position, by_name, any_name, required = _arguments(called, cls is not None)
    unknown = [] if any_name else [name for name in kwargs if name not in by_name]
    who = f"{'' if cls is None else cls.__name__}{method}"
    if not unknown and len(args) <= by_position:
        for name in required[len(args) :]:
            if name not in kwargs and (line := line_for(cls, f"{method}(no {name})")):
                raise TypeError(f"{who}: the argument {name!r} is missing. {line}") from None
        for name in by_name[: len(args)]:
            if name in kwargs:
                line = line_for(cls, f"{method}(*)") or "Leave one of them out."
                raise TypeError(
                    f"{who}: an argument by position is {name!r}, which is given by name too. {line}"
                ) from None
        return
    known = f"The arguments are {', '.join(by_name)}." if by_name else "It takes no arguments."
    if not unknown:
        line = line_for(cls, f"{method}(*)") or known
        raise TypeError(f"{who}: at most {by_position} arguments go by position, got {len(args)}. {line}") from None
    from difflib import get_close_matches

    # An argument that makes it another call comes before those that only have another name.
    lines = {name: line_for(cls, f"{method}({name}={_short(kwargs[name])})", f"{method}({name}=)") for name in unknown}
    unknown.sort(key=lambda name: not lines[name] or bool(_RENAMED.search(lines[name])))
    near = get_close_matches(unknown[0], by_name, 1, 0.75)
    value = _short(kwargs[unknown[0]])
    line = lines[unknown[0]] or (f"Did you mean {near[0]}?" if near else known)
    given = [*map(_short, args), *(f"{name}={_short(kwargs[name])}" for name in kwargs if name in by_name)]
    line = line.replace("{call}", f"{who}({', '.join(given)})").replace("{value}", value)
    if _RENAMED.search(line):
        names = {name: _new_name(cls, method, name) for name in kwargs}
        renamed = [*map(_short, args), *(f"{names[name]}={_short(value)}" for name, value in kwargs.items())]
        line = _RENAMED.sub(lambda match: f"{who}({', '.join(renamed)})", line)
    raise TypeError(f"{who}: there is no argument {unknown[0]!r}. {line}") from None


# In an answer: the call with the argument's name here, and with the names here of its other arguments.
_RENAMED = re.compile(r"\{call, (\w+)\}")


def _new_name(cls: type | None, method: str, name: str) -> str:
    """The name here of an argument of another framework, from an answer with {call, name}; any other name as it is."""
    match = _RENAMED.search(line_for(cls, f"{method}({name}=)"))
    return match[1] if match else name


def _short(value: Any) -> str:
    """The value as a program would write it, or … if that is long."""
    text = repr(value)
    return text if len(text) <= 40 else "…"


@functools.cache
def _arguments(called: Any, of_object: bool) -> tuple[float, tuple[str, ...], bool, tuple[str, ...]]:
    """The number of arguments that go by position, the names of all, whether **kwargs takes other names, and the names of those
    by position that have no default.
    """
    given = list(inspect.signature(called).parameters.values())[of_object:]
    kinds = [parameter.kind for parameter in given]
    by_position = [p.name for p in given if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    many = math.inf if inspect.Parameter.VAR_POSITIONAL in kinds else len(by_position)
    required = tuple(p.name for p in given if p.name in by_position and p.default is p.empty)
    return many, tuple(named), inspect.Parameter.VAR_KEYWORD in kinds, required


@functools.cache
def _rows() -> dict[str, list[str]]:
    """The names of attributes in the table, by class."""
    rows: dict[str, list[str]] = {}
    for key in table():
        place, _, name = key.partition(".")
        rows.setdefault(place, []).append(name)
    return rows


def _missing(cls: type, name: str) -> str:
    return f"{cls.__name__!r} object has no attribute {name!r}. {line_for(cls, f'.{name}')}".rstrip()
