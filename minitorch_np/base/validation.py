"""Validation: checks of arguments, in constructors and in later assignments.

A class lists its checks once, for the constructor's `self.rate = rate` and for a later `layer.rate = 5` alike:

    checks: Checks = {"rate": number("[0, 1)")}
"""

from __future__ import annotations

import contextlib
import inspect
import operator
import re
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from minitorch_np.base.signatures import not_taken

Check = Callable[[str, str, Any], None]
Checks = Mapping[str, Check]

_WORDS = {
    "[0, inf)": "a finite number of at least 0",
    "(0, inf)": "a positive, finite number",
    "(-inf, inf)": "a finite number",
}


class Checked:
    """An attribute that is checked whenever it is assigned to.

    It has no __get__, so that reading is as fast as for other attributes.
    """

    name: str
    check: Check

    def __init__(self, name: str, check: Check) -> None:
        self.name, self.check = name, check

    def __set__(self, owner: Any, value: Any) -> None:
        value = plain(value)
        self.check(type(owner).__name__, self.name, value)
        attributes = vars(owner)
        known, before = self.name in attributes, attributes.get(self.name)
        if known and isinstance(self.check, Fixed) and getattr(owner, "built", False) and not _same(value, before):
            on_parameter = self.name in ("kernel_regularizer", "bias_regularizer", "kernel_constraint")
            remedy = f"Write layer.{self.name.replace('_', '.')} = {value!r}." if on_parameter else "Make a new layer."
            raise ValueError(
                f"{type(owner).__name__}: {self.name} is {before!r} and stays so, as the layer is built. {remedy}"
            )
        attributes[self.name] = value
        try:
            if owner.checked_names <= attributes.keys():
                owner.settle()
        except ValueError:
            if known:
                attributes[self.name] = before
            raise


def _same(one: Any, other: Any) -> bool:
    """Whether two arguments are equal. Arrays, which are compared element by element, are so only if they are one object."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one is other
    try:
        return bool(one == other)
    except ValueError:  # lists with arrays in them
        return False


class CheckedArguments:
    """A class whose attributes are checked when they are assigned to.

    Attributes:
        checks: for arguments of the constructor a function (class name, argument, value) -> None that raises ValueError. Subclasses
            inherit it.
    """

    checks: Checks = {}
    checked_names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = vars(cls).get("checks", {})
        cls.checked_names = cls.checked_names | own.keys()
        for name, check in own.items():
            setattr(cls, name, Checked(name, check))

    def settle(self) -> None:
        """Runs once all arguments with a check are set, and after each later assignment to one.

        Override it to raise ValueError if they do not go together, and to compute what follows from them.
        """


class Fixed:
    """The check of an argument that shapes parameters: it stays as it is once the layer is built."""

    def __init__(self, check: Check) -> None:
        self.check = check

    def __call__(self, who: str, name: str, value: Any) -> None:
        self.check(who, name, value)


def plain(value: Any) -> Any:
    """Numbers of NumPy, such as np.array(3), as numbers of Python, so that they can be saved; also inside a tuple or list."""
    if type(value) in (tuple, list):
        return type(value)(map(plain, value))
    number = isinstance(value, (np.generic, np.ndarray)) and not value.ndim and value.dtype.kind in "biuf"
    return value.item() if number else value


def number(interval: str = "[0, inf)") -> Check:
    return lambda who, name, value: check_number(who, name, value, interval)


def whole(least: int = 0) -> Check:
    return lambda who, name, value: check_whole(who, name, value, least)


def flag(who: str, name: str, value: Any) -> None:
    check_flags(who, {name: value})


def one_of(*choices: str) -> Check:
    """One of these strings."""

    def check(who: str, name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in choices:
            *others, last = map(repr, choices)
            raise ValueError(f"{who}: {name} is {', '.join(others)} or {last}, got {value!r}.")

    return check


def optional(check: Check) -> Check:
    """The same, or None."""
    return lambda who, name, value: None if value is None else check(who, name, value)


def anything(who: str, name: str, value: Any) -> None:
    """For Fixed alone."""


def check_number(who: str, name: str, value: Any, interval: str = "[0, inf)") -> None:
    """Raise ValueError unless it is a number in the interval; a square bracket includes its end, a round one does not.

    >>> check_number("SGD", "momentum", 0.9, "[0, 1)")
    >>> check_number("SGD", "momentum", "0.9", "[0, 1)")
    Traceback (most recent call last):
    ValueError: SGD: momentum is a number in [0, 1), got '0.9'.
    """
    if not is_number(value) or not _lies_in(value, interval):
        meaning = _WORDS.get(interval, f"a number in {interval}")
        raise ValueError(f"{who}: {name} is {meaning}, got {value!r}.")


def check_whole(who: str, name: str, value: Any, least: int = 0) -> None:
    """Raise ValueError unless value is an int >= least."""
    if not is_whole(value) or value < least:
        raise ValueError(f"{who}: {name} is an int of at least {least}, got {value!r}.")


def check_flags(who: str, flags: Mapping[str, Any]) -> None:
    """Raise ValueError for a value other than True and False."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            remedy = ""
            if name == "use_bias" and is_whole(value):
                remedy = " The number of inputs is found from the data: give the number of outputs alone."
            elif name == "use_bias":
                remedy = " An activation is a layer of its own, such as ReLU(), after this one."
            raise ValueError(f"{who}: {name} is True or False, got {value!r}.{remedy}")


