"""Parameters: the dictionary of a network's parameters, by their dotted names."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from minitorch_np.base.callers import caller
from minitorch_np.base.parameter import Parameter


class ParameterName(str):
    """The name of a parameter. Used as if it was the Parameter, it raises an error with the line to write."""

    __slots__ = ()

    if not TYPE_CHECKING:  # type checkers shall report these attributes

        def __getattr__(self, name):
            answer = f"'str' object has no attribute {name!r}"
            if not name.startswith("__"):
                answer = (
                    f"{str(self)!r} is the name of a Parameter and has no attribute {name!r}. Write for parameter in "
                    "model.parameters().values(), or for name, parameter in model.parameters().items()."
                )
            raise AttributeError(answer, name=name, obj=self)

        def __setattr__(self, name, value):
            self.__getattr__(name)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (str(self),)


class Parameters(dict[str, Parameter]):
    """The parameters of a layer or model by their dotted names. Those of two networks are joined by

    generator.parameters().under("generator") | critic.parameters().under("critic")
    """

    @classmethod
    def of(cls, network: object, found: Mapping[str, Parameter]) -> Self:
        """These parameters, which are all those of a network. Each stores that network; see warn_of_lost."""
        here = (len(found), id(network))
        for parameter in found.values():
            if parameter.network[0] <= here[0]:
                parameter.network = here
        return cls(found)

    def __iter__(self) -> Iterator[str]:
        """The names, each with the line to write if it is used as a Parameter."""
        return map(ParameterName, super().__iter__())

    def __missing__(self, name: Any) -> NoReturn:
        """Python calls this for `parameters()[name]` with a name that is not there, such as a number."""
        names = [*map(repr, self)]
        there = ", ".join(names[:12]) + ", …" * (len(names) > 12)
        by_number = f", or by number as list(model.parameters().values())[{name}]" if isinstance(name, int) else ""
        raise KeyError(
            f"parameters()[{name!r}]: the parameters are read by name{by_number}. "
            + (f"The names are {there}." if names else "There are none.")
        )

    def under(self, name: str) -> Parameters:
        """The same parameters under longer names: `name.` is put before each name."""
        return Parameters({f"{name}.{below}": parameter for below, parameter in self.items()})

    def __or__(self, other: Any) -> Any:
        """Both together.

        Raises:
            ValueError: a name is in both, so that one of the two would be lost.
        """
        twice = [name for name in self if name in other and other[name] is not self[name]]
        if twice:
            raise ValueError(f"{twice[0]!r} is a parameter of both, and one would be lost. {_JOIN}")
        return Parameters({**self, **other})


_JOIN = 'Join them with a.parameters().under("a") | b.parameters().under("b").'


def warn_of_lost(parameters: Mapping[str, Parameter], who: str) -> None:
    """Warn of a plain dictionary that may be {**a.parameters(), **b.parameters()}: b has replaced those of a with equal names.

    It may be one if it has all parameters of one network, and of other networks none or only some.
    """
    for name, given in parameters.items():
        if not isinstance(given, Parameter):
            raise ValueError(
                f"{who}: expected Parameters, got a {type(given).__name__} as {name!r}. Write {name} = mt.Parameter(array), and {name}.grad = gradient."
            )
    counts = Counter(parameter.network for parameter in parameters.values())
    whole = {network for network, count in counts.items() if count == network[0] > 0}
    if whole and (len(counts) == 1 or len(whole) < len(counts)):
        warnings.warn(
            f"{who}: a plain dictionary of {len(parameters)} parameters. If it was joined from two networks, those with equal names "
            f"were replaced and do not learn. {_JOIN} Of one network, pass model.parameters() itself.",
            stacklevel=caller(),
        )
