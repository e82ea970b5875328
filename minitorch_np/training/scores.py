"""Scores: the loss and the metrics that evaluate returns, as a named tuple."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from minitorch_np.base.validation import is_number

if TYPE_CHECKING:

    class Scores(tuple[float, ...]):
        """A named tuple of the loss and the metrics, whose names are known only when evaluate runs."""

        def __getattr__(self, name: str) -> float: ...
        def _asdict(self) -> dict[str, float]: ...


# Keras's evaluate returns a number if there are no metrics, so people compute with what evaluate returns.
_OF_NUMBERS = (
    "eq", "ne", "lt", "le", "gt", "ge", "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "neg", "float", "int",
    "round",
)  # fmt: skip


def scores(measured: Mapping[str, float]) -> Scores:
    """The numbers as a named tuple, also read as a dictionary: scores["accuracy"], scores.items(), dict(scores), as with Keras's
    return_dict=True. A use as if it were one number raises TypeError.
    """
    methods: dict[str, Any] = {f"__{name}__": _no_number(f"__{name}__") for name in _OF_NUMBERS}
    methods |= {
        "__getattr__": _missing,
        "__getitem__": _by_name,
        "__format__": _format,
        "__hash__": tuple.__hash__,
        "__slots__": (),
    }
    methods |= {name: _of_dictionary(name) for name in ("get", "items", "keys", "values") if name not in measured}
    kind: Any = type("Scores", (namedtuple("Scores", list(measured)),), methods)  # the names are known only now
    return cast("Scores", kind(**measured))


def _missing(scores: Scores, name: str) -> Any:
    raise AttributeError(f"{name!r} was not measured; there is {', '.join(scores._asdict())}", name="")


def _of_dictionary(name: str) -> Callable[..., Any]:
    def method(self: Scores, *arguments: Any) -> Any:
        return getattr(self._asdict(), name)(*arguments)

    return method


def _by_name(scores: Scores, key: Any) -> Any:
    """scores["accuracy"], as of a dictionary, beside scores.accuracy and scores[1]."""
    if isinstance(key, str) and key not in (known := scores._asdict()):
        raise KeyError(f"{key!r} was not measured; there is {', '.join(known)}")
    return scores._asdict()[key] if isinstance(key, str) else tuple.__getitem__(scores, key)


def _format(scores: Scores, spec: str) -> str:
    if spec:
        raise _refusal(scores)
    return repr(scores)


def _no_number(name: str) -> Callable[..., Any]:
    """The method of a tuple; with a number it raises TypeError."""
    usual = getattr(tuple, name, None)

    def method(self: Scores, *others: Any) -> Any:
        if usual is None or any(map(is_number, others)):
            raise _refusal(self)
        return usual(self, *others)

    return method


def _refusal(scores: Scores) -> TypeError:
    return TypeError(f"{scores!r} is a named tuple of what was measured, and no number. Write scores.loss.")