def check_mode(who: str, training: Any) -> None:
    """Raise ValueError unless training is True or False. Where it is an array, the caller meant a layer of several inputs."""
    if getattr(training, "shape", ()) or isinstance(training, (list, tuple)):
        raise ValueError(
            f"{who}: expected one array, got a second one in the place of training. A node of mt.Graph takes several: "
            "('z', layer, ['a', 'b']). The state of a recurrent layer is initial_state=h, of LSTM [h, c]."
        )
    check_flags(who, {"training": training})


def check_dtype(who: str, dtype: Any) -> None:
    """Raise unless NumPy reads it as float32 or float64."""
    with contextlib.suppress(TypeError):
        if np.dtype(dtype).name in ("float32", "float64"):
            return
    raise ValueError(f"{who}: dtype is 'float32' or 'float64', got {dtype!r}.")


def is_number(value: Any) -> bool:
    """Whether it is a real number, not NaN and not a bool."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool) and value == value


def is_whole(value: Any) -> bool:
    """Whether it is a whole number for operator.index, such as np.int64(3) and np.array(3), and not a bool."""
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def _lies_in(value: float, interval: str) -> bool:
    low, high = map(float, interval[1:-1].split(","))
    above = low <= value if interval[0] == "[" else low < value
    below = value <= high if interval[-1] == "]" else value < high
    return above and below


def one_number(who: str, given: Any, remedy: str) -> float:
    """The result of a user-defined function, as a float.

    Raises:
        ValueError: it is an array, None, or not a real number.
    """
    if getattr(given, "shape", ()) == () and not isinstance(given, (str, bytes)) and not np.iscomplexobj(given):
        with contextlib.suppress(TypeError, ValueError):
            return float(given)  # also of other packages' arrays without an axis
    shape = f"an array of shape {given.shape}" if getattr(given, "shape", ()) != () else repr(given)
    raise ValueError(f"{who}: expected one number, got {shape}. {remedy}")


# Words in the names of parameters for predictions, and of those for targets, in this and other frameworks.
_OF_PREDICTIONS = {
    "p", "pred", "preds", "prediction", "predictions", "predicted", "ypred", "output", "outputs", "hat", "yhat", "score", "scores",
    "logit", "logits", "prob", "probs", "proba", "probability", "probabilities", "decision", "estimate", "estimated", "forecast",
    "out", "outs", "predict", "guess", "fitted", "reconstruction", "reconstructed", "generated",
}  # fmt: skip
_OF_TARGETS = {
    "t", "true", "ytrue", "target", "targets", "label", "labels", "truth", "gt", "actual", "expected", "observed", "test",
    "desired", "reference", "gold", "answer", "answers",
}  # fmt: skip


def takes_target_first(function: Any) -> bool:
    """Whether the first two parameters are named like (target, prediction), as (y_true, y_pred) are.

    >>> takes_target_first(lambda y_true, y_pred: 0), takes_target_first(lambda p, t: 0), takes_target_first(lambda a, b: 0)
    (True, False, False)
    """
    return _kinds(function) in (["target", "prediction"], ["target", ""], ["", "prediction"])


def target_comes_first(function: Any, who: str) -> bool:
    """As takes_target_first, for a user's function in a loss or a metric.

    Raises:
        ValueError: the names say nothing, as (a, b), or there are not two parameters.
    """
    if not any(_kinds(function)):
        name, signature = getattr(function, "__name__", type(function).__name__), "(…)"
        with contextlib.suppress(TypeError, ValueError):
            signature = str(inspect.signature(function))
        line = "lambda prediction, target: …" if name == "<lambda>" else f"def {name.strip('<>')}(prediction, target)"
        if not isinstance(function, FunctionType):
            line = f"lambda prediction, target: {name}(prediction, target)"
        raise ValueError(
            f"{who}: {name}{signature}: the names of its parameters do not tell which of the two is the prediction. Name them "
            f"prediction and target, or y_true and y_pred: write {line}."
        )
    return takes_target_first(function)


def _kinds(function: Any) -> list[str]:
    """What the names of the first two parameters say, "prediction", "target" or ""."""
    try:
        given = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # as of functions written in C
        return []
    return [_kind(a.name) for a in given if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)][:2]


def check_order(owner: Any, method: str, expected: str) -> None:
    """Raise ValueError if a user-defined method takes the target first, by the names of its parameters, or other arguments."""
    function = getattr(owner, method)
    if takes_target_first(function):
        raise ValueError(
            f"{type(owner).__name__}.{method}{inspect.signature(function)}: predictions come first here, and it takes targets first. "
            f"Write {method}{expected}."
        )
    if wrong := not_taken(
        f"{type(owner).__name__}.{method}", function, expected[1:-1].split(", ")[1:], f"def {method}{expected}"
    ):
        raise ValueError(wrong)


def _kind(name: str) -> str:
    words = set(re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"))
    return "prediction" if words & _OF_PREDICTIONS else "target" if words & _OF_TARGETS else ""
